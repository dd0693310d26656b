/**
 * Kept marks: what can be read how far back, told by the log itself.
 *
 * The kept ranges stand in every meta, but a meta is as old as the last flush. Between two flushes rules may change, and
 * then later records hold fewer ways back; and segments may go. Both would make a recovered database claim history it does not
 * have. So the log says it first.
 *
 * Invariants
 * - A mark with new rules stands in front of every record written under them.
 * - A mark stands in front of every record written after a horizon moved: what a sweep took has left no way back to it.
 * - A mark with the kept ranges is on the device before a segment goes because of them.
 * - Replaying marks gives ranges that claim no more than the process did that wrote them; `keptFrom` never falls.
 *
 * Specification: spec/log-format.md, "Kept ranges"; spec/invariants.md rules 5, 13, 14.
 */

import { KIND_KEPT_RANGES } from '../log/record-format.ts';
import type { Core } from './core.ts';
import { decodeKept, encodeKept } from './kept-blob.ts';

/** Buffers a mark with the kept ranges as they are now. @throws {SteleError} `unavailable` DISK_FULL; nothing changed */
export function appendKeptMark(core: Core): void {
  if (core.isMarkedClean) core.takeBackCleanMark();
  const { retention, segmentUse, log } = core;
  const body = encodeKept({
    ranges: retention.ranges,
    sweptTimeMs: core.sweptTimeMs,
    tombstonesFrom: core.tombstonesFrom,
    looseLargeFrom: Number.POSITIVE_INFINITY,
    headersThrough: core.headersThrough,
    isTracking: segmentUse.isTracking,
    segmentUse: segmentUse.rows(),
  });
  log.appendMark(KIND_KEPT_RANGES, core.nowMs(), body);
}

/** Met while replaying. What else the body holds describes a tree that the crash took back. */
export function replayKeptMark(core: Core, kind: number, body: Uint8Array): void {
  if (kind !== KIND_KEPT_RANGES) return;
  const { ranges, isTracking, segmentUse } = decodeKept(body);
  core.retention.adopt(ranges);
  core.segmentUse.adopt(ranges.length, isTracking, segmentUse);
}
