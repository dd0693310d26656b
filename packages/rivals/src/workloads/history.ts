/** Reads of the past: what an older version costs beside the newest. */

import { drawKeys, keyOf, shuffledIndexes, textOf } from '../data.ts';
import { inChunks, median, timeMs } from '../measure.ts';
import { asOurs, type OurView } from '../ours.ts';
import { atMost, type Bench, ownRow, type Round } from '../row.ts';
import { uniform } from './reads.ts';
import { putOneByOne } from './writes.ts';

function readAll(from: OurView, keys: readonly string[], begin: number, end: number): number {
  let found = 0;
  for (let i = begin; i < end; i++) if (from.get(keys[i]!) !== undefined) found++;
  return found;
}

/** Every second entry gets one newer version; then both the newest state and the state before are read, in turns. */
async function halfSuperseded(bench: Bench): Promise<Round> {
  const rival = asOurs(bench.rival);
  const before = rival.version();
  const order = shuffledIndexes(bench.settings.keys, bench.settings.seed + 61).subarray(0, bench.settings.keys >> 1);
  for (let at = 0; at < order.length; at += 1000) {
    const some = order.subarray(at, at + 1000);
    await rival.batch(
      Array.from(some, (index) => keyOf(2 * index)),
      Array.from(some, (index) => textOf(index, 1)),
    );
  }
  await rival.settle();
  const draw = uniform(bench, 62);
  const pace = bench.pace(50_000, 500);
  return async () => {
    const keys = drawKeys(pace.operations, draw);
    const then = rival.asOf(before);
    const now = rival.now();
    const rate = async (from: OurView): Promise<number> =>
      median(
        await inChunks(pace, (begin, end) => {
          const found = readAll(from, keys, begin, end);
          if (found !== end - begin) throw new Error(`AS OF found ${found} of ${end - begin}`);
        }),
      );
    const scanRate = async (from: OurView): Promise<number> => {
      let characters = 0;
      const ms = await timeMs(() => void (characters = from.scanValues()));
      return characters / ms;
    };
    const figures = { getRatio: (await rate(then)) / (await rate(now)), scanRatio: (await scanRate(then)) / (await scanRate(now)) };
    then.close();
    return { figures };
  };
}

/** Keys with one older version, spread over the log of {@link deepChain}. */
const FLAT_KEYS = 20_000;

/** One key with as many versions as there are entries, and keys with a single older version between them. */
async function deepChain(bench: Bench): Promise<Round> {
  const rival = asOurs(await bench.openAnother('deep'));
  const deep = keyOf(1);
  rival.put(deep, textOf(0));
  const first = rival.version();
  const flat: { readonly key: string; readonly version: number }[] = [];
  const stride = Math.max(1, Math.floor(bench.settings.keys / FLAT_KEYS));
  for (let i = 0; i < bench.settings.keys; i++) {
    rival.put(deep, textOf(i));
    if (i % stride === 0) {
      const key = keyOf(3 + 2 * flat.length);
      rival.put(key, textOf(i));
      flat.push({ key, version: rival.version() });
      rival.put(key, textOf(i + 1));
    }
    if (i % 10_000 === 9_999) await new Promise(setImmediate);
  }
  await rival.settle();
  const commits = rival.version() - first - 1;
  const draw = uniform(bench, 63);
  const costUs = (reads: readonly { readonly key: string; readonly version: number }[]): number => {
    const times: number[] = [];
    for (const { key, version } of reads) {
      const view = rival.asOf(version);
      const started = performance.now();
      const value = view.get(key);
      times.push(performance.now() - started);
      view.close();
      if (value === undefined) throw new Error(`nothing at version ${version}`);
    }
    return median(times) * 1000;
  };
  return async () => {
    const deepReads = Array.from({ length: 200 }, () => ({ key: deep, version: first + (draw() % commits) }));
    const flatReads = Array.from({ length: 200 }, () => flat[draw() % flat.length]!);
    // The first time most blocks of the log are read from the file, the second time none is.
    const shallowColdUs = costUs(flatReads);
    const deepColdUs = costUs(deepReads);
    const shallowUs = costUs(flatReads);
    const deepUs = costUs(deepReads);
    return { figures: { ratio: deepUs / shallowUs, deepUs, shallowUs, coldRatio: deepColdUs / shallowColdUs, deepColdUs, shallowColdUs } };
  };
}

