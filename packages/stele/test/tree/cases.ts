/**
 * The tree and its packer beside a sorted array: the cases, by key shape, variant and seed. The gate runs one seed of each,
 * `npm run rack -- tree` as many as wanted.
 */

import assert from 'node:assert/strict';
import { PAGE_PREFIX } from '../../src/pager/layout.ts';
import { LevelWalk } from '../../src/tree/level-walk.ts';
import { TreePacker } from '../../src/tree/pack.ts';
import { usedBytes } from '../../src/tree/page.ts';
import { END } from '../../src/tree/results.ts';
import { type ModelOptions, type Random, randomBytes, TreeModel } from './tree-model.ts';

export const text = (s: string): Uint8Array => new TextEncoder().encode(s);

/** Key shapes; each returns a key from a population small enough to be hit again. */
export const TREE_SHAPES: Readonly<Record<string, () => (random: Random) => Uint8Array>> = {
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

export const TREE_VARIANTS = {
  'in memory': {},
  'with the accelerator': { accelerator: true },
  'with eviction': { evict: true, frames: 400 },
  'with eviction and the accelerator': { evict: true, frames: 400, accelerator: true, shared: true },
  'with pages of 8192 bytes and the accelerator': { pageBytes: 8192, accelerator: true, evict: true },
} satisfies Record<string, Partial<ModelOptions>>;

/** @throws {AssertionError} naming the seed */
export function runTreeCase(shape: string, variant: string, seed: number): void {
  const options: Partial<ModelOptions> = TREE_VARIANTS[variant as keyof typeof TREE_VARIANTS];
  new TreeModel({
    seed,
    pageBytes: 4096,
    keys: TREE_SHAPES[shape]!(),
    operations: 3000,
    spines: seed % 2 === 0,
    ...options,
  }).run();
}

/** A phase that mostly adds. */
export const GROW = { put: 94, tombstone: 3, remove: 1, sweep: 2 };

/** Key shapes for packing. */
export const PACK_SHAPES: Readonly<Record<string, (random: Random) => Uint8Array>> = {
  'paths with a common start': (random) => text(`users/${String(random(4000)).padStart(9, '0')}/name`),
  'random bytes of random length': (random) => randomBytes(random, 1 + random(40)),
  'keys of 1,100 bytes': (random) => {
    const key = new Uint8Array(1100).fill(random(3));
    new DataView(key.buffer).setUint32(random(2) === 0 ? 1096 : 2, random(900));
    return key;
  },
};

export const PACK_VARIANTS = {
  'in memory': {},
  'with eviction and the accelerator': { evict: true, frames: 1200, accelerator: true, shared: true },
} satisfies Record<string, Partial<ModelOptions>>;

/** Packs every level; `between` runs after each step. Returns what changed. */
export function pack(model: TreeModel, between: () => void = () => {}): number {
  let changed = 0;
  for (let round = 0; ; round++) {
    let inRound = 0;
    for (let level = 0; level + 1 < model.tree.height; level++) {
      const packer = new TreePacker(model.tree, level);
      while (model.filled(() => packer.step()) !== END) between();
      inRound += packer.changed;
    }
    changed += inRound;
    if (inRound === 0) return changed;
    assert.ok(round < 20, 'packing comes to an end');
  }
}

function fillOf(model: TreeModel): { pages: number; fill: number } {
  const walk = new LevelWalk(model.tree, 0);
  let pages = 0;
  let bytes = 0;
  while (model.filled(() => walk.next()) !== END) {
    pages++;
    bytes += usedBytes(model.pages, walk.frame * model.pages.pageBytes);
  }
  return { pages, fill: bytes / (pages * (model.pages.pageBytes - PAGE_PREFIX)) };
}

/** Packs a tree that grew, and lets it live on. @throws {AssertionError} */
export function runPackCase(shape: string, variant: string, seed: number): void {
  const options: Partial<ModelOptions> = PACK_VARIANTS[variant as keyof typeof PACK_VARIANTS];
  const model = new TreeModel({
    seed,
    pageBytes: 4096,
    keys: PACK_SHAPES[shape]!,
    operations: 4000,
    valueBytesMax: 120,
    spines: seed % 3 === 2,
    phases: [GROW],
    ...options,
  });
  model.run();
  const before = fillOf(model);
  let steps = 0;
  const changed = pack(model, () => {
    if (model.options.evict === true && model.random(6) === 0) model.pressure();
    if (++steps % 97 === 0) model.verify();
  });
  model.compare();
  const after = fillOf(model);
  assert.equal(after.pages, model.tree.leafCount);
  assert.ok(after.pages <= before.pages);
  if (shape !== 'keys of 1,100 bytes') {
    assert.ok(changed > 0);
    assert.ok(after.fill > 0.96, `filled to ${after.fill} from ${before.fill}`);
  }
  assert.equal(pack(model), 0, 'packing what is packed changes nothing');
  // And it lives on.
  for (let i = 0; i < 1500; i++) model.step({ put: 40, tombstone: 10, remove: 45, sweep: 5 });
  model.compare();
}
