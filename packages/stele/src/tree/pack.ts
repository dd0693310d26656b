/**
 * TreePacker: fills the pages of one level from left to right, in steps that each touch two neighbours and their parent.
 *
 *   parent   │ … s1 … s2 … s3 … │        a step: records move from a page into its left neighbour until that is full;
 *            ╱    │    │    ╲            the separator between them follows, and an emptied page is released
 *        [▓▓▓░] [▓▓░░] [▓▓▓░] [▓░░░]
 *
 * Only neighbours under one parent are packed. A parent is first measured and left alone when packing it would give back
 * less than 3 % of its children; so packing what is packed changes nothing.
 *
 * Invariants
 * - After every step the tree is whole, with exact counts and exact summaries of the pages that were rebuilt: it may be
 *   flushed, read, changed or left so for ever.
 * - No entry changes, tombstones and swept ones included; no page is allocated; nothing is loaded (a miss is a value).
 * - A separator that its parent has no room for stays, and the two pages with it.
 *
 * Specification: spec/file-format.md, "Compaction".
 */

import { commonPrefixLength } from '../base/bytes.ts';
import { invariant } from '../base/errors.ts';
import { INNER_SUFFIX, KEY_BYTES_MAX, PAGE_PREFIX, pad4, SLOT_BYTES } from '../pager/layout.ts';
import { descendTo, KeyPlace, moveOn } from './level-walk.ts';
import { clearPage, closeSlot, headOf, openSlot, prefixBytesOf, recordAt, slotCount, slotKeyInto, usedBytes } from './page.ts';
import { appendRecords, copyToScratch, measureRecords } from './rebuild.ts';
import { mergeIfSparse } from './remove.ts';
import { END, FOUND, MISS } from './results.ts';
import { makeRoom } from './room.ts';
import { change, endChanges, pathBase, releasePage, type TreeState } from './state.ts';
import { childLpnAt, earliestExpiryAt, smallestFirstCommitAt, summarize, summaryFlagsAt, writeChild, writeSummary } from './summary.ts';

/** A parent is packed when that gives back at least this share of its children. */
const WORTHWHILE = 0.03;
/** What a step did to a pair of neighbours. */
const KEPT = 0;
const MOVED = 1;
const MERGED = 2;

/** See the head of the file. One packer for one pass over one level, leaf = 0. */
export class TreePacker {
  /** Pages given back, and steps that changed something. */
  released = 0;
  changed = 0;
  /** Pages of the level looked at. */
  seen = 0;
  readonly #tree: TreeState;
  readonly #level: number;
  readonly #place = new KeyPlace();
  readonly #separator = new Uint8Array(KEY_BYTES_MAX + 4);
  readonly #upper = new KeyPlace();
  /** Lower end of the parent's range. */
  readonly #parent = new KeyPlace();
  #isSliding = false;
  #bytes = 0;
  #pages = 0;
  #isOver = false;

  constructor(tree: TreeState, level: number) {
    this.#tree = tree;
    this.#level = level;
  }

  /** The next step may change pages: room must be there. */
  get isChanging(): boolean {
    return this.#isSliding;
  }

