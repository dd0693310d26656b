/**
 * Group record: stands in front of what one write hands to the kernel.
 *
 *   head 26 (kind 1, flags 0, length 46, commit and time of the first record in the group)
 *       26      4  durable position, segment   everything before it was known to be on the device when the group was written
 *       30      4  durable position, offset
 *       34      8  epoch of the writer
 *       42      4  bytes of the whole group: this record, the records behind it, payload regions included
 *
 * Invariants
 * - A group begins at a multiple of 8; the up to 7 bytes before it are written as zeros and ignored by readers.
 * - A group never crosses segments. It is not a unit of atomicity: recovery keeps its good records up to the first bad one.
 *
 * A later group found behind a bad record tells whether that record was durable: then it is damage, not a torn tail.
 *
 * Specification: spec/log-format.md, "Group".
 */

import { copyBytes, readU32, writeU32 } from '../base/bytes.ts';
import { crc32 } from '../base/crc32.ts';
import { encodeHead, encodeTime, HEAD_BYTES, headChecksum, KIND_GROUP, recordSeed } from './record-format.ts';

export const GROUP_BYTES = HEAD_BYTES + 20;

export interface GroupFields {
  chain: number;
  commit: number;
  timeMs: number;
  durableSegment: number;
  durableOffset: number;
  groupBytes: number;
}

/** Writes a whole group record at `at`, which is `offset` in its segment. */
export function encodeGroup(
  bytes: Uint8Array,
  at: number,
  segmentSeed: number,
  offset: number,
  epoch: Uint8Array,
  fields: GroupFields,
): void {
  encodeHead(bytes, at, fields.chain | 0, GROUP_BYTES, KIND_GROUP, 0, fields.commit);
  encodeTime(bytes, at, fields.timeMs);
  writeU32(bytes, at + 26, fields.durableSegment);
  writeU32(bytes, at + 30, fields.durableOffset);
  copyBytes(epoch, 0, 8, bytes, at + 34);
  writeU32(bytes, at + 42, fields.groupBytes);
  writeU32(bytes, at, crc32(bytes, at + 4, at + GROUP_BYTES, recordSeed(segmentSeed, offset)));
}

export const groupDurableSegment = (bytes: Uint8Array, at: number): number => readU32(bytes, at + 26);
export const groupDurableOffset = (bytes: Uint8Array, at: number): number => readU32(bytes, at + 30);
export const groupBytesOf = (bytes: Uint8Array, at: number): number => readU32(bytes, at + 42);

/** True when a valid group record of this segment stands at `at` = `offset`. Needs GROUP_BYTES bytes. */
export function isGroupAt(bytes: Uint8Array, at: number, segmentSeed: number, offset: number): boolean {
  if (bytes[at + 12] !== KIND_GROUP || bytes[at + 8] !== GROUP_BYTES || bytes[at + 9] !== 0 || bytes[at + 10] !== 0 || bytes[at + 11] !== 0)
    return false;
  return bytes[at + 13] === 0 && headChecksum(bytes, at) === crc32(bytes, at + 4, at + GROUP_BYTES, recordSeed(segmentSeed, offset));
}
