/**
 * The scripts of docs/internals run, and print what their chapters show.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { listFiles, readText, root } from './repository.ts';

function run(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [join(root, path)], (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${path}: ${stderr}`, { cause: error }));
    });
  });
}

/** Lines of the output that the chapter must show, whatever the identifiers of the run. */
const shown: Readonly<Record<string, readonly string[]>> = {
  'a-page': [
    'slot 1: sequence 1, commit 301, root page 6, height 2',
    'slot 2: head 30320000, record at 7964, key ".users/000002", flags 264 (back address, depth 1)',
    '7964  08 01 02 00 07 00 00 00 2d 01 00 00 03 00 00 00',
    '7996  30 32 63 68 61 6e 67 65 64 00 00 00',
  ],
  'a-commit': [
    'applied 1, visible 0, durable 0, flushed 0; 93 bytes in the log buffer, 0 written and not synced',
    'disk: write log-000001.seg [256, 349)',
    '32  72 73 2f 61 64 61 08 63 6f 75 6e 74 65 73 73     rs/ada.countess',
  ],
};

for (const [chapter, lines] of Object.entries(shown)) {
  test(`the script of the chapter ${chapter} runs and prints what the chapter shows`, { timeout: 30_000 }, async () => {
    const output = await run(`docs/internals/${chapter}.ts`);
    const text = readText(`docs/internals/${chapter}.md`);
    for (const line of lines) {
      assert.ok(output.includes(line), `not printed: ${line}\n${output}`);
      assert.ok(text.includes(line), `not in the chapter: ${line}`);
    }
  });
}

test('every chapter has a script, a line in the list, and is run here', () => {
  const list = readText('docs/internals/README.md');
  const chapters = listFiles('docs/internals').filter((path) => path.endsWith('.md') && !path.endsWith('README.md'));
  for (const path of chapters) {
    const name = path.slice('docs/internals/'.length, -'.md'.length);
    assert.ok(name in shown, `${name} is not run`);
    assert.ok(list.includes(`(${name}.md)`) && list.includes(`${name}.ts`), `${name} is not in the list`);
  }
});
