/**
 * Splits: where a page is cut, and how the new page reaches the parent.
 *
 * The entries of the full page and the one about to enter form a virtual sequence; the cut `at` (1 to count) gives its
 * first entry of the right page. Appends cut at the insertion point, so sequential keys leave full pages behind;
 * everything else cuts in the middle by bytes.
 *
 * Invariants
 * - The whole path is dirty before a page is allocated, so nothing that is in use can be evicted.
 * - The separator is the shortest byte string greater than the last key on the left and not greater than the first on
 *   the right. The first child of an inner page has the empty separator; its old one moves up.
 * - Both halves fit because no record takes more than half a page (entryBytesMax; separators are shorter still).
 *
 * Specification: spec/file-format.md, "Tree nodes".
 */

import { commonPrefixLength } from '../base/bytes.ts';
import { invariant } from '../base/errors.ts';
import {
  INNER_SUFFIX,
  LEVEL_MAX,
  PAGE_GARBAGE,
  PAGE_HEAP_START,
  PAGE_PREFIX,
  PAGE_SLOT_COUNT,
  pad4,
  SLOT_BYTES,
  TYPE_INNER,
  TYPE_LEAF,
} from '../pager/layout.ts';
import type { PageViews } from './page.ts';
import { clearPage, headOf, openSlot, prefixBytesOf, recordAt, recordBytesOf, sharesPrefix, slotCount, slotKeyInto } from './page.ts';
import { appendRecords } from './rebuild.ts';
import { FEW_KEYS, lengthenPrefix, makeRoom, SLACK_SHARE } from './room.ts';
import type { TreeState } from './state.ts';
import { change, changePath, isRightmost, pathBase } from './state.ts';
import type { Summary } from './summary.ts';
import { summarizeInner, summarizeLeaf, writeChild, writeSummary } from './summary.ts';

/** So many consecutive inserts make a run. */
const RUN_MIN = 2;

/** Where {@link splitLeaf} left room for the new entry. */
export class SplitPlace {
  frame = 0;
  index = 0;
}

/** The empty tree gets its first leaf; the path then leads to it. */
export function growFirstLeaf(tree: TreeState): void {
  const { pages } = tree;
  tree.rootLpn = pages.allocate(TYPE_LEAF, 0);
  tree.height = 1;
  tree.leafCount = 1;
  tree.pathLpn[0] = tree.rootLpn;
  tree.pathFrame[0] = pages.frameOf[tree.rootLpn]!;
  tree.pathIndex[0] = 0;
  change(tree, tree.pathFrame[0]!);
  clearPage(pages, pathBase(tree, 0), tree.soughtKey, 0);
  if (tree.isLoading) tree.accelerator?.leaveOut();
  else tree.accelerator?.setIndexed(tree.pathFrame[0]!, true);
}

/**
 * Splits the path's leaf so that the sought key can be placed: `place` says where. The right page hangs in no parent
 * yet; {@link linkRight} with the returned lpn finishes the split after the record was written.
 */
export function splitLeaf(tree: TreeState, index: number, fixed: number, valueBytes: number, place: SplitPlace): number {
  const { pages, soughtKey: key, soughtKeyBytes: keyBytes, keyA, keyB, accelerator } = tree;
  changePath(tree);
  const frame = tree.pathFrame[0]!;
  const base = pathBase(tree, 0);
  const count = slotCount(pages, base);
  const bytes = pad4(fixed + keyBytes - prefixBytesOf(pages, base) + valueBytes) + SLOT_BYTES;
  const at = chooseCut(tree, 0, index, bytes, sharesPrefix(pages, base, key, keyBytes));
  const isNewLeft = index < at;
  const from = isNewLeft ? at - 1 : at;

  const leftBytes = virtualKey(tree, base, index, at - 1, true, key, keyBytes, keyA);
  const rightBytes = virtualKey(tree, base, index, at, true, key, keyBytes, keyB);
  const shared = commonPrefixLength(keyA, 0, leftBytes, keyB, 0, rightBytes);
  tree.separators[0].set(keyB.subarray(0, shared + 1));
  const lastBytes = virtualKey(tree, base, index, count, true, key, keyBytes, keyA);
  // Few keys: no longer a prefix than the neighbour shares, but never shorter than what the moved records fitted under.
  let prefix = commonPrefixLength(keyA, 0, lastBytes, keyB, 0, rightBytes);
  if (count + 1 - at < FEW_KEYS) prefix = Math.min(prefix, from < count ? Math.max(shared, prefixBytesOf(pages, base)) : shared);

  const rightLpn = pages.allocate(TYPE_LEAF, 0);
  const rightFrame = pages.frameOf[rightLpn]!;
  const rightBase = rightFrame * pages.pageBytes;
  change(tree, rightFrame);
  clearPage(pages, rightBase, keyB, prefix);
  appendRecords(pages, base, from, count, pages, rightBase, true, false);
  if (accelerator !== undefined && accelerator.isIndexed(frame)) {
    accelerator.repoint(pages, base, base, from, pages, rightBase, 0, count - from);
    accelerator.setIndexed(rightFrame, true);
  } else accelerator?.leaveOut();
  if (from === 0) clearPage(pages, base, keyB, shared);
  else truncate(pages, base, from, true);

  tree.leafCount += tree.leafCount < 0 ? 0 : 1;
  tree.counters.leafSplits++;
  tree.separatorBytes = shared + 1;
  place.frame = isNewLeft ? frame : rightFrame;
  place.index = isNewLeft ? index : index - at;
  invariant(makeRoom(tree, place.frame, true, key, keyBytes, fixed, valueBytes, 0), 'half a page has no room after a split');
  return rightLpn;
}

