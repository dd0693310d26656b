/**
 * The machine a crash run stands on: a faulty host whose monotonic clock moves by itself.
 *
 * Virtual time stands still between two pumps, so a slice of background work would never feel that its millisecond is
 * over. Here each look at the monotonic clock takes a millisecond: slices end, flushes and sweeps are interrupted,
 * and everything still follows from the seed.
 */

import { type FaultyHost, type FaultyHostOptions, faultyHost } from '../../src/host/faulty/host.ts';
import type { Host } from '../../src/host/host.ts';
import type { SyncStyle } from '../../src/host/storage.ts';
import type { Durability, EngineOptions } from '../../src/txn/types.ts';

/** What a run is, besides its steps. All of it follows from the seed but what the caller fixes. */
export interface Setup {
  readonly seed: number;
  readonly durability: Durability;
  readonly syncStyle: SyncStyle;
  /** ms, or Infinity. */
  readonly historyMs: number;
  readonly cacheMemory: number;
  readonly segmentBytes: number;
  readonly accelerator: boolean;
  readonly sectorBytes: number;
  readonly latencyMs: number;
}

/** The setup of a seed. */
export function setupOf(seed: number, durability: Durability, syncStyle: SyncStyle): Setup {
  return {
    seed,
    durability,
    syncStyle,
    historyMs: [Infinity, 0, 1500][seed % 3]!,
    cacheMemory: 2 ** 20,
    segmentBytes: 64 * 1024,
    accelerator: seed % 4 !== 3,
    // Smaller sectors than any disk has: so meta pages tear as well.
    sectorBytes: seed % 2 === 0 ? 256 : 512,
    latencyMs: [0, 0, 3][Math.floor(seed / 3) % 3]!,
  };
}

/** A machine with an empty disk. */
export function newMachine(setup: Setup, more: FaultyHostOptions = {}): FaultyHost {
  const { seed, syncStyle, sectorBytes, latencyMs } = setup;
  return faultyHost({ seed, syncStyle, sectorBytes, latencyMs, ...more });
}

/** Options to open the database of `setup` on `machine`. `again`: not for the first time, so recorded rules hold. */
export function optionsOf(setup: Setup, machine: FaultyHost, again: boolean): EngineOptions {
  return {
    host: machine,
    durability: setup.durability,
    cacheMemory: setup.cacheMemory,
    segmentBytes: setup.segmentBytes,
    accelerator: setup.accelerator,
    viewIdleMs: Infinity,
    ...(again ? {} : { historyRetention: setup.historyMs }),
  };
}

/** So long that each piece of a flush or sweep is a slice of its own, with a turn for others behind it. */
const TICK_MS = 1.1;

/** See the file comment. */
export function withTicks(machine: FaultyHost): Host {
  let ticks = 0;
  const { storage, random, timers, threads, hashing, texts, clock } = machine;
  return {
    storage,
    random,
    timers,
    threads,
    hashing,
    texts,
    clock: { nowMs: () => clock.nowMs(), monotonicMs: () => clock.monotonicMs() + ++ticks * TICK_MS },
  };
}

/** Lets virtual time pass inside a driven program. */
export function pause(machine: FaultyHost, ms: number): Promise<void> {
  return new Promise((resolve) => void machine.timers.after(ms, false, resolve));
}

/** A seed made of several numbers. */
export function mixSeed(...parts: readonly number[]): number {
  let seed = 0x811c9dc5;
  for (const part of parts) seed = Math.imul(seed ^ part, 0x01000193) ^ (seed >>> 13);
  return seed >>> 0;
}
