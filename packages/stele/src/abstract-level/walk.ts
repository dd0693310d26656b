/**
 * Walk: the reading behind the three iterators: a range of keys in a view, taken in pieces.
 *
 * A piece is one pass of the kernel over entries in place; what is wanted of each is made from the page at once. Single steps read ahead
 * {@link AHEAD_ITEMS} items or {@link AHEAD_BYTES} bytes, which nobody notices: the view is fixed. Long reads give others a turn between pieces.
 *
 * Invariants
 * - The view is that of the snapshot given, or one of its own, taken when the walk is made and closed with it.
 * - What is no key of the level is passed over.
 *
 * Specification: docs/abstract-level.md, "Iterators".
 */

import { compareBytes } from '../base/bytes.ts';
import type { Host } from '../host/host.ts';
import { KEY_BYTES_MAX } from '../model/path/layout.ts';
import type { Reader, View } from '../txn/types.ts';
import { aborted, levelError } from './errors.ts';
import type { Keys, StoredRange } from './keys.ts';
import type { Format } from './types.ts';

/** Makes an item of an entry in place; undefined when its key is none of the level's. */
export type MakeItem<T> = (key: Uint8Array, keyBytes: number, bytes: Uint8Array, start: number, end: number) => T | undefined;

export interface WalkOptions extends StoredRange {
  readonly reverse: boolean;
  /** Are values looked at? */
  readonly values: boolean;
  /** Given from outside: not closed here. */
  readonly view: View | undefined;
  /** Ends reads under way. Whoever has one pays a turn of the microtask queue for each read. */
  readonly signal: AbortSignal | undefined;
  readonly timers: Host['timers'];
}

const AHEAD_ITEMS = 128;
const AHEAD_BYTES = 64 * 1024;
/** Items and bytes read in one turn: about a millisecond. */
const PIECE_ITEMS = 1024;
const PIECE_BYTES = 1024 * 1024;

export class Walk<T> {
  readonly #keys: Keys;
  readonly #reader: Reader;
  readonly #own: View | undefined;
  readonly #range: StoredRange;
  readonly #reverse: boolean;
  readonly #values: boolean;
  readonly #make: MakeItem<T>;
  readonly #signal: AbortSignal | undefined;
  readonly #timers: Host['timers'];
  /** What is left to be read. */
  #start: Uint8Array;
  #end: Uint8Array;
  #isDone: boolean;
  /** Read ahead, from `#at` on. */
  #ahead: T[] = [];
  #at = 0;
  #isFirst = true;
  // The last entry of a piece: where the next one begins.
  readonly #last: Uint8Array = new Uint8Array(KEY_BYTES_MAX + 1);
  #lastBytes = 0;

  constructor(keys: Keys, open: () => View, options: WalkOptions, make: MakeItem<T>) {
    const { start, end, view } = options;
    this.#keys = keys;
    this.#range = { start, end };
    this.#reverse = options.reverse;
    this.#values = options.values;
    this.#signal = options.signal ?? undefined;
    this.#timers = options.timers;
    this.#make = make;
    this.#start = start;
    this.#end = end;
    this.#isDone = isEmpty(start, end);
    this.#own = view === undefined ? open() : undefined;
    this.#reader = view ?? this.#own!;
  }

  /** One item; reads ahead no more than `left` in all. @throws {LevelError} LEVEL_ABORTED */
  async next(left: number): Promise<T | undefined> {
    if (this.#at === this.#ahead.length) {
      if (this.#isDone) return undefined;
      // It is common to want one item only, at first or after a seek.
      this.#ahead = this.#read(this.#isFirst ? 1 : Math.min(left, AHEAD_ITEMS), AHEAD_BYTES);
      this.#at = 0;
      this.#isFirst = false;
    }
    if (this.#signal !== undefined) await this.#checkSignal(this.#signal);
    return this.#ahead[this.#at++];
  }

  /** The next `count` items, fewer only at the end. @throws {LevelError} LEVEL_ABORTED */
  async take(count: number): Promise<T[]> {
    const items = this.#ahead.slice(this.#at, this.#at + count);
    this.#at += items.length;
    for (;;) {
      if (items.length < count) {
        const piece = this.#read(Math.min(count - items.length, PIECE_ITEMS), PIECE_BYTES);
        for (let at = 0; at < piece.length; at++) items.push(piece[at]!);
      }
      if (this.#signal !== undefined) await this.#checkSignal(this.#signal);
      if (items.length >= count || this.#isDone) return items;
      await new Promise<void>((resolve) => this.#timers.immediate(resolve));
    }
  }

  /** After whoever called had the time to abort. */
  async #checkSignal(signal: AbortSignal): Promise<void> {
    await undefined;
    if (signal.aborted) throw aborted(signal);
  }

  /** Goes on at `target`, or behind the range when that lies outside. */
  seek(target: Format): void {
    this.#ahead = [];
    this.#at = 0;
    this.#isFirst = true;
    const { start, end } = this.#range;
    const keys = this.#keys;
    const from = this.#reverse ? start : keys.from(target);
    const to = this.#reverse ? keys.through(target) : end;
    this.#start = this.#reverse || compare(from, start) > 0 ? from : start;
    this.#end = !this.#reverse || compare(to, end) < 0 ? to : end;
    this.#isDone = isEmpty(this.#start, this.#end);
  }

  close(): void {
    this.#ahead = [];
    this.#at = 0;
    this.#isDone = true;
    this.#own?.close();
  }

  /** Up to `count` items; stops early behind the one with which `bytesMax` bytes of entries are reached. */
  #read(count: number, bytesMax: number): T[] {
    const items: T[] = [];
    const make = this.#make;
    try {
      while (items.length < count && !this.#isDone) {
        const limit = count - items.length;
        let visited = 0;
        let bytesRead = 0;
        let isFull = false;
        this.#reader.forEach(
          { start: this.#start, end: this.#end, reverse: this.#reverse, limit, values: this.#values },
          (key, keyBytes, bytes, start, end) => {
            const item = make(key, keyBytes, bytes, start, end);
            if (item !== undefined) items.push(item);
            bytesRead += keyBytes + end - start;
            isFull = bytesRead >= bytesMax;
            if (++visited === limit || isFull) this.#mark(key, keyBytes);
            return !isFull;
          },
        );
        if (visited < limit && !isFull) this.#isDone = true;
        else this.#goOn();
        if (isFull && items.length > 0) break;
      }
      return items;
    } catch (error) {
      throw levelError(error, this.#own === undefined ? undefined : 'LEVEL_ITERATOR_NOT_OPEN');
    }
  }

  #mark(key: Uint8Array, keyBytes: number): void {
    const last = this.#last;
    for (let at = 0; at < keyBytes; at++) last[at] = key[at]!;
    this.#lastBytes = keyBytes;
  }

  #goOn(): void {
    if (this.#reverse) this.#end = this.#last.subarray(0, this.#lastBytes);
    else {
      this.#last[this.#lastBytes] = 0;
      this.#start = this.#last.subarray(0, this.#lastBytes + 1);
    }
  }
}

function isEmpty(start: Uint8Array, end: Uint8Array): boolean {
  return compare(start, end) >= 0;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}
