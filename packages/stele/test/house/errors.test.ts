/**
 * spec/errors.md lists every public error code with its kind, and nothing that is not thrown.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineAt, maskSource, readText, shippedSources } from './repository.ts';

const kinds = ['invalid', 'conflict', 'denied', 'closed', 'unavailable', 'corrupt', 'internal'];
/** Upper-case literals that are no codes of ours; the system's own, and those of abstract-level, are told by their shape, magic words by their beginning. */
const otherWords: ReadonlySet<string> = new Set([
  'INDEX', // beginning of codes
  'HEAD', // of a git checkout
  'SYNC_THREAD_LOST', // between the posix host and its sync thread; leaves it as the cause of IO_ERROR
]);
const systemCode = /^(E[A-Z0-9]{2,}|SIG[A-Z]+|ERR_[A-Z0-9_]+|SQLITE_[A-Z_]+|O_[A-Z]+|STELE[A-Z0-9]*|LEVEL_[A-Z_]+)$/;

/** Code → kinds, from the rows | `CODE` | kind, kind | … | of the section. */
function readSpecification(): Map<string, Set<string>> {
  const text = readText('spec/errors.md').split('\n## Reserved')[0]!;
  const codes = new Map<string, Set<string>>();
  for (const match of text.matchAll(/^\| `(?<code>[A-Z][A-Z0-9_]+)` \| (?<kinds>[a-z, ]+?) \|/gm)) {
    assert.ok(!codes.has(match.groups!['code']!), `${match.groups!['code']} is listed twice`);
    codes.set(match.groups!['code']!, new Set(match.groups!['kinds']!.split(',').map((kind) => kind.trim())));
  }
  return codes;
}

test('every code that is thrown is in spec/errors.md with its kind', () => {
  const listed = readSpecification();
  const found = new Set<string>();
  for (const path of shippedSources()) {
    const code = maskSource(readText(path), { keepStrings: true });
    for (const match of code.matchAll(/new SteleError\(\s*'(?<kind>\w+)',\s*'(?<code>\w+)'/g)) {
      const { kind, code: name } = match.groups as { kind: string; code: string };
      if (listed.get(name)?.has(kind) !== true) found.add(`${name} (${kind}), ${path}:${lineAt(code, match.index)}`);
    }
    // Codes reach the constructor through helpers and conditions too, so every upper-case word is looked at.
    for (const match of code.matchAll(/(?<!\benv\[)'(?<word>[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)*)'/g)) {
      const word = match.groups!['word']!;
      if (word.length < 4 || systemCode.test(word) || otherWords.has(word) || listed.has(word)) continue;
      found.add(`${word} (kind not seen), ${path}`);
    }
  }
  assert.deepEqual([...found].sort(), []);
});

test('every code in spec/errors.md is thrown somewhere and has a known kind', () => {
  const sources = shippedSources().map((path) => maskSource(readText(path), { keepStrings: true }));
  const unused: string[] = [];
  for (const [code, itsKinds] of readSpecification()) {
    for (const kind of itsKinds) assert.ok(kinds.includes(kind), `${code}: unknown kind ${kind}`);
    if (!sources.some((source) => source.includes(`'${code}'`))) unused.push(code);
  }
  assert.deepEqual(unused, []);
});
