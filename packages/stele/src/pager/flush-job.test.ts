import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cacheOf, createFile, openFile } from '../../test/pager/fixtures.ts';
import { copy, Graph, openGraph, VALUE_AT } from '../../test/pager/graph.ts';
import { ioError } from '../host/failures.ts';
import { faultyStorage } from '../host/faulty/storage.ts';
import { memoryStorage } from '../host/memory/storage.ts';
import type { Storage, StorageFile } from '../host/storage.ts';
import { Bitmap } from './bitmap.ts';
import { readBlob } from './blob.ts';
import * as L from './layout.ts';

const end = { durableSegment: 1, durableOffset: 300 };
const shape = { leaves: 100, valuesPerLeaf: 4, fanOut: 10, value: (leaf: number, slot: number) => leaf * 10 + slot };

function flush(graph: Graph, commit: number): void {
  const job = graph.pages.beginFlush(graph.frozen(commit));
  while (!job.step(7));
  job.finishNow(end);
}

/** The storage, with a hook on each write of each file. */
function watched(storage: Storage, onWrite: (position: number, length: number, write: () => number) => number): Storage {
  const watch = (file: StorageFile): StorageFile => ({
    name: file.name,
    read: file.read.bind(file),
    readAsync: file.readAsync.bind(file),
    write: (source, start, length, position) => onWrite(position, length, () => file.write(source, start, length, position)),
    sync: file.sync.bind(file),
    syncAsync: file.syncAsync.bind(file),
    markUnsynced: file.markUnsynced.bind(file),
    size: file.size.bind(file),
    truncate: file.truncate.bind(file),
    close: file.close.bind(file),
  });
  return {
    kind: 'watched',
    syncStyle: storage.syncStyle,
    list: storage.list.bind(storage),
    exists: storage.exists.bind(storage),
    open: (name, options) => watch(storage.open(name, options)),
    remove: storage.remove.bind(storage),
    syncDirectory: storage.syncDirectory.bind(storage),
    lock: storage.lock.bind(storage),
    close: storage.close.bind(storage),
  };
}

test('flush rule 2: a flush never writes a page that one of the two metas before it uses', () => {
  const writes: [number, number][] = [];
  const storage = watched(memoryStorage(), (position, length, write) => {
    writes.push([position / 4096, Math.ceil(length / 4096)]);
    return write();
  });
  const graph = new Graph(cacheOf(createFile(storage), 300));
  graph.build(shape);
  flush(graph, 1);
  const protectedPages: Bitmap[] = [];
  for (let round = 2; round < 20; round++) {
    protectedPages.push(Bitmap.decode(readBlob(graph.pages.file, graph.pages.file.meta.blobs[0]!)));
    for (let i = 0; i < 12; i++) graph.writeValues(graph.descend([(round * 7 + i) % 10, (round + i * 3) % 10]).at(-1)!, [round, i]);
    writes.length = 0;
    flush(graph, round);
    for (const [first, count] of writes) {
      for (let page = first; page < first + count; page++) {
        if (page > 1) for (const used of protectedPages.slice(-2)) assert.ok(!used.has(page), `flush ${round} wrote page ${page}`);
      }
    }
  }
  assert.ok(graph.pages.file.pageLimit < 400, 'and the file does not grow for ever');
});

