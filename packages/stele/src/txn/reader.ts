/**
 * The reading surface over one (commit, time): what the engine, views and transactions share.
 *
 * A subclass says what is seen (`sight`); everything else is written once. Blocking reads fill misses at once; the async
 * forms await them.
 *
 * Specification: spec/transactions.md, "Views".
 */

import { SteleError } from '../base/errors.ts';
import type { Core } from './core.ts';
import { FOUND, NONE } from './core.ts';
import { countAt } from './count.ts';
import { Found, lookup, settleValue } from './lookup.ts';
import { checkKey } from './options.ts';
import { entryMaker, ScanIterator } from './scan-iterator.ts';
import { beginScan, type Scanner, type Sight } from './scanner.ts';
import type { Decode, Entry, KeyRange, Make, Reader, ScanRange, Walk } from './types.ts';

const EVERYTHING: KeyRange = {};

export abstract class SightReader implements Reader {
  protected readonly core: Core;
  protected readonly found = new Found();

  constructor(core: Core) {
    this.core = core;
  }

  /** What is seen now; refuses when the reader cannot be used any more. */
  protected abstract sight(): Sight;

  get(key: Uint8Array): Uint8Array | undefined {
    return this.read(key, key.length, this.core.copyOf);
  }

  read<T>(key: Uint8Array, keyBytes: number, decode: Decode<T>): T | undefined {
    const { commit, timeMs, claim } = this.sight();
    const { core, found } = this;
    for (;;) {
      const state = lookup(core, key, keyBytes, commit, timeMs, claim, found);
      if (state === FOUND) {
        settleValue(core, found);
        return decode(found.bytes, found.start, found.end);
      }
      if (state === NONE) return undefined;
      core.fill();
    }
  }

  getMany(keys: readonly Uint8Array[]): (Uint8Array | undefined)[] {
    return this.readMany(keys, this.core.copyOf);
  }

  readMany<T>(keys: readonly Uint8Array[], decode: Decode<T>): (T | undefined)[] {
    const values = new Array<T | undefined>(keys.length);
    for (let at = 0; at < keys.length; at++) values[at] = this.read(keys[at]!, keys[at]!.length, decode);
    return values;
  }

  has(key: Uint8Array): boolean {
    return this.#find(key) === FOUND;
  }

