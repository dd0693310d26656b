import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cacheOf, createFile, openFile } from '../../test/pager/fixtures.ts';
import { Graph, openGraph } from '../../test/pager/graph.ts';
import { memoryStorage } from '../host/memory/storage.ts';
import * as L from './layout.ts';
import { LPN_LOADING } from './lpn-table.ts';
import type { PageCache } from './page-cache.ts';

const end = { durableSegment: 1, durableOffset: 300 };

/** Writes everything that is dirty. */
function flush(graph: Graph, commit: number): void {
  const job = graph.pages.beginFlush(graph.frozen(commit));
  while (!job.step(10));
  job.finishNow(end);
}

/** A graph on disk, opened with so many frames. */
function opened(frames: number, shape = { leaves: 60, valuesPerLeaf: 20, fanOut: 7 }): { graph: Graph; expected: Graph } {
  const storage = memoryStorage();
  const expected = new Graph(cacheOf(createFile(storage), 400));
  expected.build({ ...shape, value: (leaf, slot) => leaf * 1000 + slot });
  flush(expected, 5);
  return { graph: openGraph(cacheOf(openFile(storage), frames)), expected };
}

test('a flushed graph is there again after reopening, in a cache far smaller than it', async () => {
  const storage = memoryStorage();
  const file = createFile(storage);
  const graph = new Graph(cacheOf(file, 400));
  graph.build({ leaves: 200, valuesPerLeaf: 20, fanOut: 7, value: (leaf, slot) => leaf * 1000 + slot });
  const job = graph.pages.beginFlush(graph.frozen(5));
  while (!job.step(10));
  const meta = await job.finish(end);
  assert.equal(meta.sequence, 1);
  graph.check();
  file.close();
  const again = openGraph(cacheOf(openFile(storage), 20));
  assert.equal(again.pages.file.meta.commit, 5);
  again.check(graph.model);
  assert.ok(again.pages.stats()['evictions']! > 100);
});

test('load() does not evict the parent of the page it loads, though nobody used it', () => {
  const { graph } = opened(16, { leaves: 3, valuesPerLeaf: 5, fanOut: 3 });
  const { pages } = graph;
  pages.load(graph.root);
  const [leaf] = graph.children(graph.root);
  const source = memoryStorage().open('x', { create: true });
  source.write(new Uint8Array(40 * 4096), 0, 40 * 4096, 0);
  for (let block = 0; block < 15; block++) pages.blocks.fill({ name: 'x', file: () => source }, block);
  assert.equal(pages.frames.freeCount, 0);
  pages.ref.fill(1);
  pages.ref[pages.frameOf[graph.root]!] = 0;
  pages.load(leaf!);
  assert.ok(pages.frameOf[graph.root]! >= 0);
  assert.deepEqual(graph.values(leaf!), [0, 1, 2, 3, 4]);
});

test('an inner page leaves only after its children, and then gives their numbers back', () => {
  const { graph, expected } = opened(16);
  const { pages } = graph;
  graph.check(expected.model);
  const available = pages.lpns.available;
  while (pages.frames.evictOne());
  assert.equal(pages.frames.freeCount, 16);
  assert.equal(pages.innerCount, 0);
  assert.equal(pages.lpns.available, pages.lpns.capacity - 1, 'only the root has a number');
  assert.ok(available < pages.lpns.capacity - 1);
  graph.check(expected.model);
});

test('onEvict is told the frame while its bytes are there, and not told of released pages', () => {
  const { graph } = opened(16);
  const { pages } = graph;
  const told: number[] = [];
  pages.onEvict = (frame) => {
    assert.ok(pages.frameOf[pages.lpnOf[frame]!] === frame);
    told.push(frame);
  };
  const leaf = graph.descend([0, 0, 0]).at(-1)!;
  pages.release(leaf);
  assert.equal(told.length, 0);
  while (pages.frames.evictOne());
  assert.equal(told.length, 3, 'the root and the two inner pages on the way');
});

test('a pinned frame and a dirty one stay', () => {
  const { graph } = opened(16);
  const { pages } = graph;
  const [, inner, leaf] = graph.descend([0, 0]);
  pages.touch(leaf!);
  const other = graph.descend([1, 1]).at(-1)!;
  pages.pin(pages.frameOf[other]!);
  while (pages.frames.evictOne());
  assert.ok(pages.frameOf[leaf!]! >= 0 && pages.frameOf[inner!]! >= 0 && pages.frameOf[other]! >= 0);
  pages.unpin(pages.frameOf[other]!);
  while (pages.frames.evictOne());
  assert.ok(pages.frameOf[other]! < 0);
});

