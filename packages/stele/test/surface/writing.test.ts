/** Writing: each call, its blocking twin, through a database, an identity, a subtree and a transaction. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { commitStamp, parseCommitStamp } from '../../src/model/stamp.ts';
import type { Bucket, Commit, Database, Transaction, Value } from '../../src/model/types.ts';
import { makeWorld, opened, refused, refusedUnwritten, START_MS } from './kit.ts';

type Both = Bucket | Transaction;

/** The same writes through each handle that writes; `done` makes them last. */
const WAYS: readonly (readonly [name: string, write: (db: Database, work: (handle: Both) => unknown) => Promise<void>])[] = [
  ['database', async (db, work) => void (await work(db))],
  ['identity', async (db, work) => void (await work(db.as({ actor: 'ada', reason: 'test' })))],
  ['subtree of the root', async (db, work) => void (await work(db.subtree('')))],
  ['transact', async (db, work) => void (await db.transact((tx) => work(tx)))],
  ['transactSync', async (db, work) => void db.transactSync((tx) => void work(tx))],
  [
    'begin',
    async (db, work) => {
      await using tx = await db.begin();
      await work(tx);
      await tx.commit();
    },
  ],
  ['subtree of a transaction', async (db, work) => void (await db.transact((tx) => work(tx.subtree(''))))],
];

function eachWay(
  name: string,
  work: (
    it: { db: Database; clock: { ms: number }; write: (work: (handle: Both) => unknown) => Promise<void> },
    t: TestContext,
  ) => Promise<void>,
): void {
  test(name, async (t) => {
    for (const [way, through] of WAYS) {
      const it = opened(t);
      try {
        await work({ ...it, write: (inner) => through(it.db, inner) }, t);
      } catch (error) {
        throw new Error(`through ${way}: ${error instanceof Error ? error.stack : String(error)}`, { cause: error });
      }
    }
  });
}

eachWay('put writes, replaces, and is seen at once', async ({ db, write }) => {
  await write((handle) => handle.put('a/b', 1));
  await write((handle) => handle.put(['a', 'b'], { two: 2 }));
  assert.deepEqual(db.get('a/b'), { two: 2 });
  assert.equal(db.count(), 1);
  assert.equal(db.entry('a/b')?.version, 2);
});

eachWay('put with ttl or expiresAt: from then on the value is not there, for any read', async ({ db, clock, write }) => {
  await write((handle) => handle.put('ttl', 1, { ttl: 1000 }));
  await write((handle) => handle.put('at', 2, { expiresAt: new Date(START_MS + 2000) }));
  await write((handle) => handle.put('number', 3, { expiresAt: START_MS + 3000 }));
  await write((handle) => handle.put('ever', 4, { ttl: Number.POSITIVE_INFINITY }));
  assert.deepEqual(db.entry('ttl')?.expiresAt, new Date(START_MS + 1000));
  const seen = (): unknown[] =>
    db
      .scan()
      .toArray()
      .map(({ path }) => path[0]);
  for (const [ms, left] of [
    [999, ['at', 'ever', 'number', 'ttl']],
    [1000, ['at', 'ever', 'number']],
    [2000, ['ever', 'number']],
    [3000, ['ever']],
  ] as const) {
    clock.ms = START_MS + ms;
    assert.deepEqual(seen(), left);
    assert.equal(db.count(), left.length);
    assert.deepEqual(db.children().toArray(), left);
    assert.equal(db.has('ttl'), ms < 1000);
    assert.equal(db.get('ttl'), ms < 1000 ? 1 : undefined);
    assert.equal(db.entry('ttl') !== undefined, ms < 1000);
    assert.equal(db.kind('ttl'), ms < 1000 ? 'value' : 'none');
  }
});

eachWay('a value put with an expiry in the past is not there, and stays in history', async ({ db, write }) => {
  await write((handle) => handle.put('a', 1));
  await write((handle) => handle.put('a', 2, { expiresAt: START_MS - 1 }));
  assert.equal(db.get('a'), undefined);
  assert.equal(db.count(), 0);
  assert.ok(
    db
      .history('a')
      .toArray()
      .some(({ value }) => value === 2),
  );
});

