/**
 * Old files open for ever: two databases written once and kept as they were, one closed, one whose program died.
 *
 * `golden/closed.tar.gz` is a single-file backup, `golden/died.tar.gz` the files of an open database with the preallocated zeros behind the log cut
 * off. `golden/database.json` says what is in both. They are frozen: a format that changes gets new files beside these, and these go on
 * being opened. `STELE_MAKE_GOLDEN=1` writes files that are missing, and never one that is there.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { nodeTimers } from '../../src/host/posix/ambient.ts';
import { posixStorage } from '../../src/host/posix/storage.ts';
import { commitStamp, type Database, formatPath, open, type Policy, restore, type Value } from '../../src/index.ts';
import { nodeTargets } from '../../src/node/targets.ts';
import { describeValue } from './typed.ts';

const folder = fileURLToPath(new URL('./', import.meta.url));
const golden = (name: string): string => join(folder, 'golden', name);
const FAR = 4_102_444_800_000; // 2100-01-01: what expires then is alive in any test

/** Everything a reader can ask, as text. */
function contents(db: Database): unknown {
  const policies: Record<string, Policy> = {};
  for (const path of ['users', 'sessions', 'queue']) policies[path] = db.subtree(path).policy;
  const describe = (value: Value | undefined): unknown => (value === undefined ? 'deleted' : describeValue(value));
  const history = (path: string): unknown =>
    db
      .history(path)
      .toArray()
      .map(({ version, value, actor, reason, expired }) => ({ version, value: describe(value), actor, reason, expired }));
  return JSON.parse(
    JSON.stringify({
      version: db.version,
      now: db
        .scan()
        .toArray()
        .map(({ path, value, version }) => [formatPath(path), short(describe(value)), version, db.entry(path)?.expiresAt?.getTime()]),
      before: db
        .asOf(10, { skipExpired: true })
        .scan()
        .toArray()
        .map(({ path, value, version }) => [formatPath(path), short(describe(value)), version]),
      policies,
      byEmail: db
        .subtree('users')
        .lookup('byEmail', 'ada@example.org')
        .toArray()
        .map(({ path }) => path),
      history: { hot: history('hot'), gone: history('gone'), 'users/ada': history('users/ada') },
    }),
  );
}

function short(described: unknown): unknown {
  const text = JSON.stringify(described);
  return text.length < 400 ? described : `${text.slice(0, 60)}… ${text.length} characters`;
}

async function fill(db: Database): Promise<void> {
  db.subtree('users', { index: { byEmail: { fields: ['email'], unique: true } } });
  db.subtree('sessions', { ttl: 1000 * 3600 * 24 * 36_500, durability: 'immediate' });
  db.subtree('queue', { history: 0 });
  const by = db.as({ actor: 'ada', reason: 'golden' });
  await by.put('users/ada', { email: 'ada@example.org', born: new Date(Date.UTC(1815, 11, 10)), key: Uint8Array.of(1, 2, 3) });
  await by.putTree('users/bob', { email: 'bob@example.org', tags: ['x', 'y'], address: { city: 'Rome' } });
  await db.batch([
    { type: 'put', path: ['kinds', false], value: null },
    { type: 'put', path: ['kinds', true], value: true },
    { type: 'put', path: ['kinds', -1.5], value: Number.NaN },
    { type: 'put', path: ['kinds', 0], value: -0 },
    { type: 'put', path: ['kinds', 42], value: 2 ** 53 },
    { type: 'put', path: ['kinds', 2n ** 80n], value: -(2n ** 90n) },
    { type: 'put', path: ['kinds', Uint8Array.of(0, 255)], value: Number.NEGATIVE_INFINITY },
    { type: 'put', path: ['kinds', 'é/\u0000\\'], value: 'lone \ud800' },
    { type: 'put', path: ['kinds', 'text'], value: 'grüße 😀' },
    { type: 'put', path: ['events', commitStamp()], value: 'first' },
    { type: 'put', path: ['events', commitStamp()], value: 'second' },
  ]);
  await db.put('large', 'large '.repeat(12_000));
  for (let at = 0; at < 40; at++) await db.put('hot', at);
  await db.put('gone', 'soon');
  await db.delete('gone', { actor: 'bob' });
  await db.put('dated', 1, { expiresAt: FAR, assertedTime: new Date(Date.UTC(1999, 0, 1)) });
  await db.increment('counter', 5, { once: 'five' });
  await db.flush();
  await db.put('users/ada', { email: 'ada@example.org', born: new Date(Date.UTC(1815, 11, 10)), name: 'Ada' });
  await db.put('queue/1', 'a');
  await db.put('queue/1', 'b');
  await db.sync();
}

