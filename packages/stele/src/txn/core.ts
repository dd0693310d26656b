/**
 * Core: the parts of an open database, and the numbers they share.
 *
 * Invariants
 * - applied ≥ visible ≥ durable, each monotone (spec/invariants.md rule 18).
 * - `nowMs` never decreases, whatever the clock does, and survives reopening through commits and metas.
 * - A miss (page, log block, index block) is a value: reading code gives MISS after noting what is missing here, and the
 *   caller fills it, blocking or not, and starts again. Nothing is changed in between.
 *
 * Specification: spec/transactions.md; ARCHITECTURE.md, "The write path".
 */

import { SteleError } from '../base/errors.ts';
import { Slab } from '../base/slab.ts';
import type { Host } from '../host/host.ts';
import type { CommitIndex } from '../log/commit-index.ts';
import type { CommitView } from '../log/commit-view.ts';
import type { Log } from '../log/log.ts';
import { OperationView } from '../log/operation-view.ts';
import type { Meta } from '../pager/meta.ts';
import type { PageCache } from '../pager/page-cache.ts';
import type { PageFile } from '../pager/page-file.ts';
import type { Accelerator } from '../tree/accelerator.ts';
import type { Tree } from '../tree/tree.ts';
import type { GroupCommit } from './group-commit.ts';
import type { KeptState } from './kept-blob.ts';
import { appendKeptMark } from './kept-mark.ts';
import type { Settings } from './options.ts';
import type { Pins } from './pins.ts';
import { WriteWindow } from './read-set.ts';
import type { Retention } from './retention.ts';
import type { Scanner } from './scanner.ts';
import { SegmentMap } from './segment-map.ts';
import type { SegmentUse } from './segment-use.ts';
import type { Sharing } from './threads/sharing.ts';
import type { RetentionRules } from './types.ts';

/** Results of reading code: see {@link Core.fill}. */
export const FOUND = 1;
export const NONE = 0;
export const MISS = -2;

export type CoreStatus = 'open' | 'failed' | 'closing' | 'closed';

export interface CoreParts {
  readonly host: Host;
  readonly settings: Settings;
  readonly pageFile: PageFile;
  readonly pages: PageCache;
  readonly tree: Tree;
  readonly accelerator: Accelerator | undefined;
  readonly index: CommitIndex;
  readonly retention: Retention;
  readonly pins: Pins;
  readonly segmentUse: SegmentUse;
  readonly epoch: Uint8Array;
}

/** Where a miss happened. */
type Missed = 'none' | 'tree' | 'log' | 'index';

export class Core {
  readonly host: Host;
  readonly settings: Settings;
  readonly pageFile: PageFile;
  readonly pages: PageCache;
  /** Replaced once, when replay is over. */
  tree: Tree;
  readonly accelerator: Accelerator | undefined;
  /** Set when recovery has found its end; see {@link attachLog}. */
  log!: Log;
  readonly index: CommitIndex;
  readonly retention: Retention;
  readonly pins: Pins;
  readonly segmentUse: SegmentUse;
  readonly epoch: Uint8Array;
  readonly window = new WriteWindow();
  readonly #slab = new Slab();
  /** A copy the caller owns. */
  readonly copyOf = (bytes: Uint8Array, start: number, end: number): Uint8Array => this.#slab.copy(bytes, start, end);
  /** Set once by the engine, before anything is written. */
  group!: GroupCommit;
  /** While threads read: what they must be told. */
  share: Sharing | undefined;

  status: CoreStatus = 'open';
  /** Newest commit in the tree. */
  applied = 0;
  /** Recorded time of `applied`. */
  appliedTimeMs = 0;
  /** Log position behind the record of `applied`, and that record's checksum: where a replay would go on. */
  endSegment = 0;
  endOffset = 0;
  endChecksum = 0;
  /** Greatest time handed out. */
  timeMs = 0;
  /** The newest meta says the log ends where it says: to be taken back on the device before anything is appended. */
  isMarkedClean = false;
  /** Takes the mark back; set by the engine. */
  takeBackCleanMark: () => void = () => {};
  /** Coarse monotonic time, moved by housekeeping: tells idle views without asking a clock at every read. */
  tickMs = 0;
  /** A large commit is being applied in slices: readers of now stay at `applied`, below it. */
  isApplying = false;
  /** The large delete under way: whoever wants to write finishes it first. */
  sliced: { finish(): void } | undefined;
  /** Commit of the last durable meta. */
  flushedCommit = 0;
  /** Reading the newest state straight from the tree is right: open, and no sliced apply under way. */
  isPlain = true;
  /** Commit of the oldest tombstone no sweep has taken away; Infinity = none. A lower bound. */
  tombstonesFrom = Number.POSITIVE_INFINITY;
  /** A page may refer to a large value that is only in the log: the next flush has to look. */
  mayHoldLargeInLog = true;
  /** An entry with an expiry may be in the tree. */
  mayExpire = true;
  segments!: SegmentMap;
  /** Newest commit whose header is on the device (header-writer.ts). */
  headersThrough = 0;
  /** Readers of whole segments under way (backup, change feeds): none is dropped meanwhile. */
  segmentPins = 0;
  /** Greatest `expiresAt` of an entry swept so far: live counts are right only for views at or after it. */
  sweptTimeMs = 0;
  /** Scratch of the thread that owns the database. */
  readonly operation = new OperationView();
  /** Scanners whose walk is over, to be used again (scanner.ts). */
  readonly idleScanners: Scanner[] = [];
  #missed: Missed = 'none';
  readonly counters = {
    puts: 0,
    deletes: 0,
    carried: 0,
    conflicts: 0,
    tooOld: 0,
    swept: 0,
    horizonMoves: 0,
    largeValues: 0,
    overflowRuns: 0,
    multiPart: 0,
    spines: 0,
    tombstonesSwept: 0,
    expiredRemoved: 0,
    commits: 0,
    segmentsDropped: 0,
    flushes: 0,
    flushesForced: 0,
    spaceRefused: 0,
  };

