/**
 * Reading at a place, over any reader of the kernel: database, view, transaction, and subtrees of each.
 *
 * Invariants
 * - What is missing, deleted or expired is `undefined`; only bad requests, closed handles and damage throw.
 * - A lazy read sees one view, however long it is iterated and whatever is written meanwhile.
 * - Values are decoded from the page in place; what is returned belongs to the caller.
 *
 * Specification: docs/api.md, "Reading".
 */

import { SteleError } from '../base/errors.ts';
import type { Entry as KernelEntry, Make, Reader } from '../txn/types.ts';
import { childrenOf } from './children.ts';
import { describe } from './path/layout.ts';
import { RowPaths } from './path/row-paths.ts';
import { formatPath } from './path/text.ts';
import type { Path, Segment } from './path/types.ts';
import { behind, type Place } from './place.ts';
import { rowsOf } from './rows.ts';
import { type Codec, checkMembers } from './store.ts';
import { type Leaf, nestTree } from './tree-value.ts';
import type { Bounds, ChildrenOptions, Entry, Kind, Reading, Row, Rows, ScanOptions, Spot, TreeOptions } from './types.ts';
import { contentStart } from './value/payload.ts';
import type { Value } from './value/types.ts';

/** A reader that sees one view, and what to do when it is not needed any more. */
export interface Held {
  readonly reader: Reader;
  close(): void;
}

const PREFETCH_BATCH = 256;
const SCAN_OPTIONS: ReadonlySet<string> = new Set(['prefix', 'start', 'end', 'after', 'reverse', 'limit', 'values']);
const BOUNDS: ReadonlySet<string> = new Set(['prefix', 'start', 'end']);
const CHILDREN_OPTIONS: ReadonlySet<string> = new Set(['after', 'limit', 'reverse']);
const TREE_OPTIONS: ReadonlySet<string> = new Set(['depth', 'limit']);
const PIECE: ReadonlySet<string> = new Set(['offset', 'length']);
const PREFETCH: ReadonlySet<string> = new Set(['prefix']);
const PREFETCH_OPTIONS: ReadonlySet<string> = new Set(['signal']);

export abstract class PlacedReader<T> implements Reading<T> {
  /** @internal */
  readonly place: Place;
  /** @internal */
  readonly codec: Codec;

  constructor(place: Place, codec: Codec) {
    this.place = place;
    this.codec = codec;
  }

  /** What single reads ask. @throws {SteleError} `closed`, `denied` NOT_PERMITTED */
  protected abstract reader(): Reader;

  /** What a walk asks: one view until it is closed. */
  protected abstract hold(): Held;

  get<V = T>(path: Path): V | undefined {
    const { place } = this;
    const reader = this.reader();
    return reader.read(place.scratch, place.encode(path), this.codec.decode) as V | undefined;
  }

  getMany<V = T>(paths: readonly Path[]): (V | undefined)[] {
    checkPaths(paths);
    const reader = this.reader();
    return reader.readMany(this.place.passingKeys(paths), this.codec.decode) as (V | undefined)[];
  }

