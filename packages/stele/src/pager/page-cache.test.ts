import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryStorage } from '../host/memory/storage.ts';
import { cacheOf, createFile, openFile } from '../../test/pager/fixtures.ts';
import { Graph, openGraph } from '../../test/pager/graph.ts';

test('a flushed graph is there again after reopening', async () => {
  const storage = memoryStorage();
  const file = createFile(storage);
  const graph = new Graph(cacheOf(file, 400));
  graph.build({ leaves: 200, valuesPerLeaf: 20, fanOut: 7, value: (leaf, slot) => leaf * 1000 + slot });
  const job = graph.pages.beginFlush(graph.frozen(5));
  while (!job.step(10));
  const meta = await job.finish({ durableSegment: 1, durableOffset: 300, segmentTable: Uint8Array.of(1, 2, 3) });
  assert.equal(meta.sequence, 1);
  graph.check();
  file.close();
  const again = openGraph(cacheOf(openFile(storage), 20));
  assert.equal(again.pages.file.meta.commit, 5);
  again.check(graph.model);
  assert.ok(again.pages.stats()['evictions']! > 100);
});
