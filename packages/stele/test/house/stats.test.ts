/**
 * docs/stats.md lists exactly the figures that `stats()` gives, section by section.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryHost } from '../../src/host/memory/host.ts';
import { openEngine } from '../../src/txn/engine.ts';
import { readText } from './repository.ts';

/** `section.field` of every row, in the order of the document. */
function documented(): string[] {
  const found: string[] = [];
  let section = '';
  for (const line of readText('docs/stats.md').split('\n')) {
    section = /^## (?<name>\w+)$/.exec(line)?.groups?.['name'] ?? section;
    const row = /^\| `(?<field>\w+)` \| (?<meaning>.+) \|$/.exec(line)?.groups;
    if (row !== undefined) found.push(`${section}.${row['field']}`);
  }
  return found;
}

test('docs/stats.md names every field of stats(), and no other', async () => {
  const engine = await openEngine({ host: memoryHost() });
  const fields = Object.entries(engine.stats()).flatMap(([section, values]) => Object.keys(values).map((field) => `${section}.${field}`));
  await engine.close();
  assert.deepEqual(documented().sort(), fields.sort());
});
