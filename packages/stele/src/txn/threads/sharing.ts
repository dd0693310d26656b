/**
 * Sharing: the owner's side of reading threads. Exists only while the database is shared; before that the owner pays nothing.
 *
 * Invariants
 * - visible ≤ written: a commit is published after its record, and those of everything it superseded, are in the files. A version is
 *   never superseded while it is unwritten ({@link Sharing.beforeSuperseding}), so no chain leads through memory only.
 * - A record that carries a superseded version or a version table is written as soon as it is applied ({@link Sharing.committed}); until then a thread that
 *   needs what it carries waits.
 * - While shared, the newest visible commit counts as pinned: what it may show keeps its way back, whatever the retention rule.
 * - A slot whose thread shows no use for `viewIdleMs` while it holds a pin is expired; its pin counts no more. It is given to another
 *   thread only after the same time once more, so that a thread that was merely asleep finds out first.
 *
 * Cost while shared: two atomic operations for each page changed, four a tree change, six a commit.
 * Specification: spec/transactions.md, "Reading threads"; spec/invariants.md rules 16, 18, 23.
 */

import { invariant } from '../../base/errors.ts';
import { fixedMemory } from '../../pager/frames.ts';
import type { TreeWatcher } from '../../tree/state.ts';
import type { Core } from '../core.ts';
import type { ForeignPins } from '../pins.ts';
import * as C from './control.ts';
import type { SharedHandle } from './handle.ts';
import { RING_ENTRIES_MIN, ringWords, writePosition } from './position-ring.ts';

export class Sharing implements ForeignPins, TreeWatcher {
  readonly #core: Core;
  readonly #words: Int32Array;
  readonly #ring: Uint32Array;
  #visible = -1;
  #begun = 0;
  #isCarrying = false;
  #floor = 0;
  #timeMs = 0;
  #timesGiven = 0;
  /** By slot: registration and uses seen last, and when they changed. */
  readonly #ids = new Int32Array(C.SLOTS);
  readonly #uses = new Int32Array(C.SLOTS);
  readonly #usedMs = new Float64Array(C.SLOTS);
  readonly counters = { expired: 0, reclaimed: 0, written: 0 };

