/**
 * Accelerator: a hash index over the leaf records in memory.
 *
 * Extendible hashing: the top bits of a key's hash choose a sub-table through the directory, the low bits a slot in it;
 * linear probing inside the sub-table. A sub-table that fills is split by one more bit, so growth moves a few thousand
 * slots at a time and never pauses the writer for long.
 *
 *   slot, 8 bytes:  0 u32 tag = the whole hash · 4 u32 location / 4, 0 = empty
 *
 * Invariants
 * - It is a cache, never the truth: an answer is compared with the whole key in the page.
 * - For every *indexed* leaf (state byte of its frame) each record has exactly one slot, and no slot points anywhere
 *   else: whoever moves, adds or removes a record of such a leaf says so, and a frame is forgotten before it is reused.
 * - It answers "absent" only while every leaf of the tree is indexed.
 * - A leaf is indexed after it was searched often enough, so a cold page costs nothing; or by the engine, in the background.
 * - When the memory is used up or a sub-table cannot be split, leaves are left out; everything still works.
 */

import { LEAF_SUFFIX_BYTES, PAGE_PREFIX, PAGE_PREFIX_BYTES } from '../pager/layout.ts';
import type { PageSource } from '../pager/page-source.ts';
import { hashKey } from './hash.ts';
import type { PageViews } from './page.ts';
import { leafSuffixOffset, recordAt, slotCount, slotKeyInto } from './page.ts';
import { ABSENT } from './results.ts';

/** The accelerator does not know: ask the tree. */
export const UNKNOWN = -3;

/** Most keys of one staged lookup. */
export const STAGE_KEYS = 128;

/** Words of a cache line. */
const TOUCH_WORDS = 16;

const SUB_SLOTS = 4096;
const SUB_MASK = SUB_SLOTS - 1;
const SUB_WORDS = SUB_SLOTS * 2;
const SUB_BYTES = SUB_SLOTS * 8;
/** A sub-table is split at this many used slots, and never filled beyond the second figure. */
const SUB_SPLIT = Math.floor(SUB_SLOTS * 0.8);
const SUB_FULL = Math.floor(SUB_SLOTS * 0.95);
const DEPTH_MAX = 24;
/** State byte of a frame: indexed; smaller values count searches. */
const INDEXED = 255;

export interface AcceleratorOptions {
  /** Memory it may grow to: reserved now, committed as it is used. */
  readonly bytesMax: number;
  /** Any u32 from the host's randomness. */
  readonly seed: number;
  /** Searches through the tree before a leaf is indexed, 1 to 254; default 8. */
  readonly searchesBefore?: number;
}

export class Accelerator {
  /** Records it knows. */
  count = 0;
  /** Leaves that are indexed. */
  indexedLeaves = 0;
  /** Leaves that came to be without being entered; only grows. */
  leftOut = 0;
  readonly #pages: PageSource;
  readonly #seed: number;
  readonly #searchesBefore: number;
  readonly #frameShift: number;
  readonly #state: Uint8Array;
  readonly #slab: Uint32Array;
  readonly #tableMax: number;
  /** By sub-table: used slots and how many hash bits it was split by. */
  readonly #used: Uint16Array;
  readonly #depthOf: Uint8Array;
  #tableCount = 0;
  #directory = new Int32Array(2);
  #shift = 31;
  readonly #key = new Uint8Array(1104);
  // Stages of findMany.
  readonly #tags = new Uint32Array(STAGE_KEYS);
  readonly #candidates = new Uint32Array(STAGE_KEYS);
  readonly #lengths = new Uint32Array(STAGE_KEYS);
  /** Keeps loads for the sake of a cache line from being optimised away. */
  touched = 0;

  constructor(pages: PageSource, options: AcceleratorOptions) {
    this.#pages = pages;
    this.#seed = options.seed >>> 0;
    this.#searchesBefore = Math.min(Math.max(options.searchesBefore ?? 8, 1), 254);
    this.#frameShift = 31 - Math.clz32(pages.pageBytes) - 2;
    this.#state = new Uint8Array(pages.ref.length);
    this.#tableMax = Math.max(2, Math.floor(options.bytesMax / SUB_BYTES));
    this.#slab = new Uint32Array(this.#tableMax * SUB_WORDS);
    this.#used = new Uint16Array(this.#tableMax);
    this.#depthOf = new Uint8Array(this.#tableMax);
    this.#reset();
  }

  /** Bytes in use by sub-tables. */
  bytes(): number {
    return this.#tableCount * SUB_BYTES;
  }

  /** Forgets everything; it fills again as leaves are searched. */
  clear(): void {
    this.#slab.fill(0, 0, this.#tableCount * SUB_WORDS);
    this.#state.fill(0);
    this.#reset();
  }

