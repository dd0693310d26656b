/**
 * Bounds of a tree page, checked once when it is loaded so that tree code never has to.
 *
 * Believed afterwards: type and level; prefix and slots lie before the heap; every record lies in the heap, is aligned, carries only
 * known flags and nothing in reserved bytes, and its parts end inside the page; large references are of a known kind; key lengths stay
 * within the longest key; child pages lie inside the file; heads are those of their keys, and the keys of the page ascend.
 * Not believed: that the keys lie in the range the parent says, counts and bounds (`verify` of the tree checks these), and that records do
 * not overlap.
 *
 * Specification: spec/file-format.md, "Pages" and "Tree nodes".
 */

import * as L from './layout.ts';

/** Views over one buffer of pages. */
export interface PageViews {
  readonly pageBytes: number;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
}

/**
 * The first thing wrong with the tree page at byte `start`, or undefined. Child pointers are in disk form.
 *
 * @param expectedLevel what the parent promises; this also forbids cycles.
 * @param pageLimit children must be smaller.
 */
export function checkTreePage(
  views: PageViews,
  start: number,
  pageBytes: number,
  expectedLevel: number,
  pageLimit: number,
): string | undefined {
  const { u8, u16, u32 } = views;
  const type = u8[start + L.PAGE_TYPE]!;
  const level = u8[start + L.PAGE_LEVEL]!;
  if (type !== L.TYPE_LEAF && type !== L.TYPE_INNER) return `type ${type}, expected a tree page`;
  if (level !== expectedLevel || (type === L.TYPE_LEAF) !== (level === 0))
    return `type ${type} at level ${level}, expected level ${expectedLevel}`;
  if (u32[(start + L.PAGE_FLAGS) / 4]! !== 0) return 'unknown flags';
  if (u16[(start + L.PAGE_RESERVED) / 2]! !== 0) return 'reserved bytes are used';
  for (let at = start + L.PAGE_CRYPT; at < start + L.PAGE_HEADER_BYTES; at += 4) if (u32[at / 4] !== 0) return 'reserved bytes are used';

  const half = start / 2;
  const slots = u16[half + L.PAGE_SLOT_COUNT / 2]!;
  const heapStart = u16[half + L.PAGE_HEAP_START / 2]!;
  const prefixBytes = u16[half + L.PAGE_PREFIX_BYTES / 2]!;
  const garbage = u16[half + L.PAGE_GARBAGE / 2]!;
  if (prefixBytes > L.KEY_BYTES_MAX) return `prefix of ${prefixBytes} bytes`;
  const slotsStart = L.PAGE_PREFIX + L.pad4(prefixBytes);
  if (heapStart > pageBytes || (heapStart & 3) !== 0 || slotsStart + slots * L.SLOT_BYTES > heapStart)
    return `${slots} slots and a heap from ${heapStart}`;
  if (garbage > pageBytes - heapStart) return `${garbage} bytes of garbage in a heap from ${heapStart}`;
  if (type === L.TYPE_INNER && slots === 0) return 'an inner page without children';

  const suffixMax = L.KEY_BYTES_MAX - prefixBytes;
  for (let slot = 0; slot < slots; slot++) {
    const at = (start + slotsStart + slot * L.SLOT_BYTES) / 2;
    const record = u16[at + L.SLOT_RECORD / 2]!;
    const suffixBytes = u16[at + L.SLOT_SUFFIX_BYTES / 2]!;
    if ((record & 3) !== 0 || record < heapStart) return `slot ${slot}: record at ${record}`;
    if (suffixBytes > suffixMax) return `slot ${slot}: key of ${prefixBytes}+${suffixBytes} bytes`;
    const wrong =
      type === L.TYPE_LEAF
        ? checkLeafRecord(u8, u16, start, record, suffixBytes, pageBytes)
        : checkInnerRecord(u16, u32, start, record, suffixBytes, pageBytes, pageLimit);
    if (wrong !== undefined) return `slot ${slot}: ${wrong}`;
  }
  return checkOrder(views, start, slots, start + slotsStart, type === L.TYPE_LEAF);
}

