/**
 * What a program with bad intentions, or bad luck, found at the surface: each test tells one story that once went wrong.
 */

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { memoryStorage } from '../../src/host/memory/storage.ts';
import { commitStamp } from '../../src/model/stamp.ts';
import type { Database, Path, PutOptions } from '../../src/model/types.ts';
import { open } from '../../src/node/open.ts';
import { restore } from '../../src/node/targets.ts';
import { opened, refused, scratch, settled } from './kit.ts';

const BLOCK = 512;

/** One file of a tar archive, its header's checksum right. */
function tarFile(name: string, size: string, content = '', type = '0'): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0);
  header.write(size, 124);
  header.write(type, 156);
  let sum = 8 * 0x20;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const body = Buffer.alloc(Math.ceil(content.length / BLOCK) * BLOCK);
  body.write(content);
  return Buffer.concat([header, body]);
}

const END = Buffer.alloc(2 * BLOCK);

test('restore refuses archives that are no backup, and leaves nothing', async (t) => {
  const directory = scratch(t);
  const archives: Readonly<Record<string, Buffer>> = {
    'a size below 0 leads backwards': tarFile('pages.db', '-1000\0'),
    'other files': tarFile('hello.txt', '00000000005\0', 'hello'),
    nothing: Buffer.alloc(0),
    'a link': tarFile('pages.db', '00000000000\0', '', '2'),
    'a name that leaves the directory': tarFile('..', '00000000000\0'),
    'a file twice': Buffer.concat([tarFile('pages.db', '00000000003\0', 'one'), tarFile('pages.db', '00000000003\0', 'two')]),
  };
  for (const [about, archive] of Object.entries(archives)) {
    const file = join(directory, 'hostile.tar');
    const target = join(directory, 'target');
    writeFileSync(file, Buffer.concat([archive, END]));
    await refused(() => restore(file, target), { kind: 'corrupt', code: 'BACKUP_DAMAGED' }, about);
    assert.deepEqual(existsSync(target) ? readdirSync(target) : [], [], about);
  }
  const unknown = { signla: AbortSignal.abort() } as object;
  await refused(() => restore(join(directory, 'hostile.tar'), memoryStorage(), unknown), { kind: 'invalid', code: 'OPTION_INVALID' });
});

test('a signal that is aborted while restore works ends it', async (t) => {
  const directory = scratch(t);
  const { db } = opened(t);
  for (const name of ['a', 'b', 'c']) await db.put(name, new Uint8Array(3 << 20));
  const file = join(directory, 'one.tar');
  await db.backup(file, { singleFile: true });
  const controller = new AbortController();
  const storage = memoryStorage();
  const restoring = restore(file, storage, { signal: controller.signal });
  const turns = settled(5).then(() => controller.abort());
  await refused(() => restoring, { kind: 'closed', code: 'CANCELLED' });
  await turns;
  assert.deepEqual(storage.list(), []);
});

test('a single-file backup that the system refuses is a typed error, and leaves nothing', async (t) => {
  const directory = scratch(t);
  const { db } = opened(t);
  await db.put('a', 1);
  mkdirSync(join(directory, 'taken.tar'));
  await refused(() => db.backup(join(directory, 'taken.tar'), { singleFile: true }), { kind: 'invalid', code: 'TARGET_NOT_EMPTY' });
  await refused(() => db.backup(join(directory, 'no/such/one.tar'), { singleFile: true }), { kind: 'unavailable', code: 'IO_ERROR' });
  assert.deepEqual(readdirSync(directory), ['taken.tar']);
});

test('two backups at once to one file: the first that is whole has the name, the other is refused', async (t) => {
  const directory = scratch(t);
  const { db } = opened(t);
  for (const name of ['a', 'b', 'c']) await db.put(name, new Uint8Array(1 << 20));
  const file = join(directory, 'one.tar');
  const both = await Promise.allSettled([db.backup(file, { singleFile: true }), db.backup(file, { singleFile: true })]);
  assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  await refused(() => db.backup(file, { singleFile: true }), { kind: 'invalid', code: 'TARGET_NOT_EMPTY' });
  assert.deepEqual(readdirSync(directory), ['one.tar']);
  const storage = memoryStorage();
  await restore(file, storage);
  await using copy = await open({ storage });
  assert.deepEqual([copy.count(), (await copy.verify()).ok], [3, true]);
});

