/**
 * A history in JSON lines into the database: each line an object, each one commit.
 *
 *   <at>/<id>       the object; a later line of the same id is its next version. Without an id: <at>/<number of the line>, from 1
 *   import/<name>   where the import stopped, written in the same commit: { lines, next, isEnded, start, bytes, digest }
 *
 * Which fields hold the id, the time, the actor and the reason is said by the caller, or guessed from the first lines (`guessFields`).
 *
 * Invariants
 * - Asked again, it goes on behind the last line that is here, killed in between or not; lines that were added come in.
 * - The last line that was read must still be where it was; else SOURCE_CHANGED, and nothing is written.
 * - A line that is no object stops the import there, or is counted and left out (`skipBad`). A last line without a newline that is no
 *   object is left for the next time: somebody may be writing it.
 *
 * Limits: 32 MiB a line. Times: ISO 8601 text, or numbers: below 10^11 seconds, else milliseconds since the epoch.
 */

import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { SteleError } from '../../base/errors.ts';
import { parsePath } from '../../model/path/text.ts';
import type { Bucket, Path, Segment, Value } from '../../model/types.ts';
import { assertable, cut } from './commits.ts';
import { type Line, parseLine, readLines } from './lines.ts';
import { Pipeline } from './pipeline.ts';

/** Which field of a line says what. A dot goes into an object: `user.name`. */
export interface Fields {
  readonly id?: string | undefined;
  readonly time?: string | undefined;
  readonly actor?: string | undefined;
  readonly reason?: string | undefined;
}

export interface JsonLinesOptions extends Fields {
  /** Under which the import remembers where it stopped. Default: the name of the file without its ending. */
  readonly name?: string;
  /** Where the objects go. Default: the name. */
  readonly at?: Path;
  /** Leave lines out that are no objects, and count them. Default false: stop there. */
  readonly skipBad?: boolean;
  readonly signal?: AbortSignal;
  readonly progress?: (lines: number, bytes: number, totalBytes: number) => void;
}

export interface JsonLinesImport {
  readonly name: string;
  readonly at: readonly Segment[];
  /** Lines that were here before. */
  readonly before: number;
  lines: number;
  skipped: number;
  withoutId: number;
  withoutTime: number;
  withoutActor: number;
  /** Lines that assert an earlier time than a line before them: AS OF, they count from the later one on. */
  backwards: number;
  /** The last line has no newline and is no object yet. */
  isUnfinished: boolean;
}

interface Cursor {
  /** Lines that were read. */
  readonly lines: number;
  /** Byte at which the next line begins. */
  readonly next: number;
  /** False: the last line had no newline yet. */
  readonly isEnded: boolean;
  /** Where the last line lies, and its SHA-256. */
  readonly start: number;
  readonly bytes: number;
  readonly digest: string;
}

const SECONDS_BELOW = 1e11;
const ACTOR_BYTES_MAX = 256;
const REASON_BYTES_MAX = 4096;
const GUESS_LINES = 20;

const CANDIDATES: Readonly<Record<keyof Fields, readonly string[]>> = {
  id: ['id', 'key', 'task', 'issue_id', 'uuid', '_id'],
  time: ['time', 'at', 'ts', 'timestamp', 'created_at', 'date', 'datetime', '@timestamp'],
  actor: ['actor', 'user', 'author', 'by', 'who', 'created_by'],
  reason: ['reason', 'type', 'event', 'event_type', 'action', 'message'],
};

/** The first candidate that each of the first lines has; undefined where there is none. */
export async function guessFields(file: string): Promise<Fields> {
  const first: Readonly<Record<string, unknown>>[] = [];
  for await (const line of readLines(file)) {
    if (line.bytes.length > 0) first.push(parseLine(file, first.length + 1, line));
    if (first.length === GUESS_LINES) break;
  }
  const guess = (kind: keyof Fields, fits: (value: unknown) => boolean): string | undefined =>
    CANDIDATES[kind].find((name) => first.length > 0 && first.every((line) => fits(line[name])));
  const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
  return {
    id: guess('id', (value) => segmentOf(value) !== undefined),
    time: guess('time', (value) => timeOf(value) !== undefined),
    actor: guess('actor', isText),
    reason: guess('reason', isText),
  };
}

/**
 * Imports the lines that are not here yet. Durability is that of the database: open it with `async` for speed, and `sync` at the end.
 *
 * @throws {SteleError} `invalid` NOT_FOUND, SOURCE_INVALID, SOURCE_CHANGED; `closed` CANCELLED
 */
