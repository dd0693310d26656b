/**
 * Read set and validation: what makes transactions serializable.
 *
 * A transaction reads a view (commit c, time t) and records everything examined: keys, found or missing, and ranges,
 * whether scanned, counted or only asked for their first entry. At commit it must be as if it had run at that moment:
 * nothing it examined may have changed since c, and nothing it saw alive may have expired since t.
 *
 * Invariants
 * - Keys are checked against the tree itself: the transaction's pin keeps a tombstone of everything deleted since c,
 *   so a changed key shows a commit above c. This check never grows old.
 * - Ranges are checked against the *window*: keys written since the oldest open transaction began. The window is
 *   bounded; a transaction with ranges that began before it gets TXN_TOO_OLD.
 * - A transaction that writes nothing is never validated: its view already is a serial order.
 *
 * Source: optimistic validation, Kung and Robinson 1981, with precision locking for ranges.
 * Specification: spec/transactions.md, "Serializability".
 */

import { compareBytes } from '../base/bytes.ts';

/** The last byte strings, kept as one-byte text so that they can be map keys. */
export function textOf(key: Uint8Array, keyBytes: number): string {
  let text = '';
  for (let at = 0; at < keyBytes; at++) text += String.fromCharCode(key[at]!);
  return text;
}

export interface ReadRange {
  start: Uint8Array | undefined;
  end: Uint8Array | undefined;
}

const RANGES_MAX = 100_000;

export class ReadSet {
  readonly keys = new Map<string, Uint8Array>();
  ranges: ReadRange[] = [];
  /** Earliest expiry among what was seen alive; Infinity for none. */
  earliestExpiry = Number.POSITIVE_INFINITY;

  addKey(key: Uint8Array, keyBytes: number): void {
    const text = textOf(key, keyBytes);
    if (!this.keys.has(text)) this.keys.set(text, key.slice(0, keyBytes));
  }

  /** Joins a range and gives it back, so that a scan can widen it as it goes on. */
  addRange(start: Uint8Array | undefined, end: Uint8Array | undefined): ReadRange {
    if (this.ranges.length >= RANGES_MAX) this.ranges = [{ start: undefined, end: undefined }]; // wider is safe
    const range = { start: start?.slice(), end: end?.slice() };
    this.ranges.push(range);
    return range;
  }

  sawExpiry(expiresAt: number): void {
    if (expiresAt > 0 && expiresAt < this.earliestExpiry) this.earliestExpiry = expiresAt;
  }
}

const WINDOW_BYTES_MAX = 8 * 1024 * 1024;

/** Keys written lately: a ring of (commit, key), kept only while transactions are open. */
export class WriteWindow {
  #commits: number[] = [];
  #keys: Uint8Array[] = [];
  #head = 0;
  #bytes = 0;
  /** Keys written at or before this commit are not in the window. */
  #since = 0;
  #open = 0;
  overflows = 0;

  /** A transaction begins at `applied`. */
  begin(applied: number): void {
    if (this.#open++ === 0) this.#clear(applied);
  }

  end(): void {
    if (--this.#open === 0) this.#clear(0);
  }

  get active(): boolean {
    return this.#open > 0;
  }

  #clear(since: number): void {
    this.#commits = [];
    this.#keys = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#since = since;
  }

  add(commit: number, key: Uint8Array, keyBytes: number): void {
    if (this.#open === 0) return;
    this.#commits.push(commit);
    this.#keys.push(key.slice(0, keyBytes));
    this.#bytes += keyBytes + 64;
    while (this.#bytes > WINDOW_BYTES_MAX) {
      this.#since = this.#commits[this.#head]!;
      this.#bytes -= this.#keys[this.#head]!.length + 64;
      this.#keys[this.#head] = EMPTY;
      this.#head++;
      this.overflows++;
    }
    if (this.#head > 1024 && this.#head * 2 > this.#keys.length) {
      this.#commits = this.#commits.slice(this.#head);
      this.#keys = this.#keys.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Does the window hold every write after `commit`? */
  covers(commit: number): boolean {
    return this.#since <= commit;
  }

  /** A key written after `commit` inside one of the ranges, or undefined. */
  firstIn(ranges: readonly ReadRange[], commit: number): Uint8Array | undefined {
    for (let at = this.#keys.length - 1; at >= this.#head; at--) {
      if (this.#commits[at]! <= commit) return undefined;
      const key = this.#keys[at]!;
      for (const { start, end } of ranges) {
        if (start !== undefined && compareBytes(key, 0, key.length, start, 0, start.length) < 0) continue;
        if (end !== undefined && compareBytes(key, 0, key.length, end, 0, end.length) >= 0) continue;
        return key;
      }
    }
    return undefined;
  }
}

const EMPTY = new Uint8Array(0);
