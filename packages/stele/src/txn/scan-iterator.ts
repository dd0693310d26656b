/**
 * The lazy iterator behind `scan` and `walk`: hand-written, so that a step costs no more than what `make` makes.
 *
 * It may be abandoned at any time: it holds no pin of its own. The reader that made it holds the view; after that is
 * closed the next step says so. An iterator of the engine itself brings a view of its own, which ends with the last entry, on `return`,
 * or when it has been idle too long.
 */

import type { Core } from './core.ts';
import { FOUND, NONE } from './core.ts';
import { settleValue } from './lookup.ts';
import { beginScan, type Scanner, type Sight } from './scanner.ts';
import type { Entry, Make, ScanRange, Walk } from './types.ts';

/** Of a reader that is asked for entries: what `scan` gives. */
export function entryMaker(copyOf: (bytes: Uint8Array, start: number, end: number) => Uint8Array): Make<Entry> {
  return (key, keyBytes, bytes, start, end, version, expiresAt) => ({
    key: copyOf(key, 0, keyBytes),
    value: copyOf(bytes, start, end),
    version,
    expiresAt: expiresAt === 0 ? undefined : expiresAt,
  });
}

export class ScanIterator<T> implements Walk<T> {
  readonly #core: Core;
  /** Undefined after the end. */
  #scanner: Scanner | undefined;
  readonly #check: () => void;
  readonly #make: Make<T>;
  readonly #withValues: boolean;
  #left: number;
  readonly #onEnd: (() => void) | undefined;

  /** `check` is called before every step and throws when the reader is closed; `onEnd` once at the end. */
  constructor(core: Core, sight: Sight, range: ScanRange, make: Make<T>, check: () => void, onEnd?: () => void) {
    this.#core = core;
    this.#check = check;
    this.#make = make;
    this.#withValues = range.values !== false;
    this.#left = range.limit ?? Number.POSITIVE_INFINITY;
    this.#onEnd = onEnd;
    this.#scanner = beginScan(core, sight, range, range.reverse === true);
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<T, undefined> {
    const scanner = this.#scanner;
    if (this.#left <= 0 || scanner === undefined) return this.return();
    this.#check();
    for (;;) {
      const state = scanner.step();
      if (state === FOUND) break;
      if (state === NONE) return this.return();
      this.#core.fill();
    }
    if (--this.#left <= 0) this.#onEnd?.();
    const { found } = scanner;
    if (this.#withValues) settleValue(this.#core, found);
    else found.end = found.start;
    return {
      done: false,
      value: this.#make(scanner.key, scanner.keyBytes, found.bytes, found.start, found.end, found.commit, found.expiresAt),
    };
  }

  skipTo(key: Uint8Array, keyBytes: number): void {
    this.#scanner?.skipTo(key, keyBytes);
  }

  return(): IteratorResult<T, undefined> {
    this.#left = 0;
    this.#scanner?.end();
    this.#scanner = undefined;
    this.#onEnd?.();
    return { done: true, value: undefined };
  }
}
