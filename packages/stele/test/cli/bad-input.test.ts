/**
 * What goes wrong around a command: one clear sentence on the standard error stream, the exit code of its kind, nothing on the standard output,
 * and nothing changed on the disk.
 */

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { writeU32 } from '../../src/base/bytes.ts';
import { crc32 } from '../../src/base/crc32.ts';
import { open } from '../../src/index.ts';
import { type Answer, lines, PROGRAM, scratch, stele, steleProcess } from './kit.ts';

/** Every command, as it would go well. */
const CALLS: Readonly<Record<string, readonly string[]>> = {
  get: ['get', 'a'],
  put: ['put', 'a', '1'],
  delete: ['delete', 'a'],
  children: ['children'],
  tree: ['tree'],
  scan: ['scan'],
  count: ['count'],
  history: ['history', 'a'],
  'as-of': ['as-of', '1', 'get', 'a'],
  diff: ['diff', '1'],
  watch: ['watch', '--from', '0', '--limit', '1'],
  import: ['import', '-'],
  dump: ['dump'],
  backup: ['backup', 'DIRECTORY/copy'],
  restore: ['restore', 'DIRECTORY/data'],
  compact: ['compact'],
  verify: ['verify'],
  repair: ['repair'],
  stats: ['stats'],
  log: ['log'],
  shell: ['shell'],
};
/** Those that make a database, and those that make nothing of the one that is there. */
const MAKING = ['put', 'import', 'restore'];

async function filled(t: TestContext): Promise<{ directory: string; db: string }> {
  const directory = scratch(t);
  const db = join(directory, 'data');
  const database = await open(db);
  for (let n = 0; n < 20; n++) await database.put(['rows', n], { n, text: 'x'.repeat(200) });
  await database.put('a', 1);
  await database.close();
  return { directory, db };
}

function call(name: string, directory: string, db: string): string[] {
  return ['--db', db, '--wait', '0', ...CALLS[name]!.map((word) => word.replace('DIRECTORY', directory))];
}

/** One sentence, perhaps with a hint below it; no stack. */
function assertRefused({ stdout, stderr, exitCode }: Answer, expected: { exitCode: number; says: RegExp }, what: string): void {
  assert.equal(exitCode, expected.exitCode, `${what}: ${stderr}`);
  assert.match(stderr, expected.says, what);
  assert.match(stderr, /^stele: [^\n]+\n( {7}[^\n]+\n)?$/, what);
  assert.equal(stdout, '', what);
}

function contents(directory: string): Map<string, string> {
  return new Map(
    readdirSync(directory)
      .filter((name) => !name.startsWith('lock.'))
      .map((name) => [name, readFileSync(join(directory, name)).toString('latin1')]),
  );
}

test('a path that is none is refused before anything is opened or made', async (t) => {
  const directory = scratch(t);
  const db = join(directory, 'data');
  for (const words of [
    ['get', 'a//b'],
    ['put', '/a', '1'],
    ['put', '', '1'],
    ['delete', 'a/'],
    ['children', '\\'],
    ['tree', 'a//b'],
    ['scan', '#99999999999999999999.5'],
    ['count', 'a//'],
    ['history', '/'],
    ['diff', '1', '--prefix', '/'],
    ['watch', '/'],
    ['get', Array.from({ length: 65 }, () => 'x').join('/')],
  ])
    assertRefused(
      await stele(['--db', db, ...words]),
      { exitCode: 2, says: /path: .*\(PATH_INVALID\)|there is no directory/ },
      words.join(' '),
    );
  assert.deepEqual(readdirSync(directory), []);
});

test('a directory that is not there, is a file, or is somebody else’s is refused and left alone', async (t) => {
  const { directory } = await filled(t);
  const foreign = join(directory, 'photos');
  mkdirSync(foreign);
  writeFileSync(join(foreign, 'cat.jpg'), 'meow');
  const file = join(directory, 'notes.txt');
  writeFileSync(file, 'text');
  const empty = join(directory, 'empty');
  mkdirSync(empty);
  for (const name of Object.keys(CALLS)) {
    if (!MAKING.includes(name)) {
      const missing = join(directory, 'missing');
      assertRefused(
        await stele(call(name, directory, missing)),
        { exitCode: 2, says: /there is no directory .*missing/ },
        `${name}, missing`,
      );
      assert.ok(!existsSync(missing), `${name} made a directory`);
      assertRefused(await stele(call(name, directory, empty)), { exitCode: 2, says: /empty holds no database/ }, `${name}, empty`);
    }
    assertRefused(
      await stele(call(name, directory, foreign)),
      { exitCode: 2, says: /photos (holds other files \(cat\.jpg\) and no database|holds no database|is not empty)/ },
      `${name}, foreign`,
    );
    assertRefused(await stele(call(name, directory, file)), { exitCode: 2, says: /notes\.txt is a file, expected/ }, `${name}, file`);
  }
  assert.deepEqual([readdirSync(foreign), readdirSync(empty), readFileSync(file, 'utf8')], [['cat.jpg'], [], 'text']);
});

