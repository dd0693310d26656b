/**
 * Scenes: workloads made by hand for places a random one reaches seldom.
 */

import type { Operation } from '../../src/txn/types.ts';
import { keyBytes } from '../reference/keys.ts';
import type { Driver } from './driver.ts';

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
