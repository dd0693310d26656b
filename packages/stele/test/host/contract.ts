/**
 * The contract of the host seam: what every implementation keeps, as tests.
 *
 * posix (both sync styles), memory and faulty run all of it. A new host runs it before anything else.
 * Specification: spec/host.md.
 */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { SteleError } from '../../src/base/errors.ts';
import { readFully, writeAll, writeZeros } from '../../src/host/files.ts';
import type { Clock, Hashing, Random, Storage, Texts, ThreadContext, ThreadJob, Threads, Timers } from '../../src/host/host.ts';

/** One storage under test. */
export interface StorageUnderTest {
  readonly storage: Storage;
  /** Another storage on the same directory, as the next process would open it. The first was closed. */
  reopen(): Storage;
  /** Lets a promise of the storage settle, where time is virtual. */
  drive?<T>(work: Promise<T>): Promise<T>;
  dispose?(): void | Promise<void>;
}

/** Expects a SteleError of this kind and code. */
export function steleError(kind: string, code: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof SteleError, `not a SteleError: ${String(error)}`);
    assert.deepEqual([error.kind, error.code], [kind, code], error.message);
    return true;
  };
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const pattern = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at * 31 + seed * 7 + (at >> 8)) & 255);

/** Runs the storage contract against fresh storages from `make`. */
export function storageContract(name: string, make: () => StorageUnderTest | Promise<StorageUnderTest>): void {
  const scenario = (
    title: string,
    run: (storage: Storage, under: Required<Pick<StorageUnderTest, 'drive'>> & StorageUnderTest) => void | Promise<void>,
  ) =>
    test(title, async () => {
      const under = await make();
      try {
        await run(under.storage, { drive: (work) => work, ...under, reopen: () => under.reopen() });
      } finally {
        under.storage.close();
        await under.dispose?.();
      }
    });

  describe(`storage contract: ${name}`, () => {
    scenario('a fresh storage lists nothing and has a sync style', (storage) => {
      assert.deepEqual(storage.list(), []);
      assert.ok(storage.syncStyle === 'barrier' || storage.syncStyle === 'writeThrough');
    });

    scenario('open() refuses a missing file unless told to create it', (storage) => {
      assert.throws(() => storage.open('a.db'), steleError('invalid', 'NOT_FOUND'));
      assert.throws(() => storage.open('a.db', { readOnly: true }), steleError('invalid', 'NOT_FOUND'));
      assert.equal(storage.exists('a.db'), false);
      const file = storage.open('a.db', { create: true });
      assert.equal(file.name, 'a.db');
      assert.equal(file.size(), 0);
      assert.equal(storage.exists('a.db'), true);
      file.close();
    });

    scenario('names are flat and never those of the host', (storage) => {
      for (const bad of [
        '',
        '.',
        '..',
        '.hidden',
        '-x',
        'a/b',
        '../a',
        'a\\b',
        'A.db',
        'a b',
        'a\0',
        'ä',
        'a..b',
        'lock.db',
        'lock.owner',
        'x'.repeat(101),
      ]) {
        assert.throws(() => storage.open(bad, { create: true }), steleError('invalid', 'FILE_NAME'), bad);
        assert.throws(() => storage.remove(bad), steleError('invalid', 'FILE_NAME'), bad);
        assert.equal(storage.exists(bad), false);
      }
      storage.open('log-000001.seg', { create: true }).close();
      assert.deepEqual(storage.list(), ['log-000001.seg']);
    });

    scenario('list() is sorted and remove() of a missing file is no error', (storage) => {
      for (const each of ['b', 'c', 'a']) storage.open(each, { create: true }).close();
      storage.remove('b');
      storage.remove('b');
      assert.deepEqual(storage.list(), ['a', 'c']);
      storage.syncDirectory();
    });

    scenario('read() returns what write() wrote, at any position and buffer offset', (storage) => {
      const file = storage.open('f', { create: true });
      const data = pattern(20_000, 3);
      assert.equal(file.write(data, 100, 15_000, 777), 15_000);
      assert.equal(file.size(), 15_777);
      const target = new Uint8Array(16_000).fill(9);
      assert.equal(file.read(target, 10, 15_000, 777), 15_000);
      assert.deepEqual(target.subarray(10, 15_010), data.subarray(100, 15_100));
      assert.deepEqual([target[9], target[15_010]], [9, 9]);
      file.close();
    });

    scenario('read() is short only at the end of the file', (storage) => {
      const file = storage.open('f', { create: true });
      file.write(bytesOf('hello'), 0, 5, 0);
      const target = new Uint8Array(10);
      assert.equal(file.read(target, 0, 10, 2), 3);
      assert.equal(file.read(target, 0, 10, 5), 0);
      assert.equal(file.read(target, 0, 10, 5000), 0);
      assert.equal(file.read(target, 0, 0, 0), 0);
      file.close();
    });

    scenario('a gap before a write reads as zeros, also beyond 4 GiB', (storage) => {
      const file = storage.open('f', { create: true });
      const position = 2 ** 32 + 12_345;
      file.write(bytesOf('far'), 0, 3, position);
      assert.equal(file.size(), position + 3);
      const target = new Uint8Array(10).fill(1);
      assert.equal(file.read(target, 0, 10, position - 7), 10);
      assert.deepEqual([...target], [0, 0, 0, 0, 0, 0, 0, ...bytesOf('far')]);
      file.close();
    });

    scenario('truncate() cuts and grows with zeros', (storage) => {
      const file = storage.open('f', { create: true });
      file.write(pattern(9000, 1), 0, 9000, 0);
      file.truncate(5000);
      assert.equal(file.size(), 5000);
      file.truncate(10_000);
      const target = new Uint8Array(10_000).fill(1);
      assert.equal(file.read(target, 0, 10_000, 0), 10_000);
      assert.deepEqual(target.subarray(0, 5000), pattern(9000, 1).subarray(0, 5000));
      assert.ok(target.subarray(5000).every((byte) => byte === 0));
      file.sync();
      file.truncate(0);
      file.sync();
      assert.equal(file.size(), 0);
      file.close();
    });

    scenario('overlapping writes: the last one wins, before and after a sync', (storage) => {
      const file = storage.open('f', { create: true });
      file.write(bytesOf('aaaaaaaa'), 0, 8, 0);
      file.sync();
      file.write(bytesOf('bbbb'), 0, 4, 2);
      file.write(bytesOf('cc'), 0, 2, 4);
      file.sync();
      const target = new Uint8Array(8);
      file.read(target, 0, 8, 0);
      assert.equal(new TextDecoder().decode(target), 'aabbccaa');
      file.close();
    });

    scenario('shared memory serves as source and target', (storage) => {
      const file = storage.open('f', { create: true });
      const source = new Uint8Array(new SharedArrayBuffer(100)).fill(5);
      file.write(source, 10, 50, 0);
      const target = new Uint8Array(new SharedArrayBuffer(100));
      assert.equal(file.read(target, 20, 50, 0), 50);
      assert.deepEqual([target[19], target[20], target[69], target[70]], [0, 5, 5, 0]);
      file.close();
    });

    scenario('readAsync() gives what read() gives', async (storage, { drive }) => {
      const file = storage.open('f', { create: true });
      file.write(pattern(5000, 2), 0, 5000, 0);
      const target = new Uint8Array(6000);
      assert.equal(await drive(file.readAsync(target, 500, 5500, 100)), 4900);
      assert.deepEqual(target.subarray(500, 5400), pattern(5000, 2).subarray(100));
      file.close();
    });

    scenario('syncAsync() settles in order, with writes and blocking syncs between', async (storage, { drive }) => {
      const file = storage.open('f', { create: true });
      const order: number[] = [];
      const waits: Promise<unknown>[] = [];
      for (let turn = 0; turn < 30; turn++) {
        file.write(pattern(700, turn), 0, 700, turn * 350);
        waits.push(file.syncAsync().then(() => order.push(turn)));
        if (turn % 7 === 3) file.sync();
        if (turn % 5 === 0) await drive(waits.at(-1)!);
        if (turn % 11 === 0) file.truncate(file.size() + 10);
      }
      await drive(Promise.all(waits));
      assert.deepEqual(
        order,
        Array.from({ length: 30 }, (_, turn) => turn),
      );
      const target = new Uint8Array(350);
      for (let turn = 0; turn < 30; turn++) {
        assert.equal(file.read(target, 0, 350, turn * 350), 350);
        assert.deepEqual(target, pattern(700, turn).subarray(0, 350), `turn ${turn}`);
      }
      file.close();
    });

    scenario('a closed file refuses everything but close()', async (storage) => {
      const file = storage.open('f', { create: true });
      file.close();
      file.close();
      const isClosed = steleError('closed', 'CLOSED');
      assert.throws(() => file.read(new Uint8Array(1), 0, 1, 0), isClosed);
      assert.throws(() => file.write(new Uint8Array(1), 0, 1, 0), isClosed);
      assert.throws(() => file.sync(), isClosed);
      assert.throws(() => file.size(), isClosed);
      assert.throws(() => file.truncate(0), isClosed);
      await assert.rejects(file.syncAsync(), isClosed);
      await assert.rejects(file.readAsync(new Uint8Array(1), 0, 1, 0), isClosed);
    });

    scenario('close() lets syncs and reads in flight settle', async (storage, { drive }) => {
      const warm = storage.open('warm', { create: true });
      await drive(warm.syncAsync());
      const file = storage.open('f', { create: true });
      file.write(bytesOf('data'), 0, 4, 0);
      const target = new Uint8Array(4);
      const work = Promise.all([file.syncAsync(), file.readAsync(target, 0, 4, 0), file.syncAsync()]);
      file.close();
      // A descriptor number freed too early would be taken by this one.
      const next = storage.open('next', { create: true });
      assert.equal((await drive(work))[1], 4);
      assert.deepEqual(target, bytesOf('data'));
      next.close();
      warm.close();
    });

    scenario('a read-only handle refuses changes', (storage) => {
      storage.open('f', { create: true }).close();
      const file = storage.open('f', { readOnly: true });
      assert.throws(() => file.write(new Uint8Array(1), 0, 1, 0), steleError('denied', 'PERMISSION'));
      assert.throws(() => file.truncate(5), steleError('denied', 'PERMISSION'));
      assert.equal(file.read(new Uint8Array(1), 0, 1, 0), 0);
      file.close();
    });

    scenario('two handles of one file see each other; a removed file stays readable by its handle', (storage) => {
      const one = storage.open('f', { create: true });
      const two = storage.open('f');
      one.write(bytesOf('x'), 0, 1, 0);
      const target = new Uint8Array(1);
      assert.equal(two.read(target, 0, 1, 0), 1);
      storage.remove('f');
      assert.equal(storage.exists('f'), false);
      assert.equal(two.read(target, 0, 1, 0), 1);
      const fresh = storage.open('f', { create: true });
      assert.equal(fresh.size(), 0);
      for (const file of [one, two, fresh]) file.close();
    });

    scenario('markUnsynced() is taken in by the next sync', (storage) => {
      const file = storage.open('f', { create: true });
      file.write(pattern(100, 1), 0, 100, 0);
      file.sync();
      file.markUnsynced(10, 500);
      file.sync();
      const target = new Uint8Array(200);
      assert.equal(file.read(target, 0, 200, 0), 100);
      assert.deepEqual(target.subarray(0, 100), pattern(100, 1));
      file.close();
    });

    scenario('writeAll(), readFully() and writeZeros() move everything', (storage) => {
      const file = storage.open('f', { create: true });
      writeAll(file, pattern(3000, 5), 0, 3000, 10);
      writeZeros(file, 20, 600_000);
      const target = new Uint8Array(40);
      assert.equal(readFully(file, target, 0, 40, 10), 40);
      assert.deepEqual(target.subarray(0, 10), pattern(3000, 5).subarray(0, 10));
      assert.ok(target.subarray(10).every((byte) => byte === 0));
      assert.equal(file.size(), 600_020);
      file.close();
    });

    scenario('contents survive closing and reopening', (storage, { reopen }) => {
      const file = storage.open('f', { create: true });
      file.write(bytesOf('kept'), 0, 4, 0);
      file.sync();
      storage.syncDirectory();
      file.close();
      storage.close();
      const again = reopen();
      assert.deepEqual(again.list(), ['f']);
      const back = again.open('f', { readOnly: true });
      const target = new Uint8Array(4);
      assert.equal(back.read(target, 0, 4, 0), 4);
      assert.deepEqual(target, bytesOf('kept'));
      back.close();
      again.close();
    });

    scenario('lock() has one exclusive holder or many shared ones', (storage) => {
      const first = storage.lock({ shared: true });
      const second = storage.lock({ shared: true });
      assert.throws(() => storage.lock(), steleError('unavailable', 'LOCKED'), 'a writer beside two readers');
      first.release();
      first.release();
      assert.throws(() => storage.lock(), steleError('unavailable', 'LOCKED'), 'a writer beside one reader');
      second.release();
      const writer = storage.lock();
      assert.throws(() => storage.lock({ shared: true }), steleError('unavailable', 'LOCKED'), 'a reader beside a writer');
      writer.release();
      storage.lock({ shared: true }).release();
      storage.lock().release();
      assert.deepEqual(storage.list(), []);
    });

    scenario('lock() has one holder, says so, and is free after release() and after close()', (storage, { reopen }) => {
      const lock = storage.lock();
      assert.throws(() => storage.lock(), steleError('unavailable', 'LOCKED'));
      assert.deepEqual(storage.list(), []);
      lock.release();
      lock.release();
      storage.lock();
      lock.release();
      assert.throws(() => storage.lock(), steleError('unavailable', 'LOCKED'), 'an old release must not free a new lock');
      storage.close();
      const again = reopen();
      again.lock().release();
      again.close();
    });
  });
}

