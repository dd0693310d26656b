/**
 * What a reader with bad intentions found: each test tells one story that once went wrong.
 */

import assert from 'node:assert/strict';
import test from 'node:test';
import { SteleError } from '../base/errors.ts';
import { type FaultyHost, faultyHost } from '../host/faulty/host.ts';
import { memoryHost } from '../host/memory/host.ts';
import { openEngine } from './engine.ts';
import type { Engine, EngineOptions } from './types.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const key = (at: number | string): Uint8Array => bytes(`\u0002k${typeof at === 'number' ? String(at).padStart(6, '0') : at}`);
const words = (value: Uint8Array | undefined): string | undefined => (value === undefined ? undefined : new TextDecoder().decode(value));

async function database(options: Partial<EngineOptions> = {}): Promise<{ db: Engine; reopen: () => Promise<Engine> }> {
  const host = memoryHost();
  const open = () => openEngine({ host, cacheMemory: 2 << 20, segmentBytes: 64 * 1024, ...options });
  return { db: await open(), reopen: open };
}

async function fill(db: Engine, count: number): Promise<void> {
  for (let at = 0; at < count; at += 1000)
    await db.batch(
      Array.from({ length: Math.min(1000, count - at) }, (_, k) => ({ type: 'put' as const, key: key(at + k), value: bytes('v') })),
    );
}

test('close() refuses what comes after it, and loses nothing that came before', async () => {
  for (const count of [700, 4000, 12_000]) {
    const { db, reopen } = await database();
    await fill(db, count);
    const put = db.put(key('zzz'), bytes('1'));
    const closing = db.close();
    await assert.rejects(db.deleteRange(key(0), key('z')), { code: 'DATABASE_CLOSED' });
    await assert.rejects(db.put(key(1), bytes('2')), { code: 'DATABASE_CLOSED' });
    await Promise.all([closing, put]);
    const again = await reopen();
    assert.deepEqual([again.count(), [...again.scan({ values: false })].length], [count + 1, count + 1]);
    assert.equal((await again.verify()).ok, true);
    await again.close();
  }
});

test('a large delete under way when close() is called is finished and secured', async () => {
  const { db, reopen } = await database();
  await fill(db, 5000);
  const deleting = db.deleteRange(key(0), key(999_999));
  await db.close();
  assert.equal((await deleting).changed, 5000);
  const again = await reopen();
  assert.equal(again.count(), 0);
  await again.close();
});

test('getAsync() of a large value is never torn by overwrites and flushes', async () => {
  const { db } = await database({ historyRetention: 0 });
  const value = (round: number): Uint8Array => new Uint8Array(300_000).fill(round);
  await db.put(key(1), value(1));
  await db.flush();
  for (let round = 2; round < 20; round++) {
    const view = db.snapshot();
    const pending = view.getAsync(key(1));
    for (let k = 0; k < 3; k++) {
      db.putSync(key(1), value(round));
      await db.flush();
    }
    const found = await pending;
    assert.ok(
      found?.every((byte) => byte === round - 1),
      `round ${round}`,
    );
    view.close();
  }
  await db.close();
});

test('a logger that throws stops nothing', async () => {
  const { db } = await database({
    logger: () => {
      throw new Error('logger');
    },
  });
  db.onCommitted(() => {
    throw new Error('listener');
  });
  await db.put(key(1), bytes('1'));
  await db.close();
});

test('forEach() sees one view whatever its visitor writes, without history too', async () => {
  const { db } = await database({ historyRetention: 0 });
  for (let at = 0; at < 6; at++) await db.put(key(at), bytes(`old${at}`));
  const seen: string[] = [];
  db.forEach({}, (_key, _length, source, start, end) => {
    seen.push(words(source.slice(start, end))!);
    if (seen.length > 1) return;
    db.putSync(key(2), bytes('NEW'));
    db.deleteSync(key(3));
    db.deleteSync(key(4));
  });
  assert.deepEqual(seen, ['old0', 'old1', 'old2', 'old3', 'old4', 'old5']);
  await db.close();
});

