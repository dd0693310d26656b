/**
 * Housekeeper: what time does to a database, in slices of at most 1 ms.
 *
 * Sweeps what has expired, moves the horizons, takes away tombstones the horizon has passed, lets segments go when nothing
 * in them is kept, ends idle views, prepares the next segment, keeps the headers growing behind the durable log, and fills the
 * accelerator.
 *
 * Invariants
 * - Nothing here changes what any allowed view sees (spec/transactions.md, "Retention"); so nothing is logged, and after a
 *   crash it simply happens again.
 * - Tombstones are found by walking the log from the old to the new horizon, never by scanning the tree (spec/invariants.md rule 10).
 * - A segment goes only when it lies behind the older meta, its headers are on the device, and nothing in it is kept or
 *   referred to (rules 5, 14, 15, 16).
 *
 * Specification: spec/invariants.md rules 5, 9, 10, 12, 14–16, 20.
 */

import type { Timer } from '../host/host.ts';
import { OperationView } from '../log/operation-view.ts';
import { commitAt, ENTRY_EXPIRES, ENTRY_SWEPT, ENTRY_TOMBSTONE, expiresAt, flagsAt } from '../tree/entry.ts';
import type { Applier } from './applier.ts';
import type { Core } from './core.ts';
import { FOUND, MISS } from './core.ts';
import type { Flusher } from './flusher.ts';
import type { HeaderWriter } from './header-writer.ts';
import { appendKeptMark } from './kept-mark.ts';
import { LeafIndexer } from './leaf-indexer.ts';
import { KEY_BYTES_MAX } from './options.ts';
import type { Room } from './room.ts';
import { PinnedView } from './view.ts';

const BEAT_MS = 500;
const SLICE_MS = 1;
const SPARE_BYTES = 1024 * 1024;

export class Housekeeper {
  readonly #core: Core;
  readonly #room: Room;
  readonly #applier: Applier;
  readonly #flusher: Flusher;
  readonly #headers: HeaderWriter;
  #timer: Timer | undefined;
  #isBusy: Promise<void> | undefined;
  #isStopped = false;
  readonly #key = new Uint8Array(KEY_BYTES_MAX);
  readonly #operation = new OperationView();
  readonly #indexer: LeafIndexer | undefined;
  sliceMsMax = 0;

  constructor(core: Core, room: Room, applier: Applier, flusher: Flusher, headers: HeaderWriter) {
    this.#core = core;
    this.#room = room;
    this.#applier = applier;
    this.#flusher = flusher;
    this.#headers = headers;
    if (core.accelerator !== undefined) this.#indexer = new LeafIndexer(core.pages, core.accelerator);
  }

  /** Leaves entered into the accelerator in the background. */
  get leavesIndexed(): number {
    return this.#indexer?.indexed ?? 0;
  }