test('a locked database is named with its holder, after waiting as long as was asked', async (t) => {
  const { directory, db } = await filled(t);
  const holder = await open(db);
  t.after(() => holder.close());
  for (const name of Object.keys(CALLS)) {
    if (name === 'watch' || name === 'restore') continue; // one waits by design, the other refuses a directory that is not empty
    assertRefused(
      await stele(call(name, directory, db)),
      { exitCode: 5, says: new RegExp(`in use by process ${process.pid}.*\\(LOCKED\\)\n.*--wait`) },
      name,
    );
  }
  const waiting = stele(['--db', db, '--wait', '10s', 'get', 'a']);
  setTimeout(() => void holder.close(), 100);
  assert.deepEqual(await waiting, { stdout: '1\n', stderr: '', exitCode: 0 });
});

test('damage is found, told and left for repair; verify lists it', async (t) => {
  const { directory, db } = await filled(t);
  // Both meta pages: nothing opens.
  const pages = join(db, 'pages.db');
  const whole = readFileSync(pages);
  const broken = Uint8Array.from(whole);
  broken.fill(0x55, 100, 200).fill(0x55, 8192 + 100, 8192 + 200);
  writeFileSync(pages, broken);
  const before = contents(db);
  for (const name of Object.keys(CALLS)) {
    if (name === 'repair' || name === 'restore') continue;
    assertRefused(await stele(call(name, directory, db)), { exitCode: 6, says: /\(META_DAMAGED\)\n +stele verify/ }, name);
  }
  assert.deepEqual(contents(db), before);
  const copy = join(directory, 'to-repair');
  cpSync(db, copy, { recursive: true });
  const repaired = await stele(['--db', copy, 'repair', '--mode', 'table']);
  assert.equal(repaired.exitCode, 0, repaired.stderr);
  assert.match(repaired.stdout, /found {5}\d+ damages?[\s\S]*now {7}version 21/);
  assert.deepEqual(await lines(['--db', copy, 'count']), ['{"path":"","count":21}']);
  // One page of data: it opens, and verify says where.
  const data = Uint8Array.from(whole);
  for (let at = 2 * 8192; at < data.length; at += 8192)
    if (Buffer.from(data.subarray(at, at + 8192)).includes('xxxxxxxx')) data[at + 4000]! ^= 1;
  writeFileSync(pages, data);
  const verified = await stele(['--db', db, 'verify', '--mode', 'table']);
  assert.equal(verified.exitCode, 6);
  assert.match(
    verified.stdout,
    /^checked {3}both meta pages[\s\S]*found {5}\d+ damages?\nwhere +what\npage +page 2 of pages\.db: checksum/,
  );
  assertRefused(await stele(['--db', db, 'get', 'a']), { exitCode: 6, says: /PAGE_CHECKSUM/ }, 'get of a damaged page');
});

test('a database of a newer format is refused, and so is a newer dump', async (t) => {
  const { directory, db } = await filled(t);
  const index = join(db, 'commits.idx');
  const bytes = readFileSync(index);
  bytes[8] = 9;
  writeU32(bytes, 252, crc32(bytes, 0, 252, 0));
  writeFileSync(index, bytes);
  for (const name of Object.keys(CALLS)) {
    if (name === 'repair' || name === 'restore') continue;
    assertRefused(await stele(call(name, directory, db)), { exitCode: 2, says: /\(FORMAT_NEWER\)\n +use a newer stele/ }, name);
  }
  const dump = await stele(['--db', join(directory, 'other'), 'import'], { input: '{"stele":"dump","format":2}\n' });
  assertRefused(dump, { exitCode: 2, says: /the dump has format 2, this version reads 1/ }, 'dump');
});

test('without the right to the directory every command says so', async (t) => {
  const { directory, db } = await filled(t);
  const isRoot = process.getuid?.() === 0;
  chmodSync(directory, 0o755);
  for (const name of readdirSync(db)) chmodSync(join(db, name), 0o000);
  chmodSync(db, 0o555);
  // Root may everything: as nobody then.
  const names = ['get', 'put', 'repair'];
  const answers = await Promise.all(
    names.map((name) => steleProcess(call(name, directory, db), isRoot ? { uid: 65534, env: { NODE_DISABLE_COMPILE_CACHE: '1' } } : {})),
  );
  chmodSync(db, 0o755); // so that it can be removed
  for (const [at, answer] of answers.entries()) assertRefused(answer, { exitCode: 4, says: /not allowed|PERMISSION/ }, names[at]!);
  const other = await steleProcess(
    ['--db', join(directory, 'new'), 'put', 'a', '1'],
    isRoot ? { uid: 65534, env: { NODE_DISABLE_COMPILE_CACHE: '1' } } : {},
  );
  if (isRoot) assertRefused(other, { exitCode: 4, says: /PERMISSION/ }, 'a directory that may not be made');
});