  constructor(parts: CoreParts) {
    this.host = parts.host;
    this.settings = parts.settings;
    this.pageFile = parts.pageFile;
    this.pages = parts.pages;
    this.tree = parts.tree;
    this.accelerator = parts.accelerator;
    this.index = parts.index;
    this.retention = parts.retention;
    this.pins = parts.pins;
    this.segmentUse = parts.segmentUse;
    this.epoch = parts.epoch;
  }

  /** The state a meta names. */
  restore(meta: Meta, kept: KeptState | undefined): void {
    this.applied = meta.commit;
    this.flushedCommit = meta.commit;
    this.timeMs = meta.timeMs;
    this.endSegment = meta.logSegment;
    this.endOffset = meta.logOffset;
    this.endChecksum = meta.logChecksum;
    this.headersThrough = kept?.headersThrough ?? 0;
    this.sweptTimeMs = kept?.sweptTimeMs ?? 0;
    this.tombstonesFrom = kept?.tombstonesFrom ?? Number.POSITIVE_INFINITY;
    if (meta.commit > 0) this.appliedTimeMs = this.#recordedTime(meta.commit);
  }

  /** The commit being replayed, before it is in the index. */
  replaying: CommitView | undefined;

  /** One more commit was replayed. */
  replayed(view: CommitView): void {
    this.replaying = undefined;
    this.applied = view.commit;
    this.appliedTimeMs = view.timeMs;
    this.timeMs = Math.max(this.timeMs, view.timeMs);
    this.endSegment = view.endSegment;
    this.endOffset = view.endOffset;
    this.endChecksum = view.checksum;
  }

  /** The record of `commit` is in the log buffer, not yet in the tree. */
  logged(commit: number, timeMs: number, assertedTimeMs: number): void {
    try {
      this.index.append(commit, timeMs, assertedTimeMs, this.log.firstPartSegment, this.log.firstPartOffset);
    } catch (error) {
      // The entry is in memory; only writing some of them early failed. The next flush writes them, or fails and says so.
      this.settings.logger({ level: 'warn', message: `commit index: ${error instanceof Error ? error.message : String(error)}` });
    }
  }

  /** All effects of `commit` are in the tree; its record ends at the place given. `checksum` may be signed. */
  appliedThrough(commit: number, timeMs: number, endSegment: number, endOffset: number, checksum: number): void {
    this.applied = commit;
    this.appliedTimeMs = timeMs;
    this.endSegment = endSegment;
    this.endOffset = endOffset;
    this.endChecksum = checksum >>> 0;
    this.counters.commits++;
  }

