/** Structure: a subtree has the surface of the database, with paths relative in and out, and policies of its own. test/policies goes deeper. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Policy } from '../../src/model/policy/types.ts';
import { commitStamp } from '../../src/model/stamp.ts';
import type { Bucket } from '../../src/model/types.ts';
import { makeWorld, opened, refused, refusedUnwritten, settled } from './kit.ts';

/** Everything a bucket does, told by what it gives; the same program for the database and for any subtree. */
async function program(bucket: Bucket): Promise<unknown[]> {
  const told: unknown[] = [];
  const from = bucket.version;
  const watch = bucket.watch('a', ({ ops }) => told.push(['watch', ops.map(({ path }) => path)]));
  await bucket.put('a/b', 1);
  await bucket.put(['a', 'c', 2], { x: 1 });
  bucket.putSync('z', 'last');
  told.push(await bucket.increment('n', 2), bucket.incrementSync('n'));
  await bucket.putTree('t', { list: [1, 2], own: { '': 0, deeper: true } });
  await bucket.batch([
    { type: 'put', path: 'a/d', value: 4 },
    { type: 'delete', path: 'a/b', ifVersion: bucket.entry('a/b')!.version },
    { type: 'check', path: 'none', ifVersion: 0 },
    { type: 'increment', path: 'n', delta: 10 },
  ]);
  await bucket.transact((tx) => {
    told.push(tx.getTree('t'), tx.count(), tx.children().toArray());
    tx.put('in/transaction', tx.subtree('a').get('d')!);
  });
  await bucket.put(['log', commitStamp()], 'stamped');
  told.push(bucket.count('log'));
  await bucket.deleteTree('log');
  using then = bucket.snapshot();
  await bucket.deleteTree('t');
  using now = bucket.snapshot();
  told.push(
    then
      .diff(now)
      .toArray()
      .map(({ path, before }) => [path, before]),
  );
  told.push(
    then.getTree(),
    bucket.getTree(),
    bucket
      .scan()
      .toArray()
      .map(({ path, value }) => [path, value]),
  );
  told.push(
    bucket
      .scan({ prefix: 'a', start: 'a/c', reverse: true })
      .toArray()
      .map(({ path }) => path),
  );
  told.push(bucket.first()?.path, bucket.last()?.path, bucket.nth('a', 1)?.path, bucket.count(), bucket.children('a').toArray());
  told.push(
    bucket
      .history('n')
      .toArray()
      .map(({ value }) => value),
  );
  told.push(bucket.kind(''), bucket.kind('t'), bucket.getMany(['z', 'none']), await bucket.getManyAsync(['z']));
  await settled();
  watch[Symbol.dispose]();
  const changes: unknown[] = [];
  for await (const change of bucket.changes({ from })) {
    changes.push(change.ops.map(({ type, path, value }) => [type, path[0] === 'log' ? 'log' : path, value]));
    if (change.version === bucket.version) break;
  }
  told.push(changes);
  return told;
}

test('a subtree does all that the database does, with paths relative in and out', async (t) => {
  const expected = await program(opened(t).db);
  for (const place of [['s'], ['deep', 1, true, 'place'], [new Uint8Array([0, 255])], ['s\0'], ['a'], [2n ** 70n, 'x']]) {
    const { db } = opened(t);
    await db.put([...place.slice(0, -1), 'beside'], 'beside');
    const sub = db.subtree(place);
    assert.deepEqual(await program(sub), expected, String(place));
    assert.deepEqual(sub.path, place);
    assert.equal(db.get([...place, 'z']), 'last');
    assert.deepEqual(await program(db.subtree(place).as({ actor: 'ada' }).subtree('below')), expected);
    assert.equal(db.get([...place.slice(0, -1), 'beside']), 'beside');
  }
});

test('a subtree can be taken of every view: database, subtree, snapshot, the past, transaction', async (t) => {
  const { db } = opened(t);
  await db.put('a/b/c', 1);
  using snapshot = db.snapshot();
  using past = db.asOf(1);
  using tx = db.beginSync();
  for (const handle of [db, db.subtree('a').subtree('').subtree(''), snapshot, past, tx] as const) {
    const below = handle.subtree(handle === db || !('path' in handle) || handle.path.length === 0 ? 'a/b' : 'b');
    assert.deepEqual(
      below
        .scan()
        .toArray()
        .map(({ path, value }) => [path, value]),
      [[['c'], 1]],
    );
  }
  assert.equal(db.subtree('a').snapshot().subtree('b').get('c'), 1);
  assert.equal(db.subtree('a').asOf(1).get('b/c'), 1);
});

test('.policy is what is declared here and inherited; declared again as it is, no commit is made', async (t) => {
  const { db } = opened(t);
  const outer = db.subtree('o', { ttl: 5000, durability: 'debounced', history: 1000 });
  const { version } = db;
  assert.equal(version, 1);
  db.subtree('o', { ttl: 5000, durability: 'debounced', history: 1000 });
  assert.equal(db.version, version);
  const inner = outer.subtree('i', { ttl: Number.POSITIVE_INFINITY, durability: 'async' });
  assert.deepEqual(outer.policy, { ttl: 5000, durability: 'debounced', history: 1000 });
  assert.deepEqual(inner.policy, { ttl: Number.POSITIVE_INFINITY, durability: 'debounced', history: 1000 });
  assert.deepEqual(inner.subtree('deeper').policy, inner.policy);
  assert.deepEqual(db.subtree('beside').policy, {});
  db.subtree('o/i', {});
  assert.deepEqual(inner.policy, outer.policy);
});

