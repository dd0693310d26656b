/**
 * From a record to its entries in an index.
 *
 *   key     03, id as a varint, each field as in field-key.ts, the record's id as a segment
 *   value   empty: the record has these fields until the entry expires, or for ever when it does not
 *           else windows: u48 LE from, u48 LE until, for each, ascending; until 0 = for ever. The record has these fields in them only.
 *
 * Fields may come and go without a write: when a leaf expires, a value above it may be seen again. So the entries are made for the whole
 * time to come: the expiries of a record's values cut it into windows, in each of which the fields are constant. An entry expires
 * with its last window.
 *
 * Invariants
 * - Without expiries there is one entry at most, and its value is empty.
 * - At every time from now on exactly the entries with a window around it say what the record has.
 *
 * Specification: spec/policies.md, "Entries of an index".
 */

import { equalBytes, readU48, writeU48 } from '../../base/bytes.ts';
import { SteleError } from '../../base/errors.ts';
import { decodePath } from '../path/decode.ts';
import { formatPath } from '../path/text.ts';
import type { FieldSpec } from './definition.ts';
import { INDEX_KEY_BYTES_MAX, NOT_INDEXABLE, SCRATCH_BYTES, TOO_LONG, writeField } from './field-key.ts';
import { findMember, type MemberCursor } from './member.ts';
import type { IndexedRecord, IndexSpec } from './record.ts';

export interface DerivedEntry {
  readonly key: Uint8Array;
  /** Pairs of from and until, ms; from 0 = now, until 0 = for ever. */
  readonly windows: number[];
}

const WINDOW_BYTES = 12;
const EMPTY = new Uint8Array(0);

/** {@link EntryMaker.writeOnly}: the record is not in the index. */
export const NO_ENTRY = -1;
/** The record's values expire: there may be more than one entry. */
export const MANY_ENTRIES = -2;

export class EntryMaker {
  readonly #scratch = new Uint8Array(SCRATCH_BYTES);
  readonly #cursor: MemberCursor = { tag: 0, start: 0, end: 0 };

  /**
   * The short way, for a record without expiries: writes the key of its only entry, which lasts for ever, and gives its length, or
   * {@link NO_ENTRY}, {@link MANY_ENTRIES}. Allocates nothing.
   *
   * @throws {SteleError} `invalid` INDEX_KEY_TOO_LONG
   */
  writeOnly(index: IndexSpec, record: IndexedRecord, out: Uint8Array): number {
    const { head, fields } = index;
    let at = 0;
    while (at < head.length) out[at] = head[at++]!;
    let isTooLong = false;
    for (let field = 0; field < fields.length; field++) {
      const { spec, places } = fields[field]!;
      let source = 0;
      while (source < places.length && record.valueAt(places[source]!) === undefined) source++;
      if (source === places.length) return NO_ENTRY;
      if (record.expiryAt(places[source]!) !== 0) return MANY_ENTRIES;
      const end = this.#writeField(record, spec, source, places, out, at);
      if (end === NOT_INDEXABLE) return NO_ENTRY;
      // Without a key that is too long if a further field is missing.
      if (end === TOO_LONG) isTooLong = true;
      else at = end;
    }
    if (isTooLong) throw tooLong(index, record);
    return this.#writeId(index, record, out, at);
  }

  /**
   * The entries of the record in the index.
   *
   * @throws {SteleError} `invalid` INDEX_KEY_TOO_LONG
   */
  entriesOf(index: IndexSpec, record: IndexedRecord): readonly DerivedEntry[] {
    const cuts = cutsOf(index, record);
    const entries: DerivedEntry[] = [];
    let from = 0;
    for (let at = 0; at <= cuts.length; at++) {
      const until = at < cuts.length ? cuts[at]! : 0;
      const key = this.#keyAt(index, record, from === 0 ? record.timeMs : from);
      if (key !== undefined) addWindow(entries, key, from, until);
      from = until;
    }
    return entries;
  }

  /** The key of the record at a time, undefined when it is not in the index then. */
  #keyAt(index: IndexSpec, record: IndexedRecord, timeMs: number): Uint8Array | undefined {
    const scratch = this.#scratch;
    scratch.set(index.head);
    let at = index.head.length;
    let isTooLong = false;
    for (const { spec, places } of index.fields) {
      const source = sourceAt(record, places, timeMs);
      if (source < 0) return undefined;
      const end = this.#writeField(record, spec, source, places, scratch, at);
      if (end === NOT_INDEXABLE) return undefined;
      if (end === TOO_LONG) isTooLong = true;
      else at = end;
    }
    if (isTooLong) throw tooLong(index, record);
    return scratch.slice(0, this.#writeId(index, record, scratch, at));
  }

