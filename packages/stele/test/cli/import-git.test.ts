/**
 * The git importer on real repositories: what stands at `files` after each commit is git's own tree of it.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { CommitInfo } from '../../src/cli/import/commits.ts';
import { importGit } from '../../src/cli/import/git.ts';
import { memoryStorage } from '../../src/host/memory/storage.ts';
import type { Database, Reading } from '../../src/model/types.ts';
import { openSync } from '../../src/node/open.ts';
import { everything, hasGit, makeLongRepository, makeRepository, type Repository, START_SECONDS, scratch } from './git-kit.ts';

const options = { skip: hasGit ? false : 'no git on this machine', timeout: 60_000 };

function memory(t: TestContext): Database {
  const db = openSync({ storage: memoryStorage(), cacheMemory: 8 << 20 });
  t.after(() => db.close());
  return db;
}

/** path → content as latin1, from git and from the database; they must be the same. */
function treeOfGit({ directory }: Repository, hash: string): Record<string, string> {
  const git = (args: readonly string[], input = ''): string =>
    execFileSync('git', ['-C', directory, ...args], { encoding: 'latin1', input });
  const rows = git(['ls-tree', '-r', '-z', hash]).split('\0').slice(0, -1);
  const tree: Record<string, string> = {};
  const blobs: { readonly path: string; readonly object: string }[] = [];
  for (const row of rows) {
    const [, type, object, path] = /^\d+ (\w+) (\w+)\t(.*)$/s.exec(row)! as unknown as [string, string, string, string];
    if (type === 'commit') tree[path] = `submodule ${object}`;
    else blobs.push({ path, object });
  }
  const answers = git(['cat-file', '--batch'], blobs.map(({ object }) => `${object}\n`).join(''));
  let at = 0;
  for (const { path, object } of blobs) {
    const header = answers.slice(at, answers.indexOf('\n', at));
    assert.ok(header.startsWith(`${object} blob `), header);
    const start = at + header.length + 1;
    const end = start + Number(header.split(' ')[2]);
    tree[path] = answers.slice(start, end);
    at = end + 1;
  }
  return tree;
}

function treeOfDatabase(reading: Reading): Record<string, string> {
  const tree: Record<string, string> = {};
  const latin1 = (content: string | Uint8Array): string => Buffer.from(content as string).toString('latin1');
  for (const { path, value } of reading.scan<string | Uint8Array | { link: string } | { submodule: string }>({ prefix: 'files' })) {
    const name = path.slice(1).map((segment) => latin1(segment as string | Uint8Array));
    const isContent = typeof value === 'string' || value instanceof Uint8Array;
    tree[name.join('/')] = isContent ? latin1(value) : 'link' in value ? latin1(value.link) : `submodule ${value.submodule}`;
  }
  return tree;
}

function holdsEveryTree(db: Database, repository: Repository): void {
  for (const { value, version } of db.scan<CommitInfo>({ prefix: 'commits' })) {
    using then = db.asOf(version);
    assert.deepEqual(treeOfDatabase(then), treeOfGit(repository, value.hash), value.subject);
  }
}

test('each commit becomes one: files, author, date and subject, and every tree is the one git has', options, async (t) => {
  const repository = makeRepository(scratch(t));
  repository.commit({ 'README.md': 'hello\n', 'src/a.ts': 'let a;\n' }, { subject: 'Begin', author: 'Ada Lovelace' });
  repository.commit({ 'src/a.ts': null, 'src/b.ts': 'let a;\n' }, { subject: 'Rename a to b', author: 'Bob Bell' });
  repository.commit({}, { subject: 'Change nothing' });
  repository.commit({
    'image.bin': Uint8Array.of(0, 255, 1, 2),
    'latin1.txt': Uint8Array.of(0x63, 0x61, 0x66, 0xe9),
    bom: '\ufeffmark\r\n',
    empty: '',
  });
  repository.commit({
    '#42': 'number?',
    '0xff': 'bytes?',
    '#true': 'boolean?',
    'a\\b': 'backslash',
    'ü/\u{1f600} x': 'unicode',
    'quo"te\n': 'odd',
  });
  repository.commit({ thing: 'a file' });
  repository.commit({ thing: null, 'thing/inside/deep': 'now a directory' });
  repository.commit({ 'thing/inside/deep': null, thing: 'a file again' }, { subject: '' });
  const db = memory(t);
  const seen: number[] = [];
  const done = await importGit(db, repository.directory, { progress: (n, total) => seen.push(n, total) });

  assert.equal(done.commits, 8);
  assert.equal(db.version, 8, 'one commit each');
  assert.deepEqual(seen.slice(-2), [8, 8]);
  holdsEveryTree(db, repository);
  assert.deepEqual(db.get(['files', '#42']), 'number?');
  assert.deepEqual(db.get('files/image.bin'), Uint8Array.of(0, 255, 1, 2));
  assert.deepEqual(db.get('files/latin1.txt'), Uint8Array.of(0x63, 0x61, 0x66, 0xe9));
  assert.equal(db.get('files/bom'), '\ufeffmark\r\n');

  const { hash, parents, date, ...second } = db.get<CommitInfo>(['commits', 2])!;
  assert.deepEqual(second, { author: 'Bob Bell', email: 'bob@example.org', subject: 'Rename a to b', added: 1, changed: 0, deleted: 1 });
  assert.deepEqual(parents, [db.get<CommitInfo>(['commits', 1])!.hash]);
  assert.equal(hash, repository.git('rev-parse', 'HEAD~6'));
  assert.equal(date.getTime(), (START_SECONDS + 3600) * 1000);

  const [change] = (await everything(db)).slice(1);
  assert.equal(change!.actor, 'Bob Bell');
  assert.equal(change!.reason, 'Rename a to b');
  assert.equal(change!.assertedTime!.getTime(), date.getTime());
  using then = db.asOf({ asserted: new Date((START_SECONDS + 3599) * 1000) });
  assert.deepEqual(then.children('files/src').toArray(), ['a.ts']);
  assert.deepEqual(
    db
      .history('files/src/a.ts')
      .toArray()
      .map(({ value, actor }) => [value, actor]),
    [
      [undefined, 'Bob Bell'],
      ['let a;\n', 'Ada Lovelace'],
    ],
  );
});

