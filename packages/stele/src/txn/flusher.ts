/**
 * Flusher: moves the tree's dirty pages to disk, in the background or at once.
 *
 * Invariants
 * - Flush rule 1: the meta names commit n only after the log, and the commit index, are on the device through n.
 * - One flush at a time. The background one works in slices of at most 1 ms and rests between them unless dirty pages press.
 *   A blocking caller takes over a flush that is under way and finishes it.
 * - Large values leave the log for overflow pages when the leaf that names them is written.
 * - A full disk leaves everything as it was and is tried again later; a failed sync ends all writing (spec/invariants.md rule 19).
 *
 * Specification: spec/file-format.md, "Flush"; spec/invariants.md rule 20.
 */

import { SteleError } from '../base/errors.ts';
import type { FlushedTree, FlushJob } from '../pager/flush-job.ts';
import {
  commitAt,
  ENTRY_LARGE,
  flagsAt,
  LARGE_IN_LOG,
  largeBytesAt,
  largeKindAt,
  ordinalAt,
  type PageViews,
  setLargePages,
} from '../tree/entry.ts';
import { recordAt, slotCount } from '../tree/page.ts';
import type { Core } from './core.ts';
import { MISS } from './core.ts';
import { encodeKept } from './kept-blob.ts';
import { readVersion } from './lookup.ts';

export interface FlushLimits {
  /** Start a flush when this share of the pages that may be dirty is. */
  readonly dirtyShare: number;
  /** … or when so much log would have to be replayed. */
  readonly logBytes: number;
  readonly commits: number;
}

export const FLUSH_LIMITS: FlushLimits = { dirtyShare: 0.4, logBytes: 64 * 1024 * 1024, commits: 400_000 };
const SLICE_MS = 1;
const REST_MS = 3;
const STEP_PAGES = 32;
/** Pages between two syncs of the page file, so that the last one is short. */
const SYNC_PAGES = 2048;

export class Flusher {
  readonly #core: Core;
  readonly #limits: FlushLimits;
  #job: FlushJob | undefined;
  #commit = 0;
  #running: Promise<void> | undefined;
  /** Oldest commit whose large value pages of the last two metas refer to in the log. */
  #looseNow = Number.POSITIVE_INFINITY;
  #looseBefore: number;
  #logAtFlush = 0;
  #isCleanClose = false;
  sliceMsMax = 0;
  lastMs = 0;
  onFlushed: () => void = () => {};

  constructor(core: Core, limits: FlushLimits, looseLargeFrom: number) {
    this.#core = core;
    this.#limits = limits;
    this.#looseBefore = looseLargeFrom;
    this.#logAtFlush = core.endSegment * core.settings.segmentBytes + core.endOffset;
  }

  get isRunning(): boolean {
    return this.#job !== undefined;
  }

  /** Called after every commit: starts a background flush when it is time. Cost: three comparisons. */
  consider(): void {
    if (this.#running !== undefined) return;
    const { pages, applied, flushedCommit } = this.#core;
    const limits = this.#limits;
    if (
      pages.dirtyCount < limits.dirtyShare * pages.dirtyMax &&
      applied - flushedCommit < limits.commits &&
      this.#logBytesSince() < limits.logBytes
    )
      return;
    void this.flush().catch(() => {});
  }

  /** A place in the log as one number, as if all segments were of nominal size. */
  #logPlace(): number {
    const { log, settings } = this.#core;
    return log.headSegment * settings.segmentBytes + log.headOffset;
  }