test('first(), last(), nth() and a finished scan leave no view open', async () => {
  const { db } = await database();
  await fill(db, 10);
  for (let k = 0; k < 20; k++) {
    db.first();
    db.last();
    db.nth({}, 3);
    assert.equal([...db.scan({ limit: 2 })].length, 2);
    db.scan({ limit: 1 }).next();
  }
  assert.equal(db.stats()['views']!['open'], 0);
  await db.close();
});

test('deleteRange in a batch costs what it touches, and undoes the puts before it only', async () => {
  const { db } = await database();
  const wipe = { type: 'deleteRange' as const, start: key(0), end: key('z') };
  const receipt = await db.batch([
    { type: 'put', key: key(1), value: bytes('1') },
    ...Array.from({ length: 20 }, () => wipe),
    { type: 'put', key: key(2), value: bytes('2') },
  ]);
  assert.equal(receipt.changed, 1);
  await assert.rejects(db.batch(Array.from({ length: 101 }, () => wipe)), { code: 'BATCH_TOO_LARGE' });
  await db.close();
});

test('a time given out while a large delete is applied still means the same afterwards', async () => {
  const { db } = await database();
  await fill(db, 8000);
  const deleting = db.deleteRange(key(0), key(999_999));
  await new Promise((resolve) => setTimeout(resolve, 3));
  const then = db.snapshot();
  const { timeMs, version } = then;
  const count = then.count();
  then.close();
  await deleting;
  if (version < db.version && timeMs < db.asOf(db.version).timeMs) assert.equal(db.asOfTime(timeMs).count(), count);
  await db.close();
});

test('promises resolve in commit order, also behind a large delete', async () => {
  const { db } = await database({ durability: 'async' });
  await fill(db, 3000);
  const order: string[] = [];
  const deleting = db.deleteRange(key(0), key(999_999)).then(() => order.push('delete'));
  const put = db.put(key('z'), bytes('1')).then(() => order.push('put'));
  await Promise.all([deleting, put]);
  assert.deepEqual(order, ['delete', 'put']);
  await db.close();
});

test('transact() passes on what the work throws, conflicts of other calls included', async () => {
  const { db } = await database();
  await db.put(key(1), bytes('1'));
  let runs = 0;
  const work = (): void => {
    runs++;
    db.putSync(key(1), bytes('2'), { ifVersion: 99 });
  };
  await assert.rejects(db.transact(work), { code: 'VERSION_MISMATCH' });
  assert.equal(runs, 1);
  await db.close();
});

test("a transaction's scan is what it was when it was called", async () => {
  const { db } = await database();
  await db.put(key(1), bytes('1'));
  const txn = db.begin();
  const start = key(0);
  const scan = txn.scan({ start });
  txn.put(key(2), bytes('2'));
  txn.delete(key(1));
  start.fill(255);
  assert.deepEqual(
    [...scan].map((entry) => words(entry.value)),
    ['1'],
  );
  txn.abort();
  await db.close();
});

test('readMany() is right when decode calls back into the engine', async () => {
  const { db } = await database();
  for (let at = 0; at < 60; at++) await db.put(key(at), bytes(`v${at}`));
  const keys = [key(0), key(1), key(2), key(3)];
  const nested = db.readMany(keys, (source, start, end) => {
    db.getMany([key(50), key(51), key(52), key(53)]);
    return words(source.slice(start, end));
  });
  assert.deepEqual(nested, ['v0', 'v1', 'v2', 'v3']);
  const writing = db.readMany(keys, (source, start, end) => {
    const value = words(source.slice(start, end));
    db.putSync(key(0), new Uint8Array(500));
    db.putSync(key(`a${Math.random()}`), new Uint8Array(700));
    return value;
  });
  assert.deepEqual(writing, ['v0', 'v1', 'v2', 'v3']);
  await db.close();
});

test('a history under way ends without an error when its past is let go', async () => {
  const { db } = await database();
  for (let at = 0; at < 300; at++) await db.put(key(1), new Uint8Array(1000).fill(at));
  const history = db.history(key(1));
  history.next();
  db.setRetention({ rules: [{ prefix: new Uint8Array(0), historyMs: 0 }] });
  for (let at = 0; at < 300; at++) await db.put(key(2), new Uint8Array(1000).fill(at));
  await db.compact();
  assert.ok([...history].length < 300);
  await db.close();
});

