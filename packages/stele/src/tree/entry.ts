/**
 * Readers of one entry: plain functions over the bytes of a leaf record.
 *
 * A *location* is the byte offset of a record in the page memory, always a multiple of 4 and never 0.
 *
 *   offset  bytes  field
 *        0      2  flags: 1 tombstone, 2 expires, 4 ordinal, 8 back, 16 back is carried, 32 value is a large
 *                  reference, 64 spine, 128 swept, bits 8..10 depth; 0x0800 and up refused
 *        2      2  suffix bytes (the key after the page's prefix)
 *        4      2  stored value bytes (the value, or the 20 bytes of a large reference)
 *        6      2  commit, high 16 bits
 *        8      4  commit, low 32 bits
 *       12      8  EXPIRES: expiry in ms, u48, then u16 0
 *               4  ORDINAL: operation ordinal (0 when missing)
 *              20  BACK: superseded commit u48, u16 0, its ordinal u32, firstCommit u48, u16 0
 *               n  SPINE: u16 length, bytes, zeros to a multiple of 4
 *               s  suffix
 *               v  value, then zeros to a multiple of 4
 *
 * Invariants
 * - The pager checks a page when it loads it, so the owner may trust these fields. A reader on another thread may
 *   parse torn bytes: every length here is a u16 or clamped, no loop depends on page content without a bound, and
 *   what is read is garbage at worst; it re-checks the page's version word before it believes anything.
 * - A location is good until the tree is modified or a page is loaded.
 *
 * Specification: spec/file-format.md, "Tree nodes".
 */

import { readU48 as readBytesU48, readU32, writeU48 as writeBytesU48, writeU32 } from '../base/bytes.ts';
import {
  LARGE_FIRST_PAGE,
  LARGE_IN_OVERFLOW,
  LARGE_KIND,
  LARGE_PAGES,
  LEAF_BACK,
  LEAF_BACK_CARRIED,
  LEAF_DEPTH_MASK,
  LEAF_DEPTH_SHIFT,
  LEAF_EXPIRES,
  LEAF_FIXED_BYTES,
  LEAF_LARGE,
  LEAF_ORDINAL,
  LEAF_SPINE,
  LEAF_SWEPT,
  LEAF_TOMBSTONE,
  PAGE_PREFIX,
  PAGE_PREFIX_BYTES,
} from '../pager/layout.ts';
import type { ByteViews, PageViews } from './page.ts';
import { leafSpineOffset, leafSuffixOffset } from './page.ts';

export type { ByteViews, PageViews } from './page.ts';

/** Flags that make an entry count 0: it is not there for a reader of the newest state. */
export const LEAF_DEAD = LEAF_TOMBSTONE | LEAF_SWEPT;

const TWO_POW_32 = 4294967296;

/** The ENTRY_ flags of the record. */
export function flagsAt(pages: ByteViews, location: number): number {
  return pages.u16[location / 2]!;
}

/** True when the entry counts as live: neither tombstone nor swept. It may still be expired at the reader's time. */
export function isLiveAt(pages: ByteViews, location: number): boolean {
  return (pages.u16[location / 2]! & LEAF_DEAD) === 0;
}

/** The commit that wrote the entry. */
export function commitAt(pages: ByteViews, location: number): number {
  return pages.u16[location / 2 + 3]! * TWO_POW_32 + pages.u32[location / 4 + 2]!;
}

/** Expiry in ms since the epoch; 0 = never. */
export function expiresAt(pages: ByteViews, location: number): number {
  if ((pages.u16[location / 2]! & LEAF_EXPIRES) === 0) return 0;
  return readU48(pages, location + LEAF_FIXED_BYTES);
}

/** Ordinal of the operation within its commit. */
export function ordinalAt(pages: ByteViews, location: number): number {
  const flags = pages.u16[location / 2]!;
  if ((flags & LEAF_ORDINAL) === 0) return 0;
  return pages.u32[(location + LEAF_FIXED_BYTES + ((flags & LEAF_EXPIRES) << 2)) / 4]!;
}

/** Commit of the superseded version; 0 = there is none. */
export function backCommitAt(pages: ByteViews, location: number): number {
  const flags = pages.u16[location / 2]!;
  return (flags & LEAF_BACK) === 0 ? 0 : readU48(pages, backFieldAt(location, flags));
}

/** Ordinal of the superseded version in its commit; with {@link isBackCarriedAt} the index of the carried entry. */
export function backOrdinalAt(pages: ByteViews, location: number): number {
  const flags = pages.u16[location / 2]!;
  return (flags & LEAF_BACK) === 0 ? 0 : pages.u32[(backFieldAt(location, flags) + 8) / 4]!;
}

/** True when the superseded version is one that its back commit carries, not one that it wrote. */
export function isBackCarriedAt(pages: ByteViews, location: number): boolean {
  return (pages.u16[location / 2]! & LEAF_BACK_CARRIED) !== 0;
}

