/**
 * Paths of a walk: keys to paths one after the other, each read as what differs from the one before.
 *
 * Keys that follow one another share their beginning, and often a segment behind what differs (`users/<id>/name`). Such a segment is
 * compared and not made again: the path of a row costs the segments that are new in it.
 *
 * Invariants
 * - The path is the one {@link decodePath} gives, or its error; which keys were read before makes no difference.
 * - Arrays and bytes that were handed out are never handed out again.
 *
 * Specification: spec/paths.md, "Keys".
 */

import { SHORT_BYTES_MAX } from '../../base/utf8.ts';
import type { Texts } from '../../host/host.ts';
import { decodeSegment, segmentEnd } from './decode.ts';
import { damagedKey, KEY_BYTES_MAX, KEYSPACE, SEGMENTS_MAX, TEXT_MIN } from './layout.ts';
import type { Segment } from './types.ts';

const ESCAPE = 0xff;
/** Small enough to cost nothing in a walk over few rows; a longer key takes {@link KEY_BYTES_MAX}. */
const START_BYTES = 64;

export class RowPaths {
  readonly #texts: Texts;
  readonly #skipSegments: number;
  /** The key before. */
  #key = new Uint8Array(START_BYTES);
  #keyBytes = 0;
  /** Its segments, and where each ends; those behind `#count` are older. */
  readonly #segments: Segment[] = [];
  readonly #ends: number[] = [];
  #count = 0;
  /** One of the segments met so far was bytes. */
  #hasBytes = false;

  /** Of keys below a place that has `skipSegments` segments, which are left out. */
  constructor(texts: Texts, skipSegments: number) {
    this.#texts = texts;
    this.#skipSegments = skipSegments;
  }

  /** @throws {SteleError} `corrupt` KEY_DAMAGED */
  read(key: Uint8Array, keyBytes: number): Segment[] {
    const before = this.#key;
    const ends = this.#ends;
    const known = this.#count;
    const shared = keyBytes < this.#keyBytes ? keyBytes : this.#keyBytes;
    let same = 0;
    while (same < shared && key[same] === before[same]) same++;
    if (same === 0 && (keyBytes === 0 || key[0] !== KEYSPACE)) throw damagedKey(0, 'no keyspace of paths');
    let count = 0;
    while (count < known && ends[count]! <= same && isEnd(key, ends[count]!, keyBytes)) count++;
    let at = count === 0 ? 1 : ends[count - 1]!;
    let beforeAt = at;
    this.#count = 0; // nothing is known while something may throw
    while (at < keyBytes) {
      const beforeEnd = count < known ? ends[count]! : -1;
      const end = at + beforeEnd - beforeAt;
      // The segment with the first byte that differs is another one.
      if (at > same && beforeEnd > 0 && end <= keyBytes && isSame(key, at, before, beforeAt, beforeEnd) && isEnd(key, end, keyBytes))
        at = end;
      else at = this.#decode(key, at, keyBytes, count);
      ends[count++] = at;
      beforeAt = beforeEnd;
    }
    if (count > SEGMENTS_MAX) throw damagedKey(at, `${count} segments, at most ${SEGMENTS_MAX},`);
    this.#keep(key, same, keyBytes);
    this.#keyBytes = keyBytes;
    this.#count = count;
    return this.#hasBytes ? this.#copied(count) : this.#listed(count);
  }

  /** Spelled out for the commonest lengths: 20 ns less than a copy of an array. */
  #listed(count: number): Segment[] {
    const segments = this.#segments;
    const from = this.#skipSegments;
    switch (count - from) {
      case 1:
        return [segments[from]!];
      case 2:
        return [segments[from]!, segments[from + 1]!];
      case 3:
        return [segments[from]!, segments[from + 1]!, segments[from + 2]!];
      case 4:
        return [segments[from]!, segments[from + 1]!, segments[from + 2]!, segments[from + 3]!];
      default:
        return segments.slice(from, count);
    }
  }

  #copied(count: number): Segment[] {
    return this.#segments.slice(this.#skipSegments, count).map((segment) => (typeof segment === 'object' ? segment.slice() : segment));
  }

  #keep(key: Uint8Array, same: number, keyBytes: number): void {
    if (keyBytes > this.#key.length) {
      this.#key = new Uint8Array(KEY_BYTES_MAX);
      same = 0;
    }
    const own = this.#key;
    for (let i = same; i < keyBytes; i++) own[i] = key[i]!;
  }

  /** Reads the segment at `at` into its place and gives its end. */
  #decode(key: Uint8Array, at: number, keyBytes: number, place: number): number {
    if (key[at]! >= TEXT_MIN) {
      let all = 0;
      let i = at;
      for (let byte: number; i < keyBytes && (byte = key[i]!) !== 0; i++) all |= byte;
      if (all < 0x80 && i - at > SHORT_BYTES_MAX && i < keyBytes && isEnd(key, i + 1, keyBytes)) {
        this.#segments[place] = this.#texts.latin1(key, at, i);
        return i + 1;
      }
    }
    const end = segmentEnd(key, at, keyBytes);
    const segment = decodeSegment(key, at, end);
    if (typeof segment === 'object') this.#hasBytes = true;
    this.#segments[place] = segment;
    return end;
  }
}

/** Does a segment that is complete at `end` end there? 0xFF would go on with an escaped zero. */
function isEnd(key: Uint8Array, end: number, keyBytes: number): boolean {
  return end >= keyBytes || key[end] !== ESCAPE;
}

function isSame(key: Uint8Array, at: number, before: Uint8Array, beforeAt: number, beforeEnd: number): boolean {
  for (; beforeAt < beforeEnd; at++, beforeAt++) if (key[at] !== before[beforeAt]) return false;
  return true;
}
