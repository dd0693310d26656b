/**
 * Values of fields as ordered bytes, and the way over them.
 *
 * A field is encoded as a segment of a path would be (spec/paths.md, "Keys"), with what a segment may not be added where it sorts:
 *
 *   1F 00        the empty text, before every other text
 *   04           −Infinity, before every number
 *   07 FF        Infinity, behind every number
 *
 * Numbers and bigints sort together by value; a Date is its milliseconds. null, NaN, objects, arrays, and text with a lone surrogate
 * are no field: a record that has one there is not in the index.
 *
 * Specification: spec/policies.md, "Keys of an index".
 */

import { readVarint } from '../../base/varint.ts';
import { segmentEnd } from '../path/decode.ts';
import { TAG_BYTES as KEY_BYTES, TAG_FALSE as KEY_FALSE, TAG_TRUE as KEY_TRUE, TAG_POSITIVE, TAG_TEXT, TEXT_MIN } from '../path/layout.ts';
import { encodeBigint, encodeNumber } from '../path/number-key.ts';
import { decodeMagnitude } from '../value/bigint.ts';
import {
  TAG_ASCII,
  TAG_BIGINT,
  TAG_BIGINT_NEGATIVE,
  TAG_BYTES,
  TAG_DATE,
  TAG_DOUBLE,
  TAG_FALSE,
  TAG_SMALL,
  TAG_TRUE,
  TAG_UTF8,
  TAG_WHOLE,
  TAG_WHOLE_NEGATIVE,
} from '../value/layout.ts';
import type { MemberCursor } from './member.ts';

/** Longest derived key: that of the engine. */
export const INDEX_KEY_BYTES_MAX = 1100;
/** A buffer of this size has room for a key of legal length and one field more. */
export const SCRATCH_BYTES: number = 4 * INDEX_KEY_BYTES_MAX;
/** What is at the cursor is no field. */
export const NOT_INDEXABLE = -1;
/** It is one, and too long for any key. */
export const TOO_LONG = -2;

const TAG_MINUS_INFINITY = 0x04;
const PLUS_INFINITY = 0xff;

/** Writes what the cursor points at as a field at `at` and gives the end, or {@link NOT_INDEXABLE}, {@link TOO_LONG}. */
export function writeField(bytes: Uint8Array, { tag, start, end }: MemberCursor, out: Uint8Array, at: number): number {
  if (tag >= TAG_SMALL) return encodeNumber(tag - TAG_SMALL, out, at);
  switch (tag) {
    case TAG_ASCII:
    case TAG_UTF8:
      if (end - start > INDEX_KEY_BYTES_MAX) return TOO_LONG;
      if (start === end || bytes[start]! < TEXT_MIN) out[at++] = TAG_TEXT;
      return escaped(bytes, start, end, out, at);
    case TAG_BYTES:
      if (end - start > INDEX_KEY_BYTES_MAX) return TOO_LONG;
      out[at] = KEY_BYTES;
      return escaped(bytes, start, end, out, at + 1);
    case TAG_FALSE:
    case TAG_TRUE:
      out[at] = tag === TAG_TRUE ? KEY_TRUE : KEY_FALSE;
      return at + 1;
    case TAG_WHOLE:
      return encodeNumber(readVarint(bytes, start, end), out, at);
    case TAG_WHOLE_NEGATIVE:
      return encodeNumber(-1 - readVarint(bytes, start, end), out, at);
    case TAG_DOUBLE:
      return writeDouble(bytes, start, out, at);
    case TAG_DATE: {
      const inner = bytes[start]!;
      return writeField(bytes, { tag: inner, start: start + 1, end }, out, at);
    }
    case TAG_BIGINT:
    case TAG_BIGINT_NEGATIVE: {
      if (end - start > INDEX_KEY_BYTES_MAX) return TOO_LONG;
      const magnitude = decodeMagnitude(bytes, start, end);
      return encodeBigint(tag === TAG_BIGINT ? magnitude : -1n - magnitude, out, at);
    }
    default:
      return NOT_INDEXABLE;
  }
}

/** The position behind the field that begins at `at`. @throws {SteleError} `corrupt` KEY_DAMAGED */
export function fieldEnd(key: Uint8Array, at: number, end: number): number {
  if (key[at] === TAG_MINUS_INFINITY) return at + 1;
  if (key[at] === TAG_POSITIVE && key[at + 1] === PLUS_INFINITY) return at + 2;
  return segmentEnd(key, at, end);
}

function writeDouble(bytes: Uint8Array, start: number, out: Uint8Array, at: number): number {
  const value = new DataView(bytes.buffer, bytes.byteOffset + start, 8).getFloat64(0, true);
  if (Number.isNaN(value)) return NOT_INDEXABLE;
  if (Number.isFinite(value)) {
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) return encodeBigint(BigInt(value), out, at);
    return encodeNumber(value, out, at);
  }
  out[at] = value < 0 ? TAG_MINUS_INFINITY : TAG_POSITIVE;
  if (value < 0) return at + 1;
  out[at + 1] = PLUS_INFINITY;
  return at + 2;
}

function escaped(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  for (let i = start; i < end; i++) if ((out[at++] = bytes[i]!) === 0) out[at++] = 0xff;
  out[at] = 0;
  return at + 1;
}