eachWay('ifVersion: the version it must have, 0 for must not exist; deleted and expired do not exist', async ({ db, clock, write }) => {
  const mismatch = { kind: 'conflict', code: 'VERSION_MISMATCH' } as const;
  await write((handle) => handle.put('a', 1, { ifVersion: 0 }));
  await refusedUnwritten(db, () => write((handle) => handle.put('a', 2, { ifVersion: 0 })), {
    ...mismatch,
    says: /has version 1, expected/,
  });
  await refusedUnwritten(db, () => write((handle) => handle.put('a', 2, { ifVersion: 7 })), mismatch);
  await write((handle) => handle.put('a', 2, { ifVersion: 1 }));
  await refusedUnwritten(db, () => write((handle) => handle.delete('a', { ifVersion: 1 })), mismatch);
  await write((handle) => handle.delete('a', { ifVersion: 2 }));
  await refusedUnwritten(db, () => write((handle) => handle.put('a', 3, { ifVersion: 2 })), mismatch);
  await write((handle) => handle.put('a', 3, { ifVersion: 0, ttl: 10 }));
  clock.ms += 10;
  await refusedUnwritten(db, () => write((handle) => handle.put('a', 4, { ifVersion: 4 })), mismatch);
  await write((handle) => handle.put('a', 4, { ifVersion: 0 }));
  assert.equal(db.get('a'), 4);
});

eachWay('delete takes the value and leaves what lies below; nothing there is nothing written', async ({ db, write }) => {
  await write((handle) => handle.putTree('a', { '': 1, b: 2 }));
  await write((handle) => handle.delete('a'));
  assert.deepEqual(db.getTree('a'), { b: 2 });
  const { version } = db;
  await write((handle) => handle.delete('nothing'));
  assert.equal(db.version, version);
});

eachWay('deleteTree takes the value and all below, and nothing beside', async ({ db, write }) => {
  for (const path of [['a'], ['a', 'b'], ['a', 'b', 1], ['a\0'], ['a\0b'], ['ab'], [1]]) await db.put(path, 1);
  await write((handle) => handle.deleteTree('a'));
  assert.deepEqual(
    db
      .scan()
      .toArray()
      .map(({ path }) => path),
    [[1], ['a\0'], ['a\0b'], ['ab']],
  );
  await write((handle) => handle.deleteTree(['a\0']));
  await write((handle) => handle.deleteTree());
  assert.equal(db.count(), 0);
});

eachWay('putTree replaces the subtree; merge keeps the other leaves', async ({ db, write }) => {
  await db.put('ab', 'beside');
  await write((handle) => handle.putTree('a', { x: 1, y: { z: [1, 2] } }));
  await write((handle) => handle.putTree('a', { y: { w: 3 } }, { merge: true }));
  assert.deepEqual(db.getTree('a'), { x: 1, y: { w: 3, z: [1, 2] } });
  await write((handle) => handle.putTree('a', { y: 5 }));
  assert.deepEqual(db.getTree('a'), { y: 5 });
  await write((handle) => handle.putTree('a', 'a value is a tree too'));
  assert.equal(db.get('a'), 'a value is a tree too');
  await write((handle) => handle.putTree('', { a: { b: 1 } }, { merge: true }));
  assert.deepEqual(db.getTree(), { a: { '': 'a value is a tree too', b: 1 }, ab: 'beside' });
  await write((handle) => handle.putTree('', { only: true }));
  assert.deepEqual(db.getTree(), { only: true });
});

eachWay('putTree and getTree give back the same tree, with arrays, empties, own values, typed and odd names', async ({ db, write }) => {
  const trees: readonly Value[] = [
    { a: [], b: {}, c: [[], [{}], 'x'], d: { '': 'own', e: 1 } },
    [1, [2, [3]], { a: [4] }],
    { '#42': 'number', '#true': 'boolean', '0x00ff': 'bytes', '\\#42': 'text', '#x': 'text', 'a/b': 'slash', '\\\\': 'backslash' },
    { '#0': 'zero', '#2': 'two' },
    { '#1': 'no zero' },
    { '#0': 'with a name', x: 1 },
    { '': 'own', '#0': 'zero' },
    JSON.parse('{"__proto__": {"__proto__": 1}, "constructor": 2, "toString": 3}'),
    { date: new Date(5), bytes: new Uint8Array([1]), big: 2n ** 70n, nothing: null, nan: Number.NaN, minus: -0 },
    { é: { 日本: '\ud800' } },
  ];
  for (const tree of trees) {
    await write((handle) => handle.putTree('t', tree));
    const found = db.getTree('t')!;
    assert.deepStrictEqual(found, sortedLike(found, tree));
    assert.deepStrictEqual(sortedLike(tree, found), tree);
    const rows = db
      .scan({ prefix: 't', values: true })
      .toArray()
      .map(({ path, value }) => [path, value]);
    await write((handle) => handle.putTree('t', found));
    assert.deepStrictEqual(
      db
        .scan({ prefix: 't' })
        .toArray()
        .map(({ path, value }) => [path, value]),
      rows,
    );
  }
  assert.equal(db.count('t'), 1);
});

