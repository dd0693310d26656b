/**
 * Segment table: the log's part of a meta page, as a blob: which sealed segments live.
 *
 *   0   8  magic "STELESEG"      8  2  version, 1      10  2  zero      12  4  entries
 *   then per segment, 36 bytes, ascending numbers:
 *   0   4  number     4  4  slot     8  4  generation     12  6  first commit     18  6  last commit
 *   24  4  end of records     28  6  file bytes     34  1  flags (1 sealed; others refused)     35  1  zero
 *   then 4  CRC-32 of all before
 *
 * Specification: spec/log-format.md, "Segment table".
 */

import { readU16, readU32, readU48, writeU16, writeU32, writeU48 } from '../base/bytes.ts';
import { crc32 } from '../base/crc32.ts';
import { SteleError } from '../base/errors.ts';
import { SEGMENT_HEADER_BYTES } from './segment-header.ts';
import type { SegmentInfo } from './types.ts';

const MAGIC = 'STELESEG';
const HEAD_BYTES = 16;
const ENTRY_BYTES = 36;
const VERSION = 1;

export function encodeSegmentTable(segments: readonly SegmentInfo[]): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + ENTRY_BYTES * segments.length + 4);
  for (let i = 0; i < MAGIC.length; i++) bytes[i] = MAGIC.charCodeAt(i);
  writeU16(bytes, 8, VERSION);
  writeU32(bytes, 12, segments.length);
  let at = HEAD_BYTES;
  for (const segment of segments) {
    writeU32(bytes, at, segment.number);
    writeU32(bytes, at + 4, segment.slot);
    writeU32(bytes, at + 8, segment.generation);
    writeU48(bytes, at + 12, segment.firstCommit);
    writeU48(bytes, at + 18, segment.lastCommit);
    writeU32(bytes, at + 24, segment.bytes);
    writeU48(bytes, at + 28, segment.fileBytes);
    bytes[at + 34] = segment.sealed ? 1 : 0;
    at += ENTRY_BYTES;
  }
  writeU32(bytes, at, crc32(bytes, 0, at, 0));
  return bytes;
}

/** @throws {SteleError} `corrupt` SEGMENT_TABLE_DAMAGED; `invalid` FORMAT_NEWER: intact, but of another version or with unknown flags. */
export function decodeSegmentTable(bytes: Uint8Array): SegmentInfo[] {
  const count = bytes.length < HEAD_BYTES + 4 ? -1 : readU32(bytes, 12);
  const end = HEAD_BYTES + ENTRY_BYTES * count;
  if (count < 0 || bytes.length !== end + 4 || readU32(bytes, end) !== crc32(bytes, 0, end, 0)) throw damaged('length or checksum');
  for (let i = 0; i < MAGIC.length; i++) if (bytes[i] !== MAGIC.charCodeAt(i)) throw damaged('magic');
  if (readU16(bytes, 8) !== VERSION || readU16(bytes, 10) !== 0) throw newer();
  const segments: SegmentInfo[] = [];
  let previous = 0;
  for (let at = HEAD_BYTES; at < end; at += ENTRY_BYTES) {
    const number = readU32(bytes, at);
    if (number <= previous) throw damaged('order');
    if (bytes[at + 34]! > 1 || bytes[at + 35] !== 0) throw newer();
    previous = number;
    const segment = {
      number,
      slot: readU32(bytes, at + 4),
      generation: readU32(bytes, at + 8),
      firstCommit: readU48(bytes, at + 12),
      lastCommit: readU48(bytes, at + 18),
      bytes: readU32(bytes, at + 24),
      fileBytes: readU48(bytes, at + 28),
      sealed: bytes[at + 34] === 1,
    };
    const { generation, firstCommit, lastCommit } = segment;
    if (generation === 0 || firstCommit === 0 || lastCommit < firstCommit - 1) throw damaged(`segment ${number}`);
    if (segment.bytes < SEGMENT_HEADER_BYTES || segment.bytes > segment.fileBytes) throw damaged(`bytes of segment ${number}`);
    segments.push(segment);
  }
  return segments;
}

function newer(): SteleError {
  return new SteleError('invalid', 'FORMAT_NEWER', 'the segment table of a meta page was written by a newer version');
}

function damaged(what: string): SteleError {
  return new SteleError('corrupt', 'SEGMENT_TABLE_DAMAGED', `the segment table of a meta page is damaged: ${what}`);
}
