/**
 * Scenes: workloads made by hand for places a random one reaches seldom.
 */

import assert from 'node:assert/strict';
import { HEADERS_FILE, headerAt } from '../../src/log/header-job.ts';
import { openEngineSync } from '../../src/txn/engine.ts';
import type { Operation } from '../../src/txn/types.ts';
import { keyBytes } from '../reference/keys.ts';
import type { Driver } from './driver.ts';
import { checkVerify } from './judge.ts';
import { mixSeed, newMachine, optionsOf, type Setup } from './machine.ts';

function put(text: string, bytes: number, fill: number): Operation {
  return { type: 'put', key: keyBytes(`\x02${text}`), value: new Uint8Array(bytes).fill(fill) };
}

/** Pages split, shrink and are overwritten while a flush of many pages rests between its slices. */
export async function writeBesideFlushes(driver: Driver): Promise<void> {
  for (let round = 0; round < 4; round++) {
    for (let batch = 0; batch < 8; batch++)
      driver.commitSync(
        Array.from({ length: 50 }, (_, i) => put(`n${String(batch * 50 + i).padStart(4, '0')}`, 700, round)),
        { durability: 'async' },
      );
    await driver.background(driver.engine.flush(), false);
    for (let i = 0; i < 24; i++) {
      const at = String((i * 37) % 400).padStart(4, '0');
      driver.commitSync([put(`n${at}${round}`, 700, i), put(`n${at}`, 20, i)], { durability: 'async' });
      if (i % 4 === 3) await driver.pause(1);
    }
    await driver.settle();
  }
}

/** Values whose segments are gone are overwritten and so carried; then the log is replayed. */
export async function carryAndReplay(driver: Driver): Promise<void> {
  for (let i = 0; i < 12; i++) driver.commitSync([put(`old${i}`, 100, i), put(`older${i}`, 50, i)], {});
  for (let round = 0; round < 8; round++) {
    for (let i = 0; i < 6; i++) driver.commitSync([put(`fill${i}`, 15_000, round)], {});
    await driver.pause(700);
    if (round % 2 === 1) await driver.background(driver.engine.flush(), true);
  }
  await driver.background(driver.engine.compact(), true);
  await driver.pause(1200);
  for (let i = 0; i < 12; i++) driver.commitSync([put(`old${i}`, 110, 100 + i), { type: 'delete', key: keyBytes(`\x02older${i}`) }], {});
  await driver.pause(5);
}

/**
 * Payload goes only when its headers are on the device (spec/invariants.md rule 4): while they cannot be written, or not be synced,
 * no segment goes, however little is kept; when they can, they are whole after the next power cut, in place of what went.
 */
export async function headersBeforePayload(setup: Setup): Promise<void> {
  for (const fault of ['write', 'sync'] as const) {
    const machine = newMachine({ ...setup, historyMs: 0 }, { failedSync: 'lost' });
    const engine = openEngineSync(optionsOf({ ...setup, historyMs: 0 }, machine, false));
    const dropped = (): number => Number(engine.stats()['commits']!['segmentsDropped']);
    const headersThrough = (): number => Number(engine.stats()['log']!['headersThrough']);
    const round = async (fill: number): Promise<void> => {
      for (let i = 0; i < 8; i++) engine.batchSync([put(`k${i}`, 15_000, fill)], { durability: 'async' });
      await machine.drive(engine.compact());
    };
    machine.storage.fail(fault, { file: HEADERS_FILE, times: Number.POSITIVE_INFINITY });
    for (let i = 0; i < 8; i++) await round(i);
    assert.equal(headersThrough(), 0, `headers cannot be on the device: each ${fault} fails`);
    assert.equal(dropped(), 0, `payload went before its headers, while each ${fault} of them fails`);
    assert.equal([...engine.changes(0)].length, engine.version, 'all of it can still be read');
    machine.storage.clearFaults();
    for (let i = 0; dropped() === 0; i++) {
      assert.ok(i < 8, 'nothing goes although the headers are there');
      await round(i);
    }
    const end = headerAt(headersThrough() + 1);
    const written = machine.storage.peek(HEADERS_FILE).subarray(0, end);
    const after = machine.reboot({ seed: mixSeed(setup.seed, 11) });
    assert.equal(Buffer.compare(after.storage.peek(HEADERS_FILE).subarray(0, end), written), 0, 'headers of what went, after a power cut');
    const again = openEngineSync(optionsOf(setup, after, true));
    await checkVerify(after, again);
    await after.drive(again.close());
  }
}