  #reset(): void {
    this.count = 0;
    this.indexedLeaves = 0;
    this.#tableCount = 2;
    this.#used.fill(0);
    this.#depthOf[0] = 1;
    this.#depthOf[1] = 1;
    this.#directory = Int32Array.of(0, 1);
    this.#shift = 31;
  }

  isIndexed(frame: number): boolean {
    return this.#state[frame] === INDEXED;
  }

  /** A leaf came to be and was not entered: somebody may do so later. */
  leaveOut(): void {
    this.leftOut++;
  }

  /** Marks a leaf whose records the caller has entered or taken out. */
  setIndexed(frame: number, isIndexed: boolean): void {
    if (isIndexed !== (this.#state[frame] === INDEXED)) this.indexedLeaves += isIndexed ? 1 : -1;
    this.#state[frame] = isIndexed ? INDEXED : 0;
  }

  /** The pager is about to give this frame away; the page is still in it. */
  onEvict(frame: number): void {
    if (this.#state[frame] === INDEXED) this.#forgetLeaf(frame);
    else this.#state[frame] = 0;
  }

  /** Location, ABSENT or UNKNOWN. `leafCount` −1: not known. */
  find(key: Uint8Array, keyBytes: number, leafCount: number): number {
    const tag = hashKey(key, keyBytes, this.#seed);
    const slab = this.#slab;
    const start = this.#directory[tag >>> this.#shift]! * SUB_WORDS;
    let slot = tag & SUB_MASK;
    for (;;) {
      const word = start + slot * 2;
      const quarter = slab[word + 1]!;
      if (quarter === 0) return this.indexedLeaves === leafCount ? ABSENT : UNKNOWN;
      if (slab[word] === tag) {
        const frame = quarter >>> this.#frameShift;
        // The lines behind the first, where the value lies, are fetched while the key is compared: a sixth of an uncached get.
        this.touched = this.#lineAt(quarter + TOUCH_WORDS) ^ this.#lineAt(quarter + 2 * TOUCH_WORDS);
        if (isKeyAt(this.#pages, frame * this.#pages.pageBytes, quarter * 4, key, keyBytes)) {
          this.#pages.ref[frame] = 1;
          return quarter * 4;
        }
      }
      slot = (slot + 1) & SUB_MASK;
    }
  }

  /** The tree searched this leaf itself; indexes it when that happens often. */
  noteSearch(frame: number): void {
    const state = this.#state[frame]!;
    if (state === INDEXED) return;
    if (state < this.#searchesBefore) this.#state[frame] = state + 1;
    else this.indexLeaf(frame);
  }

  /** Enters all records of a leaf; leaves it out and returns false when there is no room. */
  indexLeaf(frame: number): boolean {
    const pages = this.#pages;
    const base = frame * pages.pageBytes;
    const count = slotCount(pages, base);
    if (this.#state[frame] === INDEXED) return true;
    for (let i = 0; i < count; i++) {
      const keyBytes = slotKeyInto(pages, base, i, true, this.#key);
      if (this.#add(hashKey(this.#key, keyBytes, this.#seed), recordAt(pages, base, i) / 4)) continue;
      this.#drop(frame, i);
      this.#state[frame] = 0;
      return false;
    }
    this.setIndexed(frame, true);
    return true;
  }

  /** A record was added to an indexed leaf. */
  insert(key: Uint8Array, keyBytes: number, location: number): void {
    if (this.#add(hashKey(key, keyBytes, this.#seed), location / 4)) return;
    this.#forgetLeaf(Math.floor(location / this.#pages.pageBytes));
  }

  /** A record of an indexed leaf moved. */
  move(key: Uint8Array, keyBytes: number, from: number, to: number): void {
    this.#replace(hashKey(key, keyBytes, this.#seed), from / 4, to / 4);
  }

  /** A record of an indexed leaf is gone. */
  remove(key: Uint8Array, keyBytes: number, location: number): void {
    this.#delete(hashKey(key, keyBytes, this.#seed), location / 4);
  }

  /**
   * Records moved: slots [from, from + n) of the source page, whose records had locations from `oldBase`, are now slots
   * [targetFrom, …) of the page at `targetBase`. While this runs two records of equal tag may trade slots, which is the same.
   */
  repoint(
    source: PageViews,
    sourceBase: number,
    oldBase: number,
    from: number,
    target: PageViews,
    targetBase: number,
    targetFrom: number,
    n: number,
  ): void {
    for (let i = 0; i < n; i++) {
      const keyBytes = slotKeyInto(target, targetBase, targetFrom + i, true, this.#key);
      const old = oldBase + recordAt(source, sourceBase, from + i) - sourceBase;
      this.#replace(hashKey(this.#key, keyBytes, this.#seed), old / 4, recordAt(target, targetBase, targetFrom + i) / 4);
    }
  }

  /** Two leaves were merged into the left frame; `left` is what it held, the right frame still holds its records. */
  adopt(left: PageViews, leftFrame: number, leftCount: number, pages: PageViews, rightFrame: number, rightCount: number): void {
    const leftBase = leftFrame * pages.pageBytes;
    const rightBase = rightFrame * pages.pageBytes;
    const isLeft = this.isIndexed(leftFrame);
    const isRight = this.isIndexed(rightFrame);
    if (isRight && isLeft) this.repoint(pages, rightBase, rightBase, 0, pages, leftBase, leftCount, rightCount);
    else if (isRight) this.#drop(rightFrame, rightCount);
    this.setIndexed(rightFrame, false);
    if (!isLeft) return;
    this.repoint(left, 0, leftBase, 0, pages, leftBase, 0, leftCount);
    if (isRight) return;
    for (let i = leftCount; i < leftCount + rightCount; i++) {
      const keyBytes = slotKeyInto(pages, leftBase, i, true, this.#key);
      if (this.#add(hashKey(this.#key, keyBytes, this.#seed), recordAt(pages, leftBase, i) / 4)) continue;
      this.#drop(leftFrame, i);
      this.setIndexed(leftFrame, false);
      return;
    }
  }

  /**
   * Staged lookup of keys [from, to), at most {@link STAGE_KEYS}: hashes all, probes all, touches all pages, then
   * compares. Writes location, ABSENT or UNKNOWN to `out` at the key's index.
   */
  findStaged(keys: readonly Uint8Array[], from: number, to: number, out: Float64Array, leafCount: number): void {
    const pages = this.#pages;
    const { u16 } = pages;
    const slab = this.#slab;
    const tags = this.#tags;
    const candidates = this.#candidates;
    const lengths = this.#lengths;
    const n = to - from;
    for (let i = 0; i < n; i++) {
      const key = keys[from + i]!;
      tags[i] = hashKey(key, key.length, this.#seed);
    }
    for (let i = 0; i < n; i++) {
      const tag = tags[i]!;
      const start = this.#directory[tag >>> this.#shift]! * SUB_WORDS;
      let slot = tag & SUB_MASK;
      let quarter = slab[start + slot * 2 + 1]!;
      while (quarter !== 0 && slab[start + slot * 2] !== tag) {
        slot = (slot + 1) & SUB_MASK;
        quarter = slab[start + slot * 2 + 1]!;
      }
      candidates[i] = quarter;
    }
    // Touches the page's head and the lines a record of common size lies in, so that they are fetched side by side.
    let touched = 0;
    for (let i = 0; i < n; i++) {
      const quarter = candidates[i]!;
      const base = (quarter >>> this.#frameShift) * pages.pageBytes;
      lengths[i] = u16[(base + PAGE_PREFIX_BYTES) / 2]! + u16[quarter * 2 + LEAF_SUFFIX_BYTES / 2]!;
      touched ^= this.#lineAt(quarter + TOUCH_WORDS) ^ this.#lineAt(quarter + 2 * TOUCH_WORDS);
    }
    this.touched = touched;
    const absent = this.indexedLeaves === leafCount ? ABSENT : UNKNOWN;
    for (let i = 0; i < n; i++) {
      const quarter = candidates[i]!;
      const key = keys[from + i]!;
      const frame = quarter >>> this.#frameShift;
      if (quarter === 0) out[from + i] = absent;
      else if (lengths[i] === key.length && isKeyAt(pages, frame * pages.pageBytes, quarter * 4, key, key.length)) {
        pages.ref[frame] = 1;
        out[from + i] = quarter * 4;
      } else out[from + i] = this.find(key, key.length, leafCount);
    }
  }

  /** Loads a word, for its cache line's sake. */
  #lineAt(word: number): number {
    const { u32 } = this.#pages;
    return u32[Math.min(word, u32.length - 1)]!;
  }

  #forgetLeaf(frame: number): void {
    this.#drop(frame, slotCount(this.#pages, frame * this.#pages.pageBytes));
    this.setIndexed(frame, false);
  }

  /** Takes the first `count` records of a leaf out, as far as they are in. */
  #drop(frame: number, count: number): void {
    const pages = this.#pages;
    const base = frame * pages.pageBytes;
    for (let i = 0; i < count; i++) {
      const keyBytes = slotKeyInto(pages, base, i, true, this.#key);
      this.#delete(hashKey(this.#key, keyBytes, this.#seed), recordAt(pages, base, i) / 4);
    }
  }

  #add(tag: number, quarter: number): boolean {
    let table = this.#directory[tag >>> this.#shift]!;
    while (this.#used[table]! >= SUB_SPLIT && this.#split(table)) table = this.#directory[tag >>> this.#shift]!;
    if (this.#used[table]! >= SUB_FULL) return false;
    this.#place(table, tag, quarter);
    this.count++;
    return true;
  }

  #place(table: number, tag: number, quarter: number): void {
    const slab = this.#slab;
    const start = table * SUB_WORDS;
    let slot = tag & SUB_MASK;
    while (slab[start + slot * 2 + 1] !== 0) slot = (slot + 1) & SUB_MASK;
    slab[start + slot * 2] = tag;
    slab[start + slot * 2 + 1] = quarter;
    this.#used[table]!++;
  }

  #replace(tag: number, from: number, to: number): void {
    const slab = this.#slab;
    const start = this.#directory[tag >>> this.#shift]! * SUB_WORDS;
    let slot = tag & SUB_MASK;
    for (;;) {
      const quarter = slab[start + slot * 2 + 1]!;
      if (quarter === from && slab[start + slot * 2] === tag) {
        slab[start + slot * 2 + 1] = to;
        return;
      }
      if (quarter === 0) return;
      slot = (slot + 1) & SUB_MASK;
    }
  }

  /** Removes a slot and moves later ones of its run back, so that no probe stops early. */
  #delete(tag: number, quarter: number): void {
    const slab = this.#slab;
    const table = this.#directory[tag >>> this.#shift]!;
    const start = table * SUB_WORDS;
    let hole = tag & SUB_MASK;
    while (slab[start + hole * 2 + 1] !== quarter || slab[start + hole * 2] !== tag) {
      if (slab[start + hole * 2 + 1] === 0) return;
      hole = (hole + 1) & SUB_MASK;
    }
    let slot = hole;
    for (;;) {
      slot = (slot + 1) & SUB_MASK;
      if (slab[start + slot * 2 + 1] === 0) break;
      const home = slab[start + slot * 2]! & SUB_MASK;
      if (((slot - home) & SUB_MASK) < ((slot - hole) & SUB_MASK)) continue;
      slab[start + hole * 2] = slab[start + slot * 2]!;
      slab[start + hole * 2 + 1] = slab[start + slot * 2 + 1]!;
      hole = slot;
    }
    slab[start + hole * 2] = 0;
    slab[start + hole * 2 + 1] = 0;
    this.#used[table]!--;
    this.count--;
  }

  /** Splits a sub-table by one more bit of the hash; false when that is not possible. */
  #split(table: number): boolean {
    const depth = this.#depthOf[table]! + 1;
    if (depth > DEPTH_MAX || this.#tableCount === this.#tableMax) return false;
    const slab = this.#slab;
    const start = table * SUB_WORDS;
    const copy = slab.slice(start, start + SUB_WORDS);
    const prefix = slab[start + this.#anyUsed(start) * 2]! >>> (32 - (depth - 1));
    if (depth > 32 - this.#shift) this.#doubleDirectory();
    const right = this.#tableCount++;
    this.#depthOf[table] = depth;
    this.#depthOf[right] = depth;
    const first = (prefix * 2 + 1) * 2 ** (32 - this.#shift - depth);
    const entries = 2 ** (32 - this.#shift - depth);
    this.#directory.fill(right, first, first + entries);
    slab.fill(0, start, start + SUB_WORDS);
    this.#used[table] = 0;
    this.#used[right] = 0;
    for (let i = 0; i < SUB_WORDS; i += 2) {
      if (copy[i + 1] !== 0) this.#place(this.#directory[copy[i]! >>> this.#shift]!, copy[i]!, copy[i + 1]!);
    }
    return true;
  }

  #anyUsed(start: number): number {
    let slot = 0;
    while (this.#slab[start + slot * 2 + 1] === 0) slot++;
    return slot;
  }

  #doubleDirectory(): void {
    const old = this.#directory;
    const directory = new Int32Array(old.length * 2);
    for (let i = 0; i < old.length; i++) {
      directory[i * 2] = old[i]!;
      directory[i * 2 + 1] = old[i]!;
    }
    this.#directory = directory;
    this.#shift--;
  }
}

/** True when the record's whole key equals `key[0, keyBytes)`. */
function isKeyAt(pages: PageViews, base: number, location: number, key: Uint8Array, keyBytes: number): boolean {
  const { u8, u16 } = pages;
  const half = location / 2;
  const prefixBytes = u16[(base + PAGE_PREFIX_BYTES) / 2]!;
  if (prefixBytes + u16[half + LEAF_SUFFIX_BYTES / 2]! !== keyBytes) return false;
  let at = location + leafSuffixOffset(u16, half);
  for (let i = prefixBytes; i < keyBytes; i++) if (key[i] !== u8[at++]) return false;
  at = base + PAGE_PREFIX;
  for (let i = 0; i < prefixBytes; i++) if (key[i] !== u8[at++]) return false;
  return true;
}
