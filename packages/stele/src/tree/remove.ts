/**
 * Physical removal: of an entry, then of what became too empty.
 *
 * A page whose use falls below 35 % is merged with a neighbour under the same parent when both together fit in 85 %
 * of a page and the neighbour is in memory; otherwise it stays as it is (no page is read for the sake of a merge).
 * An emptied page is taken out of its parent at once. A root with a single child gives way to it.
 *
 * Invariants
 * - A merge keeps the left page and moves the right one's records into it; the right page is released.
 * - Live counts on the path were adjusted before; a merge writes the exact sum for the merged page.
 * - After a merge the path is stale; nothing may use it.
 *
 * Specification: spec/file-format.md, "Tree nodes".
 */

import { commonPrefixLength } from '../base/bytes.ts';
import { INNER_SUFFIX, PAGE_GARBAGE, PAGE_PREFIX, pad4 } from '../pager/layout.ts';
import { NO_PAGE } from '../pager/page-source.ts';
import { expiresAt, LEAF_DEAD } from './entry.ts';
import {
  clearPage,
  closeSlot,
  headOf,
  openSlot,
  prefixBytesOf,
  recordAt,
  recordBytesOf,
  slotCount,
  slotKeyInto,
  slotsWord,
  suffixBytesOf,
  usedBytes,
} from './page.ts';
import { appendRecords, copyToScratch, measureRecords } from './rebuild.ts';
import type { TreeState } from './state.ts';
import { change, pathBase, releasePage, tightenPath, widenPath } from './state.ts';
import { childLpnAt, summarize, writeSummary } from './summary.ts';

const MERGE_BELOW = 0.35;
const MERGED_MAX = 0.85;

/** Removes the sought entry. */
export function removeEntry(tree: TreeState): void {
  const { pages, accelerator } = tree;
  const frame = tree.pathFrame[0]!;
  const base = pathBase(tree, 0);
  const location = recordAt(pages, base, tree.soughtIndex);
  const live = (pages.u16[location / 2]! & LEAF_DEAD) === 0 ? 1 : 0;
  const lostExpiry = live === 1 ? expiresAt(pages, location) : 0;
  change(tree, frame);
  widenPath(tree, -live, 0, Number.MAX_SAFE_INTEGER);
  tree.liveCount -= live;
  tree.modifications++;
  if (accelerator !== undefined && accelerator.isIndexed(frame)) accelerator.remove(tree.soughtKey, tree.soughtKeyBytes, location);
  closeSlot(pages, base, tree.soughtIndex, true);
  if (slotCount(pages, base) > 0) {
    if (lostExpiry !== 0) tightenPath(tree);
    mergeIfSparse(tree, 0);
  } else {
    dropPage(tree, 0);
  }
}

/** Merges the path's page at `level` with a neighbour when it is sparse and that is possible. */
export function mergeIfSparse(tree: TreeState, level: number): void {
  const { pages } = tree;
  const room = pages.pageBytes - PAGE_PREFIX;
  const base = pathBase(tree, level);
  if (level + 1 === tree.height) {
    collapseRoot(tree);
    return;
  }
  if (usedBytes(pages, base) >= room * MERGE_BELOW) return;
  const parentBase = pathBase(tree, level + 1);
  const index = tree.pathIndex[level + 1]!;
  if (index > 0 && mergeChildren(tree, level, index - 1)) return;
  if (index + 1 < slotCount(pages, parentBase)) mergeChildren(tree, level, index);
}

/** Merges children `leftIndex` and `leftIndex + 1` of the path's page at `level + 1`; false when that cannot be. */
function mergeChildren(tree: TreeState, level: number, leftIndex: number): boolean {
  const { pages, scratch, accelerator, keyA, keyB, keyC, summaryLeft } = tree;
  const isLeaf = level === 0;
  const parentFrame = tree.pathFrame[level + 1]!;
  const parentBase = pathBase(tree, level + 1);
  const leftRecord = recordAt(pages, parentBase, leftIndex);
  const leftFrame = pages.frameOf[childLpnAt(pages, leftRecord)]!;
  const rightLpn = childLpnAt(pages, recordAt(pages, parentBase, leftIndex + 1));
  const rightFrame = pages.frameOf[rightLpn]!;
  if (leftFrame < 0 || rightFrame < 0) return false;
  const leftBase = leftFrame * pages.pageBytes;
  const rightBase = rightFrame * pages.pageBytes;
  const leftCount = slotCount(pages, leftBase);
  const rightCount = slotCount(pages, rightBase);

  // The separator between them becomes the key of an inner right page's first child.
  const separatorBytes = slotKeyInto(pages, parentBase, leftIndex + 1, false, keyC);
  let firstBytes = separatorBytes;
  if (isLeaf || leftCount > 1) firstBytes = slotKeyInto(pages, leftBase, isLeaf ? 0 : 1, isLeaf, keyA);
  else keyA.set(keyC.subarray(0, separatorBytes));
  let lastBytes = separatorBytes;
  if (isLeaf || rightCount > 1) lastBytes = slotKeyInto(pages, rightBase, rightCount - 1, isLeaf, keyB);
  else keyB.set(keyC.subarray(0, separatorBytes));
  const prefix = commonPrefixLength(keyA, 0, firstBytes, keyB, 0, lastBytes);
  let bytes = pad4(prefix) + measureRecords(pages, leftBase, 0, leftCount, isLeaf, prefix);
  bytes += measureRecords(pages, rightBase, 0, rightCount, isLeaf, prefix);
  if (!isLeaf) bytes += pad4(separatorBytes - prefix);
  if (bytes > (pages.pageBytes - PAGE_PREFIX) * MERGED_MAX) return false;

  change(tree, leftFrame);
  change(tree, parentFrame);
  copyToScratch(pages, leftBase, scratch);
  clearPage(pages, leftBase, keyA, prefix);
  appendRecords(scratch, 0, 0, leftCount, pages, leftBase, isLeaf, false);
  if (isLeaf) appendRecords(pages, rightBase, 0, rightCount, pages, leftBase, true, false);
  else appendInner(tree, rightBase, rightCount, leftBase, leftCount, separatorBytes);
  if (isLeaf && accelerator !== undefined) {
    accelerator.adopt(scratch, leftFrame, leftCount, pages, rightFrame, rightCount);
  }
  summarize(pages, leftBase, isLeaf, summaryLeft);
  writeSummary(pages, leftRecord, summaryLeft);
  if (isLeaf && tree.leafCount > 0) tree.leafCount--;
  tree.counters.merges++;
  releasePage(tree, rightLpn);
  removeChild(tree, level + 1, leftIndex + 1);
  mergeIfSparse(tree, level + 1);
  return true;
}

