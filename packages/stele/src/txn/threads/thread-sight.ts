/**
 * The reading surface of threads: what a reader of the newest state and a pinned view share.
 *
 * Whatever looks at more than one key pins a view for the time it takes, so that it sees one (commit, time).
 *
 * Specification: spec/transactions.md, "Reading threads".
 */

import { SteleError } from '../../base/errors.ts';
import { FOUND, NONE } from '../core.ts';
import { checkKey } from '../options.ts';
import { checkRange } from '../reader.ts';
import { entryMaker } from '../scan-iterator.ts';
import type { Decode, Entry, KeyRange, Make, Reader, ScanRange, Walk } from '../types.ts';
import { AGAIN, type ThreadLookup } from './lookup.ts';
import { countByWalk, countNow } from './thread-count.ts';
import { ThreadScanner } from './thread-scanner.ts';

const EVERYTHING: KeyRange = {};

/** What a thread sees while it reads; `end` says whether it could be relied on all the while. */
export interface ThreadSight {
  readonly commit: number;
  readonly timeMs: number;
  /** @throws {SteleError} `closed` VIEW_EXPIRED when the pin was lost meanwhile, VIEW_CLOSED, DATABASE_CLOSED */
  check(): void;
  /** Lets a sight go that was opened for one call. */
  release(): void;
}

export abstract class ThreadSightReader implements Reader {
  protected readonly lookup: ThreadLookup;

  constructor(lookup: ThreadLookup) {
    this.lookup = lookup;
  }

  /** A pinned sight. */
  protected abstract hold(): ThreadSight;

  /** One key: FOUND with `lookup.found` filled, or NONE. */
  protected abstract find(key: Uint8Array, keyBytes: number): number;

  get(key: Uint8Array): Uint8Array | undefined {
    return this.read(key, key.length, this.lookup.copyOf);
  }

  read<T>(key: Uint8Array, keyBytes: number, decode: Decode<T>): T | undefined {
    if (this.find(key, keyBytes) === NONE) return undefined;
    const { found } = this.lookup;
    return decode(found.bytes, found.start, found.end);
  }

  getMany(keys: readonly Uint8Array[]): (Uint8Array | undefined)[] {
    return this.readMany(keys, this.lookup.copyOf);
  }

  readMany<T>(keys: readonly Uint8Array[], decode: Decode<T>): (T | undefined)[] {
    for (const key of keys) checkKey(key);
    const { lookup } = this;
    const { found } = lookup;
    const values = new Array<T | undefined>(keys.length);
    const sight = this.hold();
    try {
      for (let at = 0; at < keys.length; at++) {
        const key = keys[at]!;
        const state = findAt(lookup, key, key.length, sight.commit, sight.timeMs);
        values[at] = state === FOUND ? decode(found.bytes, found.start, found.end) : undefined;
      }
      sight.check();
    } finally {
      sight.release();
    }
    return values;
  }

  has(key: Uint8Array): boolean {
    checkKey(key);
    return this.find(key, key.length) === FOUND;
  }

  entry(key: Uint8Array): Entry | undefined {
    checkKey(key);
    if (this.find(key, key.length) === NONE) return undefined;
    const { found } = this.lookup;
    return {
      key: key.slice(),
      value: this.lookup.copyOf(found.bytes, found.start, found.end),
      version: found.commit,
      expiresAt: found.expiresAt === 0 ? undefined : found.expiresAt,
    };
  }

  getAsync(key: Uint8Array): Promise<Uint8Array | undefined> {
    return promised(() => {
      checkKey(key);
      return this.get(key);
    });
  }

  getManyAsync(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return promised(() => this.getMany(keys));
  }

  scan(range: ScanRange = EVERYTHING): IterableIterator<Entry> {
    return this.walk(range, entryMaker(this.lookup.copyOf));
  }

  walk<T>(range: ScanRange, make: Make<T>): Walk<T> {
    checkRange(range);
    return new ThreadScanIterator(this.lookup, this.hold(), range, make);
  }