function smallDisk(): string | false {
  const { status } = spawnSync('unshare', [
    '-Urm',
    'sh',
    '-c',
    'd=$(mktemp -d) && mount -t tmpfs -o size=64k none "$d" && umount "$d"; s=$?; rmdir "$d"; exit $s',
  ]);
  return status === 0 ? false : 'no file system can be mounted here';
}

test('on a full disk a write is refused, nothing is lost, and it goes on when there is room', { skip: smallDisk() }, async (t) => {
  const directory = scratch(t);
  const script = `
    mount -t tmpfs -o size=6m none "$1" && cd "$1" || exit 99
    stele() { "$2" "$3" "$@"; }
    run() { "$NODE" "$PROGRAM" --db data "$@"; }
    run put kept '"before"' >/dev/null || exit 98
    head -c 6000000 /dev/zero > filler 2>/dev/null
    head -c 500000 /dev/zero | run put big - --bytes 2>&1 >/dev/null; echo "put $?"
    run get kept; echo "get $?"
    run dump -o dump.jsonl 2>&1 >/dev/null; echo "dump $?"; ls dump.jsonl* 2>/dev/null
    run backup copy 2>&1 >/dev/null; echo "backup $?"
    rm filler
    head -c 500000 /dev/zero | run put big - --bytes >/dev/null; echo "put $?"
    run verify --mode table | head -3 | tail -1
    run count`;
  const env = { ...process.env, NODE: process.execPath, PROGRAM };
  const said = execFileSync('unshare', ['-Urm', 'sh', '-c', script, 'sh', directory], { encoding: 'utf8', env });
  assert.match(said, /^stele: no space left for .*\(DISK_FULL\)\n {7}nothing was changed.*\nput 5\n"before"\nget 0\n/);
  assert.match(said, /stele: no space left for dump\.jsonl.*\ndump 5\n/);
  assert.doesNotMatch(said, /^dump\.jsonl/m);
  assert.match(said, /stele: no space left .*\(DISK_FULL\)\n.*\nbackup 5\n/);
  assert.match(said, /put 0\n {10}the commit index.*\n\{"path":"","count":2\}\n$/);
});

test('a cut dump is told, and nothing is taken for whole', async (t) => {
  const { directory, db } = await filled(t);
  const dump = (await stele(['--db', db, 'dump'])).stdout;
  const all = dump.split('\n').slice(0, -1);
  const target = join(directory, 'cut');
  const cut = await stele(['--db', target, 'import'], { input: `${all.slice(0, 10).join('\n')}\n` });
  assertRefused(
    cut,
    { exitCode: 2, says: /the dump is cut: it ends behind line 10 without its last line; 9 entries of it were imported/ },
    'cut',
  );
  const rest = await stele(['--db', target, 'import'], { input: dump });
  assert.deepEqual([rest.exitCode, JSON.parse(rest.stdout).isSame], [0, true]);
  for (const [input, says] of [
    ['', /found nothing, expected a dump/],
    ['hello\n', /line 1 is no JSON/],
    ['{"a":1}\n', /line 1 is something else/],
    [`${all[0]}\n{"path":"a//b","value":1}\n`, /line 2: found path: segment 2 is empty/],
    [`${all[0]}\n{"path":"a","value":{"$date":"x"}}\n`, /line 2: found .*\$date/],
    [`${all[0]}\n[1]\n`, /line 2: found neither|line 2: found no object/],
    [`${all[0]}\n${all.at(-1)}\n${all[1]}\n`, /line 3: found a line behind the end/],
  ] as const)
    assertRefused(await stele(['--db', join(directory, 'bad'), 'import'], { input }), { exitCode: 2, says }, input.slice(0, 40));
  const edited = await stele(['--db', join(directory, 'edited'), 'import'], { input: dump.replace('"n":7', '"n":8') });
  assert.equal(edited.exitCode, 2);
  assert.match(
    edited.stderr,
    /^stele: the dump was changed after it was made: it says sha256:\w+; its entries were imported and have sha256:\w+ \(SOURCE_INVALID\)\n$/,
  );
  copyFileSync(join(db, 'commits.idx'), join(directory, 'no-backup.tar'));
  assertRefused(
    await stele(['--db', join(directory, 'new'), 'restore', join(directory, 'no-backup.tar')]),
    { exitCode: 6, says: /BACKUP_DAMAGED/ },
    'no tar',
  );
  assertRefused(
    await stele(['--db', join(directory, 'new'), 'restore', join(directory, 'nothing.tar')]),
    { exitCode: 2, says: /nothing\.tar does not exist/ },
    'no file',
  );
});
