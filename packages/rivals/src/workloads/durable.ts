/** Writes that are on the device when they return; beside them, what the device itself takes. */

import { closeSync, fdatasyncSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { drawKeys, textOf } from '../data.ts';
import { inChunks, median, quantile, timeMs } from '../measure.ts';
import { type Bench, best, onDisk, ownRow, type Round, row } from '../row.ts';
import { uniform } from './reads.ts';
import { putTogether } from './writes.ts';

/** Ms of `count` writes of 130 bytes, each followed by fdatasync, into a file that was filled with zeros before. */
export function rawSyncsMs(directory: string, count: number): number[] {
  const path = join(directory, 'raw-sync.probe');
  const file = openSync(path, 'w+');
  writeSync(file, Buffer.alloc(1 << 20));
  fsyncSync(file);
  const record = Buffer.alloc(130, 7);
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const started = performance.now();
    writeSync(file, record, 0, record.length, (i * record.length) % ((1 << 20) - 256));
    fdatasyncSync(file);
    times.push(performance.now() - started);
  }
  closeSync(file);
  rmSync(path);
  return times;
}

const probes = (bench: Bench): number => Math.min(200, bench.settings.keys);

/** The share of the device's own rate that one writer reaches: raw time per write over ours. */
async function oneWriter(bench: Bench): Promise<Round> {
  const draw = uniform(bench, 41);
  const pace = bench.pace(5000, 20);
  return async (round) => {
    const raw = median(rawSyncsMs(bench.directory, probes(bench)));
    const keys = drawKeys(pace.operations, draw);
    const latenciesMs: number[] = [];
    const chunks = await inChunks(pace, async (from, to) => {
      for (let i = from; i < to; i++) {
        const started = performance.now();
        const pending = bench.rival.put(keys[i]!, textOf(i, round + 2));
        if (pending !== undefined) await pending;
        latenciesMs.push(performance.now() - started);
      }
    });
    const own = median(latenciesMs);
    return { chunks, latenciesMs, figures: { ofRawSync: raw / own, timesRawSync: own / raw, rawSyncMs: raw } };
  };
}

/** 100 writers, each of which waits for its write before the next. */
async function hundredWriters(bench: Bench): Promise<Round> {
  const draw = uniform(bench, 42);
  const pace = bench.pace(50_000, 100);
  return async (round) => {
    const keys = drawKeys(pace.operations, draw);
    return { chunks: await inChunks(pace, (from, to) => putTogether(bench.rival, keys, from, to, round + 2)) };
  };
}

/** 100 puts as one commit against 100 commits, one writer. */
async function oneTransaction(bench: Bench): Promise<Round> {
  const draw = uniform(bench, 43);
  return async (round) => {
    const keys = drawKeys(100, draw);
    const values = keys.map((_key, i) => textOf(i, round + 3));
    const apart: number[] = [];
    const joined: number[] = [];
    const begin = performance.now();
    while (apart.length < 10 && (apart.length === 0 || performance.now() - begin < bench.settings.roundMs)) {
      apart.push(
        await timeMs(async () => {
          for (let i = 0; i < keys.length; i++) {
            const pending = bench.rival.put(keys[i]!, values[i]!);
            if (pending !== undefined) await pending;
          }
        }),
      );
      joined.push(await timeMs(() => bench.rival.batch(keys, values)));
    }
    return { figures: { ratio: median(apart) / median(joined), apartMs: median(apart), togetherMs: quantile(joined, 0.5) } };
  };
}

const immediate = { durability: 'immediate', changes: true, engines: onDisk } as const;

export const durableRows = [
  row({
    name: 'put-fsync-one',
    title: 'put, on the device each, one writer',
    ...immediate,
    bar: { text: '1x best; ≥ 0.7 of raw fdatasync', checks: [{ timesBest: 1 }, { atLeast: 0.7, figure: 'ofRawSync' }] },
    goal: best(1.5),
    prepare: oneWriter,
  }),
  row({
    name: 'put-fsync-100',
    title: 'put, on the device, 100 writers',
    ...immediate,
    bar: best(2.5),
    goal: best(5),
    prepare: hundredWriters,
  }),
];

export const ownDurableRows = [
  ownRow({
    name: 'durable-latency',
    title: 'durable commit, one writer, p50 / p99',
    ...immediate,
    figure: 'p50Ms',
    unit: 'ms',
    better: 'less',
    bar: {
      text: "≤ 2 ms / ≤ 10 ms and ≤ 2x the disk's own sync",
      checks: [
        { atMost: 2, figure: 'p50Ms' },
        { atMost: 10, figure: 'p99Ms' },
        { atMost: 2, figure: 'timesRawSync' },
      ],
    },
    goal: { text: "≤ 1.3x the disk's own sync", checks: [{ atMost: 1.3, figure: 'timesRawSync' }] },
    prepare: oneWriter,
  }),
  ownRow({
    name: 'one-transaction',
    title: '100 puts in one transaction against 100 transactions, immediate',
    ...immediate,
    figure: 'ratio',
    unit: 'x',
    bar: { text: '10x', checks: [{ atLeast: 10 }] },
    goal: { text: '50x', checks: [{ atLeast: 50 }] },
    prepare: oneTransaction,
  }),
];