/** The oldest commit at which this key existed, as far as its chain knows; the entry's own commit when it has no past. */
export function firstCommitAt(pages: ByteViews, location: number): number {
  const flags = pages.u16[location / 2]!;
  return (flags & LEAF_BACK) === 0 ? commitAt(pages, location) : readU48(pages, backFieldAt(location, flags) + 12);
}

/** Superseded versions in the chain, 0 to 7; 7 means 7 or more. */
export function depthAt(pages: ByteViews, location: number): number {
  return (pages.u16[location / 2]! & LEAF_DEPTH_MASK) >> LEAF_DEPTH_SHIFT;
}

/** Bytes of the spine; 0 when the entry has none. */
export function spineBytesAt(pages: ByteViews, location: number): number {
  const flags = pages.u16[location / 2]!;
  return (flags & LEAF_SPINE) === 0 ? 0 : pages.u16[(location + leafSpineOffset(flags)) / 2]!;
}

/** Byte offset of the first spine byte in `pages.u8`; meaningful when {@link spineBytesAt} is not 0. */
export function spineStartAt(pages: ByteViews, location: number): number {
  return location + leafSpineOffset(pages.u16[location / 2]!) + 2;
}

/** Byte offset in `pages.u8` of the stored value (or of the large reference). */
export function valueStartAt(pages: ByteViews, location: number): number {
  return location + leafSuffixOffset(pages.u16, location / 2) + pages.u16[location / 2 + 1]!;
}

/** Bytes stored in the record: the value's length, or 20 for a large reference. */
export function valueBytesAt(pages: ByteViews, location: number): number {
  return pages.u16[location / 2 + 2]!;
}

/** True when the record holds a reference; then the `large…At` readers apply. */
export function isLargeAt(pages: ByteViews, location: number): boolean {
  return (pages.u16[location / 2]! & LEAF_LARGE) !== 0;
}

/** Length of the large value in bytes. */
export function largeBytesAt(pages: ByteViews, location: number): number {
  return readU32(pages.u8, valueStartAt(pages, location));
}

/** LARGE_IN_LOG or LARGE_IN_OVERFLOW. */
export function largeKindAt(pages: ByteViews, location: number): number {
  return pages.u8[valueStartAt(pages, location) + LARGE_KIND]!;
}

/** First physical page of the overflow run. */
export function largeFirstPageAt(pages: ByteViews, location: number): number {
  return readBytesU48(pages.u8, valueStartAt(pages, location) + LARGE_FIRST_PAGE);
}

/** Pages of the overflow run. */
export function largePagesAt(pages: ByteViews, location: number): number {
  return readU32(pages.u8, valueStartAt(pages, location) + LARGE_PAGES);
}

/**
 * Turns a large reference into one that points at a run of overflow pages, in place. Works on any views, so a flush
 * may apply it to its image of the page and again to the live page. The record keeps its size.
 */
export function setLargePages(pages: ByteViews, location: number, firstPage: number, pageCount: number): void {
  const at = valueStartAt(pages, location);
  pages.u8[at + LARGE_KIND] = LARGE_IN_OVERFLOW;
  writeBytesU48(pages.u8, at + LARGE_FIRST_PAGE, firstPage);
  writeU32(pages.u8, at + LARGE_PAGES, pageCount);
}

/**
 * Copies the whole key (page prefix, then suffix) to `target[0, …)` and returns its length.
 * `target` should hold 1100 bytes; on torn bytes no more than its length is written.
 */
export function keyInto(pages: PageViews, location: number, target: Uint8Array): number {
  const base = location - (location % pages.pageBytes);
  return keyOfPageInto(pages, base, location, target);
}

/** {@link keyInto} when the page's first byte is known. */
export function keyOfPageInto(pages: PageViews, base: number, location: number, target: Uint8Array): number {
  const u8 = pages.u8;
  const prefixBytes = Math.min(pages.u16[(base + PAGE_PREFIX_BYTES) / 2]!, target.length);
  let from = base + PAGE_PREFIX;
  for (let i = 0; i < prefixBytes; i++) target[i] = u8[from++]!;
  const end = Math.min(prefixBytes + pages.u16[location / 2 + 1]!, target.length);
  from = location + leafSuffixOffset(pages.u16, location / 2);
  for (let i = prefixBytes; i < end; i++) target[i] = u8[from++]!;
  return end;
}

function backFieldAt(location: number, flags: number): number {
  return location + LEAF_FIXED_BYTES + ((flags & LEAF_EXPIRES) << 2) + (flags & LEAF_ORDINAL);
}

function readU48(pages: ByteViews, at: number): number {
  return pages.u32[at / 4]! + pages.u16[at / 2 + 2]! * TWO_POW_32;
}

// Names of the first draft, until the engine uses the layout's.
export {
  LARGE_IN_LOG,
  LARGE_IN_OVERFLOW as LARGE_IN_PAGES,
  LEAF_EXPIRES as ENTRY_EXPIRES,
  LEAF_LARGE as ENTRY_LARGE,
  LEAF_SWEPT as ENTRY_SWEPT,
  LEAF_TOMBSTONE as ENTRY_TOMBSTONE,
} from '../pager/layout.ts';
