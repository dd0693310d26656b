/**
 * CommitView: one whole commit, met while the log is read forward.
 *
 * The same object is filled again for each commit, so it is good only until the reader moves on. A commit of several parts
 * is read a second time, part by part, when its operations are asked for: nothing of it is held in memory.
 *
 * Specification: spec/log-format.md, "Commit".
 */

import type { OperationView } from './operation-view.ts';

export interface CommitView {
  readonly commit: number;
  readonly timeMs: number;
  /** 0 = none. */
  readonly assertedTimeMs: number;
  readonly operationCount: number;
  readonly carriedCount: number;
  readonly metaCount: number;
  /** Records (parts) it consists of. */
  readonly partCount: number;
  /** Position of the first part's record: what the commit index keeps. */
  readonly segment: number;
  readonly offset: number;
  /** Checksum of the last part's record. */
  readonly checksum: number;
  /** Position behind the last part, its payload included. */
  readonly endSegment: number;
  readonly endOffset: number;
  /** A copy of meta chunk `index`. */
  meta(index: number): Uint8Array;
  /** Fills `into` with the next operation in key order; false at the end. */
  next(into: OperationView): boolean;
  /** `next` begins again with the first operation. */
  rewind(): void;
}