test('flush rule 2 holds for a meta that may have been written by a flush that failed', () => {
  const disk = faultyStorage({ seed: 5 });
  let failing: 'no' | 'after' | 'before' = 'no';
  const storage = watched(disk, (position, _length, write) => {
    if (position > 4096 || failing === 'no') return write();
    if (failing === 'after') write();
    throw ioError('write', 'pages.db');
  });
  const graph = new Graph(cacheOf(createFile(storage), 300));
  graph.build(shape);
  flush(graph, 1);
  graph.writeValues(graph.descend([3, 3]).at(-1)!, [77]);
  (graph.model as unknown as { children: { children: { values: number[] }[] }[] }).children[3]!.children[3]!.values = [77];
  const attempted = copy(graph.model!);
  for (let again = 0; again < 2; again++) {
    // Two attempts, of which the first lies in the slot even after the second failed as well.
    failing = again === 0 ? 'after' : 'before';
    graph.writeValues(graph.descend([0, 0]).at(-1)!, graph.values(graph.descend([0, 0]).at(-1)!));
    const job = graph.pages.beginFlush(graph.frozen(2 + again));
    while (!job.step(7));
    assert.throws(() => job.finishNow(end), { code: 'IO_ERROR' });
    job.abort();
  }
  failing = 'no';
  // Whatever is written now, an attempted meta found after a crash is whole.
  for (let again = 0; again < 3; again++) {
    for (let i = 0; i < 10; i++) for (let k = 0; k < 10; k++) graph.writeValues(graph.descend([i, k]).at(-1)!, [again, i, k]);
    const job = graph.pages.beginFlush(graph.frozen(9));
    while (!job.step(7));
    job.abort();
    const found = openGraph(cacheOf(openFile(disk.fork()), 300));
    assert.equal(found.pages.file.meta.sequence, 2);
    found.check(attempted);
  }
});

test('flush rule 3: the meta names the commit of the freeze, and its tree is the one of the freeze', () => {
  const storage = memoryStorage();
  const graph = new Graph(cacheOf(createFile(storage), 300));
  graph.build({ ...shape, leaves: 200 });
  const frozen = graph.snapshot()!;
  const job = graph.pages.beginFlush(graph.frozen(5));
  let step = 0;
  while (!job.step(3)) {
    graph.writeValues(graph.descend([step % 2, (step * 7) % 10, (step * 3) % 10]).at(-1)!, [step]);
    step++;
  }
  assert.ok(step > 8 && graph.pages.counters.imagesSaved > 5, `${step} steps, ${graph.pages.counters.imagesSaved} images`);
  assert.equal(job.finishNow(end).commit, 5);
  openGraph(cacheOf(openFile(storage), 64)).check(frozen);
  const later = graph.pages.beginFlush(graph.frozen(6));
  while (!later.step(1000));
  later.finishNow(end);
});

test('a blocking finish takes over an asynchronous one that is under way', async () => {
  const storage = memoryStorage();
  const graph = new Graph(cacheOf(createFile(storage), 300));
  graph.build(shape);
  for (let round = 1; round < 4; round++) {
    const job = graph.pages.beginFlush(graph.frozen(round));
    while (!job.step(100));
    const slow = job.finish(end);
    for (let turn = 1; turn < round; turn++) await Promise.resolve();
    assert.ok(job.step(1), 'nothing is left to write');
    const meta = job.finishNow(end);
    graph.writeValues(graph.descend([round, round]).at(-1)!, [round]);
    assert.equal(await slow, meta);
    assert.equal(graph.pages.file.meta, meta);
    assert.equal(graph.pages.dirtyCount, 1);
  }
  const given = graph.pages.beginFlush(graph.frozen(9));
  while (!given.step(100));
  const slow = given.finish(end);
  given.abort();
  await assert.rejects(slow, { code: 'IO_ERROR' });
  assert.equal(openFile(storage).meta.commit, 3);
});

test('step() writes no more pages than it was given, and few more parents', () => {
  const graph = new Graph(cacheOf(createFile(memoryStorage()), 300));
  graph.build(shape);
  const job = graph.pages.beginFlush(graph.frozen(1));
  let before = 0;
  let isDone = false;
  while (!isDone) {
    isDone = job.step(5);
    assert.ok(job.pagesWritten - before <= 64);
    before = job.pagesWritten;
  }
  assert.equal(job.pagesWritten, 111);
  assert.equal(job.pagesLeft, 0);
  job.finishNow(end);
});

test('a leaf alone changes: only it and its ancestors are written', () => {
  const graph = new Graph(cacheOf(createFile(memoryStorage()), 300));
  graph.build(shape);
  flush(graph, 1);
  graph.writeValues(graph.descend([4, 4]).at(-1)!, [1]);
  const job = graph.pages.beginFlush(graph.frozen(2));
  while (!job.step(10));
  assert.equal(job.pagesWritten, 3);
  job.finishNow(end);
});

