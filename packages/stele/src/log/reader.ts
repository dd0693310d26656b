/**
 * LogReader: random access to single operations by logical address, from the tail in memory, page frames, or the file.
 *
 * Invariants
 * - Nothing is returned that was not verified: a record with one operation by its own checksum, an operation of a larger record
 *   by its table entry's, a large value by its blocks'. All are seeded with the place, so a foreign or old record fails.
 * - A block that is not resident is a value (MISS): nothing has happened, bring it in and call again.
 * - Memory: one scratch buffer (bounded by RECORD_BYTES_MAX), a few part directories.
 *
 * Specification: spec/log-format.md, "Reading one operation".
 */

import { copyBytes, readU32 } from '../base/bytes.ts';
import { CRC32_NATIVE_BYTES_MIN, type Crc32, crc32 } from '../base/crc32.ts';
import { SteleError } from '../base/errors.ts';
import { readFully } from '../host/files.ts';
import { decodeCarried, decodeOperation, OPERATION_BAD } from './operation-format.ts';
import type { OperationView } from './operation-view.ts';
import { MISS, OK } from './outcome.ts';
import { PartDirectories } from './part-directory.ts';
import { BodyView, CARRIED_INDEX_BASE, ENTRY_BYTES, entrySeed, entrySeedBase, parseBody } from './record-body.ts';
import {
  FLAG_CARRIED,
  FLAG_MANY,
  FLAG_PAYLOAD,
  FLAGS_KNOWN,
  HEAD_BYTES,
  headChecksum,
  headCommit,
  headFlags,
  headKind,
  headLength,
  isCommitKind,
  KIND_COMMIT,
  LARGE_BLOCK_BYTES,
  RECORD_BYTES_MAX,
  recordSeed,
} from './record-format.ts';
import { RecordShapes } from './record-shapes.ts';
import type { Segment } from './segment.ts';
import type { SegmentStore } from './segment-store.ts';
import type { Tail } from './tail.ts';
import type { BlockFile, LogBlocks } from './types.ts';

/** Ranges over more blocks are read from the file, not through frames: they would push everything else out. */
const FRAMED_BLOCKS_MAX = 4;

export class LogReader {
  missedFile: BlockFile | undefined;
  missedBlock = 0;
  /** Set by `reach`: the range begins at `bytes[at]`. */
  bytes: Uint8Array;
  at = 0;
  readonly #store: SegmentStore;
  readonly #tail: Tail;
  readonly #blocks: LogBlocks | undefined;
  readonly #native: Crc32;
  /** Bytes of the same stretch of memory from `at` on: what may be looked at without reaching again. */
  #room = 0;
  readonly #body = new BodyView();
  readonly #parts: PartDirectories;
  readonly #shapes = new RecordShapes();
  #scratch = new Uint8Array(64 * 1024);
  #piece: Uint8Array | undefined;

  constructor(store: SegmentStore, tail: Tail, blocks: LogBlocks | undefined, native: Crc32) {
    this.#store = store;
    this.#tail = tail;
    this.#blocks = blocks;
    this.#native = native;
    this.bytes = this.#scratch;
    this.#parts = new PartDirectories(this, store);
  }

