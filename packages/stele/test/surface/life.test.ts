/** Life: opening, durability, upkeep, copies, repair, closing, threads; on real directories where the machine has a say. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { memoryStorage } from '../../src/host/memory/storage.ts';
import type { Database } from '../../src/model/types.ts';
import { open, openSync } from '../../src/node/open.ts';
import { restore } from '../../src/node/targets.ts';
import { changeMeta, set } from '../formats/reseal.ts';
import { makeWorld, opened, refused, scratch, settled } from './kit.ts';

const SMALL = { cacheMemory: 4 << 20 };

test('open makes the directory when it is missing, and finds everything again', async (t) => {
  const directory = join(scratch(t), 'made', 'on the way');
  {
    await using db = await open(directory, SMALL);
    await db.put('a', 1);
  }
  await using db = await open({ storage: directory, ...SMALL });
  assert.equal(db.get('a'), 1);
  assert.equal(db.readOnly, false);
});

test('one process writes: a second opener is told who is there, and gets in when the first has closed', async (t) => {
  const directory = scratch(t);
  const locked = { kind: 'unavailable', code: 'LOCKED' } as const;
  const first = await open(directory, SMALL);
  await first.put('a', 1);
  await refused(() => open(directory, SMALL), { ...locked, says: /in use/ });
  await refused(() => open(directory, { ...SMALL, readOnly: true }), locked);
  await first.put('a', 2);
  await first.close();
  const reader = await open(directory, { ...SMALL, readOnly: true });
  const other = await open(directory, { ...SMALL, readOnly: true });
  assert.deepEqual([reader.get('a'), other.get('a')], [2, 2]);
  await refused(() => open(directory, SMALL), locked);
  await reader.close();
  await other.close();
  await (await open(directory, SMALL)).close();
});

test('opened read-only, every write is refused and nothing in the directory changes', async (t) => {
  const directory = scratch(t);
  const writer = await open(directory, SMALL);
  writer.subtree('s', { ttl: 1e9 });
  await writer.put('a', 1);
  await writer.close();
  const files = (): unknown[] =>
    readdirSync(directory)
      .filter((name) => !name.includes('lock'))
      .map((name) => [name, readFileSync(join(directory, name)).toString('base64')]);
  const before = files();
  const db = await open(directory, { ...SMALL, readOnly: true });
  assert.equal(db.readOnly, true);
  const calls: readonly (() => unknown)[] = [
    () => db.put('a', 2),
    () => db.put('a', 2, { ttl: 5 }),
    () => db.putSync('a', 2),
    () => db.delete('a'),
    () => db.deleteTree('a'),
    () => db.putTree('a', { b: 1 }),
    () => db.increment('n'),
    () => db.incrementSync('n'),
    () => db.batch([{ type: 'put', path: 'a', value: 2 }]),
    () => db.transact((tx) => tx.put('a', 2)),
    () => db.transactSync((tx) => tx.increment('n')),
    () => db.subtree('s').put('a', 2),
    () => db.subtree('s', { ttl: 5 }),
    () => db.as({ actor: 'ada' }).put('a', 2),
    () => db.flush(),
    () => db.compact(),
    () => db.repair(),
  ];
  for (const call of calls) await refused(call, { kind: 'denied', code: 'READ_ONLY' });
  assert.equal(db.get('a'), 1);
  assert.equal((await db.verify()).ok, true);
  assert.deepEqual(db.history('a').toArray().length, 1);
  assert.deepEqual(db.subtree('s').policy, { ttl: 1e9 });
  assert.equal(await db.transact((tx) => tx.get('a')), 1);
  const copy = memoryStorage();
  await db.backup(copy);
  await db.close();
  assert.deepEqual(files(), before);
});

test('files of a newer format are refused, named, and left alone', async (t) => {
  const directory = scratch(t);
  await (await open(directory, SMALL)).close();
  const path = join(directory, 'pages.db');
  const bytes = changeMeta(new Map([['pages.db', readFileSync(path)]]), set(8, 2)).get('pages.db')!; // the version of the format
  writeFileSync(path, bytes);
  for (const readOnly of [false, true])
    await refused(() => open(directory, { ...SMALL, readOnly }), { kind: 'invalid', code: 'FORMAT_NEWER', says: /format/ });
  assert.ok(readFileSync(path).equals(bytes));
});

/** Nobody, for as long as `work` runs, when the tests run as root; permissions do not hold for root. */
async function withoutRights(work: () => Promise<void>): Promise<void> {
  const isRoot = process.getuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    await work();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

test('missing permission is denied PERMISSION, to read, to write and to make', async (t) => {
  const directory = scratch(t);
  const inside = join(directory, 'db');
  const writer = await open(inside, SMALL);
  await writer.put('a', 1);
  await writer.close();
  chmodSync(inside, 0o000);
  chmodSync(directory, 0o555);
  const denied = { kind: 'denied', code: 'PERMISSION' } as const;
  await withoutRights(async () => {
    await refused(() => open(inside, SMALL), denied);
    await refused(() => open(join(directory, 'new'), SMALL), denied);
  });
  chmodSync(inside, 0o755);
  for (const name of readdirSync(inside)) chmodSync(join(inside, name), 0o444);
  await withoutRights(async () => {
    await refused(() => open(inside, SMALL), denied);
  });
  chmodSync(directory, 0o755);
  for (const name of readdirSync(inside)) chmodSync(join(inside, name), 0o644);
  const again = await open(inside, SMALL);
  assert.equal(again.get('a'), 1);
  await again.close();
});

test('a file where the directory should be, and a directory of other files, are no database and are left alone', async (t) => {
  const directory = scratch(t);
  writeFileSync(join(directory, 'file'), 'text');
  await assert.rejects(
    open(join(directory, 'file'), SMALL),
    (error: { kind?: string; code?: string }) => error.kind !== 'internal' && error.code !== undefined,
  );
  assert.equal(readFileSync(join(directory, 'file'), 'utf8'), 'text');
  mkdirSync(join(directory, 'full'));
  writeFileSync(join(directory, 'full', 'notes.txt'), 'mine');
  await using db = await open(join(directory, 'full'), SMALL);
  await db.put('a', 1);
  assert.equal(readFileSync(join(directory, 'full', 'notes.txt'), 'utf8'), 'mine');
});

test('the page size is recorded: left out it is taken, contradicted CONFIG_CONFLICT names both', async () => {
  const { host } = makeWorld();
  await openSync({ host, ...SMALL, pageSize: 16_384 }).close();
  const db = openSync({ host, ...SMALL });
  assert.equal(db.stats()['pages']!['pageBytes'], 16_384);
  await db.close();
  await refused(() => openSync({ host, ...SMALL, pageSize: 8192 }), {
    kind: 'invalid',
    code: 'CONFIG_CONFLICT',
    says: /8192.*16384|16384.*8192/,
  });
  await openSync({ host, ...SMALL }).close();
});

test('a process killed with SIGKILL has lost nothing that it said was resolved, on any kind of data', async (t) => {
  const directory = scratch(t);
  const child = spawn(process.execPath, [fileURLToPath(new URL('./killed-child.ts', import.meta.url)), directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = -1;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = text.trim().split('\n');
    said = Math.max(said, Number(lines.at(-1)));
    if (said >= 20) child.kill('SIGKILL');
  });
  const signal = await new Promise((resolve) => child.on('close', (_code, by) => resolve(by)));
  assert.equal(signal, 'SIGKILL');
  await using db = await open(directory, SMALL);
  const count = db.get<number>('count')!;
  assert.ok(count > said, `${count} commits, ${said + 1} were resolved`);
  assert.deepEqual(
    db.children('p').toArray(),
    Array.from({ length: count }, (_, n) => n),
  );
  assert.equal(
    db
      .subtree('p')
      .lookup('byN', count - 1)
      .toArray().length,
    1,
  );
  assert.equal((await db.put('x', 1, { once: 'n 0' })).version, db.history(['p', 0]).toArray()[0]!.version);
  assert.equal((await db.verify()).ok, true);
});

test('sync, flush and compact: what they say holds, and the data is the same', async (t) => {
  const { db } = opened(t, { durability: 'async', historyRetention: 0 });
  for (let n = 0; n < 300; n++) db.putSync(['k', n], 'x'.repeat(200));
  assert.deepEqual(await db.sync(), { durableVersion: 300 });
  await db.flush();
  assert.equal(db.stats()['commits']!['flushed'], 300);
  await db.deleteTree(['k', 5]);
  const rows = db.scan().toArray();
  const steps: number[] = [];
  await db.compact({ progress: (done, total) => void steps.push(done / total) });
  assert.deepEqual(db.scan().toArray(), rows);
  assert.ok(steps.length > 0 && steps.at(-1)! <= 1);
  await refused(() => db.compact({ signal: AbortSignal.abort() }), { kind: 'closed', code: 'CANCELLED' });
  await refused(() => db.verify({ signal: AbortSignal.abort() }), { kind: 'closed', code: 'CANCELLED' });
});

test('stats tells figures by section', async (t) => {
  const { db } = opened(t);
  await db.put('a', 1);
  const stats = db.stats();
  assert.equal(stats['commits']!['commits'], 1);
  for (const section of Object.values(stats))
    for (const value of Object.values(section)) assert.match(typeof value, /number|string|boolean/);
});

/** The whole of a database that a copy must keep. */
async function fill(db: Database): Promise<void> {
  db.subtree('u', { ttl: 1e12, index: { byN: ['n'] } });
  for (let n = 0; n < 40; n++) db.subtree('u').putSync([n], { n: n % 4 });
  await db.put('text', 'first');
  await db.put('text', 'second', { once: 'k' });
  await db.put('large', new Uint8Array(100_000).fill(7));
}

async function same(copy: Database, original: Database): Promise<void> {
  assert.deepEqual(copy.scan().toArray(), original.scan().toArray());
  assert.deepEqual(copy.history('text').toArray(), original.history('text').toArray());
  assert.deepEqual(copy.subtree('u').policy, original.subtree('u').policy);
  assert.equal(copy.subtree('u').lookup('byN', 1).toArray().length, 10);
  assert.equal((await copy.put('text', 'third', { once: 'k' })).version, original.history('text').toArray()[0]!.version);
  assert.equal(copy.get('text'), 'second');
  assert.equal((await copy.verify()).ok, true);
  await copy.put('text', 'its own');
  assert.equal(original.get('text'), 'second');
}

test('backup makes a consistent copy that opens: into a storage, a directory, and one file that is a tar archive', async (t) => {
  const directory = scratch(t);
  const { db } = opened(t);
  await fill(db);
  const storage = memoryStorage();
  await db.backup(storage);
  await db.backup(join(directory, 'copy'));
  const steps: number[] = [];
  await db.backup(join(directory, 'one.tar'), { singleFile: true, progress: (done, total) => void steps.push(done / total) });
  assert.ok(steps.length > 0 && steps.every((step) => step >= 0 && step <= 1));
  await restore(join(directory, 'one.tar'), join(directory, 'restored'));
  const into = memoryStorage();
  await restore(join(directory, 'one.tar'), into);
  assert.deepEqual(readdirSync(directory).sort(), ['copy', 'one.tar', 'restored']);
  for (const target of [storage, join(directory, 'copy'), join(directory, 'restored'), into]) {
    const copy = await open({ storage: target, ...SMALL });
    await same(copy, db);
    await copy.close();
  }
  await refused(() => db.backup(join(directory, 'copy')), { kind: 'invalid', code: 'TARGET_NOT_EMPTY' });
  await refused(() => db.backup(memoryStorage(), { singleFile: true }), {
    kind: 'invalid',
    code: 'OPTION_INVALID',
    says: /a storage, expected the name of a file/,
  });
});

test('a backup without history has the newest state alone', async (t) => {
  const { db } = opened(t);
  await fill(db);
  const storage = memoryStorage();
  await db.backup(storage, { history: false });
  const copy = await open({ storage, ...SMALL });
  assert.deepEqual(copy.scan().toArray(), db.scan().toArray());
  await refused(() => copy.asOf(1).get('text'), { kind: 'invalid', code: 'HISTORY_EXPIRED' });
  await copy.close();
});

test('a cancelled backup leaves nothing behind; a damaged one is refused when it is restored, and leaves nothing', async (t) => {
  const directory = scratch(t);
  const { db } = opened(t);
  await fill(db);
  await refused(() => db.backup(join(directory, 'never.tar'), { singleFile: true, signal: AbortSignal.abort() }), {
    kind: 'closed',
    code: 'CANCELLED',
  });
  assert.deepEqual(readdirSync(directory), []);
  const file = join(directory, 'one.tar');
  await db.backup(file, { singleFile: true });
  const whole = readFileSync(file);
  const damaged = { kind: 'corrupt', code: 'BACKUP_DAMAGED' } as const;
  truncateSync(file, Math.floor(statSync(file).size / 2));
  await refused(() => restore(file, join(directory, 'cut')), damaged);
  assert.deepEqual(readdirSync(join(directory, 'cut')), []);
  const wrong = Buffer.from(whole);
  wrong[0]! ^= 1;
  writeFileSync(file, wrong);
  await refused(() => restore(file, join(directory, 'wrong')), damaged);
  writeFileSync(file, '');
  await refused(() => restore(file, memoryStorage()), damaged);
  writeFileSync(file, whole);
  await restore(file, join(directory, 'cut'));
  await refused(() => restore(file, join(directory, 'cut')), {
    kind: 'invalid',
    code: 'OPTION_INVALID',
    says: /holds \d+ files, expected an empty one/,
  });
});

test('repair of a damaged database: handles stay good and tell, views end, watchers go on, what can be read is kept', async (t) => {
  const storage = memoryStorage();
  const { host } = makeWorld(storage);
  const db = openSync({ host, ...SMALL });
  t.after(() => db.close());
  await fill(db);
  await db.flush();
  const sub = db.subtree('u');
  const ada = db.as({ actor: 'ada' });
  const snapshot = db.snapshot();
  const stream = db.changes();
  const waiting = stream.next();
  const told: number[] = [];
  db.watch('', ({ version }) => told.push(version));
  const rows = db.scan().toArray();
  assert.equal((await db.verify()).ok, true);
  // One bit in each page but the meta pages, behind the back of the database.
  const file = storage.open('pages.db');
  const byte = new Uint8Array(1);
  for (let at = 2 * 8192 + 100; at < file.size(); at += 8192) {
    file.read(byte, 0, 1, at);
    byte[0]! ^= 4;
    file.write(byte, 0, 1, at);
  }
  file.close();
  const report = await db.verify();
  assert.equal(report.ok, false);
  assert.ok(report.damages.length > 0);
  await db.repair();
  assert.equal((await db.verify()).ok, true);
  assert.deepEqual(db.scan().toArray(), rows);
  assert.equal(sub.count(), 40);
  assert.equal(sub.lookup('byN', 2).toArray().length, 10);
  await refused(() => snapshot.get('text'), { kind: 'closed', code: 'DATABASE_CLOSED' });
  assert.deepEqual(await waiting, { done: true, value: undefined });
  const { version } = await ada.put('text', 'after');
  await settled();
  assert.deepEqual(told, [version]);
  assert.equal(db.history('text').toArray()[0]?.actor, 'ada');
});

test('damage met by a read is corrupt, and names the page', async () => {
  const storage = memoryStorage();
  const { host } = makeWorld(storage);
  const first = openSync({ host, ...SMALL });
  await fill(first);
  await first.close();
  const file = storage.open('pages.db');
  for (let at = 2 * 8192 + 100; at < file.size(); at += 8192) file.write(new Uint8Array([255, 0, 255]), 0, 3, at);
  file.close();
  let db: Database | undefined;
  await assert.rejects(
    async () => {
      db = openSync({ host, ...SMALL });
      db.scan().toArray();
    },
    (error: { kind: string; message: string }) => error.kind === 'corrupt' && /page|checksum/i.test(error.message),
  );
  await db?.close();
});

test('close drains and syncs, can be called twice and at once, and await using closes', async () => {
  const { host } = makeWorld();
  const db = openSync({ host, ...SMALL, durability: 'debounced' });
  const puts = [1, 2, 3].map((n) => db.put('a', n));
  await Promise.all([db.close(), db.close()]);
  assert.deepEqual(
    (await Promise.all(puts)).map(({ version }) => version),
    [1, 2, 3],
  );
  {
    await using again = openSync({ host, ...SMALL });
    assert.equal(again.get('a'), 3);
  }
  await openSync({ host, ...SMALL }).close();
});

/** The next message, or the error that ended the thread. */
function message(
  worker: Worker,
): Promise<{ version: number; now: Record<string, unknown>; before: Record<string, unknown>; code?: string }> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

test('share() posted to a worker thread and attached there reads the newest visible version, and snapshots stay', async (t: TestContext) => {
  const directory = scratch(t);
  const db = await open(directory, SMALL);
  await db.putTree('users', { ada: { n: 1 }, eve: { n: 2 }, zoe: { n: 3 } }, { merge: true });
  await db.put('users/ada', { n: 1 });
  await db.put('text', 'abcdef');
  const expected = (): Record<string, unknown> => ({
    get: db.get('users/ada'),
    many: db.getMany(['users/ada', 'none']),
    entry: db.entry('users/ada')?.version,
    kind: db.kind('users'),
    tree: db.getTree(),
    children: db.children('users', { reverse: true }).toArray(),
    scan: db.scan({ prefix: 'users', limit: 2 }).toArray(),
    count: [db.count(), db.count('users')],
    ends: [db.first('users')?.path, db.last()?.path, db.nth('users', 1)?.path],
    piece: db.readValue('text', { offset: 1, length: 3 }),
  });
  const worker = new Worker(new URL('./reading-thread.ts', import.meta.url), { workerData: db.share() });
  await message(worker);
  const then = expected();
  const ask = async (): ReturnType<typeof message> => {
    const answer = message(worker);
    worker.postMessage('ask');
    return await answer;
  };
  const first = await ask();
  assert.deepEqual([first.version, first.now, first.before], [db.version, then, then]);
  await db.deleteTree('users/eve');
  await db.put('users/ada', 'changed');
  const second = await ask();
  assert.equal(second.version, db.version);
  assert.deepEqual(second.now, expected());
  assert.deepEqual(second.before, then);
  await db.close();
  assert.equal((await ask()).code, 'DATABASE_CLOSED');
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  worker.postMessage('end');
  assert.equal(await ended, 0);
});
