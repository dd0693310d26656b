/** Bad input: every call, each with a typed error that says what was found and what was expected, and nothing written. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryStorage } from '../../src/host/memory/storage.ts';
import { commitStamp } from '../../src/model/stamp.ts';
import type { BatchOperation, Database, OpenOptions, Path, PutOptions, Transaction } from '../../src/model/types.ts';
import { attach, open, openSync } from '../../src/node/open.ts';
import { restore } from '../../src/node/targets.ts';
import { opened, refused, refusedUnwritten } from './kit.ts';

/** What no type allows, and JavaScript programs give all the same. */
const wrong = <T>(value: unknown): T => value as T;

const PATHS: readonly (readonly [name: string, path: unknown, says: RegExp])[] = [
  ['null', null, /null, expected/],
  ['undefined', undefined, /undefined|null/],
  ['a number', 42, /42, expected/],
  ['an object', { path: 'a' }, /an object, expected/],
  ['NaN as a segment', ['a', Number.NaN], /segment 2 is NaN, expected a finite number/],
  ['Infinity as a segment', [Number.POSITIVE_INFINITY], /segment 1 is Infinity/],
  ['-Infinity as a segment', [Number.NEGATIVE_INFINITY], /segment 1 is -Infinity/],
  ['an unsafe number', [2 ** 53], /beyond the safe integers, expected a bigint/],
  ['an empty text', ['a', ''], /segment 2 is an empty text/],
  ['an empty segment in text', 'a//b', /segment 2 is empty/],
  ['a slash at the end', 'a/', /segment 2 is empty/],
  ['a lone surrogate', ['\ud800'], /lone surrogate/],
  ['a lone surrogate in text', 'a/\udc00', /lone surrogate/],
  ['an object as a segment', [{ stamp: 'commit' }], /segment 1 is an object/],
  ['null as a segment', ['a', null], /segment 2 is null/],
  ['a hole', new Array(2), /segment 1 is undefined/],
  ['a symbol', [Symbol('x')], /segment 1 is a symbol/],
  ['a backslash at the end', 'a\\', /\\ at its end/],
  ['too many segments', new Array(65).fill('a'), /6[56] segments, expected at most 64/],
  ['too many bytes', ['x'.repeat(1024)], /102[57] bytes.* expected at most 1024/],
];

test('every call that takes a path refuses what is none, says which segment and why, and writes nothing', async (t) => {
  const { db } = opened(t);
  await db.put('a/b', 1);
  const sub = db.subtree('s');
  using snapshot = db.snapshot();
  using tx = db.beginSync();
  const calls: readonly ((path: Path) => unknown)[] = [
    ...[db, sub, snapshot, tx].flatMap((handle) => [
      (path: Path) => handle.get(path),
      (path: Path) => handle.getMany(['a', path]),
      (path: Path) => handle.has(path),
      (path: Path) => handle.entry(path),
      (path: Path) => handle.kind(path),
      (path: Path) => handle.readValue(path),
      (path: Path) => handle.nth(path, 0),
      (path: Path) => handle.scan({ start: path ?? null }).toArray(),
      (path: Path) => handle.scan({ after: path ?? null }).toArray(),
      (path: Path) => handle.count({ prefix: path ?? null }),
      (path: Path) => handle.getAsync(path),
      (path: Path) => handle.getManyAsync([path]),
      (path: Path) => handle.prefetch([path]),
    ]),
    ...[db, sub].flatMap((handle) => [
      (path: Path) => handle.put(path, 1),
      (path: Path) => handle.putSync(path, 1),
      (path: Path) => handle.put(path, 1, { ttl: 5 }),
      (path: Path) => handle.delete(path),
      (path: Path) => handle.deleteTree(path ?? null),
      (path: Path) => handle.putTree(path, { a: 1 }),
      (path: Path) => handle.increment(path),
      (path: Path) =>
        handle.batch([
          { type: 'put', path: 'fine', value: 1 },
          { type: 'put', path, value: 1 },
        ]),
      (path: Path) =>
        handle.batch([
          { type: 'put', path: 'fine', value: 1 },
          { type: 'deleteTree', path },
        ]),
      (path: Path) => handle.batch([{ type: 'check', path, ifVersion: 0 }]),
      (path: Path) => handle.transact((own) => own.put(path, 1)),
      (path: Path) => handle.transact((own) => own.deleteTree(path ?? null)),
      (path: Path) => handle.history(path).toArray(),
      (path: Path) => handle.subtree(path),
      (path: Path) => handle.subtree(path, { ttl: 5 }),
      (path: Path) => handle.watch(path, () => {}),
      (path: Path) => handle.changes({ prefix: path ?? null }),
    ]),
    (path) => tx.peek(path),
    (path) => snapshot.diff(snapshot, { prefix: path ?? null }).toArray(),
  ];
  for (const [name, path, says] of PATHS)
    for (const call of calls) await refused(() => call(wrong(path)), { kind: 'invalid', code: 'PATH_INVALID', says }, name);
  assert.deepEqual(db.scan().toArray(), [{ path: ['a', 'b'], value: 1, version: 1 }]);
  assert.equal(db.version, 1);
});

