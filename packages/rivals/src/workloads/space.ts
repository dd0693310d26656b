/** Bytes: of pages, of log records, of the heap. And the time to open. */

import { drawKeys, keyLength, keyOf, textOf, valueLength } from '../data.ts';
import { timeMs } from '../measure.ts';
import { asOurs } from '../ours.ts';
import { atMost, type Bench, best, onDisk, ownRow, type Round, row } from '../row.ts';
import { uniform } from './reads.ts';
import { putOneByOne, putTogether } from './writes.ts';

const logical = (entries: number): number => entries * (keyLength + valueLength);

async function pageBytes(bench: Bench): Promise<Round> {
  return async () => {
    await bench.rival.settle();
    await bench.rival.compact();
    await bench.rival.settle();
    return { figures: { ratio: bench.rival.dataBytes() / logical(bench.settings.keys) } };
  };
}

async function openTime(bench: Bench): Promise<Round> {
  let rival = bench.rival;
  return async () => {
    const key = keyOf(0);
    await rival.close();
    const openMs = await timeMs(async () => {
      rival = await bench.reopen();
      if (rival.get(key) === undefined) throw new Error(`${bench.engine}: the first key is gone`);
    });
    return { figures: { openMs } };
  };
}

/** Entries that are written singly, ten and more in flight, so that groups form as they do under load. */
async function logBytes(bench: Bench): Promise<Round> {
  const draw = uniform(bench, 81);
  return async (round) => {
    const rival = asOurs(await bench.openAnother(`log-${round}`));
    const count = Math.min(100_000, bench.settings.keys);
    const keys = drawKeys(count, draw);
    const begin = rival.logBytes();
    for (let at = 0; at < count; at += 20) await putTogether(rival, keys, at, Math.min(count, at + 20), 1);
    await rival.sync();
    return { figures: { ratio: (rival.logBytes() - begin) / logical(count) } };
  };
}

/** Bytes the heap grew by per call; the process has room for all of them in its young generation, so nothing is collected meanwhile. */
function heapPerCall(work: (i: number) => void, calls: number): number {
  const collect = (globalThis as { gc?: () => void }).gc;
  for (let i = 0; i < calls; i++) work(i); // until all of it is compiled: what is not yet keeps its numbers on the heap
  collect?.();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < calls; i++) work(i);
  return Math.max(0, process.memoryUsage().heapUsed - before) / calls;
}

const HEAP_CALLS = 50_000;

/** In a database of its own, so that the adapter may store what it likes. */
async function heapOfGet(bench: Bench): Promise<Round> {
  const rival = asOurs(await bench.openAnother('heap'));
  const keys = drawKeys(Math.min(HEAP_CALLS, bench.settings.keys), uniform(bench, 82));
  rival.batch(
    keys,
    keys.map((_key, i) => textOf(i)),
  );
  const get = rival.bareGets(keys);
  return async () => ({ figures: { bytes: heapPerCall(get, HEAP_CALLS) } });
}

async function heapOfPut(bench: Bench): Promise<Round> {
  const keys = drawKeys(Math.min(HEAP_CALLS, bench.settings.keys), uniform(bench, 83));
  const put = asOurs(bench.rival).barePuts(keys, textOf(0));
  return async () => ({ figures: { bytes: heapPerCall(put, HEAP_CALLS) } });
}

/** A cache of a quarter of the data; everything else lies in the system's page cache. */
function smallCache(kind: 'get' | 'put') {
  return async (bench: Bench): Promise<Round> => {
    const draw = uniform(bench, 84);
    return async (round) => {
      const count = Math.min(50_000, bench.settings.keys);
      const keys = drawKeys(count, draw);
      const ms = await timeMs(async () => {
        if (kind === 'put') return putOneByOne(bench.rival, keys, 0, count, round + 5);
        let found = 0;
        for (const key of keys) if (bench.rival.get(key) !== undefined) found++;
        if (found !== count) throw new Error(`${bench.engine}: found ${found} of ${count}`);
      });
      return { chunks: [(count * 1000) / ms], figures: { value: textOf(0).length } };
    };
  };
}

const quarter = (settings: { keys: number }): { cacheBytes: number } => ({ cacheBytes: Math.max(1 << 20, (settings.keys * 160) >> 2) });

export const spaceRows = [
  row({
    name: 'page-bytes',
    title: 'page file bytes per logical byte, history off, after compact',
    figure: 'ratio',
    unit: 'x',
    better: 'less',
    engines: onDisk,
    changes: true,
    warmups: 0,
    roundsMax: 1,
    options: () => ({ historyMs: 0 }),
    bar: atMost(1.5, '1.5'),
    goal: atMost(1.15, '1.15'),
    prepare: pageBytes,
  }),
  row({
    name: 'open-time',
    title: 'open with the loaded keys, first get included',
    figure: 'openMs',
    unit: 'ms',
    better: 'less',
    engines: onDisk,
    bar: atMost(20, '20 ms'),
    goal: atMost(5, '5 ms'),
    prepare: openTime,
  }),
];

export const ownSpaceRows = [
  row({
    name: 'cache-4x-get',
    kind: 'ours',
    title: 'get with the database 4x the cache',
    engines: onDisk,
    options: quarter,
    bar: { text: '0.5x lmdb', checks: [{ timesRival: 0.5, rival: 'lmdb' }] },
    goal: { text: '1x lmdb', checks: [{ timesRival: 1, rival: 'lmdb' }] },
    prepare: smallCache('get'),
  }),
  row({
    name: 'cache-4x-put',
    kind: 'ours',
    title: 'put with the database 4x the cache',
    engines: onDisk,
    changes: true,
    options: quarter,
    bar: best(1),
    goal: best(3),
    prepare: smallCache('put'),
  }),
  ownRow({
    name: 'log-bytes',
    title: 'log bytes per logical byte (20-byte key, 100-byte value, groups of 20)',
    figure: 'ratio',
    unit: 'x',
    better: 'less',
    data: 'empty',
    changes: true,
    warmups: 0,
    roundsMax: 2,
    bar: atMost(1.6, '1.6'),
    goal: atMost(1.35, '1.35'),
    prepare: logBytes,
  }),
  ownRow({
    name: 'heap-get',
    title: 'heap bytes allocated per get beyond what is returned',
    figure: 'bytes',
    unit: 'bytes',
    better: 'less',
    changes: true,
    nodeFlags: ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64'],
    bar: atMost(64, '64'),
    goal: atMost(1, '0'),
    prepare: heapOfGet,
  }),
  ownRow({
    name: 'heap-put',
    title: 'heap bytes allocated per put, receipt included',
    figure: 'bytes',
    unit: 'bytes',
    better: 'less',
    changes: true,
    nodeFlags: ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64'],
    bar: atMost(256, '256'),
    goal: atMost(96, '96'),
    prepare: heapOfPut,
  }),
];
