import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryHost } from '../host/memory/host.ts';
import { openEngine } from './engine.ts';

const key = (text: string): Uint8Array => new TextEncoder().encode(`\x02${text}`);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('commitRecord and changes give back the meta, checksum and asserted time of a commit', async () => {
  const db = await openEngine({ host: memoryHost() });
  const commit = await db.put(key('a'), bytes('1'), { meta: [bytes('ada'), bytes('')], assertedTimeMs: 42 });
  const record = db.commitRecord(1);
  assert.deepEqual(record, {
    version: 1,
    timeMs: commit.timeMs,
    assertedTimeMs: 42,
    meta: [bytes('ada'), bytes('')],
    changed: 1,
    checksum: commit.checksum,
  });
  assert.deepEqual(commit.time, new Date(commit.timeMs));
  const [change] = [...db.changes(0)];
  assert.deepEqual(change!.meta, [bytes('ada'), bytes('')]);
  await db.close();
});

test('commitRecord reads a commit that is still in the log buffer', async () => {
  const db = await openEngine({ host: memoryHost(), durability: 'async' });
  const pending = db.put(key('a'), bytes('1'), { meta: [bytes('m')] });
  assert.deepEqual(db.commitRecord(1).meta, [bytes('m')]);
  await pending;
  assert.throws(() => db.commitRecord(2), { code: 'VERSION_INVALID' });
  assert.throws(() => db.commitRecord(0), { code: 'VERSION_INVALID' });
  await db.close();
});

test('prepare names the commit the next write makes, a large delete under way included', async () => {
  const db = await openEngine({ host: memoryHost(), durability: 'async' });
  await db.batch(Array.from({ length: 2000 }, (_, at) => ({ type: 'put' as const, key: key(`k${at}`), value: bytes('v') })));
  const deleted = db.deleteRange(key(''), key('z'));
  const { version } = db.prepare();
  assert.equal(version, 3);
  assert.equal((await db.put(key('x'), bytes('1'))).version, 3);
  assert.equal((await deleted).version, 2);
  await db.close();
});

test('an unbounded batch may be larger than 100,000 operations', async () => {
  const db = await openEngine({ host: memoryHost(), durability: 'async' });
  const operations = Array.from({ length: 100_001 }, (_, at) => ({ type: 'put' as const, key: key(`${at}`), value: bytes('v') }));
  await assert.rejects(db.batch(operations), { code: 'BATCH_TOO_LARGE' });
  assert.equal((await db.batch(operations, { unbounded: true })).changed, 100_001);
  await db.close();
});

test('onDurable tells of weaker commits once they are on the device, and of the end', async () => {
  const db = await openEngine({ host: memoryHost(), durability: 'async' });
  const seen: (number | undefined)[] = [];
  using _listener = db.onDurable((version) => seen.push(version));
  const { version } = await db.put(key('a'), bytes('1'));
  assert.deepEqual([...db.changes(0)], []);
  assert.deepEqual(
    [...db.changes(0, version)].map((change) => change.version),
    [1],
  );
  await db.sync();
  await db.close();
  assert.equal(seen[0], 1);
  assert.equal(seen.at(-1), undefined);
});
