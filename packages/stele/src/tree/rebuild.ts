/**
 * Rebuilding pages: copying records between pages that may have different prefixes, compaction, prefix choice.
 *
 * Split, merge, compaction and re-heading are all "make an empty page with this prefix and append those records to it".
 * A page that is rebuilt in place is first copied to the tree's scratch page.
 *
 * Invariants
 * - Source and target never overlap; the target has room for what is appended (see {@link measureRecords}).
 * - A page from a file may lie (its records may overlap): an append that would leave the heap throws `corrupt` PAGE_INVALID.
 * - The target's prefix is a prefix of every key appended, except the empty separator of an inner page's first child.
 *
 * Specification: spec/file-format.md, "Tree nodes".
 */

import { copyBytes } from '../base/bytes.ts';
import { SteleError } from '../base/errors.ts';
import {
  INNER_SUFFIX,
  LEAF_SUFFIX_BYTES,
  LEAF_VALUE_BYTES,
  PAGE_HEAP_START,
  PAGE_PREFIX,
  PAGE_SLOT_COUNT,
  pad4,
  SLOT_BYTES,
} from '../pager/layout.ts';
import type { PageViews } from './page.ts';
import { headOf, leafRecordBytes, leafSuffixOffset, prefixBytesOf, slotsWord } from './page.ts';

/** A page outside the frames: the same views, one page long, at base 0. */
export function scratchPage(pageBytes: number): PageViews {
  const buffer = new ArrayBuffer(pageBytes);
  return { pageBytes, u8: new Uint8Array(buffer), u16: new Uint16Array(buffer), u32: new Uint32Array(buffer) };
}

/** Copies the whole page at `base` to the scratch page. */
export function copyToScratch(pages: PageViews, base: number, scratch: PageViews): void {
  scratch.u8.set(pages.u8.subarray(base, base + pages.pageBytes));
}

/**
 * Bytes that slots and records [from, to) would take under a prefix of `prefixBytes`, the prefix itself not included.
 */
export function measureRecords(pages: PageViews, base: number, from: number, to: number, isLeaf: boolean, prefixBytes: number): number {
  const { u16, u32 } = pages;
  const change = prefixBytesOf(pages, base) - prefixBytes;
  const slots = slotsWord(pages, base);
  let bytes = (to - from) * SLOT_BYTES;
  for (let i = from; i < to; i++) {
    const place = u32[slots + i * 2 + 1]!;
    if (isLeaf) {
      const half = (base + (place & 0xffff)) / 2;
      bytes += pad4(leafSuffixOffset(u16, half) + u16[half + LEAF_SUFFIX_BYTES / 2]! + change + u16[half + LEAF_VALUE_BYTES / 2]!);
    } else {
      bytes += pad4(INNER_SUFFIX + (i === 0 ? 0 : (place >>> 16) + change));
    }
  }
  return bytes;
}

/**
 * Appends slots [from, to) of the source page to the target page, cut to the target's prefix.
 *
 * @param emptyFirst the first appended record becomes the first child of an inner page: its separator is dropped.
 */
export function appendRecords(
  source: PageViews,
  sourceBase: number,
  from: number,
  to: number,
  target: PageViews,
  targetBase: number,
  isLeaf: boolean,
  emptyFirst: boolean,
): void {
  let index = from;
  if (!isLeaf && index < to && (emptyFirst || index === 0)) {
    appendCut(source, sourceBase, index, target, targetBase, false, true);
    index++;
  }
  if (prefixBytesOf(source, sourceBase) === prefixBytesOf(target, targetBase)) {
    appendSame(source, sourceBase, index, to, target, targetBase, isLeaf);
  } else {
    for (; index < to; index++) appendCut(source, sourceBase, index, target, targetBase, isLeaf, false);
  }
}

/** Same prefix: slot and record are copied word by word. */
function appendSame(
  source: PageViews,
  sourceBase: number,
  from: number,
  to: number,
  target: PageViews,
  targetBase: number,
  isLeaf: boolean,
): void {
  const sourceU16 = source.u16;
  const sourceU32 = source.u32;
  const targetU16 = target.u16;
  const targetU32 = target.u32;
  const half = targetBase / 2;
  const count = targetU16[half + PAGE_SLOT_COUNT / 2]!;
  let heap = targetU16[half + PAGE_HEAP_START / 2]!;
  let sourceWord = slotsWord(source, sourceBase) + from * 2;
  let targetWord = slotsWord(target, targetBase) + count * 2;
  const end = (targetWord + (to - from) * 2) * 4 - targetBase;
  for (let i = from; i < to; i++) {
    const place = sourceU32[sourceWord + 1]!;
    const record = sourceBase + (place & 0xffff);
    const bytes = isLeaf ? leafRecordBytes(sourceU16, record / 2) : pad4(INNER_SUFFIX + (place >>> 16));
    heap -= bytes;
    if (heap < end) throw overlapping();
    copyWords(sourceU32, record / 4, targetU32, (targetBase + heap) / 4, bytes >>> 2);
    targetU32[targetWord] = sourceU32[sourceWord]!;
    targetU32[targetWord + 1] = heap + (place >>> 16) * 65536;
    sourceWord += 2;
    targetWord += 2;
  }
  targetU16[half + PAGE_SLOT_COUNT / 2] = count + to - from;
  targetU16[half + PAGE_HEAP_START / 2] = heap;
}