/** Members come back in path order; `wanted` in the order of `found`. */
function sortedLike(found: Value, wanted: Value): Value {
  if (Array.isArray(wanted) && Array.isArray(found)) return wanted.map((one, at) => sortedLike(found[at]!, one));
  const isObject = (value: Value): value is Record<string, Value> =>
    value !== null && typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date) && !(value instanceof Uint8Array);
  if (!isObject(wanted) || !isObject(found)) return wanted;
  const names = Object.keys(found).filter((name) => Object.hasOwn(wanted, name));
  const others = Object.keys(wanted).filter((name) => !Object.hasOwn(found, name));
  return Object.fromEntries(
    [...names, ...others].map((name) => [name, names.includes(name) ? sortedLike(found[name]!, wanted[name]!) : wanted[name]!]),
  );
}

eachWay(
  'increment: missing is 0, negative and fractions add, beyond the safe range it becomes bigint and comes back',
  async ({ db, clock, write }) => {
    const add = async (delta?: number | bigint): Promise<unknown> => {
      let sum: unknown;
      await write(async (handle) => {
        sum = await (delta === undefined ? handle.increment('n') : handle.increment('n', delta));
      });
      assert.deepEqual(db.get('n'), sum);
      return sum;
    };
    assert.equal(await add(), 1);
    assert.equal(await add(41), 42);
    assert.equal(await add(-42.5), -0.5);
    await db.put('n', Number.MAX_SAFE_INTEGER);
    assert.equal(await add(), 2n ** 53n);
    assert.equal(await add(1n), 2n ** 53n + 1n);
    assert.equal(await add(-2), Number.MAX_SAFE_INTEGER);
    await db.put('n', Number.MIN_SAFE_INTEGER);
    assert.equal(await add(-1), -(2n ** 53n));
    await db.put('n', 2 ** 53);
    assert.equal(await add(), 2n ** 53n + 1n);
    await db.put('n', 5, { ttl: 100 });
    assert.equal(await add(), 6);
    assert.deepEqual(db.entry('n')?.expiresAt, new Date(clock.ms + 100), 'keeps its expiry');
    clock.ms += 100;
    assert.equal(await add(), 1, 'what has expired counts as missing');
    assert.equal(db.entry('n')?.expiresAt, undefined);
  },
);

test('the sync twins do the same and give the same', async (t) => {
  const async = opened(t).db;
  const sync = opened(t).db;
  const same = (a: unknown, b: unknown): void => assert.deepEqual(strip(b), strip(a));
  const strip = (result: unknown): unknown =>
    typeof result === 'object' ? { version: (result as Commit).version, changed: (result as Commit).changed } : result;
  same(await async.put('a', 1, { ttl: 50 }), sync.putSync('a', 1, { ttl: 50 }));
  same(await async.put('b', 1), sync.putSync('b', 1));
  same(await async.delete('a'), sync.deleteSync('a'));
  same(await async.delete('a'), sync.deleteSync('a'));
  same(await async.putTree('t', { a: [1, 2] }), sync.putTreeSync('t', { a: [1, 2] }));
  same(await async.increment('n', 5n), sync.incrementSync('n', 5n));
  same(await async.batch([{ type: 'put', path: 'x', value: 1 }]), sync.batchSync([{ type: 'put', path: 'x', value: 1 }]));
  same(
    await async.transact((tx) => tx.increment('n')),
    sync.transactSync((tx) => tx.increment('n')),
  );
  same(await async.deleteTree('t'), sync.deleteTreeSync('t'));
  await using tx = await async.begin();
  using txSync = sync.beginSync();
  tx.put('z', 1);
  txSync.put('z', 1);
  same(await tx.commit(), txSync.commitSync());
  assert.deepEqual(sync.scan().toArray(), async.scan().toArray());
  assert.equal(sync.version, async.version);
});