  /** One page measured, or one pair packed. FOUND = there is more, END, or MISS: load `tree.missed` and call again. */
  step(): number {
    const tree = this.#tree;
    const { pages } = tree;
    const parentLevel = this.#level + 1;
    if (this.#isOver || parentLevel >= tree.height) return END;
    if (descendTo(tree, parentLevel, this.#place, this.#upper) === MISS) return MISS;
    const base = pathBase(tree, parentLevel);
    const index = tree.pathIndex[parentLevel]!;
    const isLast = index + 1 >= slotCount(pages, base);
    if (!this.#isSliding) return this.#measure(base, index, isLast);
    if (isLast) return this.#nextParent();
    const left = childLpnAt(pages, recordAt(pages, base, index));
    const right = childLpnAt(pages, recordAt(pages, base, index + 1));
    if (!this.#isResident(left) || !this.#isResident(right)) return MISS;
    const result = slide(tree, this.#level, index);
    endChanges(tree);
    if (result !== KEPT) this.changed++;
    if (result === MERGED) this.released++;
    else this.#moveTo(base, index + 1);
    return FOUND;
  }

  #moveTo(base: number, index: number): void {
    const bytes = slotKeyInto(this.#tree.pages, base, index, false, this.#separator);
    moveOn(this.#place, this.#separator, bytes);
  }

  #isResident(lpn: number): boolean {
    if (this.#tree.pages.frameOf[lpn]! >= 0) return true;
    this.#tree.missed = lpn;
    return false;
  }

  #measure(base: number, index: number, isLast: boolean): number {
    const { pages } = this.#tree;
    const lpn = childLpnAt(pages, recordAt(pages, base, index));
    if (!this.#isResident(lpn)) return MISS;
    this.#bytes += usedBytes(pages, pages.frameOf[lpn]! * pages.pageBytes);
    this.#pages++;
    this.seen++;
    if (!isLast) {
      this.#moveTo(base, index + 1);
      return FOUND;
    }
    const saved = this.#pages - Math.max(1, Math.ceil(this.#bytes / (pages.pageBytes - PAGE_PREFIX)));
    if (saved < 1 || saved < this.#pages * WORTHWHILE) return this.#nextParent();
    this.#isSliding = true;
    this.#place.set(this.#parent);
    return FOUND;
  }

  #nextParent(): number {
    const tree = this.#tree;
    if (this.#isSliding) tighten(tree, this.#level + 1);
    this.#isSliding = false;
    this.#bytes = 0;
    this.#pages = 0;
    if (this.#upper.bytes < 0) {
      this.#isOver = true;
      this.#collapse();
      endChanges(tree);
      return END;
    }
    moveOn(this.#parent, this.#upper.key, this.#upper.bytes);
    this.#place.set(this.#parent);
    endChanges(tree);
    return FOUND;
  }

  /** A root that was left with one child gives way to it. */
  #collapse(): void {
    const tree = this.#tree;
    const root = tree.height - 1;
    if (root !== this.#level + 1 || slotCount(tree.pages, pathBase(tree, root)) !== 1) return;
    tree.modifications++;
    this.changed++;
    mergeIfSparse(tree, root);
  }
}

/** Fills child `leftIndex` of the path's page at `level + 1` from its right neighbour; both are in memory. */
function slide(tree: TreeState, level: number, leftIndex: number): number {
  const { pages, keyA, keyB, summaryLeft } = tree;
  const isLeaf = level === 0;
  const parentFrame = tree.pathFrame[level + 1]!;
  const parentBase = parentFrame * pages.pageBytes;
  const leftFrame = pages.frameOf[childLpnAt(pages, recordAt(pages, parentBase, leftIndex))]!;
  const rightLpn = childLpnAt(pages, recordAt(pages, parentBase, leftIndex + 1));
  const rightFrame = pages.frameOf[rightLpn]!;
  const leftBase = leftFrame * pages.pageBytes;
  const rightBase = rightFrame * pages.pageBytes;
  const rightCount = slotCount(pages, rightBase);
  const [separator, next] = [tree.separators[1]!, tree.separators[0]!];
  const separatorBytes = slotKeyInto(pages, parentBase, leftIndex + 1, false, separator);

  const fit = recordsThatFit(tree, isLeaf, leftBase, rightBase, separatorBytes);
  if (fit.count === 0) return KEPT;
  const isWhole = fit.count === rightCount;
  if (!isWhole) {
    const nextBytes = slotKeyInto(pages, rightBase, fit.count, isLeaf, next);
    let shortest = nextBytes;
    if (isLeaf) {
      const lastBytes = slotKeyInto(pages, rightBase, fit.count - 1, true, keyB);
      shortest = commonPrefixLength(keyB, 0, lastBytes, next, 0, nextBytes) + 1;
    }
    change(tree, parentFrame);
    if (!replaceSeparator(tree, parentFrame, leftIndex + 1, shortest, separatorBytes)) return KEPT;
  }

  const { accelerator } = tree;
  const isIndexed = isLeaf && accelerator !== undefined && (accelerator.isIndexed(leftFrame) || accelerator.isIndexed(rightFrame));
  if (isIndexed) for (const frame of [leftFrame, rightFrame]) if (accelerator.isIndexed(frame)) accelerator.onEvict(frame);
  change(tree, parentFrame);
  change(tree, leftFrame);
  tree.modifications++;
  fillLeft(tree, isLeaf, leftBase, rightBase, fit, separatorBytes, keyA);
  summarize(pages, leftBase, isLeaf, summaryLeft);
  writeSummary(pages, recordAt(pages, parentBase, leftIndex), summaryLeft);
  if (isIndexed) accelerator.indexLeaf(leftFrame);
  if (isWhole) {
    releasePage(tree, rightLpn);
    closeSlot(pages, parentBase, leftIndex + 1, false);
    if (isLeaf && tree.leafCount > 0) tree.leafCount--;
    tree.counters.merges++;
    return MERGED;
  }
  change(tree, rightFrame);
  emptyRight(tree, isLeaf, rightBase, fit.count);
  summarize(pages, rightBase, isLeaf, summaryLeft);
  writeSummary(pages, recordAt(pages, parentBase, leftIndex + 1), summaryLeft);
  if (isIndexed) accelerator.indexLeaf(rightFrame);
  return MOVED;
}

interface Fit {
  /** Records of the right page that fit into the left one. */
  readonly count: number;
  /** Prefix of the left page with them. */
  readonly prefix: number;
}

/** Leaves the left page's first key in `keyA`. */
function recordsThatFit(tree: TreeState, isLeaf: boolean, leftBase: number, rightBase: number, separatorBytes: number): Fit {
  const { pages, keyA, keyB } = tree;
  const separator = tree.separators[1]!;
  const capacity = pages.pageBytes - PAGE_PREFIX;
  const leftCount = slotCount(pages, leftBase);
  const rightCount = slotCount(pages, rightBase);
  let firstBytes = separatorBytes;
  if (isLeaf || leftCount > 1) firstBytes = slotKeyInto(pages, leftBase, isLeaf ? 0 : 1, isLeaf, keyA);
  else keyA.set(separator.subarray(0, separatorBytes));
  let fit: Fit = { count: 0, prefix: 0 };
  let prefix = -1;
  let bytes = 0;
  for (let count = 1; count <= rightCount; count++) {
    let lastBytes = separatorBytes;
    let last = separator;
    if (isLeaf || count > 1) {
      lastBytes = slotKeyInto(pages, rightBase, count - 1, isLeaf, keyB);
      last = keyB;
    }
    const shared = commonPrefixLength(keyA, 0, firstBytes, last, 0, lastBytes);
    if (shared === prefix) bytes += measureRecords(pages, rightBase, count - 1, count, isLeaf, prefix);
    else {
      prefix = shared;
      bytes = pad4(prefix) + measureRecords(pages, leftBase, 0, leftCount, isLeaf, prefix);
      if (isLeaf) bytes += measureRecords(pages, rightBase, 0, count, true, prefix);
      else bytes += SLOT_BYTES + pad4(INNER_SUFFIX + separatorBytes - prefix) + measureRecords(pages, rightBase, 1, count, false, prefix);
    }
    if (bytes > capacity) break;
    fit = { count, prefix };
  }
  return fit;
}

/** Gives slot `index` of the parent the separator in `separators[0]` for that in `separators[1]`; false when there is no room. */
function replaceSeparator(tree: TreeState, frame: number, index: number, bytes: number, oldBytes: number): boolean {
  const { pages } = tree;
  const base = frame * pages.pageBytes;
  const lpn = childLpnAt(pages, recordAt(pages, base, index));
  // Nobody looks in between: the summary is written by the caller, or again here.
  summarizeChild(tree, base, index);
  closeSlot(pages, base, index, false);
  const [old, wanted] = [tree.separators[1]!, tree.separators[0]!];
  const fits = makeRoom(tree, frame, false, wanted, bytes, INNER_SUFFIX, 0, 0);
  if (!fits) invariant(makeRoom(tree, frame, false, old, oldBytes, INNER_SUFFIX, 0, 0), 'a separator does not fit where it stood');
  placeChild(tree, base, index, fits ? wanted : old, fits ? bytes : oldBytes, lpn);
  return fits;
}

function summarizeChild(tree: TreeState, base: number, index: number): void {
  const { pages, summaryRight } = tree;
  const child = pages.frameOf[childLpnAt(pages, recordAt(pages, base, index))]! * pages.pageBytes;
  summarize(pages, child, pages.u8[child + 7] === 0, summaryRight);
}

function placeChild(tree: TreeState, base: number, index: number, key: Uint8Array, keyBytes: number, lpn: number): void {
  const { pages } = tree;
  const prefixBytes = prefixBytesOf(pages, base);
  const suffixBytes = keyBytes - prefixBytes;
  const bytes = pad4(INNER_SUFFIX + suffixBytes);
  const record = openSlot(pages, base, index, bytes, headOf(key, prefixBytes, keyBytes), suffixBytes);
  writeChild(pages, record, lpn, tree.summaryRight);
  for (let i = 0; i < suffixBytes; i++) pages.u8[record + INNER_SUFFIX + i] = key[prefixBytes + i]!;
  for (let i = INNER_SUFFIX + suffixBytes; i < bytes; i++) pages.u8[record + i] = 0;
}

/** Rebuilds the left page with the first records of the right one behind its own. An inner right page's first child gets the old separator. */
function fillLeft(
  tree: TreeState,
  isLeaf: boolean,
  leftBase: number,
  rightBase: number,
  fit: Fit,
  separatorBytes: number,
  firstKey: Uint8Array,
): void {
  const { pages, scratch, summaryRight } = tree;
  const leftCount = slotCount(pages, leftBase);
  copyToScratch(pages, leftBase, scratch);
  clearPage(pages, leftBase, firstKey, fit.prefix);
  appendRecords(scratch, 0, 0, leftCount, pages, leftBase, isLeaf, false);
  if (isLeaf) {
    appendRecords(pages, rightBase, 0, fit.count, pages, leftBase, true, false);
    return;
  }
  const first = recordAt(pages, rightBase, 0);
  summaryRight.clear();
  placeChild(tree, leftBase, leftCount, tree.separators[1]!, separatorBytes, childLpnAt(pages, first));
  const target = recordAt(pages, leftBase, leftCount);
  for (let i = 0; i < INNER_SUFFIX / 4; i++) pages.u32[target / 4 + i] = pages.u32[first / 4 + i]!;
  appendRecords(pages, rightBase, 1, fit.count, pages, leftBase, false, false);
}

/** Rebuilds the right page without its first `from` records. */
function emptyRight(tree: TreeState, isLeaf: boolean, rightBase: number, from: number): void {
  const { pages, scratch, keyA, keyB } = tree;
  const count = slotCount(pages, rightBase);
  const first = isLeaf ? from : from + 1;
  let prefix = 0;
  if (first < count) {
    const firstBytes = slotKeyInto(pages, rightBase, first, isLeaf, keyA);
    const lastBytes = slotKeyInto(pages, rightBase, count - 1, isLeaf, keyB);
    prefix = commonPrefixLength(keyA, 0, firstBytes, keyB, 0, lastBytes);
  }
  copyToScratch(pages, rightBase, scratch);
  clearPage(pages, rightBase, keyA, prefix);
  appendRecords(scratch, 0, from, count, pages, rightBase, isLeaf, !isLeaf);
}

/** Makes the summaries of the path's page at `level`, and of those above it, exact. */
function tighten(tree: TreeState, level: number): void {
  const { pages, summaryLeft } = tree;
  for (let at = level + 1; at < tree.height; at++) {
    const record = recordAt(pages, pathBase(tree, at), tree.pathIndex[at]!);
    summarize(pages, pathBase(tree, at - 1), false, summaryLeft);
    if (
      summaryLeft.expiry === earliestExpiryAt(pages, record) &&
      summaryLeft.firstCommit === smallestFirstCommitAt(pages, record) &&
      summaryLeft.flags === summaryFlagsAt(pages, record)
    )
      return;
    change(tree, tree.pathFrame[at]!);
    writeSummary(pages, record, summaryLeft);
  }
}
