/** The packer beside the tree's model: what it leaves, at every step, and that it comes to an end; more seeds: `npm run rack -- tree`. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GROW, PACK_SHAPES, PACK_VARIANTS, pack, runPackCase } from '../../test/tree/cases.ts';
import { TreeModel } from '../../test/tree/tree-model.ts';
import { TreePacker } from './pack.ts';
import { END, MISS } from './results.ts';

// One seed of each; the second one has spines.
for (const [row, shape] of Object.keys(PACK_SHAPES).entries())
  for (const [column, variant] of Object.keys(PACK_VARIANTS).entries())
    test(`packing keeps every entry and fills the pages: ${shape}, ${variant}`, () =>
      runPackCase(shape, variant, 1 + ((row + column) % 2)));

test('packing goes on while the tree is changed between its steps', () => {
  const model = new TreeModel({
    seed: 9,
    pageBytes: 4096,
    keys: PACK_SHAPES['paths with a common start']!,
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
    keys: PACK_SHAPES['paths with a common start']!,
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
    keys: PACK_SHAPES['paths with a common start']!,
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