test('the empty path of the root is no place for a value', async (t) => {
  const { db } = opened(t);
  for (const path of ['', []] satisfies Path[])
    for (const call of [
      () => db.get(path),
      () => db.has(path),
      () => db.entry(path),
      () => db.put(path, 1),
      () => db.delete(path),
      () => db.increment(path),
      () => db.putTree(path, 5),
      () => db.history(path),
      () => db.transact((tx) => tx.put(path, 1)),
    ])
      await refusedUnwritten(db, call, { kind: 'invalid', code: 'PATH_INVALID', says: /it is empty, expected at least one segment/ });
});

const cyclic: Record<string, unknown> = { name: 'loop' };
cyclic['self'] = cyclic;
const deep = (levels: number): unknown => {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = [value];
  return value;
};
const VALUES: readonly (readonly [name: string, value: unknown, says: RegExp])[] = [
  ['undefined', undefined, /undefined/],
  ['a function', () => 1, /a function, expected/],
  ['a symbol', Symbol('x'), /a symbol, expected/],
  ['a Map', new Map(), /an instance of Map, expected/],
  ['a Set inside', { a: [new Set()] }, /\.a\[0\].*an instance of Set|Set/],
  ['an instance', new (class Point {})(), /Point/],
  ['another typed array', new Uint16Array(2), /Uint16Array/],
  ['a promise', Promise.resolve(1), /Promise/],
  ['an undefined member', { a: { b: undefined } }, /undefined/],
  ['a cyclic object', cyclic, /cycles|contains itself/],
  ['an invalid Date', new Date(Number.NaN), /Date|date/],
  ['too deep', deep(201), /expected/],
];

test('every call that takes a value refuses what is none, says where and why, and writes nothing', async (t) => {
  const { db } = opened(t);
  const sub = db.subtree('s');
  for (const [name, value, says] of VALUES)
    for (const call of [
      (given: string) => db.put('a', given),
      (given: string) => db.putSync('a', given),
      (given: string) => db.put('a', given, { ttl: 9 }),
      (given: string) => sub.put(['a', commitStamp()], given),
      (given: string) =>
        db.batch([
          { type: 'put', path: 'fine', value: 1 },
          { type: 'put', path: 'a', value: given },
        ]),
      (given: string) => db.transact((tx) => tx.put('a', given)),
      (given: string) => db.transact((tx) => tx.put(['a', commitStamp()], given)),
      (given: string) => db.transact(() => ({ given }), { once: 'key' }),
    ])
      await refusedUnwritten(db, () => call(wrong(value)), {
        kind: 'invalid',
        code: 'VALUE_INVALID',
        says: name === 'undefined' ? /./ : says,
      });
});

test('putTree refuses what is no tree, whatever stands before it, and writes nothing', async (t) => {
  const { db } = opened(t);
  await db.putTree('kept', { a: 1, b: { c: 2 } });
  const sparse = new Array(3).fill(1, 0, 1);
  const tooDeep: Record<string, unknown> = {};
  let level = tooDeep;
  for (let depth = 0; depth < 65; depth++) level = (level['a'] = {}) as Record<string, unknown>;
  level['end'] = 1;
  for (const [tree, code, says] of [
    [{ fine: 1, bad: undefined }, 'VALUE_INVALID', /the tree at the text "bad" is undefined/],
    [{ fine: 1, bad: { worse: new Map() } }, 'VALUE_INVALID', /instance of Map/],
    [{ fine: 1, bad: cyclic }, 'VALUE_INVALID', /contains itself/],
    [sparse, 'VALUE_INVALID', /the tree at 1 is undefined/],
    [undefined, 'VALUE_INVALID', /the tree is undefined/],
    [tooDeep, 'VALUE_INVALID', /more than 64 levels/],
    [{ 'C:\\x': 1 }, 'PATH_INVALID', /"C:\\\\x" below its root, expected the text "C:x", or the text "C:\\\\\\\\x"/],
    [{ in: { '#1.50': 1 } }, 'PATH_INVALID', /"#1.50" below in, expected the text "#1.5", or the text "\\\\#1.50"/],
    [{ '0xFF': 1 }, 'PATH_INVALID', /expected the text "0xff"/],
    [{ '\ud800': 1 }, 'PATH_INVALID', /lone surrogate/],
    [{ ['x'.repeat(1025)]: 1 }, 'PATH_INVALID', /1,?024/],
  ] as const)
    for (const call of [
      () => db.putTree('kept', wrong(tree)),
      () => db.putTreeSync('kept', wrong(tree)),
      () => db.subtree('kept').putTree('', wrong(tree), { merge: true }),
      () => db.transact((tx) => tx.putTree('kept', wrong(tree))),
    ])
      await refusedUnwritten(db, call, { kind: 'invalid', code, says });
});

