/**
 * ThreadScanner: walks the entries of a range that a pinned (commit, time) sees, a leaf at a time.
 *
 * Each leaf is copied to private memory; the next one is found by a new descent to the separator behind it. So the walk depends on
 * nothing the owner may do in between, and costs one descent and one copy a leaf.
 *
 * Invariants
 * - Children in which nothing was written at or before the commit are left out whole.
 * - A key is given once: leaves split or merged between two steps are met again only behind the separator already passed.
 */

import { compareBytes } from '../../base/bytes.ts';
import { recordAt, searchPage, slotCount, slotKeyInto } from '../../tree/page.ts';
import { FOUND, NONE } from '../core.ts';
import type { Found } from '../lookup.ts';
import { KEY_BYTES_MAX } from '../options.ts';
import type { KeyRange } from '../types.ts';
import { AGAIN, NOTHING, WalkTarget } from './descent.ts';
import type { ThreadLookup } from './lookup.ts';

const NO_KEY = new Uint8Array(0);

export class ThreadScanner {
  /** The entry it stands on: key[0, keyBytes), and its version in `found`. */
  readonly key = new Uint8Array(KEY_BYTES_MAX + 4);
  keyBytes = 0;
  readonly found: Found;
  readonly #lookup: ThreadLookup;
  readonly #commit: number;
  readonly #timeMs: number;
  readonly #range: KeyRange;
  readonly #reverse: boolean;
  readonly #target = new WalkTarget();
  /** The leaf in private memory: entries index to end (or down to start) are still to come. */
  #leaf: Uint8Array | undefined;
  #index = 0;
  #edge = 0;
  /** Where the next leaf is sought. */
  readonly #next = new Uint8Array(KEY_BYTES_MAX + 4);
  #nextBytes = -1;
  #isLast = false;
  #isDone = false;

  constructor(lookup: ThreadLookup, commit: number, timeMs: number, range: KeyRange, reverse: boolean) {
    this.#lookup = lookup;
    this.found = lookup.found;
    this.#commit = commit;
    this.#timeMs = timeMs;
    this.#range = range;
    this.#reverse = reverse;
    this.#target.isBackward = reverse;
    this.#target.createdAfter = commit;
    const bound = reverse ? range.end : (range.start ?? NO_KEY);
    this.#target.key = bound ?? NO_KEY;
    this.#target.keyBytes = bound === undefined ? -1 : bound.length;
  }

  /** To the next entry seen: FOUND or NONE. */
  step(): number {
    const lookup = this.#lookup;
    // Another reader of the thread may have used the memory since: the leaf is brought in again.
    if (!lookup.begin(this) && this.#leaf !== undefined) this.#leaveBehindKey();
    for (;;) {
      if (this.#isDone) return NONE;
      if (this.#leaf === undefined) {
        this.#enterLeaf();
        continue;
      }
      if (this.#reverse ? this.#index < this.#edge : this.#index >= this.#edge) {
        this.#leaf = undefined;
        if (this.#isLast) this.#isDone = true;
        else this.#aim(this.#next, this.#nextBytes);
        continue;
      }
      const { pages, base } = lookup.descent;
      const state = lookup.entryAt(recordAt(pages, base, this.#index), this.#commit, this.#timeMs);
      if (state === AGAIN) {
        lookup.patience.again();
        this.#leaveBeforeEntry();
        continue;
      }
      // Only an entry read is progress: a leaf brought in again and again is not.
      lookup.patience.reset();
      if (state === FOUND) this.keyBytes = slotKeyInto(pages, base, this.#index, true, this.key);
      this.#index += this.#reverse ? -1 : 1;
      if (state === FOUND) return FOUND;
    }
  }

  /** The next step goes to the first entry at or behind the key, backwards to the last one before it. The key lies ahead. */
  skipTo(key: Uint8Array, keyBytes: number): void {
    this.#leaf = undefined;
    this.#aim(key, keyBytes);
  }

  /** Copies the next leaf that may hold something; `#leaf` stays undefined when there was none below this part of the tree. */
  #enterLeaf(): void {
    const lookup = this.#lookup;
    const { descent, patience } = lookup;
    const target = this.#target;
    const state = descent.walk(target);
    if (state === AGAIN || (state !== NOTHING && !descent.copyLeaf())) {
      patience.again();
      return;
    }
    this.#noteNext();
    if (state === NOTHING) {
      if (this.#isLast) this.#isDone = true;
      else this.#aim(this.#next, this.#nextBytes);
      return;
    }
    const { pages } = descent;
    const { start, end } = this.#range;
    const count = slotCount(pages, 0);
    let from = start === undefined ? 0 : positionOf(pages, start, start.length);
    let to = end === undefined ? count : positionOf(pages, end, end.length);
    if (target.keyBytes >= 0) {
      const at = positionOf(pages, target.key, target.keyBytes);
      if (this.#reverse) to = Math.min(to, at);
      else from = Math.max(from, at);
    }
    this.#leaf = pages.u8;
    this.#index = this.#reverse ? to - 1 : from;
    this.#edge = this.#reverse ? from : to;
  }

  /** Takes over the separator behind the leaf; beyond the range there is nothing more. */
  #noteNext(): void {
    const { descent } = this.#lookup;
    const bytes = this.#reverse ? descent.lowerBytes : descent.upperBytes;
    const key = this.#reverse ? descent.lower : descent.upper;
    this.#isLast = bytes < 0;
    if (this.#isLast) return;
    this.#next.set(key.subarray(0, bytes));
    this.#nextBytes = bytes;
    const bound = this.#reverse ? this.#range.start : this.#range.end;
    if (bound === undefined) return;
    const order = compareBytes(key, 0, bytes, bound, 0, bound.length);
    this.#isLast = this.#reverse ? order <= 0 : order >= 0;
  }

  #aim(key: Uint8Array, keyBytes: number): void {
    this.#target.key = key.slice(0, keyBytes);
    this.#target.keyBytes = keyBytes;
  }

  /** The leaf is gone: the walk goes on behind the key given last. */
  #leaveBehindKey(): void {
    this.#leaf = undefined;
    const { keyBytes } = this;
    if (this.#reverse) {
      this.#aim(this.key, keyBytes);
      return;
    }
    // The least key greater than this one.
    const key = new Uint8Array(keyBytes + 1);
    key.set(this.key.subarray(0, keyBytes));
    this.#target.key = key;
    this.#target.keyBytes = keyBytes + 1;
  }

  /** The leaf is brought in again at the entry that could not be read. */
  #leaveBeforeEntry(): void {
    const { pages, base } = this.#lookup.descent;
    const key = new Uint8Array(KEY_BYTES_MAX + 4);
    const keyBytes = slotKeyInto(pages, base, this.#index, true, key);
    this.#leaf = undefined;
    if (!this.#reverse) this.#aim(key, keyBytes);
    else this.#aim(key, keyBytes + 1);
  }
}

/** Index of the first entry of the copied leaf at or above the key. */
function positionOf(pages: Parameters<typeof searchPage>[0], key: Uint8Array, keyBytes: number): number {
  const found = searchPage(pages, 0, key, keyBytes, 0, 0);
  return found < 0 ? ~found : found;
}
