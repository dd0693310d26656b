/**
 * Statements: a line of the shell, or several, as words, and words as the call of a command.
 *
 *   statement = verb { word }                      GET users/ada        SET users/ada {"name":"Ada"} TTL 2h        del users/ada
 *   word      = bare | "JSON text" | 'plain text' | JSON that begins with { or [
 *
 * A bare word in capitals that names an option of the command is that option: LIMIT 5 is --limit 5. Paths and values in quotes are never taken
 * for one. What has an open quote or bracket goes on in the next line.
 *
 * Specification: docs/cli.md, "The shell".
 */

import { nearest } from '../arguments.ts';
import type { Command } from '../command.ts';
import { COMMANDS } from '../commands.ts';
import { UsageError } from '../failure.ts';

export interface Word {
  /** As it was written. */
  readonly raw: string;
  /** Without its quotes. */
  readonly text: string;
  readonly kind: 'bare' | 'double' | 'single' | 'json';
}

/** The words, or `open` when the statement goes on in the next line. @throws {UsageError} */
export function wordsOf(line: string): Word[] | 'open' {
  const words: Word[] = [];
  for (let at = 0; ; ) {
    while (at < line.length && /\s/.test(line[at]!)) at++;
    if (at >= line.length) return words;
    const end = endOfWord(line, at);
    if (end === undefined) return 'open';
    words.push(wordAt(line.slice(at, end)));
    at = end;
  }
}

function wordAt(raw: string): Word {
  if (raw[0] === "'") return { raw, text: raw.slice(1, -1).replaceAll("''", "'"), kind: 'single' };
  if (raw[0] === '{' || raw[0] === '[') return { raw, text: raw, kind: 'json' };
  if (raw[0] !== '"') return { raw, text: raw, kind: 'bare' };
  try {
    return { raw, text: JSON.parse(raw) as string, kind: 'double' };
  } catch {
    throw new UsageError(`found ${raw}, expected text in double quotes as in JSON`, "'…' takes everything as it stands");
  }
}

/** Undefined: it is not finished. */
function endOfWord(line: string, start: number): number | undefined {
  const first = line[start]!;
  if (first === '"') return endOfText(line, start);
  if (first === "'") {
    for (let at = start + 1; at < line.length; at++) {
      if (line[at] !== "'") continue;
      if (line[at + 1] !== "'") return at + 1;
      at++;
    }
    return undefined;
  }
  if (first !== '{' && first !== '[') {
    let at = start;
    while (at < line.length && !/\s/.test(line[at]!)) at += line[at] === '\\' ? 2 : 1;
    return Math.min(at, line.length);
  }
  let depth = 0;
  for (let at = start; at < line.length; at++) {
    const c = line[at]!;
    if (c === '"') {
      const end = endOfText(line, at);
      if (end === undefined) return undefined;
      at = end - 1;
    } else if (c === '{' || c === '[') depth++;
    else if ((c === '}' || c === ']') && --depth === 0) return at + 1;
  }
  return undefined;
}

function endOfText(line: string, start: number): number | undefined {
  for (let at = start + 1; at < line.length; at++) {
    if (line[at] === '\\') at++;
    else if (line[at] === '"') return at + 1;
  }
  return undefined;
}

/** Verbs of the wire, and how the command line calls them. */
const VERBS: Readonly<Record<string, string>> = { set: 'put', del: 'delete', ls: 'children', incr: 'increment' };
/** Commands that a statement may be. The others end, open or copy databases: they are for the command line. */
const STATEMENTS: readonly string[] = [
  'get',
  'put',
  'delete',
  'children',
  'tree',
  'scan',
  'count',
  'history',
  'diff',
  'log',
  'dump',
  'backup',
  'compact',
  'verify',
  'stats',
];

/** Names of all verbs, for completion and help. */
export function verbs(): string[] {
  return [...Object.keys(VERBS), ...STATEMENTS].sort();
}

export interface Statement {
  readonly command: Command;
  readonly arguments: readonly string[];
  readonly options: Readonly<Record<string, string | true>>;
}

/** Adds to a number; the command line has no need of it. */
export const INCREMENT: Command = {
  name: 'increment',
  group: '',
  summary: 'add to a number',
  arguments: [
    { name: 'path', text: 'where the number is; missing counts as 0' },
    { name: 'by', text: 'how much; default 1', isOptional: true },
  ],
  options: {},
  examples: [],
  access: 'write',
  load: async () => (await import('../commands/write.ts')).increment,
};

/** @throws {UsageError} */
export function statementOf([verb, ...rest]: readonly Word[]): Statement {
  const name = verb!.text.toLowerCase();
  const command = commandOf(VERBS[name] ?? name, verb!.text);
  const given: string[] = [];
  const options: Record<string, string | true> = {};
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at]!;
    const option = optionOf(command, word);
    if (option === undefined) {
      given.push(command.name === 'put' && given.length === 1 ? valueOfWord(word) : word.text);
      continue;
    }
    if (command.options[option]!.value === undefined) options[option] = true;
    else {
      const value = rest[++at];
      if (value === undefined) throw new UsageError(`${word.text} needs a value: ${command.options[option]!.text}`);
      options[option] = value.text;
    }
  }
  const missing = command.arguments.find(({ isOptional }, at) => isOptional !== true && at >= given.length);
  if (missing !== undefined) throw new UsageError(`${verb!.text}: ${missing.name} is missing: ${missing.text}`);
  if (command.arguments.at(-1)?.isRest !== true && given.length > command.arguments.length)
    throw new UsageError(
      `${verb!.text}: found ${JSON.stringify(given[command.arguments.length])} at its end, expected nothing more, or an option in capitals`,
    );
  return { command, arguments: given, options };
}

function commandOf(name: string, verb: string): Command {
  if (name === INCREMENT.name) return INCREMENT;
  const command = STATEMENTS.includes(name) ? COMMANDS.find((one) => one.name === name) : undefined;
  if (command !== undefined) return command;
  const isElsewhere = COMMANDS.some((one) => one.name === name);
  const near = nearest(verb.toLowerCase(), verbs());
  throw new UsageError(
    isElsewhere
      ? `${verb} is no statement of the shell`
      : `found ${JSON.stringify(verb)}, expected a statement${near === undefined ? '' : `: ${near.toUpperCase()}?`}`,
    isElsewhere ? `leave the shell: stele ${name}` : '.help lists them',
  );
}

/** `LIMIT`, `IF-VERSION` or `--limit`. */
function optionOf(command: Command, { text, kind }: Word): string | undefined {
  if (kind !== 'bare') return undefined;
  const name = text.startsWith('--') ? text.slice(2) : text === text.toUpperCase() ? text.toLowerCase() : undefined;
  if (name !== undefined && Object.hasOwn(command.options, name)) return name;
  if (text.startsWith('--')) throw new UsageError(`unknown option ${text} of ${command.name}`);
  return undefined;
}

/** JSON, as `put` takes it. */
function valueOfWord({ raw, text, kind }: Word): string {
  return kind === 'single' ? JSON.stringify(text) : raw;
}
