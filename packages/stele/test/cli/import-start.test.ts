/** `npm start` as a user runs it: in a process of its own, on real repositories, on files, and where there is no history. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runStart } from '../../src/cli/start/run.ts';
import { open } from '../../src/node/open.ts';
import { hasGit, makeLongRepository, makeRepository, scratch } from './git-kit.ts';

const start = fileURLToPath(new URL(`../../src/cli/start.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url));
const options = { skip: hasGit ? false : 'no git on this machine', timeout: 60_000 };

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** In this process; a pipe, nobody's variables. */
async function run(cwd: string, ...args: string[]): Promise<Outcome> {
  return runWith(new AbortController().signal, () => {}, cwd, args);
}

async function runWith(signal: AbortSignal, seen: (text: string) => void, cwd: string, args: readonly string[]): Promise<Outcome> {
  const text = { out: '', err: '' };
  const stream = (name: 'out' | 'err') => ({
    write(piece: string) {
      text[name] += piece;
      seen(piece);
    },
  });
  const code = await runStart(args, { cwd, env: {}, stdout: stream('out'), stderr: stream('err'), signal });
  return { code, ...text };
}

test('on a checkout: totals, a file now and then, its authors, a difference, and what to try; again, nothing new', options, async (t) => {
  const repository = makeRepository(realpathSync(scratch(t)));
  repository.commit(
    { '.gitignore': '.stele-start*/\n', 'README.md': '# It\n\none\n', 'src/a.ts': '1' },
    { author: 'Ada Lovelace', subject: 'Begin' },
  );
  repository.commit({ 'README.md': '# It\n\ntwo\n' }, { author: 'Bob Bell', subject: 'Say two' });
  repository.commit(
    { 'README.md': '# It\n\nthree\n', 'src/a.ts': null, 'src/b\u001b[31m.ts': '2' },
    { author: 'Eve Adams', subject: 'Say three' },
  );
  const { directory } = repository;
  const { code, out, err } = await run(directory);
  assert.equal(err, '');
  assert.equal(code, 0);
  for (const expected of [
    /3 commits in \d+\.\d s, on the device/,
    /^3 commits by 3 authors, 2023-11-14 22:13 to 2023-11-15 00:13 UTC$/m,
    /^3 files now$/m,
    /^files\/README\.md now, from line 2\n {2}│ \n {2}│ three$/m,
    /^files\/README\.md AS OF 2023-11-14 23:13: the same call, at version 2 of 3\n {2}│ \n {2}│ two$/m,
    /^ {2}2023-11-15 00:13 {2}Eve Adams +3 lines {2}Say three$/m,
    /^From 2023-11-14 23:13 until now: 1 files came, 1 changed, 1 went$/m,
    /^ {2}npx stele --db \.stele-start history files\/README\.md$/m,
  ])
    assert.match(out, expected);
  assert.ok(!out.includes('\u001b'), 'no escape from the data, no colour in a pipe');
  const again = await run(directory);
  assert.match(again.out, /nothing new\n {2}3 commits were here already/);
  const whole = await run(directory, '--db', 'elsewhere', directory);
  assert.equal(whole.code, 0);
  assert.ok(existsSync(join(directory, 'elsewhere', 'pages.db')));
  repository.git('commit', '-q', '--amend', '-m', 'Rewritten');
  const rewritten = await run(directory);
  assert.equal(rewritten.code, 2);
  assert.match(rewritten.err, /^npm start: commit 3 here is .*its history was rewritten.*\(SOURCE_CHANGED\)\n/);
  assert.match((await run(directory, '--fresh')).out, /^ {2}3 commits in/m);
});

test('where there is no whole history it says so and shows a sample', options, async (t) => {
  const below = realpathSync(scratch(t));
  const repository = makeRepository(join(below, 'whole'));
  repository.commit({ a: '1' });
  repository.commit({ a: '2' });
  repository.git('clone', '-q', '--depth', '1', `file://${repository.directory}`, join(below, 'shallow'));
  const shallow = await run(join(below, 'shallow'));
  assert.match(
    shallow.out,
    /^No history to read: .*shallow is a shallow clone: its history is cut \(git fetch --unshallow gets the rest\)\.\nA small sample of our own making/,
  );
  assert.match(shallow.out, /^22 commits by 3 authors/m);
  assert.match(shallow.out, /npx stele --db \.stele-start-sample history/);
  // A copy without .git inside of another repository is not that repository.
  mkdirSync(join(repository.directory, 'copy'));
  const copy = await run(join(repository.directory, 'copy'));
  assert.match(copy.out, /^No history to read: .*copy has no git history of its own\./);
  const none = await run(below);
  assert.match(none.out, /^No history to read: .*not a git repository/);
  assert.match((await run(below)).out, /nothing new\n {2}22 commits were here already/);
});

