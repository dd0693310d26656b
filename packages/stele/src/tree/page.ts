/**
 * The slotted page, shared by leaves and inner pages: header fields, slots, search, and the heap.
 *
 *   80            prefix, padded to 4     slot 0 │ slot 1 │ … ──▶        ◀── records          pageBytes
 *   slot: u32 head │ u16 record offset │ u16 suffix bytes
 *
 * The head is the first four bytes of the key after the page's prefix, as a big-endian number padded with zeros, so
 * most comparisons touch only the slots. Equal heads are decided by the suffixes in the records.
 *
 * Invariants
 * - Keys ascend by slot. Every key of the page starts with the prefix. In an inner page slot 0 has the empty separator
 *   (suffix bytes 0, head 0), stands for "everything below separator 1", and does not count for the prefix.
 * - heap start + used record bytes + garbage = pageBytes.
 * - `base` is the byte offset of the page in the views and may pass 2^31: it is multiplied and divided, never shifted.
 * - A search terminates on any bytes: the slot count is clamped to what a page can hold.
 *
 * Specification: spec/file-format.md, "Tree nodes".
 */

import {
  INNER_SUFFIX,
  LEAF_BACK,
  LEAF_BACK_BYTES,
  LEAF_EXPIRES,
  LEAF_FIXED_BYTES,
  LEAF_ORDINAL,
  LEAF_SPINE,
  PAGE_GARBAGE,
  PAGE_HEAP_START,
  PAGE_PREFIX,
  PAGE_PREFIX_BYTES,
  PAGE_SLOT_COUNT,
  pad4,
  SLOT_BYTES,
} from '../pager/layout.ts';

/** Three views over the same memory: bytes, half words and words. */
export interface ByteViews {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
}

/** The views over all page frames (or over one scratch page). */
export interface PageViews extends ByteViews {
  readonly pageBytes: number;
}

export function slotCount(pages: PageViews, base: number): number {
  return pages.u16[(base + PAGE_SLOT_COUNT) / 2]!;
}

export function prefixBytesOf(pages: PageViews, base: number): number {
  return pages.u16[(base + PAGE_PREFIX_BYTES) / 2]!;
}

/** Index into `u32` of the first slot. */
export function slotsWord(pages: PageViews, base: number): number {
  return (base + PAGE_PREFIX + pad4(pages.u16[(base + PAGE_PREFIX_BYTES) / 2]!)) / 4;
}

/** Byte offset of the record of a slot. */
export function recordAt(pages: PageViews, base: number, index: number): number {
  return base + (pages.u32[slotsWord(pages, base) + index * 2 + 1]! & 0xffff);
}

/** Suffix bytes of the key of a slot. */
export function suffixBytesOf(pages: PageViews, base: number, index: number): number {
  return pages.u32[slotsWord(pages, base) + index * 2 + 1]! >>> 16;
}

/** Free bytes between the slots and the heap. */
export function contiguousBytes(pages: PageViews, base: number): number {
  const half = base / 2;
  return (
    pages.u16[half + PAGE_HEAP_START / 2]! -
    PAGE_PREFIX -
    pad4(pages.u16[half + PAGE_PREFIX_BYTES / 2]!) -
    pages.u16[half + PAGE_SLOT_COUNT / 2]! * SLOT_BYTES
  );
}

export function garbageBytes(pages: PageViews, base: number): number {
  return pages.u16[(base + PAGE_GARBAGE) / 2]!;
}

/** Bytes in use by prefix, slots and records. */
export function usedBytes(pages: PageViews, base: number): number {
  return pages.pageBytes - PAGE_PREFIX - contiguousBytes(pages, base) - garbageBytes(pages, base);
}

/** Offset of the suffix in a leaf record; `half` = location / 2. */
export function leafSuffixOffset(u16: Uint16Array, half: number): number {
  const flags = u16[half]!;
  const offset = leafSpineOffset(flags);
  if ((flags & LEAF_SPINE) === 0) return offset;
  return offset + pad4(2 + u16[half + offset / 2]!);
}

/** Offset of the spine's length in a record of these flags: the end of the fixed fields. */
export function leafSpineOffset(flags: number): number {
  return LEAF_FIXED_BYTES + ((flags & LEAF_EXPIRES) << 2) + (flags & LEAF_ORDINAL) + ((flags & LEAF_BACK) >> 3) * LEAF_BACK_BYTES;
}

/** Whole bytes of a leaf record in the heap, a multiple of 4; `half` = location / 2. */
export function leafRecordBytes(u16: Uint16Array, half: number): number {
  return pad4(leafSuffixOffset(u16, half) + u16[half + 1]! + u16[half + 2]!);
}

