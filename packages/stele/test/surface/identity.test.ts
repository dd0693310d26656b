/** Identity: what `as` puts into the commits, and what a handle with fewer capabilities may do. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryStorage } from '../../src/host/memory/storage.ts';
import type { Capability, Database } from '../../src/model/types.ts';
import { opened, refusalOf, refused } from './kit.ts';

test('every write of a handle made by as carries actor and reason, on every route', async (t) => {
  const { db } = opened(t);
  const ada = db.as({ actor: 'ada', reason: 'import 7' });
  await ada.put('a', 1);
  ada.putSync('a', 2);
  await ada.increment('a');
  await ada.batch([{ type: 'put', path: 'a', value: 4 }]);
  await ada.putTree('a', 5);
  await ada.transact((tx) => tx.put('a', 6));
  await ada.subtree('').put('a', 7);
  ada.subtree('policy', { ttl: 1000 });
  await using tx = await ada.begin();
  tx.put('a', 8);
  await tx.commit();
  await ada.delete('a');
  const history = db.history('a').toArray();
  assert.equal(history.length, 9);
  assert.ok(history.every(({ actor, reason }) => actor === 'ada' && reason === 'import 7'));
  await db.put('a', 9);
  assert.deepEqual([db.history('a').toArray()[0]?.actor, db.history('a').toArray()[0]?.reason], [undefined, undefined]);
});

test('a call says it over its handle, and a handle of a handle over that; the text keeps every character', async (t) => {
  const { db } = opened(t);
  const ada = db.as({ actor: 'ada', reason: 'outer' });
  await ada.put('a', 1, { reason: 'inner' });
  await ada.as({ actor: 'agent é日\0' }).put('a', 2);
  await ada.put('a', 3, { actor: 'eve' });
  const who = db
    .history('a')
    .toArray()
    .map(({ actor, reason }) => [actor, reason]);
  assert.deepEqual(who, [
    ['eve', 'outer'],
    ['agent é日\0', 'outer'],
    ['ada', 'inner'],
  ]);
  await db.put('a', 4, { actor: 'x'.repeat(256), reason: 'y'.repeat(4096) });
  assert.equal(db.history('a').toArray()[0]?.actor?.length, 256);
});

const READS: readonly ((db: Database) => unknown)[] = [
  (db) => db.get('a'),
  (db) => db.getMany(['a']),
  (db) => db.has('a'),
  (db) => db.entry('a'),
  (db) => db.kind('a'),
  (db) => db.readValue('text'),
  (db) => db.getTree('t'),
  (db) => db.children('t').toArray(),
  (db) => db.scan().toArray(),
  (db) => db.count(),
  (db) => db.first(),
  (db) => db.last(),
  (db) => db.nth('', 0),
  (db) => db.getAsync('a'),
  (db) => db.getManyAsync(['a']),
  (db) => db.prefetch(['a']),
  (db) => db.history('a').toArray(),
  (db) => db.snapshot(),
  (db) => db.asOf(1),
  (db) => db.changes({ from: 0 }).next(),
  (db) => db.watch('', () => {}),
  (db) => db.subtree('t').get('a'),
  (db) => db.share(),
];
const WRITES: readonly ((db: Database) => unknown)[] = [
  (db) => db.put('a', 1),
  (db) => db.put('a', 1, { ttl: 1000 }),
  (db) => db.putSync('a', 1),
  (db) => db.delete('none'),
  (db) => db.deleteTree('none'),
  (db) => db.putTree('t', { a: 1 }),
  (db) => db.batch([{ type: 'increment', path: 'n' }]),
  (db) => db.transact((tx) => tx.put('a', 1)),
  (db) => db.transactSync((tx) => tx.put('a', 1)),
  (db) => db.begin(),
  (db) => db.subtree('t').put('a', 1),
];
/** Whoever writes learns what was there from these. */
const BOTH: readonly ((db: Database) => unknown)[] = [
  (db) => db.increment('n'),
  (db) => db.incrementSync('n'),
  (db) => db.transact((tx) => tx.increment('n')),
  (db) => db.transact((tx) => tx.get('a')),
  (db) => db.transact((tx) => tx.peek('a')),
  (db) => db.transact((tx) => tx.scan().toArray()),
  (db) => db.transact((tx) => tx.subtree('t').children().toArray()),
];
const ADMIN: readonly ((db: Database) => unknown)[] = [
  (db) => db.subtree('p', { ttl: 1000 }),
  (db) => db.subtree('t').rebuildIndex('none'),
  (db) => db.compact(),
  (db) => db.backup(memoryStorage()),
  (db) => db.repair(),
  (db) => db.close(),
];

test('a handle does what its capabilities say and nothing else, on every call', async (t) => {
  for (const capabilities of [[], ['read'], ['write'], ['read', 'write'], ['admin']] as const satisfies Capability[][]) {
    const { db } = opened(t);
    await db.put('a', 1);
    await db.put('text', 'text');
    await db.putTree('t', { a: 1 });
    const handle = db.as({ actor: 'agent', capabilities });
    const has = new Set<string>(capabilities);
    for (const [calls, isAllowed] of [
      [READS, has.has('read')],
      [WRITES, has.has('write')],
      [BOTH, has.has('read') && has.has('write')],
      [ADMIN, has.has('admin')],
    ] as const)
      for (const call of calls) {
        const about = `[${capabilities.join()}] ${call}`;
        if (isAllowed) {
          if (String(call).includes('rebuildIndex')) await refused(() => call(handle), { kind: 'invalid', code: 'INDEX_MISSING' });
          else await call(handle);
        } else {
          const error = await refusalOf(() => call(handle));
          assert.equal(`${error.kind} ${error.code}`, 'denied NOT_PERMITTED', about);
          assert.match(error.message, /agent lacks the capability '(?:read|write|admin)'/);
        }
      }
  }
});

test('what is denied writes nothing', async (t) => {
  const { db } = opened(t);
  await db.put('a', 1);
  const reader = db.as({ capabilities: ['read'] });
  for (const call of WRITES) await refused(() => call(reader), { kind: 'denied', code: 'NOT_PERMITTED', says: /this handle lacks/ });
  assert.deepEqual([db.version, db.count()], [1, 1]);
});

test('capabilities can only be taken away, through subtrees and further handles', async (t) => {
  const { db } = opened(t);
  const denied = { kind: 'denied', code: 'NOT_PERMITTED' } as const;
  const reader = db.as({ capabilities: ['read'] });
  await refused(() => reader.as({ capabilities: ['read', 'write', 'admin'] }).put('a', 1), denied);
  await refused(
    () =>
      reader
        .subtree('s')
        .as({ capabilities: ['write'] })
        .put('a', 1),
    denied,
  );
  await refused(() => reader.as({ capabilities: ['write'] }).get('a'), denied);
  await refused(() => reader.subtree('s').subtree('t', { ttl: 5 }), denied);
  assert.equal(await reader.as({ actor: 'ada' }).getAsync('a'), undefined);
  await refused(() => db.as({ actor: 'x'.repeat(257) }), {
    kind: 'invalid',
    code: 'OPTION_INVALID',
    says: /257 bytes, expected at most 256/,
  });
});
