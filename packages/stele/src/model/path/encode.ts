/**
 * Paths to keys. Hot: a path given as plain text goes from its characters straight into the buffer.
 *
 * Invariants
 * - Byte order of keys is path order: false, true, numbers by value, bytes, text by UTF-8 bytes; a path before what lies below it.
 * - What lies at and below an encoded path P is exactly the range [P, P ++ 0xFF).
 * - A refusal throws before anything but `out` was touched. What `out` has no room for is not written, and such a path is refused,
 *   so a buffer of {@link KEY_BYTES_MAX} bytes is enough.
 *
 * Limits: 64 segments, 1,024 bytes without the keyspace byte.
 *
 * Specification: spec/paths.md, "Keys".
 */

import { utf8Bytes, writeUtf8 } from '../../base/utf8.ts';
import { isBytes } from '../value/kinds.ts';
import {
  describe,
  KEYSPACE,
  PATH_BYTES_MAX,
  refusePath,
  refuseSegment,
  SEGMENTS_MAX,
  TAG_BYTES,
  TAG_FALSE,
  TAG_TEXT,
  TAG_TRUE,
  TEXT_MIN,
} from './layout.ts';
import { encodeBigint, encodeNumber, isEncodable } from './number-key.ts';
import { parsePath } from './text.ts';
import type { Path, Segment } from './types.ts';

/** {@link encodePlain} gives it for text that needs more than copying. */
const NOT_PLAIN = -1;

/** Counts the paths, so that a list that has others written while it is read (by an accessor) is noticed: they share buffers. */
let runs = 0;

/**
 * Writes the key of a path at `at`, keyspace byte first, and returns the end.
 *
 * @throws {SteleError} `invalid` PATH_INVALID for the empty path, and for what is no path.
 */
export function encodePath(path: Path, out: Uint8Array, at: number): number {
  out[at] = KEYSPACE;
  const end = appendPath(path, out, at + 1, at, 0);
  if (end === at + 1) throw refusePath('it is empty', 'at least one segment: a value has a place below the root');
  return end;
}

/** As {@link encodePath}; the empty path is legal and gives the keyspace byte: everything lies below it. */
export function encodePrefix(path: Path, out: Uint8Array, at: number): number {
  out[at] = KEYSPACE;
  return appendPath(path, out, at + 1, at, 0);
}

/**
 * Writes the segments of `path` at `at` behind a key that begins at `keyStart` and has `segmentsAbove` segments, and returns the end.
 * Limits hold for the whole key.
 */
export function appendPath(path: Path, out: Uint8Array, at: number, keyStart: number, segmentsAbove: number): number {
  const run = ++runs;
  if (typeof path === 'string') {
    const end = encodePlain(path, out, at, SEGMENTS_MAX - segmentsAbove);
    if (end === NOT_PLAIN) return appendSegments(parsePath(path), out, at, keyStart, segmentsAbove);
    if (end - keyStart - 1 > PATH_BYTES_MAX) throw tooLong(end - keyStart - 1);
    return end;
  }
  if (!Array.isArray(path)) throw refusePath(describe(path), 'a text such as users/alice or an array of segments');
  const end = appendSegments(path, out, at, keyStart, segmentsAbove);
  if (run !== runs) throw refusePath('a list that uses other paths while it is read', 'a plain array');
  return end;
}

function appendSegments(path: readonly Segment[], out: Uint8Array, at: number, keyStart: number, segmentsAbove: number): number {
  const count = path.length;
  if (count > SEGMENTS_MAX - segmentsAbove) throw refusePath(`${count + segmentsAbove} segments`, `at most ${SEGMENTS_MAX}`);
  for (let i = 0; i < count; i++) {
    at = encodeSegment(path[i]!, out, at, i);
    if (at - keyStart - 1 > PATH_BYTES_MAX) throw tooLong(at - keyStart - 1, i);
  }
  return at;
}