export async function importJsonLines(into: Bucket, file: string, options: JsonLinesOptions = {}): Promise<JsonLinesImport> {
  const { signal, progress, skipBad = false } = options;
  const name = options.name ?? basename(file, extname(file));
  const at = typeof options.at === 'string' ? parsePath(options.at) : (options.at ?? [name]);
  const totalBytes = sizeOf(file);
  const cursor = into.get<Cursor>(['import', name]);
  const start = cursor === undefined ? 0 : nextOf(file, cursor, totalBytes);
  const before = cursor?.lines ?? 0;
  const done = { name, at, before, lines: 0, skipped: 0, withoutId: 0, withoutTime: 0, withoutActor: 0, backwards: 0, isUnfinished: false };
  const pipeline = new Pipeline();
  let latest = Number.NEGATIVE_INFINITY;
  let number = before;
  try {
    for await (const line of readLines(file, start)) {
      if (signal?.aborted === true) break;
      let record: Readonly<Record<string, unknown>>;
      try {
        number++;
        if (line.bytes.length === 0) continue;
        record = parseLine(file, number, line);
      } catch (error) {
        if (!line.isEnded) {
          done.isUnfinished = true;
          break;
        }
        if (!skipBad) throw error;
        done.skipped++;
        continue;
      }
      const id = segmentOf(fieldOf(record, options.id));
      const time = timeOf(fieldOf(record, options.time));
      const actor = textOf(fieldOf(record, options.actor), ACTOR_BYTES_MAX);
      const reason = textOf(fieldOf(record, options.reason), REASON_BYTES_MAX);
      if (id === undefined) done.withoutId++;
      if (time === undefined) done.withoutTime++;
      else if (time < latest) done.backwards++;
      else latest = time;
      if (actor === undefined) done.withoutActor++;
      const commit = into.batch(
        [
          { type: 'put', path: [...at, id ?? number], value: record as Value & object },
          { type: 'put', path: ['import', name], value: cursorAt(line, number) },
        ],
        {
          ...(time === undefined ? {} : { assertedTime: assertable(time) }),
          ...(actor === undefined ? {} : { actor }),
          ...(reason === undefined ? {} : { reason }),
        },
      );
      await pipeline.push(commit, line.bytes.length);
      done.lines++;
      progress?.(number, line.end, totalBytes);
    }
  } finally {
    await pipeline.drain();
  }
  if (signal?.aborted === true)
    throw new SteleError('closed', 'CANCELLED', `the import of ${file} was stopped after line ${number}`, { cause: signal.reason });
  return done;
}

function cursorAt({ bytes, start, end, isEnded }: Line, lines: number): Cursor {
  return { lines, next: end, isEnded, start, bytes: bytes.length, digest: digestOf(bytes) };
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Where to go on in a file whose last imported line is still there. @throws {SteleError} `invalid` SOURCE_CHANGED */
function nextOf(file: string, { lines, next, isEnded, start, bytes, digest }: Cursor, size: number): number {
  const changed = (why: string): SteleError =>
    new SteleError(
      'invalid',
      'SOURCE_CHANGED',
      `${file} is not what was imported before: ${why}. Import it under another name, or into another directory`,
      { detail: { file, line: lines } },
    );
  if (size < next) throw changed(`${lines} lines of it are here, ${next} bytes, and it has ${size}`);
  const last = new Uint8Array(bytes + 2);
  const fd = openSync(file, 'r');
  try {
    const read = readSync(fd, last, 0, last.length, start);
    if (digestOf(last.subarray(0, bytes)) !== digest) throw changed(`line ${lines} was another`);
    if (isEnded || size === next) return next;
    // The newline that was missing; anything else makes another line of it.
    const behind = new TextDecoder('latin1').decode(last.subarray(bytes, read));
    if (behind.startsWith('\n')) return next + 1;
    if (behind === '\r\n') return next + 2;
    throw changed(`line ${lines} went on`);
  } finally {
    closeSync(fd);
  }
}

function sizeOf(file: string): number {
  try {
    const found = statSync(file);
    if (found.isFile()) return found.size;
  } catch (error) {
    throw new SteleError('invalid', 'NOT_FOUND', `${file} is not there`, { detail: { file }, cause: error });
  }
  throw new SteleError('invalid', 'SOURCE_INVALID', `${file} is no file`, { detail: { file } });
}

function fieldOf(record: Readonly<Record<string, unknown>>, field: string | undefined): unknown {
  if (field === undefined) return undefined;
  if (Object.hasOwn(record, field)) return record[field];
  let found: unknown = record;
  for (const name of field.split('.')) {
    if (found === null || typeof found !== 'object' || !Object.hasOwn(found, name)) return undefined;
    found = (found as Record<string, unknown>)[name];
  }
  return found;
}

function segmentOf(value: unknown): string | number | undefined {
  if (typeof value === 'string') return value !== '' && value.isWellFormed() ? value : undefined;
  return typeof value === 'number' && (Number.isSafeInteger(value) || !Number.isInteger(value)) ? value : undefined;
}

/** Milliseconds since the epoch. */
export function timeOf(value: unknown): number | undefined {
  const ms =
    typeof value === 'number' ? (value < SECONDS_BELOW ? value * 1000 : value) : typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isFinite(ms) ? ms : undefined;
}

function textOf(value: unknown, bytesMax: number): string | undefined {
  if (typeof value !== 'string') return undefined;
  const text = cut(value, bytesMax);
  return text === '' ? undefined : text;
}