/** Hangs the right half of a split leaf into the parents, with exact summaries of both halves. */
export function linkRight(tree: TreeState, rightLpn: number): void {
  const { pages, summaryLeft, summaryRight } = tree;
  summarizeLeaf(pages, pathBase(tree, 0), summaryLeft);
  summarizeLeaf(pages, pages.frameOf[rightLpn]! * pages.pageBytes, summaryRight);
  growParent(tree, 1, tree.separatorBytes, rightLpn);
}

/** Adds the right sibling to the page at `level` of the path; the separator lies in `separators[(level − 1) & 1]`. */
function growParent(tree: TreeState, level: number, separatorBytes: number, rightLpn: number): void {
  const { pages, summaryLeft } = tree;
  if (level === tree.height) growRoot(tree, level);
  const base = pathBase(tree, level);
  const leftIndex = tree.pathIndex[level]!;
  writeSummary(pages, recordAt(pages, base, leftIndex), summaryLeft);
  insertChild(tree, level, leftIndex + 1, separatorBytes, rightLpn, tree.summaryRight);
}

/** A new root above the old one. */
function growRoot(tree: TreeState, level: number): void {
  const { pages } = tree;
  invariant(level <= LEVEL_MAX, 'the tree is deeper than any file could make it');
  const lpn = pages.allocate(TYPE_INNER, level);
  const frame = pages.frameOf[lpn]!;
  const base = frame * pages.pageBytes;
  change(tree, frame);
  clearPage(pages, base, tree.keyA, 0);
  writeChild(pages, openSlot(pages, base, 0, INNER_SUFFIX, 0, 0), tree.rootLpn, tree.summaryLeft);
  tree.rootLpn = lpn;
  tree.height = level + 1;
  tree.pathLpn[level] = lpn;
  tree.pathFrame[level] = frame;
  tree.pathIndex[level] = 0;
}

function insertChild(tree: TreeState, level: number, index: number, separatorBytes: number, lpn: number, summary: Summary): void {
  const { pages } = tree;
  const frame = tree.pathFrame[level]!;
  const separator = tree.separators[(level - 1) & 1]!;
  if (!makeRoom(tree, frame, false, separator, separatorBytes, INNER_SUFFIX, 0, pages.pageBytes * SLACK_SHARE)) {
    splitInner(tree, level, index, separatorBytes, lpn, summary);
    return;
  }
  const base = frame * pages.pageBytes;
  placeChild(pages, base, index, separator, separatorBytes, lpn, summary);
  noteInsert(tree, frame, index);
  const count = slotCount(pages, base);
  if (count === 8 || count === 32) lengthenPrefix(tree, frame, false);
}

function placeChild(
  pages: PageViews,
  base: number,
  index: number,
  separator: Uint8Array,
  separatorBytes: number,
  lpn: number,
  summary: Summary,
): void {
  const prefixBytes = prefixBytesOf(pages, base);
  const suffixBytes = separatorBytes - prefixBytes;
  const bytes = pad4(INNER_SUFFIX + suffixBytes);
  const record = openSlot(pages, base, index, bytes, headOf(separator, prefixBytes, separatorBytes), suffixBytes);
  writeChild(pages, record, lpn, summary);
  const start = record + INNER_SUFFIX;
  for (let i = 0; i < suffixBytes; i++) pages.u8[start + i] = separator[prefixBytes + i]!;
  for (let i = INNER_SUFFIX + suffixBytes; i < bytes; i++) pages.u8[record + i] = 0;
}

