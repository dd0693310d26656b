/** What a level is inside its database: paths, limits, errors, policies, identities. The interface itself is tested by the exported suite. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LevelError, SteleLevel } from '../../src/abstract-level/index.ts';
import { faultyHost } from '../../src/host/faulty/host.ts';
import { type Database, memoryStorage, open, SteleError } from '../../src/index.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function openMemory(options: object = {}): Promise<Database> {
  return open({ storage: memoryStorage(), cacheMemory: 1 << 20, ...options });
}

/** Is it a LevelError with this code, caused by a SteleError with that one? */
function refusal(code: string, causeCode: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof LevelError, String(error));
    assert.ok(error.cause instanceof SteleError);
    assert.deepEqual([error.code, error.cause.code, error.message], [code, causeCode, error.cause.message]);
    return true;
  };
}

/** The same as the cause of what abstract-level says when it cannot open. */
function refusedOpening(code: string, causeCode: string): (error: unknown) => boolean {
  return (error) => {
    assert.equal((error as { code?: string }).code, 'LEVEL_DATABASE_NOT_OPEN');
    return refusal(code, causeCode)((error as Error).cause);
  };
}

test('what a level writes is in the database, under one bytes segment, as bytes', async () => {
  await using db = await openMemory();
  const level = new SteleLevel({ subtree: db.subtree('level') });
  await level.put('é', 'ü');
  await level.put('', '');
  assert.deepEqual(db.get(['level', bytes('é')]), bytes('ü'));
  assert.deepEqual(
    db
      .subtree('level')
      .scan()
      .toArray()
      .map((row) => [row.path, row.value]),
    [
      [[bytes('')], bytes('')],
      [[bytes('é')], bytes('ü')],
    ],
  );
  const { version } = db;
  await level.put('é', 'later');
  assert.deepEqual(db.asOf(version).get(['level', bytes('é')]), bytes('ü'));
  assert.equal(level.bucket?.version, db.version);
  assert.equal(level.db, undefined);
});

test('a level of its own has its database, while it is open', async () => {
  const level = new SteleLevel({ storage: memoryStorage(), cacheMemory: 1 << 20 });
  assert.equal(level.db, undefined);
  await level.put('a', '1');
  const { db } = level as SteleLevel;
  assert.deepEqual(db?.get([bytes('a')]), bytes('1'));
  assert.equal(level.bucket, db);
  await level.close();
  assert.equal(level.db, undefined);
  assert.equal(level.bucket, undefined);
});

test('bytes and texts that others put are read; what has no bytes is LEVEL_DECODE_ERROR', async () => {
  await using db = await openMemory();
  const level = new SteleLevel({ subtree: db });
  await db.put([bytes('bytes')], bytes('1'));
  await db.put([bytes('text')], 'ä');
  await db.put([bytes('short')], 'xy');
  assert.deepEqual(await level.getMany(['bytes', 'text', 'short']), ['1', 'ä', 'xy']);
  assert.deepEqual(await level.get('text', { valueEncoding: 'view' }), bytes('ä'));
  await db.put([bytes('x')], { an: 'object' });
  const isRefused = refusal('LEVEL_DECODE_ERROR', 'VALUE_INVALID');
  await assert.rejects(level.get('x'), isRefused);
  await assert.rejects(level.getMany(['x']), isRefused);
  assert.throws(() => level.getSync('x'), isRefused);
  await assert.rejects(level.values().all(), isRefused);
  assert.deepEqual(await level.keys().all(), ['bytes', 'short', 'text', 'x']);
});

