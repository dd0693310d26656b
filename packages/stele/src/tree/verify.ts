/**
 * Verification of a whole tree, in slices.
 *
 * Walks leaf by leaf in key order, holding its place as a key, so the tree may change and pages may come and go between
 * slices. Every leaf is checked against its bounds and its summary in the parent; every inner page likewise when it is
 * first met.
 *
 * Checked: type and level; slots inside the page, heads, order; heap arithmetic; known flags; every key within the
 * separators on its path; exact live counts; bounds not later than the truth; the root against the tree's live count.
 * Checksums are the pager's part: it checks what it loads.
 *
 * Specification: spec/file-format.md, "Tree nodes".
 */

import { compareBytes } from '../base/bytes.ts';
import {
  INNER_SUFFIX,
  KEY_BYTES_MAX,
  LEAF_FLAGS_KNOWN,
  LEAF_SUFFIX_BYTES,
  LEVEL_MAX,
  PAGE_HEAP_START,
  PAGE_LEVEL,
  PAGE_TYPE,
  TYPE_INNER,
  TYPE_LEAF,
} from '../pager/layout.ts';
import { commitAt, firstCommitAt } from './entry.ts';
import {
  contiguousBytes,
  garbageBytes,
  headOf,
  leafSuffixOffset,
  recordAt,
  recordBytesOf,
  searchPage,
  slotCount,
  slotKeyInto,
  slotsWord,
  suffixBytesOf,
} from './page.ts';
import { END, FOUND, MISS } from './results.ts';
import type { TreeState } from './state.ts';
import { childLpnAt, earliestExpiryAt, liveCountAt, Summary, smallestFirstCommitAt, summarize } from './summary.ts';

export interface TreeFault {
  readonly lpn: number;
  readonly level: number;
  readonly message: string;
}

export class TreeVerifier {
  pages = 0;
  leaves = 0;
  entries = 0;
  live = 0;
  readonly #tree: TreeState;
  readonly #onFault: (fault: TreeFault) => void;
  readonly #newest: () => number;
  readonly #checked = new Int32Array(LEVEL_MAX + 2).fill(-1);
  readonly #summary = new Summary();
  /** Where the next slice goes on: the upper bound of the leaf done last. */
  #resume = new Uint8Array(KEY_BYTES_MAX + 4);
  #resumeBytes = 0;
  #lower = new Uint8Array(KEY_BYTES_MAX + 4);
  #upper = new Uint8Array(KEY_BYTES_MAX + 4);
  readonly #keyA = new Uint8Array(KEY_BYTES_MAX + 4);
  readonly #keyB = new Uint8Array(KEY_BYTES_MAX + 4);
  #isDone = false;
  #modifications: number;

  /** `newest`: no entry may come from a later commit. */
  constructor(tree: TreeState, onFault: (fault: TreeFault) => void, newest: () => number = () => Number.POSITIVE_INFINITY) {
    this.#tree = tree;
    this.#newest = newest;
    this.#onFault = onFault;
    this.#modifications = tree.modifications;
  }

