/**
 * Fixed-width little-endian integers in byte arrays, and byte order.
 *
 * Plain functions, no DataView: a DataView call needs an object per array and is no faster. All integers of our files are
 * little-endian; wire formats that are not (commit headers, spec/log-format.md) use the `BE` pair.
 *
 * Invariants
 * - No function checks bounds: the caller has compared `at` with the end of what it may read. Reading past the array
 *   gives 0 or NaN-free garbage, never a crash, so a torn page cannot break a reader that re-checks afterwards.
 * - u48 values are JS numbers below 2^48; they are never shifted as 32-bit integers.
 *
 * Specification: spec/log-format.md, "Conventions".
 */

const TWO_32 = 0x1_0000_0000;

/** Largest u48. Commit numbers, times in ms, page ids and file positions stay at or below it. */
export const U48_MAX = 0xffff_ffff_ffff;

/** Byte order of two ranges: negative, 0 or positive. A prefix sorts before what it begins. */
export function compareBytes(a: Uint8Array, aStart: number, aEnd: number, b: Uint8Array, bStart: number, bEnd: number): number {
  const aLength = aEnd - aStart;
  const bLength = bEnd - bStart;
  const shared = aLength < bLength ? aLength : bLength;
  for (let i = 0; i < shared; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!;
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

/** True when both ranges hold the same bytes. */
export function equalBytes(a: Uint8Array, aStart: number, aEnd: number, b: Uint8Array, bStart: number, bEnd: number): boolean {
  const length = aEnd - aStart;
  if (length !== bEnd - bStart) return false;
  for (let i = 0; i < length; i++) if (a[aStart + i] !== b[bStart + i]) return false;
  return true;
}

/** Number of leading bytes both ranges share. */
export function commonPrefixLength(a: Uint8Array, aStart: number, aEnd: number, b: Uint8Array, bStart: number, bEnd: number): number {
  const aLength = aEnd - aStart;
  const bLength = bEnd - bStart;
  const shared = aLength < bLength ? aLength : bLength;
  let i = 0;
  while (i < shared && a[aStart + i] === b[bStart + i]) i++;
  return i;
}

/** Copies `source[start, end)` to `target[at, ...)`. Short ranges by a loop, long ones by `set`; never overlapping. */
export function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  const length = end - start;
  if (start === 0 && end === source.length && length > 32) {
    target.set(source, at);
  } else if (length <= 160) {
    for (let i = 0; i < length; i++) target[at + i] = source[start + i]!;
  } else {
    target.set(source.subarray(start, end), at);
  }
}

/** True when `bytes[start, end)` holds only zeros. */
export function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false;
  return true;
}

export function readU16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

/** Unsigned. */
export function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

export function readU48(bytes: Uint8Array, at: number): number {
  return readU16(bytes, at + 4) * TWO_32 + readU32(bytes, at);
}

/** `value` must be an integer from 0 to 2^48 − 1. */
export function writeU48(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, value >>> 0);
  writeU16(bytes, at + 4, (value / TWO_32) | 0);
}

/** Big-endian, for wire formats. */
export function writeU32BE(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Big-endian u64 of a number below 2^53, for wire formats. */
export function writeU64BE(bytes: Uint8Array, at: number, value: number): void {
  writeU32BE(bytes, at, Math.floor(value / TWO_32));
  writeU32BE(bytes, at + 4, value >>> 0);
}

/** Big-endian, for wire formats. */
export function readU32BE(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Big-endian u64 as a number; exact below 2^53. */
export function readU64BE(bytes: Uint8Array, at: number): number {
  return readU32BE(bytes, at) * TWO_32 + readU32BE(bytes, at + 4);
}
