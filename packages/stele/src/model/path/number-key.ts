/**
 * Numbers and bigints as one ordered kind: byte order is numeric order, exactly.
 *
 *   number    = 0x06                                     zero
 *             | 0x07, exponent, mantissa                 positive
 *             | 0x05, the same of −n, every byte complemented
 *   exponent  = E, the position of the top bit (|n| = 1.m × 2^E)
 *             = one byte 0x80 + E                        −112 ≤ E ≤ 111
 *             | 0x0F, u16 BE 0x8000 + E                  −1074 ≤ E < −112
 *             | 0xF0, u16 BE 0x8000 + E                  111 < E ≤ 32767
 *   mantissa  = the bits m after the top bit in groups of seven, most significant first, the last one padded with zeros;
 *               a group is a byte: group × 2 + 1, or group × 2 for the last. Trailing groups of zero are left out, but one
 *               group is always there.
 *
 * The arithmetic is in doubles and exact: scaling by powers of two and taking seven bits off loses nothing.
 *
 * Invariants
 * - One encoding per number; a reader refuses every other.
 * - What is decoded is a number when it is a safe integer or no integer, else a bigint. A fraction that is no double is refused.
 * - No encoding is the beginning of another.
 *
 * Specification: spec/paths.md, "Numbers".
 */

import { damagedKey, TAG_NEGATIVE, TAG_POSITIVE, TAG_ZERO } from './layout.ts';

const EXPONENT_BIAS = 0x80;
const EXPONENT_SHORT_MIN = -112;
const EXPONENT_SHORT_MAX = 111;
const EXPONENT_LONG_BIAS = 0x8000;
const EXPONENT_BELOW = 0x0f;
const EXPONENT_ABOVE = 0xf0;
/** Of the smallest double. */
const EXPONENT_MIN = -1074;
/** Of the largest bigint that is a segment. */
export const EXPONENT_MAX = 0x7fff;
/** Bits after the top bit of a double, and of a safe integer. */
const FRACTION_BITS = 52;
const TWO_32 = 0x1_0000_0000;

/** Writes a finite number that is a safe integer or no integer; returns the end. */
export function encodeNumber(value: number, out: Uint8Array, at: number): number {
  if (value === 0) {
    out[at] = TAG_ZERO;
    return at + 1;
  }
  let flip = 0;
  if (value < 0) {
    out[at++] = TAG_NEGATIVE;
    flip = 0xff;
    value = -value;
  } else {
    out[at++] = TAG_POSITIVE;
  }
  let exponent: number;
  let rest: number;
  // clz32 looks at the whole part, modulo 2^32. Above 2^53 there is nothing to encode.
  if (value >= TWO_32) {
    exponent = 63 - Math.clz32(value / TWO_32);
    rest = value / TWO_32 / (1 << (exponent - 32)) - 1;
  } else if (value >= 1) {
    exponent = 31 - Math.clz32(value);
    rest = value / ((1 << exponent) >>> 0) - 1;
  } else {
    exponent = exponentBelowOne(value);
    rest = scale(value, -exponent) - 1;
  }
  at = writeExponent(exponent, flip, out, at);
  do {
    rest *= 128;
    const group = Math.floor(rest);
    rest -= group;
    out[at++] = ((group << 1) | (rest > 0 ? 1 : 0)) ^ flip;
  } while (rest > 0);
  return at;
}

/** Writes a bigint below 2^32768 in magnitude; returns the end, which may lie behind the array when it did not fit. */
export function encodeBigint(value: bigint, out: Uint8Array, at: number): number {
  if (value >= -0x1f_ffff_ffff_ffffn && value <= 0x1f_ffff_ffff_ffffn) return encodeNumber(Number(value), out, at);
  const flip = value < 0n ? 0xff : 0;
  out[at++] = value < 0n ? TAG_NEGATIVE : TAG_POSITIVE;
  const digits = (value < 0n ? -value : value).toString(16);
  const first = Number.parseInt(digits[0]!, 16);
  let bits = 31 - Math.clz32(first);
  let held = first & ((1 << bits) - 1);
  at = writeExponent(bits + 4 * (digits.length - 1), flip, out, at);
  // Position and group of the last group that is not zero, which ends the mantissa.
  let last = at;
  let lastGroup = 0;
  for (let i = 1; i < digits.length + 2; i++) {
    held = (held << 4) | (i < digits.length ? nibble(digits.charCodeAt(i)) : 0);
    bits += 4;
    if (bits < 7) continue;
    bits -= 7;
    const group = held >> bits;
    held &= (1 << bits) - 1;
    if (group !== 0) {
      last = at;
      lastGroup = group;
    }
    out[at++] = ((group << 1) | 1) ^ flip;
  }
  out[last] = (lastGroup << 1) ^ flip;
  return last + 1;
}

/** True when the bigint is small enough to be encoded. */
export function isEncodable(value: bigint): boolean {
  return value < BIGINT_END && value > -BIGINT_END;
}

const BIGINT_END: bigint = 1n << BigInt(EXPONENT_MAX + 1);

