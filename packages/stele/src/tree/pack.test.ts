/** The packer beside the tree's model: what it leaves, at every step, and that it comes to an end. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ModelOptions, type Random, randomBytes, TreeModel } from '../../test/tree/tree-model.ts';
import { PAGE_PREFIX } from '../pager/layout.ts';
import { LevelWalk } from './level-walk.ts';
import { TreePacker } from './pack.ts';
import { usedBytes } from './page.ts';
import { END, MISS } from './results.ts';

const text = (s: string): Uint8Array => new TextEncoder().encode(s);
const GROW = { put: 94, tombstone: 3, remove: 1, sweep: 2 };

const shapes: Record<string, (random: Random) => Uint8Array> = {
  'paths with a common start': (random) => text(`users/${String(random(4000)).padStart(9, '0')}/name`),
  'random bytes of random length': (random) => randomBytes(random, 1 + random(40)),
  'keys of 1,100 bytes': (random) => {
    const key = new Uint8Array(1100).fill(random(3));
    new DataView(key.buffer).setUint32(random(2) === 0 ? 1096 : 2, random(900));
    return key;
  },
};

/** Packs every level; `between` runs after each step. Returns what changed. */
function pack(model: TreeModel, between: () => void = () => {}): number {
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

for (const [name, keys] of Object.entries(shapes)) {
  for (const [variant, options] of Object.entries({
    'in memory': {},
    'with eviction and the accelerator': { evict: true, frames: 1200, accelerator: true, shared: true },
  } satisfies Record<string, Partial<ModelOptions>>)) {
    test(`packing keeps every entry and fills the pages: ${name}, ${variant}`, () => {
      for (const seed of [1, 2, 3]) {
        const model = new TreeModel({
          seed,
          pageBytes: 4096,
          keys,
          operations: 4000,
          valueBytesMax: 120,
          spines: seed === 2,
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
        if (name !== 'keys of 1,100 bytes') {
          assert.ok(changed > 0);
          assert.ok(after.fill > 0.96, `filled to ${after.fill} from ${before.fill}`);
        }
        assert.equal(pack(model), 0, 'packing what is packed changes nothing');
        // And it lives on.
        for (let i = 0; i < 1500; i++) model.step({ put: 40, tombstone: 10, remove: 45, sweep: 5 });
        model.compare();
      }
    });
  }
}

test('packing goes on while the tree is changed between its steps', () => {
  const model = new TreeModel({
    seed: 9,
    pageBytes: 4096,
    keys: shapes['paths with a common start']!,
    operations: 3000,
    valueBytesMax: 120,
    accelerator: true,
    phases: [GROW],
  });
  model.run();
  let left = 800;
  for (let round = 0; round < 3; round++)
    for (let level = 0; level + 1 < model.tree.height; level++) {
      const packer = new TreePacker(model.tree, level);
      while (model.filled(() => packer.step()) !== END) {
        if (left-- > 0) model.step({ put: 45, tombstone: 10, remove: 40, sweep: 5 });
      }
    }
  model.compare();
});

test('a step asks for a page that is missing and changes nothing', () => {
  const model = new TreeModel({
    seed: 5,
    pageBytes: 4096,
    keys: shapes['paths with a common start']!,
    operations: 2000,
    valueBytesMax: 120,
    phases: [GROW],
  });
  model.run();
  model.pages.clean();
  for (let frame = 0; frame < model.pages.ref.length; frame++) model.pages.evict(frame);
  const packer = new TreePacker(model.tree, 0);
  const { modifications } = model.tree;
  assert.equal(packer.step(), MISS);
  assert.equal(model.tree.modifications, modifications);
});

test('a tree whose root keeps one child loses a level', () => {
  const model = new TreeModel({
    seed: 6,
    pageBytes: 4096,
    keys: shapes['paths with a common start']!,
    operations: 900,
    valueBytesMax: 60,
    phases: [GROW],
  });
  model.run();
  assert.equal(model.tree.height, 2);
  while (model.entries.length > 20) {
    const key = model.entries[model.random(model.entries.length)]!.key;
    model.filled(() => model.tree.seek(key, key.length));
    model.tree.remove();
    model.entries.splice(model.position(key), 1);
  }
  pack(model);
  assert.equal(model.tree.height, 1);
  model.compare();
});
