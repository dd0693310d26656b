/**
 * Making room in a page: compaction and the choice of its prefix.
 *
 * Invariants
 * - A page is rebuilt with the common prefix of its content and of the key that is about to enter, which is the longest
 *   legal one; a page with few keys never gets a longer prefix than it had, because its next keys are likely to break it.
 * - A key that lacks the page's prefix sorts before or after everything in the page, so when the page cannot be
 *   re-headed a split at that end always works.
 * - Records keep their order; the accelerator is told where each one went.
 *
 * Specification: spec/file-format.md, "Tree nodes".
 */

import { commonPrefixLength } from '../base/bytes.ts';
import { PAGE_PREFIX, pad4, SLOT_BYTES } from '../pager/layout.ts';
import { clearPage, commonWithPrefix, contiguousBytes, garbageBytes, prefixBytesOf, slotCount, slotKeyInto } from './page.ts';
import { appendRecords, commonPrefixOf, copyToScratch, measureRecords } from './rebuild.ts';
import type { TreeState } from './state.ts';

/** The usual slack, as a share of the page. */
export const SLACK_SHARE = 1 / 16;

/** Pages with fewer keys do not get a longer prefix from their content alone. */
export const FEW_KEYS = 4;

/**
 * Makes the page able to take the key with a record of `fixed + suffix + valueBytes` bytes by {@link openSlot}:
 * the key shares the page's prefix and the bytes are contiguous. False when the page should be split.
 *
 * @param slack do not compact for less than this many free bytes afterwards: a page that full is soon compacted again,
 *   each time for less (growing 1 M records from 100 to 140 bytes: 79 k compactions instead of 126 k, 6 % more splits).
 *   0 after a split, when it must succeed.
 */
export function makeRoom(
  tree: TreeState,
  frame: number,
  isLeaf: boolean,
  key: Uint8Array,
  keyBytes: number,
  fixed: number,
  valueBytes: number,
  slack: number,
): boolean {
  const pages = tree.pages;
  const base = frame * pages.pageBytes;
  const oldPrefix = prefixBytesOf(pages, base);
  const shared = commonWithPrefix(pages, base, key, keyBytes);
  if (shared === oldPrefix) {
    const bytes = pad4(fixed + keyBytes - oldPrefix + valueBytes) + SLOT_BYTES;
    const contiguous = contiguousBytes(pages, base);
    if (contiguous >= bytes) return true;
    const room = contiguous + garbageBytes(pages, base) - bytes;
    if (room < 0 || (room < slack && bytes <= slack)) return false;
  }
  const count = slotCount(pages, base);
  let prefix = commonPrefixOf(pages, base, 0, count, isLeaf);
  if (prefix < 0) {
    prefix = shared;
  } else {
    const firstBytes = slotKeyInto(pages, base, isLeaf ? 0 : 1, isLeaf, tree.keyC);
    prefix = Math.min(prefix, commonPrefixLength(key, 0, keyBytes, tree.keyC, 0, firstBytes));
    if (count < FEW_KEYS && prefix > shared) prefix = shared;
  }
  if (prefix > oldPrefix && !fits(tree, base, count, isLeaf, prefix, pad4(fixed + keyBytes - prefix + valueBytes) + SLOT_BYTES)) {
    prefix = oldPrefix;
  }
  if (prefix < oldPrefix && !fits(tree, base, count, isLeaf, prefix, pad4(fixed + keyBytes - prefix + valueBytes) + SLOT_BYTES)) {
    return false;
  }
  if (shared === oldPrefix) tree.counters.compactions++;
  else tree.counters.prefixRebuilds++;
  rebuildInPlace(tree, frame, isLeaf, key, prefix);
  return true;
}

/**
 * Gives a page the longest prefix its content allows when that is longer than what it has. Called now and then while
 * a page that began with few keys fills: without it the heads of a root page all tie.
 */
export function lengthenPrefix(tree: TreeState, frame: number, isLeaf: boolean): void {
  const pages = tree.pages;
  const base = frame * pages.pageBytes;
  const count = slotCount(pages, base);
  const prefix = commonPrefixOf(pages, base, 0, count, isLeaf);
  if (count < FEW_KEYS || prefix <= prefixBytesOf(pages, base) || !fits(tree, base, count, isLeaf, prefix, 0)) return;
  slotKeyInto(pages, base, count - 1, isLeaf, tree.keyC);
  tree.counters.prefixRebuilds++;
  rebuildInPlace(tree, frame, isLeaf, tree.keyC, prefix);
}

/** Rebuilds a page with the prefix `key[0, prefixBytes)` through the scratch page. */
function rebuildInPlace(tree: TreeState, frame: number, isLeaf: boolean, key: Uint8Array, prefixBytes: number): void {
  const { pages, scratch, accelerator } = tree;
  const base = frame * pages.pageBytes;
  const count = slotCount(pages, base);
  copyToScratch(pages, base, scratch);
  clearPage(pages, base, key, prefixBytes);
  appendRecords(scratch, 0, 0, count, pages, base, isLeaf, false);
  if (isLeaf && accelerator !== undefined && accelerator.isIndexed(frame)) {
    accelerator.repoint(scratch, 0, base, 0, pages, base, 0, count);
  }
}

function fits(tree: TreeState, base: number, count: number, isLeaf: boolean, prefixBytes: number, more: number): boolean {
  const pages = tree.pages;
  return PAGE_PREFIX + pad4(prefixBytes) + measureRecords(pages, base, 0, count, isLeaf, prefixBytes) + more <= pages.pageBytes;
}
