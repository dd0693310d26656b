/**
 * Clock, randomness and timers of a Node process.
 *
 * Specification: spec/host.md, "Clock", "Random", "Timers".
 */

import { randomFillSync } from 'node:crypto';
import type { Clock, Random, Timers } from '../host.ts';
import { ambientTimers } from '../memory/ambient.ts';

/** One call to the kernel's generator costs 1.2 µs; from a pool, 32 bytes cost 36 ns. */
const POOL_BYTES = 8192;
/** Larger requests go past the pool. */
const POOLED_BYTES_MAX = 512;

/** `Date.now` and `performance.now`. */
export function nodeClock(): Clock {
  return { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
}

/** node:crypto. Bytes of the pool are wiped as they are given out. */
export function nodeRandom(): Random {
  const pool = new Uint8Array(POOL_BYTES);
  let at = POOL_BYTES;
  return {
    fill(target) {
      if (target.length > POOLED_BYTES_MAX) {
        randomFillSync(target);
        return;
      }
      if (at + target.length > POOL_BYTES) {
        randomFillSync(pool);
        at = 0;
      }
      for (let i = 0; i < target.length; i++, at++) {
        target[i] = pool[at]!;
        pool[at] = 0;
      }
    },
  };
}

/** queueMicrotask, setImmediate, setTimeout (background ones unref'd). */
export function nodeTimers(): Timers {
  return ambientTimers();
}
