/**
 * spec/invariants.md names files, functions and tests that exist, and every rule has both.
 */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SteleError } from '../../src/base/errors.ts';
import { memoryHost } from '../../src/host/memory/host.ts';
import { openEngine } from '../../src/txn/engine.ts';
import { readText, root } from './repository.ts';

interface Rule {
  readonly name: string;
  readonly enforced: string;
  readonly tests: string;
}

function rules(): Rule[] {
  return readText('spec/invariants.md')
    .split('\n')
    .map((line) => /^\| (?<name>[A-Z]?\d+) \| .+ \| (?<enforced>[^|]+) \| (?<tests>[^|]+) \|$/.exec(line)?.groups as Rule | undefined)
    .filter((rule) => rule !== undefined);
}

/** `path.ts` with what is named behind it up to the next one: in backticks (a symbol) or in quotes (a test). */
function places(cell: string): { path: string; symbols: string[]; titles: string[] }[] {
  return [...cell.matchAll(/`(?<path>(?:src|test)\/[\w/.-]+\.ts)`(?<names>(?: `[^`/]+`| "[^"]+")*)/g)].map((match) => {
    const { path, names } = match.groups as { path: string; names: string };
    return {
      path: `packages/stele/${path}`,
      symbols: [...names.matchAll(/`([^`]+)`/g)].map((name) => name[1]!),
      titles: [...names.matchAll(/"([^"]+)"/g)].map((name) => name[1]!),
    };
  });
}

test('every rule of the engine, every flush rule and every refusal has a row', () => {
  const names = rules().map(({ name }) => name);
  const expected = [
    ...Array.from({ length: 24 }, (_, at) => String(at + 1)),
    ...Array.from({ length: 5 }, (_, at) => `F${at + 1}`),
    ...Array.from({ length: 10 }, (_, at) => `R${at + 1}`),
  ];
  assert.deepEqual(names, expected);
});

test('files, symbols and tests that spec/invariants.md names exist', () => {
  const missing: string[] = [];
  for (const { name, enforced, tests } of rules()) {
    const enforcing = places(enforced);
    const failing = places(tests).filter(({ titles }) => titles.length > 0);
    if (enforcing.length === 0) missing.push(`${name}: not enforced anywhere`);
    if (failing.length === 0) missing.push(`${name}: no test`);
    for (const { path, symbols, titles } of [...enforcing, ...failing]) {
      if (!existsSync(join(root, path))) {
        missing.push(`${name}: ${path}`);
        continue;
      }
      const text = readText(path);
      for (const symbol of symbols) if (!new RegExp(`(?<![\\w$])${symbol}\\b`).test(text)) missing.push(`${name}: ${symbol} in ${path}`);
      for (const title of titles) if (!text.includes(title)) missing.push(`${name}: "${title}" in ${path}`);
    }
  }
  assert.deepEqual(missing, []);
});

test('a log kept for less time than history is refused', async () => {
  await assert.rejects(
    openEngine({ host: memoryHost(), historyRetention: 10_000, logRetention: 9_999 }),
    (error) => error instanceof SteleError && error.code === 'OPTION_INVALID',
  );
});