async function inDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'stele-golden-'));
  try {
    await work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function make(): Promise<void> {
  await inDirectory(async (directory) => {
    const db = await open(join(directory, 'db'));
    await fill(db);
    mkdirSync(golden(''), { recursive: true });
    writeFileSync(golden('database.json'), `${JSON.stringify(contents(db), undefined, 1)}\n`);
    cpSync(join(directory, 'db'), join(directory, 'died'), { recursive: true });
    await db.backup(join(directory, 'closed.tar'), { singleFile: true });
    await db.close();
    for (const name of readdirSync(join(directory, 'died'))) {
      const path = join(directory, 'died', name);
      if (name.startsWith('lock')) rmSync(path);
      else if (name.endsWith('.seg')) {
        const bytes = readFileSync(path);
        let end = bytes.length;
        while (end > 0 && bytes[end - 1] === 0) end--;
        truncateSync(path, Math.ceil(end / 4096) * 4096);
      }
    }
    const died = posixStorage(join(directory, 'died'));
    await nodeTargets({ timers: nodeTimers() }).pack(died, join(directory, 'died.tar'), {});
    died.close();
    for (const name of ['closed', 'died'])
      writeFileSync(golden(`${name}.tar.gz`), gzipSync(readFileSync(join(directory, `${name}.tar`)), { level: 9 }));
  });
}

if (process.env['STELE_MAKE_GOLDEN'] === '1' && !existsSync(golden('closed.tar.gz'))) await make();

for (const name of ['closed', 'died']) {
  test(`the golden database that was ${name === 'closed' ? 'copied in one file' : 'left by a program that died'} opens and says what it said`, async () => {
    await inDirectory(async (directory) => {
      const archive = join(directory, 'golden.tar');
      writeFileSync(archive, gunzipSync(readFileSync(golden(`${name}.tar.gz`))));
      await restore(archive, join(directory, 'db'));
      const before = readdirSync(join(directory, 'db')).map((file) => [file, readFileSync(join(directory, 'db', file))] as const);
      const reader = await open(join(directory, 'db'), { readOnly: true });
      assert.deepEqual(contents(reader), JSON.parse(readFileSync(golden('database.json'), 'utf8')));
      await reader.close();
      for (const [file, bytes] of before) assert.ok(readFileSync(join(directory, 'db', file)).equals(bytes), `reading changed ${file}`);
      const db = await open(join(directory, 'db'));
      const report = await db.verify();
      assert.deepEqual(report.damages, []);
      assert.equal(await db.increment('counter', 5, { once: 'five' }), 5);
      assert.equal(await db.increment('counter'), 6);
      await db.subtree('users').put('eve', { email: 'eve@example.org' });
      assert.equal(db.subtree('users').lookup('byEmail', 'eve@example.org').toArray().length, 1);
      await db.close();
    });
  });
}

test('the second decoder reads the golden database as it was closed', {
  skip: spawnSync('python3', ['--version']).status !== 0,
}, async () => {
  await inDirectory(async (directory) => {
    const archive = join(directory, 'golden.tar');
    writeFileSync(archive, gunzipSync(readFileSync(golden('closed.tar.gz'))));
    await restore(archive, join(directory, 'db'));
    const run = spawnSync('python3', [join(folder, 'decoder', 'decoder.py'), join(directory, 'db'), 'typed'], { encoding: 'utf8' });
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stdout, /"path":"users\/ada"/);
  });
});
