/**
 * Operation: one put or delete in a commit record; carried version: a superseded one kept for old readers.
 *
 *   u8      flags: 1 delete, 2 expires, 4 back, 8 back is carried, 16 large, 32 version table; 64 and 128 reserved, refused
 *   operation: varint key length, key                    carried: u48 commit that wrote the version
 *   [2]     u48 expiresAt, ms
 *   [4]     varint (commit of the record − back commit), varint back ordinal
 *   [32]    varint length, version table
 *   put:    varint length, value                         large: varint length, varint offset in the payload region,
 *                                                               u32 checksum of each block of 16 KiB (seed 0)
 *   delete: nothing
 *
 * Invariants
 * - A delete has neither expiry nor value; 8 needs 4; large exactly when the value is longer than 16 KiB.
 * - The decoder never looks behind `end`, fills the view only with ranges inside [start, end), and accepts only what the
 *   encoder can write.
 *
 * Encoder and decoder are plain functions: nothing is allocated per operation.
 *
 * Specification: spec/log-format.md, "Operation".
 */

import { copyBytes, readU48, writeU48 } from '../base/bytes.ts';
import { readVarint, varintBytes, writeVarint } from '../base/varint.ts';
import type { OperationView } from './operation-view.ts';
import { KEY_BYTES_MAX, LARGE_BLOCK_BYTES, VALUE_BYTES_MAX } from './record-format.ts';

export const OP_DELETE = 1;
export const OP_EXPIRES = 2;
export const OP_BACK = 4;
export const OP_BACK_CARRIED = 8;
export const OP_LARGE = 16;
export const OP_TABLE = 32;
const OP_RESERVED = 64 | 128;

/** What the decoder gives for bytes that are no operation. */
export const OPERATION_BAD = -1;

const ORDINAL_MAX = 0xffff_ffff;

/** Writes flags and key; returns the position behind them. */
export function encodeOperationKey(bytes: Uint8Array, at: number, flags: number, key: Uint8Array, keyBytes: number): number {
  bytes[at] = flags;
  let to = at + 1;
  if (keyBytes < 0x80) bytes[to++] = keyBytes;
  else to = writeVarint(bytes, to, keyBytes);
  if (keyBytes <= 160) for (let i = 0; i < keyBytes; i++) bytes[to + i] = key[i]!;
  else copyBytes(key, 0, keyBytes, bytes, to);
  return to + keyBytes;
}

/** Writes flags and commit of a carried version. */
export function encodeCarriedCommit(bytes: Uint8Array, at: number, flags: number, commit: number): number {
  bytes[at] = flags;
  writeU48(bytes, at + 1, commit);
  return at + 7;
}

/** Writes what stands between key and value, as `flags` tell. `backDistance` = commit of the record − back commit. */
export function encodeOperationPast(
  bytes: Uint8Array,
  at: number,
  flags: number,
  expiresAt: number,
  backDistance: number,
  backOrdinal: number,
  table: Uint8Array | undefined,
): number {
  let to = at;
  if ((flags & OP_EXPIRES) !== 0) {
    writeU48(bytes, to, expiresAt);
    to += 6;
  }
  if ((flags & OP_BACK) !== 0) {
    to = writeVarint(bytes, to, backDistance);
    to = writeVarint(bytes, to, backOrdinal);
  }
  if (table !== undefined) {
    to = writeVarint(bytes, to, table.length);
    copyBytes(table, 0, table.length, bytes, to);
    to += table.length;
  }
  return to;
}

/**
 * Decodes the operation at `start`; `view.commit` must be set to the record's commit. Returns the position behind it, or OPERATION_BAD.
 * For a large value `view.largeOffset` is its offset in the payload region: the caller adds where that lies and checks its end.
 */
export function decodeOperation(bytes: Uint8Array, start: number, end: number, view: OperationView): number {
  if (start + 2 > end) return OPERATION_BAD;
  const flags = bytes[start]!;
  let at = start + 1;
  let keyBytes = bytes[at]!;
  if (keyBytes < 0x80) at++;
  else {
    keyBytes = readVarint(bytes, at, end);
    if (keyBytes < 0 || keyBytes > KEY_BYTES_MAX) return OPERATION_BAD;
    at += varintBytes(keyBytes);
  }
  if (keyBytes === 0 || at + keyBytes > end) return OPERATION_BAD;
  view.bytes = bytes;
  view.keyStart = at;
  view.keyEnd = at + keyBytes;
  return decodeRest(bytes, at + keyBytes, end, flags, view.commit, view);
}

