/**
 * The naive model of indexed data: a map of leaves with expiries, and lookups that read all of it.
 *
 * Nothing of the code under test is used but the text of paths. A record's field is the leaf at the field if it lives, else the member of the
 * nearest living value above it; a record is in the index when every field is there and can be ordered.
 */

import type { Segment, Value } from '../../src/model/types.ts';

export interface NaiveLeaf {
  readonly path: readonly Segment[];
  readonly value: Value;
  /** ms, 0 = never. */
  readonly expiresAt: number;
}

export interface NaiveIndex {
  readonly fields: readonly (readonly Segment[])[];
  readonly unique: boolean;
}

export interface NaiveRow {
  readonly id: Segment;
  readonly key: readonly Value[];
}

/** Leaves by a text of their path that no other path has. */
export class NaiveTree {
  readonly leaves: Map<string, NaiveLeaf>;

  constructor(leaves: Iterable<readonly [string, NaiveLeaf]> = []) {
    this.leaves = new Map(leaves);
  }

  copy(): NaiveTree {
    return new NaiveTree(this.leaves);
  }

  get(path: readonly Segment[], timeMs: number): NaiveLeaf | undefined {
    const leaf = this.leaves.get(nameOf(path));
    return leaf === undefined || (leaf.expiresAt !== 0 && leaf.expiresAt <= timeMs) ? undefined : leaf;
  }

  put(path: readonly Segment[], value: Value, expiresAt: number): void {
    this.leaves.set(nameOf(path), { path, value, expiresAt });
  }

  delete(path: readonly Segment[]): void {
    this.leaves.delete(nameOf(path));
  }

  deleteTree(prefix: readonly Segment[]): void {
    for (const [name, { path }] of this.leaves) if (isBelow(path, prefix)) this.leaves.delete(name);
  }

  /** The rows of an index below `prefix` at a time, in its order. */
  rows(prefix: readonly Segment[], index: NaiveIndex, timeMs: number): NaiveRow[] {
    const ids = new Map<string, Segment>();
    for (const { path } of this.leaves.values())
      if (path.length > prefix.length && isBelow(path, prefix)) ids.set(nameOf([path[prefix.length]!]), path[prefix.length]!);
    const rows: NaiveRow[] = [];
    for (const id of ids.values()) {
      const key = index.fields.map((field) => this.#field([...prefix, id], field, timeMs));
      if (key.every((value) => value !== undefined)) rows.push({ id, key: key as Value[] });
    }
    return rows.sort((a, b) => compareKeys(a.key, b.key) || compareKeys([a.id as Value], [b.id as Value]));
  }

  #field(record: readonly Segment[], field: readonly Segment[], timeMs: number): Value | undefined {
    for (let depth = field.length; depth >= 0; depth--) {
      const leaf = this.get([...record, ...field.slice(0, depth)], timeMs);
      if (leaf === undefined) continue;
      const value = field.slice(depth).reduce<Value | undefined>(member, leaf.value);
      return rank(value) < 0 ? undefined : value;
    }
    return undefined;
  }

  /** Would two records have one key, now or when something expires? */
  breaksUnique(prefix: readonly Segment[], index: NaiveIndex, timeMs: number): boolean {
    const times = [timeMs, ...[...this.leaves.values()].map(({ expiresAt }) => expiresAt).filter((at) => at > timeMs)];
    return times.some((time) => {
      const rows = this.rows(prefix, index, time);
      return rows.some((row, at) => at > 0 && compareKeys(row.key, rows[at - 1]!.key) === 0);
    });
  }
}

function member(value: Value | undefined, segment: Segment): Value | undefined {
  if (Array.isArray(value)) return typeof segment === 'number' ? (value[segment] as Value | undefined) : undefined;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || value instanceof Date) return undefined;
  const name = typeof segment === 'number' ? `#${segment}` : String(segment);
  return Object.hasOwn(value, name) ? (value as Readonly<Record<string, Value>>)[name] : undefined;
}

/** A text that no other path has. */
export function nameOf(path: readonly Segment[]): string {
  return path
    .map((segment) =>
      segment instanceof Uint8Array
        ? `b:${segment.join()}`
        : `${typeof segment}:${typeof segment === 'bigint' ? segment : JSON.stringify(segment)}`,
    )
    .join('|');
}

function isBelow(path: readonly Segment[], prefix: readonly Segment[]): boolean {
  return path.length >= prefix.length && nameOf(path.slice(0, prefix.length)) === nameOf(prefix);
}

/** Order of the kinds; below zero what cannot be a field. */
function rank(value: Value | undefined): number {
  if (value === false) return 0;
  if (value === true) return 1;
  if (typeof value === 'bigint' || value instanceof Date || (typeof value === 'number' && !Number.isNaN(value))) return 2;
  if (value instanceof Uint8Array) return 3;
  return typeof value === 'string' && value.isWellFormed() ? 4 : -1;
}

export function compareKeys(a: readonly Value[], b: readonly Value[]): number {
  for (let at = 0; at < a.length && at < b.length; at++) {
    const order = compareValues(a[at]!, b[at]!);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareValues(a: Value, b: Value): number {
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (rank(a) === 2) {
    const left = a instanceof Date ? a.getTime() : (a as number | bigint);
    const right = b instanceof Date ? b.getTime() : (b as number | bigint);
    return left < right ? -1 : left > right ? 1 : 0;
  }
  if (rank(a) === 3) return Buffer.compare(a as Uint8Array, b as Uint8Array);
  return rank(a) === 4 ? Buffer.compare(Buffer.from(a as string), Buffer.from(b as string)) : 0;
}
