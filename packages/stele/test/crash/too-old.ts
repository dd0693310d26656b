/**
 * The transaction that outlives the validation window: the one place no small workload reaches.
 */

import assert from 'node:assert/strict';
import { openEngineSync } from '../../src/txn/engine.ts';
import type { Operation } from '../../src/txn/types.ts';
import { keyBytes } from '../reference/keys.ts';
import { newMachine, optionsOf, setupOf } from './machine.ts';
import type { Places } from './places.ts';

/** Commits more bytes of keys beside a transaction with a range than the window holds. */
export async function runTooOld(places: Places): Promise<void> {
  const setup = { ...setupOf(3, 'async', 'barrier'), cacheMemory: 2 ** 24, segmentBytes: 2 ** 22 };
  const machine = newMachine(setup);
  const engine = openEngineSync(optionsOf(setup, machine, false));
  const txn = engine.begin();
  // A range nobody writes to: whether it changed can only be answered while the window reaches back so far.
  txn.count({ start: keyBytes('\x02x'), end: keyBytes('\x02y') });
  txn.put(keyBytes('\x02mine'), new Uint8Array(1));
  for (let batch = 0; batch < 4; batch++) {
    const operations: Operation[] = Array.from({ length: 2_500 }, (_, i) => ({
      type: 'put',
      key: keyBytes(`\x02${batch}${String(i).padStart(5, '0')}`.padEnd(1000, '.')),
      value: new Uint8Array(0),
    }));
    engine.batchSync(operations);
  }
  const before = engine.version;
  await assert.rejects(machine.drive(txn.commit()), { code: 'TXN_TOO_OLD' });
  assert.equal(engine.version, before, 'nothing was written');
  places.addStats(engine.stats());
  await machine.drive(engine.close());
}
