import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../test/model/random.ts';
import { checkReopened, Driver } from '../../test/pager/driver.ts';
import { cacheOf, createFile, openFile } from '../../test/pager/fixtures.ts';
import { Graph, openGraph } from '../../test/pager/graph.ts';
import { SteleError } from '../base/errors.ts';
import type { MemoryStorage } from '../host/memory/storage.ts';
import { memoryStorage } from '../host/memory/storage.ts';

const end = { durableSegment: 1, durableOffset: 300 };

function flip(storage: MemoryStorage, position: number, bit: number): void {
  const file = storage.open('pages.db');
  const byte = new Uint8Array(1);
  file.read(byte, 0, 1, position);
  byte[0] = byte[0]! ^ (1 << bit);
  file.write(byte, 0, 1, position);
  file.close();
}

test('a flipped bit in any region of any page in use is found, and names the page', () => {
  const storage = memoryStorage();
  const random = new SeededRandom(21);
  const driver = new Driver(cacheOf(createFile(storage), 96), random);
  for (let i = 0; i < 120; i++) driver.change();
  driver.changeLarge();
  driver.flushAll();
  const { sequence, blobs } = driver.pages.file.meta;
  const snapshot = driver.snapshots.get(sequence)!;
  const { allocator } = driver.pages;
  let pages = 0;
  for (let page = 2; page < driver.pages.file.pageLimit; page++) {
    if (!allocator.isUsed(page)) continue;
    // Each part of the header, the slots, the free space, the heap, the last byte.
    for (const offset of [
      0,
      3,
      4,
      6,
      7,
      8,
      12,
      14,
      16,
      18,
      20,
      24,
      30,
      32,
      79,
      80,
      84,
      90,
      1000,
      2000,
      3000,
      4000,
      4095,
      random.below(4096),
    ]) {
      const bit = random.below(8);
      flip(storage, page * 4096 + offset, bit);
      const isRun = snapshot.large.some(({ run }) => page >= run.firstPage && page < run.firstPage + run.pages);
      if (!isRun) {
        assert.throws(
          () => checkReopened(cacheOf(openFile(storage), 64), snapshot, random),
          (error) =>
            error instanceof SteleError &&
            error.kind === 'corrupt' &&
            error.code === 'PAGE_CHECKSUM' &&
            error.detail['pageId'] === page &&
            error.detail['byteOffset'] === page * 4096,
          `page ${page}, byte ${offset}`,
        );
      }
      flip(storage, page * 4096 + offset, bit);
    }
    pages++;
  }
  assert.ok(pages > 10 && blobs[0]!.pages > 0);
  checkReopened(cacheOf(openFile(storage), 64), snapshot, random);
});

test('an older state of a page at its place is found by the checksum its parent names', () => {
  const storage = memoryStorage();
  const graph = new Graph(cacheOf(createFile(storage), 300));
  graph.build({ leaves: 5, valuesPerLeaf: 3, fanOut: 5, value: (leaf) => leaf });
  const flush = (commit: number): void => {
    const job = graph.pages.beginFlush(graph.frozen(commit));
    while (!job.step(10));
    job.finishNow(end);
  };
  flush(1);
  const raw = storage.open('pages.db');
  // Every state every page ever had; a lost write leaves one of them.
  const states: { page: number; bytes: Uint8Array }[] = [];
  for (let round = 2; round < 8; round++) {
    for (let leaf = 0; leaf < 5; leaf++) {
      const page = graph.pages.physicalOf(graph.descend([leaf]).at(-1)!);
      const bytes = new Uint8Array(4096);
      raw.read(bytes, 0, 4096, page * 4096);
      states.push({ page, bytes });
      graph.writeValues(graph.descend([leaf]).at(-1)!, [round, leaf]);
    }
    flush(round);
  }
  let reverted = 0;
  for (let leaf = 0; leaf < 5; leaf++) {
    const page = graph.pages.physicalOf(graph.descend([leaf]).at(-1)!);
    const older = states.find((state) => state.page === page);
    if (older === undefined) continue;
    raw.write(older.bytes, 0, 4096, page * 4096);
    const again = openGraph(cacheOf(openFile(storage), 32));
    assert.throws(() => again.descend([leaf]), { kind: 'corrupt', code: 'PAGE_CHECKSUM' });
    reverted++;
  }
  assert.ok(reverted > 2, `${reverted} pages`);
});

test('a page of another place, and a file that ends early, are found', () => {
  const storage = memoryStorage();
  const graph = new Graph(cacheOf(createFile(storage), 300));
  graph.build({ leaves: 5, valuesPerLeaf: 3, fanOut: 5, value: (leaf) => leaf });
  const job = graph.pages.beginFlush(graph.frozen(1));
  while (!job.step(10));
  job.finishNow(end);
  const raw = storage.open('pages.db');
  const [one, two] = [0, 1].map((leaf) => graph.pages.physicalOf(graph.descend([leaf]).at(-1)!));
  const bytes = new Uint8Array(4096);
  raw.read(bytes, 0, 4096, one! * 4096);
  raw.write(bytes, 0, 4096, two! * 4096);
  const again = openGraph(cacheOf(openFile(storage), 32));
  assert.throws(
    () => again.descend([1]),
    (error) => error instanceof SteleError && error.code === 'PAGE_CHECKSUM' && error.detail['pageId'] === two,
  );
  again.descend([0]);
  raw.truncate(two! * 4096 + 100);
  assert.throws(() => again.descend([1]), { code: 'PAGE_CHECKSUM' });
});

test('a sealed page whose structure is out of bounds is PAGE_INVALID, and the cache goes on', () => {
  const storage = memoryStorage();
  const graph = new Graph(cacheOf(createFile(storage), 300));
  graph.build({ leaves: 5, valuesPerLeaf: 3, fanOut: 5, value: (leaf) => leaf });
  const frame = graph.pages.frameOf[graph.descend([2]).at(-1)!]!;
  graph.pages.u16[(frame * 4096 + 14) / 2] = 4095;
  const job = graph.pages.beginFlush(graph.frozen(1));
  while (!job.step(10));
  job.finishNow(end);
  const again = openGraph(cacheOf(openFile(storage), 32));
  const free = again.pages.frames.freeCount;
  for (let i = 0; i < 3; i++) assert.throws(() => again.descend([2]), { kind: 'corrupt', code: 'PAGE_INVALID' });
  assert.equal(again.pages.frames.freeCount, free - 1);
  assert.deepEqual(again.values(again.descend([3]).at(-1)!), [3, 3, 3]);
});

test('a damaged bitmap stops writing with a typed error, and reading goes on', () => {
  const storage = memoryStorage();
  const graph = new Graph(cacheOf(createFile(storage), 300));
  graph.build({ leaves: 5, valuesPerLeaf: 3, fanOut: 5, value: (leaf) => leaf });
  const job = graph.pages.beginFlush(graph.frozen(1));
  while (!job.step(10));
  const meta = job.finishNow(end);
  flip(storage, meta.blobs[0]!.firstPage * 4096 + 80, 2);
  const again = openGraph(cacheOf(openFile(storage), 32));
  again.check(graph.model);
  assert.throws(() => again.pages.reserveDisk(1), { kind: 'corrupt', code: 'PAGE_CHECKSUM' });
  assert.throws(() => again.pages.beginFlush(graph.frozen(2)), { kind: 'corrupt', code: 'PAGE_CHECKSUM' });
  assert.equal(again.pages.isFlushing, false);
});
