/**
 * The bytes of a value: tags, limits, refusals.
 *
 *   tag        value          what follows
 *   0x01       null
 *   0x02       false
 *   0x03       true
 *   0x04       whole number   varint n, 0 to 2^48 − 1 without what 0x80 to 0xFF hold
 *   0x05       whole number   varint −1 − n, −2^48 to −1
 *   0x06       number         double, 8 bytes LE: every other one; NaN is 0x7FF8000000000000
 *   0x08       bigint ≥ 0     length, magnitude LE without zeros at its end
 *   0x09       bigint < 0     length, magnitude of −1 − n, the same
 *   0x10       text           length, ASCII
 *   0x11       text           length, UTF-8, not all ASCII
 *   0x12       text           length, UTF-16 LE, with a lone surrogate
 *   0x14       bytes          length, bytes
 *   0x15       date           its milliseconds as a number, with tag
 *   0x18       array          varint count, values
 *   0x19       object         varint count, for each member: varint 4 × length + k, name (k = 0, 1, 2: as 0x10, 0x11, 0x12), value
 *   0x1F       —              encrypted envelope: reserved
 *   0x80–0xFF  whole number   0 to 127, nothing follows
 *
 * A length is a varint of bytes, and stands only inside arrays and objects: outermost, a value's end is known.
 *
 * Specification: spec/values.md.
 */

import { SteleError } from '../../base/errors.ts';

export const TAG_NULL = 0x01;
export const TAG_FALSE = 0x02;
export const TAG_TRUE = 0x03;
export const TAG_WHOLE = 0x04;
export const TAG_WHOLE_NEGATIVE = 0x05;
export const TAG_DOUBLE = 0x06;
export const TAG_BIGINT = 0x08;
export const TAG_BIGINT_NEGATIVE = 0x09;
export const TAG_ASCII = 0x10;
export const TAG_UTF8 = 0x11;
export const TAG_UTF16 = 0x12;
export const TAG_BYTES = 0x14;
export const TAG_DATE = 0x15;
export const TAG_ARRAY = 0x18;
export const TAG_OBJECT = 0x19;
export const TAG_ENCRYPTED = 0x1f;
/** Tag of 0; a whole number up to 127 is the tag itself. */
export const TAG_SMALL = 0x80;

/** The first whole number that is stored as a double. */
export const WHOLE_END: number = 2 ** 48;
/** Arrays and objects inside one another. */
export const NESTING_MAX = 200;
/** Most bytes of an encoded value. */
export const VALUE_BYTES_MAX: number = 64 * 1024 * 1024;
/** Milliseconds of the last date, and of the first below zero (ECMA-262, "Time Values"). */
export const DATE_MS_MAX = 8.64e15;

/** `invalid` VALUE_INVALID; `where` is the place inside the value, '' for the value itself. */
export function refuseValue(where: string, found: string, expected: string): SteleError {
  return new SteleError('invalid', 'VALUE_INVALID', `value${where} is ${found}, expected ${expected}`, { detail: { where } });
}

/** `corrupt` VALUE_DAMAGED: bytes that no value has. */
export function damagedValue(at: number, what: string): SteleError {
  return new SteleError('corrupt', 'VALUE_DAMAGED', `value: ${what} at byte ${at}`, { detail: { byte: at } });
}