/** Whole bytes of the record of a slot. */
export function recordBytesOf(pages: PageViews, base: number, index: number, isLeaf: boolean): number {
  const place = pages.u32[slotsWord(pages, base) + index * 2 + 1]!;
  return isLeaf ? leafRecordBytes(pages.u16, (base + (place & 0xffff)) / 2) : pad4(INNER_SUFFIX + (place >>> 16));
}

/** The first four bytes of `key[start, end)` as a big-endian number, padded with zeros. */
export function headOf(key: Uint8Array, start: number, end: number): number {
  const bytes = end - start;
  if (bytes >= 4) return ((key[start]! << 24) | (key[start + 1]! << 16) | (key[start + 2]! << 8) | key[start + 3]!) >>> 0;
  let head = 0;
  if (bytes > 0) head = key[start]! << 24;
  if (bytes > 1) head |= key[start + 1]! << 16;
  if (bytes > 2) head |= key[start + 2]! << 8;
  return head >>> 0;
}

/**
 * Finds a key in a page. Slot index ≥ 0 when found, else ~(index where it would stand).
 *
 * @param first 0 for a leaf; 1 for an inner page, whose slot 0 is below every key.
 * @param known leading bytes in which the key and everything in the page are known to agree: {@link knownBelow}.
 */
export function searchPage(pages: PageViews, base: number, key: Uint8Array, keyBytes: number, first: number, known: number): number {
  const { u8, u16, u32 } = pages;
  const half = base / 2;
  const prefixBytes = u16[half + PAGE_PREFIX_BYTES / 2]!;
  let high = u16[half + PAGE_SLOT_COUNT / 2]!;
  if (high > pages.pageBytes / SLOT_BYTES) high = pages.pageBytes / SLOT_BYTES;
  const shared = prefixBytes < keyBytes ? prefixBytes : keyBytes;
  for (let i = known, at = base + PAGE_PREFIX + known; i < shared; i++, at++) {
    const difference = key[i]! - u8[at]!;
    if (difference !== 0) return difference < 0 ? ~first : ~high;
  }
  if (keyBytes < prefixBytes) return ~first;

  const head = headOf(key, prefixBytes, keyBytes);
  const slots = (base + PAGE_PREFIX + pad4(prefixBytes)) / 4;
  let low = first;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = u32[slots + middle * 2]!;
    if (other < head) low = middle + 1;
    else if (other > head) high = middle;
    else {
      const difference = compareTail(pages, base, u32[slots + middle * 2 + 1]!, key, prefixBytes, keyBytes, first);
      if (difference === 0) return middle;
      if (difference > 0) low = middle + 1;
      else high = middle;
    }
  }
  return ~low;
}

/**
 * Known common bytes for the search in child `index` of an inner page: a child between two separators that share the
 * page's prefix holds only keys with that prefix, and so is the key that led there.
 */
export function knownBelow(pages: PageViews, base: number, index: number, known: number): number {
  const prefixBytes = pages.u16[(base + PAGE_PREFIX_BYTES) / 2]!;
  return prefixBytes > known && index > 0 && index + 1 < pages.u16[(base + PAGE_SLOT_COUNT) / 2]! ? prefixBytes : known;
}

/** Compares the key with a record whose head is equal: positive when the key is greater. */
function compareTail(
  pages: PageViews,
  base: number,
  place: number,
  key: Uint8Array,
  prefixBytes: number,
  keyBytes: number,
  first: number,
): number {
  const suffixBytes = place >>> 16;
  const restBytes = keyBytes - prefixBytes;
  const shared = suffixBytes < restBytes ? suffixBytes : restBytes;
  if (shared > 4) {
    const u8 = pages.u8;
    const record = base + (place & 0xffff);
    let at = record + 4 + (first === 1 ? INNER_SUFFIX : leafSuffixOffset(pages.u16, record / 2));
    const end = prefixBytes + shared;
    for (let i = prefixBytes + 4; i < end; i++, at++) {
      const difference = key[i]! - u8[at]!;
      if (difference !== 0) return difference;
    }
  }
  return restBytes - suffixBytes;
}

/** True when the key starts with the page's prefix, so that it can stand in the page as it is. */
export function sharesPrefix(pages: PageViews, base: number, key: Uint8Array, keyBytes: number): boolean {
  return commonWithPrefix(pages, base, key, keyBytes) === prefixBytesOf(pages, base);
}

/** Bytes of the page's prefix that the key starts with. */
export function commonWithPrefix(pages: PageViews, base: number, key: Uint8Array, keyBytes: number): number {
  const shared = Math.min(prefixBytesOf(pages, base), keyBytes);
  const u8 = pages.u8;
  let i = 0;
  while (i < shared && key[i] === u8[base + PAGE_PREFIX + i]) i++;
  return i;
}

