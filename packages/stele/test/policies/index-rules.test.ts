import assert from 'node:assert/strict';
import test from 'node:test';
import { SteleError } from '../../src/base/errors.ts';
import type { Database, IndexKey, Segment } from '../../src/model/types.ts';
import { openParts, openTest, testWorld } from './kit.ts';

const ids = (db: Pick<Database, 'subtree'>, name: string, ...key: IndexKey): Segment[] =>
  [...db.subtree('users').lookup(name, ...key)].map(({ path }) => path[0]!);

const refusal = (run: () => unknown): SteleError => {
  try {
    run();
  } catch (error) {
    if (error instanceof SteleError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
};

test('a record is found by its fields in both forms of storing, and by the first of several fields', async () => {
  const db = openTest(testWorld());
  const users = db.subtree('users', { index: { byEmail: ['email'], byTown: { fields: ['address/city', 'age'] } } });
  users.putSync('ada', { email: 'a@x', age: 36, address: { city: 'Paris' } });
  users.putTreeSync('bob', { email: 'b@x', age: 20, address: { city: 'Paris' } });
  assert.deepEqual(users.lookup('byEmail', 'b@x').toArray(), [{ path: ['bob'], value: undefined, version: db.version }]);
  assert.deepEqual(users.lookup('byEmail', 'a@x').toArray(), [
    { path: ['ada'], value: { email: 'a@x', age: 36, address: { city: 'Paris' } }, version: db.version - 1 },
  ]);
  assert.deepEqual(ids(db, 'byTown', 'Paris'), ['bob', 'ada'], 'ordered by the second field');
  assert.deepEqual(ids(db, 'byTown', 'Paris', 36), ['ada']);
  assert.deepEqual(ids(db, 'byTown', 'Pari'), [], 'a field is looked up whole');
  users.putTreeSync('ada', { email: 'new@x' });
  assert.deepEqual(ids(db, 'byEmail'), ['bob', 'ada']);
  assert.deepEqual(ids(db, 'byTown'), ['bob']);
  await db.close();
});

test('the nearest stored value above a field decides alone', async () => {
  const db = openTest(testWorld());
  const users = db.subtree('users', { index: { byCity: ['address/city'] } });
  users.putSync('ada', { address: { city: 'Rome' } });
  users.putSync('ada/address', { zip: 5 });
  assert.deepEqual(ids(db, 'byCity'), [], 'the value at ada/address has no city');
  users.putSync('ada/address/city', 'Oslo');
  assert.deepEqual(ids(db, 'byCity', 'Oslo'), ['ada']);
  users.deleteSync('ada/address/city');
  users.deleteSync('ada/address');
  assert.deepEqual(ids(db, 'byCity', 'Rome'), ['ada']);
  await db.close();
});

test('when leaves expire, what is above them is found again without a write, and the same key may come back', async () => {
  const world = testWorld();
  const db = openTest(world);
  const users = db.subtree('users', { index: { byCity: ['address/city'] } });
  users.putSync('ada', { address: { city: 'Rome' } });
  users.putSync('ada/address', { city: 'Oslo' }, { ttl: 200 });
  users.putSync('ada/address/city', 'Rome', { ttl: 100 });
  const { version } = db;
  const at = (): Segment[][] => [ids(db, 'byCity', 'Rome'), ids(db, 'byCity', 'Oslo')];
  assert.deepEqual(at(), [['ada'], []]);
  world.clock.ms += 100;
  assert.deepEqual(at(), [[], ['ada']]);
  world.clock.ms += 100;
  assert.deepEqual(at(), [['ada'], []]);
  assert.equal(db.version, version);
  assert.deepEqual((await db.verify()).damages, []);
  const then = db.asOf(new Date(world.clock.ms - 50));
  assert.deepEqual(then.subtree('users').lookup('byCity').toArray().length, 1);
  assert.deepEqual(then.subtree('users').lookup('byCity', 'Rome').toArray(), []);
  then.close();
  await db.close();
});

test('an expiry with a fraction of a millisecond ends where the engine ends it', async () => {
  const world = testWorld();
  const db = openTest(world);
  const users = db.subtree('users', { index: { byCity: ['city'] } });
  users.putSync('ada', { city: 'Rome' });
  users.putSync('ada/city', 'Oslo', { expiresAt: world.clock.ms + 9.5 });
  const at = (): Segment[][] => [ids(db, 'byCity', 'Rome'), ids(db, 'byCity', 'Oslo')];
  world.clock.ms += 9;
  assert.deepEqual(at(), [[], ['ada']]);
  world.clock.ms += 1;
  assert.deepEqual(at(), [['ada'], []]);
  await db.close();
});

test('a second record with a unique key is refused, naming index and holder, and nothing is written', async () => {
  const db = openTest(testWorld());
  const users = db.subtree('users', { index: { byName: { fields: ['name'], unique: true } } });
  users.putSync('ada', { name: 'Ada' });
  const { version } = db;
  const error = refusal(() => users.putSync('eve', { name: 'Ada' }));
  assert.deepEqual(
    [error.kind, error.code, error.detail],
    ['conflict', 'INDEX_UNIQUE', { index: 'byName', path: 'users/eve', holder: 'users/ada' }],
  );
  assert.match(error.message, /"byName".*users\/eve.*users\/ada/);
  await assert.rejects(users.put('eve/name', 'Ada'), { code: 'INDEX_UNIQUE' });
  assert.throws(
    () =>
      users.batchSync([
        { type: 'put', path: 'x', value: 1 },
        { type: 'put', path: 'eve', value: { name: 'Ada' } },
      ]),
    { code: 'INDEX_UNIQUE' },
  );
  assert.equal(db.version, version);
  assert.deepEqual(ids(db, 'byName'), ['ada']);
  users.putSync('ada', { name: 'Ada', age: 5 });
  await db.close();
});

test('a commit may swap unique keys, and a key is free once its record is gone or expired', async () => {
  const world = testWorld();
  const db = openTest(world);
  const users = db.subtree('users', { index: { byName: { fields: ['name'], unique: true } } });
  users.putSync('a', { name: 'x' });
  users.putSync('b', { name: 'y' });
  users.batchSync([
    { type: 'put', path: 'a', value: { name: 'y' } },
    { type: 'put', path: 'b', value: { name: 'x' } },
  ]);
  assert.deepEqual([ids(db, 'byName', 'x'), ids(db, 'byName', 'y')], [['b'], ['a']]);
  users.transactSync((tx) => {
    tx.delete('a');
    tx.put('c', { name: 'y' }, { ttl: 50 });
  });
  assert.throws(() => users.putSync('d', { name: 'y' }), { code: 'INDEX_UNIQUE' });
  world.clock.ms += 50;
  users.putSync('d', { name: 'y' });
  assert.deepEqual(ids(db, 'byName', 'y'), ['d']);
  await db.close();
});

test('a key that a record will have when something expires is taken already', async () => {
  const world = testWorld();
  const db = openTest(world);
  const users = db.subtree('users', { index: { byName: { fields: ['name'], unique: true } } });
  users.putSync('a', { name: 'x' });
  users.putSync('a/name', 'other', { ttl: 100 });
  assert.throws(() => users.putSync('b', { name: 'x' }), { code: 'INDEX_UNIQUE' });
  users.putSync('b', { name: 'x' }, { ttl: 100 });
  assert.deepEqual(ids(db, 'byName', 'x'), ['b']);
  world.clock.ms += 100;
  assert.deepEqual(ids(db, 'byName', 'x'), ['a']);
  await db.close();
});

test('of two transactions that take one unique key, the second conflicts and then is refused', async () => {
  const db = openTest(testWorld());
  db.subtree('users', { index: { byName: { fields: ['name'], unique: true } } });
  const first = db.beginSync();
  const second = db.beginSync();
  first.put('users/a', { name: 'x' });
  second.put('users/b', { name: 'x' });
  first.commitSync();
  assert.throws(() => second.commitSync(), { kind: 'conflict', code: 'CONFLICT' });
  let runs = 0;
  const late = db.transact((tx) => {
    runs++;
    tx.put('users/c', { name: 'z' });
    if (runs === 1) db.putSync('users/d', { name: 'z' });
  });
  await assert.rejects(late, { code: 'INDEX_UNIQUE' });
  assert.equal(runs, 2);
  assert.deepEqual(ids(db, 'byName'), ['a', 'd']);
  await db.close();
});

test('a transaction that began before an index was declared conflicts when it has written, and runs again', async () => {
  const db = openTest(testWorld());
  const tx = db.beginSync();
  tx.put('users/a', { email: 'x' });
  db.subtree('users', { index: { byEmail: ['email'] } });
  assert.throws(() => tx.commitSync(), { kind: 'conflict', code: 'CONFLICT' });
  let runs = 0;
  await db.transact((again) => {
    again.put('users/b', { email: 'y' });
    if (runs++ === 0) db.subtree('users', { index: { byEmail: ['email'], second: ['email'] } });
  });
  assert.deepEqual([runs, ids(db, 'second')], [2, ['b']]);
  assert.deepEqual((await db.verify()).damages, []);
  await db.close();
});

test('a key longer than the engine takes is refused, and nothing is written', async () => {
  const db = openTest(testWorld());
  const users = db.subtree('users', { index: { byText: ['text'] } });
  users.putSync('a', { text: 'x'.repeat(1080) });
  const { version } = db;
  for (const text of ['x'.repeat(1100), 'x'.repeat(5000), '\0'.repeat(600), new Uint8Array(1100), 1n << 9000n]) {
    const error = refusal(() => users.putSync('b', { text }));
    assert.deepEqual([error.kind, error.code, error.detail], ['invalid', 'INDEX_KEY_TOO_LONG', { index: 'byText', path: 'users/b' }]);
  }
  assert.equal(db.version, version);
  assert.throws(() => users.putSync(['x'.repeat(900)], { text: 'y'.repeat(300) }), { code: 'INDEX_KEY_TOO_LONG' });
  await db.close();
});

test('lookups say what is wrong with them', async () => {
  const db = openTest(testWorld());
  const users = db.subtree('users', { index: { byEmail: ['email'], byAge: ['age'] } });
  const missing = refusal(() => users.lookup('byName'));
  assert.deepEqual(
    [missing.kind, missing.code, missing.detail],
    ['invalid', 'INDEX_MISSING', { index: 'byName', declared: ['byAge', 'byEmail'] }],
  );
  assert.match(missing.message, /expected byAge, byEmail/);
  assert.match(refusal(() => db.subtree('other').lookup('byEmail')).message, /there is none/);
  for (const key of [['a', 'b'], [null], [Number.NaN], [{}], ['\ud800'], ['x'.repeat(2000)]])
    assert.equal(refusal(() => users.lookup('byEmail', ...(key as unknown as IndexKey))).code, 'INDEX_KEY_INVALID');
  assert.equal(refusal(() => users.lookup('byEmail', undefined as unknown as string)).code, 'VALUE_INVALID');
  await db.close();
});

test('an index serves the views in which it was declared', async () => {
  const db = openTest(testWorld());
  db.putSync('users/a', { email: 'x' });
  const before = db.snapshot();
  const users = db.subtree('users', { index: { byEmail: ['email'] } });
  const declared = db.snapshot();
  users.putSync('a', { email: 'y' });
  db.subtree('users', {});
  assert.throws(() => before.subtree('users').lookup('byEmail'), { code: 'INDEX_MISSING' });
  assert.throws(() => users.lookup('byEmail'), { code: 'INDEX_MISSING' });
  assert.equal(declared.subtree('users').lookup('byEmail', 'x').toArray().length, 1);
  assert.equal(
    db
      .asOf(declared.version + 1)
      .subtree('users')
      .lookup('byEmail', 'y')
      .toArray().length,
    1,
  );
  assert.deepEqual(declared.subtree('users').policy, { index: { byEmail: { fields: [['email']], unique: false } } });
  before.close();
  declared.close();
  await db.close();
});

test('an index of the whole database, of a record that is a value, and inside another indexed subtree', async () => {
  const db = openTest(testWorld());
  db.subtree([], { index: { byKind: ['kind'] } });
  db.subtree('scores', { index: { byScore: [[]] } });
  db.subtree('teams', { index: { byTown: ['town'] } });
  db.subtree('teams/red/members', { index: { byName: ['name'] } });
  db.putSync('scores/ada', 42);
  db.putSync('scores/bob', 7);
  db.putTreeSync('teams', { kind: 'group', red: { town: 'Rome', members: { m1: { name: 'x' } } } });
  const path = (rows: Iterable<{ path: Segment[] }>) => [...rows].map((row) => row.path[0]);
  assert.deepEqual(path(db.subtree('scores').lookup('byScore')), ['bob', 'ada']);
  assert.deepEqual(path(db.subtree([]).lookup('byKind', 'group')), ['teams']);
  assert.deepEqual(path(db.subtree('teams').lookup('byTown', 'Rome')), ['red']);
  assert.deepEqual(path(db.subtree('teams/red/members').lookup('byName', 'x')), ['m1']);
  db.deleteTreeSync('teams/red');
  assert.deepEqual(path(db.subtree('teams/red/members').lookup('byName')), []);
  assert.deepEqual(path(db.subtree([]).lookup('byKind')), ['teams']);
  db.deleteTreeSync();
  assert.deepEqual(path(db.subtree('scores').lookup('byScore')), []);
  assert.deepEqual((await db.verify()).damages, []);
  await db.close();
});

test('an increment keeps the expiry of an indexed leaf and moves its entry', async () => {
  const world = testWorld();
  const db = openTest(world);
  const users = db.subtree('users', { index: { byAge: ['age'] } });
  users.putSync('a/age', 1, { ttl: 100 });
  users.incrementSync('a/age', 4);
  assert.deepEqual([ids(db, 'byAge', 1), ids(db, 'byAge', 5)], [[], ['a']]);
  world.clock.ms += 100;
  assert.deepEqual(ids(db, 'byAge'), []);
  await db.close();
});

test('verify() names what an index has too much, too little, and wrong', async () => {
  const world = testWorld();
  const db = openTest(world);
  const users = db.subtree('users', { index: { byEmail: ['email'] } });
  for (const id of ['a', 'b', 'c']) users.putSync(id, { email: id });
  await db.close();
  const store = openParts(world);
  const entries = [...store.engine.scan({ start: Uint8Array.of(3), end: Uint8Array.of(4) })];
  assert.equal(entries.length, 3);
  store.engine.deleteSync(entries[0]!.key);
  store.engine.putSync(entries[1]!.key, new Uint8Array(12).fill(1), { expiresAt: world.clock.ms + 5 });
  const extra = entries[2]!.key.slice();
  extra[2]! += 1;
  store.engine.putSync(extra, new Uint8Array());
  await store.engine.close();
  const again = openTest(world);
  const { damages, ok } = await again.verify();
  assert.equal(ok, false);
  assert.deepEqual(damages.map(({ message }) => message).sort(), [
    'index "byEmail", users/a: entry is missing',
    'index "byEmail", users/b: entry has other windows',
    'index "byEmail", users/c: entry without a record',
  ]);
  assert.equal((await again.subtree('users').rebuildIndex('byEmail')).entries, 3);
  assert.deepEqual((await again.verify()).damages, []);
  await again.close();
});

test('what is kept has the bytes of the specification', async () => {
  const world = testWorld();
  const db = openTest(world);
  const users = db.subtree('users', { ttl: 5, index: { byEmail: ['email'] } });
  users.putSync('ada', { email: 'a@x' }, { ttl: Number.POSITIVE_INFINITY });
  users.putSync('bob', { email: 'b' }, { ttl: Number.POSITIVE_INFINITY });
  users.putSync('bob/email', 'c', { expiresAt: 1_800_000_000_000 });
  await db.close();
  const { engine, codec } = openParts(world);
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const kept = (keyspace: number) =>
    [...engine.scan({ start: Uint8Array.of(keyspace), end: Uint8Array.of(keyspace + 1) })].map(
      ({ key, value, expiresAt }) => [hex(key), value, expiresAt] as const,
    );
  const text = (letters: string): string => hex(Buffer.from(letters));
  const subtree = `08${text('users')}00ff00`;
  assert.deepEqual(
    kept(1).map(([key, value]) => [key, codec.decode(value, 0, value.length)]),
    [
      [
        `01${text('maintainer')}00${subtree}078000`,
        {
          kind: 'index',
          format: 1,
          name: 'byEmail',
          definition: { fields: [new Uint8Array(Buffer.from('email\0'))], unique: false },
          state: 'ready',
        },
      ],
      [`01${text('policy')}00`, 2],
      [`01${text('policy')}00${subtree}`, { ttl: 5 }],
    ],
  );
  assert.deepEqual(
    kept(3).map(([key, value, expiresAt]) => [key, hex(value), expiresAt]),
    [
      ['0301' + '61407800' + '61646100', '', undefined],
      ['0301' + '6200' + '626f6200', hex(Uint8Array.from(u48(1_800_000_000_000))) + '000000000000', undefined],
      ['0301' + '6300' + '626f6200', '', 1_800_000_000_000],
    ],
  );
  await engine.close();
});

function u48(ms: number): number[] {
  return Array.from({ length: 6 }, (_, at) => Math.floor(ms / 256 ** at) % 256);
}
