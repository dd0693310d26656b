/**
 * The bytes of a path key: tags, limits, and how a refusal reads.
 *
 *   key      = keyspace 2, then each segment
 *   segment  = text: UTF-8 whose first byte is at least 0x20, escaped, 0x00
 *            | 0x1F, any other text, escaped, 0x00
 *            | 0x02 false | 0x03 true
 *            | 0x05 negative number | 0x06 zero | 0x07 positive number     (number-key.ts)
 *            | 0x08, bytes, escaped, 0x00
 *   escaped  = each 0x00 followed by 0xFF
 *
 * Specification: spec/paths.md, "Keys".
 */

import { SteleError } from '../../base/errors.ts';

/** First byte of every key of the application. */
export const KEYSPACE = 2;

export const TAG_FALSE = 0x02;
export const TAG_TRUE = 0x03;
export const TAG_NEGATIVE = 0x05;
export const TAG_ZERO = 0x06;
export const TAG_POSITIVE = 0x07;
export const TAG_BYTES = 0x08;
/** In front of text whose first byte would be taken for a tag. */
export const TAG_TEXT = 0x1f;
/** Bytes from here on begin text without a tag. */
export const TEXT_MIN = 0x20;

/** Most segments of a path. */
export const SEGMENTS_MAX = 64;
/** Most bytes of a path as a key, the keyspace byte not counted. */
export const PATH_BYTES_MAX = 1024;
/** Room that the longest key takes. */
export const KEY_BYTES_MAX: number = 1 + PATH_BYTES_MAX;

/** `invalid` PATH_INVALID about the segment with this index from 0. */
export function refuseSegment(index: number, found: string, expected: string): SteleError {
  return new SteleError('invalid', 'PATH_INVALID', `path: segment ${index + 1} is ${found}, expected ${expected}`, {
    detail: { segment: index },
  });
}

/** `invalid` PATH_INVALID about the path as a whole. */
export function refusePath(found: string, expected: string): SteleError {
  return new SteleError('invalid', 'PATH_INVALID', `path: ${found}, expected ${expected}`);
}

/** `corrupt` KEY_DAMAGED: bytes that no path has. */
export function damagedKey(at: number, what: string): SteleError {
  return new SteleError('corrupt', 'KEY_DAMAGED', `key: ${what} at byte ${at}`, { detail: { byte: at } });
}

/** A short description of anything, for messages. */
export function describe(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return value === '' ? 'an empty text' : `the text ${JSON.stringify(value.slice(0, 40))}`;
  if (typeof value === 'number' || typeof value === 'boolean' || value === undefined) return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value === 'bigint') return 'a bigint';
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Date && Number.isNaN(value.getTime())) return 'an invalid Date';
  const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof name === 'string' && name !== '' && name !== 'Object' ? `an instance of ${name}` : 'an object';
}