/** The same for a carried version; sets `view.commit` to the commit that wrote it, which must lie before `recordCommit`. */
export function decodeCarried(bytes: Uint8Array, start: number, end: number, recordCommit: number, view: OperationView): number {
  if (start + 7 > end) return OPERATION_BAD;
  const commit = readU48(bytes, start + 1);
  if (commit === 0 || commit >= recordCommit) return OPERATION_BAD;
  view.commit = commit;
  view.bytes = bytes;
  view.keyStart = start + 7;
  view.keyEnd = start + 7;
  return decodeRest(bytes, start + 7, end, bytes[start]!, recordCommit, view);
}

function decodeRest(bytes: Uint8Array, start: number, end: number, flags: number, recordCommit: number, view: OperationView): number {
  let at = start;
  view.isDelete = (flags & OP_DELETE) !== 0;
  view.isLarge = false;
  view.expiresAt = 0;
  view.backCommit = 0;
  view.backOrdinal = 0;
  view.backCarried = false;
  view.tableStart = at;
  view.tableEnd = at;
  if ((flags & ~OP_BACK) !== 0) {
    if ((flags & OP_RESERVED) !== 0) return OPERATION_BAD;
    if ((flags & OP_BACK_CARRIED) !== 0 && (flags & OP_BACK) === 0) return OPERATION_BAD;
    if ((flags & OP_DELETE) !== 0 && (flags & (OP_EXPIRES | OP_LARGE)) !== 0) return OPERATION_BAD;
  }
  if ((flags & OP_EXPIRES) !== 0) {
    if (at + 6 > end) return OPERATION_BAD;
    view.expiresAt = readU48(bytes, at);
    if (view.expiresAt === 0) return OPERATION_BAD;
    at += 6;
  }
  if ((flags & OP_BACK) !== 0) {
    const distance = readVarint(bytes, at, end);
    if (distance < 0 || distance >= recordCommit) return OPERATION_BAD;
    const backCommit = recordCommit - distance;
    const backCarried = (flags & OP_BACK_CARRIED) !== 0;
    // A carried address may name the record's own commit: what was superseded is carried in it.
    if (!backCarried && backCommit >= view.commit) return OPERATION_BAD;
    at += varintBytes(distance);
    const ordinal = readVarint(bytes, at, end);
    if (ordinal < 0 || ordinal > ORDINAL_MAX) return OPERATION_BAD;
    at += varintBytes(ordinal);
    view.backCommit = backCommit;
    view.backOrdinal = ordinal;
    view.backCarried = backCarried;
  }
  if ((flags & OP_TABLE) !== 0) {
    const tableBytes = readVarint(bytes, at, end);
    if (tableBytes < 0) return OPERATION_BAD;
    at += varintBytes(tableBytes);
    if (at + tableBytes > end) return OPERATION_BAD;
    view.tableStart = at;
    at += tableBytes;
    view.tableEnd = at;
  }
  if ((flags & OP_DELETE) !== 0) {
    view.valueBytes = 0;
    view.valueStart = at;
    view.valueEnd = at;
    return at;
  }
  let valueBytes = at < end ? bytes[at]! : 0x80;
  if (valueBytes < 0x80) at++;
  else {
    valueBytes = readVarint(bytes, at, end);
    if (valueBytes < 0) return OPERATION_BAD;
    at += varintBytes(valueBytes);
  }
  view.valueBytes = valueBytes;
  if ((flags & OP_LARGE) !== 0) return decodeLarge(bytes, at, end, valueBytes, view);
  if (valueBytes > LARGE_BLOCK_BYTES || at + valueBytes > end) return OPERATION_BAD;
  view.valueStart = at;
  at += valueBytes;
  view.valueEnd = at;
  return at;
}

function decodeLarge(bytes: Uint8Array, start: number, end: number, valueBytes: number, view: OperationView): number {
  if (valueBytes <= LARGE_BLOCK_BYTES || valueBytes > VALUE_BYTES_MAX) return OPERATION_BAD;
  const offset = readVarint(bytes, start, end);
  if (offset < 0) return OPERATION_BAD;
  const at = start + varintBytes(offset);
  const next = at + 4 * largeBlocks(valueBytes);
  if (next > end) return OPERATION_BAD;
  view.isLarge = true;
  view.valueStart = at;
  view.valueEnd = at;
  view.largeOffset = offset;
  view.crcStart = at;
  return next;
}

/** Blocks, and so checksums, of a large value. */
export function largeBlocks(valueBytes: number): number {
  return Math.ceil(valueBytes / LARGE_BLOCK_BYTES);
}
