/**
 * No ambient world below the host: what cannot be replayed from a seed cannot be debugged.
 *
 * Biome denies the globals it can name (biome.json, the override for the engine's folders). Here stands the rest:
 * members (`Math.random`, `Atomics.wait`), the doors around a denied name (`globalThis`), `node:` modules reached by any
 * form of import, and the modules of the host that themselves reach Node. Both halves are proven to fail on a violation.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { test } from 'node:test';
import { engineFolders, importsOf, lineAt, maskSource, readText, root, shippedSources } from './repository.ts';

const deniedGlobals = [
  ...['Date', 'performance', 'process', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'WeakRef', 'FinalizationRegistry'],
  ...['crypto', 'fetch', 'console', 'Buffer', 'Worker', 'structuredClone', 'globalThis', 'navigator', 'require'],
];
const deniedMembers = ['Math.random', 'Atomics.wait', 'Atomics.waitAsync', 'Intl.DateTimeFormat'];
const builtins: ReadonlySet<string> = new Set(builtinModules);

/** What a source below the host may not contain, as `line: finding`. */
function violations(text: string): string[] {
  const code = maskSource(text);
  const found: string[] = [];
  const report = (position: number, what: string): void => void found.push(`${lineAt(text, position)}: ${what}`);
  for (const name of deniedGlobals) {
    for (const match of code.matchAll(new RegExp(`(?<![.\\w$#])${name}(?![\\w$])`, 'g'))) {
      if (!isOnlyAName(code.slice(0, match.index), code.slice(match.index + name.length))) report(match.index, name);
    }
  }
  for (const name of deniedMembers) {
    const [object, member] = name.split('.');
    for (const match of code.matchAll(new RegExp(`(?<![.\\w$])${object}\\s*\\??\\.\\s*${member}\\b`, 'g'))) report(match.index, name);
  }
  for (const { specifier } of importsOf(text)) {
    if (specifier.startsWith('node:') || builtins.has(specifier)) found.push(`import of ${specifier}`);
  }
  return found;
}

/** A property (`{ fetch: 1 }`) or a method (`fetch(block): number`) of that name is not the global. */
function isOnlyAName(before: string, after: string): boolean {
  if (/^\s*\([^()]*\)\s*[:{]/.test(after) && !/\?[^;{}]*$/.test(before)) return true;
  return /^\s*\??\s*:/.test(after) && /(?:[{,;(]|\breadonly)\s*$/.test(before);
}

/** Dates as values are made in one place, of given numbers. */
const datesAsValues = 'packages/stele/src/base/date.ts';
const isEngine = (path: string): boolean =>
  path !== datesAsValues && engineFolders.some((folder) => path.startsWith(`packages/stele/src/${folder}/`));

test('the engine touches no clock, randomness, timer, thread, file or process of its own', () => {
  const found = shippedSources()
    .filter(isEngine)
    .flatMap((path) => violations(readText(path)).map((violation) => `${path}:${violation}`));
  assert.deepEqual(found, []);
});

test('no module the engine loads reaches a node: module', () => {
  const reached = new Map<string, string>();
  const visit = (path: string, from: string): void => {
    if (reached.has(path) || !existsSync(join(root, path))) return;
    reached.set(path, from);
    for (const { specifier, typeOnly } of importsOf(readText(path))) {
      if (typeOnly) continue;
      assert.ok(!specifier.startsWith('node:'), `${path} (reached from ${from}) imports ${specifier}`);
      if (specifier.startsWith('.')) visit(posix.join(posix.dirname(path), specifier), path);
    }
  };
  for (const path of shippedSources().filter(isEngine)) visit(path, 'itself');
});

test('the check finds each violation in a fixture, and none in the same words as text or members', () => {
  const bad = [
    "import { readSync } from 'node:fs';",
    "import fs from 'fs';",
    'const a = Date.now() + new Date().getTime();',
    'const b = `${Math.random()}`;',
    'Atomics.wait(words, 0, 0);',
    'setTimeout(work, 1);',
    'const c = globalThis.process;',
    'const d = x ? performance : y;',
  ].join('\n');
  const found = violations(bad).join(' | ');
  for (const word of ['node:fs', 'of fs', 'Date', 'Math.random', 'Atomics.wait', 'setTimeout', 'globalThis', 'performance']) {
    assert.ok(found.includes(word), `${word} not found in: ${found}`);
  }
  const good =
    "// Date.now()\nconst a = 'Math.random()'; clock.setTimeout(1); const o = { fetch: 1 }; interface T { fetch(block: number): void }";
  assert.deepEqual(violations(good), []);
});

test('the linter denies the ambient globals in the engine and lets the host have them', { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stele-house-'));
  try {
    const settings = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8'));
    delete settings.$schema;
    settings.vcs = { enabled: false };
    writeFileSync(join(folder, 'biome.json'), JSON.stringify(settings));
    const text = "import { readSync } from 'node:fs';\nexport const now: number = Date.now();\nsetTimeout(readSync, 1);\n";
    for (const path of ['packages/stele/src/tree/x.ts', 'packages/stele/src/host/x.ts', 'packages/stele/src/tree/x.test.ts']) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    copyFileSync(join(root, 'package.json'), join(folder, 'package.json'));
    const output = await lint(folder);
    assert.match(output, /tree\/x\.ts:1:\d+ lint\/correctness\/noNodejsModules/);
    assert.match(output, /tree\/x\.ts:2:\d+ lint\/style\/noRestrictedGlobals/);
    assert.match(output, /tree\/x\.ts:3:\d+ lint\/style\/noRestrictedGlobals/);
    assert.doesNotMatch(output, /host\/x\.ts:|x\.test\.ts:/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Everything the linter says about a folder; it must fail. */
function lint(folder: string): Promise<string> {
  const binary = join(root, 'node_modules/@biomejs/biome/bin/biome');
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [binary, 'lint', '--colors=off', '--max-diagnostics=50', '.'], { cwd: folder }, (error, stdout, stderr) => {
      if (error === null) reject(new Error(`the linter passed:\n${stdout}${stderr}`));
      else resolve(stdout + stderr);
    });
  });
}
