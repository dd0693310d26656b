/**
 * Log: the one append-only log of a database. Everything else is read from it.
 *
 * Appending is synchronous and in memory: `reserve`, `beginCommit`, `put`…, `endCommit`, any number of times; `writeGroup`
 * hands all of it to the kernel in one write, with a group record in front; `sync` brings it to the device. Three
 * positions move accordingly: head ≥ written ≥ durable.
 *
 * Invariants
 * - Space is taken in `reserve`, before anything is encoded: an append that began cannot run out of space.
 * - A record, its payload included, lies in one segment and in one stretch of memory; a group in one segment.
 * - After a failed write or sync (`failed`) nothing is appended or synced any more. What was buffered stays readable.
 * - The durable position moves only when a sync that began after the write has succeeded, and never after a failure.
 * - Abandoned parts (abortCommit after endPart) stay in the log; the next commit takes their number.
 *
 * Specification: spec/log-format.md.
 */

import { writeU32 } from '../base/bytes.ts';
import { makeCrc32 } from '../base/crc32.ts';
import { invariant, SteleError } from '../base/errors.ts';
import { writeAll } from '../host/files.ts';
import { CommitReader } from './commit-reader.ts';
import type { CommitView } from './commit-view.ts';
import { encodeGroup, GROUP_BYTES } from './group-format.ts';
import { encodeMark, MARK_BYTES_MAX } from './mark-format.ts';
import type { OperationView } from './operation-view.ts';
import { LogReader } from './reader.ts';
import { align8, HEAD_BYTES, KIND_COMMIT, KIND_FINAL_PART, KIND_GROUP, KIND_PART, recordSeed } from './record-format.ts';
import { RecordWriter } from './record-writer.ts';
import { recoverLog } from './recovery.ts';
import { isAfter, SCAN_BYTES, Scanner } from './scanner.ts';
import type { Segment } from './segment.ts';
import { SEGMENT_HEADER_BYTES } from './segment-header.ts';
import { SegmentStore } from './segment-store.ts';
import { decodeSegmentTable, encodeSegmentTable } from './segment-table.ts';
import { CHUNK_BYTES, Tail, type TailChunk } from './tail.ts';
import type { BlockFile, LogOptions, RecoverOptions, SegmentInfo, VisitCommit } from './types.ts';

export { MISS, OK } from './outcome.ts';

const TAIL_BYTES_DEFAULT = 16 * 1024 * 1024;
/** Padding and group record in front of a record. */
const GROUP_ROOM = 7 + GROUP_BYTES;

/** One group being collected: what one write will hand over. Used again when it is written, so that a put allocates nothing. */
interface Piece {
  chunk: TailChunk;
  segment: Segment;
  /** Indexes into the chunk: end of what was there before (padding follows), group record, end of the records. */
  padAt: number;
  groupAt: number;
  end: number;
  commit: number;
  timeMs: number;
  chain: number;
}

interface Start {
  readonly store: SegmentStore;
  readonly offset: number;
  readonly commit: number;
  readonly checksum: number;
  readonly cleanlyClosed: boolean;
  readonly readOnly: boolean;
}

export class Log {
  /** End of the buffered records; the next record begins here or a little behind. Newest whole commit in front of it. */
  headSegment: number;
  headOffset: number;
  headCommit: number;
  /** The same of what was handed to the kernel. */
  writtenSegment: number;
  writtenOffset: number;
  writtenCommit: number;
  /** The same of what is on the device. */
  durableSegment: number;
  durableOffset: number;
  durableCommit: number;
  /** Place of the record ended last. */
  lastSegment = 0;
  lastOffset = 0;
  /** Its checksum, the chain at the head: what a meta stores together with headSegment, headOffset. */
  lastChecksum = 0;
  /** Place of the first part of the commit begun last: what the commit index stores. */
  firstPartSegment = 0;
  firstPartOffset = 0;
  /** A write or sync failed, see `failure`. */
  failed = false;
  failure: unknown;
  /** The log ended with a clean close mark when it was recovered. */
  readonly cleanlyClosed: boolean;

