/**
 * Cursor: walks the entries in key order, both directions, over pages that may be missing.
 *
 * Every movement returns FOUND (it stands on an entry, `location` is set), END (nothing further; it stands nowhere) or
 * MISS (load `tree.missed` and call the *same* movement again).
 *
 * Invariants
 * - `next` and `previous` touch only the current leaf until it ends: about 8 ns.
 * - A modification of the tree or an evicted leaf makes the position void; using it then is a bug and throws. Whoever
 *   may cause either calls {@link save} first: the position is then kept as a key, and the next movement finds its way back.
 * - On a MISS in the middle of a walk the cursor saves itself.
 * - Skip options leave out whole children by their summaries; single entries inside a visited leaf are not filtered.
 *   The bounds are conservative, so a child may be visited in vain, never left out wrongly.
 * - Range bounds cost one search per leaf and nothing per entry.
 *
 * Specification: spec/file-format.md, "Tree nodes".
 */

import { compareBytes } from '../base/bytes.ts';
import { invariant, SteleError } from '../base/errors.ts';
import { KEY_BYTES_MAX, LEVEL_MAX } from '../pager/layout.ts';
import type { PageSource } from '../pager/page-source.ts';
import { LEAF_DEAD } from './entry.ts';
import { recordAt, searchPage, slotCount, slotKeyInto, slotsWord } from './page.ts';
import { END, FOUND, MISS } from './results.ts';
import type { TreeState } from './state.ts';
import { childLpnAt, earliestExpiryAt, liveCountAt, smallestFirstCommitAt } from './summary.ts';

export interface CursorOptions {
  /** Leave out children whose live count is 0. */
  readonly skipDead?: boolean;
  /** Leave out children in which every entry's firstCommit is later than this commit. */
  readonly createdAfter?: number;
  /** Visit only children with an unswept expiry at or before this time. */
  readonly expiringBefore?: number;
  /** Many entries will be visited: bring each leaf into the processor's cache as a whole. */
  readonly readAhead?: boolean;
}

/** Words of a cache line. */
const LINE_WORDS = 16;

/** Where a cursor stands: nowhere, on an entry, or where the saved key was. */
const NOWHERE = 0;
const ON_ENTRY = 1;
const SAVED = 2;

const NO_KEY = new Uint8Array(0);

export class Cursor {
  /** Byte offset of the entry it stands on. */
  location = 0;
  readonly #tree: TreeState;
  readonly #pages: PageSource;
  readonly #frameOf: Int32Array;
  readonly #u32: Uint32Array;
  readonly #lpns = new Int32Array(LEVEL_MAX + 2);
  readonly #frames = new Int32Array(LEVEL_MAX + 2);
  readonly #indexes = new Int32Array(LEVEL_MAX + 2);
  #state = NOWHERE;
  #height = 0;
  /** The tree's count when the position was taken; −1 whenever it does not stand on an entry. */
  #modifications = -1;
  // The current leaf.
  #leafLpn = -1;
  #leafFrame = -1;
  #base = 0;
  #index = 0;
  /** First slot after the range, first slot of the range. */
  #limit = 0;
  #start = 0;
  #slots = 0;
  // Options and bounds.
  #isFiltering = false;
  #isReadingAhead = false;
  /** Keeps the loads of #readAhead from being optimised away. */
  readAhead = 0;
  #skipDead = false;
  #createdAfter = Number.MAX_SAFE_INTEGER;
  #expiringBefore = Number.MAX_SAFE_INTEGER;
  #lower: Uint8Array = NO_KEY;
  #lowerBytes = 0;
  #upper: Uint8Array = NO_KEY;
  #upperBytes = -1;
  readonly #savedKey = new Uint8Array(KEY_BYTES_MAX + 4);
  #savedBytes = 0;
  readonly #edgeKey = new Uint8Array(KEY_BYTES_MAX + 4);
  readonly #progressKey = new Uint8Array(KEY_BYTES_MAX + 4);

  constructor(tree: TreeState) {
    this.#tree = tree;
    this.#pages = tree.pages;
    this.#frameOf = tree.pages.frameOf;
    this.#u32 = tree.pages.u32;
  }

  /** Sets the skip options; those left out are off. The position is given up. */
  setOptions(options: CursorOptions): void {
    this.#skipDead = options.skipDead ?? false;
    this.#createdAfter = options.createdAfter ?? Number.MAX_SAFE_INTEGER;
    this.#expiringBefore = options.expiringBefore ?? Number.MAX_SAFE_INTEGER;
    this.#isReadingAhead = options.readAhead === true;
    this.#isFiltering = this.#skipDead || options.createdAfter !== undefined || options.expiringBefore !== undefined;
    this.#leave(NOWHERE);
  }

