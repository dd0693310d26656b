/**
 * Descent: from the root to a leaf, hand over hand, while the owner may change anything.
 *
 * In shared memory: take the child's number from the parent, the child's frame, the child's version word; then look whether the
 * parent's word is still what it was. If so the child was the right one at that moment, and what is read of it is what it held then,
 * provided its own word has not moved when it is looked at again. The last look is the caller's ({@link isUnchanged}).
 *
 * A child that is not in memory has no descendant in memory, so the way goes on through the file alone, by place and checksum.
 *
 * Invariants
 * - Torn bytes lead to wrong numbers, never out of the memory or round in circles: levels count down, searches are clamped, array reads
 *   beyond the end give undefined, which fails every comparison.
 * - Nothing is allocated.
 *
 * Specification: spec/transactions.md, "Reading threads"; spec/invariants.md rule 23.
 */

import { INNER_CHILD_CHECKSUM, KEY_BYTES_MAX, SLOT_BYTES } from '../../pager/layout.ts';
import { LEAF_DEAD } from '../../tree/entry.ts';
import { knownBelow, type PageViews, recordAt, searchPage, slotCount, slotKeyInto } from '../../tree/page.ts';
import { scratchPage } from '../../tree/rebuild.ts';
import { earliestExpiryAt, liveCountAt, smallestFirstCommitAt } from '../../tree/summary.ts';
import { FLUSHES, heightOf, ROOT, ROOT_GOES, rootLpnOf } from './control.ts';
import type { SharedMemory } from './memory.ts';
import type { Patience } from './patience.ts';
import type { StoredPages } from './stored-pages.ts';

export const AGAIN = -1;
/** The tree has no pages, or the walk no child that is wanted. */
export const NOTHING = 0;
export const AT_LEAF = 1;

const TWO_32 = 0x1_0000_0000;
const NO_KEY = new Uint8Array(0);

/** Which leaf a walk looks for, and which children it may leave out. */
export class WalkTarget {
  /** bytes = −1: beyond everything. */
  key: Uint8Array = NO_KEY;
  keyBytes = 0;
  /** The leaf of the last key below the given one, instead of that of the first key at or above. */
  isBackward = false;
  /** Leave out children in which nothing was written at or before this commit. */
  createdAfter = Number.MAX_SAFE_INTEGER;
  /** Only children with an expiry at or before this time. */
  expiringBefore = Number.MAX_SAFE_INTEGER;
}

export class Descent {
  /** The leaf found: its views, its first byte, and in shared memory its frame and word (−1 in a page read from the file). */
  pages: PageViews;
  base = 0;
  frame = -1;
  word = 0;
  /** Flushes done when the descent began: pages it names are not reused before two more are done. */
  flushes = 0;
  /** Set by walks: the separators around the leaf, −1 = none; and the live entries before it. */
  readonly lower = new Uint8Array(KEY_BYTES_MAX + 4);
  lowerBytes = -1;
  readonly upper = new Uint8Array(KEY_BYTES_MAX + 4);
  upperBytes = -1;
  liveBefore = 0;
  /** Private memory for {@link copyLeaf}. */
  readonly image: PageViews;
  readonly #memory: SharedMemory;
  readonly #stored: StoredPages;
  readonly #patience: Patience;

  constructor(memory: SharedMemory, stored: StoredPages, patience: Patience) {
    this.#memory = memory;
    this.#stored = stored;
    this.#patience = patience;
    this.pages = memory;
    this.image = scratchPage(memory.pageBytes);
  }

