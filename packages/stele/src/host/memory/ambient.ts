/**
 * Clock, randomness and timers from what every JavaScript platform offers: the defaults of the memory host.
 *
 * Nothing from Node is imported, so this runs in a browser worker too. A sandbox that offers less passes its own.
 *
 * Specification: spec/host.md, "Memory host".
 */

import type { Clock, Random, Timer, Timers } from '../host.ts';

/** Longest delay a platform timer takes; a longer one fires at once instead. */
const DELAY_MS_MAX = 2 ** 31 - 1;
/** Most bytes `getRandomValues` gives in one call. */
const RANDOM_BYTES_MAX = 65_536;

/** The platform's wall clock and monotonic clock. */
export function ambientClock(): Clock {
  return { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
}

/** The platform's cryptographic generator. */
export function ambientRandom(): Random {
  return {
    fill(target) {
      // The generator refuses shared memory, so bytes go through a buffer of our own.
      const own = new Uint8Array(Math.min(target.length, RANDOM_BYTES_MAX));
      for (let done = 0; done < target.length; done += own.length) {
        globalThis.crypto.getRandomValues(own);
        target.set(own.subarray(0, Math.min(own.length, target.length - done)), done);
      }
    },
  };
}

/** The platform's timers; delays beyond 24 days are chained. */
export function ambientTimers(): Timers {
  const immediate: (work: () => void) => void =
    typeof setImmediate === 'function' ? (work) => void setImmediate(work) : (work) => void setTimeout(work, 0);
  return {
    microtask: (work) => queueMicrotask(work),
    immediate,
    after: (delayMs, background, work) => startTimer(delayMs, background, work),
  };
}

function startTimer(delayMs: number, background: boolean, work: () => void): Timer {
  let left = Math.max(0, Math.ceil(delayMs));
  let handle: unknown;
  const arm = (): void => {
    const step = Math.min(left, DELAY_MS_MAX);
    left -= step;
    const timer: unknown = setTimeout(() => (left > 0 ? arm() : work()), step);
    if (background) (timer as { unref?: () => void }).unref?.();
    handle = timer;
  };
  arm();
  return { cancel: () => clearTimeout(handle as ReturnType<typeof setTimeout>) };
}