  /** See Log.readOperation. */
  readOperation(segmentNumber: number, offset: number, commit: number, ordinal: number, carried: boolean, into: OperationView): number {
    const segment = this.#store.get(segmentNumber);
    if (segment === undefined)
      throw new SteleError('corrupt', 'SEGMENT_MISSING', `log segment ${segmentNumber} with commit ${commit} is missing`, {
        detail: { segment: segmentNumber, offset, commit },
      });
    const shape = this.#shapes.find(segment, offset, commit);
    if (shape >= 0) return this.#readShaped(segment, offset, commit, ordinal, carried, into, shape);
    const outcome = this.reach(segment, offset, HEAD_BYTES);
    if (outcome === MISS) return MISS;
    if (outcome !== OK || !isCommitKind(headKind(this.bytes, this.at)) || headCommit(this.bytes, this.at) !== commit)
      throw this.damaged(segment, offset, commit, 'no record of this commit');
    if (headKind(this.bytes, this.at) === KIND_COMMIT)
      return this.#readFrom(segment, offset, commit, ordinal, carried, ordinal, into, true);
    const part = this.#parts.find(segment, offset, commit, ordinal, carried);
    return this.#readFrom(
      part.segment,
      part.offset,
      commit,
      ordinal,
      carried,
      ordinal - (carried ? part.firstCarried : part.firstOrdinal),
      into,
      false,
    );
  }

  /**
   * Makes `bytes[at, at + length)` hold the range of a segment. OK, MISS, or −1 when the range does not lie inside what was written.
   */
  reach(segment: Segment, offset: number, length: number): number {
    const chunk = this.#tail.find(segment.number, offset);
    if (chunk !== undefined) {
      this.bytes = chunk.bytes;
      this.at = offset - chunk.base;
      this.#room = chunk.used - this.at;
      return this.at + length <= chunk.used ? OK : -1;
    }
    const blocks = this.#blocks;
    if (offset + length > segment.end) return -1;
    if (blocks !== undefined && length <= FRAMED_BLOCKS_MAX * blocks.blockBytes) {
      const { blockBytes } = blocks;
      const first = Math.floor(offset / blockBytes);
      const last = Math.floor((offset + length - 1) / blockBytes);
      if (segment.sealed || (last + 1) * blockBytes <= segment.end) return this.#reachFrames(blocks, segment, offset, length, first, last);
    }
    return this.#readDirect(segment, offset, length);
  }

  /** The same without frames: never MISS. */
  reachDirect(segment: Segment, offset: number, length: number): number {
    const inTail = this.#tail.find(segment.number, offset) !== undefined;
    return inTail ? this.reach(segment, offset, length) : offset + length > segment.end ? -1 : this.#readDirect(segment, offset, length);
  }

  /** See Log.readLarge. */
  readLarge(operation: OperationView, offset: number, length: number, target: Uint8Array, targetStart: number): void {
    const segment = this.#checkLarge(operation, offset, length);
    const piece = (this.#piece ??= new Uint8Array(8 * LARGE_BLOCK_BYTES));
    const end = offset + length;
    for (let from = offset - (offset % LARGE_BLOCK_BYTES); from < end; from += piece.length) {
      const bytes = Math.min(piece.length, operation.valueBytes - from);
      const chunk = this.#tail.find(segment.number, operation.largeOffset + from);
      if (chunk !== undefined)
        copyBytes(chunk.bytes, operation.largeOffset + from - chunk.base, operation.largeOffset + from - chunk.base + bytes, piece, 0);
      else if (readFully(segment.file(), piece, 0, bytes, operation.largeOffset + from) < bytes)
        throw this.damaged(segment, operation.largeOffset + from, operation.commit, 'value is cut');
      this.#deliver(operation, operation.bytes, operation.crcStart, segment, piece, from, bytes, offset, end, target, targetStart);
    }
  }

  /** See Log.readLargeAsync. */
  async readLargeAsync(operation: OperationView, offset: number, length: number, target: Uint8Array, targetStart: number): Promise<void> {
    const segment = this.#checkLarge(operation, offset, length);
    // The view may be filled anew while we wait: everything needed is taken first.
    const { valueBytes, largeOffset, commit } = operation;
    const crcs = operation.bytes.slice(operation.crcStart, operation.crcStart + 4 * Math.ceil(valueBytes / LARGE_BLOCK_BYTES));
    const piece = new Uint8Array(16 * LARGE_BLOCK_BYTES);
    const end = offset + length;
    for (let from = offset - (offset % LARGE_BLOCK_BYTES); from < end; from += piece.length) {
      const bytes = Math.min(piece.length, valueBytes - from);
      const chunk = this.#tail.find(segment.number, largeOffset + from);
      if (chunk !== undefined) copyBytes(chunk.bytes, largeOffset + from - chunk.base, largeOffset + from - chunk.base + bytes, piece, 0);
      else {
        for (let done = 0; done < bytes; ) {
          const count = await segment.file().readAsync(piece, done, bytes - done, largeOffset + from + done);
          if (count === 0) throw this.damaged(segment, largeOffset + from, commit, 'value is cut');
          done += count;
        }
      }
      this.#deliver({ commit, largeOffset }, crcs, 0, segment, piece, from, bytes, offset, end, target, targetStart);
    }
  }

  damaged(segment: Segment, offset: number, commit: number, reason: string): SteleError {
    return new SteleError('corrupt', 'RECORD_DAMAGED', `log segment ${segment.number}, byte ${offset}, commit ${commit}: ${reason}`, {
      detail: { segment: segment.number, offset, commit, reason },
    });
  }

  forgetParts(): void {
    this.#parts.clear();
    this.#shapes.clear();
  }

  #readDirect(segment: Segment, offset: number, length: number): number {
    if (length > this.#scratch.length) this.#scratch = new Uint8Array(length);
    this.bytes = this.#scratch;
    this.at = 0;
    this.#room = length;
    return readFully(segment.file(), this.#scratch, 0, length, offset) === length ? OK : -1;
  }

  #reachFrames(blocks: LogBlocks, segment: Segment, offset: number, length: number, first: number, last: number): number {
    const { blockBytes } = blocks;
    if (length > this.#scratch.length) this.#scratch = new Uint8Array(length);
    for (let block = first, done = 0; block <= last; block++) {
      const frame = blocks.get(segment, block);
      if (frame < 0) {
        this.missedFile = segment;
        this.missedBlock = block;
        return MISS;
      }
      const from = block === first ? offset - first * blockBytes : 0;
      if (first === last) {
        this.bytes = blocks.u8;
        this.at = frame + from;
        this.#room = blockBytes - from;
        return OK;
      }
      const bytes = Math.min(blockBytes - from, length - done);
      copyBytes(blocks.u8, frame + from, frame + from + bytes, this.#scratch, done);
      done += bytes;
    }
    this.bytes = this.#scratch;
    this.at = 0;
    this.#room = length;
    return OK;
  }

  /** Reads the entry `index` of the record at `offset`, which is one of `commit`. */
  #readFrom(
    segment: Segment,
    offset: number,
    commit: number,
    ordinal: number,
    carried: boolean,
    index: number,
    into: OperationView,
    isReached: boolean,
  ): number {
    const outcome = isReached ? OK : this.reach(segment, offset, HEAD_BYTES);
    if (outcome === MISS) return MISS;
    const flags = headFlags(this.bytes, this.at);
    const length = headLength(this.bytes, this.at);
    if (outcome !== OK || (flags & ~FLAGS_KNOWN) !== 0 || length < HEAD_BYTES || length > RECORD_BYTES_MAX)
      throw this.damaged(segment, offset, commit, 'impossible record head');
    into.commit = commit;
    into.ordinal = ordinal;
    into.carried = carried;
    const done =
      !carried && (flags & FLAG_MANY) === 0
        ? this.#readOnly(segment, offset, length, commit, index, into)
        : this.#readEntry(segment, offset, length, flags, commit, index, carried, into, isReached);
    if (done === OK && into.isLarge) {
      into.largeSegment = segment.number;
      into.largeOffset += offset + length;
    }
    return done;
  }

  /** One of a record of one part whose tables are known. */
  #readShaped(
    segment: Segment,
    offset: number,
    commit: number,
    ordinal: number,
    carried: boolean,
    into: OperationView,
    shape: number,
  ): number {
    const { length, tables, operations, carried: carriedCounts } = this.#shapes;
    into.commit = commit;
    into.ordinal = ordinal;
    into.carried = carried;
    const done = this.#readAt(segment, offset, commit, ordinal, carried, into, tables[shape]!, operations[shape]!, carriedCounts[shape]!);
    if (done === OK && into.isLarge) {
      into.largeSegment = segment.number;
      into.largeOffset += offset + length[shape]!;
    }
    return done;
  }

  /** The only operation of a record. */
  #readOnly(segment: Segment, offset: number, length: number, commit: number, index: number, into: OperationView): number {
    const outcome = length <= this.#room ? OK : this.reach(segment, offset, length);
    if (outcome === MISS) return MISS;
    const { bytes, at } = this;
    if (outcome !== OK) throw this.damaged(segment, offset, commit, 'record is cut');
    if (this.#crc(bytes, at + 4, at + length, recordSeed(segment.seed, offset)) !== headChecksum(bytes, at))
      throw this.damaged(segment, offset, commit, 'record fails its checksum');
    const good =
      index === 0 &&
      parseBody(bytes, at, at + length, this.#body) &&
      decodeOperation(bytes, this.#body.operationsStart, this.#body.operationsEnd, into) === this.#body.operationsEnd;
    if (!good) throw this.damaged(segment, offset, commit, 'record holds no such operation');
    return OK;
  }

  /** One of many, or a carried one: by its table entry. */
  #readEntry(
    segment: Segment,
    offset: number,
    length: number,
    flags: number,
    commit: number,
    index: number,
    carried: boolean,
    into: OperationView,
    isOnlyPart: boolean,
  ): number {
    const counts = ((flags & FLAG_MANY) !== 0 ? 4 : 0) + ((flags & FLAG_CARRIED) !== 0 ? 4 : 0) + ((flags & FLAG_PAYLOAD) !== 0 ? 4 : 0);
    const outcome = this.reach(segment, offset + length - counts, counts);
    if (outcome === MISS) return MISS;
    if (outcome !== OK) throw this.damaged(segment, offset, commit, 'record is cut');
    const operations = (flags & FLAG_MANY) !== 0 ? readU32(this.bytes, this.at) : 0;
    const carriedCount = (flags & FLAG_CARRIED) !== 0 ? readU32(this.bytes, this.at + ((flags & FLAG_MANY) !== 0 ? 4 : 0)) : 0;
    const tables = length - counts - (operations + carriedCount) * ENTRY_BYTES;
    const done = this.#readAt(segment, offset, commit, index, carried, into, tables, operations, carriedCount);
    // A record of one operation has no table of operations, even when it carries versions: it is read otherwise.
    const isLasting = isOnlyPart && (flags & FLAG_MANY) !== 0;
    if (done === OK && isLasting && this.#tail.find(segment.number, offset) === undefined)
      this.#shapes.keep(segment, offset, commit, length, tables, operations, carriedCount);
    return done;
  }

  /** The entry `index` of a record at `offset` whose tables begin `tables` bytes behind that. */
  #readAt(
    segment: Segment,
    offset: number,
    commit: number,
    index: number,
    carried: boolean,
    into: OperationView,
    tables: number,
    operations: number,
    carriedCount: number,
  ): number {
    const count = carried ? carriedCount : operations;
    if (tables < HEAD_BYTES || index < 0 || index >= count) throw this.damaged(segment, offset, commit, 'record holds no such operation');
    // The entry and the one behind it, which says where this one ends; the last ends where the tables begin.
    const slot = carried ? operations + index : index;
    const isLast = slot === operations + carriedCount - 1;
    let outcome = this.reach(segment, offset + tables + slot * ENTRY_BYTES, isLast ? ENTRY_BYTES : 2 * ENTRY_BYTES);
    if (outcome === MISS) return MISS;
    if (outcome !== OK) throw this.damaged(segment, offset, commit, 'record is cut');
    const start = readU32(this.bytes, this.at);
    const checksum = readU32(this.bytes, this.at + 4);
    const end = isLast ? tables : readU32(this.bytes, this.at + ENTRY_BYTES);
    if (start < HEAD_BYTES || start >= end || end > tables) throw this.damaged(segment, offset, commit, 'impossible operation table');
    outcome = this.reach(segment, offset + start, end - start);
    if (outcome === MISS) return MISS;
    const { bytes, at } = this;
    const bytesEnd = at + end - start;
    const seed = entrySeed(entrySeedBase(recordSeed(segment.seed, offset), commit), carried ? CARRIED_INDEX_BASE + index : index);
    if (outcome !== OK || this.#crc(bytes, at, bytesEnd, seed) !== checksum)
      throw this.damaged(segment, offset, commit, 'operation fails its checksum');
    const decoded = carried ? decodeCarried(bytes, at, bytesEnd, commit, into) : decodeOperation(bytes, at, bytesEnd, into);
    if (decoded === OPERATION_BAD || decoded !== bytesEnd) throw this.damaged(segment, offset, commit, 'operation that cannot be decoded');
    return OK;
  }

  #checkLarge(operation: OperationView, offset: number, length: number): Segment {
    const segment = this.#store.get(operation.largeSegment);
    if (segment === undefined)
      throw new SteleError('corrupt', 'SEGMENT_MISSING', `log segment ${operation.largeSegment} is missing`, {
        detail: { segment: operation.largeSegment },
      });
    if (!operation.isLarge || offset < 0 || length < 0 || offset + length > operation.valueBytes)
      throw new SteleError('internal', 'INVARIANT', 'range outside a large value');
    return segment;
  }

  /** Verifies the blocks in `piece` (value bytes from `from` on) and copies what was asked for. */
  #deliver(
    operation: { readonly commit: number; readonly largeOffset: number },
    crcs: Uint8Array,
    crcStart: number,
    segment: Segment,
    piece: Uint8Array,
    from: number,
    bytes: number,
    offset: number,
    end: number,
    target: Uint8Array,
    targetStart: number,
  ): void {
    for (let at = 0; at < bytes && from + at < end; at += LARGE_BLOCK_BYTES) {
      const blockEnd = Math.min(at + LARGE_BLOCK_BYTES, bytes);
      if (this.#native(piece, at, blockEnd, 0) !== readU32(crcs, crcStart + 4 * ((from + at) / LARGE_BLOCK_BYTES))) {
        throw this.damaged(segment, operation.largeOffset + from + at, operation.commit, 'block of a large value fails its checksum');
      }
      const wantStart = Math.max(offset - from, at);
      const wantEnd = Math.min(end - from, blockEnd);
      if (wantEnd > wantStart) copyBytes(piece, wantStart, wantEnd, target, targetStart + from + wantStart - offset);
    }
  }

  #crc(bytes: Uint8Array, start: number, end: number, seed: number): number {
    return end - start < CRC32_NATIVE_BYTES_MIN ? crc32(bytes, start, end, seed) : this.#native(bytes, start, end, seed);
  }
}