  /** Checks up to `leavesMax` leaves. FOUND = there is more, END = done, MISS = load `tree.missed` and call again. */
  step(leavesMax: number): number {
    for (let i = 0; i < leavesMax; i++) {
      if (this.#isDone) return END;
      const result = this.#checkNextLeaf();
      if (result !== FOUND) return result;
    }
    return this.#isDone ? END : FOUND;
  }

  #checkNextLeaf(): number {
    const tree = this.#tree;
    const { pages } = tree;
    if (tree.height === 0) {
      if (tree.liveCount !== 0) this.#fault(-1, 0, `an empty tree counts ${tree.liveCount} live entries`);
      return this.#finish();
    }
    let lowerBytes = 0;
    let upperBytes = -1;
    let lpn = tree.rootLpn;
    let parentRecord = -1;
    for (let level = tree.height - 1; level >= 0; level--) {
      const frame = pages.frameOf[lpn]!;
      if (!(frame >= 0)) {
        tree.missed = lpn;
        return MISS;
      }
      pages.ref[frame] = 1;
      const base = frame * pages.pageBytes;
      if (level === 0 || this.#checked[level] !== lpn) {
        this.#checkPage(lpn, base, level, lowerBytes, upperBytes, parentRecord);
        this.#checked[level] = lpn;
      }
      if (level === 0) break;
      let index = searchPage(pages, base, this.#resume, this.#resumeBytes, 1, 0);
      if (index < 0) index = ~index - 1;
      parentRecord = recordAt(pages, base, index);
      lpn = childLpnAt(pages, parentRecord);
      if (index > 0) lowerBytes = slotKeyInto(pages, base, index, false, this.#lower);
      if (index + 1 < slotCount(pages, base)) upperBytes = slotKeyInto(pages, base, index + 1, false, this.#upper);
    }
    this.leaves++;
    if (upperBytes < 0) return this.#finish();
    if (compareBytes(this.#upper, 0, upperBytes, this.#resume, 0, this.#resumeBytes) <= 0) {
      // Separators out of order, told above: going on from here would come by here again.
      this.#fault(lpn, 0, 'the ranges of the leaves do not ascend; what lies behind was not checked');
      return this.#finish();
    }
    [this.#resume, this.#upper] = [this.#upper, this.#resume];
    this.#resumeBytes = upperBytes;
    return FOUND;
  }

  #finish(): number {
    const tree = this.#tree;
    this.#isDone = true;
    if (tree.modifications === this.#modifications) {
      if (this.live !== tree.liveCount)
        this.#fault(tree.rootLpn, 0, `the tree counts ${tree.liveCount} live entries, its leaves hold ${this.live}`);
      if (tree.leafCount >= 0 && tree.height > 0 && this.leaves !== tree.leafCount) {
        this.#fault(tree.rootLpn, 0, `the tree counts ${tree.leafCount} leaves, it has ${this.leaves}`);
      }
    }
    return END;
  }

  #fault(lpn: number, level: number, message: string): void {
    this.#onFault({ lpn, level, message });
  }

  #checkPage(lpn: number, base: number, level: number, lowerBytes: number, upperBytes: number, parentRecord: number): void {
    const { pages } = this.#tree;
    const isLeaf = level === 0;
    const count = slotCount(pages, base);
    this.pages++;
    if (pages.u8[base + PAGE_TYPE] !== (isLeaf ? TYPE_LEAF : TYPE_INNER))
      this.#fault(lpn, level, `page type is ${pages.u8[base + PAGE_TYPE]}`);
    if (pages.u8[base + PAGE_LEVEL] !== level) this.#fault(lpn, level, `page level is ${pages.u8[base + PAGE_LEVEL]}`);
    if (count === 0) {
      this.#fault(lpn, level, 'a page without entries');
      return;
    }
    this.#checkHeap(lpn, base, level, count);
    this.#checkOrder(lpn, base, level, count, lowerBytes, upperBytes);
    if (isLeaf) this.#checkRecords(lpn, base, count);
    this.#checkSummary(lpn, base, level, parentRecord);
  }

  #checkHeap(lpn: number, base: number, level: number, count: number): void {
    const { pages } = this.#tree;
    const heapStart = pages.u16[(base + PAGE_HEAP_START) / 2]!;
    if (contiguousBytes(pages, base) < 0) this.#fault(lpn, level, 'slots reach into the heap');
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const offset = recordAt(pages, base, i) - base;
      const own = recordBytesOf(pages, base, i, level === 0);
      if (offset % 4 !== 0 || offset < heapStart || offset + own > pages.pageBytes)
        this.#fault(lpn, level, `record ${i} at ${offset} lies outside the heap`);
      bytes += own;
    }
    if (heapStart + bytes + garbageBytes(pages, base) !== pages.pageBytes) {
      this.#fault(lpn, level, `heap from ${heapStart}: ${bytes} used and ${garbageBytes(pages, base)} garbage do not fill the page`);
    }
  }

