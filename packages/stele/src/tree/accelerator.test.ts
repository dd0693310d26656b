/** The accelerator alone: completeness, memory limit, collisions, forgetting. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryPages } from '../../test/tree/memory-pages.ts';
import { NO_PAGE } from '../pager/page-source.ts';
import { Accelerator, UNKNOWN } from './accelerator.ts';
import { EntryDraft } from './draft.ts';
import { ABSENT, MISS, Tree } from './tree.ts';

function filled(keyCount: number, bytesMax: number): { tree: Tree; pages: MemoryPages; accelerator: Accelerator; keys: Uint8Array[] } {
  const pages = new MemoryPages(8192, 2000);
  const accelerator = new Accelerator(pages, { bytesMax, seed: 77, searchesBefore: 2 });
  pages.onEvict = (frame) => accelerator.onEvict(frame);
  const tree = new Tree(pages, { rootLpn: NO_PAGE, height: 0, liveCount: 0, accelerator });
  const draft = new EntryDraft();
  draft.value = new Uint8Array(20).fill(1);
  draft.valueEnd = 20;
  const keys = Array.from({ length: keyCount }, (_, i) => new TextEncoder().encode(`k/${(i * 7919) % keyCount}`));
  for (const key of keys) {
    draft.commit++;
    tree.seek(key, key.length);
    tree.write(draft);
  }
  return { tree, pages, accelerator, keys };
}

test('a tree filled in memory is known completely, and an absent key is answered without the tree', () => {
  const { tree, accelerator, keys } = filled(50_000, 1 << 23);
  assert.equal(accelerator.count, keys.length);
  assert.equal(accelerator.indexedLeaves, tree.leafCount);
  for (const key of keys) assert.ok(accelerator.find(key, key.length, tree.leafCount) > 0);
  const absent = new TextEncoder().encode('k/none');
  assert.equal(accelerator.find(absent, absent.length, tree.leafCount), ABSENT);
  assert.equal(accelerator.find(absent, absent.length, -1), UNKNOWN);
});

test('an evicted leaf is forgotten, and indexed again after some searches', () => {
  const { tree, pages, accelerator, keys } = filled(5_000, 1 << 22);
  pages.clean();
  const frame = Math.floor(tree.find(keys[17]!, keys[17]!.length) / 8192);
  assert.ok(pages.evict(frame));
  assert.equal(accelerator.isIndexed(frame), false);
  assert.equal(accelerator.find(keys[17]!, keys[17]!.length, tree.leafCount), UNKNOWN);
  assert.equal(tree.find(keys[17]!, keys[17]!.length), MISS);
  pages.load(tree.missed);
  for (let i = 0; i < 3; i++) assert.ok(tree.find(keys[17]!, keys[17]!.length) > 0);
  assert.equal(accelerator.indexedLeaves, tree.leafCount);
  assert.equal(accelerator.count, keys.length);
});

test('when its memory is used up, leaves are left out and answers stay right', () => {
  const { tree, accelerator, keys } = filled(60_000, 3 * 32_768);
  assert.ok(accelerator.bytes() <= 3 * 32_768);
  assert.ok(accelerator.indexedLeaves < tree.leafCount);
  for (const key of keys) assert.ok(tree.find(key, key.length) > 0);
  assert.equal(tree.find(keys[0]!, 1), ABSENT);
});

test('clear() forgets everything and the tree still answers', () => {
  const { tree, accelerator, keys } = filled(3_000, 1 << 22);
  accelerator.clear();
  assert.equal(accelerator.count, 0);
  for (let round = 0; round < 4; round++) for (const key of keys) assert.ok(tree.find(key, key.length) > 0);
  assert.equal(accelerator.count, keys.length);
});
