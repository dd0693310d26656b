/**
 * Place: where in the tree a handle stands, and the paths it is given as keys.
 *
 * Each handle has a buffer that begins with the key of its own place, so that a relative path costs only its own bytes.
 *
 * Invariants
 * - `scratch[0, keyBytes)` never changes; what lies behind belongs to the last `encode`.
 * - Keys from `key` and `range` are fresh; `encode` gives nothing away; those of `passingKeys` are used again.
 *
 * Specification: spec/paths.md, "Keys".
 */

import { SteleError } from '../base/errors.ts';
import type { KeyRange } from '../txn/types.ts';
import { decodePath } from './path/decode.ts';
import { appendPath, encodePath, encodePrefix } from './path/encode.ts';
import { KEY_BYTES_MAX } from './path/layout.ts';
import type { Path, Segment } from './path/types.ts';
import type { Bounds, ScanOptions } from './types.ts';

/** Behind every key below a place, before every key behind it. */
export const BEHIND = 0xff;
/** So many keys keep their memory for the next call. */
const PASSING_MAX = 1000;
const NOTHING: Bounds = {};

export class Place {
  readonly segments: readonly Segment[];
  /** The key of the place itself. */
  readonly keyBytes: number;
  readonly scratch: Uint8Array = new Uint8Array(KEY_BYTES_MAX);
  readonly #isRoot: boolean;
  readonly #passing: Uint8Array[] = [];

  constructor(segments: readonly Segment[] = []) {
    this.segments = segments;
    this.#isRoot = segments.length === 0;
    this.keyBytes = encodePrefix(segments, this.scratch, 0);
  }

  /** The place at `path` below this one. @throws {SteleError} `invalid` PATH_INVALID */
  below(path: Path): Place {
    const bytes = this.encodePrefix(path);
    return new Place(decodePath(this.scratch, 0, bytes));
  }

  /** Writes the key of a path into `scratch` and returns its length. @throws {SteleError} `invalid` PATH_INVALID, the empty path of the root too */
  encode(path: Path): number {
    return this.#isRoot ? encodePath(path, this.scratch, 0) : this.encodePrefix(path);
  }

  /** As {@link encode}; the empty path stands for the place itself. */
  encodePrefix(path: Path): number {
    return this.#isRoot ? encodePrefix(path, this.scratch, 0) : appendPath(path, this.scratch, this.keyBytes, 0, this.segments.length);
  }

  key(path: Path): Uint8Array {
    return this.scratch.slice(0, this.encode(path));
  }

  /** Keys that are good until the next call: their memory is used again. */
  passingKeys(paths: readonly Path[]): readonly Uint8Array[] {
    const pool = this.#passing;
    const { scratch } = this;
    const keys = new Array<Uint8Array>(paths.length);
    for (let i = 0; i < paths.length; i++) {
      const bytes = this.encode(paths[i]!);
      let key = pool[i];
      if (key === undefined || key.length !== bytes) {
        key = new Uint8Array(bytes);
        if (i < PASSING_MAX) pool[i] = key;
      }
      for (let at = 0; at < bytes; at++) key[at] = scratch[at]!;
      keys[i] = key;
    }
    return keys;
  }

  prefixKey(path: Path): Uint8Array {
    return this.scratch.slice(0, this.encodePrefix(path));
  }

  /** The path, relative to this place, of a key below it. */
  path(key: Uint8Array, start: number, end: number): Segment[] {
    return decodePath(key, start, end, this.segments.length);
  }

  /** All keys at and below a path. */
  range(path: Path): { readonly start: Uint8Array; readonly end: Uint8Array } {
    const start = this.prefixKey(path);
    return { start, end: behind(start) };
  }

  /** @throws {SteleError} `invalid` PATH_INVALID, RANGE_INVALID for a bound outside the prefix */
  bounds({ prefix = [], start, end }: Bounds): { start: Uint8Array; end: Uint8Array } {
    const all = this.range(prefix);
    return {
      start: start === undefined ? all.start : this.#bound('start', start, all),
      end: end === undefined ? all.end : this.#bound('end', end, all),
    };
  }

  /** The range of a scan, its `after` worked in. */
  scanRange(options: ScanOptions = NOTHING): { start: Uint8Array; end: Uint8Array } {
    const range = this.bounds(options);
    if (options.after === undefined) return range;
    const after = this.#bound('after', options.after, this.range(options.prefix === undefined ? [] : options.prefix));
    if (options.reverse === true) return compare(after, range.end) < 0 ? { start: range.start, end: after } : range;
    const next = successor(after);
    return compare(next, range.start) > 0 ? { start: next, end: range.end } : range;
  }

  #bound(name: string, path: Path, all: KeyRange): Uint8Array {
    const key = this.prefixKey(path);
    if (compare(key, all.start!) >= 0 && compare(key, all.end!) < 0) return key;
    throw new SteleError(
      'invalid',
      'RANGE_INVALID',
      `${name} lies outside the prefix; bounds are whole paths, relative to the handle like the prefix`,
    );
  }
}

/** The end of what lies at and below `key`. */
export function behind(key: Uint8Array): Uint8Array {
  const end = new Uint8Array(key.length + 1);
  end.set(key);
  end[key.length] = BEHIND;
  return end;
}

/** The least key behind `key`. */
export function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  const bytes = Math.min(a.length, b.length);
  for (let at = 0; at < bytes; at++) if (a[at] !== b[at]) return a[at]! - b[at]!;
  return a.length - b.length;
}