/** Clock: integers, and a monotonic one that does not go back. */
export function clockContract(name: string, make: () => Clock): void {
  test(`clock contract: ${name}: wall time is an integer, monotonic time never goes back`, () => {
    const clock = make();
    assert.ok(Number.isInteger(clock.nowMs()));
    for (let i = 0, last = clock.monotonicMs(); i < 1000; i++) {
      const now = clock.monotonicMs();
      assert.ok(now >= last);
      last = now;
    }
  });
}

/** Random: fills all of any target, differently each time. */
export function randomContract(name: string, make: () => Random): void {
  test(`random contract: ${name}: fill() fills all of the target, and differently each time`, () => {
    const random = make();
    for (const length of [0, 1, 16, 500, 8192, 70_000]) {
      const one = new Uint8Array(length);
      const two = new Uint8Array(new SharedArrayBuffer(length));
      random.fill(one);
      random.fill(two);
      if (length < 16) continue;
      assert.notDeepEqual(one, two);
      assert.ok(one.subarray(-16).some((byte) => byte !== 0));
      assert.ok(new Set(one).size > Math.min(length, 200) / 2);
    }
  });
}

/** Timers: three ways of later, in order, cancellable. */
export function timersContract(name: string, make: () => { timers: Timers; drive?<T>(work: Promise<T>): Promise<T> }): void {
  describe(`timers contract: ${name}`, () => {
    test('microtasks run before immediates, immediates in order', async () => {
      const { timers, drive = (work) => work } = make();
      const seen: string[] = [];
      await drive(
        new Promise<void>((resolve) => {
          timers.immediate(() => seen.push('immediate 1'));
          timers.immediate(() => resolve());
          timers.microtask(() => seen.push('microtask'));
          seen.push('now');
        }),
      );
      assert.deepEqual(seen, ['now', 'microtask', 'immediate 1']);
    });

    test('after() runs in order of time, and not when cancelled', async () => {
      const { timers, drive = (work) => work } = make();
      const seen: string[] = [];
      await drive(
        new Promise<void>((resolve) => {
          timers.after(60, false, () => resolve());
          timers.after(30, true, () => seen.push('second'));
          timers.after(1, false, () => seen.push('first'));
          const never = timers.after(5, false, () => seen.push('cancelled'));
          never.cancel();
          never.cancel();
        }),
      );
      assert.deepEqual(seen, ['first', 'second']);
    });

    test('a delay of 100 days does not fire at once', async () => {
      const { timers, drive = (work) => work } = make();
      let isFired = false;
      const timer = timers.after(100 * 86_400_000, true, () => {
        isFired = true;
      });
      await drive(new Promise<void>((resolve) => timers.after(10, false, resolve)));
      assert.equal(isFired, false);
      timer.cancel();
    });
  });
}

