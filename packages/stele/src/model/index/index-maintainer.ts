/**
 * Secondary indexes of one subtree: all of them in one maintainer, so that a change is looked at once.
 *
 * A change of a leaf matters when the leaf is a place of a field (record.ts). Then the entries of the record before and after are
 * compared, and what differs is written. Nothing derived is read, so being told of a change of data that an index being built has not come
 * to yet is right too: the entries of the new state are put, and the builder will put them again.
 *
 * Unique: when all changes of the commit are made, every key that was put is looked at once more; two records that have it at one time refuse
 * the commit. So a commit may swap the values of two records.
 *
 * Specification: spec/policies.md, "Indexes".
 */

import { equalBytes } from '../../base/bytes.ts';
import { SteleError } from '../../base/errors.ts';
import type { Entry, KeyRange } from '../../txn/types.ts';
import type { BuildableMaintainer, DerivedWrites, LeafChange, MaintainerFactory, MaintainerRecord } from '../maintainer.ts';
import { decodePath, segmentEnd } from '../path/decode.ts';
import { formatPath } from '../path/text.ts';
import { behind } from '../place.ts';
import { readDefinition } from './definition.ts';
import {
  type DerivedEntry,
  decodeWindows,
  EntryMaker,
  encodeWindows,
  expiryOf,
  MANY_ENTRIES,
  NO_ENTRY,
  overlap,
  sameWindows,
} from './derived-entry.ts';
import { derivedHead, derivedRange } from './derived-key.ts';
import { fieldEnd, SCRATCH_BYTES } from './field-key.ts';
import { fieldsOf, IndexedRecord, type IndexSpec, PlaceTable, type RecordReader } from './record.ts';

export const INDEX_KIND = 'index';
export const INDEX_FORMAT = 1;
const NONE: readonly DerivedEntry[] = [];
const EMPTY = new Uint8Array(0);

export const indexFactory: MaintainerFactory = {
  kind: INDEX_KIND,
  format: INDEX_FORMAT,
  open: (prefix, records) => new IndexMaintainer(prefix, records),
};

export class IndexMaintainer implements BuildableMaintainer {
  readonly kind = INDEX_KIND;
  readonly prefix: Uint8Array;
  readonly indexes: readonly IndexSpec[];
  readonly #table = new PlaceTable();
  readonly #record: IndexedRecord;
  readonly #maker = new EntryMaker();
  /** Keys before and after a change. */
  readonly #old = new Uint8Array(SCRATCH_BYTES);
  readonly #next = new Uint8Array(SCRATCH_BYTES);

  constructor(prefix: Uint8Array, records: readonly MaintainerRecord[]) {
    this.prefix = prefix;
    const drafts = records.map(({ id, name, definition }) => {
      const kept = readDefinition(definition);
      return { id, name, isUnique: kept.unique, head: derivedHead(id), fields: fieldsOf(kept, this.#table) };
    });
    this.indexes = drafts.map((draft) => ({
      ...draft,
      uses: this.#table.paths.map((_, place) => draft.fields.some(({ places }) => places.includes(place))),
    }));
    this.#record = new IndexedRecord(this.#table);
  }

  derive(change: LeafChange, writes: DerivedWrites): void {
    const { key } = change;
    const prefixBytes = this.prefix.length;
    if (key.length === prefixBytes) return; // a value at the subtree itself is no record
    const recordBytes = segmentEnd(key, prefixBytes, key.length);
    const place = this.#table.find(key, recordBytes, key.length);
    if (place < 0) return;
    const record = this.#record;
    record.begin(key, recordBytes, prefixBytes, writes);
    for (let at = 0; at < this.indexes.length; at++) {
      const index = this.indexes[at]!;
      if (!index.uses[place]) continue;
      if (this.#deriveOnly(index, place, change, writes)) continue;
      record.set(place, change.before, change.beforeExpiresAt);
      const before = this.#entriesBefore(index);
      record.set(place, change.after, change.afterExpiresAt);
      this.#replace(index, before, this.#maker.entriesOf(index, record), writes);
    }
  }

  /** The short way: where nothing expires there is one entry at most. False when it does not go that way. */
  #deriveOnly(index: IndexSpec, place: number, change: LeafChange, writes: DerivedWrites): boolean {
    const record = this.#record;
    const old = this.#old;
    const next = this.#next;
    record.set(place, change.after, change.afterExpiresAt);
    const nextBytes = this.#maker.writeOnly(index, record, next);
    if (nextBytes === MANY_ENTRIES) return false;
    record.set(place, change.before, change.beforeExpiresAt);
    const oldBytes = this.#writeBefore(index, old);
    if (oldBytes === MANY_ENTRIES) return false;
    if (oldBytes === nextBytes && (oldBytes === NO_ENTRY || equalBytes(old, 0, oldBytes, next, 0, nextBytes))) return true;
    if (oldBytes !== NO_ENTRY) writes.delete(old.slice(0, oldBytes));
    if (nextBytes !== NO_ENTRY) this.#put(index, next.slice(0, nextBytes), EMPTY, 0, writes);
    return true;
  }

  #writeBefore(index: IndexSpec, out: Uint8Array): number {
    try {
      return this.#maker.writeOnly(index, this.#record, out);
    } catch (error) {
      if (error instanceof SteleError && error.code === 'INDEX_KEY_TOO_LONG') return NO_ENTRY;
      throw error;
    }
  }

  /** What is stored may be too long for an index that was declared later and is being built. */
  #entriesBefore(index: IndexSpec): readonly DerivedEntry[] {
    try {
      return this.#maker.entriesOf(index, this.#record);
    } catch (error) {
      if (error instanceof SteleError && error.code === 'INDEX_KEY_TOO_LONG') return NONE;
      throw error;
    }
  }

