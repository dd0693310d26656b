/**
 * One record as the indexes of its subtree see it: the stored values that its fields may come from.
 *
 * The *places* of a field are the field's own path and every path above it up to the record. The value of the field is the leaf at the
 * field if there is one, else the member that the nearest stored value above it has at the rest of the path. So what decides is the
 * deepest place that is live; what is below the field plays no part.
 *
 * Invariants
 * - A place is read at most once for a record, and only when a field needs it.
 * - What was set for a place is taken instead of what is stored.
 *
 * Specification: spec/policies.md, "What a field is".
 */

import { equalBytes } from '../../base/bytes.ts';
import type { DerivedWrites } from '../maintainer.ts';
import { type FieldSpec, fieldSpec, type KeptDefinition } from './definition.ts';

/** What a record is read from. */
export type RecordReader = Pick<DerivedWrites, 'timeMs' | 'entry'>;

export interface Field {
  readonly spec: FieldSpec;
  /** Places it may come from, the field itself first, the record last. */
  readonly places: readonly number[];
}

/** An index ready for use. */
export interface IndexSpec {
  readonly id: number;
  readonly name: string;
  readonly isUnique: boolean;
  /** First bytes of its keys. */
  readonly head: Uint8Array;
  readonly fields: readonly Field[];
  /** One for each place of the table: does a field come from there? */
  readonly uses: readonly boolean[];
}

/** The different places of all indexes of a subtree, as relative keys. */
export class PlaceTable {
  readonly paths: Uint8Array[] = [];

  /** The place of `path[0, end)`, which may be new. */
  add(path: Uint8Array, end: number): number {
    const known = this.find(path, 0, end);
    return known >= 0 ? known : this.paths.push(path.slice(0, end)) - 1;
  }

  /** The place of `key[start, end)`, or −1. */
  find(key: Uint8Array, start: number, end: number): number {
    const { paths } = this;
    for (let place = 0; place < paths.length; place++)
      if (equalBytes(paths[place]!, 0, paths[place]!.length, key, start, end)) return place;
    return -1;
  }
}

export function fieldsOf(definition: KeptDefinition, table: PlaceTable): Field[] {
  return definition.fields.map((path) => {
    const spec = fieldSpec(path);
    return { spec, places: spec.ends.map((end) => table.add(path, end)).reverse() };
  });
}

const UNKNOWN = 0;
const READ = 1;

export class IndexedRecord {
  readonly #table: PlaceTable;
  readonly #states: Uint8Array;
  readonly #values: (Uint8Array | undefined)[];
  readonly #expiries: number[];
  readonly #key: Uint8Array = new Uint8Array(4096);
  #keyBytes = 0;
  #prefixBytes = 0;
  #reader!: RecordReader;

  constructor(table: PlaceTable) {
    this.#table = table;
    this.#states = new Uint8Array(table.paths.length);
    this.#values = table.paths.map(() => undefined);
    this.#expiries = table.paths.map(() => 0);
  }

  /** Another record: that of `key[0, keyBytes)`, whose last segment, behind the prefix, is its id. */
  begin(key: Uint8Array, keyBytes: number, prefixBytes: number, reader: RecordReader): void {
    for (let at = 0; at < keyBytes; at++) this.#key[at] = key[at]!;
    this.#keyBytes = keyBytes;
    this.#prefixBytes = prefixBytes;
    this.#reader = reader;
    this.#states.fill(UNKNOWN);
  }

  get timeMs(): number {
    return this.#reader.timeMs;
  }

  /** The record's own key, a copy. */
  get key(): Uint8Array {
    return this.#key.slice(0, this.#keyBytes);
  }

  /** Writes the segment that is the record's id; gives the end. */
  writeId(out: Uint8Array, at: number): number {
    for (let from = this.#prefixBytes; from < this.#keyBytes; from++) out[at++] = this.#key[from]!;
    return at;
  }

  /** States what lies at a place. What has expired is not there. */
  set(place: number, value: Uint8Array | undefined, expiresAt: number): void {
    const isLive = value !== undefined && (expiresAt === 0 || expiresAt > this.timeMs);
    this.#states[place] = READ;
    this.#values[place] = isLive ? value : undefined;
    // As the engine rounds.
    this.#expiries[place] = isLive ? Math.ceil(expiresAt) : 0;
  }

  /** The value at a place, undefined when there is none. */
  valueAt(place: number): Uint8Array | undefined {
    if (this.#states[place] === UNKNOWN) this.#read(place);
    return this.#values[place];
  }

  /** Of a place whose value was asked for. 0 = never. */
  expiryAt(place: number): number {
    return this.#expiries[place]!;
  }

  #read(place: number): void {
    const path = this.#table.paths[place]!;
    const key = this.#key;
    let end = this.#keyBytes;
    for (let at = 0; at < path.length; at++) key[end++] = path[at]!;
    const entry = this.#reader.entry(key.subarray(0, end));
    this.set(place, entry?.value, entry?.expiresAt ?? 0);
  }
}