test('links, submodules, names that are no text, and a mode that changed alone', options, async (t) => {
  const below = scratch(t);
  const inner = makeRepository(join(below, 'inner'));
  const pinned = inner.commit({ x: 'y' });
  const repository = makeRepository(join(below, 'outer'));
  const { directory } = repository;
  repository.commit({ 'run.sh': 'echo\n', target: 'where it leads' });
  symlinkSync('target', join(directory, 'link'));
  chmodSync(join(directory, 'run.sh'), 0o755);
  repository.commit({});
  repository.git('submodule', '--quiet', 'add', inner.directory, 'sub');
  repository.commit({});
  const odd = Buffer.concat([Buffer.from(`${directory}/`), Buffer.of(0x6e, 0xe9)]);
  symlinkSync('a', odd);
  repository.commit({ link: null });
  repository.commit({ link: 'a file now' });
  const db = memory(t);
  await importGit(db, directory);
  holdsEveryTree(db, repository);
  using before = db.asOf(2);
  assert.deepEqual(before.get('files/link'), { link: 'target' });
  assert.equal(before.entry('files/run.sh')!.version, 1, 'nothing of the content changed');
  assert.deepEqual(db.get('files/sub'), { submodule: pinned });
  assert.deepEqual(db.get(['files', Uint8Array.of(0x6e, 0xe9)]), { link: 'a' });
  assert.equal(db.get('files/link'), 'a file now');
});

test('a merge is one commit against its first parent, and names what it brought in', options, async (t) => {
  const repository = makeRepository(scratch(t));
  repository.commit({ a: '1', b: '1' });
  repository.git('switch', '-q', '-c', 'side');
  repository.commit({ b: '2' }, { author: 'Bob Bell', subject: 'On the side' });
  repository.commit({ c: '1' }, { author: 'Eve Adams', subject: 'Further on the side' });
  repository.git('switch', '-q', 'main');
  repository.commit({ a: '2' });
  repository.git('merge', '-q', '--no-ff', '-m', 'Merge the side', 'side');
  repository.commit({ a: '3' });
  const db = memory(t);
  assert.equal((await importGit(db, repository.directory)).commits, 4);
  holdsEveryTree(db, repository);
  const merge = db.get<CommitInfo>(['commits', 3])!;
  assert.equal(merge.parents.length, 2);
  assert.deepEqual([merge.added, merge.changed, merge.mergedCount], [1, 1, 2]);
  assert.deepEqual(
    merge.merged!.map(({ author, subject }) => [author, subject]),
    [
      ['Bob Bell', 'On the side'],
      ['Eve Adams', 'Further on the side'],
    ],
  );
});

test('asked again it goes on: nothing, what came since, and below a prefix of its own', options, async (t) => {
  const repository = makeRepository(scratch(t));
  repository.commit({ a: '1' });
  repository.commit({ a: '2' });
  const db = memory(t);
  const first = await importGit(db.subtree('repo'), repository.directory);
  assert.deepEqual([first.before, first.commits], [0, 2]);
  assert.deepEqual((await importGit(db.subtree('repo'), repository.directory)).commits, 0);
  repository.commit({ a: '3' });
  repository.commit({ a: '4' });
  const further = await importGit(db.subtree('repo'), repository.directory);
  assert.deepEqual([further.before, further.commits, further.isBehind], [2, 2, false]);
  assert.equal(db.version, 4);
  assert.equal(db.get('repo/files/a'), '4');
  const older = await importGit(db.subtree('repo'), repository.directory, { ref: 'HEAD~2' });
  assert.deepEqual([older.commits, older.isBehind], [0, true]);
});

