/**
 * From the words of a command line to a command, its arguments and its options, by the table of commands.
 *
 *   stele [options] COMMAND [arguments and options in any order] [-- arguments that begin with a dash]
 *   stele [options] as-of WHEN COMMAND …
 *
 * Every mistake is a UsageError that says what was found and what is expected.
 */

import { type ParseArgsOptionDescriptor, parseArgs } from 'node:util';
import type { Command, OptionSpec, Options } from './command.ts';
import { UsageError } from './failure.ts';

/** Options that every command takes. */
export const COMMON_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  db: { value: 'dir', text: 'the database; default $STELE_DB, else ./data' },
  mode: { value: 'mode', short: 'm', text: 'table, json or ndjson; default table on a terminal, else ndjson' },
  json: { text: 'the same as --mode json' },
  wait: { value: 'time', text: 'how long to wait for another process to end, such as 10s; default 1s' },
  'no-color': { text: 'no colour; also by the variable NO_COLOR' },
  help: { short: 'h', text: 'what the command does, with examples' },
};

export interface Words {
  readonly name: string | undefined;
  /** Everything but the name. */
  readonly rest: readonly string[];
}

/** Takes the first word that is no option: of the common options some have a value. */
export function takeWord(words: readonly string[]): Words {
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === '--') break;
    if (!word.startsWith('-') || word === '-') return { name: word, rest: [...words.slice(0, at), ...words.slice(at + 1)] };
    const option = word.startsWith('--')
      ? COMMON_OPTIONS[word.slice(2)]
      : Object.values(COMMON_OPTIONS).find(({ short }) => word === `-${short}`);
    if (option?.value !== undefined) at++;
  }
  return { name: undefined, rest: words };
}

export interface ParsedWords {
  readonly arguments: readonly string[];
  readonly options: Options;
}

/** @throws {UsageError} */
export function parseWords(command: Pick<Command, 'name' | 'arguments' | 'options'>, words: readonly string[]): ParsedWords {
  const specs = { ...command.options, ...COMMON_OPTIONS };
  const options: Record<string, ParseArgsOptionDescriptor> = {};
  for (const [name, { value, short }] of Object.entries(specs))
    options[name] = { type: value === undefined ? 'boolean' : 'string', ...(short === undefined ? {} : { short }) };
  const hint = `stele ${command.name} --help`;
  try {
    const { values, positionals } = parseArgs({ args: [...words], options, allowPositionals: true, strict: true });
    return { arguments: checkArguments(command, positionals, values['help'] === true), options: values as Options };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(worded(error instanceof Error ? error.message : String(error), specs), hint);
  }
}

function checkArguments(
  { name, arguments: specs }: Pick<Command, 'name' | 'arguments'>,
  given: readonly string[],
  isHelp: boolean,
): readonly string[] {
  if (isHelp) return given;
  const hint = `stele ${name} --help`;
  const missing = specs.find(({ isOptional }, at) => isOptional !== true && at >= given.length);
  if (missing !== undefined) throw new UsageError(`${name}: ${missing.name.toUpperCase()} is missing: ${missing.text}`, hint);
  const isOpen = specs.at(-1)?.isRest === true;
  if (!isOpen && given.length > specs.length)
    throw new UsageError(
      `${name}: found ${JSON.stringify(given[specs.length])}, expected ${specs.length === 0 ? 'no arguments' : `nothing behind ${specs.at(-1)!.name.toUpperCase()}`}`,
      hint,
    );
  return given;
}

/** Node's message, in our words. */
function worded(message: string, specs: Readonly<Record<string, OptionSpec>>): string {
  const unknown = /^Unknown option '(?<option>[^']+)'/.exec(message)?.groups?.['option'];
  if (unknown !== undefined) {
    const near = nearest(unknown.replace(/^-+/, ''), Object.keys(specs));
    return `unknown option ${unknown}${near === undefined ? '' : `, did you mean --${near}?`}`;
  }
  const bare = /^Option '(?:-., )?(?<option>--[^ ']+)[^']*' (?<what>argument missing|does not take an argument|argument is ambiguous)/.exec(
    message,
  )?.groups;
  if (bare !== undefined) {
    const option = bare['option']!;
    if (bare['what'] === 'argument missing') return `${option} needs a value: ${specs[option.slice(2)]?.text ?? ''}`;
    if (bare['what'] === 'argument is ambiguous') return `${option} is followed by what looks like an option: write ${option}=VALUE`;
    return `${option} takes no value`;
  }
  return message.split('\n')[0]!;
}

/** The name that is meant, when one is close. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const name of names) {
    const distance = name.startsWith(word) && word.length > 1 ? 1 : editDistance(word, name);
    if (distance < least) {
      least = distance;
      best = name;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}

/** A whole number of an option. @throws {UsageError} */
export function wholeNumber(options: Options, name: string, min = 0): number | undefined {
  const given = options[name];
  if (given === undefined) return undefined;
  const value = Number(given);
  if (typeof given !== 'string' || !/^\d+$/.test(given) || !Number.isSafeInteger(value) || value < min)
    throw new UsageError(`--${name}: found ${JSON.stringify(given)}, expected a whole number from ${min}`);
  return value;
}

export function textOption(options: Options, name: string): string | undefined {
  const given = options[name];
  return typeof given === 'string' ? given : undefined;
}
