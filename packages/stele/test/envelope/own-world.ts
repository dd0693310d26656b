/**
 * A world made of nothing but the language: time is a number, timers are a list, and turns are promises.
 *
 * `drive` lets promises settle, then runs the earliest timer and moves time to it, until its work is done.
 */

import type { Clock, Timers } from '../../src/host/host.ts';

interface Due {
  readonly atMs: number;
  readonly order: number;
  readonly work: () => void;
}

/** Promise turns given before a timer runs; the longest chain of awaits in the engine is far shorter. */
const TURNS = 50;

export class OwnWorld {
  #nowMs = 1_700_000_000_000;
  #order = 0;
  #due: Due[] = [];

  readonly clock: Clock = { nowMs: () => Math.floor(this.#nowMs), monotonicMs: () => this.#nowMs };

  readonly timers: Timers = {
    microtask: (work) => void Promise.resolve().then(work),
    immediate: (work) => void this.#add(0, work),
    after: (delayMs, _background, work) => {
      const due = this.#add(delayMs, work);
      return {
        cancel: () => {
          this.#due = this.#due.filter((other) => other !== due);
        },
      };
    },
  };

  async drive<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = (): void => {
      isDone = true;
    };
    work.then(done, done);
    for (;;) {
      for (let turn = 0; turn < TURNS && !isDone; turn++) await Promise.resolve();
      if (isDone) return await work;
      if (!this.#runEarliest()) throw new Error('nothing is due and the work is not done');
    }
  }

  #add(delayMs: number, work: () => void): Due {
    const due = { atMs: this.#nowMs + delayMs, order: this.#order++, work };
    this.#due.push(due);
    return due;
  }

  #runEarliest(): boolean {
    let earliest = this.#due[0];
    if (earliest === undefined) return false;
    for (const due of this.#due) if (due.atMs < earliest.atMs || (due.atMs === earliest.atMs && due.order < earliest.order)) earliest = due;
    this.#due.splice(this.#due.indexOf(earliest), 1);
    // A thousandth passes at every turn, so that slices of work come to their end.
    this.#nowMs = Math.max(this.#nowMs + 0.001, earliest.atMs);
    earliest.work();
    return true;
  }
}