  #replace(index: IndexSpec, before: readonly DerivedEntry[], after: readonly DerivedEntry[], writes: DerivedWrites): void {
    for (const old of before) if (!after.some((entry) => sameKey(entry, old))) writes.delete(old.key);
    for (const entry of after) {
      const old = before.find((other) => sameKey(other, entry));
      if (old === undefined || !sameWindows(old.windows, entry.windows)) this.#putEntry(index, entry, writes);
    }
  }

  #putEntry(index: IndexSpec, entry: DerivedEntry, writes: DerivedWrites): void {
    this.#put(index, entry.key, encodeWindows(entry), expiryOf(entry), writes);
  }

  #put(index: IndexSpec, key: Uint8Array, value: Uint8Array, expiresAt: number, writes: DerivedWrites): void {
    writes.put(key, value, expiresAt);
    if (!index.isUnique) return;
    const fieldsBytes = fieldsEnd(index, key);
    writes.atCommit((now) => this.#checkUnique(index, key, fieldsBytes, now));
  }

  /** @throws {SteleError} `conflict` INDEX_UNIQUE */
  #checkUnique(index: IndexSpec, key: Uint8Array, fieldsBytes: number, writes: DerivedWrites): void {
    const start = key.slice(0, fieldsBytes);
    const rows: Entry[] = [...writes.scan({ start, end: behind(start) })];
    const own = rows.find((row) => sameKey(row, { key }));
    if (own === undefined) return; // the commit took it back
    const windows = decodeWindows(own.value, own.expiresAt ?? 0);
    for (const row of rows) {
      if (row === own || !overlap(windows, decodeWindows(row.value, row.expiresAt ?? 0), writes.timeMs)) continue;
      const path = this.#pathOf(key, fieldsBytes);
      const holder = this.#pathOf(row.key, fieldsBytes);
      throw new SteleError('conflict', 'INDEX_UNIQUE', `index ${JSON.stringify(index.name)}: ${path} has the key of ${holder}`, {
        detail: { index: index.name, path, holder },
      });
    }
  }

  #pathOf(key: Uint8Array, fieldsBytes: number): string {
    const recordKey = recordKeyOf(this.prefix, key, fieldsBytes);
    return formatPath(decodePath(recordKey, 0, recordKey.length));
  }

  derivedRanges(): readonly Required<KeyRange>[] {
    return this.indexes.map(({ id }) => derivedRange(id));
  }

  build(id: number, after: Uint8Array | undefined, recordsMax: number, writes: DerivedWrites): Uint8Array | undefined {
    const index = this.indexes.find((candidate) => candidate.id === id)!;
    const keys: Uint8Array[] = [];
    let start: Uint8Array | undefined = after ?? this.prefix;
    // All keys before the first write: a scan among own writes sorts them each time.
    while (start !== undefined && keys.length < recordsMax) {
      const key = this.#nextRecord(start, writes);
      if (key !== undefined) keys.push(key);
      start = key === undefined ? undefined : behind(key);
    }
    for (const key of keys) for (const entry of this.entriesOf(index, key, writes)) this.#putEntry(index, entry, writes);
    return start;
  }

  /** The key of the first record at or behind `start`. */
  #nextRecord(start: Uint8Array, reader: Pick<DerivedWrites, 'scan'>): Uint8Array | undefined {
    const prefixBytes = this.prefix.length;
    for (const { key } of reader.scan({ start, end: behind(this.prefix), limit: 2, values: false }))
      if (key.length > prefixBytes) return key.subarray(0, segmentEnd(key, prefixBytes, key.length));
    return undefined;
  }

  /** The entries a record ought to have. */
  entriesOf(index: IndexSpec, recordKey: Uint8Array, writes: RecordReader): readonly DerivedEntry[] {
    this.#record.begin(recordKey, recordKey.length, this.prefix.length, writes);
    return this.#maker.entriesOf(index, this.#record);
  }
}

/** Where the fields in the key of an entry end and the record's id begins. @throws {SteleError} `corrupt` KEY_DAMAGED */
export function fieldsEnd({ head, fields }: IndexSpec, key: Uint8Array): number {
  let at = head.length;
  for (let field = 0; field < fields.length; field++) at = fieldEnd(key, at, key.length);
  return at;
}

/** The key of the record that an entry stands for. */
export function recordKeyOf(prefix: Uint8Array, key: Uint8Array, fieldsBytes: number): Uint8Array {
  const recordKey = new Uint8Array(prefix.length + key.length - fieldsBytes);
  recordKey.set(prefix);
  recordKey.set(key.subarray(fieldsBytes), prefix.length);
  return recordKey;
}

function sameKey(a: { readonly key: Uint8Array }, b: { readonly key: Uint8Array }): boolean {
  return a.key.length === b.key.length && a.key.every((byte, at) => byte === b.key[at]);
}