  /** To the leaf where the key stands or would stand. NOTHING: the tree is empty. */
  toLeaf(key: Uint8Array, keyBytes: number): number {
    const memory = this.#memory;
    const { control, versions, frameOf, ref, pageBytes, u32 } = memory;
    this.flushes = control[FLUSHES]!;
    const root = Atomics.load(control, ROOT);
    if (root === 0) return NOTHING;
    if (root === ROOT_GOES) return this.#again(-1);
    let lpn = rootLpnOf(root);
    let level = heightOf(root) - 1;
    let frame = frameOf[lpn]!;
    if (!(frame >= 0)) return this.#fromStored(lpn, level, control, ROOT, root, key, keyBytes);
    let word = Atomics.load(versions, frame);
    if ((word & 1) !== 0 || frameOf[lpn] !== frame || Atomics.load(control, ROOT) !== root) return this.#again(frame);
    let known = 0;
    for (; level > 0; level--) {
      if (ref[frame] === 0) ref[frame] = 1;
      const base = frame * pageBytes;
      let index = searchPage(memory, base, key, keyBytes, 1, known);
      if (index < 0) index = ~index - 1;
      known = knownBelow(memory, base, index, known);
      lpn = u32[recordAt(memory, base, index) / 4]!;
      const child = frameOf[lpn]!;
      if (!(child >= 0)) return this.#fromStored(lpn, level - 1, versions, frame, word, key, keyBytes);
      const childWord = Atomics.load(versions, child);
      if (frameOf[lpn] !== child || Atomics.load(versions, frame) !== word || (childWord & 1) !== 0) return this.#again(child);
      frame = child;
      word = childWord;
    }
    if (ref[frame] === 0) ref[frame] = 1;
    this.pages = memory;
    this.base = frame * pageBytes;
    this.frame = frame;
    this.word = word;
    return AT_LEAF;
  }

  /** True while everything read of the leaf may be believed. */
  isUnchanged(): boolean {
    if (this.frame < 0 || Atomics.load(this.#memory.versions, this.frame) === this.word) return true;
    this.#patience.frame = this.frame;
    return false;
  }

  /** Moves the leaf to private memory, where it can be read at leisure. False: it changed meanwhile. */
  copyLeaf(): boolean {
    const { image, pages, base } = this;
    image.u8.set(pages.u8.subarray(base, base + image.pageBytes));
    if (!this.isUnchanged()) return false;
    this.#memory.counters.leafCopies++;
    this.pages = image;
    this.base = 0;
    this.frame = -1;
    return true;
  }

  #again(frame: number): number {
    this.#patience.frame = frame;
    return AGAIN;
  }

  /** Place and checksum of a page that is not in memory; −1 when it is by now, or its parent (`guards[at]` = `word`) changed. */
  #placeOf(lpn: number, guards: Int32Array, at: number, word: number): number {
    const { frameOf, placeLow, placeHigh, checksum } = this.#memory;
    if (!(lpn < frameOf.length)) return -1;
    const place = placeHigh[lpn]! * TWO_32 + placeLow[lpn]!;
    this.#checksum = checksum[lpn]!;
    return Atomics.load(frameOf, lpn) < 0 && Atomics.load(guards, at) === word ? place : -1;
  }

  #checksum = 0;

