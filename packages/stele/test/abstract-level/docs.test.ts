/** The snippet of docs/abstract-level.md runs, and its table of errors holds what the adapter can say. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { listFiles, readText, root } from '../house/repository.ts';

const page = readText('docs/abstract-level.md');
const addressOf = (path: string): string => pathToFileURL(join(root, 'packages/stele/src', path)).href;

test('the snippet of docs/abstract-level.md runs and prints what it says', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'stele-level-'));
  try {
    const [, code] = /^```ts\n([\s\S]*?)^```/m.exec(page)!;
    const body = code!
      .replace("'stele/abstract-level'", `'${addressOf('abstract-level/index.ts')}'`)
      .replace("'stele'", `'${addressOf('index.ts')}'`)
      .replace(/'\.\/(data2?)'/g, (_text, name: string) => JSON.stringify(join(directory, name)))
      .replaceAll('console.log(', 'print(');
    const file = join(directory, 'snippet.ts');
    const head = `import { inspect } from 'node:util';\nexport const printed: string[] = [];\n`;
    writeFileSync(
      file,
      `${head}const print = (given: unknown): void => void printed.push(typeof given === 'string' ? given : inspect(given));\n${body}`,
    );
    const { printed } = (await import(pathToFileURL(file).href)) as { printed: string[] };
    const claims = [...code!.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, claim]) => claim);
    assert.equal(claims.length, 3);
    assert.deepEqual(printed, claims);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('docs/abstract-level.md lists every code that the adapter can say, and no other', () => {
  const codesOf = (text: string): string[] => [...new Set(text.match(/LEVEL_[A-Z_]+/g))].sort();
  const sources = listFiles('packages/stele/src/abstract-level').filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'));
  assert.ok(sources.length > 5);
  const [, table] = /## Errors([\s\S]*?)\n## /.exec(page)!;
  assert.deepEqual(codesOf(table!), codesOf(sources.map((path) => readText(path)).join('\n')));
});