test('what others put beside the keys and below them is never seen, and only clear() without limits takes what lies below', async () => {
  await using db = await openMemory();
  const place = db.subtree('shared');
  const level = new SteleLevel({ subtree: place });
  const others = [['text'], [7], [-1n], [true], [bytes('a'), 'below'], [bytes('b'), bytes('c')]];
  for (const path of others) await place.put(path, 'other');
  await level.batch([
    { type: 'put', key: 'a', value: '1' },
    { type: 'put', key: 'a\0', value: '2' },
    { type: 'put', key: 'c', value: '3' },
  ]);
  for (const reverse of [false, true]) {
    const expected = ['a', 'a\0', 'c'];
    if (reverse) expected.reverse();
    assert.deepEqual(await level.keys({ reverse }).all(), expected);
    const oneByOne: unknown[] = [];
    for await (const [key] of level.iterator({ reverse, values: false })) oneByOne.push(key);
    assert.deepEqual(oneByOne, expected);
    assert.deepEqual(await level.values({ reverse, limit: 2 }).all(), reverse ? ['3', '2'] : ['1', '2']);
  }
  assert.deepEqual(await level.iterator({ keys: false, gt: 'a' }).all(), [
    [undefined, '2'],
    [undefined, '3'],
  ] as unknown as [string, string][]);
  await level.clear({ limit: 1 });
  assert.ok(place.has([bytes('a'), 'below']));
  await level.clear();
  assert.deepEqual(
    place
      .scan()
      .toArray()
      .map((row) => row.path),
    [[true], [-1], [7], ['text']],
  );
});

test('two levels, and sublevels of both, share a database and nothing else', async () => {
  await using db = await openMemory();
  const [one, two] = ['one', 'two'].map((name) => new SteleLevel<string, unknown>({ subtree: db.subtree(name), valueEncoding: 'json' }));
  const subs = [one!.sublevel('s'), two!.sublevel('s'), one!.sublevel('t')];
  for (const [at, sub] of subs.entries()) await sub.put('k', String(at));
  await one!.put('k', { own: 1 });
  assert.deepEqual(await Promise.all(subs.map((sub) => sub.get('k'))), ['0', '1', '2']);
  assert.deepEqual(await one!.keys().all(), ['!s!k', '!t!k', 'k']);
  assert.deepEqual(await two!.keys().all(), ['!s!k']);
  // One view for both.
  const snapshot = one!.snapshot();
  await one!.clear();
  await two!.clear();
  assert.deepEqual(await one!.get('k', { snapshot }), { own: 1 });
  assert.deepEqual(await two!.keys({ snapshot }).all(), ['!s!k']);
  assert.deepEqual([await one!.keys().all(), await two!.keys().all()], [[], []]);
  await snapshot.close();
  await one!.close();
  assert.equal(await two!.get('k'), undefined, 'closing a level on a subtree leaves the database open');
});

test('a key takes 1,024 bytes as a path; a longer one is LEVEL_INVALID_KEY, and no bound is too long', async () => {
  await using db = await openMemory();
  const level = new SteleLevel({ subtree: db });
  // Tag and terminator, and an escape for each zero.
  const longest = [Buffer.alloc(1022, 1), Buffer.alloc(511, 0)];
  const tooLong = [Buffer.alloc(1023, 1), Buffer.alloc(512, 0), Buffer.alloc(5000, 1), 'é'.repeat(512), 'x'.repeat(2000)];
  const isRefused = refusal('LEVEL_INVALID_KEY', 'PATH_INVALID');
  const keyEncoding = 'buffer';
  for (const key of longest) {
    await level.put(key, 'v', { keyEncoding });
    assert.equal(await level.get(key, { keyEncoding }), 'v');
  }
  const { version } = db;
  for (const key of tooLong) {
    await assert.rejects(level.put(key, 'v', { keyEncoding: typeof key === 'string' ? 'utf8' : keyEncoding } as object), isRefused);
    await assert.rejects(level.get(key, { keyEncoding }), isRefused);
    await assert.rejects(level.has(key, { keyEncoding }), isRefused);
    await assert.rejects(level.del(key, { keyEncoding }), isRefused);
    await assert.rejects(level.getMany([key], { keyEncoding }), isRefused);
    await assert.rejects(level.batch([{ type: 'put', key: 'ok', value: 'v' }, { type: 'del', key, keyEncoding } as never]), isRefused);
    assert.throws(() => level.getSync(key, { keyEncoding }), isRefused);
  }
  assert.equal(db.version, version, 'nothing was written');
  assert.deepEqual(await level.keys({ keyEncoding, gt: Buffer.alloc(5000, 1) }).all(), []);
  assert.deepEqual(await level.keys({ keyEncoding, lt: Buffer.alloc(5000, 1) }).all(), [longest[1], longest[0]]);
  const deep = db.subtree(Array.from({ length: 64 }, () => 'x'));
  await assert.rejects(new SteleLevel({ subtree: deep }).open(), refusedOpening('LEVEL_INVALID_KEY', 'PATH_INVALID'));
});

