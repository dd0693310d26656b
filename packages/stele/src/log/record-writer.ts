/**
 * RecordWriter: builds commit records in place.
 *
 * `open` says where; operations are encoded straight into the buffer they will be written from; `finish` adds tables,
 * payload and checksum. Per put: no allocation, one pass over the bytes for the encoding and one for the checksum.
 *
 * Invariants
 * - Nothing is written behind `limit`; a caller that reserved too little meets INVARIANT before a byte is out of place.
 * - Large values are only remembered until `finish`: they must not change in between.
 *
 * Specification: spec/log-format.md, "Commit".
 */

import { copyBytes, writeU32, writeU48 } from '../base/bytes.ts';
import { CRC32_NATIVE_BYTES_MIN, type Crc32, crc32 } from '../base/crc32.ts';
import { invariant } from '../base/errors.ts';
import { writeVarint } from '../base/varint.ts';
import {
  encodeCarriedCommit,
  encodeOperationKey,
  encodeOperationPast,
  largeBlocks,
  OP_BACK,
  OP_BACK_CARRIED,
  OP_DELETE,
  OP_EXPIRES,
  OP_LARGE,
  OP_TABLE,
} from './operation-format.ts';
import { CARRIED_INDEX_BASE, ENTRY_BYTES, entrySeed, entrySeedBase } from './record-body.ts';
import {
  encodeHead,
  encodeTime,
  FLAG_CARRIED,
  FLAG_MANY,
  FLAG_META,
  FLAG_PAYLOAD,
  HEAD_BYTES,
  KEY_BYTES_MAX,
  KIND_COMMIT,
  LARGE_BLOCK_BYTES,
  RECORD_BYTES_MAX,
  VALUE_BYTES_MAX,
} from './record-format.ts';

const NOTHING = new Uint8Array(0);
/** Bytes of an operation besides key, value, table and block checksums, at most. */
const OPERATION_SLACK = 48;

export class RecordWriter {
  /** Of the record being built, counted over its commit. */
  firstOrdinal = 0;
  firstCarried = 0;
  operationCount = 0;
  carriedCount = 0;
  /** Set by finish. */
  checksum = 0;
  end = 0;

  readonly #native: Crc32;
  #bytes: Uint8Array = NOTHING;
  #start = 0;
  #at = 0;
  #limit = 0;
  #flags = 0;
  #commit = 0;
  #timeMs = 0;
  #payloadBytes = 0;
  /** Offsets of operations from the record's beginning. */
  #offsets = new Uint32Array(64);
  #carriedBytes = NOTHING;
  #carriedEnd = 0;
  #carriedOffsets: number[] = [];
  /** Large values in payload order: source, start, end. */
  #large: { readonly source: Uint8Array; readonly start: number; readonly end: number }[] = [];

  /** `native` is the host's CRC-32, taken for long input. */
  constructor(native: Crc32) {
    this.#native = native;
  }

  /** Bytes so far, with tables and payload. */
  get recordBytes(): number {
    return this.#at - this.#start + this.#carriedEnd + (this.operationCount + this.carriedCount) * ENTRY_BYTES + 12 + this.#payloadBytes;
  }