test('a big flush writes runs of at least 32 pages', () => {
  const graph = new Graph(cacheOf(createFile(memoryStorage()), 3000));
  graph.build({ ...shape, leaves: 2000, fanOut: 80 });
  graph.pages.reserveDisk(0);
  const job = graph.pages.beginFlush(graph.frozen(1));
  while (!job.step(200));
  const { pagesWritten, runsWritten } = graph.pages.counters;
  assert.ok(pagesWritten / runsWritten >= 32, `${pagesWritten} pages in ${runsWritten} runs`);
  job.finishNow(end);
});

test('a dirty page that no longer hangs in the tree stops the flush instead of being lost', () => {
  const graph = new Graph(cacheOf(createFile(memoryStorage()), 300));
  graph.build(shape);
  graph.pages.allocate(L.TYPE_LEAF, 0);
  const job = graph.pages.beginFlush(graph.frozen(1));
  assert.throws(() => job.step(1000), { code: 'INVARIANT' });
  job.abort();
});

test('onLeaf sees every dirty leaf before it is written; what it changes in the frame is on disk and in memory', () => {
  const storage = memoryStorage();
  const graph = new Graph(cacheOf(createFile(storage), 300));
  graph.build(shape);
  let live = 0;
  let saved = 0;
  const job = graph.pages.beginFlush({
    ...graph.frozen(1),
    onLeaf: (views, start, _lpn, isLive) => {
      if (isLive) live++;
      else saved++;
      if (!isLive) return;
      const record = start + views.u16[(start + L.PAGE_PREFIX + L.SLOT_RECORD) / 2]!;
      views.u32[(record + VALUE_AT) / 4] = 999;
    },
  });
  graph.writeValues(graph.descend([5, 5]).at(-1)!, [1, 2, 3]);
  while (!job.step(9));
  job.finishNow(end);
  assert.deepEqual([live, saved], [99, 1]);
  assert.equal(graph.values(graph.descend([1, 1]).at(-1)!)[0], 999);
  const again = openGraph(cacheOf(openFile(storage), 64));
  assert.equal(again.values(again.descend([1, 1]).at(-1)!)[0], 999);
  assert.deepEqual(again.values(again.descend([5, 5]).at(-1)!), [550, 551, 552, 553].slice(0, 4));
});

test('what free space in a page held before does not reach the disk', () => {
  const storage = memoryStorage();
  const graph = new Graph(cacheOf(createFile(storage), 16));
  graph.build({ leaves: 1, valuesPerLeaf: 3, fanOut: 2, value: () => 1 });
  const start = graph.pages.frameOf[graph.root]! * 4096;
  graph.pages.u8.fill(0xee, start + 200, start + 3000);
  flush(graph, 1);
  const bytes = new Uint8Array(4096);
  openFile(storage).readTreePage(bytes, 0, graph.pages.physicalOf(graph.root), graph.pages.file.meta.rootChecksum);
  assert.ok(bytes.subarray(200, 3000).every((byte) => byte === 0));
});

test('an empty tree, and one emptied again, can be flushed', () => {
  const storage = memoryStorage();
  const graph = new Graph(cacheOf(createFile(storage), 16));
  flush(graph, 1);
  graph.build({ leaves: 1, valuesPerLeaf: 3, fanOut: 2, value: () => 1 });
  flush(graph, 2);
  graph.pages.release(graph.root);
  graph.root = -1;
  graph.model = undefined;
  flush(graph, 3);
  assert.equal(openFile(storage).meta.rootPage, 0);
  flush(graph, 4);
  assert.equal(graph.pages.allocator.usedPages, 3, 'two metas and the bitmap');
});

test('a pinned meta keeps its pages through later flushes', () => {
  const storage = memoryStorage();
  const graph = new Graph(cacheOf(createFile(storage), 300));
  graph.build(shape);
  flush(graph, 1);
  const { meta } = graph.pages.file;
  const pinned = graph.snapshot()!;
  const pin = graph.pages.allocator.pin();
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 10; i++) for (let k = 0; k < 10; k++) graph.writeValues(graph.descend([i, k]).at(-1)!, [round, i, k]);
    flush(graph, 2 + round);
  }
  const old = new Graph(cacheOf(openFile(storage), 64));
  old.root = old.pages.adoptRoot(meta.rootPage, meta.rootChecksum, meta.height - 1);
  old.check(pinned);
  pin.release();
});
