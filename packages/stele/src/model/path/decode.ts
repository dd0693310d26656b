/**
 * Keys to paths. Any bytes give segments or `corrupt` KEY_DAMAGED; work and memory are bounded by the length.
 *
 * Invariants
 * - Only what {@link encodePath} writes is accepted: unassigned tags, empty text, superfluous tags and ill-formed UTF-8 are refused.
 * - No byte at or behind `end` decides anything.
 *
 * Specification: spec/paths.md, "Keys".
 */

import { isUtf8, readLatin1, readUtf8 } from '../../base/utf8.ts';
import {
  damagedKey,
  KEYSPACE,
  SEGMENTS_MAX,
  TAG_BYTES,
  TAG_FALSE,
  TAG_NEGATIVE,
  TAG_POSITIVE,
  TAG_TEXT,
  TAG_TRUE,
  TAG_ZERO,
  TEXT_MIN,
} from './layout.ts';
import { decodeNumber, numberEnd } from './number-key.ts';
import type { Segment } from './types.ts';

/**
 * The path of the key in `bytes[start, end)`, without its first `skipSegments` segments.
 *
 * @throws {SteleError} `corrupt` KEY_DAMAGED
 */
export function decodePath(bytes: Uint8Array, start: number, end: number, skipSegments = 0): Segment[] {
  if (start >= end || bytes[start] !== KEYSPACE) throw damagedKey(start, 'no keyspace of paths');
  let at = start + 1;
  for (let i = 0; i < skipSegments; i++) at = segmentEnd(bytes, at, end);
  const path: Segment[] = [];
  while (at < end) {
    let i = at;
    if (bytes[at]! >= TEXT_MIN) {
      // The commonest segment, plain ASCII text, takes one pass.
      let all = 0;
      for (let byte: number; i < end && (byte = bytes[i]!) !== 0; i++) all |= byte;
      if (all < 0x80 && i < end && (i + 1 === end || bytes[i + 1] !== 0xff)) {
        path.push(readLatin1(bytes, at, i));
        at = i + 1;
        continue;
      }
    }
    i = segmentEnd(bytes, at, end);
    path.push(decodeSegment(bytes, at, i));
    at = i;
  }
  if (path.length + skipSegments > SEGMENTS_MAX) throw damagedKey(at, `${path.length + skipSegments} segments, at most ${SEGMENTS_MAX},`);
  return path;
}

/** The position behind the segment that begins at `at`. @throws {SteleError} `corrupt` KEY_DAMAGED when it is cut or no segment. */
export function segmentEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) throw damagedKey(at, 'a segment is missing');
  const first = bytes[at]!;
  if (first >= TEXT_MIN || first === TAG_TEXT || first === TAG_BYTES) {
    for (let i = first >= TEXT_MIN ? at : at + 1; i < end; i++)
      if (bytes[i] === 0) {
        if (i + 1 === end || bytes[i + 1] !== 0xff) return i + 1;
        i++;
      }
    throw damagedKey(at, 'a segment that is cut');
  }
  if (first === TAG_FALSE || first === TAG_TRUE) return at + 1;
  if (first === TAG_POSITIVE || first === TAG_ZERO || first === TAG_NEGATIVE) return numberEnd(bytes, at, end);
  throw damagedKey(at, `unassigned tag ${first}`);
}

/** The segment in `bytes[at, end)`, where `end` is what {@link segmentEnd} gave. @throws {SteleError} `corrupt` KEY_DAMAGED */
export function decodeSegment(bytes: Uint8Array, at: number, end: number): Segment {
  const first = bytes[at]!;
  if (first >= TEXT_MIN) return decodeText(bytes, at, end - 1);
  switch (first) {
    case TAG_FALSE:
      return false;
    case TAG_TRUE:
      return true;
    case TAG_BYTES:
      return unescaped(bytes, at + 1, end - 1);
    case TAG_TEXT: {
      const text = decodeText(bytes, at + 1, end - 1);
      if (text.length === 0 || text.charCodeAt(0) >= TEXT_MIN) throw damagedKey(at, 'a superfluous tag of text');
      return text;
    }
    default:
      return decodeNumber(bytes, at, end);
  }
}

function decodeText(bytes: Uint8Array, at: number, end: number): string {
  let plain = true;
  for (let i = at; i < end && plain; i++) plain = (bytes[i]! - 1) >>> 0 <= 0x7e;
  if (plain) return readLatin1(bytes, at, end);
  const own = unescaped(bytes, at, end);
  if (!isUtf8(own, 0, own.length)) throw damagedKey(at, 'text that is no UTF-8');
  return readUtf8(own, 0, own.length);
}

/** A copy without the 0xFF behind each 0x00. */
function unescaped(bytes: Uint8Array, at: number, end: number): Uint8Array {
  const own = new Uint8Array(end - at);
  let length = 0;
  for (let i = at; i < end; i++) if ((own[length++] = bytes[i]!) === 0) i++;
  return length === own.length ? own : own.slice(0, length);
}