/** Copies the whole key of a slot to `target` and returns its length; the empty separator of an inner page gives 0. */
export function slotKeyInto(pages: PageViews, base: number, index: number, isLeaf: boolean, target: Uint8Array): number {
  if (!isLeaf && index === 0) return 0;
  const { u8, u16 } = pages;
  const prefixBytes = Math.min(prefixBytesOf(pages, base), target.length);
  const place = pages.u32[slotsWord(pages, base) + index * 2 + 1]!;
  const record = base + (place & 0xffff);
  const end = Math.min(prefixBytes + (place >>> 16), target.length);
  let at = base + PAGE_PREFIX;
  for (let i = 0; i < prefixBytes; i++) target[i] = u8[at++]!;
  at = record + (isLeaf ? leafSuffixOffset(u16, record / 2) : INNER_SUFFIX);
  for (let i = prefixBytes; i < end; i++) target[i] = u8[at++]!;
  return end;
}

/** Makes the page empty with the prefix `key[0, prefixBytes)`; type and level stay. */
export function clearPage(pages: PageViews, base: number, key: Uint8Array, prefixBytes: number): void {
  const { u8, u16 } = pages;
  const half = base / 2;
  u16[half + PAGE_SLOT_COUNT / 2] = 0;
  u16[half + PAGE_HEAP_START / 2] = pages.pageBytes;
  u16[half + PAGE_GARBAGE / 2] = 0;
  u16[half + PAGE_PREFIX_BYTES / 2] = prefixBytes;
  const at = base + PAGE_PREFIX;
  for (let i = 0; i < prefixBytes; i++) u8[at + i] = key[i]!;
  for (let i = prefixBytes; i < pad4(prefixBytes); i++) u8[at + i] = 0;
}

/**
 * Opens a slot at `index` for a record of `bytes` (a multiple of 4) and returns the record's byte offset. There must be
 * {@link contiguousBytes} for slot and record; the caller fills the record.
 */
export function openSlot(pages: PageViews, base: number, index: number, bytes: number, head: number, suffixBytes: number): number {
  const { u16, u32 } = pages;
  const half = base / 2;
  const count = u16[half + PAGE_SLOT_COUNT / 2]!;
  const heap = u16[half + PAGE_HEAP_START / 2]! - bytes;
  const slots = slotsWord(pages, base);
  const word = slots + index * 2;
  const end = slots + count * 2;
  if (end - word <= 32) for (let i = end - 1; i >= word; i--) u32[i + 2] = u32[i]!;
  else u32.copyWithin(word + 2, word, end);
  u32[word] = head;
  u32[word + 1] = heap + suffixBytes * 65536;
  u16[half + PAGE_SLOT_COUNT / 2] = count + 1;
  u16[half + PAGE_HEAP_START / 2] = heap;
  return base + heap;
}

/** Takes `bytes` from the heap for an existing slot whose record moves; returns the new byte offset. */
export function moveRecord(pages: PageViews, base: number, index: number, bytes: number): number {
  const { u16, u32 } = pages;
  const half = base / 2;
  const heap = u16[half + PAGE_HEAP_START / 2]! - bytes;
  u16[half + PAGE_HEAP_START / 2] = heap;
  const word = slotsWord(pages, base) + index * 2 + 1;
  u32[word] = (u32[word]! & 0xffff0000) + heap;
  return base + heap;
}

/** Closes a slot and gives its record's bytes back to the heap. */
export function closeSlot(pages: PageViews, base: number, index: number, isLeaf: boolean): void {
  const { u16, u32 } = pages;
  const half = base / 2;
  const count = u16[half + PAGE_SLOT_COUNT / 2]!;
  const slots = slotsWord(pages, base);
  const word = slots + index * 2;
  freeRecord(pages, base, u32[word + 1]! & 0xffff, recordBytesOf(pages, base, index, isLeaf));
  u32.copyWithin(word, word + 2, slots + count * 2);
  u16[half + PAGE_SLOT_COUNT / 2] = count - 1;
  if (count === 1) {
    u16[half + PAGE_HEAP_START / 2] = pages.pageBytes;
    u16[half + PAGE_GARBAGE / 2] = 0;
  }
}

/** Gives record bytes back: the lowest record raises the heap start, any other becomes garbage. */
export function freeRecord(pages: PageViews, base: number, offset: number, bytes: number): void {
  const half = base / 2;
  if (pages.u16[half + PAGE_HEAP_START / 2] === offset) pages.u16[half + PAGE_HEAP_START / 2] = offset + bytes;
  else pages.u16[half + PAGE_GARBAGE / 2] = pages.u16[half + PAGE_GARBAGE / 2]! + bytes;
}
