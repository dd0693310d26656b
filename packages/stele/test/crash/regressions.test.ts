/**
 * What the racks found and a few lines can show again.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openEngineSync } from '../../src/txn/engine.ts';
import type { Operation } from '../../src/txn/types.ts';
import { keyBytes } from '../reference/keys.ts';
import { runFailure } from './failures.ts';
import { newMachine, optionsOf, setupOf } from './machine.ts';
import { Places } from './places.ts';

const key = (text: string): Uint8Array => keyBytes(`\x02${text}`);

// The group record in front of a later part is encoded when it is written; a reader of the tail did not know it for one.
test('the large values of a commit in parts are read before anything of it is written', async () => {
  const setup = setupOf(3, 'immediate', 'barrier');
  const machine = newMachine(setup);
  const engine = openEngineSync(optionsOf(setup, machine, false));
  const operations = Array.from(
    { length: 40 },
    (_, i): Operation => ({ type: 'put', key: key(`p${i}`), value: new Uint8Array(60_000).fill(i) }),
  );
  const promise = engine.batch(operations);
  for (let i = 0; i < 40; i++) assert.equal(engine.get(key(`p${i}`))?.[5], i);
  await machine.drive(promise);
  await machine.drive(engine.close());
});

// Rules stood in metas only: a crash before the first flush forgot them, and the past was answered from chains that end early.
test('rules of retention given at creation survive a kill before the first flush', () => {
  const setup = { ...setupOf(4, 'immediate', 'barrier'), historyMs: 0 };
  const machine = newMachine(setup);
  const engine = openEngineSync(optionsOf(setup, machine, false));
  for (let i = 0; i < 5; i++) engine.putSync(key('k'), new Uint8Array(3).fill(i));
  const again = openEngineSync(optionsOf(setup, machine.fork().killProcess(), true));
  assert.equal(again.version, 5);
  assert.throws(() => again.asOf(2).get(key('k')), { code: 'HISTORY_EXPIRED' });
});

// The listener was called from the write, although the blocking form asked for the device.
test('nobody hears of a blocking commit whose sync failed', async () => {
  const setup = setupOf(3, 'immediate', 'barrier');
  const machine = newMachine(setup, { failedSync: 'lost' });
  const engine = openEngineSync(optionsOf(setup, machine, false));
  let heard = 0;
  engine.onCommitted((_first, last) => (heard = last));
  engine.putSync(key('a'), new Uint8Array(3));
  machine.storage.fail('sync');
  assert.throws(() => engine.putSync(key('b'), new Uint8Array(3)), { code: 'COMMIT_UNKNOWN' });
  await machine.runUntilIdle();
  assert.equal(heard, 1);
});

// The flush failed and the next one succeeded, named by a meta; the entries of the first were in the kernel only, called clean.
test('after a failed sync of the commit index nothing more is written, whatever its later syncs say', async () => {
  const failure = { kind: 'sync', after: 0, failedSync: 'lost', file: 'commits.idx' } as const;
  assert.equal((await runFailure(setupOf(2, 'async', 'barrier'), 80, failure, new Places())).hit, true);
});
