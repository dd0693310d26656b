/** Transactions: serializable, retried on conflict, ended by signal and time, seen through subtrees. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SteleError } from '../../src/base/errors.ts';
import { commitStamp } from '../../src/model/stamp.ts';
import type { Commit, Database, Transaction } from '../../src/model/types.ts';
import { opened, refused, refusedUnwritten, START_MS, settled } from './kit.ts';

const conflict = { kind: 'conflict', code: 'CONFLICT' } as const;

test('transact gives what the work returns, sync or async, and commits once', async (t) => {
  const { db } = opened(t);
  assert.equal(await db.transact((tx) => `sync ${tx.increment('a')}`), 'sync 1');
  assert.equal(
    await db.transact(async (tx) => {
      await Promise.resolve();
      tx.put('b', tx.get<number>('a')! + 1);
      return 'async';
    }),
    'async',
  );
  assert.deepEqual([db.version, db.get('b')], [2, 2]);
  const map = await db.transact(() => new Map([[1, 2]]));
  assert.equal(map.get(1), 2, 'anything may be returned when nothing is kept');
});

test('a transaction that only reads makes no commit', async (t) => {
  const { db } = opened(t);
  await db.put('a', 1);
  let committed: Promise<Commit> | undefined;
  await db.transact((tx) => {
    committed = tx.committed;
    return tx.get('a');
  });
  assert.equal(db.version, 1);
  assert.equal((await committed)?.changed, 0);
});

test('what the work throws comes out as it is, and nothing is written', async (t) => {
  const { db } = opened(t);
  const mine = new Error('mine');
  let runs = 0;
  for (const work of [
    (tx: Transaction) => {
      runs++;
      tx.put('a', 1);
      throw mine;
    },
    async (tx: Transaction) => {
      runs++;
      tx.put('a', 1);
      await Promise.resolve();
      throw mine;
    },
  ]) {
    await assert.rejects(db.transact(work), (error) => error === mine);
    assert.equal(db.version, 0);
  }
  assert.throws(
    () =>
      db.transactSync(() => {
        throw mine;
      }),
    (error) => error === mine,
  );
  await assert.rejects(
    db.transact(() => {
      throw new SteleError('conflict', 'CONFLICT', 'not of this transaction');
    }),
    { code: 'CONFLICT' },
  );
  assert.equal(runs, 2, 'none of it is run again');
});

test('own writes are seen by own reads of every kind, and by nobody else before the commit', async (t) => {
  const { db } = opened(t);
  await db.putTree('a', { b: 1, c: 2, d: 3 });
  await using tx = await db.begin();
  tx.put('a/e', 4);
  tx.delete('a/b');
  tx.putTree('a/c', { x: 'deep' });
  assert.equal(tx.increment('a/d'), 4);
  assert.deepEqual(tx.getTree('a'), { c: { x: 'deep' }, d: 4, e: 4 });
  assert.deepEqual(tx.children('a').toArray(), ['c', 'd', 'e']);
  assert.deepEqual(tx.children('a', { reverse: true, after: 'e' }).toArray(), ['d', 'c']);
  assert.deepEqual([tx.count(), tx.count('a'), tx.count('a/c')], [3, 3, 1]);
  assert.deepEqual([tx.first()?.path, tx.last()?.value, tx.nth('a', 1)?.path], [['a', 'c', 'x'], 4, ['a', 'd']]);
  assert.deepEqual(
    tx
      .scan({ reverse: true, limit: 2, after: ['a', 'e'] })
      .toArray()
      .map(({ path }) => path),
    [
      ['a', 'd'],
      ['a', 'c', 'x'],
    ],
  );
  assert.deepEqual(tx.getMany(['a/b', 'a/d', 'a/e']), [undefined, 4, 4]);
  assert.equal(tx.entry('a/e')?.version, 0);
  assert.deepEqual([tx.kind('a/c'), tx.kind('a/b'), tx.has('a/b')], ['tree', 'none', false]);
  tx.deleteTree('a');
  assert.equal(tx.getTree(), undefined);
  assert.deepEqual(db.getTree('a'), { b: 1, c: 2, d: 3 });
  tx.put('a', 'end');
  await tx.commit();
  assert.deepEqual(db.getTree(), { a: 'end' });
  assert.equal(db.version, 2);
});

/** Runs `first` up to its commit, lets `meanwhile` commit, and commits. */
async function against(db: Database, first: (tx: Transaction) => void, meanwhile: () => Promise<unknown>): Promise<void> {
  await using tx = await db.begin();
  first(tx);
  tx.put('own', db.version);
  await meanwhile();
  await tx.commit();
}