  attachLog(log: Log): void {
    this.log = log;
    this.segments = new SegmentMap(log, (commit) => (commit > this.index.commits ? 0 : this.#segmentOf(commit)));
  }

  /** Puts new retention rules in force, in the log first. @throws {SteleError} `invalid` RETENTION_RULES; `unavailable` DISK_FULL */
  changeRetention(rules: RetentionRules): void {
    const { retention } = this;
    const before = retention.ranges;
    retention.setRules(rules, this.applied);
    this.#rebaseSegmentUse();
    if (this.settings.readOnly) return;
    try {
      appendKeptMark(this);
    } catch (error) {
      retention.adopt(before);
      this.#rebaseSegmentUse();
      throw error;
    }
    this.isKeptChanged = true;
  }

  /** Rules or kept ranges changed since opening: closing must write them. */
  isKeptChanged = false;

  #rebaseSegmentUse(): void {
    const { ranges } = this.retention;
    this.segmentUse.rebase(
      ranges.length,
      this.segments.list.map((segment) => segment.number),
      this.applied,
      ranges.some((range) => range.historyMs !== Number.POSITIVE_INFINITY),
    );
  }

  /** Numbers of the segments that may hold the record of `commit`; during replay from the index and the record replayed. */
  holdersOf(commit: number): readonly number[] {
    if (this.log !== undefined) return this.segments.holders(commit);
    const { replaying } = this;
    const isReplaying = replaying?.commit === commit; // what it carries lies in itself, and the index does not know it yet
    const first = isReplaying ? replaying!.segment : this.#segmentOf(commit);
    const last = isReplaying ? replaying!.endSegment : commit < this.index.commits ? this.#segmentOf(commit + 1) : this.endSegment;
    // Whole by their checksums, the entries may still say anything.
    if (first > last || last > Math.max(this.endSegment, replaying?.endSegment ?? 0))
      throw new SteleError('corrupt', 'INDEX_DAMAGED', `the commit index has commit ${commit} in segments ${first} to ${last}`, {
        detail: { commit },
      });
    const numbers: number[] = [];
    for (let number = first; number <= last; number++) numbers.push(number);
    return numbers;
  }

  #segmentOf(commit: number): number {
    while (this.index.positionOf(commit) === MISS) this.index.fillMissed();
    return this.index.segment;
  }

  /** The hybrid clock: now, or the greatest time ever given when the clock stepped back. */
  nowMs(): number {
    // While a large delete is applied, its recorded time is now: no later one may be given out before it is seen.
    if (this.sliced !== undefined) return this.timeMs;
    let now = this.host.clock.nowMs();
    if (this.share !== undefined) now = this.share.joinTime(now);
    if (now > this.timeMs) this.timeMs = now;
    return this.timeMs;
  }

  get durable(): number {
    return Math.min(this.group.durable, this.applied);
  }

  get visible(): number {
    return Math.min(this.group.written, this.applied);
  }

  /** Notes a tree miss; always MISS. */
  missTree(): number {
    this.#missed = 'tree';
    return MISS;
  }

  missLog(): number {
    this.#missed = 'log';
    return MISS;
  }

  missIndex(): number {
    this.#missed = 'index';
    return MISS;
  }

  /** Brings in what the last MISS was about, blocking. */
  fill(): void {
    if (this.#missed === 'tree') this.pages.load(this.tree.missed);
    else if (this.#missed === 'log') this.log.fillMissed();
    else if (this.#missed === 'index') this.index.fillMissed();
    this.#missed = 'none';
  }

  /** The same without blocking the thread. */
  async fillAsync(): Promise<void> {
    const missed = this.#missed;
    this.#missed = 'none';
    if (missed === 'tree') await this.pages.loadAsync(this.tree.missed);
    else if (missed === 'log') await this.log.fillMissedAsync();
    else if (missed === 'index') await this.index.fillMissedAsync();
  }

  /** Position of a commit's first record in `index.segment`, `index.offset`: FOUND or MISS. */
  locate(commit: number): number {
    return this.index.positionOf(commit) === MISS ? this.missIndex() : FOUND;
  }

  /** Recorded time of a commit, blocking. 0 for version 0. */
  timeOf(commit: number): number {
    if (commit === 0) return 0;
    if (commit === this.applied) return this.appliedTimeMs;
    return this.#recordedTime(commit);
  }

  #recordedTime(commit: number): number {
    for (;;) {
      const time = this.index.timeOf(commit);
      if (time !== MISS) return time;
      this.index.fillMissed();
    }
  }

  /** Newest commit recorded at or before `timeMs`, blocking; 0 for none. */
  commitAt(timeMs: number): number {
    for (;;) {
      const commit = this.index.atTime(timeMs);
      if (commit !== MISS) return Math.min(commit, this.applied);
      this.index.fillMissed();
    }
  }

  commitAtAsserted(timeMs: number): number {
    for (;;) {
      const commit = this.index.atAsserted(timeMs);
      if (commit !== MISS) return Math.min(commit, this.applied);
      this.index.fillMissed();
    }
  }

  /** @throws {SteleError} `closed` DATABASE_CLOSED */
  assertReadable(): void {
    if (this.status === 'closed') throw new SteleError('closed', 'DATABASE_CLOSED', 'the database is closed');
  }

  /** @throws {SteleError} `closed` DATABASE_CLOSED, `denied` READ_ONLY, `unavailable` COMMIT_UNKNOWN after a failed write or sync */
  assertWritable(): void {
    this.sliced?.finish();
    if (this.status === 'open') {
      if (this.settings.readOnly) throw new SteleError('denied', 'READ_ONLY', 'the database was opened read-only');
      return;
    }
    if (this.status === 'failed') throw this.group.failure!;
    throw new SteleError('closed', 'DATABASE_CLOSED', 'the database is closed');
  }
}