  #keys(paths: readonly Path[]): Uint8Array[] {
    checkPaths(paths);
    const { place } = this;
    const keys = new Array<Uint8Array>(paths.length);
    for (let at = 0; at < paths.length; at++) keys[at] = place.key(paths[at]!);
    return keys;
  }

  has(path: Path): boolean {
    return this.reader().has(this.place.key(path));
  }

  entry<V = T>(path: Path): Entry<V> | undefined {
    const entry = this.reader().entry(this.place.key(path));
    if (entry === undefined) return undefined;
    const { value, version, expiresAt } = entry;
    return {
      value: this.codec.decode(value, 0, value.length) as V,
      version,
      expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt),
    };
  }

  kind(path: Path): Kind {
    const key = this.place.prefixKey(path);
    const reader = this.reader();
    const isValue = key.length > 1 && reader.has(key);
    let isTree = false;
    const start = new Uint8Array(key.length + 1);
    start.set(key);
    reader.forEach({ start, end: behind(key), limit: 1, values: false }, () => {
      isTree = true;
    });
    return isTree ? (isValue ? 'both' : 'tree') : isValue ? 'value' : 'none';
  }

  readValue(path: Path, range?: { readonly offset?: number; readonly length?: number }): Uint8Array | undefined {
    const { place, codec } = this;
    if (range === undefined) {
      const whole = this.reader();
      return whole.read(place.scratch, place.encode(path), codec.content);
    }
    checkMembers('range', range, PIECE);
    const { offset = 0, length = Number.MAX_SAFE_INTEGER } = range;
    for (const [name, given] of [
      ['offset', offset],
      ['length', length],
    ] as const)
      if (!Number.isSafeInteger(given) || given < 0)
        throw new SteleError('invalid', 'RANGE_INVALID', `${name} is ${describe(given)}, expected a whole number from 0`);
    const reader = this.reader();
    return reader.read(place.scratch, place.encode(path), (bytes, start, end) => {
      const from = contentStart(bytes, start, end);
      const to = end;
      return bytes.slice(Math.min(from + offset, to), Math.min(from + offset + length, to));
    });
  }

  getTree(path: Path = [], options: TreeOptions = {}): Value | undefined {
    checkMembers('options', options, TREE_OPTIONS);
    const { depth = Number.POSITIVE_INFINITY, limit = Number.POSITIVE_INFINITY } = options;
    checkLimit('depth', depth);
    checkLimit('limit', limit);
    const key = this.place.prefixKey(path);
    const above = this.place.path(key, 0, key.length).length;
    const held = this.hold();
    try {
      return nestTree(leavesOf(held.reader, this.place, this.codec, { key, above, depth, limit }));
    } finally {
      held.close();
    }
  }

  children(path: Path = [], options: ChildrenOptions = {}): Rows<Segment> {
    checkMembers('options', options, CHILDREN_OPTIONS);
    const { after, limit = Number.POSITIVE_INFINITY, reverse = false } = options;
    checkLimit('limit', limit);
    const key = this.place.prefixKey(path);
    const behindChild = after === undefined ? undefined : this.place.prefixKey([...this.place.path(key, 0, key.length), after]);
    return rowsOf(() => childrenOf(this.reader(), { key, after: behindChild, reverse, limit }));
  }

  scan(options: ScanOptions & { readonly values: false }): Rows<Spot>;
  scan<V = T>(options?: ScanOptions): Rows<Row<V>>;
  scan(options: ScanOptions = {}): Rows<unknown> {
    checkMembers('options', options, SCAN_OPTIONS);
    const { reverse = false, limit = Number.POSITIVE_INFINITY, values = true } = options;
    checkLimit('limit', limit);
    const range = { ...this.place.scanRange(options), reverse, limit, values };
    const { place, codec } = this;
    const maker = values ? rowMaker : spotMaker;
    return rowsOf(
      () => this.reader().walk(range, maker(place, codec)),
      (visit) => {
        const make = maker(place, codec);
        return this.reader().forEach(range, (key, keyBytes, bytes, start, end, version) =>
          visit(make(key, keyBytes, bytes, start, end, version, 0)),
        );
      },
    );
  }

  count(range: Path | Bounds = []): number {
    if (isPath(range)) return this.reader().count(this.place.range(range));
    checkMembers('range', range, BOUNDS);
    return this.reader().count(this.place.bounds(range));
  }

  first<V = T>(prefix: Path = []): Row<V> | undefined {
    return this.#row(this.reader().first(this.place.range(prefix)));
  }

  last<V = T>(prefix: Path = []): Row<V> | undefined {
    return this.#row(this.reader().last(this.place.range(prefix)));
  }

  nth<V = T>(prefix: Path, n: number): Row<V> | undefined {
    return this.#row(this.reader().nth(this.place.range(prefix), n));
  }

  #row<V>(entry: KernelEntry | undefined): Row<V> | undefined {
    return entry === undefined ? undefined : rowOf(this.place, this.codec, entry);
  }

  async getAsync<V = T>(path: Path): Promise<V | undefined> {
    const bytes = await this.reader().getAsync(this.place.key(path));
    return bytes === undefined ? undefined : (this.codec.decode(bytes, 0, bytes.length) as V);
  }

  async getManyAsync<V = T>(paths: readonly Path[]): Promise<(V | undefined)[]> {
    const values = await this.reader().getManyAsync(this.#keys(paths));
    return values.map((bytes) => (bytes === undefined ? undefined : (this.codec.decode(bytes, 0, bytes.length) as V)));
  }

  async prefetch(what: readonly Path[] | { readonly prefix: Path }, options: { readonly signal?: AbortSignal } = {}): Promise<number> {
    checkMembers('options', options, PREFETCH_OPTIONS);
    const { signal } = options;
    const isList = Array.isArray(what);
    if (!isList) checkMembers('what', what, PREFETCH);
    const keys = isList ? this.#keys(what) : undefined;
    const range = isList ? undefined : this.place.range((what as { prefix: Path }).prefix);
    const held = this.hold();
    try {
      let met = 0;
      for (let at = 0, start = range?.start; ; at += PREFETCH_BATCH) {
        if (signal?.aborted === true) throw new SteleError('closed', 'CANCELLED', 'the prefetch was cancelled', { cause: signal.reason });
        const batch = keys?.slice(at, at + PREFETCH_BATCH) ?? keysFrom(held.reader, start!, range!.end);
        if (batch.length === 0) return met;
        for (const value of await held.reader.getManyAsync(batch)) if (value !== undefined) met++;
        if (range !== undefined) start = after(batch.at(-1)!);
      }
    } finally {
      held.close();
    }
  }
}

