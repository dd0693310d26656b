/**
 * Time that moves when the test says so: a clock that can step back, and timers on it.
 *
 * Invariants
 * - `monotonicMs` never goes back; `step()` moves the wall clock alone.
 * - Between any two pieces of work all real microtasks have run, so promises settle as they would in a process.
 * - An error thrown by work comes out of the pump (`drive`, `advance`, `runUntilIdle`); PowerCut is swallowed, since
 *   the program it ends is not there to see it.
 *
 * Specification: spec/host.md, "Faulty host".
 */

import type { Clock, Timer, Timers } from '../host.ts';
import { PowerCut } from './power-cut.ts';

/** A pump that does this much without an end is taken for an endless loop. */
const STEPS_MAX = 10_000_000;

interface Alarm {
  readonly dueMs: number;
  readonly order: number;
  readonly isBackground: boolean;
  readonly work: () => void;
}

/** See the file comment. */
export class VirtualTime {
  readonly clock: Clock;
  readonly timers: Timers;
  #nowMs = 0;
  #wallOffsetMs: number;
  #immediates: (() => void)[] = [];
  readonly #alarms = new Set<Alarm>();
  #lastOrder = 0;
  #pendingError: { readonly error: unknown } | undefined;

  /** @param startMs wall time at the start; default 1 January 2026. */
  constructor(startMs = 1_767_225_600_000) {
    this.#wallOffsetMs = startMs;
    this.clock = {
      nowMs: () => Math.floor(this.#wallOffsetMs + this.#nowMs),
      monotonicMs: () => this.#nowMs,
    };
    this.timers = {
      microtask: (work) => queueMicrotask(() => this.#guard(work)),
      immediate: (work) => void this.#immediates.push(work),
      after: (delayMs, background, work) => this.#arm(delayMs, background, work),
    };
  }

  /** Moves the wall clock alone, forwards or back. */
  step(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  /** Lets `ms` pass with everything that is due in them. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (let steps = 0; await this.#runNext(endMs, true); steps++) this.#checkSteps(steps);
    this.#nowMs = Math.max(this.#nowMs, endMs);
  }

  /** Runs until nothing is left but background timers, moving time as foreground timers need. */
  async runUntilIdle(): Promise<void> {
    for (let steps = 0; await this.#runNext(Number.POSITIVE_INFINITY, false); steps++) this.#checkSteps(steps);
  }

  /**
   * Runs until `work` settles, background timers included, and gives its outcome.
   *
   * @throws {Error} when nothing is left to run and `work` has not settled: a deadlock, or a sync that hangs.
   */
  async drive<T>(work: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    work.then(settled, settled);
    for (let steps = 0; ; steps++) {
      await this.#settleMicrotasks();
      if (isSettled) return work;
      if (!(await this.#runNext(Number.POSITIVE_INFINITY, true))) {
        if (isSettled) return work;
        throw new Error('nothing left to run, and the work has not settled');
      }
      this.#checkSteps(steps);
    }
  }

  /** Forgets everything that was to run: the machine stopped. */
  stop(): void {
    this.#immediates = [];
    this.#alarms.clear();
  }

  /** One piece of work, if any is due by `endMs`. */
  async #runNext(endMs: number, withBackground: boolean): Promise<boolean> {
    await this.#settleMicrotasks();
    const immediate = this.#immediates.shift();
    if (immediate !== undefined) {
      this.#guard(immediate);
      await this.#settleMicrotasks();
      return true;
    }
    const alarm = this.#nextAlarm();
    if (alarm === undefined || alarm.dueMs > endMs) return false;
    if (!withBackground && alarm.dueMs > this.#nowMs && ![...this.#alarms].some((each) => !each.isBackground)) return false;
    this.#alarms.delete(alarm);
    this.#nowMs = Math.max(this.#nowMs, alarm.dueMs);
    this.#guard(alarm.work);
    await this.#settleMicrotasks();
    return true;
  }

  #nextAlarm(): Alarm | undefined {
    let next: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (next === undefined || alarm.dueMs < next.dueMs || (alarm.dueMs === next.dueMs && alarm.order < next.order)) next = alarm;
    }
    return next;
  }

  #arm(delayMs: number, isBackground: boolean, work: () => void): Timer {
    const alarm: Alarm = { dueMs: this.#nowMs + Math.max(0, delayMs), order: ++this.#lastOrder, isBackground, work };
    this.#alarms.add(alarm);
    return { cancel: () => void this.#alarms.delete(alarm) };
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof PowerCut)) this.#pendingError ??= { error };
    }
  }

  /** A turn of the real event loop: all microtasks, and those they queue, have run after it. */
  async #settleMicrotasks(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (this.#pendingError === undefined) return;
    const { error } = this.#pendingError;
    this.#pendingError = undefined;
    throw error;
  }

  #checkSteps(steps: number): void {
    if (steps > STEPS_MAX) throw new Error(`still running after ${STEPS_MAX} steps`);
  }
}