  readonly #options: LogOptions;
  readonly #native;
  readonly #store: SegmentStore;
  readonly #tail: Tail;
  readonly #writer: RecordWriter;
  readonly #reader: LogReader;
  readonly #readOnly: boolean;
  #segment: Segment;
  #pieces: Piece[] = [];
  readonly #sparePieces: Piece[] = [];
  readonly #group = { chain: 0, commit: 0, timeMs: 0, durableSegment: 0, durableOffset: 0, groupBytes: 0 };
  #piece: Piece | undefined;
  #building = false;
  /** Ordinals and carried versions in ended parts of the unfinished commit; −1: there is none. */
  #partOperations = -1;
  #partCarried = 0;
  #partCommit = 0;
  #partTimeMs = 0;
  #recordAt = 0;
  /** End of the reserved room, index into the current chunk. */
  #limit = 0;
  #dirty: Segment[] = [];
  #unsyncedBytes = 0;
  #closed = false;

  private constructor(options: LogOptions, start: Start) {
    this.#options = options;
    this.#store = start.store;
    this.#segment = start.store.current;
    this.#readOnly = start.readOnly;
    this.cleanlyClosed = start.cleanlyClosed;
    this.#native = makeCrc32(options.hashing.crc32);
    this.#tail = new Tail(options.tailBytes ?? TAIL_BYTES_DEFAULT);
    this.#writer = new RecordWriter(this.#native);
    this.#reader = new LogReader(start.store, this.#tail, options.blocks, this.#native);
    this.headSegment = this.writtenSegment = this.durableSegment = this.#segment.number;
    this.headOffset = this.writtenOffset = this.durableOffset = start.offset;
    this.headCommit = this.writtenCommit = this.durableCommit = start.commit;
    this.lastChecksum = start.checksum;
  }

  /** A new log in a directory without one: segment 1 exists and is on the device. @throws `unavailable` DISK_FULL, IO_ERROR. */
  static create(options: LogOptions): Log {
    const store = new SegmentStore(options);
    store.open({ number: 1, firstCommit: 1, previousEnd: 0, previousChecksum: 0, bytes: 0 });
    return new Log(options, { store, offset: SEGMENT_HEADER_BYTES, commit: 0, checksum: 0, cleanlyClosed: false, readOnly: false });
  }

  /**
   * Replays the log from `options.from`, giving each whole commit to `visit`, and opens it at its end. A torn tail is cut, zeroed
   * and synced; when this returns all that was visited is durable (unless `readOnly`).
   *
   * @throws {SteleError} `corrupt` LOG_DAMAGED {segment, offset, commits: {first, last}, reason}: a record is missing or wrong that was
   * once durable. Nothing was changed; what `visit` got until then is good.
   */
  static recover(options: RecoverOptions, visit: VisitCommit): Log {
    const recovered = recoverLog(options, makeCrc32(options.hashing.crc32), visit);
    return new Log(options, { ...recovered, readOnly: options.readOnly === true });
  }

  /** Bytes of the record being built, payload included. When a part passes about 1 MiB, end it. */
  get recordBytes(): number {
    return this.#building ? this.#writer.recordBytes : 0;
  }

