/** Signature only; the implementation follows within the hour. */
import type { Hashing } from '../host/host.ts';
import type { Storage } from '../host/storage.ts';
import type { BlockFile, LogBlocks } from './types.ts';

export interface CommitIndexOptions {
  readonly storage: Storage;
  readonly hashing: Hashing;
  readonly databaseId: Uint8Array;
  readonly blocks?: LogBlocks | undefined;
  readonly readOnly?: boolean | undefined;
}

/** Methods that read give MISS (−2) when `blocks` does not hold what they need: fillMissed, call again. */
export declare class CommitIndex {
  static create(options: CommitIndexOptions): CommitIndex;
  /** With the entries 1..commits of a meta; what lies behind in the file is ignored and will be overwritten by the replay. */
  static open(options: CommitIndexOptions, commits: number): CommitIndex;
  /** Newest commit known. */
  readonly commits: number;
  /** Running maximum of asserted time at the newest commit, 0 = none. */
  readonly assertedMax: number;
  append(commit: number, timeMs: number, assertedTimeMs: number, segment: number, offset: number): void;
  /** Recorded time of `commit`, or MISS. @throws `corrupt` INDEX_DAMAGED */
  timeOf(commit: number): number;
  /** Sets segment, offset; OK or MISS. */
  positionOf(commit: number): number;
  segment: number;
  offset: number;
  /** Newest commit with recorded time ≤ ms; 0 = none; MISS. */
  atTime(ms: number): number;
  /** Newest commit with running maximum of asserted time ≤ ms; 0 = none; MISS. */
  atAsserted(ms: number): number;
  /** Writes entries through `commit` to the file (kernel level). @throws IO_ERROR, DISK_FULL */
  write(commit: number): void;
  /** What was written reaches the device. */
  sync(): Promise<void>;
  syncNow(): void;
  missedFile: BlockFile | undefined;
  missedBlock: number;
  fillMissed(): void;
  fillMissedAsync(): Promise<void>;
  close(): void;
}