/** Hashing: the published algorithms, on any range, on shared memory. */
export function hashingContract(name: string, make: () => Hashing): void {
  describe(`hashing contract: ${name}`, () => {
    test('sha256() and sha256Into() agree with the standard at every length around a block', () => {
      const hashing = make();
      const bytes = new Uint8Array(new SharedArrayBuffer(400));
      bytes.set(pattern(400, 9));
      const plain = Uint8Array.from(bytes);
      for (let length = 0; length <= 200; length++) {
        const start = length % 7;
        const expected = Uint8Array.from(
          createHash('sha256')
            .update(plain.subarray(start, start + length))
            .digest(),
        );
        assert.deepEqual(hashing.sha256(bytes, start, start + length), expected);
        const target = new Uint8Array(new SharedArrayBuffer(40)).fill(1);
        hashing.sha256Into(bytes, start, start + length, target, 4);
        assert.deepEqual(Uint8Array.from(target), Uint8Array.of(1, 1, 1, 1, ...expected, 1, 1, 1, 1));
      }
      assert.deepEqual(hashing.sha256(new Uint8Array(0)).length, 32);
    });

    test('sha256Into() may write over its own source', () => {
      const hashing = make();
      const bytes = pattern(64, 1);
      const expected = hashing.sha256(bytes);
      hashing.sha256Into(bytes, 0, 64, bytes, 16);
      assert.deepEqual(bytes.subarray(16, 48), expected);
    });

    test('crc32() agrees with zlib, continues from a seed, and is unsigned', () => {
      const hashing = make();
      const bytes = pattern(5000, 4);
      for (const [start, end] of [
        [0, 0],
        [0, 1],
        [3, 20],
        [0, 5000],
        [17, 4444],
      ] as const) {
        assert.equal(hashing.crc32(bytes, start, end, 0), crc32(bytes.subarray(start, end)));
        assert.equal(hashing.crc32(bytes, start, end, 0xdeadbeef), crc32(bytes.subarray(start, end), 0xdeadbeef));
      }
    });
  });
}