test('close during a repair closes for good: nothing answers, and the directory is free', async (t) => {
  const directory = scratch(t);
  const db = await open(directory);
  await db.put('a', 1);
  const repairing = db.repair();
  await Promise.all([db.close(), repairing]);
  await refused(() => db.get('a'), { kind: 'closed', code: 'DATABASE_CLOSED' });
  await using again = await open(directory);
  assert.equal(again.get('a'), 1);
  const both = await Promise.allSettled([again.repair(), again.repair()]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  assert.equal(again.get('a'), 1);
});

/** A path whose last segment is computed when it is read, by a program that uses the database meanwhile. */
function trap(meanwhile: () => unknown): Path {
  const path = ['a', 'b'];
  Object.defineProperty(path, 1, {
    get() {
      meanwhile();
      return 'b';
    },
  });
  return path;
}

test('a path that uses the database while it is read is refused, and writes nothing anywhere else', async (t) => {
  const { db } = opened(t);
  db.putSync('a/b', 1);
  db.putSync('other', 2);
  const subtree = db.subtree('far');
  const before = db.scan().toArray();
  const refusal = { kind: 'invalid', code: 'PATH_INVALID', says: /while it is read/ } as const;
  for (const meanwhile of [() => db.get('other'), () => subtree.get('x'), () => db.scan().toArray(), () => subtree.has([1])]) {
    for (const call of [
      (path: Path) => db.put(path, 'mine'),
      (path: Path) => db.put(path, 'mine', { ttl: 5 }),
      (path: Path) => db.delete(path),
      (path: Path) => db.get(path),
      (path: Path) => db.getMany(['other', path]),
      (path: Path) => db.transactSync((tx) => tx.put(path, 1)),
    ])
      await refused(() => call(trap(meanwhile)), refusal);
  }
  await refused(
    () =>
      db.put(
        trap(() => db.putSync('other', 'theirs')),
        'mine',
      ),
    refusal,
  );
  assert.equal(db.get('other'), 'theirs');
  db.putSync('other', 2);
  assert.deepEqual(
    db
      .scan()
      .toArray()
      .map(({ path, value }) => [path, value]),
    before.map(({ path, value }) => [path, value]),
  );
});

test('a request that writes while it is read is refused: no stamp twice, no increment lost', async (t) => {
  const { db } = opened(t);
  const refusal = { kind: 'invalid', code: 'OPTION_INVALID', says: /while it was read/ } as const;
  const writing = (database: Database): PutOptions => ({
    get ttl() {
      database.putSync(['log', commitStamp()], 'inner');
      return 1000;
    },
  });
  await refused(() => db.put(['log', commitStamp()], 'outer', writing(db)), refusal);
  await refused(() => db.putSync(['log', commitStamp()], 'outer', writing(db)), refusal);
  assert.deepEqual(
    db
      .scan({ prefix: 'log' })
      .toArray()
      .map(({ value, version }) => [value, version]),
    [
      ['inner', 1],
      ['inner', 2],
    ],
  );
  const counting = {
    type: 'put',
    value: 1,
    get path() {
      db.incrementSync('n', 100);
      return 'other';
    },
  } as const;
  await refused(() => db.batch([{ type: 'increment', path: 'n' }, counting]), refusal);
  assert.deepEqual([db.get('n'), db.has('other')], [100, false]);
  // What a transaction returned is read before its stamps are given out.
  const result = {
    get deleted() {
      return db.deleteSync('n').changed;
    },
  };
  const { version } = db;
  await db.transact(
    (tx) => {
      tx.put(['late', commitStamp()], 1);
      return result;
    },
    { once: 'late' },
  );
  assert.deepEqual([db.version, db.last('late')!.path], [version + 2, ['late', (version + 2) * 2 ** 17]]);
});

test('a value of 64 MiB can be put with options, and by whom', async (t) => {
  const { db } = opened(t);
  const largest = new Uint8Array(64 * 1024 * 1024 - 1);
  assert.equal((await db.put('a', largest, { ttl: 1_000_000 })).changed, 1);
  assert.equal((await db.as({ actor: 'ada' }).put('a', largest)).changed, 1);
});

test('transactSync of an async function is refused, and its promise troubles nobody', async (t) => {
  const { db } = opened(t);
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  t.after(() => process.off('unhandledRejection', note));
  const work = async (tx: { put(path: Path, value: number): void }): Promise<void> => {
    await undefined;
    tx.put('a', 1);
  };
  await refused(() => db.transactSync(work), { kind: 'invalid', code: 'OPTION_INVALID' });
  await settled();
  assert.deepEqual([unhandled, db.has('a')], [[], false]);
});

test('begin leaves nothing with its signal once it has ended, and committed says CANCELLED when the signal ended it', async (t) => {
  const { db } = opened(t);
  const { signal } = new AbortController();
  for (let n = 0; n < 3; n++) {
    const tx = await db.begin({ signal });
    tx.put('n', n);
    if (n === 1) tx.abort();
    else await tx.commit();
  }
  await settled();
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  const controller = new AbortController();
  const tx = await db.begin({ signal: controller.signal });
  controller.abort();
  await refused(() => tx.committed, { kind: 'closed', code: 'CANCELLED' });
});