test('unknown and contradicting options are refused by name, never ignored', async (t) => {
  const { db } = opened(t);
  await db.put('a/b', 1);
  using snapshot = db.snapshot();
  const option = (says: RegExp) => ({ kind: 'invalid', code: 'OPTION_INVALID', says }) as const;
  const typo = wrong<object>({ limt: 1 });
  for (const call of [
    () => db.scan(typo),
    () => db.children('a', typo),
    () => db.getTree('a', typo),
    () => db.count(typo),
    () => db.readValue('a/b', typo),
    () => db.history('a/b', typo),
    () => db.prefetch(['a/b'], typo),
    () => db.prefetch(wrong(typo)),
    () => db.changes(typo),
    () => db.asOf(1, typo),
    () => snapshot.diff(snapshot, typo),
    () => snapshot.scan(typo),
    () => db.put('a', 1, typo),
    () => db.putSync('a', 1, typo),
    () => db.delete('a', typo),
    () => db.deleteTree('a', typo),
    () => db.putTree('a', {}, typo),
    () => db.increment('a', 1, typo),
    () => db.batch([], typo),
    () => db.transact(() => 1, typo),
    () => db.transactSync(() => 1, typo),
    () => db.begin(typo),
    () => db.transact((tx) => tx.put('a', 1, typo)),
    () => db.transact((tx) => tx.delete('a', typo)),
    () => db.transact((tx) => tx.putTree('a', {}, typo)),
    () => db.transact((tx) => tx.scan(typo).toArray()),
    () => db.batch([wrong<BatchOperation>({ type: 'put', path: 'a', value: 1, ...typo })]),
    () => db.as(typo),
    () => db.subtree('a', typo),
    () => db.backup(memoryStorage(), typo),
    () => db.compact(typo),
    () => db.verify(typo),
    () => db.repair(typo),
  ])
    await refusedUnwritten(db, call, option(/limt/));
  for (const given of [null, 5, 'users'])
    for (const call of [
      () => db.scan(wrong(given)),
      () => db.children('a', wrong(given)),
      () => db.getTree('a', wrong(given)),
      () => db.put('a', 1, wrong(given)),
      () => db.transact(() => 1, wrong(given)),
      () => db.compact(wrong(given)),
    ])
      await refusedUnwritten(db, call, option(/expected an object/));
  await refusedUnwritten(db, () => db.count(wrong(42)), option(/range: found 42/));
  for (const name of ['worm', 'retention', 'audit'])
    await refusedUnwritten(db, () => db.put('a', 1, wrong({ [name]: true })), {
      kind: 'invalid',
      code: 'FEATURE_MISSING',
      says: new RegExp(`${name}.*not built yet`),
    });
});

