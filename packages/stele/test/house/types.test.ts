/** The type-level tests are compiled: a file that tsc does not see would hold nothing. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listFiles, readText } from './repository.ts';

test('type-level tests lie where tsc compiles them, and each expects both: what is inferred and what is refused', () => {
  const { include } = JSON.parse(readText('packages/stele/tsconfig.json')) as { include: string[] };
  assert.ok(include.includes('test'));
  const files = listFiles('packages/stele/test/types').filter((path) => path.endsWith('.ts'));
  assert.ok(files.length > 0);
  for (const path of files) {
    const text = readText(path);
    assert.ok((text.match(/@ts-expect-error/g) ?? []).length >= 10, `${path}: too little is refused`);
    assert.doesNotMatch(text, /\bas (?!const|type\b)[A-Z]\w*|\bany\b/, `${path}: a cast holds nothing`);
  }
});
