import assert from 'node:assert/strict';
import test from 'node:test';
import { memoryHost } from '../host/memory/host.ts';
import { openEngine } from './engine.ts';
import type { Engine } from './types.ts';

const key = (at: number): Uint8Array => new TextEncoder().encode(`\u0002k/${String(at).padStart(6, '0')}`);
const range = { start: key(0), end: key(999_999) };

async function filled(count: number, historyRetention: number): Promise<{ db: Engine; reopen: () => Promise<Engine> }> {
  const host = memoryHost();
  const open = () => openEngine({ host, cacheMemory: 1 << 20, segmentBytes: 64 * 1024, historyRetention, durability: 'async' });
  const db = await open();
  for (let at = 0; at < count; at += 1000) {
    await db.batch(Array.from({ length: 1000 }, (_, k) => ({ type: 'put' as const, key: key(at + k), value: key(at + k) })));
  }
  return { db, reopen: open };
}

for (const historyRetention of [0, Number.POSITIVE_INFINITY]) {
  test(`deleteRange() of more than fits the cache is one commit, history ${historyRetention}`, async () => {
    const { db, reopen } = await filled(30_000, historyRetention);
    const before = db.snapshot();
    await db.put(Uint8Array.of(2, 255), key(1));
    const version = db.version;
    const receipt = await db.deleteRange(range.start, range.end);
    assert.deepEqual([receipt.version, receipt.changed], [version + 1, 30_000]);
    assert.deepEqual([db.count(), db.count(range), before.count()], [1, 0, 30_000]);
    assert.deepEqual(before.get(key(17_003)), key(17_003));
    const changed = [...db.changes(version)].map((change) => change.operations.length);
    assert.deepEqual(changed, [30_000]);
    before.close();
    assert.equal((await db.verify()).ok, true);
    await db.close();
    const again = await reopen();
    assert.deepEqual([again.version, again.count()], [version + 1, 1]);
    await again.close();
  });
}

test('readers stay at the commit before until the last effect is in, then see all of it', async () => {
  const { db } = await filled(20_000, Number.POSITIVE_INFINITY);
  const version = db.version;
  let isDone = false;
  const deleting = db.deleteRange(range.start, range.end).then(() => {
    isDone = true;
  });
  let seenBetween = 0;
  while (!isDone) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (db.version === version) {
      seenBetween++;
      assert.deepEqual(db.get(key(3)), key(3));
      assert.deepEqual(db.getMany([key(0), key(19_999)]), [key(0), key(19_999)]);
      assert.equal(db.count(range), 20_000);
    } else {
      assert.equal(db.get(key(3)), undefined);
      assert.equal(db.count(range), 0);
    }
  }
  await deleting;
  assert.ok(seenBetween > 0, 'the delete was never seen under way');
  await db.close();
});

test('a write that comes while slices are applied finishes them first, and comes after', async () => {
  const { db } = await filled(20_000, Number.POSITIVE_INFINITY);
  const deleting = db.deleteRange(range.start, range.end);
  await new Promise<void>((resolve) => setImmediate(resolve));
  const put = db.put(key(5), key(6));
  const [deleted, written] = await Promise.all([deleting, put]);
  assert.equal(written.version, deleted.version + 1);
  assert.equal(db.count(range), 1);
  const txn = db.begin();
  assert.deepEqual(txn.get(key(5)), key(6));
  txn.abort();
  await db.close();
});

test('several ranges go in one commit, in slices, and what lies between stays', async () => {
  const db = await openEngine({ host: memoryHost(), durability: 'async' });
  const key = (text: string): Uint8Array => new TextEncoder().encode(`\x02${text}`);
  const put = (name: string, count: number): Promise<unknown> =>
    db.batch(Array.from({ length: count }, (_, at) => ({ type: 'put' as const, key: key(`${name}${at}`), value: key('v') })));
  for (const name of ['a', 'b', 'c', 'd']) await put(name, 700);
  const { version } = db;
  const commit = await db.deleteRanges([
    { start: key('c'), end: key('d') },
    { start: key('a'), end: key('b') },
  ]);
  assert.equal(commit.changed, 1400);
  assert.equal(db.version, version + 1);
  assert.equal(db.count({ start: key('a'), end: key('e') }), 1400);
  assert.equal(db.count({ start: key('b'), end: key('c') }), 700);
  await assert.rejects(
    db.deleteRanges([
      { start: key('b'), end: key('d') },
      { start: key('c'), end: key('e') },
    ]),
    { code: 'RANGE_INVALID' },
  );
  assert.equal(db.version, version + 1);
  await db.close();
});