for (const [what, read, write] of [
  ['a value', (tx) => tx.get('a'), (db) => db.put('a', 2)],
  ['a missing value', (tx) => tx.get('none'), (db) => db.put('none', 1)],
  ['a deleted value', (tx) => tx.has('a'), (db) => db.delete('a')],
  ['an entry', (tx) => tx.entry('a'), (db) => db.put('a', 1)],
  ['many values', (tx) => tx.getMany(['x', 'a']), (db) => db.put('a', 2)],
  ['a scan', (tx) => tx.scan({ prefix: 't' }).toArray(), (db) => db.put('t/0', 1)],
  ['a count', (tx) => tx.count('t'), (db) => db.put('t/9', 1)],
  ['the first of a range', (tx) => tx.first('t'), (db) => db.put(['t', 0], 1)],
  ['the last of a range', (tx) => tx.last('t'), (db) => db.put('t/z', 1)],
  ['the n-th of a range', (tx) => tx.nth('t', 1), (db) => db.delete('t/a')],
  ['children', (tx) => tx.children('t').toArray(), (db) => db.put('t/new/deep', 1)],
  ['a tree', (tx) => tx.getTree('t'), (db) => db.put('t/a', 2)],
  ['a kind', (tx) => tx.kind('t/a'), (db) => db.put('t/a/below', 2)],
  ['a range by deleteTree', (tx) => tx.getTree('t'), (db) => db.deleteTree('t')],
  ['an increment', (tx) => tx.increment('a'), (db) => db.increment('a')],
  ['a condition', (tx) => tx.put('a', 5, { ifVersion: tx.peek('a') === 1 ? 1 : 4 }), (db) => db.put('a', 2)],
  ['a read below a subtree', (tx) => tx.subtree('t').get('a'), (db) => db.put('t/a', 2)],
  ['a read of a piece', (tx) => tx.readValue('text'), (db) => db.put('text', 'new')],
] as readonly (readonly [string, (tx: Transaction) => unknown, (db: Database) => Promise<unknown>])[]) {
  test(`${what} that was read and changed meanwhile is a conflict, and nothing is written`, async (t) => {
    const { db } = opened(t);
    await db.put('a', 1);
    await db.putTree('t', { a: 1, b: 2, c: 3 });
    await db.put('text', 'old');
    await refused(
      () =>
        against(
          db,
          (tx) => void read(tx),
          () => write(db),
        ),
      conflict,
    );
    assert.equal(db.get('own'), undefined);
    await against(
      db,
      (tx) => void read(tx),
      () => db.put('elsewhere', 1),
    );
    assert.notEqual(db.get('own'), undefined, 'other commits are no conflict');
  });
}

test('peek reads without joining the read set', async (t) => {
  const { db } = opened(t);
  await db.put('a', 1);
  await against(
    db,
    (tx) => assert.equal(tx.peek('a'), 1),
    () => db.put('a', 2),
  );
  assert.equal(db.get('own'), 1);
  await db.transact((tx) => {
    tx.put('a', 3);
    assert.equal(tx.peek('a'), 3, 'own writes are seen');
    assert.equal(tx.subtree('').peek('none'), undefined);
  });
});

test('no write skew: of two that each read what the other writes, one is run again', async (t) => {
  const { db } = opened(t);
  await db.putTree('oncall', { ada: true, eve: true });
  const leave = (who: string) =>
    db.transact(async (tx) => {
      const others = tx
        .scan({ prefix: 'oncall' })
        .toArray()
        .filter(({ path, value }) => value === true && path[1] !== who);
      await settled(2);
      if (others.length === 0) return false;
      tx.put(['oncall', who], false);
      return true;
    });
  assert.deepEqual((await Promise.all([leave('ada'), leave('eve')])).sort(), [false, true]);
});

test('conflicts are run again, up to retries; the last conflict comes out', async (t) => {
  const { db } = opened(t);
  let runs = 0;
  const collide = (retries?: number): Promise<number> => {
    runs = 0;
    return db.transact(
      async (tx) => {
        runs++;
        tx.get('hot');
        await db.increment('hot');
        tx.put('result', runs);
        return runs;
      },
      retries === undefined ? {} : { retries },
    );
  };
  await refused(() => collide(), conflict);
  assert.equal(runs, 11, 'ten by default, after the first');
  await refused(() => collide(2), conflict);
  assert.equal(runs, 3);
  await refused(() => collide(0), conflict);
  assert.equal(runs, 1);
  assert.equal(db.get('result'), undefined);
  const winners = await Promise.all(
    Array.from({ length: 8 }, () =>
      db.transact(async (tx) => {
        await Promise.resolve();
        return tx.increment('counter');
      }),
    ),
  );
  assert.deepEqual(winners.sort(), [1, 2, 3, 4, 5, 6, 7, 8]);
});