test('an interrupt ends it in order, and the next run goes on there', options, async (t) => {
  const below = realpathSync(scratch(t));
  makeLongRepository(join(below, 'long'), 400);
  const child = spawn(process.execPath, [start, 'long'], {
    cwd: below,
    env: { ...process.env, INIT_CWD: below },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    if (text.startsWith('Reading')) child.kill('SIGINT');
  });
  const [code] = await once(child, 'close');
  assert.equal(code, 130, out);
  assert.match(out, /^Stopped: the import was stopped after commit \d+\. Nothing is lost; the same command goes on there\.$/m);
  const made = Number(/after commit (\d+)/.exec(out)![1]);
  const db = await open(join(below, '.stele-start-long'));
  assert.equal(db.version, made);
  await db.close();
  const rest = await run(below, 'long');
  assert.match(rest.out, new RegExp(`${400 - made} commits in`));
  assert.match(rest.out, /^400 commits by 3 authors/m);
});

test('a history in JSON lines, and that of a team', async (t) => {
  const below = realpathSync(scratch(t));
  const lines = [1, 2, 3, 4].map((k) => JSON.stringify({ id: k < 4 ? 'a' : 'b', at: `2026-01-0${k}`, actor: 'ada', state: k }));
  writeFileSync(join(below, 'doors.jsonl'), `${lines.join('\n')}\n`);
  const doors = await run(below, 'doors.jsonl');
  assert.equal(doors.code, 0, doors.err);
  assert.match(doors.out, /^4 lines, 2 records\n {2}read as: id "id", time "at", actor "actor", reason \(none found\)$/m);
  assert.match(doors.out, /^The life of doors\/a: 3 versions$/m);
  assert.match(doors.out, /^ {2}2026-01-03 00:00 {2}ada +\{"id":"a","at":"2026-01-03"/m);
  assert.match(doors.out, /^AS OF version 2 of 4, 2026-01-02 00:00: 1 record$/m);
  mkdirSync(join(below, 'team'));
  const issue = (id: string, status: string, blocker?: string): object => ({
    ...{ id, title: `Do ${id}`, status, created_at: '2026-01-01T00:00:00Z' },
    ...(blocker === undefined
      ? {}
      : { dependencies: [{ issue_id: id, depends_on_id: blocker, type: 'blocks', created_at: '2026-01-01T00:00:00Z' }] }),
  });
  const write = (name: string, rows: readonly object[]): void =>
    writeFileSync(join(below, 'team', name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  write('issues.jsonl', [issue('t1', 'closed'), issue('t2', 'open', 't1'), issue('t3', 'open', 't2'), issue('t4', 'open', 'gone')]);
  write('events.jsonl', [
    { id: 1, issue_id: 't1', event_type: 'closed', actor: 'bob', created_at: '2026-01-03T10:00:00Z', old_value: '', new_value: 'done' },
  ]);
  const team = await run(below, 'team/events.jsonl');
  assert.equal(team.code, 0, team.err);
  assert.match(
    team.out,
    /^Ready now: 2 tasks of 3 open, 1 blocked\n.*\n {2}t2 .*Do t2\n {2}t4 .*Do t4\n {2}1 blocker not in the data, taken as done$/m,
  );
  assert.match(team.out, /^Ready AS OF 2026-01-03 \(version \d+ of \d+\): 2 tasks of 4 open, 2 blocked\n.*\n {2}t1 .*Do t1\n {2}t4/m);
  assert.match(team.out, /^The life of t1: Do t1$/m);
  assert.match(team.out, /^Who did what on 2026-01-03: 1 event by 1 actor$/m);
});

test('bad requests are one sentence and exit code 2, and make nothing', async (t) => {
  const below = realpathSync(scratch(t));
  for (const [args, expected] of [
    [['nowhere'], /^npm start: .*nowhere does not exist\n/],
    [['a', 'b'], /^npm start: found 2 sources, expected one\n/],
    [['--what'], /^npm start: Unknown option '--what'/],
    [['--fresh', '--db', '.'], /^npm start: .* holds no database, so --fresh does not delete it\n/],
  ] as const) {
    const { code, err, out } = await run(below, ...args);
    assert.match(err, expected);
    assert.deepEqual([code, out], [2, '']);
  }
  assert.ok(!existsSync(join(below, '.stele-start')));
  const help = await run(below, '--help');
  assert.match(help.out, /^npm start \[-- \[SOURCE\]/);
});