/**
 * Heads are those of their keys, and keys ascend strictly: whoever walks a page by its keys moves on. The first separator of an inner
 * page is empty and stands below all others.
 */
function checkOrder(views: PageViews, start: number, slots: number, slotsStart: number, isLeaf: boolean): string | undefined {
  const { u8, u16, u32 } = views;
  let before = -1;
  let beforeStart = 0;
  let beforeEnd = 0;
  for (let slot = 0; slot < slots; slot++) {
    const at = slotsStart + slot * L.SLOT_BYTES;
    const record = start + u16[(at + L.SLOT_RECORD) / 2]!;
    const suffixBytes = u16[(at + L.SLOT_SUFFIX_BYTES) / 2]!;
    const suffix = record + (isLeaf ? leafSuffixOffset(u16, record / 2) : L.INNER_SUFFIX);
    const head = headOf(u8, suffix, suffixBytes);
    if (u32[(at + L.SLOT_HEAD) / 4] !== head) return `slot ${slot}: the head is not that of its key`;
    if (!isLeaf && slot === 0) {
      if (suffixBytes !== 0) return 'the first child has a separator';
      continue;
    }
    const end = suffix + suffixBytes;
    if (head < before || (head === before && !isBelow(u8, beforeStart, beforeEnd, suffix, end)))
      return `slot ${slot}: its key is not above the one before`;
    before = head;
    beforeStart = suffix;
    beforeEnd = end;
  }
  return undefined;
}

/** The first four bytes, padded with zeros, as one big-endian number. */
function headOf(u8: Uint8Array, at: number, bytes: number): number {
  if (bytes >= 4) return ((u8[at]! << 24) | (u8[at + 1]! << 16) | (u8[at + 2]! << 8) | u8[at + 3]!) >>> 0;
  let head = 0;
  for (let i = 0; i < bytes; i++) head |= u8[at + i]! << (24 - 8 * i);
  return head >>> 0;
}

/** Two suffixes with equal heads: the bytes [a, aEnd) sort before [b, bEnd). */
function isBelow(u8: Uint8Array, a: number, aEnd: number, b: number, bEnd: number): boolean {
  // With fewer than four bytes the padding was compared too: the shorter one is smaller.
  const bytes = Math.min(aEnd - a, bEnd - b);
  for (let i = Math.min(4, bytes); i < bytes; i++) if (u8[a + i] !== u8[b + i]) return u8[a + i]! < u8[b + i]!;
  return aEnd - a < bEnd - b;
}

/** Where the suffix begins in the leaf record at `half` of the u16 view; its fields were checked. */
function leafSuffixOffset(u16: Uint16Array, half: number): number {
  const flags = u16[half]!;
  let offset = L.LEAF_FIXED_BYTES + ((flags & L.LEAF_EXPIRES) << 2) + (flags & L.LEAF_ORDINAL);
  if ((flags & L.LEAF_BACK) !== 0) offset += L.LEAF_BACK_BYTES;
  return (flags & L.LEAF_SPINE) === 0 ? offset : offset + L.pad4(2 + u16[half + offset / 2]!);
}