/** Writes one segment and returns the end. `index` is its place in the path, for the message when it is refused. */
export function encodeSegment(segment: Segment, out: Uint8Array, at: number, index = 0): number {
  switch (typeof segment) {
    case 'string':
      return encodeText(segment, out, at, index);
    case 'number':
      if (Number.isSafeInteger(segment) || (Number.isFinite(segment) && !Number.isInteger(segment))) return encodeNumber(segment, out, at);
      throw Number.isInteger(segment)
        ? refuseSegment(index, `the number ${segment} beyond the safe integers`, 'a bigint, which is exact')
        : refuseSegment(index, String(segment), 'a finite number');
    case 'bigint':
      if (isEncodable(segment)) return encodeBigint(segment, out, at);
      throw refuseSegment(index, 'a bigint of more than 32768 bits', 'a smaller one');
    case 'boolean':
      out[at] = segment ? TAG_TRUE : TAG_FALSE;
      return at + 1;
    default:
      if (segment !== null && typeof segment === 'object' && isBytes(segment)) return encodeBytes(segment, out, at, index);
      throw refuseSegment(index, describe(segment), 'text, a number, a bigint, a boolean or a Uint8Array');
  }
}

/**
 * The whole of a plain path: ASCII without NUL and backslash, no segment that is empty or begins with `#`, `0x` or a control character.
 * Anything else, and a path too long, gives {@link NOT_PLAIN} and is judged by who can say what is wrong.
 */
function encodePlain(path: string, out: Uint8Array, at: number, segmentsMax: number): number {
  const length = path.length;
  if (length === 0) return at;
  if (length > PATH_BYTES_MAX) return NOT_PLAIN;
  for (let i = 0; i < length; i++) {
    let unit = path.charCodeAt(i);
    // 0x20 to 0x7F without '#' and '/'; '0x' may begin bytes.
    if (unit < TEXT_MIN || unit === 0x23 || unit === 0x2f) return NOT_PLAIN;
    if (unit === 0x30 && path.charCodeAt(i + 1) === 0x78) return NOT_PLAIN;
    do {
      if ((unit - 1) >>> 0 > 0x7e || unit === 0x5c) return NOT_PLAIN;
      out[at++] = unit;
      if (++i === length) break;
      unit = path.charCodeAt(i);
    } while (unit !== 0x2f);
    out[at++] = 0;
    if (--segmentsMax < 0) return NOT_PLAIN;
  }
  return path.charCodeAt(length - 1) === 0x2f ? NOT_PLAIN : at;
}

function encodeText(text: string, out: Uint8Array, at: number, index: number): number {
  const length = text.length;
  if (length === 0) throw refuseSegment(index, 'an empty text', 'at least one character');
  if (length > PATH_BYTES_MAX) throw tooLong(length, index);
  if (text.charCodeAt(0) < TEXT_MIN) out[at++] = TAG_TEXT;
  const start = at;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if ((unit - 1) >>> 0 > 0x7e) return encodeUnusual(text, out, start, index);
    out[at++] = unit;
  }
  out[at] = 0;
  return at + 1;
}

/** Text with NUL, which is escaped, or beyond ASCII. */
function encodeUnusual(text: string, out: Uint8Array, at: number, index: number): number {
  if (!text.isWellFormed()) throw refuseSegment(index, `${describe(text)} with a lone surrogate`, 'well-formed text');
  const bytes = new Uint8Array(utf8Bytes(text));
  writeUtf8(text, bytes, 0);
  return escaped(bytes, out, at);
}

function encodeBytes(bytes: Uint8Array, out: Uint8Array, at: number, index: number): number {
  if (bytes.length > PATH_BYTES_MAX) throw tooLong(bytes.length, index);
  out[at] = TAG_BYTES;
  return escaped(bytes, out, at + 1);
}

function escaped(bytes: Uint8Array, out: Uint8Array, at: number): number {
  for (let i = 0; i < bytes.length; i++) if ((out[at++] = bytes[i]!) === 0) out[at++] = 0xff;
  out[at] = 0;
  return at + 1;
}

function tooLong(bytes: number, index?: number): Error {
  const where = index === undefined ? '' : ` up to segment ${index + 1}`;
  return refusePath(`${bytes} bytes${where}`, `at most ${PATH_BYTES_MAX} as a key`);
}
