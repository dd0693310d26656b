/**
 * Segment header: the first 256 bytes of a segment file.
 *
 *   offset  bytes  field
 *        0      8  magic "STELELOG"
 *        8      2  format version, 1
 *       10      2  zero
 *       12      4  features: compatible (unknown bits ignored)
 *       16      4  features: read-only compatible (unknown bit: may be read, not written)
 *       20      4  features: incompatible (unknown bit: refused)
 *       24      4  segment number, from 1
 *       28      4  generation, from 1
 *       32     16  database id
 *       48     16  incarnation that created the segment
 *       64      8  epoch of the holder that created it
 *       72      6  first commit of which the segment may hold a record
 *       78      2  zero
 *       80      4  end of the records in the segment before, 0 for the first
 *       84      4  chain at that place: checksum of the last commit record or mark before this segment
 *       88      6  creation time, ms
 *       94      2  zero
 *       96     32  secret: the salts of all leaves in this segment derive from it
 *      128      6  size of the file, bytes
 *      134      2  zero
 *      136     48  reserved for key id, nonce and tag; zero
 *      184     68  reserved; zero
 *      252      4  checksum: CRC-32 of bytes 0 .. 252
 *
 * Invariants
 * - Written and synced before the first record of the segment is written, and not changed afterwards.
 * - Non-zero reserved bytes are refused (FORMAT_NEWER), so that they can gain a meaning.
 *
 * Specification: spec/log-format.md, "Segment header".
 */

import { copyBytes, isZero, readU16, readU32, readU48, writeU16, writeU32, writeU48 } from '../base/bytes.ts';
import { crc32, crc32U32 } from '../base/crc32.ts';
import { SteleError } from '../base/errors.ts';

export const SEGMENT_HEADER_BYTES = 256;
export const LOG_FORMAT_VERSION = 1;

const MAGIC = Uint8Array.of(0x53, 0x54, 0x45, 0x4c, 0x45, 0x4c, 0x4f, 0x47);
const CHECKSUM_AT = 252;

export interface SegmentHeader {
  readonly readOnlyFeatures: number;
  readonly number: number;
  readonly generation: number;
  readonly databaseId: Uint8Array;
  readonly incarnation: Uint8Array;
  readonly epoch: Uint8Array;
  readonly firstCommit: number;
  readonly previousEnd: number;
  readonly previousChecksum: number;
  readonly createdMs: number;
  readonly secret: Uint8Array;
  readonly fileBytes: number;
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  bytes.set(MAGIC, 0);
  writeU16(bytes, 8, LOG_FORMAT_VERSION);
  writeU32(bytes, 16, header.readOnlyFeatures);
  writeU32(bytes, 24, header.number);
  writeU32(bytes, 28, header.generation);
  copyBytes(header.databaseId, 0, 16, bytes, 32);
  copyBytes(header.incarnation, 0, 16, bytes, 48);
  copyBytes(header.epoch, 0, 8, bytes, 64);
  writeU48(bytes, 72, header.firstCommit);
  writeU32(bytes, 80, header.previousEnd);
  writeU32(bytes, 84, header.previousChecksum);
  writeU48(bytes, 88, header.createdMs);
  copyBytes(header.secret, 0, 32, bytes, 96);
  writeU48(bytes, 128, header.fileBytes);
  writeU32(bytes, CHECKSUM_AT, crc32(bytes, 0, CHECKSUM_AT, 0));
  return bytes;
}

/**
 * Decodes 256 bytes. undefined when they are no header: too few, other magic, wrong checksum, impossible numbers.
 *
 * @throws {SteleError} `invalid` FORMAT_NEWER when the header is intact but asks for what this version does not know.
 */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES) return undefined;
  for (let i = 0; i < MAGIC.length; i++) if (bytes[i] !== MAGIC[i]) return undefined;
  if (readU32(bytes, CHECKSUM_AT) !== crc32(bytes, 0, CHECKSUM_AT, 0)) return undefined;
  const reservedZero = isZero(bytes, 10, 12) && isZero(bytes, 78, 80) && isZero(bytes, 94, 96) && isZero(bytes, 134, CHECKSUM_AT);
  if (readU16(bytes, 8) !== LOG_FORMAT_VERSION || readU32(bytes, 20) !== 0 || !reservedZero) {
    throw new SteleError('invalid', 'FORMAT_NEWER', 'a log segment was written by a newer version', {
      detail: { version: readU16(bytes, 8), incompatible: readU32(bytes, 20) },
    });
  }
  const header: SegmentHeader = {
    readOnlyFeatures: readU32(bytes, 16),
    number: readU32(bytes, 24),
    generation: readU32(bytes, 28),
    databaseId: bytes.slice(32, 48),
    incarnation: bytes.slice(48, 64),
    epoch: bytes.slice(64, 72),
    firstCommit: readU48(bytes, 72),
    previousEnd: readU32(bytes, 80),
    previousChecksum: readU32(bytes, 84),
    createdMs: readU48(bytes, 88),
    secret: bytes.slice(96, 128),
    fileBytes: readU48(bytes, 128),
  };
  return header.number === 0 || header.generation === 0 || header.firstCommit === 0 || header.fileBytes < SEGMENT_HEADER_BYTES
    ? undefined
    : header;
}

/** Seed of all records of a segment: CRC-32 of (database id, segment number, generation). */
export function segmentSeed(databaseId: Uint8Array, number: number, generation: number): number {
  return crc32U32(generation, crc32U32(number, crc32(databaseId, 0, 16, 0))) | 0;
}
