/** `dump | import` is identity: of every kind of path and value, expiries, policies and indexes; with history also of what was before. */

import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { commitStamp, open } from '../../src/index.ts';
import { lines, scratch, stele } from './kit.ts';

async function everything(directory: string): Promise<void> {
  await using db = await open(directory);
  db.subtree('sessions', { ttl: 3_600_000 });
  db.subtree('users', { index: { byName: ['name'], byMail: { fields: [['mail'], ['domain', 0]], unique: true } } });
  db.subtree('archive', { history: Number.POSITIVE_INFINITY, durability: 'debounced' });
  const eve = db.as({ actor: 'eve', reason: 'setup' });
  await eve.put(['users', 'ada'], { name: 'Ada', mail: 'ada@x', domain: ['x'] });
  await eve.put(['users', 'bob'], { name: 'Bob', mail: 'bob@x', domain: ['x'] });
  await db.put(['sessions', 's1'], { user: 'ada' });
  await db.put(['sessions', 'kept'], 1, { ttl: Number.POSITIVE_INFINITY });
  await db.put(['soon'], 1, { ttl: 100_000_000 });
  await db.batch([
    { type: 'put', path: [true, -1.5, 2n ** 70n, Uint8Array.of(0, 255), 'a/b\\c', '#1', '\u202e\n'], value: Number.NaN },
    { type: 'put', path: ['v', 1], value: -0 },
    { type: 'put', path: ['v', 2], value: { $bytes: [new Date(0), 10n ** 30n, new Uint8Array(20_000).fill(7)], é: '\ud83d\ude00' } },
    { type: 'put', path: ['v', '3'], value: null },
    { type: 'put', path: ['gone'], value: 'x'.repeat(100_000) },
  ]);
  await db.put(['log', commitStamp()], 'stamped', { assertedTime: new Date('2001-02-03') });
  await db.delete('gone');
}

test('the state of one database is that of another after dump and import, and verify says so', async (t) => {
  const directory = scratch(t);
  const from = join(directory, 'from');
  await everything(from);
  const dump = await stele(['--db', from, 'dump']);
  const all = dump.stdout.split('\n').slice(0, -1);
  const verified = JSON.parse((await lines(['--db', from, 'verify']))[0]!);
  assert.deepEqual(JSON.parse(all.at(-1)!), { end: true, entries: verified.entries, digest: verified.digest });
  const to = join(directory, 'to');
  const said = JSON.parse((await lines(['--db', to, 'import'], { input: dump.stdout }))[0]!);
  assert.deepEqual([said.entries, said.policies, said.isSame, said.digest], [10, 3, true, verified.digest]);
  const again = JSON.parse((await lines(['--db', to, 'verify']))[0]!);
  assert.deepEqual([again.ok, again.entries, again.digest], [true, verified.entries, verified.digest]);
  const second = await stele(['--db', to, 'dump']);
  assert.deepEqual(second.stdout.split('\n').slice(1), dump.stdout.split('\n').slice(1));
  await using db = await open(to);
  assert.deepEqual(db.subtree('users').policy, {
    index: { byName: { fields: [['name']], unique: false }, byMail: { fields: [['mail'], ['domain', 0]], unique: true } },
  });
  assert.deepEqual(
    db
      .subtree('users')
      .lookup('byName', 'Ada')
      .toArray()
      .map(({ path }) => path),
    [['ada']],
  );
  assert.equal(db.entry(['sessions', 'kept'])?.expiresAt, undefined);
  assert.equal(db.subtree('archive').policy.history, Number.POSITIVE_INFINITY);
});

test('a dump with history brings the commits back, in order, with actors, reasons and times as asserted', async (t) => {
  const directory = scratch(t);
  const from = join(directory, 'from');
  await everything(from);
  const file = join(directory, 'all.jsonl');
  const told = JSON.parse((await lines(['--db', from, 'dump', '--history', '--out', file]))[0]!);
  assert.equal(told.commits, 11);
  const to = join(directory, 'to');
  const said = JSON.parse((await lines(['--db', to, 'import', file]))[0]!);
  assert.deepEqual([said.commits, said.empty, said.isSame, said.digest], [8, 3, true, told.digest]);
  const was = (await lines(['--db', from, 'history', 'gone'])).map((line) => JSON.parse(line));
  const is = (await lines(['--db', to, 'history', 'gone'])).map((line) => JSON.parse(line));
  assert.deepEqual(
    is.map(({ value, deleted }) => [value, deleted]),
    was.map(({ value, deleted }) => [value, deleted]),
  );
  assert.match((await lines(['--db', to, 'history', 'users/ada']))[0]!, /"actor":"eve","reason":"setup"/);
  const [stamped] = (await lines(['--db', to, 'log', 'show', 'log'])).map((line) => JSON.parse(line));
  assert.equal(stamped.assertedTime, '2001-02-03T00:00:00.000Z');
  const twice = await stele(['--db', to, 'import', file]);
  assert.deepEqual([twice.exitCode, /goes into an empty database/.test(twice.stderr)], [2, true]);
});

test('a part, and the past, can be dumped too; a file appears when it is whole', async (t) => {
  const directory = scratch(t);
  const from = join(directory, 'from');
  await everything(from);
  const part = await lines(['--db', from, 'dump', '--prefix', 'users']);
  assert.deepEqual(
    part.slice(1, -1).map((line) => JSON.parse(line).path),
    ['users/ada', 'users/bob'],
  );
  const past = await lines(['--db', from, 'as-of', '4', 'dump']);
  assert.deepEqual(
    past.slice(1, -1).map((line) => JSON.parse(line).path),
    ['users/ada'],
  );
  const over = JSON.parse((await lines(['--db', from, 'import'], { input: `${part.join('\n')}\n` }))[0]!);
  assert.equal(over.isSame, false);
  const stop = new AbortController();
  stop.abort(new Error('stop'));
  const file = join(directory, 'cut.jsonl');
  await using db = await open(join(directory, 'many'));
  await db.batch(Array.from({ length: 3000 }, (_, n) => ({ type: 'put' as const, path: [n], value: n })));
  await db.close();
  const { exitCode } = await stele(['--db', join(directory, 'many'), 'dump', '-o', file], { signal: stop.signal });
  assert.equal(exitCode, 130);
  assert.ok(!existsSync(file));
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.includes('cut')),
    [],
  );
});