test('a value takes 64 MiB with its tag; a longer one is LEVEL_INVALID_VALUE', async () => {
  await using db = await openMemory();
  const level = new SteleLevel<string, Uint8Array>({ subtree: db, valueEncoding: 'view' });
  await assert.rejects(level.put('k', new Uint8Array(64 * 1024 * 1024)), refusal('LEVEL_INVALID_VALUE', 'VALUE_INVALID'));
  assert.equal(db.version, 0);
  await level.put('k', new Uint8Array(2 * 1024 * 1024).fill(7));
  assert.equal((await level.get('k'))?.length, 2 * 1024 * 1024);
});

test('texts of every kind and length come back, as text and as bytes', async () => {
  await using db = await openMemory();
  const level = new SteleLevel({ subtree: db });
  const texts = ['', 'a', '\0', 'a\0b\0', '\x7f', 'é', '𝒜', 'x'.repeat(9), 'x'.repeat(25), `${'y'.repeat(30)}é`, '\uffff', '\u0800'];
  await level.batch(texts.map((text) => ({ type: 'put', key: text, value: text })));
  for (const text of texts) {
    assert.equal(await level.get(text), text);
    assert.deepEqual(await level.get(text, { valueEncoding: 'buffer' }), Buffer.from(text));
    assert.deepEqual(await level.get<Uint8Array>(bytes(text), { keyEncoding: 'view', valueEncoding: 'view' } as object), bytes(text));
  }
  assert.deepEqual(
    await level.keys().all(),
    texts.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  );
  // As everywhere in Node, text that is no Unicode is written with replacements.
  await level.put('\ud800', '\udc00');
  assert.equal(await level.get('\ufffd'), '\ufffd');
});