test('an abandoned changes() reader holds no segment', async () => {
  const { db } = await database({ historyRetention: 0 });
  for (let at = 0; at < 100; at++) await db.put(key(1), new Uint8Array(1000).fill(at));
  db.changes(db.version - 2).next();
  for (let at = 0; at < 400; at++) await db.put(key(2), new Uint8Array(1000).fill(at));
  for (let k = 0; k < 3; k++) {
    await db.put(key(3), bytes(`${k}`));
    await db.compact();
  }
  assert.ok(Number(db.stats()['log']!['segments']) <= 3, String(db.stats()['log']!['segments']));
  await db.close();
});

test('logRetention is held against the rules that are in force', async () => {
  const { db, reopen } = await database({ historyRetention: 1000 });
  await db.close();
  const again = await reopen();
  await again.close();
  const host = memoryHost();
  const first = await openEngine({ host, historyRetention: 1000, cacheMemory: 1 << 20 });
  await first.close();
  const second = await openEngine({ host, logRetention: 5000, cacheMemory: 1 << 20 });
  await second.close();
  await assert.rejects(openEngine({ host, historyRetention: 9000, logRetention: 5000, cacheMemory: 1 << 20 }), { code: 'OPTION_INVALID' });
  await assert.rejects(openEngine({ host: memoryHost(), logRetention: 5000 }), { code: 'OPTION_INVALID' });
});

test('what a transaction refused is not in it', async () => {
  const { db } = await database();
  const txn = db.begin();
  txn.put(key(1), new Uint8Array(40 << 20));
  assert.throws(
    () => txn.put(key(2), new Uint8Array(40 << 20)),
    (error) => error instanceof SteleError && error.code === 'BATCH_TOO_LARGE',
  );
  assert.equal(txn.has(key(2)), false);
  assert.equal(txn.commitSync().changed, 1);
  await db.close();
});

/** A simulated machine whose reads and syncs take time, so that much may happen while one is under way. */
async function slowDatabase(options: Partial<EngineOptions> = {}): Promise<{ host: FaultyHost; db: Engine }> {
  const host = faultyHost({ seed: 1, latencyMs: 40 });
  const db = await host.drive(openEngine({ host, cacheMemory: 1 << 20, segmentBytes: 64 * 1024, durability: 'async', ...options }));
  return { host, db };
}

// The file under the read was closed, and that error came out: CLOSED, of a file nobody had asked for.
test('getAsync() pending at close() says that the database is closed, wherever the value lies', async () => {
  for (const [valueBytes, isFlushed] of [
    [100, true],
    [300_000, true],
    [3_000_000, false],
  ] as const) {
    const { host, db } = await slowDatabase();
    for (let at = 0; at < 3; at++) await host.drive(db.put(key(at), new Uint8Array(valueBytes).fill(at), { durability: 'immediate' }));
    for (let at = 3; at < 3000; at++) db.putSync(key(at), new Uint8Array(400));
    if (isFlushed) await host.drive(db.flush());
    const view = db.snapshot();
    const waiting = [db.getAsync(key(0)), view.getAsync(key(1)), db.getManyAsync([key(2), key(0)])];
    const told = Promise.allSettled(waiting);
    await host.drive(db.close());
    for (const outcome of await host.drive(told)) {
      assert.ok(outcome.status === 'rejected' && outcome.reason instanceof SteleError, outcome.status);
      assert.deepEqual([outcome.reason.kind, outcome.reason.code], ['closed', 'DATABASE_CLOSED'], `${valueBytes} bytes`);
    }
  }
});

