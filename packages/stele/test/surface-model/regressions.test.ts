/** What the surface rack found, each as the shortest program that showed it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultyHost } from '../../src/host/faulty/host.ts';
import { openDatabase } from '../../src/model/open.ts';
import { withTicks } from '../crash/machine.ts';
import { openTest, testWorld } from '../policies/kit.ts';
import { Coverage } from './coverage.ts';
import { generateSetup } from './generate.ts';
import type { Setup, Step, WriteText } from './program.ts';
import { runProgram } from './shrink.ts';

const forEver = Number.POSITIVE_INFINITY;

test('getTree counts what it gives: what is cut off below a value takes nothing of the limit', async () => {
  // With a depth, the first row below a value was counted although the value stood for it, so a row too few came back.
  const db = openTest(testWorld());
  for (const path of ['a', 'a/b', 'c', 'd']) db.putSync(path, 1);
  assert.deepEqual(db.getTree([], { depth: 1, limit: 2 }), { a: 1, c: 1 });
  assert.deepEqual(db.getTree([], { depth: 1, limit: 3 }), { a: 1, c: 1, d: 1 });
  await db.close();
});

test('an increment in a batch does not find what the batch put with an end that has come', async () => {
  // The batch added to the expired value and kept its expiry, so the sum was gone at once.
  const { clock, ...world } = testWorld();
  const db = openTest({ clock, ...world });
  db.batchSync([
    { type: 'put', path: 'c', value: 10, expiresAt: clock.ms - 1 },
    { type: 'increment', path: 'c', delta: 2 },
  ]);
  assert.equal(db.get('c'), 2);
  await db.close();
});

test('a batch below an index takes back what it put with an end that has come, as any batch does', async () => {
  // Through a transaction, which does not see such a put, it stayed behind a deleteTree: another history, one change more.
  const { clock, ...world } = testWorld();
  const db = openTest({ clock, ...world });
  db.subtree('indexed', { index: { byName: ['name'] } });
  for (const place of ['indexed', 'plain']) {
    const { changed } = db.batchSync([
      { type: 'put', path: `${place}/a`, value: 1, expiresAt: clock.ms - 1 },
      { type: 'deleteTree', path: place },
      { type: 'put', path: `${place}/b`, value: 2 },
    ]);
    assert.equal(changed, 1, place);
    assert.deepEqual(db.history(`${place}/a`).toArray(), [], place);
  }
  await db.close();
});

test('a field that is too long refuses nothing while another field is missing, whatever their order', async () => {
  // The key was found too long before the next field was looked for; a record without all fields has no key.
  const db = openTest(testWorld());
  const long = 'x'.repeat(1200);
  const users = db.subtree('users', { index: { one: ['name', 'email'], other: ['email', 'name'] } });
  users.putSync('ada', { name: long });
  users.putSync('bob', { name: long }, { ttl: 1000 });
  assert.throws(() => users.putSync('ada/email', 'a@x'), { code: 'INDEX_KEY_TOO_LONG' });
  assert.throws(() => users.putSync('bob/email', 'a@x'), { code: 'INDEX_KEY_TOO_LONG' });
  assert.equal((await db.verify()).ok, true);
  await db.close();
});

test('a declared history outlives an opening with a shorter one of the database', async () => {
  // What said the same as the database had no rule of its own, so a shorter historyRetention at an opening let its past go before the policies
  // were read; and so did the policies' own past.
  const world = testWorld();
  const first = openTest(world);
  first.subtree('kept', { history: forEver, ttl: 5000 });
  first.putSync('kept/a', 1);
  const { version } = first;
  first.putSync('kept/a', 2);
  first.subtree('kept', { history: forEver });
  await first.close();
  const second = openTest(world, { historyRetention: 0 });
  const view = second.asOf(version);
  assert.equal(view.get('kept/a'), 1);
  assert.deepEqual(view.subtree('kept').policy, { history: forEver, ttl: 5000 });
  view.close();
  await second.close();
});

test('a transaction in which an index refused a write commits nothing, also when the program went on', async () => {
  // The leaf stood in the transaction without its entry, and a commit made both so: the index had lost a record.
  const db = openTest(testWorld());
  db.subtree('users', { index: { byName: ['name'] } });
  const { version } = db;
  const tx = db.beginSync();
  assert.throws(() => tx.put('users/ada', { name: 'x'.repeat(1200) }), { code: 'INDEX_KEY_TOO_LONG' });
  tx.put('other', 1);
  assert.throws(() => tx.commitSync(), { code: 'INDEX_KEY_TOO_LONG' });
  await assert.rejects(tx.committed, { code: 'INDEX_KEY_TOO_LONG' });
  assert.equal(db.version, version);
  await db.close();
});

test('who watches, and who waits for changes, is told of a delete so large that it is applied in slices', async () => {
  // A sync between two slices took the commit, which was in the log already, for written and reported: nothing of it could be read yet, and when it
  // could nobody was told.
  const machine = faultyHost();
  const host = withTicks(machine);
  const db = openDatabase({ host, targets: undefined as never, cacheMemory: 1 << 20, release: async () => {} }, {});
  db.batchSync(Array.from({ length: 1000 }, (_, at) => ({ type: 'put', path: ['n', at], value: new Uint8Array(900) }) as const));
  const told: unknown[] = [];
  db.watch('', ({ version }) => told.push(['watch', version]));
  const stream = db.changes();
  stream.next().then(({ value }) => told.push(['changes', value?.version]));
  const { version } = await machine.drive(db.deleteTree('n'));
  await machine.drive(db.sync());
  await machine.runUntilIdle();
  assert.deepEqual(told.sort(), [
    ['changes', version],
    ['watch', version],
  ]);
  await machine.drive(db.close());
});

test('changes() that cannot give all gives none: where the log has a hole behind the first commit, the first step says so', async () => {
  // Segments go in any order. The first commit was there and told; the fourth was not, and the second step threw.
  const big = (path: string, bytes: number, life = {}): WriteText => ({ do: 'put', path, value: { bytes, first: 1 }, ...life });
  const sync = (write: WriteText): Step => ({ step: 'write', how: 'sync', at: '', write });
  const together = (...writes: WriteText[]): Step => ({ step: 'together', at: '', writes });
  const steps: Step[] = [
    sync(big('big/2', 16_385, { life: { ttl: 40 } })),
    together({ do: 'increment', path: 'c/z', delta: 8 }, big('big/1', 16_384)),
    sync(big('big/3', 16_384)),
    sync(big('big/2', 16_385, { life: { ttl: 300 } })),
    together(big('big/2', 120_000)),
    { step: 'reopen' },
    sync({ do: 'delete', path: 'big/2' }),
    { step: 'walk', slot: 0, of: 'now', at: '', read: { ask: 'scan', prefix: 'users' } },
    { step: 'care', what: 'flush' },
    sync(big('big/3', 16_384)),
    { step: 'time', how: 'pass', ms: 2500 },
    sync({ do: 'increment', path: 'c/z', delta: 7 }),
    { step: 'changes', slot: 1, at: 'c', prefix: '', take: 3 },
  ];
  const setup: Setup = {
    ...generateSetup(20_555),
    durability: 'immediate',
    historyMs: 0,
    segmentBytes: 64 * 1024,
    pageSize: 16_384,
    ticks: true,
  };
  const coverage = new Coverage();
  const { failure } = await runProgram({ setup, steps }, undefined, coverage);
  assert.equal(failure, undefined, failure?.divergence.message);
  assert.ok(!coverage.missing().includes('changes not kept'), 'the program no longer meets the hole');
});