test('numbers, times and functions out of bounds are refused, and nothing is written', async (t) => {
  const { db } = opened(t);
  await db.put('a/b', 1);
  const put = (options: object) => () => db.put('a/b', 2, wrong<PutOptions>(options));
  const own = (work: (tx: Transaction) => unknown) => () => db.transact(work);
  const cases: readonly (readonly [code: string, says: RegExp, call: () => unknown])[] = [
    ...[-1, 1.5, Number.NaN, '1', 1n, null].flatMap((given) => [
      ['RANGE_INVALID', /limit.*expected a whole number from 0/, () => db.scan({ limit: wrong(given) })] as const,
      ['RANGE_INVALID', /limit/, () => db.children('a', { limit: wrong(given) })] as const,
      ['RANGE_INVALID', /limit/, () => db.getTree('a', { limit: wrong(given) })] as const,
      ['RANGE_INVALID', /depth/, () => db.getTree('a', { depth: wrong(given) })] as const,
      ['RANGE_INVALID', /limit/, () => db.history('a/b', { limit: wrong(given) })] as const,
      ['RANGE_INVALID', /nth/, () => db.nth('a', wrong(given))] as const,
      ['RANGE_INVALID', /offset/, () => db.readValue('a/b', { offset: wrong(given) })] as const,
      ['RANGE_INVALID', /length/, () => db.readValue('a/b', { length: wrong(given) })] as const,
      ['VERSION_INVALID', /ifVersion/, put({ ifVersion: given })] as const,
      ['VERSION_INVALID', /ifVersion/, own((tx) => tx.put('a/b', 2, { ifVersion: wrong(given) }))] as const,
      ['VERSION_INVALID', /from/, () => db.changes({ from: wrong(given) })] as const,
      ['OPTION_INVALID', /retries/, () => db.transact(() => 1, { retries: wrong(given) })] as const,
      ['OPTION_INVALID', /random/, own((tx) => tx.random(wrong(given)))] as const,
    ]),
    ...[0, -1, Number.NaN, '5', null, 2 ** 48].flatMap((given) => [
      ['EXPIRY_INVALID', /ttl.*expected/, put({ ttl: given })] as const,
      ['EXPIRY_INVALID', /ttl.*expected/, () => db.putTree('a', { b: 2 }, { ttl: wrong(given) })] as const,
    ]),
    ['EXPIRY_INVALID', /both ttl and expiresAt/, put({ ttl: 1, expiresAt: 2 })],
    ['EXPIRY_INVALID', /expiresAt is 0/, put({ expiresAt: 0 })],
    ['TIME_INVALID', /expiresAt/, put({ expiresAt: new Date(Number.NaN) })],
    ['TIME_INVALID', /assertedTime/, put({ assertedTime: 'yesterday' })],
    ['OPTION_INVALID', /durability.*'immediate', 'debounced' or 'async'/, put({ durability: 'soon' })],
    ['OPTION_INVALID', /once/, put({ once: '' })],
    ['OPTION_INVALID', /once.*1 to 200 bytes/, put({ once: 'x'.repeat(201) })],
    ['OPTION_INVALID', /actor/, put({ actor: '' })],
    ['OPTION_INVALID', /actor.*257 bytes.*256/, put({ actor: 'x'.repeat(257) })],
    ['OPTION_INVALID', /reason/, put({ reason: 5 })],
    ['OPTION_INVALID', /timeoutMs/, () => db.transact(() => 1, { timeoutMs: 0 })],
    ['OPTION_INVALID', /work is 5, expected a function/, () => db.transact(wrong(5))],
    ['OPTION_INVALID', /promise.*use transact/, () => db.transactSync(async () => 1)],
    ['OPTION_INVALID', /65536/, own((tx) => tx.random(65_537))],
    ['LISTENER_INVALID', /listener is 5, expected a function/, () => db.watch('a', wrong(5))],
    ['VERSION_INVALID', /99 does not exist yet, the newest is 1/, () => db.asOf(99)],
    ['VERSION_INVALID', /does not exist yet: for a time, give a Date/, () => db.asOf(Date.now())],
    ['TIME_INVALID', /asOf is an invalid Date/, () => db.asOf(new Date('soon'))],
    ['OPTION_INVALID', /found reed, expected a list of read/, () => db.as({ capabilities: [wrong('reed')] })],
    ['VERSION_INVALID', /ifVersion is "1", expected/, put({ ifVersion: wrong('1') })],
    ['VERSION_INVALID', /from is 99, expected a commit number from 0 to 1/, () => db.changes({ from: 99 })],
    ['VERSION_INVALID', /asOf is the text "x"/, () => db.asOf(wrong('x'))],
    ['TIME_INVALID', /asserted/, () => db.asOf({ asserted: wrong('x') })],
    ['RANGE_INVALID', /start lies outside the prefix/, () => db.scan({ prefix: 'a', start: 'b' })],
    ['RANGE_INVALID', /end lies outside the prefix/, () => db.count({ prefix: 'a', end: 'b' })],
    ['RANGE_INVALID', /after lies outside the prefix/, () => db.scan({ prefix: 'a', after: 'b' })],
    ['INCREMENT_TYPE', /delta is NaN/, () => db.increment('n', Number.NaN)],
    ['INCREMENT_TYPE', /delta is Infinity/, () => db.incrementSync('n', Number.POSITIVE_INFINITY)],
    ['INCREMENT_TYPE', /delta is the text "1"/, () => db.increment('n', wrong('1'))],
    ['BATCH_INVALID', /batch is an object, expected an array/, () => db.batch(wrong({}))],
    [
      'BATCH_INVALID',
      /operation 1: type is the text "putt", expected put, delete, check/,
      () => db.batch([{ type: 'put', path: 'x', value: 1 }, wrong({ type: 'putt' })]),
    ],
    ['BATCH_INVALID', /operation 0: type is undefined/, () => db.batch([wrong(null)])],
    ['BATCH_INVALID', /toString/, () => db.batch([wrong({ type: 'toString' })])],
    ['BATCH_INVALID', /operation 0: check without ifVersion/, () => db.batch([wrong({ type: 'check', path: 'a' })])],
    ['OPTION_INVALID', /cutLogAt is the text "foo", expected 'damage'/, () => db.repair({ cutLogAt: wrong('foo') })],
    ['OPTION_INVALID', /diff.*expected a snapshot/, () => db.snapshot().diff(wrong(db))],
    ['OPTION_INVALID', /capabilities/, () => db.as({ capabilities: wrong(['root']) })],
    ['PATH_INVALID', /paths are the text "a", expected an array of paths/, () => db.getMany(wrong('a'))],
  ];
  for (const [code, says, call] of cases) await refusedUnwritten(db, call, { kind: 'invalid', code, says });
});

