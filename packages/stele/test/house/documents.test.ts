/**
 * The documents keep their promises: links lead somewhere, decisions have their headings and stand in the list.
 */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { test } from 'node:test';
import { listFiles, readText, root } from './repository.ts';

const documents = listFiles().filter((path) => path.endsWith('.md'));
const decisionHeadings = ['Goals', 'Non-goals', 'Decision', 'Alternatives', 'Consequences'];

/** GitHub's name for a heading: lower case, no punctuation, spaces as dashes. */
function anchorOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');
}

function withoutCode(text: string): string {
  return text
    .replace(/^(```|~~~)[\s\S]*?^\1/gm, '')
    .replace(/^ {4}.*$/gm, '')
    .replace(/`[^`\n]*`/g, '');
}

test('every relative link leads to a file, and every anchor to a heading', () => {
  const found: string[] = [];
  for (const path of documents) {
    for (const match of withoutCode(readText(path)).matchAll(/\]\((?<target>[^)\s]+)\)/g)) {
      const target = match.groups!['target']!;
      if (/^[a-z]+:/.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const goal = file === '' ? path : posix.join(posix.dirname(path), file);
      if (!existsSync(join(root, goal))) found.push(`${path}: ${target} is missing`);
      else if (anchor !== undefined && goal.endsWith('.md')) {
        const anchors = [...readText(goal).matchAll(/^#+ (?<title>.+)$/gm)].map((heading) =>
          anchorOf(heading.groups!['title']!.replace(/`/g, '')),
        );
        if (!anchors.includes(anchor)) found.push(`${path}: ${target}: no such heading`);
      }
    }
  }
  assert.deepEqual(found, []);
});

test('every "Specification: spec/x.md" in the sources names a file that exists', () => {
  const found: string[] = [];
  for (const path of listFiles('packages').filter((path) => path.endsWith('.ts') && !path.includes('/test/house/'))) {
    for (const match of readText(path).matchAll(/Specification: (?<file>spec\/[\w-]+\.md)/g)) {
      if (!existsSync(join(root, match.groups!['file']!))) found.push(`${path}: ${match.groups!['file']}`);
    }
  }
  assert.deepEqual(found, []);
});

test('every decision has a number of its own, a date, the headings, and a line in the list', () => {
  const list = readText('docs/decisions/README.md');
  const numbers = new Set<string>();
  for (const path of documents.filter((path) => path.startsWith('docs/decisions/') && !path.endsWith('README.md'))) {
    const name = posix.basename(path);
    assert.match(name, /^\d{4}-[a-z0-9-]+\.md$/, `${path}: named NNNN-words.md`);
    assert.ok(!numbers.has(name.slice(0, 4)), `${path}: number taken twice`);
    numbers.add(name.slice(0, 4));
    const text = readText(path);
    assert.match(text, /^# \S/, `${path}: a title first`);
    assert.match(
      text,
      /^\d{4}-\d{2}-\d{2}, (proposed|accepted|superseded by \[\d{4}\]\(\S+\))\.?$/m,
      `${path}: a line with date and state`,
    );
    const headings = [...text.matchAll(/^## (.+)$/gm)].map((match) => match[1]!.trim());
    for (const heading of decisionHeadings) assert.ok(headings.includes(heading), `${path}: "## ${heading}" is missing`);
    assert.ok(list.includes(`(${name})`), `${path}: no line in docs/decisions/README.md`);
  }
  assert.ok(numbers.size > 0);
});

test('the commands the documents name exist', () => {
  const scripts = JSON.parse(readText('package.json')).scripts as Record<string, string>;
  for (const path of documents) {
    for (const match of readText(path).matchAll(/\bnpm run (?:-s )?(?<name>[a-z][\w:-]*)/g)) {
      assert.ok(match.groups!['name']! in scripts, `${path}: npm run ${match.groups!['name']}`);
    }
  }
});
