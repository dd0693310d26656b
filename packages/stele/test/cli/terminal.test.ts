/**
 * The command at a real terminal, as transcripts: tables and their windows, colours, progress, completion, Ctrl-C.
 */

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import { widthOf } from '../../src/cli/terminal.ts';
import { open } from '../../src/index.ts';
import { atTerminal, noTerminal, PROGRAM, plain, scratch, stele } from './kit.ts';

const skip = noTerminal;
let directory = '';

before(async (t) => {
  directory = scratch(t as never);
  await using db = await open(join(directory, 'data'));
  await db.put('users/ada', { name: 'Ada Lovelace', note: 'the first to see what the machine could do besides numbers' });
  await db.put('users/zoë', { name: '詩織', note: 'x' });
  await db.put('users/evil', 'red \x1b[31m bell \x07 turn \u202e end');
  await db.put(['orders', 42], 1);
});

test('a table fits the window, wide or narrow; colours and control characters', { skip }, async () => {
  const wide = await atTerminal(['scan'], [], { cwd: directory, columns: 100 });
  assert.equal(wide.exitCode, 0);
  assert.match(wide.text, /\x1b\[36musers\/ada\x1b\[0m/);
  assert.equal(
    plain(wide.text),
    `path        value                                                                            version
orders/#42  1                                                                                      4
users/ada   {"name":"Ada Lovelace","note":"the first to see what the machine could do besi…        1
users/evil  "red \\u001b[31m bell \\u0007 turn \\u202e end"                                           3
users/zoë   {"name":"詩織","note":"x"}                                                             2
`,
  );
  const narrow = await atTerminal(['scan', 'users'], [], { cwd: directory, columns: 40 });
  for (const line of plain(narrow.text).split('\n')) assert.ok(widthOf(line) <= 40, JSON.stringify(line));
  assert.match(plain(narrow.text), /^path +value +version\nusers\/ada +\{"name":"A.*… +1\n/);
  const blocks = await atTerminal(['scan', 'users'], [], { cwd: directory, columns: 20 });
  for (const line of plain(blocks.text).split('\n')) assert.ok(widthOf(line) <= 20, JSON.stringify(line));
  assert.match(plain(blocks.text), /^path {5}users\/ada\nvalue {4}\{"name":"A…\nversion {2}1\n\n/);
});

test('no colour with NO_COLOR, --no-color or a dumb terminal; no colour and no table in a pipe', { skip }, async () => {
  for (const [words, env] of [
    [['scan'], { NO_COLOR: '1' }],
    [['scan', '--no-color'], {}],
    [['scan'], { TERM: 'dumb' }],
  ] as const) {
    const { text } = await atTerminal(words, [], { cwd: directory, env });
    assert.ok(!text.includes('\x1b'), JSON.stringify(text));
    assert.match(text, /^path +value +version\n/);
  }
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, 'scan', 'orders'], {
    cwd: directory,
    env: { ...process.env, FORCE_COLOR: '1' },
  });
  assert.equal(stdout, '{"path":"orders/#42","value":1,"version":4}\n');
});

test('long work shows how far it is on one line, and takes it away; Ctrl-C ends it and leaves nothing broken', { skip }, async () => {
  const dump = join(directory, 'many.jsonl');
  const entries = Array.from({ length: 60_000 }, (_, n) => `{"path":"rows/#${n}","value":${JSON.stringify('x'.repeat(100))}}`);
  writeFileSync(
    dump,
    `{"stele":"dump","format":1,"version":1,"time":"2026-01-01T00:00:00Z","history":false,"total":60000}\n${entries.join('\n')}\n`,
  );
  const { text, exitCode } = await atTerminal(['--db', 'many', 'import', dump], [{ see: ' left', type: '\x03' }], { cwd: directory });
  assert.match(text, /\rimport {3}[\d,]+ of 60,000 entries {3}\d+ % {3}[\d,]+\/s {3}0:0\d left\x1b\[K/);
  assert.match(text, /\r\x1b\[K(\^C)?interrupted\n$|\^C\r\x1b\[Kinterrupted\n$/);
  assert.equal(exitCode, 130);
  const verified = JSON.parse((await stele(['--db', join(directory, 'many'), 'verify'])).stdout);
  assert.equal(verified.ok, true);
  assert.ok(verified.entries > 0 && verified.entries < 60_000, String(verified.entries));
});

test('the shell: prompt, completion with counts, multi-line values, history of lines, Ctrl-C and the tally', { skip }, async () => {
  const env = { STELE_HISTORY: join(directory, 'lines'), NO_COLOR: '1' };
  const { text, exitCode } = await atTerminal(
    ['shell'],
    [
      { see: 'stele> ', type: 'ge\t' },
      { see: 'get ', type: 'us\t' },
      { see: 'users/  3 entries' },
      { see: '> get us' },
      { see: 'ers/', type: '\t' },
      { see: 'users/ada    1 entry' },
      { see: 'users/zoë    1 entry' },
      { see: 'get users/', type: 'zo\t' },
      { see: 'ë ', type: '\r' },
      { see: '詩織' },
      { see: 'stele> ', type: 'SET draft {"a":\r' },
      { see: '...> ', type: '[1,\r' },
      { see: '...> ', type: '2]}\r' },
      { see: 'version 5' },
      { see: 'stele> ', type: 'SET draft "v" WORM\r' },
      { see: 'this feature is not built yet' },
      { see: 'stele> ', type: 'SET half {\r' },
      { see: '...> ', type: '\x03' },
      { see: 'stele> ', type: '.asof 1\r' },
      { see: 'stele@1> ', type: 'COUNT\r' },
      { see: '\n1\n'.replaceAll('\n', '\r\n') },
      { see: 'stele@1> ', type: '\x1b[A' },
      { see: 'COUNT', type: '\r' },
      { see: '\n1\n'.replaceAll('\n', '\r\n') },
      { see: 'stele@1> ', type: '.asof now\r' },
      { see: 'stele> ', type: '.watch draft\r' },
      { see: 'stele> ', type: 'SET draft 2\r' },
      { see: 'version 6  + draft  2' },
      { see: 'version 6, 1 entry changed' },
      { see: 'stele> ', type: 'FROB\r' },
      { see: 'found "FROB", expected a statement' },
      { see: 'stele> ', type: '\x04' },
    ],
    { cwd: directory, env },
  );
  assert.equal(exitCode, 0);
  assert.match(text, /7 statements, 2 failed, 2 commits, \d+\.\d{3} s\n$/);
  assert.deepEqual(readFileSync(join(directory, 'lines'), 'utf8').split('\n').slice(0, 3), [
    'get users/zoë ',
    'SET draft {"a": [1, 2]}',
    'SET draft "v" WORM',
  ]);
});

test('a reader that goes away ends the command quietly', async () => {
  await using db = await open(join(directory, 'long'));
  await db.batch(Array.from({ length: 50_000 }, (_, n) => ({ type: 'put' as const, path: [n], value: 'x'.repeat(50) })));
  await db.close();
  const child = spawn(process.execPath, [PROGRAM, '--db', 'long', 'scan'], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  child.stdout.once('data', () => child.stdout.destroy());
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => child.on('exit', (...end) => resolve(end)));
  assert.deepEqual([code, signal, stderr], [0, null, '']);
});

test('SIGTERM ends a command that waits, with its own exit code', async () => {
  const child = spawn(process.execPath, [PROGRAM, 'watch', '--from', '0'], { cwd: directory, stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  child.kill('SIGTERM');
  const code = await new Promise((resolve) => child.on('exit', resolve));
  assert.equal(code, 143);
});
