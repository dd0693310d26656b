/**
 * Room while a log is replayed that dirties more pages than the cache holds.
 *
 * There is no log to write to yet, so this flush is its own small case of flusher.ts: the segments are brought to the device
 * once, whole, and then every commit replayed so far may be named by a meta. A database that is opened read-only cannot do
 * that and asks for a larger cache instead.
 *
 * Specification: spec/log-format.md, "Recovery".
 */

import { SteleError } from '../base/errors.ts';
import { readBlob } from '../pager/blob.ts';
import { BLOB_SEGMENT_TABLE, type Meta } from '../pager/meta.ts';
import type { Core } from './core.ts';
import { encodeKept } from './kept-blob.ts';

const LOG_FILE = /^log-\d{6}\.seg$/;

export class ReplayRoom {
  readonly #core: Core;
  readonly #segmentTable: Uint8Array;
  readonly #fromCommit: number;
  #isSynced = false;
  flushes = 0;

  constructor(core: Core, meta: Meta) {
    const blob = meta.blobs[BLOB_SEGMENT_TABLE]!;
    this.#core = core;
    this.#segmentTable = blob.pages === 0 ? new Uint8Array(0) : readBlob(core.pageFile, blob);
    this.#fromCommit = meta.commit;
  }

  /** Before one effect is replayed. */
  forOne(): void {
    const { pages, tree, settings } = this.#core;
    const frames = tree.framesPerWrite();
    if (pages.reserve(frames)) return;
    if (settings.readOnly) {
      throw new SteleError(
        'unavailable',
        'CACHE_FULL',
        `replaying the log needs more than the ${settings.cacheMemory} bytes of cacheMemory; open for writing once, or give more`,
        { detail: { cacheMemory: settings.cacheMemory } },
      );
    }
    this.#flush();
    pages.reserve(frames);
  }

  #flush(): void {
    const core = this.#core;
    const { pages, tree, index, retention, segmentUse } = core;
    if (!this.#isSynced) this.#syncSegments();
    pages.reserveDisk(0);
    const job = pages.beginFlush({
      rootLpn: tree.rootLpn,
      height: tree.height,
      liveCount: tree.liveCount,
      leafCount: tree.leafCount,
      commit: core.applied,
      timeMs: core.timeMs,
      assertedTimeMs: index.assertedMax,
      logSegment: core.endSegment,
      logOffset: core.endOffset,
      logChecksum: core.endChecksum,
    });
    try {
      while (!job.step(4096));
      index.write(core.applied);
      index.syncNow();
      job.finishNow({
        durableSegment: core.endSegment,
        durableOffset: core.endOffset,
        epoch: core.epoch,
        segmentTable: this.#segmentTable,
        keptRanges: encodeKept({
          ranges: retention.ranges,
          sweptTimeMs: core.sweptTimeMs,
          tombstonesFrom: core.tombstonesFrom,
          looseLargeFrom: this.#fromCommit + 1,
          headersThrough: core.headersThrough,
          isTracking: segmentUse.isTracking,
          segmentUse: segmentUse.rows(),
        }),
      });
    } catch (error) {
      job.abort();
      throw error;
    }
    core.flushedCommit = core.applied;
    this.flushes++;
  }

  /** What a killed process had only written is brought to the device, all of it. */
  #syncSegments(): void {
    const { storage } = this.#core.host;
    for (const name of storage.list()) {
      if (!LOG_FILE.test(name)) continue;
      const file = storage.open(name);
      try {
        file.markUnsynced(0, file.size());
        file.sync();
      } finally {
        file.close();
      }
    }
    this.#isSynced = true;
  }
}
