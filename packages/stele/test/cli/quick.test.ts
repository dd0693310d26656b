/**
 * The short way of `get` answers as the whole command does, or leaves it to it: never something else, and never what is not certain.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { quickAnswer } from '../../src/cli/quick.ts';
import { formatPath, open, type Segment, type Value } from '../../src/index.ts';
import { bundle } from '../../tools/bundle.ts';
import { scratch, stele } from './kit.ts';

const PACKAGE = fileURLToPath(new URL('../../', import.meta.url));

async function made(t: TestContext, rows: readonly (readonly [readonly Segment[], Value])[]): Promise<string> {
  const directory = join(scratch(t), 'data');
  await using db = await open(directory);
  for (let at = 0; at < rows.length; at += 5000)
    await db.batch(rows.slice(at, at + 5000).map(([path, value]) => ({ type: 'put' as const, path, value })));
  return directory;
}

const ask = (directory: string, path: string): string | undefined => quickAnswer(['get', path, '--db', directory], {});

test('every kind of value, in a tree of several levels, is answered as by the whole command', async (t) => {
  const many = Array.from({ length: 20_000 }, (_, n): [Segment[], Value] => [
    ['rows', n, 'some longer name of a column'],
    { n, text: 'x'.repeat(n % 90) },
  ]);
  const kinds: [Segment[], Value][] = [
    [['text'], 'über \ud83d\ude00'],
    [['ascii'], 'plain'],
    [[true, -1.5, Uint8Array.of(0, 255)], { $a: [1n, new Date(0), Uint8Array.of(1)], b: Number.NaN, c: null }],
    [['long'], 'y'.repeat(1500)],
  ];
  const directory = await made(t, [...many, ...kinds]);
  for (const [path] of [...kinds, many[0]!, many[9_999]!, many[19_999]!, many[12_345]!]) {
    const text = formatPath(path);
    const whole = await stele(['--db', directory, 'get', text]);
    assert.equal(whole.exitCode, 0);
    assert.equal(ask(directory, text), whole.stdout, text);
  }
  assert.equal(ask(directory, 'rows/#20000'), undefined);
  assert.equal(ask(directory, 'rows'), undefined);
  assert.equal(ask(directory, ''), undefined);
  assert.equal(quickAnswer(['--db=nowhere', 'get', 'a'], {}), undefined);
  assert.equal(quickAnswer(['get', 'ascii'], { STELE_DB: directory }), '"plain"\n');
  assert.equal(quickAnswer(['--db', directory, 'get', 'ascii', '--raw'], {}), undefined);
  assert.equal(quickAnswer(['--db', directory, 'as-of', '1', 'get', 'ascii'], {}), undefined);
  assert.equal(quickAnswer(['--db', directory, 'count', 'ascii'], {}), undefined);
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.startsWith('lock.')),
    ['lock.db'],
  );
});

test('what expires, is large, was deleted, or came since the last flush is left to the whole command', async (t) => {
  const directory = await made(t, [[['a'], 1]]);
  await using db = await open(directory);
  await db.put('soon', 1, { ttl: 1_000_000 });
  await db.put('large', 'x'.repeat(100_000));
  await db.put('gone', 1);
  await db.delete('gone');
  assert.equal(ask(directory, 'a'), undefined, 'a writer holds it');
  const torn = `${directory}-torn`;
  cpSync(directory, torn, { recursive: true, filter: (name) => !name.includes('lock.') });
  assert.equal(ask(torn, 'a'), undefined, 'not closed');
  await db.close();
  assert.equal(ask(directory, 'a'), '1\n');
  for (const name of ['soon', 'large', 'gone']) assert.equal(ask(directory, name), undefined, name);
  // Killed behind a commit: pages as they were, a record in the log behind them.
  const before = readFileSync(join(directory, 'pages.db'));
  await using again = await open(directory);
  await again.put('a', 2);
  await again.close();
  const killed = `${directory}-killed`;
  cpSync(directory, killed, { recursive: true });
  writeFileSync(join(killed, 'pages.db'), before);
  assert.equal(ask(killed, 'a'), undefined);
  assert.equal((await stele(['--db', killed, 'get', 'a'])).stdout, '2\n');
});

test('damage, an unfinished repair and a newer format are left to the whole command', async (t) => {
  const directory = await made(t, [[['a'], 'value to find']]);
  const copyWith = (name: string, file: string, change: (bytes: Buffer) => void): string => {
    const copy = `${directory}-${name}`;
    cpSync(directory, copy, { recursive: true });
    const bytes = existsSync(join(copy, file)) ? readFileSync(join(copy, file)) : Buffer.from('repair\n');
    change(bytes);
    writeFileSync(join(copy, file), bytes);
    return copy;
  };
  const page = copyWith('page', 'pages.db', (bytes) => bytes.writeUInt8(1, bytes.indexOf('value to find')));
  const meta = copyWith('meta', 'pages.db', (bytes) => bytes.fill(1, 8192, 8200));
  const index = copyWith('index', 'commits.idx', (bytes) => bytes.writeUInt8(9, 8));
  const mark = copyWith('mark', 'unfinished.mark', () => {});
  for (const copy of [page, meta, index, mark]) assert.equal(ask(copy, 'a'), undefined, copy);
  assert.equal(ask(directory, 'a'), '"value to find"\n');
});

test('the built file is that of the build, and answers as the sources do', async (t) => {
  const built = join(PACKAGE, 'dist/quick.cjs');
  assert.ok(existsSync(built), 'npm run build');
  assert.equal(readFileSync(built, 'utf8'), await bundle(), 'npm run build');
  const directory = await made(t, [[['a'], { b: [1, 'ü'] }]]);
  const run = (...words: string[]): string =>
    execFileSync(process.execPath, [join(PACKAGE, 'bin/stele.cjs'), '--db', directory, ...words], { encoding: 'utf8' });
  assert.equal(run('get', 'a'), '{"b":[1,"ü"]}\n');
  assert.equal(run('count'), '{"path":"","count":1}\n');
});
