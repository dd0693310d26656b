import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryHost, open, type Rows } from '../index.ts';

/** each(), for-of and toArray of the same rows. */
function alike<T>(rows: Rows<T>): T[] {
  const each: T[] = [];
  const visited = rows.each((row) => {
    each.push(row);
  });
  assert.equal(visited, each.length);
  assert.deepEqual(rows.toArray(), each);
  assert.deepEqual([...rows], each);
  return each;
}

test('each(), for-of and toArray give the same rows, of every view and every kind of listing', async () => {
  await using db = await open({ host: memoryHost() });
  for (let i = 0; i < 50; i++) db.putSync(['users', i, 'name'], `name ${i}`);
  db.putSync('users', 'the value at the prefix');
  db.putSync('big', 'x'.repeat(300_000));
  using snapshot = db.snapshot();
  db.deleteSync(['users', 7, 'name']);
  assert.equal(alike(db.scan()).length, 51);
  assert.equal(alike(snapshot.scan()).length, 52);
  assert.equal(alike(db.subtree('users').scan({ limit: 10, reverse: true })).length, 10);
  assert.deepEqual(alike(db.scan({ prefix: 'users', limit: 1 })), [{ path: ['users'], value: 'the value at the prefix', version: 51 }]);
  assert.ok(alike(db.scan({ values: false })).every(({ value }) => value === undefined));
  assert.equal(alike(db.children('users')).length, 49);
  assert.equal(alike(db.history(['users', 7, 'name'])).length, 2);
  db.transactSync((tx) => {
    tx.put(['users', 1000], 'own');
    assert.equal(alike(tx.scan({ prefix: 'users' })).length, 51);
  });
});

test('each() ends when it is told, and refuses what is no function', async () => {
  await using db = await open({ host: memoryHost() });
  for (let i = 0; i < 5; i++) db.putSync(['a', i], i);
  let seen = 0;
  assert.equal(
    db.scan().each(({ value }) => {
      seen++;
      return value !== 2;
    }),
    3,
  );
  assert.equal(seen, 3);
  assert.equal(
    db.children('a').each((child) => child !== 1),
    2,
  );
  for (const wrong of [undefined, null, 'visit']) {
    assert.throws(() => db.scan().each(wrong as never), { kind: 'invalid', code: 'LISTENER_INVALID' });
  }
});

test('each() sees one view, whatever the visitor writes', async () => {
  await using db = await open({ host: memoryHost() });
  for (let i = 0; i < 5; i++) db.putSync(['a', i], i);
  const seen: unknown[] = [];
  db.scan().each(({ value }) => {
    seen.push(value);
    db.deleteTreeSync('a');
    db.putSync(['a', 10 + seen.length], 'new');
  });
  assert.deepEqual(seen, [0, 1, 2, 3, 4]);
});