test('a commit says version, time, durability, checksum and how much changed', async (t) => {
  const { db, clock } = opened(t);
  clock.ms += 5;
  const commit = await db.put('a', 1);
  assert.equal(commit.version, 1);
  assert.deepEqual(commit.time, new Date(START_MS + 5));
  assert.equal(commit.durability, 'device');
  assert.equal(commit.changed, 1);
  assert.ok(Number.isInteger(commit.checksum) && commit.checksum !== 0);
  const nothing = await db.delete('nothing');
  assert.deepEqual([nothing.version, nothing.changed, nothing.checksum], [1, 0, 0]);
  assert.equal((await db.putTree('t', { a: 1, b: 2, c: 3 })).changed, 3);
  assert.equal((await db.deleteTree('t')).changed, 3);
  assert.notEqual((await db.put('a', 1)).checksum, commit.checksum);
});

test('promises resolve in commit order, whatever the call', async (t) => {
  const { db } = opened(t);
  const order: number[] = [];
  const note = (commit: Commit): void => void order.push(commit.version);
  await Promise.all([
    db.put('a', 1).then(note),
    db.batch([{ type: 'put', path: 'b', value: 1 }]).then(note),
    db.putTree('c', { d: 1 }).then(note),
    db.delete('a').then(note),
    db.put('a', 2, { durability: 'async' }).then(note),
    db.deleteTree('c').then(note),
    db.put('e', 2).then(note),
  ]);
  assert.deepEqual(order, [1, 2, 3, 4, 5, 6, 7]);
});

test('the strongest durability of database, subtree and call holds', async (t) => {
  const { db } = opened(t, { durability: 'async' });
  const safe = db.subtree('safe', { durability: 'immediate' });
  const level = async (commit: Commit | Promise<Commit>): Promise<string> => (await commit).durability;
  assert.equal(await level(db.put('a', 1)), 'kernel');
  assert.equal(await level(db.put('a', 1, { durability: 'immediate' })), 'device');
  assert.equal(await level(safe.put('a', 1)), 'device');
  assert.equal(await level(safe.put('a', 1, { durability: 'async' })), 'device');
  assert.equal(await level(safe.subtree('deeper').put('b', 1)), 'device');
  assert.equal(await level(db.putSync('safe/b', 1)), 'device');
  assert.equal(
    await level(
      db.batch([
        { type: 'put', path: 'a', value: 1 },
        { type: 'put', path: 'safe/x', value: 1 },
      ]),
    ),
    'device',
  );
  assert.equal(await level(db.deleteTree('safe')), 'device');
  assert.equal(await level(db.putTree('', { a: 1, safe: 1 }, { merge: true })), 'device');
  let committed: Promise<Commit> | undefined;
  await db.transact((tx) => {
    committed = tx.committed;
    tx.put('safe/y', 1);
  });
  assert.equal(await level(committed!), 'device');
  const strict = opened(t).db;
  assert.equal(await level(strict.put('a', 1, { durability: 'async' })), 'device');
});

test('batch does all its operations in one commit, the last effect on a path counts', async (t) => {
  const { db } = opened(t);
  await db.putTree('old', { a: 1, b: 2 });
  const commit = await db.batch([
    { type: 'put', path: 'a', value: 1 },
    { type: 'put', path: 'a', value: 2 },
    { type: 'put', path: 'b', value: 1 },
    { type: 'delete', path: 'b' },
    { type: 'deleteTree', path: 'old' },
    { type: 'put', path: 'old/b', value: 'new' },
    { type: 'increment', path: 'n', delta: 4 },
    { type: 'increment', path: 'n' },
    { type: 'put', path: 'ttl', value: 1, ttl: 100 },
  ]);
  assert.equal(commit.version, 2);
  assert.deepEqual(db.getTree(), { a: 2, n: 5, old: { b: 'new' }, ttl: 1 });
  assert.ok(
    db
      .scan()
      .toArray()
      .every(({ version }) => version === 2),
  );
});

test('batch judges ifVersion and check against the state before it, and one that fails refuses all', async (t) => {
  const { db } = opened(t);
  await db.put('a', 1);
  await db.batch([
    { type: 'check', path: 'a', ifVersion: 1 },
    { type: 'check', path: 'b', ifVersion: 0 },
    { type: 'put', path: 'a', value: 2, ifVersion: 1 },
    { type: 'put', path: 'a', value: 3, ifVersion: 1 },
    { type: 'delete', path: 'c', ifVersion: 0 },
    { type: 'increment', path: 'n', ifVersion: 0 },
  ]);
  assert.deepEqual(db.getTree(), { a: 3, n: 1 });
  for (const bad of [
    { type: 'check', path: 'a', ifVersion: 1 },
    { type: 'put', path: 'a', value: 9, ifVersion: 0 },
    { type: 'delete', path: 'a', ifVersion: 1 },
    { type: 'increment', path: 'n', ifVersion: 0 },
  ] as const)
    await refusedUnwritten(db, () => db.batch([{ type: 'put', path: 'x', value: 1 }, bad, { type: 'put', path: 'y', value: 1 }]), {
      kind: 'conflict',
      code: 'VERSION_MISMATCH',
    });
});

