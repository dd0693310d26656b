/**
 * Record head: the 26 bytes every record of the log begins with.
 *
 *   offset  bytes  field
 *        0      4  checksum: CRC-32 of bytes 4 .. length, seeded with the place (below)
 *        4      4  chain: checksum of the commit record or mark before it (a group stands outside: it carries the same
 *                  chain as the record behind it, and nothing chains to it)
 *        8      4  length of head and body; a payload region behind it is not counted
 *       12      1  kind
 *       13      1  flags
 *       14      6  commit number; group: of the first record in it
 *       20      6  recorded time, ms
 *
 * Invariants
 * - Nothing in a record may be trusted before its checksum held; its length only bounds what is read for that.
 * - The seed is CRC-32 of (database id, segment number, generation, offset): a record verifies only where it was written, so what a
 *   recycled file held before can never be taken for a record.
 * - Unknown kinds and flags are refused, never skipped.
 *
 * Specification: spec/log-format.md, "Record head".
 */

import { readU32, readU48, writeU32, writeU48 } from '../base/bytes.ts';
import { crc32U32 } from '../base/crc32.ts';

export const HEAD_BYTES = 26;

export const KIND_GROUP = 1;
export const KIND_COMMIT = 2;
export const KIND_PART = 3;
export const KIND_FINAL_PART = 4;
export const KIND_CLEAN_CLOSE = 5;
/** Reserved. */
export const KIND_SIGNED_HEAD = 6;
/** Reserved. */
export const KIND_RESIDUE = 7;
export const KIND_KEPT_RANGES = 8;

/** The record does not hold exactly one operation: it has an operation table. */
export const FLAG_MANY = 1;
export const FLAG_META = 2;
export const FLAG_CARRIED = 4;
export const FLAG_PAYLOAD = 8;
/** Flags of a commit record that are understood; 16 (origin) and 128 (encrypted) are reserved. */
export const FLAGS_KNOWN = FLAG_MANY | FLAG_META | FLAG_CARRIED | FLAG_PAYLOAD;

/** Longest record without its payload region. Parts end at about 1 MiB, so this is generous; it bounds what damage can make us read. */
export const RECORD_BYTES_MAX = 16 * 1024 * 1024;
/** Longest value. */
export const VALUE_BYTES_MAX = 64 * 1024 * 1024;
/** Values above this lie in the payload region, checksummed in blocks of the same size. */
export const LARGE_BLOCK_BYTES = 16 * 1024;
export const KEY_BYTES_MAX = 1100;
/** Positions in a segment are u32; segments end below this. */
export const SEGMENT_BYTES_MAX = 0xffff_0000;

/** Seed of the record at `offset` of a segment whose seed is `segmentSeed`. Signed: see crc32.ts. */
export function recordSeed(segmentSeed: number, offset: number): number {
  return crc32U32(offset, segmentSeed) | 0;
}

/**
 * Writes the head except its checksum and its time ({@link encodeTime}). `chain` may be signed: a put has one of these per record and per
 * group, and a number that is no small integer costs 16 bytes of heap at each call that is not inlined.
 */
export function encodeHead(
  bytes: Uint8Array,
  at: number,
  chain: number,
  length: number,
  kind: number,
  flags: number,
  commit: number,
): void {
  writeU32(bytes, at + 4, chain);
  writeU32(bytes, at + 8, length);
  bytes[at + 12] = kind;
  bytes[at + 13] = flags;
  writeU48(bytes, at + 14, commit);
}

/** Writes the recorded time of the head at `at`. */
export function encodeTime(bytes: Uint8Array, at: number, timeMs: number): void {
  writeU48(bytes, at + 20, timeMs);
}

export const headChecksum = (bytes: Uint8Array, at: number): number => readU32(bytes, at);
export const headChain = (bytes: Uint8Array, at: number): number => readU32(bytes, at + 4);
export const headLength = (bytes: Uint8Array, at: number): number => readU32(bytes, at + 8);
export const headKind = (bytes: Uint8Array, at: number): number => bytes[at + 12]!;
export const headFlags = (bytes: Uint8Array, at: number): number => bytes[at + 13]!;
export const headCommit = (bytes: Uint8Array, at: number): number => readU48(bytes, at + 14);
export const headTimeMs = (bytes: Uint8Array, at: number): number => readU48(bytes, at + 20);

/** True when a record of this kind belongs to a commit. */
export function isCommitKind(kind: number): boolean {
  return kind === KIND_COMMIT || kind === KIND_PART || kind === KIND_FINAL_PART;
}

/** `value` rounded up to a multiple of 8. */
export function align8(value: number): number {
  return value + ((8 - (value % 8)) % 8);
}