  /**
   * Restricts the walk to lower ≤ key < upper, the first bytes of arrays; undefined = no bound. The arrays are not copied: they must
   * stay unchanged while the cursor is used. Movements answer END beyond the bounds. The position is given up.
   */
  setRange(
    lower: Uint8Array | undefined,
    upper: Uint8Array | undefined,
    lowerBytes = lower === undefined ? 0 : lower.length,
    upperBytes = upper === undefined ? -1 : upper.length,
  ): void {
    this.#lower = lower ?? NO_KEY;
    this.#lowerBytes = lowerBytes;
    this.#upper = upper ?? NO_KEY;
    this.#upperBytes = upperBytes;
    this.#leave(NOWHERE);
  }

  /** To the first entry with a key ≥ the given one (and within the range). */
  seek(key: Uint8Array, keyBytes: number): number {
    const result = this.#descend(key, keyBytes);
    if (result !== FOUND) return result;
    this.#readAhead();
    const found = searchPage(this.#pages, this.#base, key, keyBytes, 0, 0);
    this.#index = Math.max(found < 0 ? ~found : found, this.#start);
    if (this.#index < this.#limit) return this.#stand();
    return this.#cross(1, false, key, keyBytes);
  }

  /** To the last entry with a key < the given one (and within the range). */
  seekBefore(key: Uint8Array, keyBytes: number): number {
    const result = this.#descend(key, keyBytes);
    if (result !== FOUND) return result;
    const found = searchPage(this.#pages, this.#base, key, keyBytes, 0, 0);
    this.#index = Math.min(found < 0 ? ~found : found, this.#limit) - 1;
    if (this.#index >= this.#start) return this.#stand();
    return this.#cross(-1, false, key, keyBytes);
  }

  /** To the first entry (of the range). */
  seekFirst(): number {
    return this.seek(this.#lower, this.#lowerBytes);
  }

  /** To the last entry (of the range). */
  seekLast(): number {
    if (this.#upperBytes >= 0) return this.seekBefore(this.#upper, this.#upperBytes);
    const result = this.#descend(NO_KEY, -1);
    if (result !== FOUND) return result;
    this.#index = this.#limit - 1;
    if (this.#index >= this.#start) return this.#stand();
    return this.#cross(-1, false, NO_KEY, -1);
  }

  /** To the n-th live entry of the tree, from 0; knows nothing of range and skip options. END when there are fewer. */
  seekLive(n: number): number {
    const pages = this.#pages;
    const tree = this.#tree;
    this.#begin();
    if (tree.height === 0 || n < 0 || n >= tree.liveCount) return END;
    let lpn = tree.rootLpn;
    let rest = n;
    for (let level = tree.height - 1; level > 0; level--) {
      if (!this.#enter(level, lpn)) return MISS;
      const base = this.#frames[level]! * pages.pageBytes;
      const count = slotCount(pages, base);
      let index = 0;
      for (; index < count; index++) {
        const live = liveCountAt(pages, recordAt(pages, base, index));
        if (rest < live) break;
        rest -= live;
      }
      if (index === count) throw miscounted(lpn);
      this.#indexes[level] = index;
      lpn = childLpnAt(pages, recordAt(pages, base, index));
    }
    if (!this.#enter(0, lpn)) return MISS;
    this.#openLeaf();
    const count = slotCount(pages, this.#base);
    for (let i = 0; i < count; i++) {
      if ((pages.u16[recordAt(pages, this.#base, i) / 2]! & LEAF_DEAD) !== 0) continue;
      if (rest-- > 0) continue;
      this.#index = i;
      return this.#stand();
    }
    throw miscounted(lpn);
  }

  /** To the following entry. */
  next(): number {
    if (this.#modifications !== this.#tree.modifications || this.#frameOf[this.#leafLpn] !== this.#leafFrame) return this.#resume(1);
    const index = this.#index + 1;
    if (index >= this.#limit) return this.#cross(1, true, this.#edgeKey, this.#takeEdge());
    this.#index = index;
    this.location = this.#base + (this.#u32[this.#slots + index * 2 + 1]! & 0xffff);
    return FOUND;
  }

  /** To the entry before. */
  previous(): number {
    if (this.#modifications !== this.#tree.modifications || this.#frameOf[this.#leafLpn] !== this.#leafFrame) return this.#resume(-1);
    const index = this.#index - 1;
    if (index < this.#start) return this.#cross(-1, true, this.#edgeKey, this.#takeEdge());
    this.#index = index;
    this.location = this.#base + (this.#u32[this.#slots + index * 2 + 1]! & 0xffff);
    return FOUND;
  }

  /**
   * Keeps the position by key. To be called before anything may load a page or change the tree; the next movement goes
   * on from there, also when the entry itself has gone. `location` is void until then.
   */
  save(): void {
    if (this.#state !== ON_ENTRY) return;
    this.#savedBytes = slotKeyInto(this.#pages, this.#base, this.#index, true, this.#savedKey);
    this.#leave(SAVED);
  }

  /** After {@link save}: stands on the same entry again. END when it has gone (the position stays saved), MISS as ever. */
  restore(): number {
    if (this.#state === ON_ENTRY) return FOUND;
    if (this.#state !== SAVED) return END;
    const result = this.#descend(this.#savedKey, this.#savedBytes);
    this.#leave(SAVED);
    if (result !== FOUND) return result;
    const found = searchPage(this.#pages, this.#base, this.#savedKey, this.#savedBytes, 0, 0);
    if (found < 0) return END;
    this.#index = found;
    return this.#stand();
  }

  /** Copies the key of the current entry to `target` and returns its length. */
  keyInto(target: Uint8Array): number {
    return slotKeyInto(this.#pages, this.#base, this.#index, true, target);
  }

  /** Goes on from the saved key; anything else is a bug of the caller. */
  #resume(direction: number): number {
    if (this.#state === NOWHERE) return END;
    invariant(this.#state === SAVED, 'a cursor was moved after the tree had changed or its leaf was evicted');
    const result = direction > 0 ? this.#seekAfterSaved() : this.seekBefore(this.#savedKey, this.#savedBytes);
    if (result === MISS) this.#leave(SAVED);
    return result;
  }

  #seekAfterSaved(): number {
    const result = this.#descend(this.#savedKey, this.#savedBytes);
    if (result !== FOUND) return result;
    const found = searchPage(this.#pages, this.#base, this.#savedKey, this.#savedBytes, 0, 0);
    this.#index = Math.max(found < 0 ? ~found : found + 1, this.#start);
    if (this.#index < this.#limit) return this.#stand();
    return this.#cross(1, false, this.#savedKey, this.#savedBytes);
  }

  #begin(): void {
    this.#leave(NOWHERE);
    this.#height = this.#tree.height;
  }

  #leave(state: number): void {
    this.#state = state;
    this.#modifications = -1;
  }

  /** Down to the leaf of the key (keyBytes −1: the last leaf). FOUND, MISS, or END for an empty tree. */
  #descend(key: Uint8Array, keyBytes: number): number {
    const pages = this.#pages;
    this.#begin();
    if (this.#height === 0) return END;
    let lpn = this.#tree.rootLpn;
    for (let level = this.#height - 1; level > 0; level--) {
      if (!this.#enter(level, lpn)) return MISS;
      const base = this.#frames[level]! * pages.pageBytes;
      let index = keyBytes < 0 ? slotCount(pages, base) - 1 : searchPage(pages, base, key, keyBytes, 1, 0);
      if (index < 0) index = ~index - 1;
      this.#indexes[level] = index;
      lpn = childLpnAt(pages, recordAt(pages, base, index));
    }
    if (!this.#enter(0, lpn)) return MISS;
    this.#openLeaf();
    this.#bound();
    return FOUND;
  }

  #enter(level: number, lpn: number): boolean {
    const frame = this.#pages.frameOf[lpn]!;
    if (!(frame >= 0)) {
      this.#tree.missed = lpn;
      return false;
    }
    this.#pages.ref[frame] = 1;
    this.#lpns[level] = lpn;
    this.#frames[level] = frame;
    return true;
  }

  /**
   * Reads a word of every cache line of the leaf: the records lie in no order, and each would be waited for alone. Measured at a million
   * entries: a range of 50 takes 10 µs instead of 13.
   */
  #readAhead(): void {
    if (!this.#isReadingAhead) return;
    const u32 = this.#u32;
    const end = (this.#base + this.#pages.pageBytes) / 4;
    let read = 0;
    for (let at = this.#base / 4; at < end; at += LINE_WORDS) read ^= u32[at]!;
    this.readAhead = read;
  }

  #openLeaf(): void {
    const pages = this.#pages;
    this.#leafLpn = this.#lpns[0]!;
    this.#leafFrame = this.#frames[0]!;
    this.#base = this.#leafFrame * pages.pageBytes;
    this.#slots = slotsWord(pages, this.#base);
    this.#start = 0;
    this.#limit = slotCount(pages, this.#base);
  }

  /** Narrows the current leaf to the range. */
  #bound(): void {
    if (this.#upperBytes >= 0) {
      const found = searchPage(this.#pages, this.#base, this.#upper, this.#upperBytes, 0, 0);
      this.#limit = found < 0 ? ~found : found;
    }
    if (this.#lowerBytes > 0) {
      const found = searchPage(this.#pages, this.#base, this.#lower, this.#lowerBytes, 0, 0);
      this.#start = found < 0 ? ~found : found;
    }
  }

  #stand(): number {
    this.location = recordAt(this.#pages, this.#base, this.#index);
    this.#state = ON_ENTRY;
    this.#modifications = this.#tree.modifications;
    return FOUND;
  }

  /** The key of the current entry into #edgeKey; its length. */
  #takeEdge(): number {
    return slotKeyInto(this.#pages, this.#base, this.#index, true, this.#edgeKey);
  }

  /**
   * To the next leaf in this direction that holds something of the range. `isOnEntry`: a MISS saves the position first.
   *
   * @param from what the new key must lie behind, in this direction; `fromBytes` −1: nothing.
   */
  #cross(direction: number, isOnEntry: boolean, from: Uint8Array, fromBytes: number): number {
    this.#climbFrom = 1;
    for (;;) {
      // A bound inside this leaf ends the walk.
      if (direction > 0 ? this.#limit < slotCount(this.#pages, this.#base) : this.#start > 0) return this.#finish();
      const level = this.#climb(direction);
      if (level < 0) return this.#finish();
      const result = this.#descendEdge(level, direction);
      if (result === MISS) {
        if (isOnEntry) {
          this.#savedKey.set(from.subarray(0, fromBytes));
          this.#savedBytes = fromBytes;
        }
        this.#leave(isOnEntry ? SAVED : NOWHERE);
        return MISS;
      }
      if (result === END) continue;
      this.#openLeaf();
      this.#readAhead();
      this.#bound();
      this.#index = direction > 0 ? this.#start : this.#limit - 1;
      if (this.#start >= this.#limit) continue;
      if (fromBytes >= 0) this.#checkProgress(direction, from, fromBytes);
      return this.#stand();
    }
  }

  /**
   * Leaves in order are what makes every walk end: it may give up its place and come back by key. Pages are believed to be in order
   * in themselves (page-check.ts), not to follow each other.
   */
  #checkProgress(direction: number, from: Uint8Array, fromBytes: number): void {
    const key = this.#progressKey;
    const keyBytes = slotKeyInto(this.#pages, this.#base, this.#index, true, key);
    const order = compareBytes(key, 0, keyBytes, from, 0, fromBytes);
    if (direction > 0 ? order > 0 : order < 0) return;
    this.#leave(NOWHERE);
    throw new SteleError('corrupt', 'PAGE_INVALID', 'the keys of a leaf do not follow those of the leaf before', {
      detail: { lpn: this.#leafLpn },
    });
  }

  #finish(): number {
    this.#leave(NOWHERE);
    return END;
  }

  /** Moves to the next wanted child at the lowest level that has one; its level, or −1. */
  #climb(direction: number): number {
    for (let level = this.#climbFrom; level < this.#height; level++) {
      const index = this.#wanted(level, this.#indexes[level]! + direction, direction);
      if (index >= 0) {
        this.#indexes[level] = index;
        return level;
      }
    }
    return -1;
  }

  /** Level from which the next climb starts: 1, or higher after a descent that found only unwanted children. */
  #climbFrom = 1;

  /** Down along the edge from the chosen child at `level`. END when a page on the way has no wanted child. */
  #descendEdge(level: number, direction: number): number {
    const pages = this.#pages;
    this.#climbFrom = 1;
    for (let l = level; l > 0; l--) {
      const base = this.#frames[l]! * pages.pageBytes;
      if (!this.#enter(l - 1, childLpnAt(pages, recordAt(pages, base, this.#indexes[l]!)))) return MISS;
      if (l === 1) return FOUND;
      const childBase = this.#frames[l - 1]! * pages.pageBytes;
      const index = this.#wanted(l - 1, direction > 0 ? 0 : slotCount(pages, childBase) - 1, direction);
      if (index < 0) {
        this.#climbFrom = l;
        return END;
      }
      this.#indexes[l - 1] = index;
    }
    return FOUND;
  }

  /** First wanted child of the path's page at `level` from `index` on in this direction, or −1. */
  #wanted(level: number, index: number, direction: number): number {
    const pages = this.#pages;
    const base = this.#frames[level]! * pages.pageBytes;
    const count = slotCount(pages, base);
    for (let i = index; i >= 0 && i < count; i += direction) {
      if (!this.#isFiltering || this.#isWanted(recordAt(pages, base, i))) return i;
    }
    return -1;
  }

  #isWanted(record: number): boolean {
    const pages = this.#pages;
    if (this.#skipDead && liveCountAt(pages, record) === 0) return false;
    if (smallestFirstCommitAt(pages, record) > this.#createdAfter) return false;
    if (this.#expiringBefore === Number.MAX_SAFE_INTEGER) return true;
    const expiry = earliestExpiryAt(pages, record);
    return expiry !== 0 && expiry <= this.#expiringBefore;
  }
}

/** The counts in inner pages are exact, unless a page that is whole by its checksum lies. */
function miscounted(lpn: number): SteleError {
  return new SteleError('corrupt', 'PAGE_INVALID', 'the live counts of a page do not add up', { detail: { lpn } });
}
