/**
 * The faulty host: a whole simulated machine from one seed.
 *
 * Storage that fails as told, virtual time driven by the test, seeded randomness, inline threads. Everything that
 * happens follows from the seed and the calls, so a failing run is repeated by its seed.
 *
 * Specification: spec/host.md, "Faulty host".
 */

import type { Hashing, Host } from '../host.ts';
import { inlineThreads } from '../inline-threads.ts';
import { nodeHashing } from '../posix/hashing.ts';
import { nodeTexts } from '../posix/texts.ts';
import { Prng, seededRandom } from './prng.ts';
import type { FaultyOptions } from './settings.ts';
import { type FaultyStorage, faultyStorage } from './storage.ts';
import { VirtualTime } from './virtual-time.ts';

/** Options of the storage, and of time and hashing. */
export interface FaultyHostOptions extends Omit<FaultyOptions, 'later' | 'crc32'> {
  /** Default node's; {@link pureHashing} gives the same traces. */
  readonly hashing?: Hashing;
  /** Wall time at the start. */
  readonly startMs?: number;
  /** Virtual time an asynchronous read or sync takes. 0 (default): the next turn. */
  readonly latencyMs?: number;
}

/** See the file comment. */
export interface FaultyHost extends Host {
  readonly storage: FaultyStorage;
  readonly time: VirtualTime;
  /** Same as `time.drive`. */
  drive<T>(work: Promise<T>): Promise<T>;
  /** Same as `time.runUntilIdle`. */
  runUntilIdle(): Promise<void>;
  /** Same as `time.advance`. */
  advance(ms: number): Promise<void>;
  /** The machine after a power cut, as `storage.reboot`; time goes on from now, timers are gone. */
  reboot(options?: FaultyHostOptions): FaultyHost;
  /** The machine after the process was killed, as `storage.killProcess`. */
  killProcess(options?: FaultyHostOptions): FaultyHost;
  /** A copy of the machine without a process, as `storage.fork`. */
  fork(options?: FaultyHostOptions): FaultyHost;
}

/** A machine with an empty disk. */
export function faultyHost(options: FaultyHostOptions = {}): FaultyHost {
  return assemble((merged) => faultyStorage(merged), options, options.startMs);
}

/** `make` receives the storage's options completed with time and hashing. */
function assemble(make: (options: FaultyOptions) => FaultyStorage, options: FaultyHostOptions, startMs: number | undefined): FaultyHost {
  const { hashing = nodeHashing(), startMs: _start, latencyMs = 0, onStop, ...storageOptions } = options;
  const time = new VirtualTime(startMs);
  const { timers, clock } = time;
  const storage = make({
    ...storageOptions,
    crc32: hashing.crc32,
    later: latencyMs === 0 ? (work) => timers.immediate(work) : (work) => void timers.after(latencyMs, false, work),
    onStop: () => {
      time.stop();
      onStop?.();
    },
  });
  const next = (more: FaultyHostOptions): FaultyHostOptions => ({ hashing, latencyMs, ...more });
  const continued = (from: (merged: FaultyOptions) => FaultyStorage, more: FaultyHostOptions = {}): FaultyHost =>
    assemble(from, next(more), more.startMs ?? clock.nowMs());
  // Not the storage's own sequence, since drawing randomness must not change what the disk does; and another one
  // after every boot, since a real machine never repeats its keys.
  const random = seededRandom(new Prng(storage.seed + storage.bootNumber * 2 ** 32).u32());
  return {
    storage,
    clock,
    timers,
    random,
    hashing,
    texts: nodeTexts(),
    threads: inlineThreads({ storage, hashing, timers }),
    time,
    drive: (work) => time.drive(work),
    runUntilIdle: () => time.runUntilIdle(),
    advance: (ms) => time.advance(ms),
    reboot: (more) => continued((merged) => storage.reboot(merged), more),
    killProcess: (more) => continued((merged) => storage.killProcess(merged), more),
    fork: (more) => continued((merged) => storage.fork(merged), more),
  };
}
