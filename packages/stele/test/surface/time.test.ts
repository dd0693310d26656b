/** Time: snapshots, the past, history, differences, the change stream and watching, on databases and subtrees alike. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultyHost } from '../../src/host/faulty/host.ts';
import { openDatabase } from '../../src/model/open.ts';
import type { Bucket, Change, ChangesOptions, Database, OpenOptions, Snapshot } from '../../src/model/types.ts';
import { openSync } from '../../src/node/open.ts';
import { nodeTargets } from '../../src/node/targets.ts';
import { makeWorld, opened, refused, START_MS, settled } from './kit.ts';

const expired = { kind: 'invalid', code: 'HISTORY_EXPIRED' } as const;

test('version is the newest commit, durableVersion the newest on the device', async (t) => {
  const { db } = opened(t, { durability: 'async' });
  assert.deepEqual([db.version, db.durableVersion], [0, 0]);
  db.putSync('a', 1);
  assert.equal(db.version, 1);
  assert.deepEqual(await db.sync(), { durableVersion: 1 });
  assert.equal(db.durableVersion, 1);
  assert.equal(db.subtree('s').version, 1);
});

test('a snapshot is a read view of now: later commits and later time change nothing in it', async (t) => {
  const { db, clock } = opened(t);
  await db.putTree('t', { a: 1, b: { c: 2 } });
  await db.put('ttl', 1, { ttl: 100 });
  using snapshot = db.snapshot();
  const { version } = db;
  await db.deleteTree();
  await db.put('new', 1);
  clock.ms += 1000;
  assert.equal(snapshot.version, version);
  assert.deepEqual(snapshot.time, new Date(START_MS));
  assert.deepEqual(snapshot.getTree(), { t: { a: 1, b: { c: 2 } }, ttl: 1 });
  assert.deepEqual(snapshot.subtree('t').getTree(), { a: 1, b: { c: 2 } });
  assert.deepEqual(snapshot.subtree('t').path, ['t']);
  assert.equal(snapshot.count(), 3);
  assert.deepEqual(snapshot.skipped, []);
});

test('a snapshot is disposable, and closing any of its handles closes it', async (t) => {
  const { db } = opened(t);
  await db.put('a/b', 1);
  const snapshot = db.snapshot();
  const below = snapshot.subtree('a');
  below.close();
  await refused(() => snapshot.get('a/b'), { kind: 'closed', code: 'VIEW_CLOSED' });
  assert.equal(db.stats()['views']!['open'], 0);
});

test('a view that was idle for longer than viewIdleMs expires; one that is read does not', async () => {
  const host = faultyHost();
  const db = openSync({ host, viewIdleMs: 1000, cacheMemory: 4 << 20 });
  db.putSync('a', 1);
  const idle = db.snapshot();
  const read = db.snapshot();
  const rows = db.children()[Symbol.iterator]();
  assert.equal(rows.next().value, 'a');
  for (let step = 0; step < 4; step++) {
    await host.advance(600);
    assert.equal(read.get('a'), 1);
  }
  for (const call of [() => idle.get('a'), () => idle.subtree('a').count(), () => rows.next()])
    await refused(call, { kind: 'closed', code: 'VIEW_EXPIRED', says: /idle for more than 1000 ms/ });
  assert.equal(read.get('a'), 1);
  await host.drive(db.close());
});

test('asOf a version reads every commit as it was, with every call', async (t) => {
  const { db } = opened(t);
  const states: unknown[] = [undefined];
  const step = async (write: Promise<unknown>): Promise<void> => {
    await write;
    states.push(db.getTree());
  };
  await step(db.put('a', 1));
  await step(db.putTree('t', { x: [1, 2], y: 'text' }));
  await step(db.put('a', 2));
  await step(db.deleteTree('t'));
  await step(
    db.batch([
      { type: 'put', path: 't/z', value: 1 },
      { type: 'delete', path: 'a' },
    ]),
  );
  for (const [version, state] of states.entries()) {
    using view = db.asOf(version);
    assert.equal(view.version, version);
    assert.deepEqual(view.getTree(), state);
    assert.equal(view.count(), view.scan().toArray().length);
    assert.deepEqual(view.children().toArray(), state === undefined ? [] : Object.keys(state as object));
    using below = db.subtree('t').asOf(version);
    assert.deepEqual(below.getTree(), (state as Record<string, unknown> | undefined)?.['t']);
  }
});

test('asOf a Date is the newest version recorded by then, with expiry judged then', async (t) => {
  const { db, clock } = opened(t);
  await db.put('a', 1, { ttl: 150 });
  clock.ms += 100;
  await db.put('b', 2);
  clock.ms += 100;
  await db.put('c', 3);
  const at = (ms: number): unknown => {
    using view = db.asOf(new Date(START_MS + ms));
    return [view.version, view.getTree()];
  };
  assert.deepEqual(at(-1), [0, undefined]);
  assert.deepEqual(at(0), [1, { a: 1 }]);
  assert.deepEqual(at(99), [1, { a: 1 }]);
  assert.deepEqual(at(100), [2, { a: 1, b: 2 }]);
  assert.deepEqual(at(149), [2, { a: 1, b: 2 }]);
  assert.deepEqual(at(150), [2, { b: 2 }]);
  assert.deepEqual(at(200), [3, { b: 2, c: 3 }]);
});

test('asOf asserted is the newest version whose running maximum of asserted time is at most the date', async (t) => {
  const { db } = opened(t);
  for (const [at, asserted] of [1000, 3000, 2000, 5000, 4000].entries()) await db.put('a', at + 1, { assertedTime: asserted });
  const at = (ms: number): number => {
    using view = db.asOf({ asserted: new Date(ms) });
    return view.version;
  };
  // Running maxima: 1000, 3000, 3000, 5000, 5000.
  assert.deepEqual([999, 1000, 2999, 3000, 4999, 5000, 9000].map(at), [0, 1, 1, 3, 3, 5, 5]);
});

test('outside what is kept is HISTORY_EXPIRED; skipExpired leaves it out and lists it, relative to the handle', async (t) => {
  const { db, clock } = opened(t);
  db.subtree('short', { history: 0 });
  db.subtree('a/b', { history: 0 });
  await db.put('short/x', 1);
  await db.put('a/b/c', 1);
  await db.put('long', 1);
  const then = db.version;
  await db.put('short/x', 2);
  await db.put('a/b/c', 2);
  await db.put('long', 2);
  clock.ms += 1000;
  await db.put('tick', 1);
  using strict = db.asOf(then);
  assert.equal(strict.get('long'), 1);
  await refused(() => strict.get('short/x'), expired);
  await refused(() => strict.scan().toArray(), expired);
  using view = db.asOf(then, { skipExpired: true });
  assert.deepEqual(view.getTree(), { long: 1 });
  assert.deepEqual(view.skipped, [['a', 'b'], ['short']]);
  using inside = db.subtree('short').asOf(then, { skipExpired: true });
  assert.deepEqual([inside.skipped, inside.count()], [[[]], 0]);
  using deeper = db.subtree('a/b/c').asOf(then, { skipExpired: true });
  assert.deepEqual(deeper.skipped, [[]]);
  assert.deepEqual(view.subtree('a').skipped, [['b']]);
  assert.deepEqual(view.subtree('long').skipped, []);
});

test('a database that keeps no history refuses the past, and views that are open keep theirs', async (t) => {
  const { db, clock } = opened(t, { historyRetention: 0 });
  await db.put('a', 1);
  using open = db.snapshot();
  await db.put('a', 2);
  clock.ms += 10;
  await db.put('a', 3);
  assert.equal(open.get('a'), 1);
  await refused(() => db.asOf(2).get('a'), expired);
  assert.equal(db.asOf(db.version).get('a'), 3);
});

test('history gives the versions newest first, deletes and expiry as undefined, with who and why', async (t) => {
  const { db, clock } = opened(t);
  const ada = db.as({ actor: 'ada', reason: 'r' });
  await ada.put('a', 1);
  clock.ms += 5;
  await db.delete('a');
  await db.put('a', 2, { ttl: 50 });
  await db.put('b', 0);
  clock.ms += 100;
  const all = db.history('a').toArray();
  assert.deepEqual(
    all.map(({ value, version, expired: isExpired, actor, reason }) => [value, version, isExpired, actor, reason]),
    [
      [undefined, 3, true, undefined, undefined],
      [2, 3, false, undefined, undefined],
      [undefined, 2, false, undefined, undefined],
      [1, 1, false, 'ada', 'r'],
    ],
  );
  assert.deepEqual(
    all.map(({ time }) => time.getTime() - START_MS),
    [55, 5, 5, 0],
  );
  assert.deepEqual(db.history('a', { limit: 2 }).toArray(), all.slice(0, 2));
  assert.deepEqual(db.history('a', { limit: 0 }).toArray(), []);
  assert.deepEqual(db.history('none').toArray(), []);
  assert.deepEqual(db.subtree('').history('a').toArray(), all);
});

test('history of a snapshot ends at the snapshot, expiry included', async (t) => {
  const { db, clock } = opened(t);
  await db.put('a', 1, { ttl: 50 });
  using before = db.snapshot();
  clock.ms += 100;
  using after = db.snapshot();
  await db.put('a', 2);
  assert.deepEqual(
    before
      .history('a')
      .toArray()
      .map(({ value }) => value),
    [1],
  );
  assert.deepEqual(
    after
      .history('a')
      .toArray()
      .map(({ value }) => value),
    [undefined, 1],
  );
  assert.equal(after.history('a', { limit: 1 }).toArray().length, 1);
  assert.equal(db.history('a').toArray().length, 3);
});

test('diff gives what was put, changed and deleted from one snapshot to the other, in path order, with the version', async (t) => {
  const { db, clock } = opened(t);
  await db.putTree('t', { changed: 1, deleted: 2, same: 3, rewritten: 4, list: [1, 2] });
  await db.put('expiring', 1, { ttl: 50 });
  await db.put('beside', 1);
  using before = db.snapshot();
  await db.put('t/changed', 'new');
  await db.delete('t/deleted');
  await db.put('t/rewritten', 4);
  await db.put('t/list/#2', 3);
  await db.put('beside', 2);
  clock.ms += 100;
  using after = db.snapshot();
  assert.deepEqual(before.diff(after).toArray(), [
    { path: ['beside'], before: 1, after: 2, version: 8 },
    { path: ['expiring'], before: 1, version: 2 },
    { path: ['t', 'changed'], before: 1, after: 'new', version: 4 },
    { path: ['t', 'deleted'], before: 2, version: 5 },
    { path: ['t', 'list', 2], after: 3, version: 7 },
  ]);
  assert.deepEqual(before.diff(after, { prefix: 't/list' }).toArray(), [{ path: ['t', 'list', 2], after: 3, version: 7 }]);
  assert.deepEqual(
    before
      .subtree('t')
      .diff(after)
      .toArray()
      .map(({ path }) => path),
    [['changed'], ['deleted'], ['list', 2]],
  );
  assert.deepEqual(
    before
      .subtree('t')
      .diff(after, { prefix: 'list' })
      .toArray()
      .map(({ path }) => path),
    [['list', 2]],
  );
  assert.deepEqual(before.diff(before).toArray(), []);
  assert.deepEqual(
    after
      .diff(before)
      .toArray()
      .map(({ path, before: was, after: is }) => [path.at(-1), was, is]),
    [
      ['beside', 2, 1],
      ['expiring', undefined, 1],
      ['changed', 'new', 1],
      ['deleted', undefined, 2],
      [2, 3, undefined],
    ],
  );
  using old = db.asOf(0);
  assert.equal(old.diff(after).toArray().length, db.count());
});

test('diff is refused across databases and against what is no snapshot', async (t) => {
  const one = opened(t).db;
  const two = opened(t).db;
  using a = one.snapshot();
  using b = two.snapshot();
  const refusal = { kind: 'invalid', code: 'OPTION_INVALID' } as const;
  await refused(() => a.diff(b), { ...refusal, says: /another database/ });
  await refused(() => a.diff(two as unknown as Snapshot), refusal);
});

async function take(bucket: Bucket, options: ChangesOptions, count: number): Promise<Change[]> {
  const changes: Change[] = [];
  for await (const change of bucket.changes(options)) {
    changes.push(change);
    if (changes.length === count) break;
  }
  return changes;
}

test('changes gives whole commits in order, with every operation and what it superseded', async (t) => {
  const { db, clock } = opened(t);
  await db.put('a', 1, { ttl: 100, actor: 'ada', reason: 'r' });
  clock.ms += 5;
  await db.batch([
    { type: 'put', path: 'a', value: 2 },
    { type: 'put', path: 'b/c', value: { x: 1 } },
    { type: 'delete', path: 'none' },
  ]);
  await db.deleteTree('b');
  assert.deepEqual(await take(db, { from: 0 }, 3), [
    {
      version: 1,
      time: new Date(START_MS),
      assertedTime: undefined,
      actor: 'ada',
      reason: 'r',
      ops: [{ type: 'put', path: ['a'], value: 1, expiresAt: new Date(START_MS + 100), previousVersion: 0 }],
    },
    {
      version: 2,
      time: new Date(START_MS + 5),
      assertedTime: undefined,
      actor: undefined,
      reason: undefined,
      ops: [
        { type: 'put', path: ['a'], value: 2, expiresAt: undefined, previousVersion: 1 },
        { type: 'put', path: ['b', 'c'], value: { x: 1 }, expiresAt: undefined, previousVersion: 0 },
      ],
    },
    {
      version: 3,
      time: new Date(START_MS + 5),
      assertedTime: undefined,
      actor: undefined,
      reason: undefined,
      ops: [{ type: 'delete', path: ['b', 'c'], value: undefined, expiresAt: undefined, previousVersion: 2 }],
    },
  ]);
});

test('changes goes on after the last version seen, none twice and none missing, across restarts', async () => {
  const world = makeWorld();
  const first = opened(undefined, {}, world).db;
  for (let at = 1; at <= 6; at++) await first.put('a', at);
  const seen = (await take(first, { from: 0 }, 2)).map(({ version }) => version);
  await first.close();
  const second = opened(undefined, {}, world).db;
  await second.put('a', 7);
  seen.push(...(await take(second, { from: seen.at(-1)! }, 5)).map(({ version }) => version));
  assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7]);
  await second.close();
});

test('changes without from begins at the newest commit when it was called, and waits for those that come', async (t) => {
  const { db } = opened(t);
  await db.put('a', 1);
  const stream = db.changes();
  await db.put('a', 2);
  assert.equal((await stream.next()).value?.version, 2);
  const waiting = stream.next();
  await settled(1);
  await db.put('a', 3);
  assert.equal((await waiting).value?.version, 3);
  await stream.return?.();
});

test('changes of a subtree and of a prefix: relative paths, nothing from outside, no empty change', async (t) => {
  const { db } = opened(t);
  const sub = db.subtree('a');
  await db.put('a', 'own');
  await db.put(['a\0'], 'beside');
  await db.batch([
    { type: 'put', path: 'a/b/c', value: 1 },
    { type: 'put', path: 'ab', value: 1 },
  ]);
  await db.put('elsewhere', 1, { once: 'system keys are not told' });
  await db.put('a/b', 2);
  const paths = (changes: Change[]): unknown[] => changes.map(({ version, ops }) => [version, ...ops.map(({ path }) => path)]);
  assert.deepEqual(paths(await take(sub, { from: 0 }, 3)), [
    [1, []],
    [3, ['b', 'c']],
    [5, ['b']],
  ]);
  assert.deepEqual(paths(await take(sub, { from: 0, prefix: 'b' }, 2)), [
    [3, ['b', 'c']],
    [5, ['b']],
  ]);
  assert.deepEqual(paths(await take(db, { from: 1, prefix: 'a' }, 2)), [
    [3, ['a', 'b', 'c']],
    [5, ['a', 'b']],
  ]);
  assert.deepEqual(paths(await take(db, { from: 3 }, 2)), [
    [4, ['elsewhere']],
    [5, ['a', 'b']],
  ]);
});

test('changes gives a large commit in parts, all but the last with more', async (t) => {
  const { db } = opened(t);
  await db.batch(Array.from({ length: 9000 }, (_, at) => ({ type: 'put', path: ['n', at], value: at })));
  await db.put('end', 1);
  const changes = await take(db, { from: 0 }, 4);
  assert.deepEqual(
    changes.map(({ version, more, ops }) => [version, more, ops.length]),
    [
      [1, true, 4096],
      [1, true, 4096],
      [1, undefined, 808],
      [2, undefined, 1],
    ],
  );
  assert.deepEqual(
    changes.flatMap(({ ops }) => ops.map(({ value }) => value)).slice(0, 9000),
    Array.from({ length: 9000 }, (_, at) => at),
  );
});

test('changes ends with CANCELLED by a signal, ends when the database closes, and can be given up while it waits', async () => {
  const { db } = opened(undefined);
  await db.put('a', 1);
  const cancelled = { kind: 'closed', code: 'CANCELLED' } as const;
  await refused(() => db.changes({ from: 0, signal: AbortSignal.abort() }).next(), cancelled);
  const controller = new AbortController();
  const stream = db.changes({ signal: controller.signal });
  const waiting = stream.next();
  await settled(1);
  controller.abort();
  await refused(() => waiting, cancelled);
  const given = db.changes();
  const never = given.next();
  await settled(1);
  assert.deepEqual(await given.return?.(), { done: true, value: undefined });
  assert.deepEqual(await never, { done: true, value: undefined });
  const open = db.changes();
  const last = open.next();
  await settled(1);
  await db.close();
  assert.deepEqual(await last, { done: true, value: undefined });
});

test('changes from before what the log keeps is HISTORY_EXPIRED, at the first step', async () => {
  const { host, clock } = makeWorld();
  const platform = { host, targets: nodeTargets(host), cacheMemory: 4 << 20, release: async () => {} };
  const small = { historyRetention: 0, logRetention: 0, segmentBytes: 64 * 1024 } as OpenOptions;
  const db = openDatabase(platform, small);
  for (let round = 0; db.stats()['commits']!['segmentsDropped'] === 0; round++) {
    assert.ok(round < 10, 'no segment is let go');
    for (let at = 0; at < 100; at++) db.putSync(['k', at % 5], 'x'.repeat(1000));
    clock.ms += 1000;
    await db.compact();
  }
  await refused(() => db.changes({ from: 0 }).next(), expired);
  assert.equal((await db.changes({ from: db.version - 1 }).next()).value?.version, db.version);
  await db.close();
});

test('watch is called behind the promise of the commit, in commit order, with every commit below its prefix', async (t) => {
  const { db } = opened(t);
  const log: string[] = [];
  using _watch = db.watch('a', ({ version, ops }) => log.push(`told ${version} ${ops.map(({ path }) => path.join('/')).join()}`));
  using _sub = db
    .subtree('a')
    .watch('b', ({ version, ops }) => log.push(`below ${version} ${ops.map(({ path }) => path.join('/')).join()}`));
  const note = (commit: { version: number }): void => void log.push(`resolved ${commit.version}`);
  await Promise.all([db.put('a', 1).then(note), db.put('b', 2).then(note), db.put('a/b/c', 3).then(note)]);
  db.putSync('a', 4);
  log.push('returned 4');
  await settled();
  assert.deepEqual(log, ['resolved 1', 'resolved 2', 'resolved 3', 'told 1 a', 'told 3 a/b/c', 'below 3 b/c', 'returned 4', 'told 4 a']);
});

test('a watcher that is disposed is told nothing more, not even the rest of a group; what it throws stops no other', async (t) => {
  const messages: string[] = [];
  const { db } = opened(t, { logger: ({ message }) => void messages.push(message) });
  const seen: string[] = [];
  const first = db.watch('', ({ version }) => {
    seen.push(`first ${version}`);
    first[Symbol.dispose]();
  });
  db.watch('', ({ version }) => {
    seen.push(`throws ${version}`);
    throw new Error('of a listener');
  });
  db.watch('', ({ version }) => seen.push(`last ${version}`));
  await Promise.all([db.put('a', 1), db.put('a', 2)]);
  await settled();
  assert.deepEqual(seen, ['first 1', 'throws 1', 'throws 2', 'last 1', 'last 2']);
  assert.equal(messages.filter((message) => message.includes('of a listener')).length, 2);
  first[Symbol.dispose]();
});

test('a watcher may write; it is told of its own commits too', async (t) => {
  const { db } = opened(t);
  const seen: number[] = [];
  db.watch('a', ({ version }) => {
    seen.push(version);
    if (version < 4) db.putSync('a', version);
  });
  await db.put('a', 0);
  await settled();
  assert.deepEqual(seen, [1, 2, 3, 4]);
});

test('watch tells each commit at the level it asked for: a weak one before it is durable', async (t) => {
  const { db } = opened(t, { durability: 'async' });
  const seen: number[] = [];
  db.watch('', ({ version }) => seen.push(version));
  await db.put('a', 1);
  await settled();
  assert.deepEqual(seen, [1]);
});

function bumped(db: Database): Promise<unknown> {
  return db.put('bump', db.version);
}

test('policies are seen as they were: a snapshot answers by its own', async (t) => {
  const { db } = opened(t);
  const sub = db.subtree('p', { ttl: 1000 });
  await bumped(db);
  using then = sub.snapshot();
  db.subtree('p', { ttl: 5000 });
  await bumped(db);
  assert.deepEqual(sub.policy, { ttl: 5000 });
  assert.deepEqual(then.policy, { ttl: 1000 });
  assert.deepEqual(sub.asOf(0).policy, {});
});
