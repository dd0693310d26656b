/**
 * The public surface, name by name. Growing it is a decision (docs/decisions), not an accident.
 * After such a decision: `STELE_UPDATE_SURFACE=1 npm run test:fast` rewrites the list beside this file.
 */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { maskSource, readText, root } from './repository.ts';

const listPath = 'packages/stele/test/house/surface.txt';

/** `value name` and `type name`, sorted; and what is left of index.ts when its re-exports are taken out. */
function readSurface(text: string): { names: string[]; rest: string } {
  const code = maskSource(text, { keepStrings: true });
  const names: string[] = [];
  const rest = code.replace(
    /export\s+(?<type>type\s+)?\{(?<list>[^}]*)\}\s*from\s*'[^']+';/g,
    (_all, type: string | undefined, list: string) => {
      for (const item of list.split(',').map((part) => part.trim())) {
        if (item === '') continue;
        const isType = type !== undefined || item.startsWith('type ');
        const name = item.replace(/^type\s+/, '').replace(/^.*\sas\s+/, '');
        names.push(`${isType ? 'type' : 'value'} ${name}`);
      }
      return '';
    },
  );
  // A file of interfaces only may come through as a whole; its names count one by one.
  const left = rest.replace(/export type \* from '\.\/(?<file>[^']+)';/g, (_all, file: string) => {
    const types = maskSource(readText(`packages/stele/src/${file}`), { keepStrings: true });
    for (const match of types.matchAll(/^export (?:declare )?(?:interface|type|class|const|function) (?<name>\w+)/gm))
      names.push(`type ${match.groups!['name']}`);
    return '';
  });
  return { names: [...new Set(names)].sort(), rest: left.trim() };
}

test('the public surface is what was decided', () => {
  const { names } = readSurface(readText('packages/stele/src/index.ts'));
  if (process.env['STELE_UPDATE_SURFACE'] === '1') writeFileSync(join(root, listPath), `${names.join('\n')}\n`);
  const decided = readText(listPath)
    .split('\n')
    .filter((line) => line !== '');
  assert.deepEqual(names, decided, 'src/index.ts exports other names than surface.txt lists');
});

test('index.ts only re-exports, by name', () => {
  assert.equal(readSurface(readText('packages/stele/src/index.ts')).rest, '');
});

test('every value of the surface exists at run time', async () => {
  const door: Record<string, unknown> = await import('../../src/index.ts');
  const values = readSurface(readText('packages/stele/src/index.ts')).names.filter((name) => name.startsWith('value '));
  assert.deepEqual(Object.keys(door).sort(), values.map((name) => name.slice('value '.length)).sort());
});
