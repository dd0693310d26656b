/**
 * The repository is the same everywhere: it names no machine, no directory of anybody's, no package registry.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineAt, listFiles, readText } from './repository.ts';

// Assembled, so that this file does not contain what it looks for.
const homes = ['home', 'root', 'work', 'Users', 'mnt', 'tmp', 'private'].join('|');
const patterns: readonly (readonly [string, RegExp])[] = [
  ['absolute path', new RegExp(`(?<![\\w./:~)\\]}*-])/(?:${homes})/[\\w.-]`, 'g')],
  ['absolute path', /\b[A-Z]:\\{1,2}(?:Users|Windows)\b/g],
  [
    'package registry',
    new RegExp(['registry\\.npm', 'js|registry\\.yarn', 'pkg|npm', 'mirror|verd', 'accio|artif', 'actory'].join(''), 'gi'),
  ],
  ['registry address', new RegExp(`https?://[^\\s"'<>)]*/-/[^\\s"'<>)]*\\.t${'gz'}`, 'g')],
];
const binary = /\.(bin|db|seg|png|gz)$/;

function findings(text: string): string[] {
  return patterns.flatMap(([what, pattern]) =>
    [...text.matchAll(pattern)].map((match) => `${lineAt(text, match.index)}: ${what}: ${match[0]}`),
  );
}

test('no file names a machine, an absolute path or a package registry', () => {
  const found = listFiles()
    .filter((path) => !binary.test(path))
    .flatMap((path) => findings(readText(path)).map((finding) => `${path}:${finding}`));
  assert.deepEqual(found, []);
});

test('the lock names packages by version and integrity only', () => {
  const lock = JSON.parse(readText('package-lock.json')) as {
    packages: Record<string, { resolved?: string; link?: boolean; integrity?: string }>;
  };
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (!path.startsWith('node_modules/')) continue;
    if (entry.link === true) continue;
    assert.equal(entry.resolved, undefined, `${path} has a resolved address: npm install with the settings of .npmrc removes it`);
    assert.match(entry.integrity ?? '', /^sha512-/, path);
  }
});

test('the lock holds the optional packages of every platform', () => {
  // Story: a lock written where some platform packages could not be seen made `npm ci` fail on every clean clone.
  const lock = JSON.parse(readText('package-lock.json')) as { packages: Record<string, { optionalDependencies?: Record<string, string> }> };
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      assert.ok(`node_modules/${name}` in lock.packages || `${path}/node_modules/${name}` in lock.packages, `${path} misses ${name}`);
    }
  }
});

test('the check itself finds each kind', () => {
  const slash = '/';
  assert.equal(findings(`see ${slash}home/ada/x`).length, 1);
  assert.equal(findings(`"resolved": "https://registry.${'npmjs'}.org/a/-/a-1.0.0.tgz"`).length, 2);
  assert.deepEqual(findings('import x from "../home/x.ts"; https://example.org/home/index.html a/root/b'), []);
});

test('text files end with a newline and hold no carriage returns', () => {
  for (const path of listFiles().filter((path) => /\.(ts|md|json|yml|sh|txt)$/.test(path) && !path.includes('/fixtures/'))) {
    const text = readText(path);
    assert.ok(text.length === 0 || text.endsWith('\n'), `${path} does not end with a newline`);
    assert.ok(!text.includes('\r'), `${path} has carriage returns`);
  }
});