/** Appends the right inner page: its first child gets the separator of the page as its own (in `keyC`). */
function appendInner(
  tree: TreeState,
  rightBase: number,
  rightCount: number,
  leftBase: number,
  leftCount: number,
  separatorBytes: number,
): void {
  const { pages, keyC } = tree;
  const prefixBytes = prefixBytesOf(pages, leftBase);
  const suffixBytes = separatorBytes - prefixBytes;
  const bytes = pad4(INNER_SUFFIX + suffixBytes);
  const record = openSlot(pages, leftBase, leftCount, bytes, headOf(keyC, prefixBytes, separatorBytes), suffixBytes);
  const first = recordAt(pages, rightBase, 0);
  for (let i = 0; i < INNER_SUFFIX / 4; i++) pages.u32[record / 4 + i] = pages.u32[first / 4 + i]!;
  for (let i = 0; i < suffixBytes; i++) pages.u8[record + INNER_SUFFIX + i] = keyC[prefixBytes + i]!;
  for (let i = INNER_SUFFIX + suffixBytes; i < bytes; i++) pages.u8[record + i] = 0;
  appendRecords(pages, rightBase, 1, rightCount, pages, leftBase, false, false);
}

/** Takes the empty page at `level` of the path out of its parent, and the parent too if that leaves it empty. */
function dropPage(tree: TreeState, level: number): void {
  const { pages } = tree;
  const lpn = tree.pathLpn[level]!;
  if (level === 0) {
    tree.accelerator?.setIndexed(tree.pathFrame[0]!, false);
    if (tree.leafCount > 0) tree.leafCount--;
    tree.counters.emptied++;
  }
  // The parent first: a thread must not take the page for one that merely is not in memory.
  if (level + 1 < tree.height) change(tree, tree.pathFrame[level + 1]!);
  releasePage(tree, lpn);
  if (level + 1 === tree.height) {
    tree.rootLpn = NO_PAGE;
    tree.height = 0;
    return;
  }
  removeChild(tree, level + 1, tree.pathIndex[level + 1]!);
  if (slotCount(pages, pathBase(tree, level + 1)) === 0) {
    dropPage(tree, level + 1);
    return;
  }
  tightenFrom(tree, level + 1);
  mergeIfSparse(tree, level + 1);
}

/** The page at `level` lost a child: the bounds above it become exact as far as that changes anything. */
function tightenFrom(tree: TreeState, level: number): void {
  const { pages, summaryLeft } = tree;
  for (let l = level + 1; l < tree.height; l++) {
    const base = pathBase(tree, l);
    const record = recordAt(pages, base, tree.pathIndex[l]!);
    summarize(pages, pathBase(tree, l - 1), false, summaryLeft);
    change(tree, tree.pathFrame[l]!);
    writeSummary(pages, record, summaryLeft);
  }
}

/** Removes a child's record; the next one becomes the first when it was the first, and loses its separator. */
function removeChild(tree: TreeState, level: number, index: number): void {
  const { pages } = tree;
  const base = pathBase(tree, level);
  closeSlot(pages, base, index, false);
  if (index > 0 || slotCount(pages, base) === 0) return;
  const before = recordBytesOf(pages, base, 0, false);
  if (suffixBytesOf(pages, base, 0) === 0) return;
  const word = slotsWord(pages, base);
  pages.u32[word] = 0;
  pages.u32[word + 1] = pages.u32[word + 1]! & 0xffff;
  const half = (base + PAGE_GARBAGE) / 2;
  pages.u16[half] = pages.u16[half]! + before - INNER_SUFFIX;
}

/** A root with one child is released and the child becomes the root, as often as that holds. */
function collapseRoot(tree: TreeState): void {
  const { pages } = tree;
  while (tree.height > 1) {
    const frame = pages.frameOf[tree.rootLpn]!;
    if (frame < 0 || slotCount(pages, frame * pages.pageBytes) !== 1) return;
    const child = childLpnAt(pages, recordAt(pages, frame * pages.pageBytes, 0));
    releasePage(tree, tree.rootLpn);
    tree.rootLpn = child;
    tree.height--;
    tree.counters.rootCollapses++;
  }
}