test('an increment in a batch sees the operations before it, their expiry too, and no sibling of a deleted tree', async (t) => {
  const { db, clock } = opened(t);
  await db.put('kept', 10, { ttl: 1000 });
  await db.put('plain', 10, { ttl: 1000 });
  await db.put(['a\0b'], 5);
  await db.put('a/c', 5);
  await db.batch([
    { type: 'put', path: 'new', value: 1, ttl: 500 },
    { type: 'increment', path: 'new' },
    { type: 'increment', path: 'kept' },
    { type: 'put', path: 'plain', value: 1 },
    { type: 'increment', path: 'plain' },
    { type: 'put', path: ['a\0b'], value: 7 },
    { type: 'deleteTree', path: 'a' },
    { type: 'increment', path: ['a\0b'] },
    { type: 'increment', path: 'a/c' },
  ]);
  const entry = (path: string | string[]): unknown[] => [db.get(path), db.entry(path)?.expiresAt?.getTime()];
  assert.deepEqual(entry('new'), [2, clock.ms + 500]);
  assert.deepEqual(entry('kept'), [11, clock.ms + 1000]);
  assert.deepEqual(entry('plain'), [2, undefined]);
  assert.deepEqual(entry(['a\0b']), [8, undefined]);
  assert.deepEqual(entry('a/c'), [1, undefined]);
});

test('deleteTree is atomic: a view, a scan under way and the change stream see all of it or nothing', async (t) => {
  const { db } = opened(t);
  await db.batch(Array.from({ length: 2500 }, (_, at) => ({ type: 'put', path: ['big', at], value: at })));
  const view = db.snapshot();
  const rows = db.scan({ prefix: 'big' })[Symbol.iterator]();
  rows.next();
  const deleting = db.deleteTree('big');
  assert.equal(view.count('big'), 2500);
  const commit = await deleting;
  assert.deepEqual([commit.version, commit.changed, db.count()], [2, 2500, 0]);
  assert.equal(view.count('big'), 2500);
  let seen = 1;
  while (rows.next().done !== true) seen++;
  assert.equal(seen, 2500);
  let ops = 0;
  for await (const change of db.changes({ from: 1 })) {
    assert.equal(change.version, 2);
    ops += change.ops.length;
    if (change.more === undefined) break;
  }
  assert.equal(ops, 2500);
});

test('assertedTime goes with the commit as evidence and never decides expiry', async (t) => {
  const { db, clock } = opened(t);
  await db.put('a', 1, { assertedTime: new Date(1000), ttl: 100 });
  assert.equal(db.get('a'), 1);
  assert.deepEqual(db.entry('a')?.expiresAt, new Date(clock.ms + 100));
  const change = (await db.changes({ from: 0 }).next()).value!;
  assert.deepEqual(change.assertedTime, new Date(1000));
  assert.deepEqual(change.time, new Date(clock.ms));
});

test('once: the key is stored in the same commit; a repeat writes nothing and gives the first commit', async (t) => {
  const { db } = opened(t);
  const put = await db.put('a', 1, { once: 'k1' });
  const again = await db.put('a', 2, { once: 'k1' });
  assert.deepEqual({ ...again }, { ...put });
  assert.equal(db.get('a'), 1);
  assert.deepEqual({ ...db.putSync('a', 3, { once: 'k1' }) }, { ...put });
  assert.equal(await db.increment('n', 5, { once: 'k2' }), 5);
  assert.equal(await db.increment('n', 5, { once: 'k2' }), 5);
  assert.equal(db.incrementSync('n', 5, { once: 'k2' }), 5);
  const calls: readonly ((once: string) => Promise<Commit>)[] = [
    (once) => db.batch([{ type: 'increment', path: 'n' }], { once }),
    (once) => db.putTree('t', { a: db.version }, { once }),
    (once) => db.deleteTree('t', { once }),
    (once) => db.delete('nothing', { once }),
    (once) => db.subtree('s').put('x', db.version, { once }),
    (once) => db.put('v', 1, { once, ifVersion: 0 }),
  ];
  for (const [at, call] of calls.entries()) {
    const first = await call(`call ${at}`);
    const { version } = db;
    const rows = db.scan().toArray();
    const repeat = await call(`call ${at}`);
    assert.deepEqual([repeat.version, repeat.checksum, repeat.time], [first.version, first.checksum, first.time], String(call));
    assert.equal(db.version, version);
    assert.deepEqual(db.scan().toArray(), rows);
  }
});