  #fromStored(lpn: number, level: number, guards: Int32Array, at: number, word: number, key: Uint8Array, keyBytes: number): number {
    const stored = this.#stored;
    let place = this.#placeOf(lpn, guards, at, word);
    if (place < 0) return this.#again(-1);
    let checksum = this.#checksum;
    for (;;) {
      const base = stored.read(place, checksum, level);
      if (base < 0) return this.#stale();
      if (level === 0) return this.#settleStored(base);
      let index = searchPage(stored, base, key, keyBytes, 1, 0);
      if (index < 0) index = ~index - 1;
      const record = recordAt(stored, base, index);
      place = childPlaceAt(stored, record);
      checksum = stored.u32[(record + INNER_CHILD_CHECKSUM) / 4]!;
      level--;
    }
  }

  #stale(): number {
    this.#patience.reason = this.#stored.reason;
    return this.#again(-1);
  }

  #settleStored(base: number): number {
    this.pages = this.#stored;
    this.base = base;
    this.frame = -1;
    return AT_LEAF;
  }

  /**
   * As {@link toLeaf} for walks: also notes the separators around the leaf and the live entries before it, and leaves out unwanted
   * children. NOTHING: none is wanted below the page it came to; go on behind {@link upper} (or before {@link lower}).
   */
  walk(target: WalkTarget): number {
    const memory = this.#memory;
    const { control, versions, frameOf, ref, pageBytes, u32 } = memory;
    this.flushes = control[FLUSHES]!;
    this.lowerBytes = -1;
    this.upperBytes = -1;
    this.liveBefore = 0;
    const root = Atomics.load(control, ROOT);
    if (root === 0) return NOTHING;
    if (root === ROOT_GOES) return this.#again(-1);
    let lpn = rootLpnOf(root);
    let level = heightOf(root) - 1;
    let frame = frameOf[lpn]!;
    if (!(frame >= 0)) return this.#walkStored(lpn, level, control, ROOT, root, target);
    let word = Atomics.load(versions, frame);
    if ((word & 1) !== 0 || frameOf[lpn] !== frame || Atomics.load(control, ROOT) !== root) return this.#again(frame);
    for (; level > 0; level--) {
      if (ref[frame] === 0) ref[frame] = 1;
      const base = frame * pageBytes;
      const index = this.#choose(memory, base, target);
      if (index < 0) return Atomics.load(versions, frame) === word ? NOTHING : this.#again(frame);
      lpn = u32[recordAt(memory, base, index) / 4]!;
      const child = frameOf[lpn]!;
      if (!(child >= 0)) return this.#walkStored(lpn, level - 1, versions, frame, word, target);
      const childWord = Atomics.load(versions, child);
      if (frameOf[lpn] !== child || Atomics.load(versions, frame) !== word || (childWord & 1) !== 0) return this.#again(child);
      frame = child;
      word = childWord;
    }
    if (ref[frame] === 0) ref[frame] = 1;
    this.pages = memory;
    this.base = frame * pageBytes;
    this.frame = frame;
    this.word = word;
    return AT_LEAF;
  }

  #walkStored(lpn: number, level: number, guards: Int32Array, at: number, word: number, target: WalkTarget): number {
    const stored = this.#stored;
    let place = this.#placeOf(lpn, guards, at, word);
    if (place < 0) return this.#again(-1);
    let checksum = this.#checksum;
    for (;;) {
      const base = stored.read(place, checksum, level);
      if (base < 0) return this.#stale();
      if (level === 0) return this.#settleStored(base);
      const index = this.#choose(stored, base, target);
      if (index < 0) return NOTHING;
      const record = recordAt(stored, base, index);
      place = childPlaceAt(stored, record);
      checksum = stored.u32[(record + INNER_CHILD_CHECKSUM) / 4]!;
      level--;
    }
  }

  /** The child to go on with, −1 for none; notes its separators and what lives before it. */
  #choose(pages: PageViews, base: number, target: WalkTarget): number {
    const count = Math.min(slotCount(pages, base), Math.floor(pages.pageBytes / SLOT_BYTES));
    let index = count - 1;
    if (target.keyBytes >= 0) {
      index = searchPage(pages, base, target.key, target.keyBytes, 1, 0);
      if (index < 0) index = ~index - 1;
      else if (target.isBackward) index--;
    }
    const step = target.isBackward ? -1 : 1;
    while (index >= 0 && index < count && !isWanted(pages, recordAt(pages, base, index), target)) index += step;
    if (!(index >= 0 && index < count)) return -1;
    for (let i = 0; i < index; i++) this.liveBefore += liveCountAt(pages, recordAt(pages, base, i));
    if (index > 0) this.lowerBytes = slotKeyInto(pages, base, index, false, this.lower);
    if (index + 1 < count) this.upperBytes = slotKeyInto(pages, base, index + 1, false, this.upper);
    return index;
  }

  /** Live entries of the leaf with a key below the given one (keyBytes −1: all of them). */
  liveInLeaf(key: Uint8Array, keyBytes: number): number {
    const { pages, base } = this;
    let end = Math.min(slotCount(pages, base), Math.floor(pages.pageBytes / SLOT_BYTES));
    if (keyBytes >= 0) {
      const found = searchPage(pages, base, key, keyBytes, 0, 0);
      end = Math.min(end, found < 0 ? ~found : found);
    }
    let live = 0;
    for (let i = 0; i < end; i++) if ((pages.u16[recordAt(pages, base, i) / 2]! & LEAF_DEAD) === 0) live++;
    return live;
  }
}

function isWanted(pages: PageViews, record: number, target: WalkTarget): boolean {
  if (target.createdAfter !== Number.MAX_SAFE_INTEGER && smallestFirstCommitAt(pages, record) > target.createdAfter) return false;
  if (target.expiringBefore === Number.MAX_SAFE_INTEGER) return true;
  const expiry = earliestExpiryAt(pages, record);
  return expiry !== 0 && expiry <= target.expiringBefore;
}

/** Physical page of a child in disk form. */
function childPlaceAt(pages: PageViews, record: number): number {
  return pages.u32[record / 4]! + pages.u16[record / 2 + 2]! * TWO_32;
}