  /** Begins a record in `bytes` at `start`; it may take everything before `limit`. */
  open(
    bytes: Uint8Array,
    start: number,
    limit: number,
    kind: number,
    commit: number,
    timeMs: number,
    firstOrdinal: number,
    firstCarried: number,
  ): void {
    this.#bytes = bytes;
    this.#start = start;
    this.#limit = limit;
    this.#flags = 0;
    this.#commit = commit;
    this.#timeMs = timeMs;
    this.#payloadBytes = 0;
    this.#carriedEnd = 0;
    this.operationCount = 0;
    this.carriedCount = 0;
    this.firstOrdinal = firstOrdinal;
    this.firstCarried = firstCarried;
    this.#at = start + HEAD_BYTES;
    if (kind !== KIND_COMMIT) {
      writeU32(bytes, this.#at, firstOrdinal);
      writeU32(bytes, this.#at + 4, firstCarried);
      this.#at += 8;
    }
    if (this.#large.length > 0) this.#large = [];
    if (this.#carriedOffsets.length > 0) this.#carriedOffsets = [];
  }

  setMeta(assertedTimeMs: number, chunks: readonly Uint8Array[]): void {
    invariant(
      this.operationCount === 0 && this.firstOrdinal === 0 && this.firstCarried === 0 && this.#flags === 0,
      'meta comes first, in the first part',
    );
    let need = 16;
    for (const chunk of chunks) need += chunk.length + 7;
    invariant(this.#at + need <= this.#limit, 'more meta than was reserved');
    this.#flags |= FLAG_META;
    writeU48(this.#bytes, this.#at, assertedTimeMs);
    let at = writeVarint(this.#bytes, this.#at + 6, chunks.length);
    for (const chunk of chunks) {
      at = writeVarint(this.#bytes, at, chunk.length);
      copyBytes(chunk, 0, chunk.length, this.#bytes, at);
      at += chunk.length;
    }
    this.#at = at;
  }

  put(
    key: Uint8Array,
    keyBytes: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    expiresAt: number,
    backCommit: number,
    backOrdinal: number,
    backCarried: boolean,
    table: Uint8Array | undefined,
  ): void {
    const valueBytes = valueEnd - valueStart;
    const flags =
      (expiresAt !== 0 ? OP_EXPIRES : 0) |
      (backCommit !== 0 ? (backCarried ? OP_BACK | OP_BACK_CARRIED : OP_BACK) : 0) |
      (valueBytes > LARGE_BLOCK_BYTES ? OP_LARGE : 0) |
      (table !== undefined ? OP_TABLE : 0);
    let at = this.#beginOperation(keyBytes, valueBytes, table);
    const bytes = this.#bytes;
    at = encodeOperationKey(bytes, at, flags, key, keyBytes);
    if ((flags & ~OP_LARGE) !== 0) at = encodeOperationPast(bytes, at, flags, expiresAt, this.#commit - backCommit, backOrdinal, table);
    this.#at = this.#encodeValue(bytes, at, value, valueStart, valueEnd);
  }

  delete(
    key: Uint8Array,
    keyBytes: number,
    backCommit: number,
    backOrdinal: number,
    backCarried: boolean,
    table: Uint8Array | undefined,
  ): void {
    const flags =
      OP_DELETE | (backCommit !== 0 ? (backCarried ? OP_BACK | OP_BACK_CARRIED : OP_BACK) : 0) | (table !== undefined ? OP_TABLE : 0);
    const at = this.#beginOperation(keyBytes, 0, table);
    this.#at = encodeOperationPast(
      this.#bytes,
      encodeOperationKey(this.#bytes, at, flags, key, keyBytes),
      flags,
      0,
      this.#commit - backCommit,
      backOrdinal,
      table,
    );
  }

  /** Returns the carried index, counted over the commit. */
  carry(
    commit: number,
    isDelete: boolean,
    expiresAt: number,
    backCommit: number,
    backOrdinal: number,
    backCarried: boolean,
    table: Uint8Array | undefined,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): number {
    const valueBytes = isDelete ? 0 : valueEnd - valueStart;
    invariant(commit > 0 && commit < this.#commit, 'a carried version is older than its record');
    invariant(valueBytes <= VALUE_BYTES_MAX, 'a value is at most 64 MiB');
    const need = OPERATION_SLACK + (table?.length ?? 0) + (valueBytes > LARGE_BLOCK_BYTES ? 4 * largeBlocks(valueBytes) : valueBytes);
    if (this.#carriedEnd + need > this.#carriedBytes.length) {
      const grown = new Uint8Array(Math.max(2 * this.#carriedBytes.length, this.#carriedEnd + need, 4096));
      grown.set(this.#carriedBytes.subarray(0, this.#carriedEnd));
      this.#carriedBytes = grown;
    }
    const bytes = this.#carriedBytes;
    const flags =
      (isDelete ? OP_DELETE : expiresAt !== 0 ? OP_EXPIRES : 0) |
      (backCommit !== 0 ? (backCarried ? OP_BACK | OP_BACK_CARRIED : OP_BACK) : 0) |
      (valueBytes > LARGE_BLOCK_BYTES ? OP_LARGE : 0) |
      (table !== undefined ? OP_TABLE : 0);
    this.#carriedOffsets.push(this.#carriedEnd);
    let at = encodeCarriedCommit(bytes, this.#carriedEnd, flags, commit);
    at = encodeOperationPast(bytes, at, flags, expiresAt, this.#commit - backCommit, backOrdinal, table);
    this.#carriedEnd = isDelete ? at : this.#encodeValue(bytes, at, value, valueStart, valueEnd);
    this.#flags |= FLAG_CARRIED;
    return this.firstCarried + this.carriedCount++;
  }

  /** Completes the record: tables, payload, checksum. `end` is then the position behind its payload, `checksum` its checksum. `chain`, `seed` may be signed. */
  finish(kind: number, chain: number, seed: number): void {
    const bytes = this.#bytes;
    const start = this.#start;
    const many = this.operationCount !== 1;
    invariant(start + this.recordBytes <= this.#limit, 'a record outgrew its reservation');
    if (many) this.#flags |= FLAG_MANY;
    if (this.#payloadBytes > 0) this.#flags |= FLAG_PAYLOAD;
    if ((this.#flags & ~FLAG_META) !== 0) this.#writeTables(start, seed, many);
    const length = this.#at - start;
    invariant(length <= RECORD_BYTES_MAX, 'a record is at most 16 MiB without its payload');
    encodeHead(bytes, start, chain, length, kind, this.#flags, this.#commit);
    encodeTime(bytes, start, this.#timeMs);
    const checksum =
      (length < CRC32_NATIVE_BYTES_MIN ? crc32(bytes, start + 4, this.#at, seed) : this.#native(bytes, start + 4, this.#at, seed)) | 0;
    writeU32(bytes, start, checksum);
    this.checksum = checksum >>> 0;
    let at = this.#at;
    for (const { source, start: from, end } of this.#large) {
      copyBytes(source, from, end, bytes, at);
      at += end - from;
    }
    this.end = at;
    if (this.#large.length > 0) this.#large = [];
    if (this.#carriedBytes.length > 1024 * 1024) this.#carriedBytes = NOTHING;
  }

  #beginOperation(keyBytes: number, valueBytes: number, table: Uint8Array | undefined): number {
    const at = this.#at;
    const inline = valueBytes > LARGE_BLOCK_BYTES ? 4 * largeBlocks(valueBytes) : valueBytes;
    if (at + OPERATION_SLACK + keyBytes + inline + (table === undefined ? 0 : table.length) > this.#limit)
      invariant(false, 'a record outgrew its reservation');
    if (keyBytes < 1 || keyBytes > KEY_BYTES_MAX || valueBytes > VALUE_BYTES_MAX)
      invariant(false, 'a key is 1 to 1100 bytes, a value at most 64 MiB');
    const index = this.operationCount++;
    if (index === this.#offsets.length) {
      const grown = new Uint32Array(2 * index);
      grown.set(this.#offsets);
      this.#offsets = grown;
    }
    this.#offsets[index] = at - this.#start;
    return at;
  }

  #encodeValue(bytes: Uint8Array, start: number, value: Uint8Array, valueStart: number, valueEnd: number): number {
    const length = valueEnd - valueStart;
    let at = start;
    if (length < 0x80) bytes[at++] = length;
    else at = writeVarint(bytes, at, length);
    if (length <= LARGE_BLOCK_BYTES) {
      copyBytes(value, valueStart, valueEnd, bytes, at);
      return at + length;
    }
    at = writeVarint(bytes, at, this.#payloadBytes);
    for (let from = valueStart; from < valueEnd; from += LARGE_BLOCK_BYTES) {
      writeU32(bytes, at, this.#native(value, from, Math.min(from + LARGE_BLOCK_BYTES, valueEnd), 0));
      at += 4;
    }
    this.#large.push({ source: value, start: valueStart, end: valueEnd });
    this.#payloadBytes += length;
    return at;
  }

  #writeTables(start: number, seed: number, many: boolean): void {
    const bytes = this.#bytes;
    const base = entrySeedBase(seed, this.#commit);
    const operationsEnd = this.#at;
    const carriedEnd = operationsEnd + this.#carriedEnd;
    copyBytes(this.#carriedBytes, 0, this.#carriedEnd, bytes, operationsEnd);
    let at = carriedEnd;
    if (many) {
      for (let i = 0; i < this.operationCount; i++) {
        const from = this.#offsets[i]!;
        const end = i + 1 < this.operationCount ? start + this.#offsets[i + 1]! : operationsEnd;
        at = this.#writeEntry(at, from, start + from, end, entrySeed(base, i));
      }
    }
    for (let i = 0; i < this.carriedCount; i++) {
      const from = operationsEnd + this.#carriedOffsets[i]!;
      const end = i + 1 < this.carriedCount ? operationsEnd + this.#carriedOffsets[i + 1]! : carriedEnd;
      at = this.#writeEntry(at, from - start, from, end, entrySeed(base, CARRIED_INDEX_BASE + i));
    }
    if (many) {
      writeU32(bytes, at, this.operationCount);
      at += 4;
    }
    if (this.carriedCount > 0) {
      writeU32(bytes, at, this.carriedCount);
      at += 4;
    }
    if (this.#payloadBytes > 0) {
      writeU32(bytes, at, this.#payloadBytes);
      at += 4;
    }
    this.#at = at;
  }

  #writeEntry(at: number, offset: number, from: number, end: number, seed: number): number {
    const bytes = this.#bytes;
    writeU32(bytes, at, offset);
    writeU32(bytes, at + 4, end - from < CRC32_NATIVE_BYTES_MIN ? crc32(bytes, from, end, seed) : this.#native(bytes, from, end, seed));
    return at + ENTRY_BYTES;
  }
}
