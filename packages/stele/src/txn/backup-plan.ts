/**
 * What a backup will hold, fixed in one turn: a meta, the end of the log that belongs to it, segments, and what is kept.
 *
 * Invariants
 * - Pages and segments of the plan stay as they are until it is released, whatever is written meanwhile.
 * - The plan ends at a commit of which everything is in its files: the meta's, or in a read-only engine the newest one.
 *
 * Specification: spec/file-format.md, "Backup".
 */

import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from '../log/segment-header.ts';
import type { SegmentInfo } from '../log/types.ts';
import { readBlob } from '../pager/blob.ts';
import { BLOB_KEPT_RANGES, type Meta } from '../pager/meta.ts';
import type { Core } from './core.ts';
import { decodeKept, type KeptState } from './kept-blob.ts';

/** See the head of the file. */
export interface BackupPlan {
  readonly meta: Meta;
  /** Newest commit of the copy, and its record's checksum. */
  readonly commit: number;
  readonly checksum: number;
  /** Segments to copy, each up to its `bytes`; the last one is the copy's current one. */
  readonly segments: readonly SegmentInfo[];
  /** Header of a segment made for the copy, which then is its only one. */
  readonly freshHeader: Uint8Array | undefined;
  /** Where the copy's replay begins, and its log ends. */
  readonly logSegment: number;
  readonly logOffset: number;
  readonly endSegment: number;
  readonly endOffset: number;
  readonly headersThrough: number;
  readonly kept: KeptState;
  release(): void;
}

/** Pins everything. `withHistory` false: no payload but what the replay from the meta, or a page, still needs. */
export function planBackup(core: Core, incarnation: Uint8Array, withHistory: boolean): BackupPlan {
  const { meta } = core.pageFile;
  const isReplaying = core.settings.readOnly;
  const commit = isReplaying ? core.applied : meta.commit;
  const checksum = isReplaying ? core.endChecksum : meta.logChecksum;
  const endSegment = isReplaying ? core.endSegment : meta.logSegment;
  const endOffset = isReplaying ? core.endOffset : meta.logOffset;
  const headersThrough = Math.min(core.headersThrough, commit);
  const kept = keptOf(core, meta, commit, headersThrough, withHistory);
  const all = segmentsUpTo(core, endSegment, endOffset, commit);

  let segments = all;
  let freshHeader: Uint8Array | undefined;
  if (!withHistory) {
    const needed = Math.min(kept.looseLargeFrom, headersThrough < commit ? headersThrough + 1 : Number.POSITIVE_INFINITY, meta.commit + 1);
    if (!isReplaying && needed > commit) {
      segments = [];
      freshHeader = makeHeader(core, incarnation, meta);
    } else segments = all.filter((segment) => segment.number >= meta.logSegment || segment.lastCommit >= needed);
  }
  const pin = core.pages.allocator.pin();
  core.segmentPins++;
  return {
    meta,
    commit,
    checksum,
    segments,
    freshHeader,
    logSegment: freshHeader === undefined ? meta.logSegment : meta.logSegment + 1,
    logOffset: freshHeader === undefined ? meta.logOffset : SEGMENT_HEADER_BYTES,
    endSegment: freshHeader === undefined ? endSegment : meta.logSegment + 1,
    endOffset: freshHeader === undefined ? endOffset : SEGMENT_HEADER_BYTES,
    headersThrough,
    kept: { ...kept, segmentUse: kept.segmentUse.filter((row) => segments.some((segment) => segment.number === row.segment)) },
    release: () => {
      pin.release();
      core.segmentPins--;
    },
  };
}

function segmentsUpTo(core: Core, endSegment: number, endOffset: number, commit: number): SegmentInfo[] {
  // Not the map's list: that is as old as its newest segment.
  return core.log
    .segments()
    .filter((segment) => segment.number <= endSegment)
    .map((segment) =>
      segment.number === endSegment
        ? { ...segment, bytes: endOffset, lastCommit: Math.max(commit, segment.firstCommit - 1), sealed: false }
        : segment,
    );
}

/** The claims of now for the tree of the meta: rules may have changed and segments gone since the meta was written. */
function keptOf(core: Core, meta: Meta, commit: number, headersThrough: number, withHistory: boolean): KeptState {
  const blob = meta.blobs[BLOB_KEPT_RANGES]!;
  const stored = blob.pages === 0 ? undefined : decodeKept(readBlob(core.pageFile, blob));
  const { retention, segmentUse } = core;
  return {
    ranges: retention.ranges.map((range) => ({ ...range, keptFrom: withHistory ? Math.min(range.keptFrom, commit) : commit })),
    sweptTimeMs: Math.max(core.sweptTimeMs, stored?.sweptTimeMs ?? 0),
    // Without the log nobody could find them: they go when their keys are written again.
    tombstonesFrom: withHistory
      ? Math.min(core.tombstonesFrom, stored?.tombstonesFrom ?? Number.POSITIVE_INFINITY)
      : Number.POSITIVE_INFINITY,
    looseLargeFrom: stored?.looseLargeFrom ?? Number.POSITIVE_INFINITY,
    headersThrough,
    isTracking: segmentUse.isTracking,
    segmentUse: segmentUse.rows(),
  };
}

/** An empty segment behind the meta's: chained to what the copy leaves out, with a secret of its own. */
function makeHeader(core: Core, incarnation: Uint8Array, meta: Meta): Uint8Array {
  const secret = new Uint8Array(32);
  core.host.random.fill(secret);
  return encodeSegmentHeader({
    readOnlyFeatures: 0,
    number: meta.logSegment + 1,
    generation: 1,
    databaseId: meta.databaseId,
    incarnation,
    epoch: core.epoch,
    firstCommit: meta.commit + 1,
    previousEnd: meta.logOffset,
    previousChecksum: meta.logChecksum,
    createdMs: core.host.clock.nowMs(),
    secret,
    fileBytes: core.settings.segmentBytes,
  });
}
