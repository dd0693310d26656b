/**
 * Group commit: who is told what, and when.
 *
 * Commits are applied one by one and buffered by the log. A *group* is everything buffered when the buffer is written:
 * at the end of the microtask turn, so that all commits of a turn share one write, and one sync when any of them wants
 * the device. No waiting window: the next sync starts when the last one ends (findings: waiting never paid).
 *
 * Invariants
 * - visible ≤ written: `visible` moves only after the group's write returned.
 * - Promises resolve in commit order, each only at the level its commit asked for (spec/invariants.md rule 18).
 * - A sync is never started inside a microtask, and a chain of microtask groups gives the loop a real turn every 2 ms.
 * - After a failed write or sync every waiting commit is rejected with COMMIT_UNKNOWN and nothing is written again.
 * - Weaker levels are synced too: `debounced` within `debounceMs`, `async` within a second.
 *
 * Specification: spec/transactions.md, "Durability".
 */

import { SteleError } from '../base/errors.ts';
import type { Timer, Timers } from '../host/host.ts';
import { Receipt } from './receipt.ts';
import type { Commit, Durability } from './types.ts';

/** What group commit needs of the log. */
export interface GroupLog {
  writeGroup(): void;
  syncNow(): void;
  sync(): Promise<void>;
}

export interface GroupOptions {
  readonly log: GroupLog;
  readonly timers: Timers;
  readonly monotonicMs: () => number;
  readonly debounceMs: number;
  /** Newest commit appended to the log buffer. */
  readonly appended: () => number;
  /** Newest commit that can be read. A large delete is in the log before it is in the tree: nobody is told of it before it is in both. */
  readonly applied: () => number;
  /** The write returned: everything through `commit` is at kernel level. */
  readonly onWritten: (commit: number) => void;
  /** Everything through `commit` can be read and is at device level. */
  readonly onDurable: (commit: number) => void;
  /** Commits first..last have been reported at their level. */
  readonly onReported: (first: number, last: number) => void;
  readonly onFailure: (error: unknown) => void;
}

interface Waiter {
  readonly commit: number;
  readonly needsDevice: boolean;
  readonly receipt: Receipt;
  readonly resolve: (commit: Commit) => void;
  readonly reject: (error: unknown) => void;
}

const ASYNC_SYNC_MS = 1000;
const TURN_MS_MAX = 2;

export class GroupCommit {
  readonly #o: GroupOptions;
  /** Commits not yet reported, oldest first, from #head on. */
  #waiters: Waiter[] = [];
  #head = 0;
  written: number;
  durable: number;
  #reported: number;
  /** Newest commit that was told to be durable. */
  #toldDurable: number;
  #wanted = 0;
  #writeScheduled = false;
  #syncScheduled = false;
  #syncing = false;
  #turnStart = -1;
  #lazyTimer: Timer | undefined;
  /** The pending timer was set for so many ms; Infinity: none is pending. */
  #lazyWithinMs = Number.POSITIVE_INFINITY;
  #lazyDueMs = Number.POSITIVE_INFINITY;
  #failure: SteleError | undefined;
  /** A blocking commit on its way to the device: nobody hears of it before. */
  #held = Number.POSITIVE_INFINITY;
  groups = 0;
  syncs = 0;
  syncMsLast = 0;
  syncMsMax = 0;
  syncMsTotal = 0;

  constructor(options: GroupOptions, commit: number) {
    this.#o = options;
    this.written = commit;
    this.durable = commit;
    this.#reported = commit;
    this.#toldDurable = commit;
  }

  get failure(): SteleError | undefined {
    return this.#failure;
  }

  get waiting(): number {
    return this.#waiters.length - this.#head;
  }

  /** Registers an applied commit; the promise follows it to its level. */
  enqueue(commit: number, level: Durability, receipt: Receipt): Promise<Commit> {
    return new Promise<Commit>((resolve, reject) => this.enqueueWith(commit, level, receipt, resolve, reject));
  }

  /** The same for a promise that was made before. */
  enqueueWith(
    commit: number,
    level: Durability,
    receipt: Receipt,
    resolve: (commit: Commit) => void,
    reject: (error: unknown) => void,
  ): void {
    this.#waiters.push({ commit, needsDevice: level === 'immediate', receipt, resolve, reject });
    this.#want(commit, level);
    this.#scheduleWrite();
  }