  #checkOrder(lpn: number, base: number, level: number, count: number, lowerBytes: number, upperBytes: number): void {
    const { pages } = this.#tree;
    const isLeaf = level === 0;
    const slots = slotsWord(pages, base);
    let before = this.#keyA;
    let key = this.#keyB;
    let beforeBytes = -1;
    for (let i = 0; i < count; i++) {
      const keyBytes = slotKeyInto(pages, base, i, isLeaf, key);
      const record = recordAt(pages, base, i);
      const suffixBytes = suffixBytesOf(pages, base, i);
      const suffix = record + (isLeaf ? leafSuffixOffset(pages.u16, record / 2) : INNER_SUFFIX);
      if (pages.u32[slots + i * 2] !== headOf(pages.u8, suffix, suffix + suffixBytes))
        this.#fault(lpn, level, `head of slot ${i} is not its key's`);
      if (isLeaf && pages.u16[(record + LEAF_SUFFIX_BYTES) / 2] !== suffixBytes)
        this.#fault(lpn, level, `suffix bytes of slot ${i} differ from its record's`);
      if (!isLeaf && i === 0) {
        if (suffixBytes !== 0) this.#fault(lpn, level, 'the first child has a separator');
        continue;
      }
      if (beforeBytes >= 0 && compareBytes(before, 0, beforeBytes, key, 0, keyBytes) >= 0)
        this.#fault(lpn, level, `key ${i} is not above the one before`);
      if (compareBytes(key, 0, keyBytes, this.#lower, 0, lowerBytes) < 0) this.#fault(lpn, level, `key ${i} lies below the page's range`);
      if (upperBytes >= 0 && compareBytes(key, 0, keyBytes, this.#upper, 0, upperBytes) >= 0)
        this.#fault(lpn, level, `key ${i} lies above the page's range`);
      [before, key] = [key, before];
      beforeBytes = keyBytes;
    }
  }

  #checkRecords(lpn: number, base: number, count: number): void {
    const { pages } = this.#tree;
    for (let i = 0; i < count; i++) {
      const location = recordAt(pages, base, i);
      const flags = pages.u16[location / 2]!;
      if ((flags & ~LEAF_FLAGS_KNOWN) !== 0) this.#fault(lpn, 0, `entry ${i} has unknown flags ${flags}`);
      if (commitAt(pages, location) > this.#newest())
        this.#fault(lpn, 0, `slot ${i} is of commit ${commitAt(pages, location)}, the newest is ${this.#newest()}`);
      if (firstCommitAt(pages, location) > commitAt(pages, location))
        this.#fault(lpn, 0, `entry ${i} was first written after it was written`);
    }
    this.entries += count;
  }

  #checkSummary(lpn: number, base: number, level: number, parentRecord: number): void {
    const { pages } = this.#tree;
    const truth = this.#summary;
    summarize(pages, base, level === 0, truth);
    if (level === 0) this.live += truth.live;
    if (parentRecord < 0) return;
    const live = liveCountAt(pages, parentRecord);
    if (live !== truth.live) this.#fault(lpn, level, `the parent counts ${live} live entries, there are ${truth.live}`);
    const expiry = earliestExpiryAt(pages, parentRecord);
    if (truth.expiry !== 0 && (expiry === 0 || expiry > truth.expiry))
      this.#fault(lpn, level, `the parent's earliest expiry ${expiry} is after ${truth.expiry}`);
    const first = smallestFirstCommitAt(pages, parentRecord);
    if (first > truth.firstCommit) this.#fault(lpn, level, `the parent's smallest firstCommit ${first} is after ${truth.firstCommit}`);
  }
}