test('a ttl of a subtree holds on every route, unless the write says otherwise', async (t) => {
  const { db, clock } = opened(t);
  const sub = db.subtree('s', { ttl: 1000 });
  const end = clock.ms + 1000;
  await sub.put('put', 1);
  sub.putSync('sync', 1);
  await db.batch([{ type: 'put', path: 's/batch', value: 1 }]);
  await sub.increment('increment');
  await sub.putTree('tree', { a: 1 });
  await db.transact((tx) => {
    tx.put('s/tx', 1);
    tx.subtree('s').increment('txinc');
    tx.putTree('s/txtree', { a: 1 });
    tx.put(['s', commitStamp()], 1);
  });
  for (const row of sub.scan()) assert.equal(sub.entry(row.path)?.expiresAt?.getTime(), end, String(row.path));
  await sub.put('own', 1, { ttl: 5000 });
  await sub.put('ever', 1, { ttl: Number.POSITIVE_INFINITY });
  await sub.increment('own');
  clock.ms = end;
  assert.deepEqual(sub.children().toArray(), ['ever', 'own']);
});

test('policies and indexes hold after opening again', async () => {
  const world = makeWorld();
  const policy: Policy = { ttl: 1000, index: { byMail: { fields: ['mail'], unique: true }, byAge: [['age'], 'name'] } };
  const first = opened(undefined, {}, world).db;
  const users = first.subtree('users', policy);
  await users.put('ada', { mail: 'ada@x', age: 36, name: 'Ada' });
  await first.close();
  const second = opened(undefined, {}, world).db;
  assert.equal(second.subtree('users').policy.ttl, 1000);
  assert.deepEqual(
    second
      .subtree('users')
      .lookup('byMail', 'ada@x')
      .toArray()
      .map(({ path }) => path),
    [['ada']],
  );
  assert.deepEqual(Object.keys(second.subtree('users').policy.index!), ['byAge', 'byMail']);
  await second.close();
});

test('a declared index is exact on every route: lookups give what a scan with a filter gives', async (t) => {
  const { db } = opened(t);
  const users = db.subtree('users', { index: { byTown: ['town', 'name'] } });
  const check = (): void => {
    for (const town of ['Bern', 'Graz', 'none']) {
      const expected = users
        .scan()
        .toArray()
        .filter(({ value }) => (value as { town?: string }).town === town)
        .sort((a, b) => ((a.value as { name: string }).name < (b.value as { name: string }).name ? -1 : 1))
        .map(({ path, value }) => [path, value]);
      assert.deepEqual(
        users
          .lookup('byTown', town)
          .toArray()
          .map(({ path, value }) => [path, value]),
        expected,
      );
    }
  };
  await users.put('a', { town: 'Bern', name: 'Z' });
  users.putSync('b', { town: 'Bern', name: 'A' });
  await db.put('users/c', { town: 'Graz', name: 'M' });
  check();
  await db.batch([
    { type: 'put', path: 'users/a', value: { town: 'Graz', name: 'Z' } },
    { type: 'delete', path: 'users/b' },
  ]);
  check();
  await db.transact((tx) => tx.put('users/d', { town: 'Bern', name: 'D' }));
  check();
  using then = users.snapshot();
  await db.deleteTree('users');
  check();
  assert.deepEqual(
    then
      .lookup('byTown', 'Bern', 'D')
      .toArray()
      .map(({ path }) => path),
    [['d']],
  );
  await users.rebuildIndex('byTown');
  check();
  await refused(() => users.lookup('none', 1), { kind: 'invalid', code: 'INDEX_MISSING', says: /no index "none".*byTown/ });
  await refused(() => db.subtree('').lookup('byTown', 'Bern'), { kind: 'invalid', code: 'INDEX_MISSING' });
});

test('unknown members of a policy, and those of what is not built yet, are refused, and nothing is written', async (t) => {
  const { db } = opened(t);
  for (const [policy, code, says] of [
    [{ tll: 5 }, 'OPTION_INVALID', /unknown member tll/],
    [{ ttl: 0 }, 'OPTION_INVALID', /ttl: found 0/],
    [{ history: -1 }, 'OPTION_INVALID', /history: found -1/],
    [{ durability: 'soon' }, 'OPTION_INVALID', /durability/],
    [{ index: { x: [] } }, 'OPTION_INVALID', /./],
    [{ worm: true }, 'FEATURE_MISSING', /worm/],
    [{ retention: {} }, 'FEATURE_MISSING', /retention/],
    [{ audit: true }, 'FEATURE_MISSING', /audit/],
    [null, 'OPTION_INVALID', /null/],
  ] as const)
    await refusedUnwritten(db, () => db.subtree('s', policy as Policy), { kind: 'invalid', code, says });
});