// It said NOT_FOUND: the segment was let go between two pieces of the value, and nobody looked where the value is now.
test('getAsync() of a large value goes on in the pages when its log segment is let go meanwhile', async () => {
  const { host, db } = await slowDatabase({ historyRetention: 0 });
  await host.drive(db.put(key(0), new Uint8Array(12_000_000).fill(7), { durability: 'immediate' }));
  const fill = (round: number): void => {
    for (let at = 1; at < 8; at++) db.putSync(key(at), new Uint8Array(40_000).fill(round));
  };
  fill(0);
  await host.drive(db.sync());
  const pending = db.getAsync(key(0));
  for (let round = 1; db.stats()['commits']!['segmentsDropped'] === 0; round++) {
    assert.ok(round < 20, 'no segment is let go');
    fill(round);
    await host.drive(db.compact());
  }
  const value = await host.drive(pending);
  assert.ok(value?.length === 12_000_000 && value.every((byte) => byte === 7));
  await host.drive(db.close());
});

// Each disk on which it fits less: in the encoding of the parts, in the pages to come, not at all.
test('a large delete on a full disk is refused as DISK_FULL and changed nothing, at whatever allocation the disk is full', async () => {
  const source = faultyHost({ seed: 1 });
  const options = { cacheMemory: 1 << 20, segmentBytes: 64 * 1024, durability: 'async' as const };
  const built = await source.drive(openEngine({ host: source, ...options }));
  for (let at = 0; at < 3000; at += 500)
    await source.drive(
      built.batch(Array.from({ length: 500 }, (_, k) => ({ type: 'put' as const, key: key(at + k), value: new Uint8Array(60) }))),
    );
  await source.drive(built.close());
  let refused = 0;
  for (let freeBytes = 0; freeBytes < 400_000; freeBytes += 16 * 1024) {
    const host = source.fork();
    const nested: unknown[] = [];
    const logger = (): void => {
      // What a logger of somebody's may do.
      try {
        db.putSync(key('log'), bytes('1'));
      } catch (error) {
        nested.push(error);
      }
    };
    const db = await host.drive(openEngine({ host, logger, ...options }));
    host.storage.setCapacity(host.storage.usedBytes + freeBytes);
    const { version } = db;
    const outcome = await host.drive(db.deleteRange(key(0), key('j')).then(String, (error: unknown) => error));
    if (outcome instanceof Error) {
      refused++;
      assert.ok(outcome instanceof SteleError && outcome.kind === 'unavailable' && outcome.code === 'DISK_FULL', String(outcome));
      assert.deepEqual([db.version, db.count()], [version, 3000], `${freeBytes} bytes free`);
    }
    for (const error of nested) assert.ok(error instanceof SteleError, String(error));
    host.storage.setCapacity(Number.POSITIVE_INFINITY);
    assert.equal((await host.drive(db.deleteRange(key(0), key('j')))).changed, outcome instanceof Error ? 3000 : 0);
    await host.drive(db.close());
  }
  assert.ok(refused > 2, `${refused} refused`);
});

// The generator of the delete was entered a second time: `TypeError: Generator is already running` was the outcome of the delete.
test('a logger that writes when the disk fills inside a large delete is refused, and the delete says what happened', async () => {
  const host = faultyHost({ seed: 1 });
  const nested: unknown[] = [];
  const logger = (): void => {
    try {
      db.putSync(key('log'), bytes('1'));
    } catch (error) {
      nested.push(error);
    }
  };
  const db = await host.drive(openEngine({ host, logger, cacheMemory: 1 << 20, segmentBytes: 64 * 1024, durability: 'async' }));
  for (let at = 0; at < 6000; at += 500)
    await host.drive(
      db.batch(Array.from({ length: 500 }, (_, k) => ({ type: 'put' as const, key: key(at + k), value: new Uint8Array(100) }))),
    );
  // Room was taken before; a disk that does not keep that promise is met in the middle, when pages must make room for others.
  host.storage.fail('write', { file: 'pages.db', times: Number.POSITIVE_INFINITY, error: 'DISK_FULL' });
  await assert.rejects(host.drive(db.deleteRange(key(0), key('j'))), { code: 'COMMIT_UNKNOWN' });
  assert.ok(nested.length > 0);
  for (const error of nested) assert.ok(error instanceof SteleError, String(error));
  host.storage.clearFaults();
  await host.drive(db.close());
  const again = await host.drive(openEngine({ host }));
  assert.ok([0, 6000].includes(again.count()), String(again.count()));
  await host.drive(again.close());
});