  /** Bytes buffered and not handed to the kernel. */
  get pendingBytes(): number {
    let bytes = 0;
    for (const piece of this.#pieces) bytes += piece.end - piece.padAt;
    return bytes;
  }

  /**
   * Bytes handed to the kernel and not durable. Memory copies are kept of at most `tailBytes`: start a sync when half of that is reached,
   * else a sync that fails later can lose what only the memory copy still held.
   */
  get unsyncedBytes(): number {
    return this.#unsyncedBytes;
  }

  // Appending

  /**
   * Makes room for one record of at most `bytes` (bounds: sizes.ts). Then appending it and writing it cannot run out of space.
   *
   * @throws {SteleError} `unavailable` DISK_FULL or IO_ERROR: nothing changed. `unavailable` LOG_FAILED.
   */
  reserve(bytes: number): void {
    this.#mayAppend();
    invariant(!this.#building, 'reserve comes before begin');
    const need = GROUP_ROOM + bytes;
    let segment = this.#segment;
    if (this.headOffset + need > segment.prepared) {
      if (this.headOffset + need <= segment.header.fileBytes) this.#store.prepare(segment, this.headOffset + need);
      else segment = this.#openSegment(need);
    }
    let chunk = this.#tail.current;
    if (chunk === undefined || chunk.segment !== segment.number || chunk.used + need > chunk.bytes.length) {
      // Records must lie whole in a chunk, so the group goes on in a new one, with a group record of its own.
      this.#piece = undefined;
      chunk = this.#tail.begin(segment.number, this.headOffset, Math.max(CHUNK_BYTES, need));
    }
    this.#limit = chunk.used + need;
  }

  /** Begins a whole commit. `commit` is headCommit + 1, `timeMs` not less than the time before; `operationCount` is a hint. */
  beginCommit(commit: number, timeMs: number, _operationCount: number): void {
    invariant(commit === this.headCommit + 1, 'commits are dense');
    this.#partOperations = -1;
    this.#begin(KIND_COMMIT, commit, timeMs, 0, 0);
    this.firstPartSegment = this.lastSegment;
    this.firstPartOffset = this.lastOffset;
  }

  /**
   * Begins a part of a large commit; all parts have the same commit and time. `reserve` before each; `writeGroup` may be called between them.
   * Ordinals and carried indexes count on over the parts; keys ascend over them.
   */
  beginPart(commit: number, timeMs: number): void {
    invariant(commit === this.headCommit + 1, 'commits are dense');
    const isFirst = this.#partOperations < 0;
    invariant(isFirst || (commit === this.#partCommit && timeMs === this.#partTimeMs), 'parts share commit and time');
    this.#begin(KIND_PART, commit, timeMs, isFirst ? 0 : this.#partOperations, isFirst ? 0 : this.#partCarried);
    if (!isFirst) return;
    this.#partOperations = 0;
    this.#partCarried = 0;
    this.#partCommit = commit;
    this.#partTimeMs = timeMs;
    this.firstPartSegment = this.lastSegment;
    this.firstPartOffset = this.lastOffset;
  }

  /** Opaque chunks and asserted time (0 = none); before the first operation, in the first part only. */
  setMeta(assertedTimeMs: number, chunks: readonly Uint8Array[]): void {
    if (assertedTimeMs === 0 && chunks.length === 0) return;
    this.#writer.setMeta(assertedTimeMs, chunks);
  }

  /**
   * Keeps a superseded version in this record; returns its carried index (address: this commit, index, carried). May stand between
   * operations. `value` must not change before the record is ended when it is longer than 16 KiB.
   */
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
    return this.#writer.carry(commit, isDelete, expiresAt, backCommit, backOrdinal, backCarried, table, value, valueStart, valueEnd);
  }

  /**
   * Appends a put. Keys ascend within a commit. `expiresAt` and `backCommit` 0 = none. A value longer than 16 KiB must not change before
   * the record is ended.
   */
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
    this.#writer.put(key, keyBytes, value, valueStart, valueEnd, expiresAt, backCommit, backOrdinal, backCarried, table);
  }

  /** Appends a delete. */
  delete(
    key: Uint8Array,
    keyBytes: number,
    backCommit: number,
    backOrdinal: number,
    backCarried: boolean,
    table: Uint8Array | undefined,
  ): void {
    this.#writer.delete(key, keyBytes, backCommit, backOrdinal, backCarried, table);
  }

  /** Ends a whole commit: lastSegment, lastOffset, lastChecksum, headCommit tell about it. */
  endCommit(): void {
    this.#end(KIND_COMMIT);
    this.headCommit++;
  }

  /** Ends a part. With `final` the commit exists. */
  endPart(final: boolean): void {
    const { operationCount, carriedCount } = this.#writer;
    invariant(final || operationCount + carriedCount > 0, 'a part is not empty');
    this.#end(final ? KIND_FINAL_PART : KIND_PART);
    this.#partOperations += operationCount;
    this.#partCarried += carriedCount;
    if (!final) return;
    this.#partOperations = -1;
    this.headCommit++;
  }

  /** Drops the record being built, if any, and abandons ended parts of its commit. Idempotent. */
  abortCommit(): void {
    this.#partOperations = -1;
    if (!this.#building) return;
    this.#building = false;
    const piece = this.#piece!;
    if (piece.end > piece.groupAt + GROUP_BYTES) return;
    this.#pieces.pop();
    this.#piece = undefined;
  }

  /** Buffers a mark (KIND_CLEAN_CLOSE, KIND_KEPT_RANGES) with an opaque body of at most 8 MiB. @throws as reserve. */
  appendMark(kind: number, timeMs: number, body: Uint8Array): void {
    invariant(body.length <= MARK_BYTES_MAX && this.#partOperations < 0, 'a mark stands between commits');
    this.reserve(HEAD_BYTES + body.length);
    this.#openPiece(this.headCommit, timeMs);
    const piece = this.#piece!;
    const offset = piece.chunk.base + piece.end;
    this.lastChecksum = encodeMark(
      piece.chunk.bytes,
      piece.end,
      this.lastChecksum,
      kind,
      this.headCommit,
      timeMs,
      body,
      recordSeed(piece.segment.seed, offset),
      this.#native,
    );
    this.#advance(piece, piece.end + HEAD_BYTES + body.length);
  }

  /**
   * Hands everything buffered to the kernel. Nothing buffered: nothing happens.
   *
   * @throws {SteleError} `unavailable` LOG_WRITE_FAILED; then `failed`, and nothing says how much of it will be found after a crash.
   */
  writeGroup(): void {
    this.#mayAppend();
    invariant(!this.#building, 'a record is unfinished');
    for (let at = 0; at < this.#pieces.length; at++) this.#writePiece(this.#pieces[at]!);
    while (this.#pieces.length > 0) this.#sparePieces.push(this.#pieces.pop()!);
    this.#piece = undefined;
    this.writtenSegment = this.headSegment;
    this.writtenOffset = this.headOffset;
    this.writtenCommit = this.headCommit;
  }

  /** Everything written is on the device when this returns. @throws {SteleError} `unavailable` LOG_SYNC_FAILED; then `failed`. */
  syncNow(): void {
    this.#mayAppend();
    const target = this.#syncTarget();
    try {
      for (const { segment } of target.segments) segment.file().sync();
    } catch (cause) {
      throw this.#fail('LOG_SYNC_FAILED', 'sync of the log failed', cause);
    }
    this.#synced(target);
  }

  /** Resolves when all that was written at the call is on the device. Several may be in flight. Rejects like `syncNow`. */
  async sync(): Promise<void> {
    this.#mayAppend();
    const target = this.#syncTarget();
    try {
      await Promise.all(target.segments.map(({ segment }) => segment.file().syncAsync()));
    } catch (cause) {
      throw this.#fail('LOG_SYNC_FAILED', 'sync of the log failed', cause);
    }
    // Another sync failed meanwhile: the kernel may have forgotten which bytes it lost, so this success proves nothing.
    if (this.failed) throw this.#refusal();
    this.#synced(target);
  }

  // Reading

  /**
   * The operation (or carried version) with that address; `segment`, `offset` as the commit index tells them. OK: `into` is filled, good until the
   * next call of this log (or the next eviction of frames). MISS: a block is not resident.
   *
   * @throws {SteleError} `corrupt` RECORD_DAMAGED {segment, offset, commit, reason}, SEGMENT_MISSING.
   */
  readOperation(segment: number, offset: number, commit: number, ordinal: number, carried: boolean, into: OperationView): number {
    return this.#reader.readOperation(segment, offset, commit, ordinal, carried, into);
  }

  get missedFile(): BlockFile | undefined {
    return this.#reader.missedFile;
  }

  get missedBlock(): number {
    return this.#reader.missedBlock;
  }

  /** Brings the block of the last MISS in, blocking. */
  fillMissed(): void {
    if (this.#reader.missedFile !== undefined) this.#options.blocks?.fill(this.#reader.missedFile, this.#reader.missedBlock);
  }

  /** The same off the thread. */
  async fillMissedAsync(): Promise<void> {
    if (this.#reader.missedFile !== undefined) await this.#options.blocks?.fillAsync(this.#reader.missedFile, this.#reader.missedBlock);
  }

  /** Copies bytes [offset, offset + length) of a large value; verifies the touched 16 KiB blocks only. `operation` must be as `readOperation` or a view filled it. */
  readLarge(operation: OperationView, offset: number, length: number, target: Uint8Array, targetStart: number): void {
    this.#reader.readLarge(operation, offset, length, target, targetStart);
  }

  /** The same off the thread; `operation` may be filled anew while it runs. */
  readLargeAsync(operation: OperationView, offset: number, length: number, target: Uint8Array, targetStart: number): Promise<void> {
    return this.#reader.readLargeAsync(operation, offset, length, target, targetStart);
  }

  /**
   * Whole commits `commit`, `commit + 1`, … `throughCommit` as far as they are written, from the place of `commit`'s first record.
   * `next` gives the same view again and again, undefined at the end (call again later: it goes on). Reads `pieceBytes` at once.
   */
  commits(
    segment: number,
    offset: number,
    commit: number,
    throughCommit: number,
    pieceBytes = SCAN_BYTES,
  ): { next(): CommitView | undefined } {
    const source = (number: number): Segment | undefined => this.#store.get(number);
    const scanner = new Scanner(source, this.#native, { segment, offset, chain: undefined }, pieceBytes);
    const reader = new CommitReader(scanner, source, this.#native, commit - 1);
    return {
      next: () => {
        if (reader.commit >= throughCommit || reader.commit >= this.writtenCommit) return undefined;
        if (reader.nextCommit()) return reader;
        throw new SteleError(
          'corrupt',
          'LOG_DAMAGED',
          `log segment ${scanner.nextSegment}, byte ${scanner.nextOffset}: ${scanner.reason}`,
          {
            detail: {
              segment: scanner.nextSegment,
              offset: scanner.nextOffset,
              commits: { first: reader.commit + 1, last: reader.commit + 1 },
              reason: scanner.reason,
            },
          },
        );
      },
    };
  }

  // Segments

  /** All segments, oldest first; the last is being filled. */
  segments(): SegmentInfo[] {
    return this.#store.all().map((segment) => segment.info());
  }

  /** Ends a sealed segment's life. The caller guarantees that no meta that could be opened and no reader needs it. */
  dropSegment(number: number): void {
    const segment = this.#store.get(number);
    if (segment === undefined) return;
    invariant(
      segment !== this.#segment && segment.sealed && !this.#dirty.includes(segment),
      'only a sealed and durable segment can be dropped',
    );
    this.#reader.forgetParts();
    this.#store.drop(segment);
  }

  /** Prepares about `bytes` of zeros for what comes; true = there is more to do. Never throws for a full disk. */
  prepareSpare(bytes: number): boolean {
    return !this.failed && !this.#closed && !this.#readOnly && this.#store.prepareAhead(bytes);
  }

  /** Blob for a meta page; `recover` wants it back, decoded. */
  encodeSegmentTable(): Uint8Array {
    return encodeSegmentTable([...this.segments(), ...this.#store.damaged].sort((a, b) => a.number - b.number));
  }

  /** Segments of the last meta whose header is damaged or whose file is lost, found when the log was recovered. */
  get damagedSegments(): readonly SegmentInfo[] {
    return this.#store.damaged;
  }

  /** Of the segments that were in the last meta and are in no file, those that cannot have been dropped since are damage. */
  judgeMissing(mayHaveGone: (segment: SegmentInfo) => boolean): void {
    for (const info of this.#store.missing.splice(0)) if (!mayHaveGone(info)) this.#store.damaged.push(info);
  }

  /** @throws {SteleError} `corrupt` SEGMENT_TABLE_DAMAGED. */
  static decodeSegmentTable(bytes: Uint8Array): SegmentInfo[] {
    return decodeSegmentTable(bytes);
  }

  /** Closes the files. Writes nothing: the clean close mark is the caller's affair. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#store.close();
    this.#tail.clear();
  }

  #begin(kind: number, commit: number, timeMs: number, firstOrdinal: number, firstCarried: number): void {
    this.#mayAppend();
    invariant(!this.#building, 'a record is unfinished');
    this.#openPiece(commit, timeMs);
    const piece = this.#piece!;
    this.#recordAt = piece.end;
    this.#building = true;
    this.lastSegment = piece.segment.number;
    this.lastOffset = piece.chunk.base + piece.end;
    this.#writer.open(piece.chunk.bytes, piece.end, this.#limit, kind, commit, timeMs, firstOrdinal, firstCarried);
  }

  #end(kind: number): void {
    invariant(this.#building, 'no record was begun');
    const piece = this.#piece!;
    const writer = this.#writer;
    writer.finish(kind, this.lastChecksum | 0, recordSeed(piece.segment.seed, piece.chunk.base + this.#recordAt));
    this.#building = false;
    this.lastChecksum = writer.checksum;
    piece.segment.lastCommit = this.headCommit + 1;
    this.#advance(piece, writer.end);
  }

  #advance(piece: Piece, end: number): void {
    piece.end = end;
    piece.chunk.used = end;
    this.headSegment = piece.segment.number;
    this.headOffset = piece.chunk.base + end;
    this.#limit = 0;
  }

  /** A group to put the next record into. */
  #openPiece(commit: number, timeMs: number): void {
    if (this.#piece !== undefined) return;
    invariant(this.#limit > 0, 'reserve comes before begin');
    const chunk = this.#tail.current!;
    const groupAt = align8(chunk.base + chunk.used) - chunk.base;
    for (let at = chunk.used; at < groupAt; at++) chunk.bytes[at] = 0;
    // What a reader of the unwritten tail needs to step over the group record; the rest of it is encoded when it is written.
    writeU32(chunk.bytes, groupAt + 8, GROUP_BYTES);
    chunk.bytes[groupAt + 12] = KIND_GROUP;
    const end = groupAt + GROUP_BYTES;
    let piece = this.#sparePieces.pop();
    if (piece === undefined) {
      piece = { chunk, segment: this.#segment, padAt: chunk.used, groupAt, end, commit, timeMs, chain: this.lastChecksum };
    } else {
      piece.chunk = chunk;
      piece.segment = this.#segment;
      piece.padAt = chunk.used;
      piece.groupAt = groupAt;
      piece.end = end;
      piece.commit = commit;
      piece.timeMs = timeMs;
      piece.chain = this.lastChecksum;
    }
    this.#piece = piece;
    this.#pieces.push(piece);
  }

  #writePiece(piece: Piece): void {
    const { chunk, segment, padAt, groupAt, end } = piece;
    const group = this.#group;
    group.chain = piece.chain;
    group.commit = piece.commit;
    group.timeMs = piece.timeMs;
    group.durableSegment = this.durableSegment;
    group.durableOffset = this.durableOffset;
    group.groupBytes = end - groupAt;
    encodeGroup(chunk.bytes, groupAt, segment.seed, chunk.base + groupAt, this.#options.epoch, group);
    try {
      writeAll(segment.file(), chunk.bytes, padAt, end - padAt, chunk.base + padAt);
    } catch (cause) {
      throw this.#fail('LOG_WRITE_FAILED', 'writing to the log failed', cause);
    }
    chunk.written = end;
    segment.end = chunk.base + end;
    if (segment !== this.#segment && this.#pieces[this.#pieces.length - 1]!.segment !== segment) segment.sealed = true;
    if (!this.#dirty.includes(segment)) this.#dirty.push(segment);
    this.#unsyncedBytes += end - padAt;
  }

  /** Seals the current segment and opens the next one. */
  #openSegment(need: number): Segment {
    const next = {
      number: this.#segment.number + 1,
      firstCommit: this.headCommit + 1,
      previousEnd: this.headOffset,
      previousChecksum: this.lastChecksum,
      bytes: need,
    };
    const segment = this.#store.open(next);
    this.#segment.sealed = this.#segment.end === this.headOffset;
    this.#segment = segment;
    this.#piece = undefined;
    this.headSegment = segment.number;
    this.headOffset = SEGMENT_HEADER_BYTES;
    if (this.#pieces.length === 0) {
      this.writtenSegment = segment.number;
      this.writtenOffset = SEGMENT_HEADER_BYTES;
    }
    return segment;
  }

  #syncTarget(): SyncTarget {
    const segments = this.#dirty.map((segment) => ({ segment, end: segment.end }));
    return {
      segments,
      position: { segment: this.writtenSegment, offset: this.writtenOffset },
      commit: this.writtenCommit,
      bytes: this.#unsyncedBytes,
    };
  }

  #synced(target: SyncTarget): void {
    for (const { segment, end } of target.segments) segment.syncedEnd = Math.max(segment.syncedEnd, end);
    this.#dirty = this.#dirty.filter((segment) => segment.syncedEnd < segment.end);
    if (!isAfter(target.position.segment, target.position.offset, this.durableSegment, this.durableOffset)) return;
    this.durableSegment = target.position.segment;
    this.durableOffset = target.position.offset;
    this.durableCommit = target.commit;
    this.#unsyncedBytes = this.#dirty.reduce((sum, segment) => sum + segment.end - segment.syncedEnd, 0);
    this.#tail.release(target.position.segment, target.position.offset);
  }

  #fail(code: string, message: string, cause: unknown): SteleError {
    this.failed = true;
    this.failure ??= cause;
    // What is no failure of a disk (the end of a simulated machine) is not ours to explain.
    if (!(cause instanceof SteleError)) throw cause;
    this.#options.logger?.({ level: 'error', message, detail: { code, cause: String(cause) } });
    return new SteleError('unavailable', code, message, {
      cause,
      detail: { segment: this.writtenSegment, offset: this.writtenOffset, durableCommit: this.durableCommit },
    });
  }

  #refusal(): SteleError {
    return new SteleError('unavailable', 'LOG_FAILED', 'the log refuses to go on after a failed write or sync; reopen the database', {
      cause: this.failure,
      detail: { durableCommit: this.durableCommit },
    });
  }

  #mayAppend(): void {
    if (this.failed) throw this.#refusal();
    if (this.#closed) throw new SteleError('closed', 'CLOSED', 'the log is closed');
    if (this.#readOnly) throw new SteleError('denied', 'READ_ONLY', 'the log was opened for reading only');
  }
}

interface SyncTarget {
  readonly segments: readonly { readonly segment: Segment; readonly end: number }[];
  readonly position: { readonly segment: number; readonly offset: number };
  readonly commit: number;
  readonly bytes: number;
}
