/**
 * Body of a commit record: where its sections lie.
 *
 *   head 26
 *   [part, final part]  u32 first ordinal, u32 first carried index   (of this record, counted over the commit)
 *   [2 meta]            u48 asserted time (0 = none), varint count, count × (varint length, bytes)
 *   operations          one after another, keys ascending
 *   [4 carried]         carried versions, one after another
 *   [1 many]            per operation: u32 offset from the record's beginning, u32 checksum of its bytes
 *   [4 carried]         per carried version the same
 *   [1 many]            u32 number of operations          without flag 1 there is exactly one
 *   [4 carried]         u32 number of carried versions
 *   [8 payload]         u32 bytes of the payload region that follows the record
 *
 * The tables stand at the end because their length is known only there, and so one entry is found with two short reads:
 * no need to read and verify a record of a megabyte for one operation. An entry's checksum is seeded with the record's
 * seed, its commit and the entry's index ({@link entrySeed}), so it proves as much as the record's own.
 *
 * Invariants
 * - {@link parseBody} accepts only sections that lie inside the record, in this order, without gaps it can see.
 * - Meta occurs only in a whole commit or in the first part.
 *
 * Specification: spec/log-format.md, "Commit".
 */

import { readU32, readU48 } from '../base/bytes.ts';
import { crc32U32, crc32U48 } from '../base/crc32.ts';
import { readVarint, varintBytes } from '../base/varint.ts';
import {
  FLAG_CARRIED,
  FLAG_MANY,
  FLAG_META,
  FLAG_PAYLOAD,
  FLAGS_KNOWN,
  HEAD_BYTES,
  headCommit,
  headFlags,
  headKind,
  headTimeMs,
  KIND_COMMIT,
  KIND_FINAL_PART,
  KIND_PART,
} from './record-format.ts';

/** Bytes of a table entry. */
export const ENTRY_BYTES = 8;
/** Added to a carried version's index in its {@link entrySeed}. */
export const CARRIED_INDEX_BASE = 0x8000_0000;

/** Places in a commit record; filled by {@link parseBody}. All are indexes into `bytes`. */
export class BodyView {
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  kind = 0;
  commit = 0;
  timeMs = 0;
  firstOrdinal = 0;
  firstCarried = 0;
  assertedTimeMs = 0;
  metaCount = 0;
  /** First meta chunk's length. */
  metaStart = 0;
  operationCount = 0;
  operationsStart = 0;
  operationsEnd = 0;
  /** Table, or 0 when there is exactly one operation. */
  operationTable = 0;
  carriedCount = 0;
  carriedStart = 0;
  carriedEnd = 0;
  carriedTable = 0;
  payloadBytes = 0;
}

/** Finds the sections of the commit record in `bytes[start, end)` (its payload region not included). False: it is none. */
export function parseBody(bytes: Uint8Array, start: number, end: number, view: BodyView): boolean {
  const kind = headKind(bytes, start);
  const flags = headFlags(bytes, start);
  if ((flags & ~FLAGS_KNOWN) !== 0) return false;
  view.bytes = bytes;
  view.start = start;
  view.end = end;
  view.kind = kind;
  view.commit = headCommit(bytes, start);
  view.timeMs = headTimeMs(bytes, start);
  view.firstOrdinal = 0;
  view.firstCarried = 0;
  view.assertedTimeMs = 0;
  view.metaCount = 0;
  view.operationCount = 1;
  view.operationTable = 0;
  view.carriedCount = 0;
  view.carriedTable = 0;
  view.payloadBytes = 0;
  if (view.commit === 0) return false;
  let at = start + HEAD_BYTES;
  if (kind === KIND_PART || kind === KIND_FINAL_PART) {
    if (at + 8 > end) return false;
    view.firstOrdinal = readU32(bytes, at);
    view.firstCarried = readU32(bytes, at + 4);
    at += 8;
  } else if (kind !== KIND_COMMIT) return false;
  if ((flags & FLAG_META) !== 0) {
    if (view.firstOrdinal !== 0 || view.firstCarried !== 0) return false;
    at = parseMeta(bytes, at, end, view);
    if (at < 0) return false;
  }
  view.operationsStart = at;
  if ((flags & ~FLAG_META) === 0) {
    view.operationsEnd = end;
    view.carriedStart = end;
    view.carriedEnd = end;
    return at < end;
  }
  return parseTables(bytes, at, end, flags, view);
}

function parseMeta(bytes: Uint8Array, start: number, end: number, view: BodyView): number {
  let at = start;
  if (at + 7 > end) return -1;
  view.assertedTimeMs = readU48(bytes, at);
  const count = readVarint(bytes, at + 6, end);
  if (count < 0 || count > end - at) return -1;
  at += 6 + varintBytes(count);
  view.metaCount = count;
  view.metaStart = at;
  for (let i = 0; i < count; i++) {
    const length = readVarint(bytes, at, end);
    if (length < 0) return -1;
    at += varintBytes(length) + length;
    if (at > end) return -1;
  }
  return at;
}

function parseTables(bytes: Uint8Array, start: number, end: number, flags: number, view: BodyView): boolean {
  let at = end;
  if ((flags & FLAG_PAYLOAD) !== 0) {
    at -= 4;
    if (at < start) return false;
    view.payloadBytes = readU32(bytes, at);
    if (view.payloadBytes === 0) return false;
  }
  if ((flags & FLAG_CARRIED) !== 0) {
    at -= 4;
    if (at < start) return false;
    view.carriedCount = readU32(bytes, at);
    if (view.carriedCount === 0) return false;
  }
  if ((flags & FLAG_MANY) !== 0) {
    at -= 4;
    if (at < start) return false;
    view.operationCount = readU32(bytes, at);
    if (view.operationCount === 1) return false;
  }
  at -= view.carriedCount * ENTRY_BYTES;
  if (at < start) return false;
  view.carriedTable = at;
  if ((flags & FLAG_MANY) !== 0) at -= view.operationCount * ENTRY_BYTES;
  if (at < start) return false;
  view.operationTable = (flags & FLAG_MANY) !== 0 ? at : 0;
  view.carriedEnd = at;
  view.carriedStart = at;
  if (view.carriedCount > 0) {
    view.carriedStart = view.start + readU32(bytes, view.carriedTable);
    if (view.carriedStart < start || view.carriedStart > at) return false;
  }
  view.operationsEnd = view.carriedStart;
  return true;
}

/** Base of the entry seeds of a record. */
export function entrySeedBase(recordSeed: number, commit: number): number {
  return crc32U48(commit, recordSeed);
}

/** Seed of the checksum of operation `index` of its record; carried versions add CARRIED_INDEX_BASE. */
export function entrySeed(base: number, index: number): number {
  return crc32U32(index, base);
}