test('transactSync runs and commits at once; begin is the same without retry', async (t) => {
  const { db } = opened(t);
  assert.equal(
    db.transactSync((tx) => tx.increment('a', 5)),
    5,
  );
  using tx = db.beginSync();
  assert.equal(tx.get('a'), 5);
  assert.equal(tx.version, 1);
  tx.put('a', 6);
  const commit = tx.commitSync();
  assert.equal(commit.version, 2);
  assert.equal(await tx.committed, commit);
});

test('tx.committed gives the commit when it has reached its level, and what refused it otherwise', async (t) => {
  const { db } = opened(t);
  const seen: Promise<Commit>[] = [];
  await db.transact((tx) => {
    seen.push(tx.committed);
    tx.put('a', 1);
  });
  assert.equal((await seen[0])?.version, 1);
  await db
    .transact((tx) => {
      seen.push(tx.committed);
      throw new Error('no');
    })
    .catch(() => {});
  await assert.rejects(seen[1]!, /no/);
  const tx = await db.begin();
  tx.abort();
  await refused(() => tx.committed, { kind: 'closed', code: 'TRANSACTION_CLOSED' });
});

test('a commit under way is not undone by abort, disposal or a second commit', async (t) => {
  const { db } = opened(t);
  const ends: readonly ((tx: Transaction) => unknown)[] = [
    (tx) => tx.abort(),
    (tx) => tx[Symbol.dispose](),
    (tx) => tx.commit().catch((error: SteleError) => assert.equal(error.code, 'TRANSACTION_CLOSED')),
  ];
  for (const [at, end] of ends.entries()) {
    const tx = db.beginSync();
    tx.put('a', at);
    const committing = tx.commit();
    await end(tx);
    assert.equal((await committing).version, at + 1);
    assert.equal((await tx.committed).version, at + 1);
    assert.equal(db.get('a'), at);
  }
});

test('disposal aborts what was not committed', async (t) => {
  const { db } = opened(t);
  {
    using tx = db.beginSync();
    tx.put('a', 1);
  }
  {
    await using tx = await db.begin();
    tx.put('a', 1);
  }
  assert.equal(db.version, 0);
});

test('inside transact the caller commits: commit is refused, abort ends it, and nothing is written', async (t) => {
  const { db } = opened(t);
  for (const work of [
    (tx: Transaction) => {
      tx.put('a', 1);
      tx.commitSync();
    },
    async (tx: Transaction) => {
      tx.put('a', 1);
      await tx.subtree('s').commit();
    },
  ])
    await refusedUnwritten(db, () => db.transact(work), { kind: 'invalid', code: 'OPTION_INVALID', says: /transact commits/ });
  const aborted = (tx: Transaction): void => {
    tx.put('a', 1);
    tx.abort();
  };
  await refusedUnwritten(db, () => db.transact(aborted), { kind: 'closed', code: 'TRANSACTION_CLOSED' });
});

test('time is that of the view, version the newest commit it sees, random comes from the host', async (t) => {
  const { db, clock } = opened(t);
  await db.put('a', 1, { ttl: 100 });
  clock.ms += 99;
  await using tx = await db.begin();
  assert.deepEqual(tx.time, new Date(START_MS + 99));
  clock.ms += 1000;
  assert.equal(tx.get('a'), 1, 'expiry is judged at its time');
  assert.equal(tx.version, 1);
  assert.equal(tx.random(16).length, 16);
  assert.notDeepEqual(tx.random(16), tx.random(16));
  assert.equal(tx.random(0).length, 0);
});

test('a subtree of a transaction is part of it', async (t) => {
  const { db } = opened(t);
  await db.subtree('a').transact((tx) => {
    tx.put('b', 1);
    const below = tx.subtree('c');
    below.put('', 'own');
    below.put('d', 2);
    assert.deepEqual(below.getTree(), { '': 'own', d: 2 });
    assert.deepEqual(
      tx
        .scan()
        .toArray()
        .map(({ path }) => path),
      [['b'], ['c'], ['c', 'd']],
    );
    below.subtree('e').increment('n', 3);
    below.deleteTree('d');
  });
  assert.deepEqual(db.getTree(), { a: { b: 1, c: { '': 'own', e: { n: 3 } } } });
  assert.equal(db.version, 1);
});