/** Texts: the same strings and bytes in every host, on shared memory. */
export function textsContract(name: string, make: () => Texts): void {
  const shared = (bytes: ArrayLike<number>): Uint8Array => {
    const array = new Uint8Array(new SharedArrayBuffer(bytes.length));
    array.set(bytes);
    return array;
  };

  describe(`texts contract: ${name}`, () => {
    test('latin1() gives a character for each byte, at every length and far beyond', () => {
      const texts = make();
      const bytes = shared(pattern(20_000, 5));
      for (const length of [...Array(70).keys(), 4095, 4096, 4097, 15_000]) {
        const text = texts.latin1(bytes, 3, 3 + length);
        assert.equal(text.length, length);
        for (let i = 0; i < length; i++) assert.equal(text.charCodeAt(i), bytes[3 + i]);
      }
    });

    test('utf8() reads what writeUtf8() writes, and writes nothing else', () => {
      const texts = make();
      for (const text of [
        '',
        'a',
        'plain text',
        '\0',
        'é',
        '\u07ff\u0800\uffff',
        '😀',
        'a😀é\ufffd€',
        'ab€'.repeat(5000),
        '\u{10ffff}\ud7ff\ue000',
      ]) {
        const expected = bytesOf(text);
        const target = shared(new Uint8Array(expected.length + 9).fill(1));
        assert.equal(texts.writeUtf8(text, target, 4), expected.length);
        assert.deepEqual(Uint8Array.from(target), Uint8Array.of(1, 1, 1, 1, ...expected, 1, 1, 1, 1, 1));
        assert.equal(texts.utf8(target, 4, 4 + expected.length), text);
      }
    });

    test('writeUtf8() writes a lone surrogate as U+FFFD', () => {
      const texts = make();
      for (const text of ['\ud800', 'a\udc00b', '\ud83d\ud83d\ude00', '\udfff'.repeat(40)]) {
        const target = new Uint8Array(3 * text.length);
        const length = texts.writeUtf8(text, target, 0);
        assert.deepEqual(target.slice(0, length), bytesOf(text));
      }
    });

    test('utf8() replaces what is ill-formed as the standard says', () => {
      const texts = make();
      const standard = new TextDecoder('utf-8', { ignoreBOM: true });
      const parts = [
        [0x41],
        [0x80],
        [0xc0, 0xaf],
        [0xc3],
        [0xc3, 0xa9],
        [0xe0, 0x80],
        [0xe2, 0x82],
        [0xe2, 0x82, 0xac],
        [0xed, 0xa0, 0x80],
      ];
      parts.push(
        [0xf0, 0x9f, 0x98],
        [0xf0, 0x9f, 0x98, 0x80],
        [0xf0, 0x80, 0x80, 0x80],
        [0xf4, 0x90, 0x80, 0x80],
        [0xf5],
        [0xff],
        [0xef, 0xbb, 0xbf],
      );
      for (const first of parts)
        for (const second of parts)
          for (const third of parts) {
            const bytes = Uint8Array.from([...first, ...second, ...third]);
            assert.equal(texts.utf8(shared(bytes), 0, bytes.length), standard.decode(bytes), Buffer.from(bytes).toString('hex'));
          }
    });
  });
}

