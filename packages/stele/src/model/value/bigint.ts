/**
 * Magnitudes of bigints as little-endian bytes, in time linear in their length: through hexadecimal digits, which is what the
 * language turns into a bigint and back without multiplying.
 *
 * Invariants
 * - No zero byte at the end; zero has no bytes.
 *
 * Specification: spec/values.md, "Bigints".
 */

import { readLatin1 } from '../../base/utf8.ts';

/** The bytes of a bigint that is not negative, or undefined when there are more than `bytesMax`. */
export function encodeMagnitude(value: bigint, bytesMax: number): Uint8Array | undefined {
  // Asked first: a bigint may have a gigabit, and its digits would take more.
  if (value >> BigInt(8 * bytesMax) !== 0n) return undefined;
  const digits = value === 0n ? '' : value.toString(16);
  const bytes = new Uint8Array((digits.length + 1) >> 1);
  for (let i = 0, at = digits.length - 1; at >= 0; i++, at -= 2)
    bytes[i] = nibbleOf(digits.charCodeAt(at)) | (at === 0 ? 0 : nibbleOf(digits.charCodeAt(at - 1)) << 4);
  return bytes;
}

/** The bigint of the bytes `[start, end)`. */
export function decodeMagnitude(bytes: Uint8Array, start: number, end: number): bigint {
  if (start === end) return 0n;
  const digits = new Uint8Array(2 + 2 * (end - start));
  digits[0] = 0x30;
  digits[1] = 0x78;
  for (let i = 2, at = end - 1; at >= start; at--) {
    const byte = bytes[at]!;
    digits[i++] = digitOf(byte >> 4);
    digits[i++] = digitOf(byte & 15);
  }
  return BigInt(readLatin1(digits, 0, digits.length));
}

function nibbleOf(digit: number): number {
  return digit < 0x3a ? digit - 0x30 : digit - 0x57;
}

function digitOf(nibble: number): number {
  return nibble < 10 ? nibble + 0x30 : nibble + 0x57;
}
