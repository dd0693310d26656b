/**
 * A small history of our own making, for where there is none: a recipe book kept by three people.
 *
 * Made by code and the same each time: 22 commits over eleven days, with files that change, move, and go.
 */

import type { Value } from '../../model/types.ts';
import type { SourceChange, SourceCommit } from '../import/commits.ts';

interface Draft {
  readonly author: string;
  readonly subject: string;
  readonly files: Readonly<Record<string, Value | undefined>>;
}

const AUTHORS = ['Ada', 'Bob', 'Eve'];
const DISHES = ['bread', 'soup', 'beans', 'pancakes', 'curry', 'salad', 'dumplings'];
const START_MS = Date.UTC(2026, 0, 5, 9);
const STEP_MS = 12 * 3_600_000 + 7 * 60_000;

function readme(dishes: readonly string[]): string {
  return `# Recipes\n\nWhat we cook, and how it came out.\n\n${dishes.map((dish) => `- [${dish}](recipes/${dish}.md)\n`).join('')}`;
}

function recipe(dish: string, minutes: number, notes: readonly string[]): string {
  return `# ${dish}\n\nTime: ${minutes} minutes\n${notes.map((note) => `\n- ${note}`).join('')}\n`;
}

function drafts(): Draft[] {
  const all: Draft[] = [
    { author: 'Ada', subject: 'Begin the book', files: { 'README.md': readme([]), 'photos/kitchen.bin': Uint8Array.of(0, 1, 2, 255) } },
  ];
  DISHES.forEach((dish, index) => {
    const author = AUTHORS[index % 3]!;
    const other = AUTHORS[(index + 1) % 3]!;
    const name = `recipes/${dish}.md`;
    all.push({
      author,
      subject: `Add ${dish}`,
      files: { [name]: recipe(dish, 30 + 5 * index, []), 'README.md': readme(DISHES.slice(0, index + 1)) },
    });
    all.push({ author: other, subject: `Try ${dish}: it takes longer`, files: { [name]: recipe(dish, 40 + 5 * index, ['needs salt']) } });
    if (index % 3 === 2)
      all.push({
        author,
        subject: `Write down what we learned about ${dish}`,
        files: { [name]: recipe(dish, 40 + 5 * index, ['needs salt', 'and patience']), 'notes/learned.txt': `${dish}: patience\n` },
      });
  });
  const rest = DISHES.filter((dish) => dish !== 'salad');
  all.push({ author: 'Eve', subject: 'Salad is no recipe', files: { 'recipes/salad.md': undefined, 'README.md': readme(rest) } });
  all.push({
    author: 'Bob',
    subject: 'Move the notes',
    files: { 'notes/learned.txt': undefined, 'recipes/NOTES.txt': 'curry, dumplings: patience\n' },
  });
  all.push({
    author: 'Ada',
    subject: 'Bread again, at last',
    files: { 'recipes/bread.md': recipe('bread', 95, ['needs salt', 'let it rest over night']) },
  });
  all.push({ author: 'Bob', subject: 'Take a new photo', files: { 'photos/kitchen.bin': Uint8Array.of(0, 9, 8, 255) } });
  all.push({ author: 'Ada', subject: 'Say who we are', files: { 'README.md': `${readme(rest)}\nBy ${AUTHORS.join(', ')}.\n` } });
  return all;
}

/** Commits behind the first `from`. */
export function* sampleCommits(from = 0): Generator<SourceCommit, void> {
  const there = new Set<string>();
  let n = 0;
  for (const { author, subject, files } of drafts()) {
    const changes = Object.entries(files).map(([name, value]): SourceChange => {
      const kind = value === undefined ? 'deleted' : there.has(name) ? 'changed' : 'added';
      if (value === undefined) there.delete(name);
      else there.add(name);
      return { kind, path: name.split('/'), value, bytes: value instanceof Uint8Array ? value.length : String(value ?? '').length };
    });
    if (n++ < from) continue;
    const email = `${author.toLowerCase()}@example.org`;
    yield {
      hash: `sample-${n}`,
      parents: n === 1 ? [] : [`sample-${n - 1}`],
      author,
      email,
      dateMs: START_MS + (n - 1) * STEP_MS,
      subject,
      merged: [],
      changes,
    };
  }
}