/** Ten old entries, then as many new ones behind them as the loaded set holds: the old view must not pay for the new. */
async function createdLater(bench: Bench): Promise<Round> {
  const rival = asOurs(await bench.openAnother('later'));
  const old = Array.from({ length: 10 }, (_, i) => keyOf(i));
  await rival.batch(
    old,
    old.map((_key, i) => textOf(i)),
  );
  const version = rival.version();
  for (let at = 0; at < bench.settings.keys; at += 1000) {
    const keys = Array.from({ length: Math.min(1000, bench.settings.keys - at) }, (_, i) => keyOf(100 + at + i));
    await rival.batch(
      keys,
      keys.map((_key, i) => textOf(i)),
    );
  }
  return async () => {
    const view = rival.asOf(version);
    let found = 0;
    const scanMs = await timeMs(() => {
      found = view.count();
    });
    view.close();
    if (found !== old.length) throw new Error(`AS OF scan found ${found}`);
    return { figures: { scanMs } };
  };
}

/** Everything is deleted; the first entry of the rest stands behind a million tombstones. */
async function pastTombstones(bench: Bench): Promise<Round> {
  const rival = asOurs(bench.rival);
  await rival.removeAll();
  rival.put(keyOf(2 * bench.settings.keys), textOf(0));
  const pace = bench.pace(2000, 20);
  return async () => ({
    chunks: await inChunks(pace, (from, to) => {
      for (let i = from; i < to; i++) if (!rival.hasFirst()) throw new Error('first() found nothing');
    }),
  });
}

/** The same overwrites with all history and with none, chunk by chunk. */
async function historyCost(bench: Bench): Promise<Round> {
  const kept = bench.rival;
  const none = await bench.openAnother('no-history', { historyMs: 0 });
  const order = shuffledIndexes(bench.settings.keys, bench.settings.seed + 64);
  for (let at = 0; at < order.length; at += 1000) {
    const some = order.subarray(at, at + 1000);
    await none.batch(
      Array.from(some, (index) => keyOf(2 * index)),
      Array.from(some, (index) => textOf(index)),
    );
  }
  const draw = uniform(bench, 65);
  const pace = bench.pace(40_000, 500);
  return async (round) => {
    const keys = drawKeys(pace.operations, draw);
    const off = await inChunks(pace, (from, to) => putOneByOne(none, keys, from, to, round + 3));
    const on = await inChunks(pace, (from, to) => putOneByOne(kept, keys, from, to, round + 3));
    return { figures: { ratio: median(off) / median(on), onRate: median(on), offRate: median(off) } };
  };
}

const figureRow = { figure: 'getRatio', unit: 'x' } as const;
const both = (get: number, scan: number) => ({
  text: `${get}x get / ${scan}x scan`,
  checks: [
    { atLeast: get, figure: 'getRatio' },
    { atLeast: scan, figure: 'scanRatio' },
  ],
});

export const historyRows = [
  ownRow({
    name: 'as-of-half',
    title: 'AS OF get / scan against current, half superseded once, versions in cacheMemory',
    ...figureRow,
    changes: true,
    bar: both(0.5, 0.4),
    goal: both(0.75, 0.7),
    prepare: halfSuperseded,
  }),
  ownRow({
    name: 'as-of-half-cold',
    title: "AS OF get / scan against current, versions only in the system's cache",
    ...figureRow,
    changes: true,
    // Room for the tree and its accelerator (about 220 bytes an entry), not for the log beside it.
    options: (settings) => ({ cacheBytes: Math.max(8 << 20, settings.keys * 230) }),
    bar: both(0.3, 0.15),
    goal: both(0.4, 0.3),
    prepare: halfSuperseded,
  }),
  ownRow({
    name: 'as-of-depth',
    title: 'AS OF get at depth 10^6 against depth 1, blocks of the log in memory',
    figure: 'ratio',
    unit: 'x',
    better: 'less',
    data: 'empty',
    changes: true,
    // A round is 800 reads: the code of the search must be warm before.
    warmups: 12,
    bar: atMost(3, '3x'),
    goal: atMost(1.5, '1.5x'),
    prepare: deepChain,
  }),
  ownRow({
    name: 'as-of-created-later',
    title: 'AS OF scan past 1 M entries created later (appended)',
    figure: 'scanMs',
    unit: 'ms',
    better: 'less',
    data: 'empty',
    changes: true,
    bar: atMost(1, '1 ms'),
    goal: atMost(1, '1 ms'),
    prepare: createdLater,
  }),
  ownRow({
    name: 'first-past-tombstones',
    title: 'first() past 1 M tombstones',
    figure: 'chunkUs',
    unit: 'µs',
    better: 'less',
    changes: true,
    bar: atMost(20, '20 µs'),
    goal: atMost(20, '20 µs'),
    prepare: pastTombstones,
  }),
  ownRow({
    name: 'history-cost',
    title: 'history kept for every overwrite, against history off (time)',
    figure: 'ratio',
    unit: 'x',
    better: 'less',
    changes: true,
    bar: atMost(1.6, '1.6x'),
    goal: atMost(1.25, '1.25x'),
    prepare: historyCost,
  }),
];
