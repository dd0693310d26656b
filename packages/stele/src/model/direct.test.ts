import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryStorage } from '../host/memory/storage.ts';
import { open } from '../node/open.ts';

test('a getter that uses the handle while its value is written spoils neither', async () => {
  await using db = await open({ storage: memoryStorage(), durability: 'async' });
  await db.put('other/path', 1);
  const reading = {
    get a() {
      return db.get('other/path');
    },
  };
  await db.put('x', reading);
  assert.deepEqual(db.get('x'), { a: 1 });
  const writing = {
    get a() {
      db.putSync('y', { b: 2 });
      return 1;
    },
  };
  await assert.rejects(db.put('z', writing), { kind: 'invalid', code: 'VALUE_INVALID' });
  assert.equal(db.has('z'), false);
  await db.put('w', { c: 3 });
  assert.deepEqual(db.get('w'), { c: 3 });
});

test('lookup inside a transaction sees own writes and joins the read set', async () => {
  await using db = await open({ storage: memoryStorage(), durability: 'async' });
  const users = db.subtree<{ email: string }>('users', { index: { byEmail: { fields: ['email'], unique: true } } });
  await users.put('1', { email: 'a@x' });
  let runs = 0;
  const found = await db.transact((tx) => {
    runs++;
    const here = tx.subtree<{ email: string }>('users');
    here.put('2', { email: 'b@x' });
    const free = here.lookup('byEmail', 'c@x').toArray().length === 0;
    if (runs === 1) users.putSync('3', { email: 'c@x' });
    return [here.lookup('byEmail', 'b@x').toArray().length, free];
  });
  assert.equal(runs, 2);
  assert.deepEqual(found, [1, false]);
});

test('a put below an index and a put of another subtree make one commit each, at the level the subtree asks for', async () => {
  await using db = await open({ storage: memoryStorage(), durability: 'async' });
  const safe = db.subtree('safe', { durability: 'immediate', ttl: 60_000, index: { byA: ['a'] } });
  const { version } = db;
  const commit = await safe.put('x', { a: 1 });
  assert.equal(commit.durability, 'device');
  assert.equal(db.version, version + 1);
  assert.ok(db.entry('safe/x')?.expiresAt instanceof Date);
  assert.equal(safe.lookup('byA', 1).toArray().length, 1);
  assert.equal(safe.putSync('x', { a: 2 }).version, version + 2);
  assert.equal(safe.lookup('byA', 1).toArray().length, 0);
});

test('an index that was being built when the program died is finished after the next opening', async () => {
  const storage = memoryStorage();
  const first = await open({ storage, durability: 'async' });
  const operations = Array.from({ length: 5000 }, (_, at) => ({ type: 'put' as const, path: ['u', at], value: { a: at } }));
  await first.batch(operations);
  first.subtree('u', { index: { byA: ['a'] } });
  const rebuilt = first.subtree('u').rebuildIndex('byA');
  rebuilt.catch(() => {});
  await first.close();
  await rebuilt.catch(() => {});
  await using db = await open({ storage, durability: 'async' });
  for (let turn = 0; turn < 50; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
  assert.equal(db.subtree('u').lookup('byA', 4711).toArray().length, 1);
  assert.deepEqual((await db.verify()).damages, []);
});
