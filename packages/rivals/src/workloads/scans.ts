/** Scans, ranges, snapshots, counts. */

import { drawKeys, keyLength, keyOf, textOf, valueLength } from '../data.ts';
import { inChunks, timeMs } from '../measure.ts';
import { isOurs } from '../ours.ts';
import { atMost, type Bench, best, everyEngine, ownRow, type Round, row } from '../row.ts';
import { expectCharacters, uniform } from './reads.ts';

const entryCharacters = keyLength + valueLength;

function scans(form: 'scan' | 'scanBatch') {
  return async (bench: Bench): Promise<Round> =>
    async () => {
      let characters = 0;
      const ms = await timeMs(async () => {
        characters = await bench.rival[form]();
      });
      expectCharacters(characters, bench.settings.keys * entryCharacters, bench.engine);
      return { chunks: [(bench.settings.keys * 1000) / ms] };
    };
}

async function ranges(bench: Bench): Promise<Round> {
  const draw = uniform(bench, 21);
  const pace = bench.pace(20_000, 100);
  // The last 50 entries have fewer than 50 behind them: draw below.
  const bounded = (): number => Math.min(draw(), bench.settings.keys - 50);
  return async () => {
    const starts = drawKeys(pace.operations, bounded);
    let characters = 0;
    let done = 0;
    const chunks = await inChunks(pace, async (from, to) => {
      for (let i = from; i < to; i++) {
        const pending = bench.rival.range(starts[i]!, 50);
        characters += typeof pending === 'number' ? pending : await pending;
      }
      done += to - from;
    });
    expectCharacters(characters, done * 50 * entryCharacters, bench.engine);
    return { chunks };
  };
}

async function snapshots(bench: Bench): Promise<Round> {
  const open = bench.rival.snapshot;
  if (open === undefined) return async () => ({});
  const pace = bench.pace(100_000, 100);
  return async () => ({
    chunks: await inChunks(pace, (from, to) => {
      for (let i = from; i < to; i++) open().close();
    }),
  });
}

/** A snapshot must not move: checked once, here, where it costs nothing. */
async function snapshotHolds(bench: Bench): Promise<Round> {
  const round = await snapshots(bench);
  const open = bench.rival.snapshot;
  if (open !== undefined && isOurs(bench.engine)) {
    const key = keyOf(0);
    const held = open();
    const before = held.get(key);
    bench.rival.put(key, textOf(5, 9));
    const after = held.get(key);
    held.close();
    if (before !== after) throw new Error(`${bench.engine}: a snapshot moved`);
  }
  return round;
}

async function counts(bench: Bench): Promise<Round> {
  const pace = isOurs(bench.engine) ? bench.pace(20_000, 100) : { ...bench.pace(20, 1), roundMs: 500 };
  return async () => {
    const chunks = await inChunks(pace, async (from, to) => {
      for (let i = from; i < to; i++) {
        const pending = bench.rival.count();
        const count = typeof pending === 'number' ? pending : await pending;
        if (count !== bench.settings.keys) throw new Error(`${bench.engine}: counted ${count}`);
      }
    });
    return { chunks };
  };
}

const ordered = everyEngine.filter((name) => name !== 'map');
const withSnapshots = ordered;

export const scanRows = [
  row({ name: 'scan-for-of', title: 'full scan, for-of', unit: 'entries/s', bar: best(1), goal: best(1.7), prepare: scans('scan') }),
  row({ name: 'scan-batch', title: 'full scan, batch form', unit: 'entries/s', bar: best(1), goal: best(4), prepare: scans('scanBatch') }),
  row({ name: 'range-50', title: 'range of 50', unit: 'scans/s', engines: ordered, bar: best(1.2), goal: best(3), prepare: ranges }),
  row({
    name: 'snapshot',
    title: 'open a snapshot',
    engines: withSnapshots,
    bar: best(1),
    goal: best(2),
    changes: true,
    prepare: snapshotHolds,
  }),
];

export const ownScanRows = [
  ownRow({
    name: 'snapshot-cost',
    title: 'snapshot open and close, chunks of 100',
    figure: 'chunkUs',
    unit: 'µs',
    better: 'less',
    bar: atMost(2, '2 µs'),
    goal: atMost(0.15, '0.15 µs'),
    prepare: snapshots,
  }),
  ownRow({
    name: 'count-prefix',
    title: 'count(prefix) over all entries, newest state',
    engines: ordered,
    figure: 'chunkUs',
    unit: 'µs',
    better: 'less',
    bar: atMost(20, '20 µs'),
    goal: atMost(3, '3 µs'),
    prepare: counts,
  }),
];
