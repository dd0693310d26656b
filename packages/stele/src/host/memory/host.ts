/**
 * The memory host: the whole seam with nothing from Node.
 *
 * Clock, randomness and timers are parameters; the defaults use what every JavaScript platform offers.
 * Given all three, the engine runs with no ambient capability at all. Jobs run inline.
 *
 * Specification: spec/host.md, "Memory host".
 */

import type { Clock, Hashing, Host, Random, Texts, Timers } from '../host.ts';
import { inlineThreads } from '../inline-threads.ts';
import { pureHashing } from '../pure-hashing.ts';
import { pureTexts } from '../pure-texts.ts';
import type { Storage } from '../storage.ts';
import { ambientClock, ambientRandom, ambientTimers } from './ambient.ts';
import { memoryStorage } from './storage.ts';

/** Everything has a default; pass what should be shared with another host or replaced. */
export interface MemoryHostOptions {
  readonly storage?: Storage;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly timers?: Timers;
  readonly hashing?: Hashing;
  readonly texts?: Texts;
}

/** A host in memory. */
export function memoryHost(options: MemoryHostOptions = {}): Host {
  const storage = options.storage ?? memoryStorage();
  const timers = options.timers ?? ambientTimers();
  const hashing = options.hashing ?? pureHashing();
  return {
    storage,
    clock: options.clock ?? ambientClock(),
    random: options.random ?? ambientRandom(),
    timers,
    hashing,
    texts: options.texts ?? pureTexts(),
    threads: inlineThreads({ storage, hashing, timers }),
  };
}