test('a rewritten history, another repository, and what is no import are refused and nothing is written', options, async (t) => {
  const below = scratch(t);
  const repository = makeRepository(join(below, 'one'));
  repository.commit({ a: '1' });
  repository.commit({ a: '2' });
  const db = memory(t);
  await importGit(db, repository.directory);
  repository.git('commit', '-q', '--amend', '-m', 'otherwise');
  await assert.rejects(importGit(db, repository.directory), {
    kind: 'invalid',
    code: 'SOURCE_CHANGED',
    message: /^commit 2 here is .* rewritten/,
  });
  const other = makeRepository(join(below, 'two'));
  other.commit({ b: '1' }, { subject: 'Elsewhere' });
  await assert.rejects(importGit(db, other.directory), { code: 'SOURCE_CHANGED' });
  assert.equal(db.version, 2);
  const mine = memory(t);
  await mine.put('commits/mine', { text: 'not an import' });
  await assert.rejects(importGit(mine, repository.directory), { code: 'SOURCE_CHANGED', message: /something else/ });
  assert.equal(mine.version, 1);
});

test('an ancestor on a side line only is no place to go on from', options, async (t) => {
  const repository = makeRepository(scratch(t));
  repository.commit({ a: '1' });
  repository.git('branch', 'trunk');
  repository.commit({ a: '2' });
  const db = memory(t);
  await importGit(db, repository.directory);
  repository.git('switch', '-q', 'trunk');
  repository.commit({ b: '1' });
  repository.git('merge', '-q', '--no-ff', '-m', 'The line imported becomes the side', 'main');
  await assert.rejects(importGit(db, repository.directory), { code: 'SOURCE_CHANGED' });
});

test('a shallow clone, no repository, and one without a commit are told in a sentence', options, async (t) => {
  const below = scratch(t);
  const repository = makeRepository(join(below, 'whole'));
  repository.commit({ a: '1' });
  repository.commit({ a: '2' });
  repository.git('clone', '-q', '--depth', '1', `file://${repository.directory}`, join(below, 'shallow'));
  const db = memory(t);
  await assert.rejects(importGit(db, join(below, 'shallow')), {
    code: 'SOURCE_INVALID',
    message: /shallow clone, its history is cut: `git fetch --unshallow`/,
  });
  await assert.rejects(importGit(db, below), { code: 'SOURCE_INVALID', message: /not a git repository/ });
  await assert.rejects(importGit(db, join(below, 'nowhere')), { code: 'SOURCE_INVALID', message: /No such file/ });
  makeRepository(join(below, 'empty'));
  await assert.rejects(importGit(db, join(below, 'empty')), { code: 'SOURCE_INVALID', message: /has no commit HEAD yet/ });
  await assert.rejects(importGit(db, repository.directory, { ref: '--help' }), { code: 'SOURCE_INVALID', message: /has no commit --help/ });
  assert.equal(db.version, 0);
});

test('no git on this machine is told as that', options, async (t) => {
  const path = process.env['PATH'];
  process.env['PATH'] = '';
  t.after(() => {
    process.env['PATH'] = path;
  });
  await assert.rejects(importGit(memory(t), '.'), { code: 'SOURCE_INVALID', message: 'the program git is not on this machine' });
});

test('what the database cannot hold is left out and named, and a later version of it comes in', options, async (t) => {
  const repository = makeRepository(scratch(t));
  const deep = `${'d/'.repeat(63)}x`;
  repository.commit({ [deep]: '1', kept: 'a' });
  repository.commit({ [deep]: null, kept: 'b' }, { author: `${'ä'.repeat(200)}`, at: 100, subject: 's'.repeat(5000) });
  const db = memory(t);
  const done = await importGit(db, repository.directory);
  assert.deepEqual([done.puts, done.deletes, done.leftOut], [2, 0, 1]);
  const [left] = db.get<CommitInfo>(['commits', 1])!.leftOut!;
  assert.equal(left!.path.length, 64);
  assert.match(left!.why, /65 segments, expected at most 64/);
  const [, second] = await everything(db);
  assert.equal(second!.actor, 'ä'.repeat(128), 'cut at a character');
  assert.equal(second!.reason!.length, 4096);
  assert.equal(db.get<CommitInfo>(['commits', 2])!.author, 'ä'.repeat(200));
});

test('a signal stops it between two commits, and the next call goes on', options, async (t) => {
  const directory = scratch(t);
  makeLongRepository(directory, 60);
  const whole = memory(t);
  await importGit(whole, directory);
  const db = memory(t);
  const stop = new AbortController();
  const stopped = importGit(db, directory, { signal: stop.signal, progress: (done) => done === 20 && stop.abort() });
  await assert.rejects(stopped, { kind: 'closed', code: 'CANCELLED', message: /after commit 20/ });
  assert.equal(db.version, 20);
  const rest = await importGit(db, directory);
  assert.deepEqual([rest.before, rest.commits], [20, 40]);
  assert.deepEqual(await everything(db), await everything(whole));
});