function checkLeafRecord(
  u8: Uint8Array,
  u16: Uint16Array,
  start: number,
  record: number,
  suffixBytes: number,
  pageBytes: number,
): string | undefined {
  if (record + L.LEAF_FIXED_BYTES > pageBytes) return `record at ${record}`;
  const at = (start + record) / 2;
  const flags = u16[at + L.LEAF_FLAGS / 2]!;
  const valueBytes = u16[at + L.LEAF_VALUE_BYTES / 2]!;
  if ((flags & ~L.LEAF_FLAGS_KNOWN) !== 0) return `unknown flags ${flags}`;
  if (u16[at + L.LEAF_SUFFIX_BYTES / 2]! !== suffixBytes) return 'the lengths of the key differ between slot and record';
  let end = record + L.LEAF_FIXED_BYTES;
  const fixedEnd = end + (flags & L.LEAF_EXPIRES) * 4 + (flags & L.LEAF_ORDINAL) + ((flags & L.LEAF_BACK) !== 0 ? L.LEAF_BACK_BYTES : 0);
  if (fixedEnd > pageBytes) return `record from ${record} to ${fixedEnd}`;
  if ((flags & L.LEAF_EXPIRES) !== 0) {
    if (u16[(start + end) / 2 + 3] !== 0) return 'reserved bytes are used';
    end += L.LEAF_EXPIRES_BYTES;
  }
  if ((flags & L.LEAF_ORDINAL) !== 0) end += L.LEAF_ORDINAL_BYTES;
  if ((flags & L.LEAF_BACK) !== 0) {
    if (u16[(start + end) / 2 + 3] !== 0 || u16[(start + end) / 2 + 9] !== 0) return 'reserved bytes are used';
    const back = (start + end) / 2;
    const commit = u48(u16, at + L.LEAF_COMMIT_LOW / 2, at + L.LEAF_COMMIT_HIGH / 2);
    const backCommit = u48(u16, back, back + 2);
    if (backCommit === 0 || backCommit > commit || u48(u16, back + 6, back + 8) > commit)
      return `commit ${commit} supersedes ${backCommit}`;
    end += L.LEAF_BACK_BYTES;
  } else if ((flags & L.LEAF_BACK_CARRIED) !== 0) return `flags ${flags} contradict each other`;
  if ((flags & L.LEAF_SPINE) !== 0) {
    if (end + 2 > pageBytes) return 'the spine lies outside';
    end += L.pad4(2 + u16[(start + end) / 2]!);
  }
  if (end + suffixBytes + valueBytes > pageBytes) return `record from ${record} to ${end + suffixBytes + valueBytes}`;
  if ((flags & L.LEAF_TOMBSTONE) !== 0 && ((flags & (L.LEAF_LARGE | L.LEAF_SWEPT)) !== 0 || valueBytes !== 0))
    return 'a tombstone with a value';
  return (flags & L.LEAF_LARGE) === 0 ? undefined : checkLargeReference(u8, start + end + suffixBytes, valueBytes);
}

/** Two words of the low half at `low`, the high word at `high`. */
function u48(u16: Uint16Array, low: number, high: number): number {
  return u16[low]! + u16[low + 1]! * 0x1_0000 + u16[high]! * 0x1_0000_0000;
}

function checkLargeReference(u8: Uint8Array, at: number, valueBytes: number): string | undefined {
  if (valueBytes !== L.LARGE_BYTES) return `a large reference of ${valueBytes} bytes`;
  const kind = u8[at + L.LARGE_KIND]!;
  if (kind !== L.LARGE_IN_LOG && kind !== L.LARGE_IN_OVERFLOW) return `a large reference of unknown kind ${kind}`;
  const placeIsZero = kind === L.LARGE_IN_LOG;
  for (let i = L.LARGE_KIND + 1; i < L.LARGE_BYTES; i++) {
    const isReserved = i < L.LARGE_FIRST_PAGE || (i >= L.LARGE_FIRST_PAGE + 6 && i < L.LARGE_PAGES);
    if ((isReserved || placeIsZero) && u8[at + i] !== 0) return 'reserved bytes of a large reference are used';
  }
  return undefined;
}

function checkInnerRecord(
  u16: Uint16Array,
  u32: Uint32Array,
  start: number,
  record: number,
  suffixBytes: number,
  pageBytes: number,
  pageLimit: number,
): string | undefined {
  if (record + L.INNER_SUFFIX + suffixBytes > pageBytes) return `record at ${record}`;
  const at = (start + record) / 2;
  const child = u32[at / 2]! + u16[at + 2]! * 0x1_0000_0000;
  if (child < 2 || child >= pageLimit) return `child page ${child} of ${pageLimit}`;
  if (u16[at + L.INNER_CHILD_RESERVED / 2]! !== 0) return 'reserved bytes are used';
  if ((u16[at + L.INNER_FLAGS / 2]! & ~L.INNER_FLAGS_KNOWN) !== 0) return `unknown flags ${u16[at + L.INNER_FLAGS / 2]}`;
  return undefined;
}
