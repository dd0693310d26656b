/**
 * The snippets of README.md run. A line `console.log(expression); // text` claims that the expression prints as that text.
 */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { readText, root } from './repository.ts';

/** The module a snippet becomes: the package from its sources, a directory of its own, claims as assertions. */
function moduleOf(snippet: string, directory: string): string {
  const door = pathToFileURL(join(root, 'packages/stele/src/index.ts')).href;
  const body = snippet
    .replaceAll("from 'stele'", `from '${door}'`)
    .replaceAll("'./data'", JSON.stringify(join(directory, 'data')))
    .replace(
      /^console\.log\((?<claim>.*)\); \/\/ (?<text>.*)$/gm,
      (_line, claim: string, text: string) => `assert.equal(String(${claim}), ${JSON.stringify(text)});`,
    )
    .replace(/console\.log\(/g, 'void (');
  return `import assert from 'node:assert/strict';\n${body}`;
}

test('the snippets of README.md run and give what they say', { timeout: 30_000 }, async () => {
  const snippets = [...readText('README.md').matchAll(/^```ts\n(?<code>[\s\S]*?)^```/gm)].map((match) => match.groups!['code']!);
  assert.ok(snippets.length > 0);
  for (const snippet of snippets) {
    const directory = mkdtempSync(join(tmpdir(), 'stele-readme-'));
    try {
      const module = moduleOf(snippet, directory);
      assert.match(module, /assert\.equal\(/, 'a snippet claims nothing');
      const file = join(directory, 'snippet.ts');
      writeFileSync(file, module);
      await import(pathToFileURL(file).href);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
});
