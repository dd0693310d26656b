/**
 * Figures of an open engine. Field by field: docs/stats.md.
 */

import type { Core } from './core.ts';
import type { Flusher } from './flusher.ts';
import type { HeaderWriter } from './header-writer.ts';
import type { Housekeeper } from './housekeeper.ts';
import type { EngineStats } from './types.ts';

export interface StatsParts {
  readonly flusher: Flusher;
  readonly keeper: Housekeeper;
  readonly headers: HeaderWriter;
  readonly replayed: number;
}

/** Cost: O(open views + segments). */
export function engineStats(core: Core, parts: StatsParts): EngineStats {
  const { log, pages, tree, group, pins, retention, accelerator, counters } = core;
  const oldest = pins.oldestCommit;
  const segments = log.segments();
  return {
    commits: { applied: core.applied, visible: core.visible, durable: core.durable, flushed: core.flushedCommit, ...counters },
    log: {
      segments: segments.length,
      bytes: segments.reduce((sum, segment) => sum + segment.bytes, 0),
      pendingBytes: log.pendingBytes,
      unsyncedBytes: log.unsyncedBytes,
      groups: group.groups,
      syncs: group.syncs,
      syncMsLast: group.syncMsLast,
      syncMsMax: group.syncMsMax,
      syncMsMean: group.syncs === 0 ? 0 : group.syncMsTotal / group.syncs,
      waiting: group.waiting,
      syncStyle: core.host.storage.syncStyle,
      headersThrough: core.headersThrough,
      headerRuns: parts.headers.runs,
    },
    pages: pages.stats(),
    tree: {
      height: tree.height,
      entries: tree.liveCount,
      leaves: tree.leafCount,
      ...tree.counters,
      acceleratorEntries: accelerator?.count ?? 0,
      acceleratorBytes: accelerator?.bytes() ?? 0,
      acceleratorLeaves: accelerator?.indexedLeaves ?? 0,
    },
    views: {
      open: pins.count,
      oldestVersion: Number.isFinite(oldest) ? oldest : core.applied,
      ranges: retention.ranges.length,
      keptFrom: retention.ranges[0]!.keptFrom,
    },
    work: {
      replayed: parts.replayed,
      flushMsLast: parts.flusher.lastMs,
      flushSliceMsMax: parts.flusher.sliceMsMax,
      housekeepingSliceMsMax: parts.keeper.sliceMsMax,
      leavesIndexed: parts.keeper.leavesIndexed,
    },
    state: { status: core.status, threads: core.host.threads.kind, storage: core.host.storage.kind },
  };
}
