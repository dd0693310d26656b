import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../test/model/random.ts';
import { cacheOf, createFile } from '../../test/pager/fixtures.ts';
import { Graph } from '../../test/pager/graph.ts';
import { SteleError } from '../base/errors.ts';
import { memoryStorage } from '../host/memory/storage.ts';

const random = new SeededRandom(8);
const value = Uint8Array.from({ length: 300_000 }, () => random.next());
const options = { commit: 3, forFlush: false };

test('a run written in slices of any size is read back in ranges of any size, blocking or not', async () => {
  const { overflow } = cacheOf(createFile(memoryStorage()), 16);
  for (const length of [1, 4015, 4016, 4017, 8032, 131_000, 32 * 4016, 32 * 4016 + 1, 300_000]) {
    const writer = overflow.begin(length, options);
    for (let at = 0; at < length; ) {
      const end = Math.min(length, at + random.between(1, 70_000));
      writer.write(value, at, end);
      at = end;
    }
    const run = writer.end();
    assert.equal(run.pages, overflow.pagesFor(length));
    for (let i = 0; i < 20; i++) {
      const offset = random.below(length + 1);
      const count = random.below(length - offset + 1);
      const target = new Uint8Array(count + 2);
      if (i % 2 === 0) overflow.read(run, offset, count, target, 1);
      else await overflow.readAsync(run, offset, count, target, 1);
      assert.deepEqual(target.subarray(1, count + 1), value.subarray(offset, offset + count));
    }
  }
});

test('a ranged read verifies only the pages it touches', () => {
  const storage = memoryStorage();
  const { overflow } = cacheOf(createFile(storage), 16);
  const run = overflow.write(value, 0, 100_000, options);
  const file = storage.open('pages.db');
  file.write(Uint8Array.of(1, 2, 3, 4), 0, 4, (run.firstPage + 5) * 4096 + 200);
  const target = new Uint8Array(100_000);
  overflow.read(run, 0, 5 * 4016, target, 0);
  overflow.read(run, 6 * 4016, 100_000 - 6 * 4016, target, 0);
  assert.throws(
    () => overflow.read(run, 5 * 4016 - 1, 2, target, 0),
    (error) => error instanceof SteleError && error.code === 'PAGE_CHECKSUM' && error.detail['pageId'] === run.firstPage + 5,
  );
});

test('a reference that leads outside the file or the run, or into another one, is corrupt', () => {
  const { overflow } = cacheOf(createFile(memoryStorage()), 16);
  const run = overflow.write(value, 0, 20_000, options);
  const target = new Uint8Array(100_000);
  for (const wrong of [
    { firstPage: 0, pages: 1 },
    { firstPage: 1, pages: 1 },
    { firstPage: run.firstPage, pages: 5000 },
    { firstPage: 2 ** 47, pages: 2 },
    { firstPage: run.firstPage, pages: 0 },
  ]) {
    assert.throws(() => overflow.read(wrong, 0, 1, target, 0), { kind: 'corrupt' });
    assert.throws(() => overflow.free(wrong), { kind: 'corrupt' });
  }
  assert.throws(() => overflow.read({ firstPage: run.firstPage + 1, pages: 2 }, 0, 1, target, 0), { code: 'PAGE_INVALID' });
  assert.throws(() => overflow.read(run, 20_000 - 10, 20, target, 0), { code: 'PAGE_INVALID' });
});

test('an aborted run and a freed one are free again after two more flushes, and an abort after the end does nothing', () => {
  const graph = new Graph(cacheOf(createFile(memoryStorage()), 64));
  const { overflow, allocator } = graph.pages;
  const flush = (): void => {
    const job = graph.pages.beginFlush(graph.frozen(1));
    while (!job.step(9));
    job.finishNow({ durableSegment: 1, durableOffset: 1 });
  };
  flush();
  const before = allocator.usedPages;
  overflow.begin(50_000, options).abort();
  const writer = overflow.begin(4, options);
  writer.write(value, 0, 4);
  const run = writer.end();
  writer.abort();
  flush();
  assert.equal(allocator.usedPages, before + 1);
  overflow.free(run);
  flush();
  assert.equal(allocator.usedPages, before);
});

test('a run of another commit at the same place is not taken for this one', () => {
  const { overflow } = cacheOf(createFile(memoryStorage()), 16);
  const run = overflow.write(value, 0, 20_000, options);
  const target = new Uint8Array(10);
  overflow.read(run, 5000, 10, target, 0);
  assert.throws(() => overflow.read({ ...run, commit: 4 }, 5000, 10, target, 0), { kind: 'corrupt', code: 'PAGE_CHECKSUM' });
});

test('runs begun side by side never share a page, though nothing of them is written yet', () => {
  const { overflow } = cacheOf(createFile(memoryStorage()), 16);
  const writers = [5000, 9000, 20_000, 100].map((bytes) => overflow.begin(bytes, options));
  for (const [i, writer] of writers.entries()) writer.write(value, i, i + [5000, 9000, 20_000, 100][i]!);
  writers.forEach((writer, i) => {
    const bytes = [5000, 9000, 20_000, 100][i]!;
    const target = new Uint8Array(bytes);
    overflow.read(writer.end(), 0, bytes, target, 0);
    assert.deepEqual(target, value.subarray(i, i + bytes));
  });
});