  /** Writes a field that comes from `places[source]`; gives the end, or {@link NOT_INDEXABLE} when it is none, {@link TOO_LONG}. */
  #writeField(record: IndexedRecord, { steps }: FieldSpec, source: number, places: readonly number[], out: Uint8Array, at: number): number {
    const value = record.valueAt(places[source]!)!;
    // The record is the last place; a value so many places below it has as many steps less to go.
    if (!findMember(value, steps, places.length - 1 - source, this.#cursor)) return NOT_INDEXABLE;
    const end = writeField(value, this.#cursor, out, at);
    return end > INDEX_KEY_BYTES_MAX ? TOO_LONG : end;
  }

  #writeId(index: IndexSpec, record: IndexedRecord, out: Uint8Array, at: number): number {
    const end = record.writeId(out, at);
    if (end > INDEX_KEY_BYTES_MAX) throw tooLong(index, record);
    return end;
  }
}

/** The first of the places that is live at a time, or −1. */
function sourceAt(record: IndexedRecord, places: readonly number[], timeMs: number): number {
  for (let source = 0; source < places.length; source++) {
    if (record.valueAt(places[source]!) === undefined) continue;
    const expiresAt = record.expiryAt(places[source]!);
    if (expiresAt === 0 || expiresAt > timeMs) return source;
  }
  return -1;
}

/** Times at which a field may become another one, ascending. */
function cutsOf({ fields }: IndexSpec, record: IndexedRecord): readonly number[] {
  let cuts: number[] | undefined;
  for (const { places } of fields) {
    for (const place of places) {
      if (record.valueAt(place) === undefined) continue;
      const expiresAt = record.expiryAt(place);
      if (expiresAt === 0) break;
      cuts ??= [];
      if (!cuts.includes(expiresAt)) cuts.push(expiresAt);
    }
  }
  return cuts === undefined ? [] : cuts.sort((a, b) => a - b);
}

function addWindow(entries: DerivedEntry[], key: Uint8Array, from: number, until: number): void {
  const entry = entries.find((other) => equalBytes(other.key, 0, other.key.length, key, 0, key.length));
  if (entry === undefined) entries.push({ key, windows: [from, until] });
  else if (entry.windows.at(-1) === from) entry.windows[entry.windows.length - 1] = until;
  else entry.windows.push(from, until);
}

export function sameWindows(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((time, at) => time === b[at]);
}

/** When the entry expires, 0 = never. */
export function expiryOf({ windows }: DerivedEntry): number {
  return windows.at(-1)!;
}

export function encodeWindows({ windows }: DerivedEntry): Uint8Array {
  if (windows.length === 2 && windows[0] === 0) return EMPTY;
  const bytes = new Uint8Array((windows.length / 2) * WINDOW_BYTES);
  windows.forEach((time, at) => {
    writeU48(bytes, (at * WINDOW_BYTES) / 2, time);
  });
  return bytes;
}

/** The windows of a stored entry. @throws {SteleError} `corrupt` POLICY_DAMAGED */
export function decodeWindows(value: Uint8Array, expiresAt: number): number[] {
  if (value.length === 0) return [0, expiresAt];
  if (value.length % WINDOW_BYTES !== 0)
    throw new SteleError('corrupt', 'POLICY_DAMAGED', `an entry of an index has a value of ${value.length} bytes`);
  return Array.from({ length: value.length / 6 }, (_, at) => readU48(value, at * 6));
}

/** Is the time in one of the windows? */
export function isWithin(windows: readonly number[], timeMs: number): boolean {
  for (let at = 0; at < windows.length; at += 2)
    if (timeMs >= windows[at]! && (windows[at + 1] === 0 || timeMs < windows[at + 1]!)) return true;
  return false;
}

/** Is there a time from `timeMs` on that lies in windows of both? */
export function overlap(a: readonly number[], b: readonly number[], timeMs: number): boolean {
  for (let i = 0; i < a.length; i += 2)
    for (let k = 0; k < b.length; k += 2) {
      const from = Math.max(a[i]!, b[k]!, timeMs);
      if ((a[i + 1] === 0 || from < a[i + 1]!) && (b[k + 1] === 0 || from < b[k + 1]!)) return true;
    }
  return false;
}

function tooLong(index: IndexSpec, record: IndexedRecord): SteleError {
  const path = formatPath(decodePath(record.key, 0, record.key.length));
  return new SteleError(
    'invalid',
    'INDEX_KEY_TOO_LONG',
    `index ${JSON.stringify(index.name)}: the fields of ${path} with its id take more than ${INDEX_KEY_BYTES_MAX} bytes`,
    { detail: { index: index.name, path } },
  );
}