  /** Writes what is buffered, so that everything applied is visible. @throws {SteleError} `unavailable` COMMIT_UNKNOWN, DISK_FULL, IO_ERROR */
  constructor(core: Core) {
    this.#core = core;
    this.#words = new Int32Array(fixedMemory(C.CONTROL_WORDS * 4));
    let unwritten = core.applied;
    if (core.status === 'open' && !core.settings.readOnly) {
      core.group.writeNow();
      core.index.write(core.applied);
    } else unwritten = core.flushedCommit;
    // A read-only owner's replayed tail is in no file: it goes into the ring as a whole.
    this.#ring = new Uint32Array(fixedMemory(ringWords(Math.max(RING_ENTRIES_MIN, core.applied - unwritten)) * 4));
    for (let commit = unwritten + 1; commit <= core.applied; commit++) {
      while (core.index.positionOf(commit) < 0) core.index.fillMissed();
      writePosition(this.#ring, commit, core.index.segment, core.index.offset);
    }
    this.#floor = 0;
    Atomics.store(this.#words, C.STATUS, C.OPEN);
    Atomics.store(this.#words, C.NEXT_ID, 1);
    C.writeCell(this.#words, C.BEGUN, core.applied);
    this.#timeMs = core.timeMs;
    C.writeCell(this.#words, C.TIME, core.timeMs);
    this.swept(core.sweptTimeMs);
    this.flushed();
    this.moved(core.tree.rootLpn, core.tree.height);
    this.publish();
    core.pages.shared = true;
    core.tree.watcher = this;
    core.pins.setForeign(this);
  }

  /** What threads need; the same memory every time. */
  handle(): SharedHandle {
    const { pages, host, settings, pageFile } = this.#core;
    const { frames, lpns } = pages;
    return {
      kind: 'stele shared',
      version: 1,
      databaseId: pageFile.databaseId.slice(),
      pageBytes: pages.pageBytes,
      control: this.#words,
      frames: frames.u8,
      versions: frames.versions,
      ref: frames.ref,
      ...lpns.shared(),
      ring: this.#ring,
      storage: host.storage.transfer?.(),
      viewIdleMs: settings.viewIdleMs,
      inline: typeof SharedArrayBuffer === 'undefined' ? () => {} : undefined,
    };
  }

  // ---- commits

  /** Before a version of `commit` is superseded: it must be in the files, for threads may still be at it. */
  beforeSuperseding(commit: number): void {
    if (commit <= this.#visible) return;
    this.#core.group.writeNow();
    this.counters.written++;
    invariant(commit <= this.#core.visible, 'a version is superseded before it was written');
  }

  /** An effect of `commit`, the one logged last, is about to enter the tree. */
  begun(commit: number, isCarrying: boolean): void {
    if (isCarrying) this.#isCarrying = true;
    if (commit === this.#begun) return;
    this.#begun = commit;
    const { log } = this.#core;
    writePosition(this.#ring, commit, log.firstPartSegment, log.firstPartOffset);
    C.writeCell(this.#words, C.BEGUN, commit);
  }

  /** `core.visible` may have moved. */
  publish(): void {
    const { visible } = this.#core;
    if (visible === this.#visible) return;
    this.#visible = visible;
    C.writeCell(this.#words, C.VISIBLE, visible);
  }

  /** A commit was applied. If its record carries what threads may need it is written at once. */
  committed(): void {
    if (this.#isCarrying) {
      this.#isCarrying = false;
      this.#core.group.writeNow();
      this.counters.written++;
    }
    // Its record may have been written before it was applied as a whole.
    this.publish();
  }

  flushed(): void {
    Atomics.store(this.#words, C.FLUSHES, this.#core.pageFile.meta.sequence | 0);
  }

  // ---- time

  /** Hybrid time is one for all threads: takes up what they gave out, and tells them. */
  joinTime(nowMs: number): number {
    let now = Math.max(nowMs, this.#timeMs);
    const given = Atomics.load(this.#words, C.TIMES_GIVEN);
    if (given !== this.#timesGiven) {
      this.#timesGiven = given;
      for (let slot = 0; slot < C.SLOTS; slot++) now = Math.max(now, C.readCell(this.#words, C.slotAt(slot) + C.SLOT_TIME, 0));
    }
    if (now > this.#timeMs) {
      this.#timeMs = now;
      C.writeCell(this.#words, C.TIME, now);
    }
    return now;
  }

  /** Live counts are right for views at or after this time only. To be called before the sweep changes the tree. */
  swept(timeMs: number): void {
    C.writeCell(this.#words, C.SWEPT, timeMs);
  }

  // ---- tree (TreeWatcher)

  changing(): void {
    Atomics.add(this.#words, C.CHANGES, 1);
  }

  rootGoes(): void {
    Atomics.store(this.#words, C.ROOT, C.ROOT_GOES);
  }

  moved(rootLpn: number, height: number): void {
    Atomics.store(this.#words, C.ROOT, C.rootWord(rootLpn, height) | 0);
  }

  changed(): void {
    Atomics.add(this.#words, C.CHANGES, 1);
  }

  // ---- pins (ForeignPins)

  /** The floor threads allow: their oldest pin, at most the newest visible commit. */
  oldest(): number {
    let oldest = this.#oldestPin(this.#core.visible);
    if (oldest > this.#floor) {
      this.#floor = oldest;
      C.writeCell(this.#words, C.FLOOR, oldest);
      // A thread that wrote its pin before it could see this floor goes on; so it must be seen here.
      oldest = this.#oldestPin(oldest);
    }
    return oldest;
  }

  newest(): number {
    return this.#core.visible;
  }

  /** Threads that hold a view. */
  count(): number {
    let count = 0;
    for (let slot = 0; slot < C.SLOTS; slot++) if (this.#pinOf(slot) >= 0) count++;
    return count;
  }

  #oldestPin(most: number): number {
    let oldest = most;
    for (let slot = 0; slot < C.SLOTS; slot++) {
      const pin = this.#pinOf(slot);
      if (pin >= 0 && pin < oldest) oldest = pin;
    }
    return oldest;
  }

  #pinOf(slot: number): number {
    const at = C.slotAt(slot);
    if (Atomics.load(this.#words, at + C.SLOT_ID) <= 0) return -1;
    // A thread that died while writing holds everything until it expires.
    return C.readCell(this.#words, at + C.SLOT_PIN, 1) - 1;
  }

  // ---- life

  /** One look at the slots; called by housekeeping. */
  beat(): void {
    const { tickMs, settings } = this.#core;
    for (let slot = 0; slot < C.SLOTS; slot++) {
      const at = C.slotAt(slot);
      const id = Atomics.load(this.#words, at + C.SLOT_ID);
      if (id === 0) continue;
      const uses = Atomics.load(this.#words, at + C.SLOT_USES);
      if (id !== this.#ids[slot] || uses !== this.#uses[slot]) {
        this.#ids[slot] = id;
        this.#uses[slot] = uses;
        this.#usedMs[slot] = tickMs;
        continue;
      }
      if (tickMs - this.#usedMs[slot]! <= settings.viewIdleMs) continue;
      const next = id > 0 && this.#pinOf(slot) >= 0 ? -id : 0;
      if (Atomics.compareExchange(this.#words, at + C.SLOT_ID, id, next) !== id) continue;
      this.#ids[slot] = next;
      this.#usedMs[slot] = tickMs;
      if (next < 0) this.counters.expired++;
      else this.counters.reclaimed++;
    }
  }

  /** Threads registered now. */
  get threads(): number {
    let count = 0;
    for (let slot = 0; slot < C.SLOTS; slot++) if (Atomics.load(this.#words, C.slotAt(slot)) > 0) count++;
    return count;
  }

  /** Nothing may be read any more after a failed write or sync. */
  failed(): void {
    Atomics.store(this.#words, C.STATUS, C.FAILED);
  }

  /** Ends it: readers find the database closed. Idempotent. */
  end(): void {
    const { pages, tree, pins } = this.#core;
    Atomics.store(this.#words, C.STATUS, C.CLOSED);
    pins.setForeign(undefined);
    pages.shared = false;
    tree.watcher = undefined;
  }
}
