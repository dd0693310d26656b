/**
 * The lazy iterator behind `scan`: hand-written, so that a step costs one object and two copies.
 *
 * It may be abandoned at any time: it holds no pin of its own. The reader that made it holds the view; after that is
 * closed the next step says so. An iterator of the engine itself brings a view of its own, which ends with the last entry, on `return`,
 * or when it has been idle too long.
 */

import type { Core } from './core.ts';
import { FOUND, NONE } from './core.ts';
import { settleValue } from './lookup.ts';
import { beginScan, type Scanner, type Sight } from './scanner.ts';
import type { Entry, ScanRange } from './types.ts';

const NOTHING = new Uint8Array(0);

export class ScanIterator implements IterableIterator<Entry> {
  readonly #core: Core;
  /** Undefined after the end. */
  #scanner: Scanner | undefined;
  readonly #check: () => void;
  readonly #withValues: boolean;
  #left: number;
  readonly #onEnd: (() => void) | undefined;

  /** `check` is called before every step and throws when the reader is closed; `onEnd` once at the end. */
  constructor(core: Core, sight: Sight, range: ScanRange, check: () => void, onEnd?: () => void) {
    this.#core = core;
    this.#check = check;
    this.#withValues = range.values !== false;
    this.#left = range.limit ?? Number.POSITIVE_INFINITY;
    this.#onEnd = onEnd;
    this.#scanner = beginScan(core, sight, range, range.reverse === true);
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<Entry, undefined> {
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
    const value = this.#withValues ? this.#core.copyOf(found.bytes, found.start, found.end) : NOTHING;
    return {
      done: false,
      value: {
        key: this.#core.copyOf(scanner.key, 0, scanner.keyBytes),
        value,
        version: found.commit,
        expiresAt: found.expiresAt === 0 ? undefined : found.expiresAt,
      },
    };
  }

  return(): IteratorResult<Entry, undefined> {
    this.#left = 0;
    this.#scanner?.end();
    this.#scanner = undefined;
    this.#onEnd?.();
    return { done: true, value: undefined };
  }
}
