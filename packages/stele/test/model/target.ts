/**
 * What a model run drives: something that opens an engine on the same files again and again, and its clock.
 */

import { memoryHost } from '../../src/host/memory/host.ts';
import { attachEngine } from '../../src/txn/threads/attach.ts';
import type { Engine, EngineOptions, Reader, View } from '../../src/txn/types.ts';
import { type Bug, FakeEngine, fakeStore } from '../reference/fake-engine.ts';
import { keyBytes } from '../reference/keys.ts';
import { historyMsOf, type Setup } from './program.ts';
import { SeededRandom } from './random.ts';

/** The program sets it; the host shows it. */
export interface ModelClock {
  ms: number;
}

export interface Target {
  readonly clock: ModelClock;
  /** Opens, or opens again after `close()`; then without `historyMs` the recorded rules hold. */
  open(historyMs?: number): Promise<Engine>;
  /** Reads the open engine the way another thread does, here on this one, so that a program stays repeatable. */
  attach(engine: Engine): AttachedReader;
}

/** What another thread can do with the database. */
export interface AttachedReader extends Reader {
  snapshot(): View;
  close(): void;
}

export type MakeTarget = (setup: Setup) => Target;

/** Where a program's clock starts: 2001, far from 0 and from today. */
const START_MS = 1_000_000_000_000;

/** The reference behind the byte interface, optionally with a bug. */
export function fakeTarget(bug?: Bug): MakeTarget {
  return (setup) => {
    const clock = { ms: START_MS };
    const store = fakeStore(historyMsOf(setup.historyMs));
    const open = async (historyMs?: number) => {
      const engine = new FakeEngine(store, () => clock.ms, bug);
      const own = { prefix: new Uint8Array(0), historyMs: historyMs ?? 0 };
      const others = store.reference.rules.slice(1).map((rule) => ({ prefix: keyBytes(rule.prefix), historyMs: rule.historyMs }));
      if (historyMs !== undefined) engine.setRetention({ rules: [own, ...others] });
      return engine;
    };
    // A second fake over the same store reads what the first commits; closing it closes nothing.
    return { clock, open, attach: () => Object.assign(new FakeEngine(store, () => clock.ms, bug), { close: async () => {} }) };
  };
}

/** The engine on the memory host. */
export function engineTarget(openEngine: (options: EngineOptions) => Promise<Engine>): MakeTarget {
  return (setup) => {
    const clock = { ms: START_MS };
    const random = new SeededRandom(1);
    const base = memoryHost({
      clock: { nowMs: () => clock.ms, monotonicMs: () => performance.now() },
      random: { fill: (target) => random.fill(target) },
    });
    let host = base;
    const open = (historyMs?: number) => {
      host = memoryHost({ storage: base.storage, clock: base.clock, random: base.random });
      return openEngine(options(historyMs));
    };
    const options = (historyMs: number | undefined): EngineOptions => ({
      host,
      durability: setup.durability,
      cacheMemory: setup.cacheMemory,
      pageSize: setup.pageSize,
      segmentBytes: setup.segmentBytes,
      ...(historyMs === undefined ? {} : { historyRetention: historyMs }),
      accelerator: setup.accelerator,
      viewIdleMs: Infinity,
    });
    return { clock, open, attach: (engine) => attachEngine(engine.share(), { host }) };
  };
}

/** {@link engineTarget} over the engine of src/txn. */
export async function realTarget(): Promise<MakeTarget> {
  const module = (await import(new URL('../../src/txn/engine.ts', import.meta.url).href)) as {
    openEngine(options: EngineOptions): Promise<Engine>;
  };
  return engineTarget(module.openEngine);
}
