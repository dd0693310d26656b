import assert from 'node:assert/strict';
import test from 'node:test';
import { EffectList } from './effect-list.ts';
import { textOf } from './read-set.ts';

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test('random batches come out in key order with the last effect of each key, as a map says', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const next = random(seed);
    const list = new EffectList();
    const model = new Map<string, number>();
    const lead = Array.from({ length: Math.floor(next() * 9) }, () => 2);
    const count = Math.floor(next() * 60);
    for (let at = 0; at < count; at++) {
      const tail = Array.from({ length: Math.floor(next() * 9) }, () => Math.floor(next() * 3) * 127);
      const key = Uint8Array.from([2, ...lead, ...tail]);
      list.add({ key, value: Uint8Array.of(at), expiresAt: 0, ttlMs: undefined });
      model.set(textOf(key, key.length), at);
    }
    const expected = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
    assert.deepEqual(
      list.sorted().map(({ key, value }) => [textOf(key, key.length), value![0]]),
      expected,
      `seed ${seed}`,
    );
  }
});

test('liveWithin() gives what a range delete must undo: the last put of each key in the range', () => {
  const list = new EffectList();
  for (const byte of [5, 1, 3, 5, 4]) list.add({ key: Uint8Array.of(2, byte), value: Uint8Array.of(byte), expiresAt: 0, ttlMs: undefined });
  list.add({ key: Uint8Array.of(2, 3), value: undefined, expiresAt: 0, ttlMs: undefined });
  assert.deepEqual(
    list.liveWithin(Uint8Array.of(2, 3), Uint8Array.of(2, 6)).map(({ key }) => key[1]),
    [5, 4],
  );
});
