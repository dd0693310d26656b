/** Signature only; the implementation follows within the hour. See docs of each member. */
import type { CommitView } from './commit-view.ts';
import type { OperationView } from './operation-view.ts';
import type { BlockFile, LogOptions, RecoverOptions, SegmentInfo, VisitCommit } from './types.ts';

/** readOperation: the view is filled. */
export const OK = 0;
/** readOperation: a block is not resident; `fillMissed()` or `await fillMissedAsync()`, then call again. */
export const MISS = -2;

export declare class Log {
  /** A new log in an empty directory: segment 1 exists, synced. */
  static create(options: LogOptions): Log;
  /**
   * Replays from `options.from` and finds the end. Torn tail: cut, zeroed, synced. Everything left is durable when it returns.
   * @throws {SteleError} `corrupt` LOG_DAMAGED {segment, offset, commits: {first, last}, reason} for a bad record below what is known durable.
   */
  static recover(options: RecoverOptions, visit: VisitCommit): Log;

  /** Where the next record will begin at the earliest; everything buffered lies before. */
  headSegment: number;
  headOffset: number;
  /** Newest whole commit appended. */
  headCommit: number;
  /** Handed to the kernel. */
  writtenSegment: number;
  writtenOffset: number;
  writtenCommit: number;
  /** On the device. */
  durableSegment: number;
  durableOffset: number;
  durableCommit: number;
  /** Position, checksum of the record ended last, and of its first part. */
  lastSegment: number;
  lastOffset: number;
  /** Chain: what a meta stores as log checksum for the position headSegment/headOffset. */
  lastChecksum: number;
  firstPartSegment: number;
  firstPartOffset: number;
  /** A write or sync failed: nothing can be appended any more; reads go on. */
  failed: boolean;
  failure: unknown;
  /** The log found by `recover` ended with a clean close mark. */
  readonly cleanlyClosed: boolean;
  /** Bytes of the record being built, payload included: when a part passes about 1 MiB, end it. */
  readonly recordBytes: number;
  /** Bytes buffered and not written. */
  readonly pendingBytes: number;
  /** Bytes written and not durable. Above half of `tailBytes` the engine should start a sync: beyond `tailBytes` memory copies of unsynced groups are let go. */
  readonly unsyncedBytes: number;

  /**
   * Makes room for one record of at most `bytes` (see sizes.ts for bounds): segment opened, zero-filled, buffer there.
   * @throws {SteleError} `unavailable` DISK_FULL; nothing changed. `unavailable` LOG_FAILED.
   */
  reserve(bytes: number): void;
  /** Begins a whole commit; `commit` is headCommit + 1. `operationCount` is only a hint. */
  beginCommit(commit: number, timeMs: number, operationCount: number): void;
  /** Begins a part of a large commit; all parts carry the same commit and time. Ordinals and carried indexes count on over the parts. reserve() before each. */
  beginPart(commit: number, timeMs: number): void;
  /** Before the first operation; in the first part only. */
  setMeta(assertedTimeMs: number, chunks: readonly Uint8Array[]): void;
  /** Keeps a superseded version in the record being built, before or between operations; its carried index in this commit. `value` must not change before endCommit/endPart. */
  carry(commit: number, isDelete: boolean, expiresAt: number, backCommit: number, backOrdinal: number, backCarried: boolean, table: Uint8Array | undefined, value: Uint8Array, valueStart: number, valueEnd: number): number;
  /** Keys ascending. `expiresAt`, `backCommit` 0 = none. `value` must not change before endCommit/endPart. */
  put(key: Uint8Array, keyBytes: number, value: Uint8Array, valueStart: number, valueEnd: number, expiresAt: number, backCommit: number, backOrdinal: number, backCarried: boolean, table: Uint8Array | undefined): void;
  delete(key: Uint8Array, keyBytes: number, backCommit: number, backOrdinal: number, backCarried: boolean, table: Uint8Array | undefined): void;
  endCommit(): void;
  /** `final` makes the commit exist. */
  endPart(final: boolean): void;
  /** Drops the unfinished record; ended parts of the same commit are abandoned (they stay as bytes and mean nothing). */
  abortCommit(): void;
  /** Buffers a mark: kind CLEAN_CLOSE or KEPT_RANGES. Reserves by itself. */
  appendMark(kind: number, timeMs: number, body: Uint8Array): void;
  /** @throws {SteleError} `unavailable` LOG_WRITE_FAILED; then `failed`. */
  writeGroup(): void;
  /** @throws {SteleError} `unavailable` LOG_SYNC_FAILED; then `failed`. */
  syncNow(): void;
  /** Resolves when all written at the call is durable. Rejects like syncNow. */
  sync(): Promise<void>;

  /** The operation `ordinal` (or carried version) of `commit`, whose first record is at the position. @throws `corrupt` RECORD_DAMAGED, SEGMENT_MISSING. */
  readOperation(segment: number, offset: number, commit: number, ordinal: number, carried: boolean, into: OperationView): number;
  missedFile: BlockFile | undefined;
  missedBlock: number;
  fillMissed(): void;
  fillMissedAsync(): Promise<void>;
  /** Bytes [offset, offset + length) of a large value into `target`. Verifies the touched 16 KiB blocks only. */
  readLarge(operation: OperationView, offset: number, length: number, target: Uint8Array, targetStart: number): void;
  readLargeAsync(operation: OperationView, offset: number, length: number, target: Uint8Array, targetStart: number): Promise<void>;
  /** Whole commits from the record at the position (a commit's first part or any group boundary) to `throughCommit`, over what is written. */
  commits(segment: number, offset: number, commit: number, throughCommit: number): { next(): CommitView | undefined };

  segments(): SegmentInfo[];
  /** The engine guarantees that no meta and no reader needs it. The file becomes the spare or goes. */
  dropSegment(number: number): void;
  /** Works at most about `bytes` of zeros ahead; true = there is more to do. Errors only log (disk full: try later). */
  prepareSpare(bytes: number): boolean;
  encodeSegmentTable(): Uint8Array;
  static decodeSegmentTable(bytes: Uint8Array): SegmentInfo[];
  close(): void;
}