  forEach(
    range: ScanRange,
    visit: (key: Uint8Array, keyLength: number, bytes: Uint8Array, start: number, end: number, version: number) => boolean | void,
  ): number {
    checkRange(range);
    const sight = this.hold();
    try {
      const scanner = new ThreadScanner(this.lookup, sight.commit, sight.timeMs, range, range.reverse === true);
      const { found } = scanner;
      const limit = range.limit ?? Number.POSITIVE_INFINITY;
      let visited = 0;
      while (visited < limit && scanner.step() === FOUND) {
        sight.check();
        visited++;
        const end = range.values === false ? found.start : found.end;
        if (visit(scanner.key, scanner.keyBytes, found.bytes, found.start, end, found.commit) === false) break;
      }
      sight.check();
      return visited;
    } finally {
      sight.release();
    }
  }

  count(range: KeyRange = EVERYTHING): number {
    checkRange(range);
    const sight = this.hold();
    try {
      let count = countNow(this.lookup, sight.commit, sight.timeMs, range);
      if (count < 0) count = countByWalk(this.lookup, sight.commit, sight.timeMs, range);
      sight.check();
      return count;
    } finally {
      sight.release();
    }
  }

  first(range: KeyRange = EVERYTHING): Entry | undefined {
    return this.#one({ ...range, limit: 1 });
  }

  last(range: KeyRange = EVERYTHING): Entry | undefined {
    return this.#one({ ...range, limit: 1, reverse: true });
  }

  #one(range: ScanRange): Entry | undefined {
    const scan = this.scan(range);
    const step = scan.next();
    scan.return?.();
    return step.done === true ? undefined : step.value;
  }

  nth(range: KeyRange, n: number): Entry | undefined {
    if (!Number.isSafeInteger(n) || n < 0)
      throw new SteleError('invalid', 'RANGE_INVALID', `nth is asked for ${n}, expected a whole number from 0`);
    let entry: Entry | undefined;
    let at = 0;
    const { found, copyOf } = this.lookup;
    this.forEach(range, (key, keyLength, bytes, start, end, version) => {
      if (at++ < n) return true;
      const expiresAt = found.expiresAt === 0 ? undefined : found.expiresAt;
      entry = { key: copyOf(key, 0, keyLength), value: copyOf(bytes, start, end), version, expiresAt };
      return false;
    });
    return entry;
  }
}

/** One key at a fixed (commit, time): FOUND or NONE. */
export function findAt(lookup: ThreadLookup, key: Uint8Array, keyBytes: number, commit: number, timeMs: number): number {
  lookup.begin();
  for (;;) {
    const state = lookup.at(key, keyBytes, commit, timeMs);
    if (state !== AGAIN) return state;
    lookup.patience.again();
  }
}

function promised<T>(work: () => T): Promise<T> {
  try {
    return Promise.resolve(work());
  } catch (error) {
    return Promise.reject(error);
  }
}

/** Holds its sight from the call of `scan` to its end, `return`, or the expiry of the view. */
class ThreadScanIterator<T> implements Walk<T> {
  readonly #scanner: ThreadScanner;
  readonly #make: Make<T>;
  readonly #sight: ThreadSight;
  readonly #withValues: boolean;
  #left: number;

  constructor(lookup: ThreadLookup, sight: ThreadSight, range: ScanRange, make: Make<T>) {
    this.#sight = sight;
    this.#make = make;
    this.#scanner = new ThreadScanner(lookup, sight.commit, sight.timeMs, range, range.reverse === true);
    this.#withValues = range.values !== false;
    this.#left = range.limit ?? Number.POSITIVE_INFINITY;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<T, undefined> {
    if (this.#left <= 0) return this.return();
    const scanner = this.#scanner;
    this.#sight.check();
    const state = scanner.step();
    this.#sight.check();
    if (state === NONE) return this.return();
    this.#left--;
    const { bytes, start, end, commit, expiresAt } = scanner.found;
    const value = this.#make(scanner.key, scanner.keyBytes, bytes, start, this.#withValues ? end : start, commit, expiresAt);
    return { done: false, value };
  }

  skipTo(key: Uint8Array, keyBytes: number): void {
    this.#scanner.skipTo(key, keyBytes);
  }

  return(): IteratorResult<T, undefined> {
    this.#left = 0;
    this.#sight.release();
    return { done: true, value: undefined };
  }
}