/** For {@link threadsContract}: what this module exports as a job. */
export async function run(
  input: { fail?: 'stele' | 'plain'; untilCancelled?: boolean; file?: string },
  context: ThreadContext,
): Promise<unknown> {
  if (input.fail === 'stele') throw new SteleError('corrupt', 'LOG_DAMAGED', 'as asked', { detail: { segment: 7 } });
  if (input.fail === 'plain') throw new RangeError('as asked');
  while (input.untilCancelled === true && !context.cancelled()) await context.yield();
  if (input.file === undefined) return { cancelled: context.cancelled() };
  const file = context.storage.open(input.file, { create: true });
  file.write(bytesOf('job'), 0, 3, 0);
  file.sync();
  const size = file.size();
  file.close();
  return { size, hash: context.hashing.sha256(bytesOf('job')) };
}

/** Threads: jobs reach the storage, give results, errors and cancellation. */
export function threadsContract(
  name: string,
  make: () => { threads: Threads; storage: Storage; drive?<T>(work: Promise<T>): Promise<T>; dispose?(): void },
): void {
  const job: ThreadJob<Parameters<typeof run>[0], unknown> = { module: import.meta.url, run };

  describe(`threads contract: ${name}`, () => {
    test('a job reads and writes the storage of its database and returns its result', async () => {
      const { threads, storage, drive = (work) => work, dispose } = make();
      const result = await drive(threads.run(job, { file: 'job.dat' }));
      assert.deepEqual(result, { size: 3, hash: Uint8Array.from(createHash('sha256').update('job').digest()) });
      assert.deepEqual(storage.list(), ['job.dat']);
      await drive(threads.close());
      storage.close();
      dispose?.();
    });

    test('a job that fails rejects with its own error', async () => {
      const { threads, storage, drive = (work) => work, dispose } = make();
      await assert.rejects(drive(threads.run(job, { fail: 'stele' })), (error: unknown) => {
        assert.ok(error instanceof SteleError);
        assert.deepEqual([error.kind, error.code, error.message, error.detail['segment']], ['corrupt', 'LOG_DAMAGED', 'as asked', 7]);
        return true;
      });
      await assert.rejects(drive(threads.run(job, { fail: 'plain' })), RangeError);
      await drive(threads.close());
      storage.close();
      dispose?.();
    });

    test('a job sees its signal, and close() stops running jobs and refuses new ones', async () => {
      const { threads, storage, drive = (work) => work, dispose } = make();
      const signal = { aborted: false };
      const one = threads.run(job, { untilCancelled: true }, { signal });
      const two = threads.run(job, { untilCancelled: true }, { background: true });
      signal.aborted = true;
      assert.deepEqual(await drive(one), { cancelled: true });
      await drive(threads.close());
      assert.deepEqual(await drive(two), { cancelled: true });
      await assert.rejects(drive(threads.run(job, {})), steleError('closed', 'CLOSED'));
      storage.close();
      dispose?.();
    });
  });
}
