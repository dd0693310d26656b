/** Single writes, writes in flight together, batches, deletes, and a mix. */

import { drawKeys, keyOf, shuffledIndexes, textOf } from '../data.ts';
import { inChunks } from '../measure.ts';
import type { Rival } from '../rival.ts';
import { type Bench, best, type Round, row } from '../row.ts';
import { uniform } from './reads.ts';

/** Writes one after another; a promise only when the engine gives one. */
export async function putOneByOne(rival: Rival, keys: readonly string[], from: number, to: number, generation: number): Promise<void> {
  for (let i = from; i < to; i++) {
    const pending = rival.put(keys[i]!, textOf(i, generation));
    if (pending !== undefined) await pending;
  }
}

/** All of a chunk in flight at once. */
export async function putTogether(rival: Rival, keys: readonly string[], from: number, to: number, generation: number): Promise<void> {
  const pending: unknown[] = [];
  for (let i = from; i < to; i++) {
    const one = rival.putTogether(keys[i]!, textOf(i, generation));
    if (one !== undefined) pending.push(one);
  }
  if (pending.length > 0) await Promise.all(pending);
}

async function overwrites(bench: Bench): Promise<Round> {
  const draw = uniform(bench, 31);
  const pace = bench.pace(100_000, 500);
  return async (round) => {
    const keys = drawKeys(pace.operations, draw);
    return { chunks: await inChunks(pace, (from, to) => putOneByOne(bench.rival, keys, from, to, round + 2)) };
  };
}

/** New keys lie between the loaded ones, in seeded order; each round takes the next of them. */
function newKeys(bench: Bench): (count: number) => string[] {
  const order = shuffledIndexes(bench.settings.keys, bench.settings.seed + 32);
  let next = 0;
  return (count) => Array.from({ length: count }, () => keyOf(2 * order[next++ % order.length]! + 1));
}

async function inserts(bench: Bench): Promise<Round> {
  const take = newKeys(bench);
  const pace = bench.pace(Math.min(100_000, Math.floor(bench.settings.keys / (bench.settings.rounds + 1))), 500);
  return async (round) => {
    const keys = take(pace.operations);
    return { chunks: await inChunks(pace, (from, to) => putOneByOne(bench.rival, keys, from, to, round + 2)) };
  };
}

async function together(bench: Bench): Promise<Round> {
  const draw = uniform(bench, 33);
  const pace = bench.pace(100_000, 1000);
  return async (round) => {
    const keys = drawKeys(pace.operations, draw);
    return { chunks: await inChunks(pace, (from, to) => putTogether(bench.rival, keys, from, to, round + 2)) };
  };
}

async function bulkLoad(bench: Bench): Promise<Round> {
  const order = shuffledIndexes(bench.settings.keys, bench.settings.seed + 34);
  return async (round) => {
    const rival = round < 0 ? bench.rival : await bench.openAnother(`load-${round}`);
    const size = Math.min(1000, bench.settings.keys);
    const pace = { operations: Math.floor(order.length / size), chunk: 1, roundMs: round < 0 ? 500 : bench.settings.roundMs * 8 };
    let seconds = 0;
    let written = 0;
    await inChunks(pace, async (from) => {
      const keys = Array.from(order.subarray(from * size, (from + 1) * size), (index) => keyOf(2 * index));
      const values = keys.map((_key, i) => textOf(from * size + i));
      const started = performance.now();
      const pending = rival.batch(keys, values);
      if (pending !== undefined) await pending;
      seconds += (performance.now() - started) / 1000;
      written += size;
    });
    return { chunks: [written / seconds] };
  };
}

async function deletes(bench: Bench): Promise<Round> {
  const order = shuffledIndexes(bench.settings.keys, bench.settings.seed + 35);
  const pace = bench.pace(Math.min(100_000, Math.floor(bench.settings.keys / (bench.settings.rounds + 1))), 500);
  let next = 0;
  return async () => {
    const keys = Array.from({ length: pace.operations }, () => keyOf(2 * order[next++ % order.length]!));
    const chunks = await inChunks(pace, async (from, to) => {
      for (let i = from; i < to; i++) {
        const pending = bench.rival.remove(keys[i]!);
        if (pending !== undefined) await pending;
      }
    });
    if (bench.rival.get(keys[0]!) !== undefined) throw new Error(`${bench.engine}: deleted and still there`);
    return { chunks };
  };
}

/** 70 % get, 20 % put, 10 % delete, over the loaded keys. */
async function mixed(bench: Bench): Promise<Round> {
  const draw = uniform(bench, 36);
  const pace = bench.pace(100_000, 500);
  return async (round) => {
    const keys = drawKeys(pace.operations, draw);
    let found = 0;
    const chunks = await inChunks(pace, async (from, to) => {
      for (let i = from; i < to; i++) {
        const turn = (i * 7) % 10;
        if (turn < 7) {
          if (bench.rival.get(keys[i]!) !== undefined) found++;
          continue;
        }
        const pending = turn < 9 ? bench.rival.put(keys[i]!, textOf(i, round + 2)) : bench.rival.remove(keys[i]!);
        if (pending !== undefined) await pending;
      }
    });
    if (found === 0) throw new Error(`${bench.engine}: no get found anything`);
    return { chunks };
  };
}

const changing = { changes: true } as const;

export const writeRows = [
  row({ name: 'put-overwrite', title: 'put, overwrite, async', ...changing, bar: best(3), goal: best(6), prepare: overwrites }),
  row({ name: 'put-new', title: 'put, new key, async', ...changing, bar: best(3), goal: best(6), prepare: inserts }),
  row({
    name: 'put-together-1000',
    title: 'put, 1000 awaited together, async',
    ...changing,
    bar: best(2),
    goal: best(4),
    prepare: together,
  }),
  row({
    name: 'bulk-load',
    title: 'bulk load, batches of 1000',
    unit: 'entries/s',
    data: 'empty',
    ...changing,
    roundsMax: 3,
    bar: best(1),
    goal: best(2),
    prepare: bulkLoad,
  }),
  row({ name: 'delete', title: 'delete', ...changing, bar: best(2), goal: best(4), prepare: deletes }),
  row({ name: 'mixed-70-20-10', title: 'mixed 70 get / 20 put / 10 delete', ...changing, bar: best(2.5), goal: best(5), prepare: mixed }),
];