/** Other prefix: the suffix gains bytes of the source's prefix or loses bytes of its own. */
function appendCut(
  source: PageViews,
  sourceBase: number,
  index: number,
  target: PageViews,
  targetBase: number,
  isLeaf: boolean,
  isEmpty: boolean,
): void {
  const sourcePrefix = prefixBytesOf(source, sourceBase);
  const targetPrefix = prefixBytesOf(target, targetBase);
  const place = source.u32[slotsWord(source, sourceBase) + index * 2 + 1]!;
  const record = sourceBase + (place & 0xffff);
  const oldSuffix = place >>> 16;
  const newSuffix = isEmpty ? 0 : oldSuffix + sourcePrefix - targetPrefix;
  const fixed = isLeaf ? leafSuffixOffset(source.u16, record / 2) : INNER_SUFFIX;
  const valueBytes = isLeaf ? source.u16[(record + LEAF_VALUE_BYTES) / 2]! : 0;
  const bytes = pad4(fixed + newSuffix + valueBytes);

  const half = targetBase / 2;
  const heap = target.u16[half + PAGE_HEAP_START / 2]! - bytes;
  const start = targetBase + heap;
  const count = target.u16[half + PAGE_SLOT_COUNT / 2]!;
  const word = slotsWord(target, targetBase) + count * 2;
  if (start < (word + 2) * 4) throw overlapping();
  copyWords(source.u32, record / 4, target.u32, start / 4, fixed >>> 2);
  if (isLeaf) target.u16[(start + LEAF_SUFFIX_BYTES) / 2] = newSuffix;
  let at = start + fixed;
  const sourceSuffix = record + fixed;
  if (newSuffix > oldSuffix) {
    copyBytes(source.u8, sourceBase + PAGE_PREFIX + targetPrefix, sourceBase + PAGE_PREFIX + sourcePrefix, target.u8, at);
    copyBytes(source.u8, sourceSuffix, sourceSuffix + oldSuffix, target.u8, at + newSuffix - oldSuffix);
  } else {
    copyBytes(source.u8, sourceSuffix + oldSuffix - newSuffix, sourceSuffix + oldSuffix, target.u8, at);
  }
  at += newSuffix;
  copyBytes(source.u8, sourceSuffix + oldSuffix, sourceSuffix + oldSuffix + valueBytes, target.u8, at);
  for (let i = at + valueBytes; i < start + bytes; i++) target.u8[i] = 0;

  target.u32[word] = headOf(target.u8, start + fixed, start + fixed + newSuffix);
  target.u32[word + 1] = heap + newSuffix * 65536;
  target.u16[half + PAGE_SLOT_COUNT / 2] = count + 1;
  target.u16[half + PAGE_HEAP_START / 2] = heap;
}

/** A loaded page whose records overlap measures more than a page when it is rebuilt; nothing is written outside. */
function overlapping(): SteleError {
  return new SteleError('corrupt', 'PAGE_INVALID', 'records of a tree page overlap: they need more than a page');
}

function copyWords(source: Uint32Array, from: number, target: Uint32Array, at: number, words: number): void {
  if (words > 160) target.set(source.subarray(from, from + words), at);
  else for (let i = 0; i < words; i++) target[at + i] = source[from + i]!;
}

/**
 * Common prefix of the keys in slots [from, to) of a page; the empty separator of an inner page does not count.
 * −1 when there is no key.
 */
export function commonPrefixOf(pages: PageViews, base: number, from: number, to: number, isLeaf: boolean): number {
  const first = isLeaf || from > 0 ? from : 1;
  if (first >= to) return -1;
  const { u8, u16, u32 } = pages;
  const slots = slotsWord(pages, base);
  const a = u32[slots + first * 2 + 1]!;
  const b = u32[slots + (to - 1) * 2 + 1]!;
  const aRecord = base + (a & 0xffff);
  const bRecord = base + (b & 0xffff);
  const aAt = aRecord + (isLeaf ? leafSuffixOffset(u16, aRecord / 2) : INNER_SUFFIX);
  const bAt = bRecord + (isLeaf ? leafSuffixOffset(u16, bRecord / 2) : INNER_SUFFIX);
  const shared = Math.min(a >>> 16, b >>> 16);
  let i = 0;
  while (i < shared && u8[aAt + i] === u8[bAt + i]) i++;
  return prefixBytesOf(pages, base) + i;
}