test('a second opener is LEVEL_LOCKED, in the way of classic-level', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'stele-level-'));
  try {
    const level = new SteleLevel(directory, { cacheMemory: 1 << 20 });
    await level.put('a', '1');
    await assert.rejects(new SteleLevel(directory).open(), refusedOpening('LEVEL_LOCKED', 'LOCKED'));
    await level.close();
    const again = new SteleLevel(directory, { readOnly: true, cacheMemory: 1 << 20 });
    assert.equal(await again.get('a'), '1');
    await assert.rejects(again.put('a', '2'), refusal('LEVEL_DENIED', 'READ_ONLY'));
    await again.close();
    await assert.rejects(
      new SteleLevel(directory).open({ errorIfExists: true }),
      refusedOpening('LEVEL_INVALID_REQUEST', 'TARGET_NOT_EMPTY'),
    );
    const nowhere = join(directory, 'nowhere');
    await assert.rejects(new SteleLevel(nowhere).open({ createIfMissing: false }), refusedOpening('LEVEL_INVALID_REQUEST', 'NOT_FOUND'));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('sync: true is on the device when it resolves, whatever the database says', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'stele-level-'));
  try {
    const level = new SteleLevel(directory, { durability: 'async', cacheMemory: 1 << 20 });
    await level.open();
    const db = level.db!;
    await level.put('a', '1', { sync: false });
    assert.ok(db.durableVersion < db.version, 'nothing asked for the device');
    const writes = [
      () => level.put('a', '2', { sync: true }),
      () => level.del('a', { durability: 'immediate' }),
      () => level.batch([{ type: 'put', key: 'b', value: '1' }], { sync: true }),
      () => level.batch().put('c', '1').write({ sync: true }),
      () => level.clear({ limit: 1, sync: true }),
      () => level.clear({ sync: true }),
    ];
    for (const write of writes) {
      const { version } = db;
      await write();
      assert.equal(db.version, version + 1);
      assert.equal(db.durableVersion, db.version);
    }
    await assert.rejects(level.put('a', '1', { durability: 'never' as 'async' }), refusal('LEVEL_INVALID_REQUEST', 'OPTION_INVALID'));
    await level.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('what is no place for a level is refused when it is made', async () => {
  await using db = await openMemory();
  const storage = memoryStorage();
  const isRefused = (error: unknown): boolean => error instanceof SteleError && error.code === 'OPTION_INVALID';
  const make = SteleLevel as unknown as new (...given: unknown[]) => SteleLevel;
  for (const given of [[], [null], [7], [{}], [{ storage, subtree: db }], ['./x', { storage }], [{ storage }, {}], [{ subtree: {} }]])
    assert.throws(() => new make(...given), isRefused, JSON.stringify(given));
  assert.throws(() => new make({ subtree: db, readOnly: true }), isRefused);
  const level = new SteleLevel({ subtree: db });
  await assert.rejects(level.open({ durability: 'async' } as object), refusedOpening('LEVEL_INVALID_REQUEST', 'OPTION_INVALID'));
  await assert.rejects(new make({ storage, encryption: {} }).open(), refusedOpening('LEVEL_INVALID_REQUEST', 'FEATURE_MISSING'));
  await assert.rejects(new make({ storage, pageSize: 1 }).open(), refusedOpening('LEVEL_INVALID_REQUEST', 'OPTION_INVALID'));
  assert.equal(storage.list().length, 0);
});

test('a level whose database was closed below it says so', async () => {
  const db = await openMemory();
  const level = new SteleLevel({ subtree: db });
  await level.put('a', '1');
  const iterator = level.iterator();
  const snapshot = level.snapshot();
  await db.close();
  const isRefused = refusal('LEVEL_DATABASE_NOT_OPEN', 'DATABASE_CLOSED');
  await assert.rejects(level.get('a'), isRefused);
  await assert.rejects(level.has('a'), isRefused);
  await assert.rejects(level.put('a', '2'), isRefused);
  await assert.rejects(level.del('a'), isRefused);
  await assert.rejects(level.batch([{ type: 'del', key: 'a' }]), isRefused);
  await assert.rejects(level.clear(), isRefused);
  await assert.rejects(iterator.next(), isRefused);
  assert.throws(() => level.iterator(), isRefused);
  assert.throws(() => level.snapshot(), isRefused);
  await assert.rejects(level.get('a', { snapshot }), isRefused);
  await level.close();
  await assert.rejects(level.open(), refusedOpening('LEVEL_DATABASE_NOT_OPEN', 'DATABASE_CLOSED'));
});

test('a snapshot of another database is refused', async () => {
  await using db = await openMemory();
  await using other = await openMemory();
  const level = new SteleLevel({ subtree: db });
  await level.open();
  const foreign = new SteleLevel({ subtree: other });
  await foreign.open();
  const snapshot = foreign.snapshot();
  const isRefused = refusal('LEVEL_INVALID_REQUEST', 'OPTION_INVALID');
  await assert.rejects(level.get('a', { snapshot }), isRefused);
  await assert.rejects(level.clear({ snapshot }), isRefused);
  assert.throws(() => level.iterator({ snapshot }), isRefused);
  await foreign.close();
});

test('policies of the subtree hold for what the level writes', async () => {
  await using db = await openMemory();
  const level = new SteleLevel({ subtree: db.subtree('level', { ttl: 60_000 }) });
  await level.put('a', '1');
  await level.batch([
    { type: 'put', key: 'b', value: '2' },
    { type: 'put', key: 'c', value: '3' },
    { type: 'del', key: 'a' },
  ]);
  await level.batch().put('d', 'x').write();
  assert.deepEqual(await level.iterator().all(), [
    ['b', '2'],
    ['c', '3'],
    ['d', 'x'],
  ]);
  for (const key of ['b', 'c', 'd']) assert.ok(db.entry(['level', bytes(key)])?.expiresAt instanceof Date);
  await level.del('d');
  const { version } = db;
  await level.clear({ gte: 'b' });
  assert.equal(db.version, version + 1);
  assert.equal(db.count('level'), 0);
});

test('an index above the level is kept in step, and its conflict is LEVEL_CONFLICT', async () => {
  await using db = await openMemory();
  const users = db.subtree('users', { index: { byKey: { fields: [[]], unique: true } } } as never);
  const level = new SteleLevel({ subtree: users });
  await level.put('a', 'same');
  await assert.rejects(level.put('b', 'same'), refusal('LEVEL_CONFLICT', 'INDEX_UNIQUE'));
  await level.clear();
  await level.put('b', 'same');
  assert.deepEqual(await level.keys().all(), ['b']);
});

test('the identity of the handle is in the commits, and its capabilities hold', async () => {
  await using db = await openMemory();
  const level = new SteleLevel({ subtree: db.as({ actor: 'ada', reason: 'import' }).subtree('level') });
  await level.put('a', '1');
  await level.batch([{ type: 'put', key: 'b', value: '2' }]);
  await level.del('a');
  await level.clear();
  for (const key of ['a', 'b'])
    for (const entry of db.history(['level', bytes(key)])) assert.deepEqual([entry.actor, entry.reason], ['ada', 'import']);
  assert.equal(db.version, 4);

  const isRefused = refusal('LEVEL_DENIED', 'NOT_PERMITTED');
  const reading = new SteleLevel({ subtree: db.as({ capabilities: ['read'] }) });
  assert.equal(await reading.get('a'), undefined);
  for (const write of [() => reading.put('a', '1'), () => reading.del('a'), () => reading.clear(), () => reading.clear({ limit: 1 })])
    await assert.rejects(write(), isRefused);
  await assert.rejects(reading.batch([{ type: 'del', key: 'a' }]), isRefused);
  const writing = new SteleLevel({ subtree: db.as({ capabilities: ['write'] }) });
  await writing.put('a', '1');
  for (const read of [() => writing.get('a'), () => writing.getMany(['a']), () => writing.has('a'), () => writing.hasMany(['a'])])
    await assert.rejects(read(), isRefused);
  assert.throws(() => writing.iterator(), isRefused);
  assert.throws(() => writing.snapshot(), isRefused);
  await assert.rejects(writing.clear({ limit: 1 }), isRefused);
});

test('a batch of any length is one commit, and so is a clear()', async () => {
  await using db = await openMemory({ cacheMemory: 32 << 20 });
  const level = new SteleLevel({ subtree: db });
  const count = 100_001;
  const key = (at: number): string => String(at).padStart(6, '0');
  await level.batch(Array.from({ length: count }, (_, at) => ({ type: 'put', key: key(at), value: 'v' })));
  assert.deepEqual([db.version, db.count()], [1, count]);
  const keys = await level.keys().all();
  assert.deepEqual([keys.length, keys[0], keys.at(-1)], [count, key(0), key(count - 1)]);
  await level.clear({ gte: key(10), lte: key(19) });
  assert.deepEqual([db.version, db.count()], [2, count - 10]);
  await level.clear();
  assert.deepEqual([db.version, db.count()], [3, 0]);
});

test('a long read gives others their turn, and ends when it is aborted', async () => {
  await using db = await openMemory();
  const level = new SteleLevel({ subtree: db });
  await level.batch(Array.from({ length: 5000 }, (_, at) => ({ type: 'put', key: String(at), value: 'v' })));
  let turns = 0;
  const counted = setInterval(() => turns++, 0);
  assert.equal((await level.iterator().all()).length, 5000);
  clearInterval(counted);
  assert.ok(turns > 0);
  const controller = new AbortController();
  setImmediate(() => controller.abort());
  await assert.rejects(level.iterator({ signal: controller.signal }).all(), { code: 'LEVEL_ABORTED', name: 'AbortError' });
});

test('an iterator, or a snapshot, that was idle for longer than viewIdleMs is not open any more', async () => {
  const host = faultyHost();
  await using db = await open({ host, viewIdleMs: 1000, cacheMemory: 4 << 20 });
  const level = new SteleLevel({ subtree: db });
  await level.open();
  db.putSync([bytes('a')], '1');
  const iterator = level.iterator();
  const snapshot = level.snapshot();
  for (let step = 0; step < 4; step++) await host.advance(600);
  await assert.rejects(iterator.next(), refusal('LEVEL_ITERATOR_NOT_OPEN', 'VIEW_EXPIRED'));
  await assert.rejects(level.get('a', { snapshot }), refusal('LEVEL_SNAPSHOT_NOT_OPEN', 'VIEW_EXPIRED'));
});

test('the manifest tells what there is', async () => {
  const own = new SteleLevel({ storage: memoryStorage(), cacheMemory: 1 << 20 });
  await own.open();
  const { supports } = own;
  assert.ok(supports.has && supports.seek && supports.implicitSnapshots && supports.explicitSnapshots);
  assert.ok(supports.createIfMissing && supports.errorIfExists && !supports.permanence && supports.signals['iterators']);
  assert.deepEqual(supports.additionalMethods, {});
  const shared = new SteleLevel({ subtree: own.db! });
  assert.deepEqual([shared.supports.createIfMissing, shared.supports.errorIfExists], [false, false]);
  await shared.close();
  await own.close();
});
