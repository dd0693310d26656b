/**
 * Varints: unsigned LEB128, low seven bits first, of integers below 2^48.
 *
 * Invariants
 * - Canonical: the shortest form only; a reader refuses others. So the length of an encoding follows from its value,
 *   and {@link readVarint} can return the value alone while {@link varintBytes} gives the step.
 * - A reader never looks at or behind `end`.
 *
 * Specification: spec/log-format.md, "Conventions".
 */

/** Bytes of the longest varint (48 bits). */
export const VARINT_BYTES_MAX = 7;

/** What {@link readVarint} gives for input that is cut, not canonical or above 2^48 − 1. */
export const VARINT_BAD = -1;

/** Bytes `value` takes, 1 to 7. */
export function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  if (value < 0x1000_0000) return 4;
  if (value < 0x8_0000_0000) return 5;
  return value < 0x400_0000_0000 ? 6 : 7;
}

/** Writes `value` (an integer from 0 to 2^48 − 1) and returns the position behind it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  while (value >= 0x8000_0000) {
    bytes[at++] = (value % 0x80) | 0x80;
    value = Math.floor(value / 0x80);
  }
  while (value >= 0x80) {
    bytes[at++] = value | 0x80;
    value >>>= 7;
  }
  bytes[at++] = value;
  return at;
}

/** The value at `at`, or {@link VARINT_BAD}. Step over it with {@link varintBytes}. */
export function readVarint(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return VARINT_BAD;
  const first = bytes[at]!;
  if (first < 0x80) return first;
  let value = first & 0x7f;
  let scale = 0x80;
  const last = end - at > VARINT_BYTES_MAX ? at + VARINT_BYTES_MAX : end;
  for (let i = at + 1; i < last; i++) {
    const byte = bytes[i]!;
    if (byte < 0x80) {
      if (byte === 0) return VARINT_BAD;
      value += byte * scale;
      return value <= 0xffff_ffff_ffff ? value : VARINT_BAD;
    }
    value += (byte & 0x7f) * scale;
    scale *= 0x80;
  }
  return VARINT_BAD;
}
