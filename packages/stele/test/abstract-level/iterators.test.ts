/** Iterators beside a sorted array: ranges, directions, limits, seeks, pieces of every size, with strangers among the keys. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SteleLevel } from '../../src/abstract-level/index.ts';
import { Prng } from '../../src/host/faulty/prng.ts';
import { memoryStorage, open } from '../../src/index.ts';

const SEED = 5;

test('iterators give what a sorted array gives, whatever is written meanwhile', async () => {
  const prng = new Prng(SEED);
  await using db = await open({ storage: memoryStorage(), cacheMemory: 8 << 20 });
  const level = new SteleLevel({ subtree: db.subtree('level') });
  const model = new Map<string, string>();
  const randomKey = (): string => prng.below(3000).toString(36);
  for (let n = 0; n < 1500; n++) {
    const key = randomKey();
    model.set(key, `v${n}`);
    db.putSync(['level', Buffer.from(key)], Buffer.from(`v${n}`));
    if (prng.chance(0.1)) db.putSync(['level', Buffer.from(randomKey()), 'below'], n);
  }
  const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  for (let round = 0; round < 300; round++) {
    const reverse = prng.chance(0.5);
    const bounds = {
      ...(prng.chance(0.3) ? { [prng.chance(0.5) ? 'gte' : 'gt']: randomKey() } : {}),
      ...(prng.chance(0.3) ? { [prng.chance(0.5) ? 'lte' : 'lt']: randomKey() } : {}),
    } as { gte?: string; gt?: string; lte?: string; lt?: string };
    const limit = prng.chance(0.3) ? prng.below(400) : -1;
    const sorted = [...model]
      .filter(
        ([key]) =>
          (bounds.gte === undefined || key >= bounds.gte) &&
          (bounds.gt === undefined || key > bounds.gt) &&
          (bounds.lte === undefined || key <= bounds.lte) &&
          (bounds.lt === undefined || key < bounds.lt),
      )
      .sort(([a], [b]) => (reverse ? compare(b, a) : compare(a, b)));
    const iterator = level.iterator({ ...bounds, reverse, limit });
    // Not seen: written after.
    const later = randomKey();
    await level.put(later, `later ${round}`);
    let at = 0;
    let count = 0;
    const expected = (items: number): [string, string][] => {
      const most = limit < 0 ? items : Math.min(items, limit - count);
      const part = sorted.slice(at, at + most);
      at += part.length;
      count += part.length;
      return part;
    };
    for (let step = prng.below(12); step > 0; step--) {
      const kind = prng.below(3);
      const where = `seed ${SEED}, round ${round}, kind ${kind}`;
      if (kind === 0) assert.deepEqual(await iterator.next(), expected(1)[0], where);
      else if (kind === 1) {
        const size = 1 + prng.below(prng.chance(0.2) ? 1400 : 40);
        assert.deepEqual(await iterator.nextv(size), expected(size), where);
      } else {
        const target = randomKey();
        iterator.seek(target);
        const found = sorted.findIndex(([key]) => (reverse ? key <= target : key >= target));
        at = found < 0 ? sorted.length : found;
      }
    }
    assert.deepEqual(await iterator.all(), expected(Number.POSITIVE_INFINITY), `seed ${SEED}, round ${round}, all`);
    model.set(later, `later ${round}`);
  }
});

test('large values are read ahead a few at a time', async () => {
  await using db = await open({ storage: memoryStorage() });
  const level = new SteleLevel<string, Uint8Array>({ subtree: db, valueEncoding: 'view' });
  for (let n = 0; n < 20; n++) await level.put(String.fromCharCode(0x61 + n), new Uint8Array(300_000).fill(n));
  for (const reverse of [false, true]) {
    const keys: string[] = [];
    for await (const [key, value] of level.iterator({ reverse })) {
      assert.equal(value[299_999], key.charCodeAt(0) - 0x61);
      keys.push(key);
    }
    assert.equal(keys.length, 20);
  }
  assert.equal((await level.values().all()).length, 20);
});