  start(): void {
    if (this.#isStopped || this.#timer !== undefined) return;
    this.#timer = this.#core.host.timers.after(BEAT_MS, true, () => {
      this.#timer = undefined;
      void this.beat(false).finally(() => this.start());
    });
  }

  /** Ends the beat and waits for the slice under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#isBusy;
  }

  /** One round of everything. `isAsked`: somebody waits, so without rests. Never rejects. */
  async beat(isAsked: boolean): Promise<void> {
    while (this.#isBusy !== undefined) {
      await this.#isBusy;
      if (!isAsked) return;
    }
    this.#isBusy = this.#round(isAsked).catch((error: unknown) => {
      this.#core.settings.logger({ level: 'warn', message: `housekeeping: ${error instanceof Error ? error.message : String(error)}` });
    });
    try {
      await this.#isBusy;
    } finally {
      this.#isBusy = undefined;
    }
  }

  async #round(isAsked: boolean): Promise<void> {
    const core = this.#core;
    core.tickMs = core.host.clock.monotonicMs();
    this.#endIdleViews();
    core.share?.beat();
    if (this.#indexer?.isDue() === true) await this.#slices(this.#indexer.walk());
    if (core.status !== 'open' || core.settings.readOnly || core.sliced !== undefined) return;
    if (core.retention.advance(core.applied, (historyMs) => core.commitAt(core.nowMs() - historyMs))) {
      core.counters.horizonMoves++;
      // Before anything goes because of it: later records have no way back to what a sweep took, and a replay must know why.
      appendKeptMark(core);
      core.isKeptChanged = true;
    }
    if (core.mayExpire) await this.#slices(this.#sweepExpired());
    if (core.tombstonesFrom <= core.applied) await this.#slices(this.#sweepTombstones());
    await this.#headers.advance(isAsked);
    await this.#dropSegments();
    if (core.log.prepareSpare(SPARE_BYTES)) core.log.prepareSpare(SPARE_BYTES);
  }

  /** Runs a generator in slices: it yields when it may be interrupted. */
  async #slices(work: Generator<void, void>): Promise<void> {
    const { clock, timers } = this.#core.host;
    for (;;) {
      const start = clock.monotonicMs();
      let elapsed = 0;
      while (elapsed < SLICE_MS) {
        if (this.#core.status !== 'open' || this.#core.sliced !== undefined) return;
        if (work.next().done === true) return;
        elapsed = clock.monotonicMs() - start;
      }
      if (elapsed > this.sliceMsMax) this.sliceMsMax = elapsed;
      await new Promise<void>((resolve) => timers.immediate(resolve));
    }
  }

  #endIdleViews(): void {
    const core = this.#core;
    const limit = core.tickMs - core.settings.viewIdleMs;
    for (const pin of core.pins) if (pin.lastUsedMs < limit && pin instanceof PinnedView) pin.expire();
  }

  /**
   * Expired entries. Where history is for ever they are marked, so that counts need not look at them again; elsewhere they
   * are removed once no view that is open or may be opened can see them alive or look through them.
   */
  *#sweepExpired(): Generator<void, void> {
    const core = this.#core;
    const { ranges } = core.retention;
    for (let range = 0; range < ranges.length; range++) {
      const { prefix, historyMs, keptFrom } = ranges[range]!;
      let timeMs = core.nowMs();
      let commit = core.applied;
      const isMarked = historyMs === Number.POSITIVE_INFINITY;
      if (!isMarked) {
        if (historyMs > 0) {
          timeMs = Math.min(timeMs, core.timeOf(keptFrom));
          commit = keptFrom;
        }
        for (const pin of core.pins) {
          timeMs = Math.min(timeMs, pin.timeMs);
          commit = Math.min(commit, pin.commit);
        }
        // What a thread may see stays: of its views only the commits are known, not the times.
        if (core.pins.hasForeign) continue;
        commit = Math.min(commit, core.pins.oldestCommit);
      }
      yield* this.#sweepRange(range, prefix, timeMs, commit, isMarked);
    }
  }

  *#sweepRange(range: number, prefix: Uint8Array, timeMs: number, commit: number, isMarked: boolean): Generator<void, void> {
    const core = this.#core;
    const cursor = core.tree.cursor();
    cursor.setOptions({ expiringBefore: timeMs });
    let isPlaced = false;
    for (;;) {
      const moved = isPlaced ? cursor.next() : cursor.seek(prefix, prefix.length);
      if (moved === MISS) {
        core.missTree();
        core.fill();
        continue;
      }
      isPlaced = true;
      if (moved !== FOUND) return;
      const keyBytes = cursor.keyInto(this.#key);
      cursor.save();
      if (!startsWith(this.#key, keyBytes, prefix)) return;
      const { location } = cursor;
      const flags = flagsAt(core.pages, location);
      const isExpired = (flags & ENTRY_EXPIRES) !== 0 && expiresAt(core.pages, location) <= timeMs;
      const isNew = (flags & (ENTRY_TOMBSTONE | ENTRY_SWEPT)) === 0 || (!isMarked && (flags & ENTRY_TOMBSTONE) === 0);
      if (isExpired && isNew && commitAt(core.pages, location) <= commit && core.retention.rangeIndexOf(this.#key, keyBytes) === range) {
        this.#sweepOne(keyBytes, range, expiresAt(core.pages, location), isMarked);
      }
      yield;
    }
  }

  #sweepOne(keyBytes: number, range: number, expiry: number, isMarked: boolean): void {
    const core = this.#core;
    this.#room.whileApplying();
    const location = this.#applier.seek(this.#key, keyBytes);
    if (location < 0) return;
    core.sweptTimeMs = Math.max(core.sweptTimeMs, expiry);
    core.share?.swept(core.sweptTimeMs);
    if (isMarked) {
      core.tree.setSwept();
      core.counters.swept++;
      return;
    }
    core.retention.removed(range, expiry);
    this.#applier.removeSought(location);
    core.counters.expiredRemoved++;
  }

  /** Tombstones at or below the floor of their range go. */
  *#sweepTombstones(): Generator<void, void> {
    const core = this.#core;
    const from = core.tombstonesFrom;
    let through = 0;
    for (let range = 0; range < core.retention.ranges.length; range++)
      through = Math.max(through, core.retention.floorOf(range, core.applied));
    through = Math.min(through, core.applied);
    if (from > through) return;
    core.group.writeNow();
    let left = Number.POSITIVE_INFINITY;
    while (core.locate(from) === MISS) core.fill();
    const commits = core.log.commits(core.index.segment, core.index.offset, from, through);
    for (let view = commits.next(); view !== undefined; view = commits.next()) {
      const { commit } = view;
      for (let more = view.next(this.#operation); more; more = view.next(this.#operation)) {
        const { isDelete, keyStart, keyEnd, bytes } = this.#operation;
        if (!isDelete) continue;
        const keyBytes = keyEnd - keyStart;
        for (let at = 0; at < keyBytes; at++) this.#key[at] = bytes[keyStart + at]!;
        if (!this.#sweepTombstone(keyBytes, commit)) left = Math.min(left, commit);
      }
      core.tombstonesFrom = Math.min(left, commit + 1);
      yield;
      if (core.pins.oldestCommit < through) break;
    }
    core.tombstonesFrom = Math.min(left, Math.max(core.tombstonesFrom, from));
    if (core.tombstonesFrom > core.applied && left === Number.POSITIVE_INFINITY) core.tombstonesFrom = Number.POSITIVE_INFINITY;
  }

  /** False: it must stay for now. */
  #sweepTombstone(keyBytes: number, commit: number): boolean {
    const core = this.#core;
    const key = this.#key;
    this.#room.whileApplying();
    const location = this.#applier.seek(key, keyBytes);
    if (location < 0 || commitAt(core.pages, location) !== commit || (flagsAt(core.pages, location) & ENTRY_TOMBSTONE) === 0) return true;
    if (commit > core.retention.floorOf(core.retention.rangeIndexOf(key, keyBytes), core.applied)) return false;
    core.tree.remove();
    core.counters.tombstonesSwept++;
    return true;
  }

  /** Lets go of every segment nobody needs. What is then no longer kept is said on the device before. */
  async #dropSegments(): Promise<void> {
    const core = this.#core;
    const free = new Set(this.#freeSegments());
    if (free.size === 0) return;
    appendKeptMark(core);
    try {
      core.group.writeNow();
      core.log.writeGroup();
      await core.log.sync();
    } catch (error) {
      throw core.group.fail(error);
    }
    if (core.status !== 'open') return;
    core.isKeptChanged = true;
    for (const number of this.#freeSegments()) {
      if (!free.has(number)) continue;
      core.log.dropSegment(number);
      core.segmentUse.forget(number);
      core.counters.segmentsDropped++;
    }
    core.segments.refresh();
  }

  /** Segments in which nothing is kept or referred to, now. */
  #freeSegments(): number[] {
    const core = this.#core;
    const { retention, pageFile, settings } = core;
    const free: number[] = [];
    if (!core.segmentUse.isTracking || core.segmentPins > 0) return free;
    const olderMeta = pageFile.olderMeta ?? pageFile.meta;
    const replayFrom = Math.min(pageFile.meta.logSegment, olderMeta.logSegment);
    const timeFloor = core.nowMs() - (settings.logRetention ?? retention.historyMsMax);
    const tombstonesFrom = Math.min(core.tombstonesFrom, this.#flusher.tombstonesFrom);
    for (const segment of core.segments.list) {
      if (segment.number >= replayFrom || !segment.sealed) break;
      if (segment.lastCommit > core.headersThrough) break;
      if (segment.lastCommit >= segment.firstCommit && core.timeOf(segment.lastCommit) > timeFloor) break;
      if (segment.lastCommit >= this.#flusher.looseLargeFrom || segment.lastCommit >= tombstonesFrom) break;
      if (core.segmentUse.isFree(segment.number, (range) => retention.floorOf(range, core.applied))) free.push(segment.number);
    }
    return free;
  }
}

function startsWith(key: Uint8Array, keyBytes: number, prefix: Uint8Array): boolean {
  if (keyBytes < prefix.length) return false;
  for (let at = 0; at < prefix.length; at++) if (key[at] !== prefix[at]) return false;
  return true;
}