test('once holds for writers at the same time, after deleteTree of everything, and after opening again', async () => {
  const world = makeWorld();
  const first = opened(undefined, {}, world).db;
  const commits = await Promise.all([1, 2, 3].map((value) => first.put('a', value, { once: 'k' })));
  assert.deepEqual(
    commits.map(({ version }) => version),
    [1, 1, 1],
  );
  assert.equal(first.get('a'), 1);
  await first.deleteTree();
  assert.equal((await first.put('a', 9, { once: 'k' })).version, 1);
  assert.equal(first.count(), 0);
  assert.equal(await first.increment('n', 3, { once: 'n' }), 3);
  await first.close();
  const second = opened(undefined, {}, world).db;
  assert.deepEqual({ ...(await second.put('a', 9, { once: 'k' })) }, { ...commits[0] });
  assert.equal(await second.increment('n', 3, { once: 'n' }), 3);
  assert.equal(second.get('n'), 3);
  await second.close();
});

test('a refused write does not use up its idempotency key', async (t) => {
  const { db } = opened(t);
  await db.put('a', 1);
  await refused(() => db.put('a', 2, { ifVersion: 0, once: 'k' }), { kind: 'conflict', code: 'VERSION_MISMATCH' });
  assert.equal((await db.put('a', 2, { ifVersion: 1, once: 'k' })).version, 2);
});

test('commitStamp becomes (version, index) at the commit: order of commits, and within one the order written', async (t) => {
  const { db } = opened(t);
  const log = db.subtree('log');
  await Promise.all([db.put(['log', commitStamp()], 'a'), log.put([commitStamp()], 'b'), db.put(['log', commitStamp()], 'c', { ttl: 9 })]);
  db.batchSync([
    { type: 'put', path: ['log', commitStamp()], value: 'd' },
    { type: 'put', path: 'beside', value: 0 },
    { type: 'put', path: ['log', commitStamp(), 'detail'], value: 'e' },
  ]);
  await db.transact((tx) => {
    tx.put(['log', commitStamp()], 'f');
    tx.subtree('log').put([commitStamp()], 'g');
    assert.equal(tx.count('log'), 5, 'its own stamped paths come at the commit');
  });
  const rows = log.scan().toArray();
  assert.deepEqual(
    rows.map(({ value }) => value),
    ['a', 'b', 'c', 'd', 'e', 'f', 'g'],
  );
  const stamps = rows.map(({ path, version }) => ({ ...parseCommitStamp(path[0]!), of: version }));
  assert.deepEqual(
    stamps.map(({ version, index }) => [version, index]),
    [
      [1, 0],
      [2, 0],
      [3, 0],
      [4, 0],
      [4, 1],
      [5, 0],
      [5, 1],
    ],
  );
  assert.ok(stamps.every(({ version, of }) => version === of));
  const invalid = { kind: 'invalid', code: 'PATH_INVALID' } as const;
  await refusedUnwritten(db, () => db.put([commitStamp(), commitStamp()], 1), { ...invalid, says: /found 2 commit stamps, expected one/ });
  await refusedUnwritten(db, () => db.transact((tx) => tx.put([commitStamp(), commitStamp()], 1)), invalid);
  await refusedUnwritten(db, () => db.transact((tx) => tx.put(['log', commitStamp(), ''], 1)), invalid);
  await refusedUnwritten(db, () => db.transact((tx) => tx.put(['log', commitStamp()], 1, { ifVersion: 5 })), {
    kind: 'conflict',
    code: 'VERSION_MISMATCH',
  });
  for (const segment of ['x', -1, 1.5, true]) assert.throws(() => parseCommitStamp(segment), { code: 'PATH_INVALID' });
});

test('worm and other options of what is not built yet are refused by name', async (t) => {
  const { db } = opened(t);
  const options = { worm: true } as object;
  for (const call of [() => db.put('a', 1, options), () => db.putSync('a', 1, options), () => db.putTree('a', {}, options)])
    await refusedUnwritten(db, call, { kind: 'invalid', code: 'FEATURE_MISSING', says: /worm/ });
});
