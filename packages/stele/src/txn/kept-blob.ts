/**
 * Kept ranges as a blob of the meta: what can be read how far back, and what holds log segments.
 *
 *   offset  bytes  field
 *        0      4  magic "KEPT"
 *        4      2  version, 1
 *        6      2  number of ranges r
 *        8      6  sweptTimeMs: greatest expiry swept
 *       14      6  0
 *       20      6  oldest unswept tombstone's commit, 0 = none
 *       26      6  oldest commit whose large value a page of this meta refers to in the log, 0 = none
 *       32      4  number of segment rows s
 *       36      6  newest commit whose header is on the device
 *       42         r ranges: u16 prefix bytes, bit 15: a rule of its own · prefix · u48 keptFrom · u48 keptFromMs · f64 historyMs
 *                  s rows: u32 segment · r × u48 (newest superseding commit + 1, 0 = nothing)
 *       last    1  1 = segment use is tracked
 *
 * Invariants
 * - The ranges are sorted by prefix and begin with the empty one.
 * - Bytes without a meaning are refused.
 *
 * Specification: spec/file-format.md, "Kept ranges".
 */

import { compareBytes, isZero, readU16, readU32, readU48, writeU16, writeU32, writeU48 } from '../base/bytes.ts';
import { SteleError } from '../base/errors.ts';
import type { KeptRange } from './retention.ts';

export interface KeptState {
  readonly ranges: readonly KeptRange[];
  readonly sweptTimeMs: number;
  /** Infinity = none. */
  readonly tombstonesFrom: number;
  /** Infinity = none. */
  readonly looseLargeFrom: number;
  readonly headersThrough: number;
  readonly isTracking: boolean;
  readonly segmentUse: readonly { readonly segment: number; readonly newest: readonly number[] }[];
}

const MAGIC = 0x54_50_45_4b; // "KEPT", little-endian
const HEAD_BYTES = 42;
const RULE_BIT = 0x8000;
/** As the longest key. */
const PREFIX_BYTES_MAX = 1100;

export function encodeKept(state: KeptState): Uint8Array {
  let bytes = HEAD_BYTES + 1 + state.segmentUse.length * (4 + 6 * state.ranges.length);
  for (const range of state.ranges) bytes += 2 + range.prefix.length + 20;
  const b = new Uint8Array(bytes);
  const view = new DataView(b.buffer);
  writeU32(b, 0, MAGIC);
  writeU16(b, 4, 1);
  writeU16(b, 6, state.ranges.length);
  writeU48(b, 8, state.sweptTimeMs);
  writeU48(b, 20, Number.isFinite(state.tombstonesFrom) ? state.tombstonesFrom : 0);
  writeU48(b, 26, Number.isFinite(state.looseLargeFrom) ? state.looseLargeFrom : 0);
  writeU32(b, 32, state.segmentUse.length);
  writeU48(b, 36, state.headersThrough);
  let at = HEAD_BYTES;
  for (const range of state.ranges) {
    writeU16(b, at, range.prefix.length | (range.isRule ? RULE_BIT : 0));
    b.set(range.prefix, at + 2);
    at += 2 + range.prefix.length;
    writeU48(b, at, range.keptFrom);
    writeU48(b, at + 6, range.keptFromMs);
    view.setFloat64(at + 12, range.historyMs, true);
    at += 20;
  }
  for (const row of state.segmentUse) {
    writeU32(b, at, row.segment);
    at += 4;
    for (const newest of row.newest) {
      writeU48(b, at, newest + 1);
      at += 6;
    }
  }
  b[at] = state.isTracking ? 1 : 0;
  return b;
}

/** @throws {SteleError} `corrupt` KEPT_DAMAGED; `invalid` FORMAT_NEWER: the caller has verified the bytes, so another version is no damage */
export function decodeKept(b: Uint8Array): KeptState {
  if (b.length < HEAD_BYTES + 1 || readU32(b, 0) !== MAGIC) throw damaged('too short, or no magic');
  if (readU16(b, 4) !== 1 || !isZero(b, 14, 20) || b[b.length - 1]! > 1)
    throw new SteleError('invalid', 'FORMAT_NEWER', 'the kept ranges were written by a newer version', {
      detail: { version: readU16(b, 4) },
    });
  const view = new DataView(b.buffer, b.byteOffset, b.byteLength);
  const rangeCount = readU16(b, 6);
  const rowCount = readU32(b, 32);
  const ranges: KeptRange[] = [];
  let at = HEAD_BYTES;
  for (let k = 0; k < rangeCount; k++) {
    if (at + 2 > b.length) throw damaged('range beyond the end');
    const isRule = (readU16(b, at) & RULE_BIT) !== 0;
    const prefixBytes = readU16(b, at) & ~RULE_BIT;
    if (at + 22 + prefixBytes > b.length) throw damaged('range beyond the end');
    if (prefixBytes > PREFIX_BYTES_MAX) throw damaged(`prefix of ${prefixBytes} bytes`);
    const prefix = b.slice(at + 2, at + 2 + prefixBytes);
    const before = ranges.at(-1)?.prefix;
    if (before !== undefined && compareBytes(before, 0, before.length, prefix, 0, prefixBytes) >= 0) throw damaged('ranges out of order');
    at += 2 + prefixBytes;
    const historyMs = view.getFloat64(at + 12, true);
    if (!(historyMs >= 0)) throw damaged(`history of ${historyMs} ms`);
    ranges.push({ prefix, isRule, keptFrom: readU48(b, at), keptFromMs: readU48(b, at + 6), historyMs });
    at += 20;
  }
  if (rangeCount === 0 || ranges[0]!.prefix.length !== 0) throw damaged('the range of the empty prefix is missing');
  if (at + rowCount * (4 + 6 * rangeCount) + 1 !== b.length) throw damaged('length and counts differ');
  const segmentUse: { segment: number; newest: number[] }[] = [];
  for (let k = 0; k < rowCount; k++) {
    const segment = readU32(b, at);
    at += 4;
    const newest: number[] = [];
    for (let range = 0; range < rangeCount; range++, at += 6) newest.push(readU48(b, at) - 1);
    segmentUse.push({ segment, newest });
  }
  return {
    ranges,
    sweptTimeMs: readU48(b, 8),
    tombstonesFrom: readU48(b, 20) || Number.POSITIVE_INFINITY,
    looseLargeFrom: readU48(b, 26) || Number.POSITIVE_INFINITY,
    headersThrough: readU48(b, 36),
    isTracking: b[at] === 1,
    segmentUse,
  };
}

function damaged(message: string): SteleError {
  return new SteleError('corrupt', 'KEPT_DAMAGED', `kept ranges: ${message}`);
}