test('once: a repeat gives what the first run returned without running the work; two at a time run it once', async (t) => {
  const { db } = opened(t);
  let runs = 0;
  const order = () =>
    db.transact(
      async (tx) => {
        runs++;
        await Promise.resolve();
        return { number: tx.increment('orders'), stamp: tx.put(['log', commitStamp()], 'order') ?? null };
      },
      { once: 'order 7' },
    );
  const results = await Promise.all([order(), order(), order()]);
  assert.deepEqual(results, new Array(3).fill({ number: 1, stamp: null }));
  const before = runs;
  assert.deepEqual(await order(), { number: 1, stamp: null });
  assert.equal(runs, before);
  assert.equal(db.count('log'), 1);
  assert.equal(
    db.transactSync(() => 'other', { once: 'nothing written' }),
    'other',
  );
  assert.equal(
    db.transactSync(() => 'again', { once: 'nothing written' }),
    'other',
  );
  assert.equal(await db.transact((tx) => tx.put('v', 1), { once: 'void' }), undefined);
  assert.equal(await db.transact(() => assert.fail('ran again'), { once: 'void' }), undefined);
  await refused(() => db.begin({ once: 'order 7' }), { kind: 'conflict', code: 'ONCE_REPEATED' });
  await using one = await db.begin({ once: 'race' });
  await using two = await db.begin({ once: 'race' });
  one.put('race', 1);
  two.put('race', 2);
  await one.commit();
  await refused(() => two.commit(), conflict);
});

test('a signal ends it: before, while the work waits, and in begin; nothing is written', async (t) => {
  const { db } = opened(t);
  const cancelled = { kind: 'closed', code: 'CANCELLED' } as const;
  const reason = new Error('enough');
  await refusedUnwritten(db, () => db.transact((tx) => tx.put('a', 1), { signal: AbortSignal.abort(reason) }), cancelled);
  const controller = new AbortController();
  let kept: Transaction | undefined;
  const waiting = db.transact(
    (tx) => {
      kept = tx;
      tx.put('a', 1);
      return new Promise<void>(() => {});
    },
    { signal: controller.signal },
  );
  await settled(1);
  controller.abort(reason);
  await assert.rejects(waiting, (error: SteleError) => error.code === 'CANCELLED' && error.cause === reason);
  await refused(() => kept!.put('b', 1), { kind: 'closed', code: 'TRANSACTION_CLOSED' });
  const another = new AbortController();
  const tx = await db.begin({ signal: another.signal });
  tx.put('a', 1);
  another.abort();
  await refusedUnwritten(db, () => tx.commit(), { kind: 'closed', code: 'TRANSACTION_CLOSED' });
  await refused(() => db.begin({ signal: AbortSignal.abort() }), cancelled);
});

test('timeoutMs covers all runs: TIMEOUT, and nothing is written', async (t) => {
  const { db, clock } = opened(t);
  const late = { kind: 'unavailable', code: 'TIMEOUT', says: /more than timeoutMs; nothing was written/ } as const;
  let runs = 0;
  await refused(
    () =>
      db.transact(
        async (tx) => {
          runs++;
          tx.get('hot');
          tx.put('result', 1);
          await db.put('hot', runs);
          clock.ms += 40_000;
        },
        // Timers run by the real clock: far away.
        { timeoutMs: 100_000 },
      ),
    late,
  );
  assert.equal(runs, 3);
  assert.equal(db.get('result'), undefined);
  await refused(
    () =>
      db.transact(
        (tx) => {
          tx.put('result', 1);
          return new Promise(() => {});
        },
        { timeoutMs: 1 },
      ),
    late,
  );
  assert.equal(db.get('result'), undefined);
  assert.equal(await db.transact(() => 'in time', { timeoutMs: 1000 }), 'in time');
});

test('actor and reason of a transaction, and a commit by a stronger level, go with its commit', async (t) => {
  const { db } = opened(t, { durability: 'async' });
  let committed: Promise<Commit> | undefined;
  await db.transact(
    (tx) => {
      committed = tx.committed;
      tx.put('a', 1);
    },
    { actor: 'ada', reason: 'because', assertedTime: 5000, durability: 'immediate' },
  );
  assert.equal((await committed)?.durability, 'device');
  const change = (await db.changes({ from: 0 }).next()).value!;
  assert.deepEqual([change.actor, change.reason, change.assertedTime], ['ada', 'because', new Date(5000)]);
});

test('writes made beside a transaction inside its work are commits of their own', async (t) => {
  const { db } = opened(t);
  await db.transact(async (tx) => {
    tx.put('inside', 1);
    await db.put('beside', 1);
    assert.equal(tx.peek('beside'), undefined);
  });
  assert.deepEqual(db.getTree(), { beside: 1, inside: 1 });
  assert.equal(db.version, 2);
});
