import assert from 'node:assert/strict';
import { test } from 'node:test';
import { importsOf, maskSource } from './repository.ts';

test('maskSource() keeps code and lines, and blanks comments, strings, templates and regular expressions', () => {
  const text = [
    "const a = 'Date'; // Date",
    '/* Date',
    ' Date */ const b = /Date["\'/]/.test(a);',
    'const c = `Date ${Math.random() + `${Date.now()}`} Date`;',
    'const d = 4 / 2; const e = "\\"Date" + x / y;',
  ].join('\n');
  const masked = maskSource(text);
  assert.equal(masked.length, text.length);
  assert.equal(masked.split('\n').length, 5);
  assert.equal([...masked.matchAll(/\bDate\b/g)].length, 1, masked);
  assert.match(masked, /Math\.random\(\)/);
  assert.match(masked, /x \/ y;/);
});

test('importsOf() finds every form and tells types from values', () => {
  const text = [
    "import { a } from './a.ts';",
    "import type { B } from '../b.ts';",
    "import './c.ts';",
    "export * from './d.ts';",
    "export type { E } from './e.ts';",
    'import {',
    '  f,',
    "} from './f.ts';",
    "const g = await import('./g.ts');",
    "// import './h.ts';",
    'export const from = `import "./i.ts"`;',
  ].join('\n');
  assert.deepEqual(
    importsOf(text).map((i) => i.specifier + (i.typeOnly ? ' (type)' : '')),
    ['./a.ts', '../b.ts (type)', './c.ts', './d.ts', './e.ts (type)', './f.ts', './g.ts'],
  );
});