test('loadAsync() brings pages in once however often it is asked, and gives way to a faster load()', async () => {
  const { graph } = opened(32);
  const { pages } = graph;
  await pages.loadAsync(graph.root);
  const [first, second] = graph.children(graph.root);
  const one = pages.loadAsync(first!);
  assert.equal(pages.loadAsync(first!), one);
  await one;
  assert.ok(pages.frameOf[first!]! >= 0);
  const slow = pages.loadAsync(second!);
  pages.load(second!);
  const frame = pages.frameOf[second!];
  await slow;
  assert.equal(pages.frameOf[second!], frame);
  assert.equal(pages.lpns.state[second!]! & LPN_LOADING, 0);
  const [third] = graph.children(first!);
  const free = pages.lpns.available;
  const gone = pages.loadAsync(third!);
  pages.release(third!);
  await gone;
  assert.equal(pages.lpns.available, free + 1, 'a page released while it was loaded gives its number back once');
  assert.equal(pages.stats()['treeMisses'], 3);
});

test('loadAsync() keeps its promise under eviction: every page of a graph, all at once, in a small cache', async () => {
  const { graph, expected } = opened(24);
  for (let round = 0; round < 5; round++) {
    graph.descend([0, 0]);
    const inner = graph.children(graph.root);
    await Promise.all(inner.map((lpn) => graph.pages.loadAsync(lpn)));
  }
  graph.check(expected.model);
});

test('reserve() refuses when too much is dirty, and a flush helps', () => {
  const storage = memoryStorage();
  const graph = new Graph(cacheOf(createFile(storage), 64));
  graph.build({ leaves: 30, valuesPerLeaf: 2, fanOut: 10, value: (leaf) => leaf });
  assert.ok(graph.pages.reserve(20));
  assert.ok(!graph.pages.reserve(40));
  flush(graph, 1);
  assert.ok(graph.pages.reserve(40));
  graph.check();
});

test('version words are even at rest, odd between beginChange and endChange, and differ after the frame got another page', () => {
  const { graph } = opened(16);
  const { pages } = graph;
  pages.shared = true;
  const leaf = graph.descend([0, 0]).at(-1)!;
  const frame = pages.frameOf[leaf]!;
  const before = pages.frames.versions[frame]!;
  assert.equal(before % 2, 0);
  pages.beginChange(frame);
  assert.equal(pages.frames.versions[frame]! % 2, 1);
  pages.endChange(frame);
  while (pages.frames.evictOne());
  for (let i = 0; i < 9; i++) graph.descend([i % 2, i % 7]);
  for (let i = 0; i < 16; i++) assert.equal(pages.frames.versions[i]! % 2, 0);
});

test('touch() of a page that is not in memory, and a change of a read-only database on disk, are refused', () => {
  const { graph } = opened(16);
  assert.throws(() => graph.pages.touch(graph.root), { code: 'INVARIANT' });
  const storage = memoryStorage();
  createFile(storage).close();
  const readOnly: PageCache = cacheOf(openFile(storage, { readOnly: true }), 16);
  readOnly.reserveDisk(1000);
  const lpn = readOnly.allocate(L.TYPE_LEAF, 0);
  assert.throws(() => readOnly.beginFlush({ ...new Graph(readOnly).frozen(1), rootLpn: lpn, height: 1 }), {
    kind: 'denied',
    code: 'READ_ONLY',
  });
});

test('relocateAbove() and truncate() move a sparse graph to the front and give the space back', () => {
  const storage = memoryStorage();
  const graph = new Graph(cacheOf(createFile(storage), 600));
  graph.build({ leaves: 400, valuesPerLeaf: 2, fanOut: 80, value: (leaf) => leaf });
  flush(graph, 1);
  const inner = graph.children(graph.root);
  for (const [i, lpn] of inner.entries()) {
    const children = graph.children(lpn);
    for (const child of children.splice(4)) graph.pages.release(child);
    graph.writeChildren(lpn, children);
    (graph.model as { children: { children: unknown[] }[] }).children[i]!.children.splice(4);
  }
  const before = graph.pages.file.pageLimit;
  for (let round = 2; round < 6; round++) {
    flush(graph, round);
    graph.pages.relocateAbove(40);
  }
  flush(graph, 6);
  flush(graph, 7);
  flush(graph, 8);
  graph.pages.allocator.truncate();
  const after = graph.pages.file.pageLimit;
  assert.ok(after < 120 && before > 400, `${before} pages before, ${after} after`);
  openGraph(cacheOf(openFile(storage), 32)).check(graph.model);
});
