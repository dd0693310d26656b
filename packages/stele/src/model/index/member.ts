/**
 * Members of encoded values, found without decoding what is around them.
 *
 * Invariants
 * - No byte at or behind `end` decides anything; depth is bounded as in the decoder.
 * - The cursor tells where the content of the member lies; it allocates nothing.
 *
 * Specification: spec/values.md; spec/policies.md, "What a field is".
 */

import { readVarint, VARINT_BAD, varintBytes } from '../../base/varint.ts';
import {
  damagedValue,
  NESTING_MAX,
  TAG_ARRAY,
  TAG_ASCII,
  TAG_BIGINT,
  TAG_BIGINT_NEGATIVE,
  TAG_BYTES,
  TAG_DATE,
  TAG_DOUBLE,
  TAG_FALSE,
  TAG_NULL,
  TAG_OBJECT,
  TAG_SMALL,
  TAG_TRUE,
  TAG_UTF8,
  TAG_UTF16,
  TAG_WHOLE,
  TAG_WHOLE_NEGATIVE,
} from '../value/layout.ts';
import type { Step } from './definition.ts';

/** Where a value lies: its tag, and its content without tag and length. */
export interface MemberCursor {
  tag: number;
  start: number;
  end: number;
}

/**
 * Finds the member that `steps[from…]` lead to in the whole value `bytes`; false when there is none.
 *
 * @throws {SteleError} `corrupt` VALUE_DAMAGED
 */
export function findMember(bytes: Uint8Array, steps: readonly Step[], from: number, cursor: MemberCursor): boolean {
  const end = bytes.length;
  if (end === 0) throw damagedValue(0, 'a value is missing');
  if (from === steps.length) {
    cursor.tag = bytes[0]!;
    cursor.start = 1;
    cursor.end = end;
    return true;
  }
  let at = 0;
  for (let step = from; step < steps.length; step++) {
    at = childAt(bytes, at, end, steps[step]!);
    if (at < 0) return false;
  }
  const tag = bytes[at]!;
  const contentEnd = skipValue(bytes, at, end, 0);
  cursor.tag = tag;
  cursor.start = hasLength(tag) ? at + 1 + varintBytes(contentLength(bytes, at + 1, end)) : at + 1;
  cursor.end = contentEnd;
  return true;
}

/** Position of the tag of the child, or −1. */
function childAt(bytes: Uint8Array, at: number, end: number, step: Step): number {
  const tag = bytes[at]!;
  if (tag === TAG_OBJECT) return namedAt(bytes, at + 1, end, step.name);
  if (tag === TAG_ARRAY && step.element >= 0) {
    const count = contentLength(bytes, at + 1, end);
    if (step.element >= count) return -1;
    at += 1 + varintBytes(count);
    for (let i = 0; i < step.element; i++) at = skipValue(bytes, at, end, 1);
    return at;
  }
  return -1;
}

function namedAt(bytes: Uint8Array, at: number, end: number, name: Uint8Array): number {
  const count = contentLength(bytes, at, end);
  at += varintBytes(count);
  const { length } = name;
  for (let i = 0; i < count; i++) {
    let same = 0;
    while (same < length && bytes[at + same] === name[same]) same++;
    if (same === length && at + length < end) return at + length;
    at = skipValue(bytes, skipName(bytes, at, end), end, 1);
  }
  return -1;
}

function skipName(bytes: Uint8Array, at: number, end: number): number {
  const head = contentLength(bytes, at, end);
  const next = at + varintBytes(head) + Math.floor(head / 4);
  if (next >= end) throw damagedValue(at, 'a name that is cut');
  return next;
}

/** The position behind the value, nested as in arrays and objects, that begins at `at`. */
function skipValue(bytes: Uint8Array, at: number, end: number, depth: number): number {
  if (at >= end) throw damagedValue(at, 'a value is missing');
  if (depth > NESTING_MAX) throw damagedValue(at, `more than ${NESTING_MAX} levels`);
  const tag = bytes[at]!;
  let next = at + 1;
  if (tag >= TAG_SMALL || tag === TAG_NULL || tag === TAG_TRUE || tag === TAG_FALSE) return next;
  if (tag === TAG_DOUBLE) next += 8;
  else if (tag === TAG_WHOLE || tag === TAG_WHOLE_NEGATIVE) next += varintBytes(contentLength(bytes, next, end));
  else if (tag === TAG_DATE) return skipValue(bytes, next, end, depth + 1);
  else if (tag === TAG_ARRAY || tag === TAG_OBJECT) {
    const count = contentLength(bytes, next, end);
    next += varintBytes(count);
    for (let i = 0; i < count; i++) {
      if (tag === TAG_OBJECT) next = skipName(bytes, next, end);
      next = skipValue(bytes, next, end, depth + 1);
    }
  } else if (hasLength(tag)) {
    const length = contentLength(bytes, next, end);
    next += varintBytes(length) + length;
  } else throw damagedValue(at, `unassigned tag ${tag}`);
  if (next > end) throw damagedValue(at, 'a value that is cut');
  return next;
}

function hasLength(tag: number): boolean {
  return (
    tag === TAG_ASCII || tag === TAG_UTF8 || tag === TAG_BYTES || tag === TAG_UTF16 || tag === TAG_BIGINT || tag === TAG_BIGINT_NEGATIVE
  );
}

function contentLength(bytes: Uint8Array, at: number, end: number): number {
  const length = readVarint(bytes, at, end);
  if (length === VARINT_BAD) throw damagedValue(at, 'a varint that is cut or too long');
  return length;
}