  #find(key: Uint8Array): number {
    const { commit, timeMs, claim } = this.sight();
    checkKey(key);
    for (;;) {
      const state = lookup(this.core, key, key.length, commit, timeMs, claim, this.found);
      if (state === FOUND || state === NONE) return state;
      this.core.fill();
    }
  }

  entry(key: Uint8Array): Entry | undefined {
    if (this.#find(key) === NONE) return undefined;
    const { found } = this;
    settleValue(this.core, found);
    return {
      key: key.slice(),
      value: this.core.copyOf(found.bytes, found.start, found.end),
      version: found.commit,
      expiresAt: found.expiresAt === 0 ? undefined : found.expiresAt,
    };
  }

  async getAsync(key: Uint8Array): Promise<Uint8Array | undefined> {
    checkKey(key);
    const found = new Found();
    for (;;) {
      const { commit, timeMs, claim } = this.sight();
      const state = lookup(this.core, key, key.length, commit, timeMs, claim, found);
      if (state === NONE) return undefined;
      if (state === FOUND && found.place === 'bytes') return this.core.copyOf(found.bytes, found.start, found.end);
      try {
        if (state === FOUND) {
          const value = await this.#largeAsync(found);
          if (value !== undefined) return value;
        } else await this.core.fillAsync();
      } catch (error) {
        // A file that was closed meanwhile is no news of its own.
        this.core.assertReadable();
        throw error;
      }
    }
  }

  /** The value, or undefined when its pages went to another value while they were read: look again. */
  async #largeAsync(found: Found): Promise<Uint8Array | undefined> {
    const { core } = this;
    const { firstPage, pages, commit, valueBytes } = found;
    const value = new Uint8Array(valueBytes);
    if (found.place === 'log') {
      const { segmentsDropped } = core.counters;
      try {
        await core.log.readLargeAsync(found.operation!, 0, valueBytes, value, 0);
        return value;
      } catch (error) {
        // A segment dropped meanwhile may hold another one's records: looked up again once more (spec/invariants.md rule 16).
        if (core.counters.segmentsDropped === segmentsDropped) throw error;
        return undefined;
      }
    }
    const flushes = core.pageFile.meta.sequence;
    try {
      await core.pages.overflow.readAsync({ firstPage, pages, commit }, 0, valueBytes, value, 0);
      return value;
    } catch (error) {
      // Freed pages are used again two flushes later at the earliest: before that, what is wrong is damage.
      if (core.pageFile.meta.sequence - flushes < 1) throw error;
      return undefined;
    }
  }

  async getManyAsync(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    const values: (Uint8Array | undefined)[] = [];
    for (const key of keys) values.push(await this.getAsync(key));
    return values;
  }

  scan(range: ScanRange = EVERYTHING): IterableIterator<Entry> {
    return this.walk(range, entryMaker(this.core.copyOf));
  }

  walk<T>(range: ScanRange, make: Make<T>): Walk<T> {
    checkRange(range);
    return new ScanIterator(this.core, this.sight(), range, make, () => this.sight());
  }

  forEach(
    range: ScanRange,
    visit: (key: Uint8Array, keyLength: number, bytes: Uint8Array, start: number, end: number, version: number) => boolean | void,
  ): number {
    checkRange(range);
    const scanner = beginScan(this.core, this.sight(), range, range.reverse === true);
    try {
      return this.#visitAll(scanner, range, visit);
    } finally {
      scanner.end();
    }
  }

  #visitAll(scanner: Scanner, range: ScanRange, visit: Parameters<Reader['forEach']>[1]): number {
    const limit = range.limit ?? Number.POSITIVE_INFINITY;
    const withValues = range.values !== false;
    const { found } = scanner;
    let visited = 0;
    while (visited < limit) {
      const state = scanner.step();
      if (state === NONE) break;
      if (state !== FOUND) {
        this.core.fill();
        continue;
      }
      visited++;
      if (withValues) settleValue(this.core, found);
      const end = found.place === 'bytes' && withValues ? found.end : found.start;
      if (visit(scanner.key, scanner.keyBytes, found.bytes, found.start, end, found.commit) === false) break;
    }
    return visited;
  }

  count(range: KeyRange = EVERYTHING): number {
    checkRange(range);
    return countAt(this.core, this.sight(), range);
  }

  first(range: KeyRange = EVERYTHING): Entry | undefined {
    return this.#one({ ...range, limit: 1 });
  }

  last(range: KeyRange = EVERYTHING): Entry | undefined {
    return this.#one({ ...range, limit: 1, reverse: true });
  }

  #one(range: ScanRange): Entry | undefined {
    const iterator = this.scan(range);
    const step = iterator.next();
    iterator.return?.();
    return step.done === true ? undefined : step.value;
  }

  nth(range: KeyRange, n: number): Entry | undefined {
    checkRange(range);
    checkNth(n);
    let entry: Entry | undefined;
    let at = 0;
    this.forEach({ ...range, values: false }, (key, keyLength) => {
      if (at++ < n) return true;
      entry = this.entry(key.slice(0, keyLength));
      return false;
    });
    return entry;
  }
}

/** @throws {SteleError} `invalid` RANGE_INVALID */
export function checkNth(n: number): void {
  if (!Number.isSafeInteger(n) || n < 0)
    throw new SteleError('invalid', 'RANGE_INVALID', `nth is asked for ${n}, expected a whole number from 0`);
}

/** @throws {SteleError} `invalid` RANGE_INVALID */
export function checkRange(range: ScanRange): void {
  const bad = (message: string): never => {
    throw new SteleError('invalid', 'RANGE_INVALID', message);
  };
  if (range === null || typeof range !== 'object') bad(`range is ${String(range)}, expected an object`);
  for (const name of ['start', 'end'] as const) {
    const bound = range[name];
    if (bound !== undefined && !(bound instanceof Uint8Array)) bad(`${name} is ${typeof bound}, expected bytes`);
  }
  const { limit } = range;
  if (limit !== undefined && !(limit === Number.POSITIVE_INFINITY || (Number.isSafeInteger(limit) && limit >= 0)))
    bad(`limit is ${limit}, expected a whole number from 0`);
}
