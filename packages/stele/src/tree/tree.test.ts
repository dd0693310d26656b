/** The tree beside a sorted array, over key shapes, page sizes, eviction and the accelerator; more seeds: `npm run rack -- tree`. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runTreeCase, TREE_SHAPES, TREE_VARIANTS } from '../../test/tree/cases.ts';
import { TreeModel } from '../../test/tree/tree-model.ts';

// One seed of each, so that every shape meets both and every variant too.
for (const [row, shape] of Object.keys(TREE_SHAPES).entries())
  for (const [column, variant] of Object.keys(TREE_VARIANTS).entries())
    test(`the tree agrees with a sorted array: ${shape}, ${variant}`, () => runTreeCase(shape, variant, 1 + ((row + column) % 2)));

test('splits, merges, compactions, prefix rebuilds, emptied pages and root collapses are all reached', () => {
  const model = new TreeModel({ seed: 3, pageBytes: 4096, keys: TREE_SHAPES['long shared prefixes']!(), operations: 6000 });
  model.run();
  while (model.entries.length > 0) model.step({ put: 0, tombstone: 0, remove: 100, sweep: 0 });
  model.compare();
  for (const [counter, count] of Object.entries(model.tree.counters)) assert.ok(count > 0, `${counter} was never reached`);
  assert.ok(model.overwrites > 0);
  assert.equal(model.tree.height, 0);
  assert.equal(model.pages.residentPages, 0, 'every page was released');
});
