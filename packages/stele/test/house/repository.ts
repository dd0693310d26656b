/**
 * What the tests about the repository itself share: where it is, which files it holds, and source text without the
 * parts that are not code.
 *
 * `maskSource` is a small lexer, not a parser. It blanks comments, the contents of strings and templates (not the code
 * inside `${}`), and regular expressions, keeping every line where it was, so that a finding names its line.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the repository; holds in the sources and in the build, which sits one folder deeper. */
export const root: string = findRoot(fileURLToPath(new URL('.', import.meta.url)));

/** Folders of packages/stele/src that are replayed from a seed and so may not touch the ambient world. */
export const engineFolders: readonly string[] = ['base', 'pager', 'tree', 'log', 'txn'];

const skipped: ReadonlySet<string> = new Set(['node_modules', 'dist', '.git', '.bench']);

/** Every file of the repository as a path from its root with forward slashes, sorted. */
export function listFiles(below = ''): string[] {
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (skipped.has(entry.name) || entry.name.startsWith('.stele-')) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile() && !entry.name.endsWith('.tsbuildinfo') && !entry.name.endsWith('.log')) {
        found.push(relative(root, path).split(sep).join('/'));
      }
    }
  };
  walk(join(root, below));
  return found.sort();
}

/** Sources of packages/stele that ship: TypeScript below src without the tests beside it. */
export function shippedSources(): string[] {
  return listFiles('packages/stele/src').filter((path) => path.endsWith('.ts') && !/\.(test|fuzz)\.ts$/.test(path));
}

export function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** Code only: same length and lines as `text`; with `keepStrings` only comments go. */
export function maskSource(text: string, options: { keepStrings?: boolean } = {}): string {
  const keepStrings = options.keepStrings === true;
  const out: string[] = [];
  const templateDepths: number[] = [];
  let depth = 0;
  let lastCode = '';
  let at = 0;
  const blank = (end: number, keep: boolean): void => {
    const piece = text.slice(at, end);
    out.push(keep ? piece : piece.replace(/[^\n]/g, ' '));
    at = end;
  };
  const template = (): void => {
    let end = at;
    while (end < text.length) {
      if (text[end] === '\\') end += 2;
      else if (text[end] === '`') {
        blank(end + 1, keepStrings);
        lastCode = ')';
        return;
      } else if (text[end] === '$' && text[end + 1] === '{') {
        blank(end + 2, keepStrings);
        templateDepths.push(depth++);
        lastCode = '{';
        return;
      } else end++;
    }
    blank(text.length, keepStrings);
  };
  while (at < text.length) {
    const c = text[at]!;
    const two = text.slice(at, at + 2);
    if (two === '//') blank(endOf(text, '\n', at), false);
    else if (two === '/*') blank(endOf(text, '*/', at + 2) + 2, false);
    else if (c === "'" || c === '"') {
      blank(endOfString(text, at), keepStrings);
      lastCode = ')';
    } else if (c === '`') {
      blank(at + 1, keepStrings);
      template();
    } else if (c === '/' && startsRegex(lastCode, out)) {
      blank(endOfRegex(text, at), keepStrings);
      lastCode = ')';
    } else if (c === '}' && templateDepths.at(-1) === depth - 1) {
      templateDepths.pop();
      depth--;
      blank(at + 1, keepStrings);
      template();
    } else {
      if (c === '{') depth++;
      if (c === '}') depth--;
      if (!/\s/.test(c)) lastCode = c;
      out.push(c);
      at++;
    }
  }
  return out.join('');
}

function endOf(text: string, mark: string, from: number): number {
  const found = text.indexOf(mark, from);
  return found < 0 ? text.length : found;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== text[start] && text[at] !== '\n') at += text[at] === '\\' ? 2 : 1;
  return Math.min(at + 1, text.length);
}

function endOfRegex(text: string, start: number): number {
  let at = start + 1;
  let inClass = false;
  while (at < text.length && text[at] !== '\n' && (inClass || text[at] !== '/')) {
    if (text[at] === '\\') at++;
    else if (text[at] === '[') inClass = true;
    else if (text[at] === ']') inClass = false;
    at++;
  }
  return Math.min(at + 1, text.length);
}

/** A slash begins a regular expression where a value may begin: after an operator or an opening, or after such a keyword. */
function startsRegex(lastCode: string, out: readonly string[]): boolean {
  if (lastCode === '' || '(,=:[!&|?{};+-*%<>~^'.includes(lastCode)) return true;
  return /(?:^|[^\w$])(?:return|typeof|case|in|of|do|else|void|delete|throw)\s*$/.test(out.slice(-12).join(''));
}

/** Module names a file imports, exports from, or loads; `typeOnly` when nothing remains of it at run time. */
export function importsOf(text: string): { specifier: string; typeOnly: boolean }[] {
  const code = maskSource(text, { keepStrings: true });
  const bare = maskSource(text); // an "import" inside a string is blank here
  const found: { specifier: string; typeOnly: boolean }[] = [];
  const statement = /(?<=^\s*)(?:import|export)\s(?<clause>[^'"();]*?\sfrom\s*)?['"](?<name>[^'"]+)['"]/gm;
  const call = /\b(?:import|require)\s*\(\s*['"](?<name>[^'"]+)['"]/g;
  for (const match of [...code.matchAll(statement), ...code.matchAll(call)]) {
    if (bare[match.index] === ' ') continue;
    const { name, clause } = match.groups as { name: string; clause?: string };
    found.push({ specifier: name, typeOnly: clause !== undefined && /^\s*type\b/.test(clause) });
  }
  return found;
}

/** 1-based line of a position, for messages. */
export function lineAt(text: string, position: number): number {
  return text.slice(0, position).split('\n').length;
}

function findRoot(from: string): string {
  const at = from.split(sep).join('/');
  const found = at.lastIndexOf('/packages/stele/');
  return at.slice(0, found);
}