/** The position behind the number whose tag stands at `at`. @throws {SteleError} `corrupt` KEY_DAMAGED when it is cut. */
export function numberEnd(bytes: Uint8Array, at: number, end: number): number {
  const tag = bytes[at]!;
  if (tag === TAG_ZERO) return at + 1;
  const more = tag === TAG_NEGATIVE ? 0 : 1;
  const exponent = bytes[at + 1]! ^ (tag === TAG_NEGATIVE ? 0xff : 0);
  let i = at + (exponent === EXPONENT_BELOW || exponent === EXPONENT_ABOVE ? 4 : 2);
  while (i < end) if ((bytes[i++]! & 1) !== more) return i;
  throw damagedKey(at, 'a number that is cut');
}

/** The number in `bytes[at, end)`, where `end` is what {@link numberEnd} gave. @throws {SteleError} `corrupt` KEY_DAMAGED */
export function decodeNumber(bytes: Uint8Array, at: number, end: number): number | bigint {
  const tag = bytes[at]!;
  if (tag === TAG_ZERO) return 0;
  const flip = tag === TAG_NEGATIVE ? 0xff : 0;
  let exponent = bytes[at + 1]! ^ flip;
  let start = at + 2;
  if (exponent === EXPONENT_BELOW || exponent === EXPONENT_ABOVE) {
    const isBelow = exponent === EXPONENT_BELOW;
    exponent = (((bytes[at + 2]! ^ flip) << 8) | (bytes[at + 3]! ^ flip)) - EXPONENT_LONG_BIAS;
    start = at + 4;
    if (isBelow ? exponent < EXPONENT_MIN || exponent >= EXPONENT_SHORT_MIN : exponent <= EXPONENT_SHORT_MAX)
      throw damagedKey(at, `a number with exponent ${exponent} in the wrong form`);
  } else {
    exponent -= EXPONENT_BIAS;
    if (exponent < EXPONENT_SHORT_MIN || exponent > EXPONENT_SHORT_MAX) throw damagedKey(at, 'a number with an unassigned exponent');
  }
  const lastGroup = (bytes[end - 1]! ^ flip) >> 1;
  if (lastGroup === 0 && end - start > 1) throw damagedKey(at, 'a number with superfluous bytes');
  const fractionBits = lastGroup === 0 ? 0 : 7 * (end - start) - (31 - Math.clz32(lastGroup & -lastGroup));
  const isInteger = fractionBits <= exponent;
  if (isInteger && exponent > FRACTION_BITS) return bigintOf(bytes, start, end, exponent, flip);
  if (!isInteger && (fractionBits > FRACTION_BITS || exponent - fractionBits < EXPONENT_MIN))
    throw damagedKey(at, 'a fraction finer than a double');
  let value = 1;
  let unit = 1;
  for (let i = start; i < end; i++) {
    unit /= 128;
    value += ((bytes[i]! ^ flip) >> 1) * unit;
  }
  value = scale(value, exponent);
  return flip === 0 ? value : -value;
}

function bigintOf(bytes: Uint8Array, start: number, end: number, exponent: number, flip: number): bigint {
  let value = 1n;
  for (let i = start; i < end; ) {
    // Six groups at once: 42 bits are exact in a double, and few bigints are made.
    let held = 0;
    let bits = 0;
    for (; i < end && bits < 42; i++, bits += 7) held = held * 128 + ((bytes[i]! ^ flip) >> 1);
    value = (value << BigInt(bits)) | BigInt(held);
  }
  const shift = exponent - 7 * (end - start);
  value = shift >= 0 ? value << BigInt(shift) : value >> BigInt(-shift);
  return flip === 0 ? value : -value;
}

function writeExponent(exponent: number, flip: number, out: Uint8Array, at: number): number {
  if (exponent >= EXPONENT_SHORT_MIN && exponent <= EXPONENT_SHORT_MAX) {
    out[at] = (EXPONENT_BIAS + exponent) ^ flip;
    return at + 1;
  }
  const biased = EXPONENT_LONG_BIAS + exponent;
  out[at] = (exponent < 0 ? EXPONENT_BELOW : EXPONENT_ABOVE) ^ flip;
  out[at + 1] = (biased >> 8) ^ flip;
  out[at + 2] = (biased & 0xff) ^ flip;
  return at + 3;
}

/** Position of the top bit of a number between 0 and 1, ends excluded. */
function exponentBelowOne(value: number): number {
  let exponent = 0;
  // 2^-1074 is far from 1, so each step may be taken more than once.
  for (let step = 512; step >= 1; step /= 2)
    while (value < 2 ** (1 - step)) {
      value *= 2 ** step;
      exponent -= step;
    }
  return exponent;
}

/** value × 2^exponent, exact when the result is a double; in two steps, as 2^1074 is none. */
function scale(value: number, exponent: number): number {
  if (exponent >= 0 && exponent < 31) return value * (1 << exponent);
  const half = Math.trunc(exponent / 2);
  return value * 2 ** half * 2 ** (exponent - half);
}

function nibble(code: number): number {
  return code < 0x3a ? code - 0x30 : code - 0x57;
}