test('increment says what it found where it expected a number, and writes nothing', async (t) => {
  const { db } = opened(t);
  for (const [value, says] of [
    ['five', /counters\/\\#1 holds the text "five", expected a number/],
    [null, /holds null/],
    [true, /holds true/],
    [{ a: 1 }, /holds an object/],
    [[1], /holds an array/],
    [new Uint8Array(1), /Uint8Array/],
    [new Date(0), /Date/],
  ] as const) {
    await db.put(['counters', '#1'], value);
    for (const call of [
      () => db.increment(['counters', '#1']),
      () => db.incrementSync(['counters', '#1']),
      () =>
        db.batch([
          { type: 'put', path: 'fine', value: 1 },
          { type: 'increment', path: ['counters', '#1'] },
        ]),
      () => db.transact((tx) => tx.increment(['counters', '#1'])),
    ])
      await refusedUnwritten(db, call, { kind: 'invalid', code: 'INCREMENT_TYPE', says });
  }
  await db.put('big', 2n ** 70n);
  await refusedUnwritten(db, () => db.increment('big', 0.5), { kind: 'invalid', code: 'INCREMENT_TYPE', says: /0\.5 have no exact sum/ });
});

test('open refuses what is nothing to open, unknown options and contradictions, and makes nothing', async () => {
  const storage = memoryStorage();
  const given = (options: object) => () => open(wrong<OpenOptions>({ storage, ...options }));
  for (const [code, says, call] of [
    ['OPTION_INVALID', /nothing to open, expected the name of a directory, or options/, () => open(wrong(undefined))],
    ['OPTION_INVALID', /nothing to open/, () => open(wrong(null))],
    ['OPTION_INVALID', /nothing to open/, () => open('./somewhere', wrong(null))],
    ['OPTION_INVALID', /found 5, expected an object/, () => open(wrong(5))],
    ['OPTION_INVALID', /found a URL, expected the name of a directory/, () => open(wrong(new URL('file:///somewhere')))],
    ['OPTION_INVALID', /directory is empty/, () => open('')],
    ['OPTION_INVALID', /storage is missing/, () => open({})],
    ['OPTION_INVALID', /no storage, expected the name of a directory or a storage/, () => open({ storage: wrong(5) })],
    ['OPTION_INVALID', /a directory and options.storage given/, () => open('./somewhere', { storage })],
    ['OPTION_INVALID', /unknown option cache/, given({ cache: 5 })],
    ['FEATURE_MISSING', /encryption/, given({ encryption: {} })],
    ['OPTION_INVALID', /cacheMemory: found 5/, given({ cacheMemory: 5 })],
    ['OPTION_INVALID', /pageSize: found 5000, expected 8192, 16384/, given({ pageSize: 5000 })],
    ['OPTION_INVALID', /historyRetention: found -1/, given({ historyRetention: -1 })],
    ['OPTION_INVALID', /logRetention: found 1 ms, expected at least the longest history/, given({ logRetention: 1 })],
    ['OPTION_INVALID', /debounceMs: found 0/, given({ debounceMs: 0 })],
    ['OPTION_INVALID', /durability: found "soon"/, given({ durability: 'soon' })],
    ['OPTION_INVALID', /readOnly: found "yes"/, given({ readOnly: 'yes' })],
    ['OPTION_INVALID', /logger: found 5, expected a function/, given({ logger: 5 })],
    ['OPTION_INVALID', /viewIdleMs: found 0/, given({ viewIdleMs: 0 })],
    ['OPTION_INVALID', /segmentBytes/, given({ segmentBytes: 70_000 })],
    ['NOT_FOUND', /read-only open creates none/, given({ readOnly: true })],
    ['OPTION_INVALID', /in no directory: other threads cannot reach/, () => attach(wrong(undefined))],
    ['OPTION_INVALID', /holds 1 files, expected an empty one/, () => restore('./none.tar', filled())],
  ] as const)
    await refused(call, { kind: 'invalid', code, says });
  assert.deepEqual(storage.list(), []);
});

function filled(): ReturnType<typeof memoryStorage> {
  const storage = memoryStorage();
  storage.open('pages.db', { create: true }).close();
  return storage;
}

test('a closed database refuses every call, and so does everything that was opened on it', async () => {
  const db = openSync({ storage: memoryStorage() });
  await db.put('a', 1);
  const sub = db.subtree('s');
  const snapshot = db.snapshot();
  const tx = db.beginSync();
  const rows = db.scan();
  const stream = db.changes();
  await db.close();
  await db.close();
  const refusal = { kind: 'closed', code: 'DATABASE_CLOSED' } as const;
  const calls: readonly (() => unknown)[] = [
    ...[db, db.as({ actor: 'ada' }), sub, snapshot, tx].flatMap((handle) => [
      () => handle.get('a'),
      () => handle.getMany(['a']),
      () => handle.has('a'),
      () => handle.entry('a'),
      () => handle.kind('a'),
      () => handle.readValue('a'),
      () => handle.getTree('a'),
      () => handle.children().toArray(),
      () => handle.scan().toArray(),
      () => handle.count(),
      () => handle.first(),
      () => handle.last(),
      () => handle.nth('', 0),
      () => handle.getAsync('a'),
      () => handle.getManyAsync(['a']),
      () => handle.prefetch(['a']),
    ]),
    ...[db as Database, sub].flatMap((handle) => [
      () => handle.put('a', 1),
      () => handle.putSync('a', 1),
      () => handle.delete('a'),
      () => handle.deleteTree('a'),
      () => handle.putTree('a', { b: 1 }),
      () => handle.increment('a'),
      () => handle.batch([]),
      () => handle.transact(() => 1),
      () => handle.transactSync(() => 1),
      () => handle.begin(),
      () => handle.snapshot(),
      () => handle.asOf(0),
      () => handle.history('a').toArray(),
      () => handle.changes().next(),
      () => handle.watch('', () => {}),
      () => handle.subtree('p', { ttl: 5 }),
    ]),
    () => rows.toArray(),
    () => tx.put('a', 2),
    () => tx.commit(),
    () => db.sync(),
    () => db.flush(),
    () => db.compact(),
    () => db.verify(),
    () => db.backup(memoryStorage()),
    () => db.share(),
    () => db.repair(),
  ];
  for (const call of calls) await refused(call, refusal);
  await refused(() => stream.next(), refusal);
});

test('an ended transaction and a closed view refuse every call', async (t) => {
  const { db } = opened(t);
  await db.put('a', 1);
  const tx = await db.begin();
  tx.abort();
  tx.abort();
  for (const call of [
    () => tx.get('a'),
    () => tx.put('a', 2),
    () => tx.scan().toArray(),
    () => tx.increment('n'),
    () => tx.subtree('s').get('a'),
    () => tx.commit(),
    () => tx.commitSync(),
    () => tx.committed,
  ])
    await refusedUnwritten(db, call, { kind: 'closed', code: 'TRANSACTION_CLOSED' });
  const snapshot = db.snapshot();
  snapshot.close();
  snapshot.close();
  for (const call of [() => snapshot.get('a'), () => snapshot.scan().toArray(), () => snapshot.subtree('a').count()])
    await refused(call, { kind: 'closed', code: 'VIEW_CLOSED' });
});
