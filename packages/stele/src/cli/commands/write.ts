/**
 * Writing: `put` and `delete`. Each call is one commit, on the device when the command ends.
 */

import { readFileSync } from 'node:fs';
import { encodePath } from '../../model/path/encode.ts';
import { KEY_BYTES_MAX } from '../../model/path/layout.ts';
import { parsePath } from '../../model/path/text.ts';
import type { Commit, CommitOptions, PutOptions, Value } from '../../model/types.ts';
import { textOption, wholeNumber } from '../arguments.ts';
import type { Call, Io, Options } from '../command.ts';
import { EXIT_NO, EXIT_OK, UsageError } from '../failure.ts';
import { note, type Output } from '../output.ts';
import { timeText } from '../shapes.ts';
import { formatValue, parseValue } from '../value-json.ts';
import { parseDuration, parseWhen } from '../when.ts';

export async function put({ arguments: [text, given], options, io, out, session }: Call): Promise<number> {
  const path = parsePath(text!);
  // Before a database is made for it.
  if (options['tree'] !== true && options['merge'] !== true) encodePath(path, new Uint8Array(KEY_BYTES_MAX), 0);
  const value = await givenValue(given, options, io);
  const database = await session.database();
  // Not in the type: what is not built yet is refused by the database, with its reason.
  const worm = options['worm'] === true ? { worm: true } : {};
  const written = { ...commitOptions(options), ...lifetimeOf(options), ...worm };
  const commit =
    options['tree'] === true || options['merge'] === true
      ? await database.putTree(path, value, { ...written, merge: options['merge'] === true })
      : await database.put(path, value, { ...written, ...versionOf(options) });
  await tell(out, commit);
  return EXIT_OK;
}

export async function remove({ arguments: texts, options, io, out, session }: Call): Promise<number> {
  const paths = texts.map((text) => parsePath(text));
  const database = await session.database();
  const version = versionOf(options);
  const isTree = options['tree'] === true;
  if (isTree && version.ifVersion !== undefined) throw new UsageError('--tree and --if-version given, expected one of them');
  const before = database.version;
  const commit = await database.batch(
    paths.map((path) => (isTree ? { type: 'deleteTree', path } : { type: 'delete', path, ...version })),
    commitOptions(options),
  );
  await tell(out, commit);
  if (commit.version > before && commit.changed > 0) return EXIT_OK;
  note(io, `nothing was at ${texts.join(', ')}`);
  return EXIT_NO;
}

async function tell(out: Output, { version, time, changed, durability }: Commit): Promise<void> {
  const words = changed === 0 ? 'nothing changed' : `version ${version}, ${changed} ${changed === 1 ? 'entry' : 'entries'} changed`;
  await out.answer(out.paint(words, 'dim'), { version, time: timeText(time), changed, durability });
}

/** The value as it is given: JSON, or what the options say. @throws {UsageError} */
async function givenValue(given: string | undefined, options: Options, io: Io): Promise<Value> {
  const file = textOption(options, 'file');
  const isText = options['text'] === true;
  const isBytes = options['bytes'] === true;
  if (isText && isBytes) throw new UsageError('--text and --bytes given, expected one of them');
  if (given !== undefined && file !== undefined) throw new UsageError('a value and --file given, expected one of them');
  if (given === undefined && file === undefined)
    throw new UsageError('put: VALUE is missing: JSON, - for the standard input, or --file FILE', 'stele put --help');
  if (given !== undefined && given !== '-' && isBytes)
    throw new UsageError('--bytes: expected them from --file FILE, or - for the standard input');
  const bytes = file !== undefined ? readFileSync(file) : given === '-' ? await readAll(io) : undefined;
  if (isBytes) return new Uint8Array(bytes!);
  const text = bytes === undefined ? given! : utf8Of(bytes);
  if (isText) return text;
  try {
    return parseValue(text);
  } catch (error) {
    // Who began an object or a list did not mean text.
    const isJson = /^\s*[[{"]/.test(text);
    const isRead = given === undefined || given === '-';
    const hint = isJson
      ? undefined
      : isRead
        ? '--text takes it as text, --bytes as bytes'
        : `for text: stele put PATH --text ${quoted(given)}`;
    throw new UsageError((error as Error).message, hint);
  }
}

function utf8Of(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UsageError('what was read is no UTF-8 text', '--bytes takes it as bytes');
  }
}

function quoted(text: string): string {
  const short = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return /^[\w./:@+-]+$/.test(short) ? short : `'${short.replaceAll("'", "'\\''")}'`;
}

async function readAll({ stdin }: Io): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
  return Buffer.concat(chunks);
}

export function commitOptions(options: Options): CommitOptions {
  const asserted = textOption(options, 'asserted');
  const when = asserted === undefined ? undefined : parseWhen(asserted, Date.now());
  if (when !== undefined && !(when instanceof Date)) throw new UsageError('--asserted: expected a time such as 2026-11-20T10:00');
  const text = (name: 'actor' | 'reason' | 'once'): Partial<Record<typeof name, string>> => {
    const given = textOption(options, name);
    return given === undefined ? {} : { [name]: given };
  };
  return { ...text('actor'), ...text('reason'), ...text('once'), ...(when === undefined ? {} : { assertedTime: when }) };
}

function versionOf(options: Options): { readonly ifVersion?: number } {
  const ifVersion = wholeNumber(options, 'if-version');
  return ifVersion === undefined ? {} : { ifVersion };
}

function lifetimeOf(options: Options): Pick<PutOptions, 'ttl' | 'expiresAt'> {
  const ttl = textOption(options, 'ttl');
  const expires = textOption(options, 'expires-at');
  const when = expires === undefined ? undefined : parseWhen(expires, Date.now());
  if (when !== undefined && !(when instanceof Date)) throw new UsageError('--expires-at: expected a time such as 2026-11-20T10:00');
  return { ...(ttl === undefined ? {} : { ttl: parseDuration('--ttl', ttl) }), ...(when === undefined ? {} : { expiresAt: when }) };
}

/** Of the shell: `INCR path [by]`. */
export async function increment({ arguments: [text, by = '1'], out, session }: Call): Promise<number> {
  const path = parsePath(text!);
  if (!/^-?\d+(?:\.\d+)?$/.test(by)) throw new UsageError(`found ${JSON.stringify(by)}, expected how much to add: a number`);
  const delta = Number(by);
  const database = await session.database();
  const value = await database.increment(path, Number.isSafeInteger(delta) || by.includes('.') ? delta : BigInt(by));
  await out.line(formatValue(value));
  return EXIT_OK;
}
