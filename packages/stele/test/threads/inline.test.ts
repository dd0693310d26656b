/**
 * Reading threads without threads: the same reader, on the owner's own thread and over memory storage.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SteleError } from '../../src/base/errors.ts';
import { memoryHost } from '../../src/host/memory/host.ts';
import { memoryStorage } from '../../src/host/memory/storage.ts';
import { openEngineSync } from '../../src/txn/engine.ts';
import { attachEngine } from '../../src/txn/threads/attach.ts';
import type { Engine } from '../../src/txn/types.ts';

const text = new TextEncoder();
const key = (n: number): Uint8Array => text.encode(`\x02k/${String(n).padStart(6, '0')}`);
const value = (n: number, salt = 0): Uint8Array => text.encode(`value ${n} ${salt} `.repeat(4));
const show = (bytes: Uint8Array | undefined): string | undefined => (bytes === undefined ? undefined : new TextDecoder().decode(bytes));

function setUp(options: { historyRetention?: number; cacheMemory?: number } = {}) {
  const host = memoryHost();
  const engine = openEngineSync({ host, cacheMemory: 1024 * 1024, segmentBytes: 64 * 1024, durability: 'async', ...options });
  return { host, engine };
}

function fill(engine: Engine, from: number, to: number, salt = 0): void {
  for (let n = from; n < to; n++) engine.putSync(key(n), value(n, salt));
}

test('a reader sees what the owner wrote, key by key and in order', async () => {
  const { host, engine } = setUp();
  fill(engine, 0, 3000);
  using reader = attachEngine(engine.share(), { host });
  fill(engine, 3000, 6000, 1);
  for (let n = 0; n < 7000; n += 7) assert.equal(show(reader.get(key(n))), show(engine.get(key(n))));
  assert.equal(reader.version, engine.version);
  assert.equal(reader.count(), 6000);
  assert.equal(reader.count({ start: key(10), end: key(4000) }), 3990);
  const all = [...reader.scan()].map((entry) => show(entry.key));
  assert.deepEqual(
    all,
    [...engine.scan()].map((entry) => show(entry.key)),
  );
  const walk = reader.walk({ values: false }, (bytes, keyBytes) => show(bytes.slice(0, keyBytes)));
  walk.skipTo(key(100), key(100).length);
  assert.equal(walk.next().value, show(key(100)));
  walk.skipTo(key(2000), key(2000).length);
  assert.deepEqual([walk.next().value, walk.next().value], [show(key(2000)), show(key(2001))]);
  const downwards = reader.walk({ reverse: true }, (bytes, keyBytes) => show(bytes.slice(0, keyBytes)));
  downwards.skipTo(key(2500), key(2500).length);
  assert.deepEqual([downwards.next().value, downwards.next().value], [show(key(2499)), show(key(2498))]);
  const back = [...reader.scan({ reverse: true, start: key(2990), end: key(3010) })].map((entry) => show(entry.key));
  assert.deepEqual(
    back,
    [...engine.scan({ reverse: true, start: key(2990), end: key(3010) })].map((entry) => show(entry.key)),
  );
  assert.equal(show(reader.first()?.key), show(key(0)));
  assert.equal(show(reader.last()?.key), show(key(5999)));
  assert.equal(show(reader.nth({ start: key(5) }, 10)?.key), show(key(15)));
  assert.deepEqual(reader.getMany([key(1), key(9999)]).map(show), [show(value(1)), undefined]);
  assert.equal(reader.has(key(9999)), false);
  assert.equal(reader.entry(key(3))?.version, 4);
  assert.ok(reader.counters.storedPages > 0 || engine.stats()['pages']!['evictions'] === 0, 'pages not in memory are read from the file');
  await engine.close();
  assert.throws(() => reader.get(key(1)), { code: 'DATABASE_CLOSED' });
});

for (const historyRetention of [0, Number.POSITIVE_INFINITY]) {
  test(`a view is repeatable while everything is overwritten and deleted, history ${historyRetention}`, async () => {
    const { host, engine } = setUp({ historyRetention });
    fill(engine, 0, 2000);
    using reader = attachEngine(engine.share(), { host });
    const view = reader.snapshot();
    const before = [...view.scan()].map((entry) => `${show(entry.key)}=${show(entry.value)}`);
    assert.equal(before.length, 2000);
    for (let round = 1; round < 12; round++) {
      fill(engine, 0, 500, round);
      for (let n = 500; n < 1500; n++) engine.deleteSync(key(n));
      for (let n = 500; n < 900; n++) engine.putSync(key(n), value(n, round));
      await engine.flush();
      await engine.compact();
      assert.deepEqual(
        [...view.scan()].map((entry) => `${show(entry.key)}=${show(entry.value)}`),
        before,
      );
      assert.equal(view.count(), 2000);
      for (let n = 0; n < 2000; n += 13) assert.equal(show(view.get(key(n))), show(value(n)));
      assert.equal(reader.count(), engine.count());
    }
    assert.ok(reader.counters.oldVersions > 0);
    view.close();
    assert.throws(() => view.get(key(1)), { code: 'VIEW_CLOSED' });
    await engine.close();
  });
}

test('large values are read from the log and from overflow pages', async () => {
  const { host, engine } = setUp({ historyRetention: 0 });
  const large = (n: number): Uint8Array => new Uint8Array(50_000).fill(n);
  using reader = attachEngine(engine.share(), { host });
  for (let n = 0; n < 10; n++) engine.putSync(key(n), large(n));
  for (let n = 0; n < 10; n++) assert.deepEqual(reader.get(key(n)), large(n));
  await engine.flush();
  const view = reader.snapshot();
  for (let n = 0; n < 10; n++) assert.deepEqual(reader.get(key(n)), large(n));
  for (let n = 0; n < 10; n++) engine.putSync(key(n), large(n + 100));
  for (let round = 0; round < 4; round++) {
    fill(engine, 100, 1000, round);
    await engine.flush();
  }
  for (let n = 0; n < 10; n++) assert.deepEqual(view.get(key(n)), large(n));
  for (let n = 0; n < 10; n++) assert.deepEqual(reader.get(key(n)), large(n + 100));
  assert.ok(reader.counters.largeValues > 0);
  await engine.close();
});

test('a thread cannot write, and sharing can be ended', async () => {
  const { host, engine } = setUp();
  fill(engine, 0, 10);
  const reader = attachEngine(engine.share(), { host });
  assert.throws(() => reader.put(), { kind: 'denied', code: 'READ_ONLY' });
  engine.unshare();
  assert.throws(() => reader.get(key(1)), { code: 'DATABASE_CLOSED' });
  reader.close();
  fill(engine, 0, 10, 1);
  using again = attachEngine(engine.share(), { host });
  assert.equal(show(again.get(key(1))), show(value(1, 1)));
  await engine.close();
});

test('what is superseded before it was written, or carried, can be read at once', async () => {
  const { host, engine } = setUp({ historyRetention: 0 });
  fill(engine, 0, 400);
  using reader = attachEngine(engine.share(), { host });
  const view = reader.snapshot();
  const promises: Promise<unknown>[] = [];
  for (let salt = 1; salt < 40; salt++) {
    promises.push(engine.put(key(7), value(7, salt)));
    // Not written yet, so not visible: a thread sees the one before, unless its record had to be written at once.
    assert.equal(show(reader.get(key(7))), show(value(7, reader.version === engine.version ? salt : salt - 1)));
    assert.equal(show(view.get(key(7))), show(value(7)));
  }
  view.close();
  await Promise.all(promises);
  // Enough to let the first segments go, so that what is overwritten now must be carried.
  for (let round = 0; round < 6; round++) {
    fill(engine, 100, 400, round);
    await engine.flush();
    await engine.compact();
  }
  const carried = Number(engine.stats()['commits']!['carried']);
  for (let n = 20; n < 60; n++) {
    promises.push(engine.put(key(n), value(n, 1)));
    const seen = show(reader.get(key(n)));
    assert.ok(seen === show(value(n)) || seen === show(value(n, 1)), seen);
  }
  assert.ok(Number(engine.stats()['commits']!['carried']) > carried, 'versions were carried');
  await Promise.all(promises);
  await engine.close();
});

test('a registration nobody uses is expired, and its views say so', async () => {
  const base = memoryHost();
  let monotonic = 1000;
  const host = { ...base, clock: { nowMs: () => base.clock.nowMs(), monotonicMs: () => monotonic } };
  const engine = openEngineSync({ host, cacheMemory: 1024 * 1024, durability: 'async', historyRetention: 0, viewIdleMs: 1000 });
  fill(engine, 0, 10);
  using reader = attachEngine(engine.share(), { host });
  const view = reader.snapshot();
  engine.putSync(key(1), value(1, 1));
  await engine.compact();
  assert.equal(show(view.get(key(1))), show(value(1)));
  await engine.compact();
  for (let beats = 0; beats < 3; beats++) {
    monotonic += 1500;
    await engine.compact();
  }
  assert.throws(() => view.get(key(1)), { kind: 'closed', code: 'VIEW_EXPIRED' });
  using again = reader.snapshot();
  assert.equal(show(again.get(key(1))), show(value(1, 1)));
  await engine.close();
});

test('damage found by a thread is an error, not a wait for ever', async () => {
  const { host, engine } = setUp();
  fill(engine, 0, 20_000);
  await engine.flush();
  using reader = attachEngine(engine.share(), { host });
  const file = host.storage.open('pages.db');
  const zeros = new Uint8Array(8192).fill(0xee);
  for (let page = 2; (page + 1) * 8192 <= file.size(); page++) file.write(zeros, 0, 8192, page * 8192);
  let failures = 0;
  for (let n = 0; n < 20_000; n += 500) {
    try {
      reader.get(key(n));
    } catch (error) {
      assert.equal((error as { code: string }).code, 'PAGE_CHECKSUM');
      failures++;
    }
  }
  assert.ok(failures > 0);
  assert.throws(() => [...reader.scan()], { code: 'PAGE_CHECKSUM' });
});

test('after a failed write of the owner threads read nothing', async () => {
  const storage = memoryStorage();
  let isBroken = false;
  const open = storage.open.bind(storage);
  storage.open = (name, options) => {
    const file = open(name, options);
    const write = file.write.bind(file);
    file.write = (...args) => {
      if (isBroken && name.startsWith('log-')) throw new SteleError('unavailable', 'IO_ERROR', 'the disk is gone');
      return write(...args);
    };
    return file;
  };
  const host = memoryHost({ storage });
  const engine = openEngineSync({ host, cacheMemory: 1024 * 1024, durability: 'async' });
  fill(engine, 0, 10);
  using reader = attachEngine(engine.share(), { host });
  const view = reader.snapshot();
  isBroken = true;
  assert.throws(() => engine.putSync(key(1), value(1, 1)), { code: 'COMMIT_UNKNOWN' });
  assert.throws(() => reader.get(key(1)), { kind: 'unavailable', code: 'COMMIT_UNKNOWN' });
  assert.throws(() => view.get(key(1)), { kind: 'unavailable', code: 'COMMIT_UNKNOWN' });
  assert.throws(() => engine.share(), { code: 'COMMIT_UNKNOWN' });
  await engine.close();
});

test('without shared memory the handle serves this thread and refuses to be cloned', async () => {
  const { SharedArrayBuffer: platform } = globalThis;
  try {
    (globalThis as { SharedArrayBuffer?: unknown }).SharedArrayBuffer = undefined;
    const { host, engine } = setUp();
    fill(engine, 0, 500);
    const handle = engine.share();
    using reader = attachEngine(handle, { host });
    fill(engine, 0, 500, 1);
    for (let n = 0; n < 500; n += 7) assert.equal(show(reader.get(key(n))), show(value(n, 1)));
    assert.equal([...reader.scan()].length, 500);
    assert.throws(() => structuredClone(handle), { name: 'DataCloneError' });
    await engine.close();
  } finally {
    globalThis.SharedArrayBuffer = platform;
  }
});