  /** Registers an applied commit of the blocking form and takes it, with all before it, to its level. */
  settleNow(commit: number, level: Durability, receipt: Receipt): void {
    if (level !== 'immediate') this.#want(commit, level);
    if (level === 'immediate') this.#held = commit;
    try {
      this.writeNow();
      if (level === 'immediate') this.syncNow();
    } finally {
      this.#held = Number.POSITIVE_INFINITY;
    }
    receipt.durability = this.durable >= commit ? 'device' : 'kernel';
  }

  /** The blocking form of {@link reached}, for everything so far: what waits for the device is taken there. */
  reachNow(): void {
    this.writeNow();
    if (this.#wanted > this.durable) this.syncNow();
  }

  #want(commit: number, level: Durability): void {
    if (level === 'immediate') this.#wanted = commit;
    else this.#lazySync(level === 'debounced' ? this.#o.debounceMs : ASYNC_SYNC_MS);
  }

  /** Resolves once everything through `commit` has been reported at the level it asked for. */
  reached(commit: number): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#reported >= commit || this.waiting === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const receipt = new Receipt(commit, 0, 'kernel', 0, 0);
      this.#waiters.push({ commit, needsDevice: false, receipt, resolve: () => resolve(), reject });
    });
  }

  #scheduleWrite(): void {
    if (this.#writeScheduled) return;
    this.#writeScheduled = true;
    const now = this.#o.monotonicMs();
    if (this.#turnStart < 0) {
      this.#turnStart = now;
      this.#o.timers.immediate(this.#turnEnded);
    }
    if (now - this.#turnStart > TURN_MS_MAX) this.#o.timers.immediate(this.#writeGroup);
    else this.#o.timers.microtask(this.#writeGroup);
  }

  readonly #turnEnded = (): void => {
    this.#turnStart = -1;
  };

  readonly #writeGroup = (): void => {
    this.#writeScheduled = false;
    if (this.#failure !== undefined) return;
    try {
      this.writeNow();
    } catch {
      return; // every waiter has been told
    }
    if (this.#wanted > this.durable) this.#scheduleSync();
  };

  /** Everything buffered reaches the kernel. @throws after telling all waiters */
  writeNow(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const last = this.#o.appended();
    if (last > this.written) {
      try {
        this.#o.log.writeGroup();
      } catch (error) {
        throw this.fail(error);
      }
      this.groups++;
      this.written = last;
      this.#o.onWritten(last);
    }
    this.#report();
  }

  /** Everything buffered reaches the device, blocking. */
  syncNow(): void {
    this.writeNow();
    const through = this.written;
    if (through <= this.durable) return;
    const start = this.#o.monotonicMs();
    try {
      this.#o.log.syncNow();
    } catch (error) {
      throw this.fail(error);
    }
    this.#synced(through, start);
  }

  /** The same without blocking. */
  async sync(): Promise<void> {
    this.writeNow();
    const through = this.written;
    while (this.durable < through) {
      if (this.#failure !== undefined) throw this.#failure;
      this.#wanted = Math.max(this.#wanted, through);
      if (!this.#syncing) await this.#runSync();
      else await this.#nextSync();
    }
  }

  #syncDone: (() => void)[] = [];

  #nextSync(): Promise<void> {
    return new Promise((resolve) => this.#syncDone.push(resolve));
  }

  #scheduleSync(): void {
    if (this.#syncScheduled || this.#syncing) return;
    this.#syncScheduled = true;
    this.#o.timers.immediate(() => {
      this.#syncScheduled = false;
      if (this.#failure !== undefined || this.#syncing || this.#wanted <= this.durable) return;
      void this.#runSync();
    });
  }

  /** One sync of all that is written; starts the next when somebody wants more. Never rejects. */
  async #runSync(): Promise<void> {
    this.#syncing = true;
    try {
      this.writeNow();
      const through = this.written;
      const start = this.#o.monotonicMs();
      await this.#o.log.sync();
      if (this.#failure === undefined) this.#synced(through, start);
    } catch (error) {
      this.fail(error);
    } finally {
      this.#syncing = false;
      const done = this.#syncDone;
      this.#syncDone = [];
      for (const resolve of done) resolve();
    }
    if (this.#failure === undefined && this.#wanted > this.durable) this.#scheduleSync();
  }

  #synced(through: number, start: number): void {
    const elapsed = this.#o.monotonicMs() - start;
    this.syncs++;
    this.syncMsLast = elapsed;
    this.syncMsTotal += elapsed;
    if (elapsed > this.syncMsMax) this.syncMsMax = elapsed;
    if (through > this.durable) this.durable = through;
    this.#report();
  }

  #lazySync(withinMs: number): void {
    // What was set before for no longer a time ends sooner: no need to ask the clock.
    if (withinMs >= this.#lazyWithinMs) return;
    const due = this.#o.monotonicMs() + withinMs;
    if (due >= this.#lazyDueMs) return;
    this.#lazyTimer?.cancel();
    this.#lazyWithinMs = withinMs;
    this.#lazyDueMs = due;
    this.#lazyTimer = this.#o.timers.after(withinMs, true, () => {
      this.#lazyTimer = undefined;
      this.#lazyWithinMs = Number.POSITIVE_INFINITY;
      this.#lazyDueMs = Number.POSITIVE_INFINITY;
      if (this.#failure !== undefined) return;
      this.#wanted = Math.max(this.#wanted, this.written);
      if (this.#wanted > this.durable) this.#scheduleSync();
    });
  }

  #report(): void {
    const applied = this.#o.applied();
    const durable = Math.min(this.durable, applied);
    if (durable > this.#toldDurable) {
      this.#toldDurable = durable;
      this.#o.onDurable(durable);
    }
    const waiters = this.#waiters;
    const first = this.#reported + 1;
    let at = this.#head;
    while (at < waiters.length) {
      const waiter = waiters[at]!;
      if (waiter.needsDevice ? waiter.commit > this.durable : waiter.commit > this.written) break;
      waiter.receipt.durability = waiter.commit <= this.durable ? 'device' : 'kernel';
      waiter.resolve(waiter.receipt);
      this.#reported = Math.max(this.#reported, waiter.commit);
      at++;
    }
    if (at === waiters.length) {
      if (at > 0) this.#waiters = [];
      this.#head = 0;
      const through = Math.min(this.written, applied, this.#held <= this.durable ? applied : this.#held - 1);
      this.#reported = Math.max(this.#reported, through);
    } else {
      this.#head = at;
      if (at > 4096 && at * 2 > waiters.length) {
        this.#waiters = waiters.slice(at);
        this.#head = 0;
      }
    }
    if (this.#reported >= first) this.#o.onReported(first, this.#reported);
  }

  /** Rejects all that wait, for good. Returns the error every later write gets. */
  fail(cause: unknown): SteleError {
    if (this.#failure !== undefined) return this.#failure;
    const from = this.durable + 1;
    const through = Math.max(this.#o.appended(), this.written);
    const what = cause instanceof Error ? cause.message : String(cause);
    this.#failure = new SteleError(
      'unavailable',
      'COMMIT_UNKNOWN',
      `commits ${from} to ${through} may or may not be kept: ${what}; close and reopen to find out`,
      {
        detail: { firstCommit: from, lastCommit: through },
        cause,
      },
    );
    const waiters = this.#waiters.slice(this.#head);
    this.#waiters = [];
    this.#head = 0;
    this.#lazyTimer?.cancel();
    this.#o.onFailure(this.#failure);
    for (const waiter of waiters) {
      waiter.reject(
        waiter.commit <= this.durable && !waiter.needsDevice
          ? this.#failure
          : new SteleError(
              'unavailable',
              'COMMIT_UNKNOWN',
              `commit ${waiter.commit} may or may not be kept: ${what}; close and reopen to find out`,
              { detail: { commit: waiter.commit }, cause },
            ),
      );
    }
    return this.#failure;
  }

  /** No more background syncs; what is written stays written. */
  stop(): void {
    this.#lazyTimer?.cancel();
    this.#lazyTimer = undefined;
  }
}
