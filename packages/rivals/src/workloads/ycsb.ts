/**
 * YCSB's core workloads A to F, wall clock, async durability: Zipf 0.99 over the loaded records, new records where the workload
 * inserts. D reads the latest with Zipf backwards from the newest; E scans 1 to 100 entries; F reads, then writes.
 */

import { keyOf, seededRandom, textOf, zipfIndexes } from '../data.ts';
import { inChunks } from '../measure.ts';
import type { Rival } from '../rival.ts';
import { type Bench, best, onDisk, type Round, type Row, row } from '../row.ts';

interface Mix {
  readonly title: string;
  readonly read: number;
  readonly update?: number;
  readonly insert?: number;
  readonly scan?: number;
  readonly latest?: boolean;
}

const mixes: Readonly<Record<string, Mix>> = {
  a: { title: '50 read / 50 update', read: 0.5, update: 0.5 },
  b: { title: '95 read / 5 update', read: 0.95, update: 0.05 },
  c: { title: 'read only', read: 1 },
  d: { title: '95 read latest / 5 insert', read: 0.95, insert: 0.05, latest: true },
  e: { title: '95 scan / 5 insert', read: 0, scan: 0.95, insert: 0.05 },
  f: { title: '50 read / 50 read-modify-write', read: 0.5 },
};

type Step = { readonly what: 'read' | 'update' | 'insert' | 'scan' | 'modify'; readonly key: string; readonly length: number };

/** The steps of a round, made before the clock starts. */
function planner(bench: Bench, mix: Mix): (count: number) => Step[] {
  const random = seededRandom(bench.settings.seed + 51);
  const zipf = zipfIndexes(bench.settings.keys, bench.settings.seed + 52);
  let inserted = 0;
  const pick = (): string => {
    if (mix.latest !== true) return keyOf(2 * zipf());
    // Newest first: recently inserted ids stand above the loaded ones.
    const back = Math.floor(bench.settings.keys * random() ** 8);
    const newest = bench.settings.keys + inserted - 1;
    return keyOf(2 * Math.max(0, newest - back));
  };
  return (count) =>
    Array.from({ length: count }, (): Step => {
      const u = random();
      const length = 1 + Math.floor(random() * 100);
      if (u < mix.read) return { what: 'read', key: pick(), length };
      if (u < mix.read + (mix.update ?? 0)) return { what: 'update', key: pick(), length };
      if (u < mix.read + (mix.scan ?? 0)) return { what: 'scan', key: pick(), length };
      if (mix.insert !== undefined) return { what: 'insert', key: keyOf(2 * (bench.settings.keys + inserted++)), length };
      return { what: 'modify', key: pick(), length };
    });
}

async function runSteps(rival: Rival, steps: readonly Step[], from: number, to: number, generation: number): Promise<number> {
  let found = 0;
  for (let i = from; i < to; i++) {
    const step = steps[i]!;
    if (step.what === 'read' || step.what === 'modify') {
      const value = rival.get(step.key);
      if (value !== undefined) found++;
      if (step.what === 'read') continue;
    }
    if (step.what === 'scan') {
      const pending = rival.range(step.key, step.length);
      if ((typeof pending === 'number' ? pending : await pending) > 0) found++;
      continue;
    }
    const pending = rival.put(step.key, textOf(i, generation));
    if (pending !== undefined) await pending;
  }
  return found;
}

function ycsb(mix: Mix) {
  return async (bench: Bench): Promise<Round> => {
    const plan = planner(bench, mix);
    const pace = bench.pace(mix.scan === undefined ? 100_000 : 20_000, 200);
    return async (round) => {
      const steps = plan(pace.operations);
      let found = 0;
      const chunks = await inChunks(pace, async (from, to) => {
        found += await runSteps(bench.rival, steps, from, to, round + 2);
      });
      if (found === 0) throw new Error(`${bench.engine}: no read found anything`);
      return { chunks };
    };
  };
}

export const ycsbRows: readonly Row[] = Object.entries(mixes).map(([letter, mix]) =>
  row({
    name: `ycsb-${letter}`,
    title: `YCSB ${letter.toUpperCase()}: ${mix.title}`,
    engines: onDisk,
    changes: true,
    bar: best(1.3),
    goal: best(2.5),
    prepare: ycsb(mix),
  }),
);