function checkPaths(paths: readonly Path[]): void {
  if (!Array.isArray(paths)) throw new SteleError('invalid', 'PATH_INVALID', `paths are ${describe(paths)}, expected an array of paths`);
}

/** The next keys of a range, without their values. */
function keysFrom(reader: Reader, start: Uint8Array, end: Uint8Array): Uint8Array[] {
  const keys: Uint8Array[] = [];
  reader.forEach({ start, end, limit: PREFETCH_BATCH, values: false }, (key, keyBytes) => {
    keys.push(key.slice(0, keyBytes));
  });
  return keys;
}

function after(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

export function rowOf<V>(place: Place, codec: Codec, { key, value, version }: KernelEntry): Row<V> {
  return { path: place.path(key, 0, key.length), value: codec.decode(value, 0, value.length) as V, version };
}

/** Rows of one walk: paths are read as what differs from the row before. */
function rowMaker(place: Place, { texts, decode }: Codec): Make<unknown> {
  const paths = new RowPaths(texts, place.segments.length);
  return (key, keyBytes, bytes, start, end, version) => ({ path: paths.read(key, keyBytes), value: decode(bytes, start, end), version });
}

function spotMaker(place: Place, { texts }: Codec): Make<unknown> {
  const paths = new RowPaths(texts, place.segments.length);
  return (key, keyBytes, _bytes, _start, _end, version) => ({ path: paths.read(key, keyBytes), value: undefined, version });
}

interface TreeWalk {
  readonly key: Uint8Array;
  /** Segments of `key` relative to the place. */
  readonly above: number;
  readonly depth: number;
  readonly limit: number;
}

/** Leaves at and below a key; what is deeper than asked stands as one empty object, and is not read. */
function* leavesOf(reader: Reader, place: Place, codec: Codec, { key, above, depth, limit }: TreeWalk): Generator<Leaf, undefined> {
  const end = behind(key);
  let start = key;
  let last: string | undefined;
  for (let left = limit; left > 0; ) {
    let skipTo: Uint8Array | undefined;
    for (const entry of reader.scan({ start, end, limit: left })) {
      const path = place.path(entry.key, 0, entry.key.length).slice(above);
      if (path.length > depth) {
        const cut = place.prefixKey([...place.path(key, 0, key.length), ...path.slice(0, depth)]);
        // A value of its own, met just before, says more than an empty object.
        if (last !== formatPath(path.slice(0, depth))) {
          left--;
          yield { path: path.slice(0, depth), value: {} };
        }
        skipTo = behind(cut);
        break;
      }
      left--;
      if (path.length === depth) last = formatPath(path);
      yield { path, value: codec.decode(entry.value, 0, entry.value.length) };
    }
    if (skipTo === undefined) return undefined;
    start = skipTo;
  }
  return undefined;
}

/** @throws {SteleError} `invalid` RANGE_INVALID */
export function checkLimit(name: string, given: number): void {
  if (given === Number.POSITIVE_INFINITY || (Number.isSafeInteger(given) && given >= 0)) return;
  throw new SteleError('invalid', 'RANGE_INVALID', `${name} is ${describe(given)}, expected a whole number from 0`);
}

function isPath(range: Path | Bounds): range is Path {
  return typeof range === 'string' || Array.isArray(range);
}
