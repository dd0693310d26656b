import assert from 'node:assert/strict';
import test from 'node:test';
import { openParts, testWorld } from '../../../test/policies/kit.ts';
import { Prng } from '../../host/faulty/prng.ts';
import type { ScanRange } from '../../txn/types.ts';
import { DirectWrites } from './direct-writes.ts';

const key = (n: number): Uint8Array => Uint8Array.of(3, n);

test('what was written so far is read: by key, and in its place in scans', async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const world = testWorld(seed);
    const { engine } = openParts(world);
    const prng = new Prng(seed);
    const model = new Map<number, number>();
    for (let n = 0; n < 20; n += 1 + prng.below(3)) {
      engine.putSync(key(n), Uint8Array.of(n));
      model.set(n, n);
    }
    const writes = new DirectWrites(engine, engine.prepare().timeMs);
    for (let i = prng.below(12); i > 0; i--) {
      const n = prng.below(20);
      const die = prng.below(4);
      if (die === 0) {
        writes.delete(key(n));
        model.delete(n);
      } else if (die === 1) {
        writes.put(key(n), Uint8Array.of(i), writes.timeMs);
        model.delete(n);
      } else {
        writes.put(key(n), Uint8Array.of(100 + i), die === 2 ? 0 : writes.timeMs + 1);
        model.set(n, 100 + i);
      }
    }
    for (let n = 0; n < 20; n++) assert.equal(writes.read(key(n))?.[0], model.get(n));
    const [from, to] = [prng.below(20), prng.below(25)];
    const ranges: readonly ScanRange[] = [
      { start: key(0), end: key(99) },
      { start: key(from), end: key(to) },
      { start: key(from), end: key(to), reverse: true },
      { start: key(0), end: key(99), limit: prng.below(5) },
      { start: key(0), end: key(99), limit: prng.below(5), reverse: true },
    ];
    for (const { start, end, reverse, limit } of ranges) {
      const expected = [...model].filter(([n]) => n >= start![1]! && n < end![1]!).sort(([a], [b]) => (reverse === true ? b - a : a - b));
      const options = {
        start: start!,
        end: end!,
        ...(reverse === undefined ? {} : { reverse }),
        ...(limit === undefined ? {} : { limit }),
      };
      assert.deepEqual(
        [...writes.scan(options)].map((entry) => [entry.key[1], entry.value[0]]),
        expected.slice(0, limit ?? 99),
      );
    }
    await engine.close();
  }
});
