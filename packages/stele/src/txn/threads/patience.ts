/**
 * Patience: what a reader does when the owner was faster.
 *
 * The first tries follow at once. Then the thread sleeps, for the owner may itself have lost the processor in the middle of a change:
 * until the word it stumbled over moves on, at most a millisecond at a time. After ten seconds it gives up with the reason it has.
 *
 * Invariants
 * - On the owner's own thread nothing is ever in the middle of a change, so nobody sleeps there; a try that keeps failing is a fault.
 */

import { SteleError } from '../../base/errors.ts';
import type { Host } from '../../host/host.ts';
import { assertOpen, QUIET } from './control.ts';
import type { SharedMemory } from './memory.ts';

const AT_ONCE = 12;
const ATTEMPTS_INLINE_MAX = 64;
const STALLED_MS = 10_000;
const SLEEP_MS_MIN = 0.02;
const SLEEP_MS_MAX = 1;

export class Patience {
  /** The frame whose word was odd or changed, −1 for anything else; set by who fails. */
  frame = -1;
  /** Why it failed, when it was more than a race. */
  reason: unknown;
  readonly #memory: SharedMemory;
  readonly #host: Host;
  #attempts = 0;
  #since = 0;

  constructor(memory: SharedMemory, host: Host) {
    this.#memory = memory;
    this.#host = host;
  }

  /** A read begins. */
  reset(): void {
    this.#attempts = 0;
    this.reason = undefined;
  }

  /**
   * A try failed; returns when the next may begin.
   *
   * @throws {SteleError} the reason, or `unavailable` THREAD_STALLED; what assertOpen throws
   */
  again(): void {
    const { counters, control, versions } = this.#memory;
    assertOpen(control);
    counters.retries++;
    this.#attempts++;
    if (this.#attempts <= AT_ONCE) return;
    const { clock, threads } = this.#host;
    const now = clock.monotonicMs();
    if (this.#attempts === AT_ONCE + 1) this.#since = now;
    const isOver = threads.wait !== undefined ? now - this.#since > STALLED_MS : this.#attempts > ATTEMPTS_INLINE_MAX;
    if (isOver)
      throw (
        this.reason ?? new SteleError('unavailable', 'THREAD_STALLED', `a read failed ${this.#attempts} times: the owner does not move`)
      );
    if (threads.wait === undefined) return;
    counters.waits++;
    const sleepMs = Math.min(SLEEP_MS_MAX, SLEEP_MS_MIN * (this.#attempts - AT_ONCE));
    const { frame } = this;
    if (frame >= 0) {
      const word = Atomics.load(versions, frame);
      if ((word & 1) !== 0) threads.wait(versions, frame, word, sleepMs);
      return;
    }
    threads.wait(control, QUIET, 0, sleepMs);
  }
}