function splitInner(tree: TreeState, level: number, index: number, separatorBytes: number, lpn: number, summary: Summary): void {
  const { pages, keyA, keyB } = tree;
  const separator = tree.separators[(level - 1) & 1]!;
  const frame = tree.pathFrame[level]!;
  const base = frame * pages.pageBytes;
  const count = slotCount(pages, base);
  const bytes = pad4(INNER_SUFFIX + separatorBytes - prefixBytesOf(pages, base)) + SLOT_BYTES;
  const at = chooseCut(tree, level, index, bytes, sharesPrefix(pages, base, separator, separatorBytes));
  const from = index < at ? at - 1 : at;

  const promoted = tree.separators[level & 1]!;
  const promotedBytes = virtualKey(tree, base, index, at, false, separator, separatorBytes, promoted);
  let prefix = 0;
  if (at < count) {
    const firstBytes = virtualKey(tree, base, index, at + 1, false, separator, separatorBytes, keyB);
    const lastBytes = virtualKey(tree, base, index, count, false, separator, separatorBytes, keyA);
    prefix = commonPrefixLength(keyA, 0, lastBytes, keyB, 0, firstBytes);
    if (count - at < FEW_KEYS) {
      const shared = commonPrefixLength(promoted, 0, promotedBytes, keyB, 0, firstBytes);
      prefix = Math.min(prefix, Math.max(shared, prefixBytesOf(pages, base)));
    }
  }

  const rightLpn = pages.allocate(TYPE_INNER, level);
  const rightFrame = pages.frameOf[rightLpn]!;
  const rightBase = rightFrame * pages.pageBytes;
  change(tree, rightFrame);
  clearPage(pages, rightBase, keyB, prefix);
  if (at === index) writeChild(pages, openSlot(pages, rightBase, 0, INNER_SUFFIX, 0, 0), lpn, summary);
  appendRecords(pages, base, from, count, pages, rightBase, false, at !== index);
  truncate(pages, base, from, false);
  if (at !== index) {
    const target = index < at ? frame : rightFrame;
    invariant(makeRoom(tree, target, false, separator, separatorBytes, INNER_SUFFIX, 0, 0), 'half an inner page has no room after a split');
    placeChild(pages, target * pages.pageBytes, index < at ? index : index - at, separator, separatorBytes, lpn, summary);
    noteInsert(tree, target, index < at ? index : index - at);
  }
  tree.counters.innerSplits++;
  summarizeInner(pages, base, tree.summaryLeft);
  summarizeInner(pages, rightBase, tree.summaryRight);
  growParent(tree, level + 1, promotedBytes, rightLpn);
}

/** Copies the key of a virtual position to `target`: the new key stands at `index`, the page's keys around it. */
function virtualKey(
  tree: TreeState,
  base: number,
  index: number,
  position: number,
  isLeaf: boolean,
  key: Uint8Array,
  keyBytes: number,
  target: Uint8Array,
): number {
  if (position !== index) return slotKeyInto(tree.pages, base, position < index ? position : position - 1, isLeaf, target);
  for (let i = 0; i < keyBytes; i++) target[i] = key[i]!;
  return keyBytes;
}

/** The first virtual position of the right page. `bytes` = record and slot of the new entry. */
function chooseCut(tree: TreeState, level: number, index: number, bytes: number, isSharing: boolean): number {
  const pages = tree.pages;
  const frame = tree.pathFrame[level]!;
  const base = frame * pages.pageBytes;
  const count = slotCount(pages, base);
  const isLeaf = level === 0;
  if (!isSharing) return index === count ? count : 1;
  const isRun = tree.insertRun[frame]! >= RUN_MIN && continuesRun(tree, frame, index);
  if (index === count && (isRun || isRightmost(tree, level))) return count;

  let total = bytes;
  for (let i = 0; i < count; i++) total += recordBytesOf(pages, base, i, isLeaf) + SLOT_BYTES;
  if (isRun) {
    // The run goes on at the end of the left page, if that half fits.
    const capacity = pages.pageBytes - PAGE_PREFIX - pad4(prefixBytesOf(pages, base));
    let left = bytes;
    for (let i = 0; i < index; i++) left += recordBytesOf(pages, base, i, isLeaf) + SLOT_BYTES;
    if (index < count && left <= capacity && total - left <= capacity) return index + 1;
  }
  let left = 0;
  for (let at = 1; at <= count; at++) {
    const position = at - 1;
    const own = position === index ? bytes : recordBytesOf(pages, base, position < index ? position : position - 1, isLeaf) + SLOT_BYTES;
    left += own;
    if (left * 2 < total) continue;
    return at > 1 && total - (left - own) < left ? at - 1 : at;
  }
  return count;
}

/** Remembers an insert so that runs can be seen. */
export function noteInsert(tree: TreeState, frame: number, index: number): void {
  const run = tree.insertRun[frame]!;
  tree.insertRun[frame] = continuesRun(tree, frame, index) ? Math.min(run + 1, 255) : 0;
  tree.lastInsert[frame] = index;
}

/** Ascending runs insert one slot further each time, descending ones at the same slot. */
function continuesRun(tree: TreeState, frame: number, index: number): boolean {
  const last = tree.lastInsert[frame]!;
  return index === last + 1 || index === last;
}

/** Cuts the slots from `count` on; their records become garbage. */
function truncate(pages: PageViews, base: number, count: number, isLeaf: boolean): void {
  const half = base / 2;
  const before = slotCount(pages, base);
  let garbage = 0;
  for (let i = count; i < before; i++) garbage += recordBytesOf(pages, base, i, isLeaf);
  pages.u16[half + PAGE_GARBAGE / 2] = pages.u16[half + PAGE_GARBAGE / 2]! + garbage;
  pages.u16[half + PAGE_SLOT_COUNT / 2] = count;
  invariant(pages.u16[half + PAGE_HEAP_START / 2]! + pages.u16[half + PAGE_GARBAGE / 2]! <= pages.pageBytes, 'more garbage than heap');
}
