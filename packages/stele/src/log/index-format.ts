/**
 * Commit index file, `commits.idx`: 256 bytes of header, then 24 bytes for each commit, commit n at 256 + 24 · (n − 1).
 *
 *   header   0   8  magic "STELEIDX"      8  2  version, 1      10  2  zero      12  4  incompatible features, 0
 *           16  16  database id          32 220  zero           252  4  CRC-32 of bytes 0 .. 252
 *
 *   entry    0   6  recorded time, ms
 *            6   6  running maximum of asserted time, ms; 0 = none so far
 *           12   4  segment            16   4  offset of the head of the commit's first record
 *           20   4  CRC-32 of bytes 0 .. 20, seeded with CRC-32 of (database id, commit number u48)
 *
 * Specification: spec/log-format.md, "Commit index".
 */

import { copyBytes, equalBytes, isZero, readU16, readU32, readU48, writeU16, writeU32, writeU48 } from '../base/bytes.ts';
import { crc32, crc32U48 } from '../base/crc32.ts';
import { SteleError } from '../base/errors.ts';

export const INDEX_FILE = 'commits.idx';
export const INDEX_HEADER_BYTES = 256;
export const INDEX_ENTRY_BYTES = 24;

/** Header of a derived file: eight letters of magic, version 1, database id. */
export function encodeFileHeader(magic: string, databaseId: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(INDEX_HEADER_BYTES);
  for (let i = 0; i < 8; i++) bytes[i] = magic.charCodeAt(i);
  writeU16(bytes, 8, 1);
  copyBytes(databaseId, 0, 16, bytes, 16);
  writeU32(bytes, 252, crc32(bytes, 0, 252, 0));
  return bytes;
}

/** @throws {SteleError} `corrupt` INDEX_DAMAGED, WRONG_DATABASE; `invalid` FORMAT_NEWER. */
export function checkFileHeader(name: string, magic: string, databaseId: Uint8Array, bytes: Uint8Array): void {
  let good = bytes.length >= INDEX_HEADER_BYTES && readU32(bytes, 252) === crc32(bytes, 0, 252, 0);
  for (let i = 0; good && i < 8; i++) good = bytes[i] === magic.charCodeAt(i);
  if (!good) throw new SteleError('corrupt', 'INDEX_DAMAGED', `the header of ${name} is damaged`, { detail: { name } });
  if (readU16(bytes, 8) !== 1 || !isZero(bytes, 10, 16) || !isZero(bytes, 32, 252))
    throw new SteleError('invalid', 'FORMAT_NEWER', `${name} was written by a newer version`, { detail: { name } });
  if (!equalBytes(bytes, 16, 32, databaseId, 0, 16))
    throw new SteleError('corrupt', 'WRONG_DATABASE', `${name} belongs to another database`, { detail: { name } });
}

/** Seed for {@link encodeIndexEntry}: CRC-32 of the database id. */
export function indexSeed(databaseId: Uint8Array): number {
  return crc32(databaseId, 0, 16, 0);
}

export interface IndexEntry {
  timeMs: number;
  assertedMax: number;
  segment: number;
  offset: number;
}

export function encodeIndexEntry(
  bytes: Uint8Array,
  at: number,
  seed: number,
  commit: number,
  timeMs: number,
  assertedMax: number,
  segment: number,
  offset: number,
): void {
  writeU48(bytes, at, timeMs);
  writeU48(bytes, at + 6, assertedMax);
  writeU32(bytes, at + 12, segment);
  writeU32(bytes, at + 16, offset);
  writeU32(bytes, at + 20, crc32(bytes, at, at + 20, crc32U48(commit, seed)));
}

/** Fills `into`; false when the entry is not that of `commit`. */
export function decodeIndexEntry(bytes: Uint8Array, at: number, seed: number, commit: number, into: IndexEntry): boolean {
  if (readU32(bytes, at + 20) !== crc32(bytes, at, at + 20, crc32U48(commit, seed))) return false;
  into.timeMs = readU48(bytes, at);
  into.assertedMax = readU48(bytes, at + 6);
  into.segment = readU32(bytes, at + 12);
  into.offset = readU32(bytes, at + 16);
  return true;
}
