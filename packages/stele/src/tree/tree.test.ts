/** The tree beside a sorted array, over key shapes, page sizes, eviction and the accelerator. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelOptions, Random } from '../../test/tree/tree-model.ts';
import { randomBytes, TreeModel } from '../../test/tree/tree-model.ts';

const text = (s: string): Uint8Array => new TextEncoder().encode(s);

/** Key shapes; each returns a key from a population small enough to be hit again. */
const shapes: Record<string, () => (random: Random) => Uint8Array> = {
  'paths with a common start': () => (random) => text(`users/${String(random(3000)).padStart(9, '0')}/name`),
  'one-byte keys': () => (random) => Uint8Array.of(random(256)),
  'keys that are prefixes of each other': () => (random) => new Uint8Array(1 + random(300)).fill(97),
  'zero and 0xff bytes': () => (random) => {
    const key = new Uint8Array(1 + random(9));
    for (let i = 0; i < key.length; i++) key[i] = random(2) === 0 ? 0 : 255;
    return key;
  },
  'long shared prefixes': () => {
    const stems = [0, 1, 2].map((i) => new Uint8Array(700 + i * 100).fill(65 + i));
    return (random) => {
      const stem = stems[random(3)]!;
      const key = new Uint8Array(stem.length + 3);
      key.set(stem);
      key[stem.length] = random(4);
      key[stem.length + 1] = random(20);
      key[stem.length + 2] = random(20);
      return random(10) === 0 ? key.slice(0, 1 + random(key.length)) : key;
    };
  },
  'keys of 1,100 bytes': () => {
    const stem = randomBytes(() => 7, 1096);
    return (random) => {
      const key = new Uint8Array(1100);
      key.set(stem);
      if (random(3) === 0) key.fill(random(256), random(1100));
      new DataView(key.buffer).setUint32(random(2) === 0 ? 1096 : 2, random(500));
      return key;
    };
  },
  'random bytes of random length': () => (random) => randomBytes(random, 1 + random(40)),
  'ascending keys': () => {
    let n = 0;
    return () => text(`log/${String(n++).padStart(12, '0')}`);
  },
  'descending keys': () => {
    let n = 1_000_000;
    return () => text(`log/${String(n--).padStart(12, '0')}`);
  },
  'ascending runs in several places': () => {
    const next = [0, 0, 0, 0];
    return (random) => {
      const place = random(4);
      return text(`queue/${place}/${String(next[place]!++).padStart(8, '0')}`);
    };
  },
};

for (const [name, shape] of Object.entries(shapes)) {
  for (const [variant, options] of Object.entries({
    'in memory': {},
    'with the accelerator': { accelerator: true },
    'with eviction': { evict: true, frames: 400 },
    'with eviction and the accelerator': { evict: true, frames: 400, accelerator: true, shared: true },
    'with pages of 8192 bytes and the accelerator': { pageBytes: 8192, accelerator: true, evict: true },
  } satisfies Record<string, Partial<ModelOptions>>)) {
    test(`the tree agrees with a sorted array: ${name}, ${variant}`, () => {
      for (const seed of [1, 2]) {
        const model = new TreeModel({ seed, pageBytes: 4096, keys: shape(), operations: 3000, spines: seed === 2, ...options });
        model.run();
      }
    });
  }
}

test('splits, merges, compactions, prefix rebuilds, emptied pages and root collapses are all reached', () => {
  const model = new TreeModel({ seed: 3, pageBytes: 4096, keys: shapes['long shared prefixes']!(), operations: 6000 });
  model.run();
  while (model.entries.length > 0) model.step({ put: 0, tombstone: 0, remove: 100, sweep: 0 });
  model.compare();
  for (const [counter, count] of Object.entries(model.tree.counters)) assert.ok(count > 0, `${counter} was never reached`);
  assert.ok(model.overwrites > 0);
  assert.equal(model.tree.height, 0);
  assert.equal(model.pages.residentPages, 0, 'every page was released');
});
