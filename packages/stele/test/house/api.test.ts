/**
 * The snippets of docs/api.md run. A line `console.log(…); // text` claims that just this text is printed. A snippet that opens no
 * database itself has an empty one in memory, `db`.
 */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { listFiles, readText, root } from './repository.ts';

const DOOR = pathToFileURL(join(root, 'packages/stele/src/index.ts')).href;
const snippets = [...readText('docs/api.md').matchAll(/^## (?<title>.+)$|^```ts\n(?<code>[\s\S]*?)^```/gm)].reduce<
  { title: string; code: string }[]
>((all, { groups }) => {
  if (groups!['title'] !== undefined) all.push({ title: groups!['title'], code: '' });
  else all.push({ title: all.at(-1)!.title, code: groups!['code']! });
  return all;
}, []);

/** The module a snippet becomes: the package from its sources, a directory of its own, printed lines collected. */
function moduleOf(code: string, directory: string): string {
  const body = code
    .replaceAll("from 'stele'", `from '${DOOR}'`)
    .replaceAll(/'\.\/(?<name>data[.a-z]*)'/g, (_text, name: string) => JSON.stringify(join(directory, name)))
    .replaceAll(/^(?<indent>\s*)console\.log\(/gm, '$<indent>print(')
    .replaceAll(/\bconsole\.log\(/g, 'print(');
  const needsError = /\bSteleError\b/.test(code) && !/import .*SteleError/.test(code);
  const ownsDatabase = /\bopen\(/.test(code);
  return [
    `import { formatWithOptions as inspected } from 'node:util';`,
    needsError ? `import { SteleError } from '${DOOR}';` : '',
    ownsDatabase ? '' : `import { memoryStorage as freshStorage, openSync as openFresh } from '${DOOR}';`,
    `export const printed: string[] = [];`,
    `const print = (...given: unknown[]): void => void printed.push(inspected({ breakLength: Infinity, compact: 9 }, ...given));`,
    ownsDatabase ? '' : `const db = openFresh({ storage: freshStorage(), cacheMemory: 4 << 20 });`,
    body,
    ownsDatabase ? '' : 'setImmediate(() => void db.close());',
  ].join('\n');
}

/** What the lines with a claim must print, in the order of the page. */
const claimsOf = (code: string): string[] =>
  [...code.matchAll(/console\.log\(.*\)+;? \/\/ (?<text>.*)$/gm)].map(({ groups }) => groups!['text']!);

test('the snippets of docs/api.md run and print what they say', { timeout: 60_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'stele-api-'));
  try {
    let count = 0;
    for (const [at, { title, code }] of snippets.entries()) {
      if (code === '') continue;
      count++;
      const file = join(directory, `snippet-${at}.ts`);
      writeFileSync(file, moduleOf(code, join(directory, String(at))));
      let printed: string[];
      try {
        ({ printed } = (await import(pathToFileURL(file).href)) as { printed: string[] });
      } catch (error) {
        throw new Error(`docs/api.md, "${title}": ${error instanceof Error ? error.stack : String(error)}`, { cause: error });
      }
      const claims = claimsOf(code);
      assert.ok(claims.length > 0, `docs/api.md, "${title}": a snippet claims nothing`);
      assert.deepEqual(
        printed.filter((line) => claims.includes(line)),
        claims,
        `docs/api.md, "${title}": printed ${JSON.stringify(printed)}`,
      );
    }
    assert.ok(count >= 20, `${count} snippets`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('every call of the surface stands in docs/api.md', () => {
  const page = readText('docs/api.md');
  const types = readText('packages/stele/src/model/types.ts');
  const calls = new Set([...types.matchAll(/^ {2}(?<name>[a-z]\w*)(?:<[^>]*>)?\(/gm)].map(({ groups }) => groups!['name']!));
  const options = [...types.matchAll(/^export interface (?:\w*Options)\b[^{]*\{(?<body>[\s\S]*?)^\}/gm)].flatMap(({ groups }) =>
    [...groups!['body']!.matchAll(/^ {2}readonly (?<name>\w+)\??:/gm)].map((member) => member.groups!['name']!),
  );
  assert.ok(calls.size > 40 && options.length > 30);
  const missing = [...calls, ...options].filter((name) => !new RegExp(`\\b${name}\\b`).test(page));
  assert.deepEqual(missing, []);
});

test('every code in docs/api.md is listed in spec/errors.md', () => {
  const listed = new Set([...readText('spec/errors.md').matchAll(/^\| `(?<code>[A-Z_]+)` \|/gm)].map(({ groups }) => groups!['code']));
  const named = new Set(
    [...readText('docs/api.md').matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b|\bCONFLICT\b|\bCANCELLED\b|\bTIMEOUT\b|\bLOCKED\b|\bPERMISSION\b/g)].map(
      ([code]) => code,
    ),
  );
  assert.deepEqual(
    [...named].filter((code) => !listed.has(code) && !['MAX_SAFE_INTEGER'].includes(code)),
    [],
  );
  assert.ok(listFiles('docs').includes('docs/api.md'));
});