  /** About what would have to be replayed if a flush began now and all else were lost. */
  #logBytesSince(): number {
    return this.#logPlace() - this.#logAtFlush;
  }

  /** Everything applied so far reaches the page file. `isForced`: by a flush that begins now, even when nothing changed. */
  async flush(isForced = false): Promise<void> {
    const through = this.#core.applied;
    while (this.#running !== undefined) {
      const covers = this.#commit >= through;
      await this.#running;
      if (covers && !isForced) return;
    }
    if (!isForced && this.#core.flushedCommit >= through && this.#core.pages.dirtyCount === 0) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  #begin(): FlushJob {
    const core = this.#core;
    this.#commit = core.applied;
    this.#logAtFlush = this.#logPlace();
    this.#looseNow = Number.POSITIVE_INFINITY;
    this.#tombstonesNow = core.tombstonesFrom;
    const frozen: FlushedTree = {
      rootLpn: core.tree.rootLpn,
      height: core.tree.height,
      liveCount: core.tree.liveCount,
      leafCount: core.tree.leafCount,
      commit: core.applied,
      timeMs: core.nowMs(),
      assertedTimeMs: core.index.assertedMax,
      logSegment: core.endSegment,
      logOffset: core.endOffset,
      logChecksum: core.endChecksum,
      ...(core.mayHoldLargeInLog
        ? {
            onLeaf: (views: PageViews, byteOffset: number, lpn: number, isLive: boolean) =>
              this.#moveLargeValues(views, byteOffset, lpn, isLive),
          }
        : {}),
    };
    core.mayHoldLargeInLog = false;
    this.#job = core.pages.beginFlush(frozen);
    core.counters.flushes++;
    return this.#job;
  }

  async #run(): Promise<void> {
    const core = this.#core;
    const { clock, timers } = core.host;
    const started = clock.monotonicMs();
    const job = this.#begin();
    try {
      let synced = 0;
      for (;;) {
        const start = clock.monotonicMs();
        let elapsed = 0;
        let isWritten = false;
        while (!isWritten && elapsed < SLICE_MS) {
          isWritten = job.step(STEP_PAGES);
          elapsed = clock.monotonicMs() - start;
        }
        if (elapsed > this.sliceMsMax) this.sliceMsMax = elapsed;
        if (isWritten) break;
        if (job.pagesWritten - synced > SYNC_PAGES) {
          synced = job.pagesWritten;
          await job.sync();
        }
        const isPressed = core.pages.dirtyCount > 0.75 * core.pages.dirtyMax;
        await new Promise<void>((resolve) => {
          if (isPressed) timers.immediate(resolve);
          else timers.after(REST_MS, false, resolve);
        });
        if (this.#job !== job) return; // a blocking caller finished it
      }
      await job.sync();
      await this.#syncLog();
      if (this.#job !== job) return;
      await job.finish(this.#end());
    } catch (error) {
      if (this.#job === job) this.#failed(job, error);
      throw error;
    }
    if (this.#job === job) this.#done(started);
  }

  /** Rule 1. */
  async #syncLog(): Promise<void> {
    const core = this.#core;
    await core.group.sync();
    core.index.write(this.#commit);
    await core.index.sync();
  }

  /** Waits for the flush under way; its error has been told. */
  async settle(): Promise<void> {
    await this.#running?.catch(() => {});
  }

  /** The same at once, blocking. Takes over a flush that is under way. @throws {SteleError} `unavailable` DISK_FULL, IO_ERROR */
  flushNow(isCleanClose = false): void {
    const core = this.#core;
    const started = core.host.clock.monotonicMs();
    if (this.#job !== undefined) {
      const isEnough = this.#commit >= core.applied && !isCleanClose;
      this.#finishNow(this.#job, started);
      if (isEnough) return;
    }
    core.counters.flushesForced++;
    this.#isCleanClose = isCleanClose;
    try {
      this.#finishNow(this.#begin(), started);
    } finally {
      this.#isCleanClose = false;
    }
  }

  #finishNow(job: FlushJob, started: number): void {
    const core = this.#core;
    try {
      while (!job.step(4096));
      core.group.syncNow();
      core.index.write(this.#commit);
      core.index.syncNow();
      job.finishNow(this.#end());
    } catch (error) {
      this.#failed(job, error);
      throw error;
    }
    this.#done(started);
  }

  #end() {
    const { log, retention, segmentUse, sweptTimeMs, epoch } = this.#core;
    return {
      durableSegment: log.durableSegment,
      durableOffset: log.durableOffset,
      epoch,
      segmentTable: log.encodeSegmentTable(),
      keptRanges: encodeKept({
        ranges: retention.ranges,
        sweptTimeMs,
        // Of the frozen tree: what was swept since is still in it.
        tombstonesFrom: this.#tombstonesNow,
        looseLargeFrom: this.#looseNow,
        headersThrough: this.#core.headersThrough,
        isTracking: segmentUse.isTracking,
        segmentUse: segmentUse.rows(),
      }),
      isCleanClose: this.#isCleanClose,
    };
  }

  #done(started: number): void {
    const core = this.#core;
    this.#job = undefined;
    core.flushedCommit = this.#commit;
    core.isMarkedClean = core.pageFile.meta.isCleanClose;
    this.#looseBefore = Math.min(this.#looseNow, this.#looseOfOlder);
    this.#looseOfOlder = this.#looseNow;
    this.#tombstonesBefore = Math.min(this.#tombstonesNow, this.#tombstonesOfOlder);
    this.#tombstonesOfOlder = this.#tombstonesNow;
    this.lastMs = core.host.clock.monotonicMs() - started;
    this.onFlushed();
  }

  #looseOfOlder = 0;
  #tombstonesNow = Number.POSITIVE_INFINITY;
  #tombstonesBefore = 0;
  #tombstonesOfOlder = 0;

  /** Oldest tombstone in the tree of one of the two metas: a crash brings it back, and sweeping it takes its record. */
  get tombstonesFrom(): number {
    return this.#tombstonesBefore;
  }

  /** Segments with commits from here on hold large values that a meta's pages refer to. */
  get looseLargeFrom(): number {
    return this.#looseBefore;
  }

  #failed(job: FlushJob, error: unknown): void {
    const core = this.#core;
    this.#job = undefined;
    core.mayHoldLargeInLog = true;
    job.abort();
    const isFull = error instanceof SteleError && error.code === 'DISK_FULL';
    core.settings.logger({
      level: isFull ? 'warn' : 'error',
      message: `flush of commit ${this.#commit} failed: ${error instanceof Error ? error.message : String(error)}`,
    });
    // What the system threw away at a failed sync cannot be written again with confidence.
    if (core.pageFile.failure !== undefined || core.index.failure !== undefined) core.group.fail(error);
  }

  /** Large values in the log move to overflow pages when their leaf is written and nobody changed it meanwhile. */
  #moveLargeValues(views: PageViews, byteOffset: number, _lpn: number, isLive: boolean): void {
    const core = this.#core;
    const count = slotCount(views, byteOffset);
    for (let slot = 0; slot < count; slot++) {
      const location = recordAt(views, byteOffset, slot);
      if ((flagsAt(views, location) & ENTRY_LARGE) === 0 || largeKindAt(views, location) !== LARGE_IN_LOG) continue;
      const commit = commitAt(views, location);
      if (!isLive) {
        this.#looseNow = Math.min(this.#looseNow, commit);
        core.mayHoldLargeInLog = true;
        continue;
      }
      const bytes = largeBytesAt(views, location);
      const value = this.#readLarge(commit, ordinalAt(views, location), bytes);
      core.counters.overflowRuns++;
      const run = core.pages.overflow.write(value, 0, bytes, { commit, forFlush: true });
      const frame = Math.floor(location / core.pages.pageBytes);
      if (core.pages.shared) core.pages.beginChange(frame);
      setLargePages(views, location, run.firstPage, run.pages);
      if (core.pages.shared) core.pages.endChange(frame);
    }
  }

  #readLarge(commit: number, ordinal: number, bytes: number): Uint8Array {
    const core = this.#core;
    while (readVersion(core, commit, ordinal, false) === MISS) core.fill();
    const { operation } = core;
    const value = new Uint8Array(bytes);
    if (operation.isLarge) core.log.readLarge(operation, 0, bytes, value, 0);
    else value.set(operation.bytes.subarray(operation.valueStart, operation.valueEnd));
    return value;
  }
}
