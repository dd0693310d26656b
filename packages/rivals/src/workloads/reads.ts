/** Point reads. Every round draws new keys, as new strings in the order of use, before the clock starts. */

import { drawKeys, keyOf, seededRandom, textOf, zipfIndexes } from '../data.ts';
import { inChunks } from '../measure.ts';
import type { Rival } from '../rival.ts';
import { type Bench, best, type Round, row } from '../row.ts';

/** Draws entries of the loaded set, the same for every engine. */
export function uniform(bench: Bench, salt: number): () => number {
  const random = seededRandom(bench.settings.seed + salt);
  return () => Math.floor(random() * bench.settings.keys);
}

/** Fails the run when an engine does not return what was stored: a fast wrong answer is no answer. */
export function expectCharacters(found: number, expected: number, engine: string): void {
  if (found !== expected) throw new Error(`${engine}: read ${found} characters, expected ${expected}`);
}

type Draw = (bench: Bench) => (count: number) => string[];

/** Rounds of `read` over drawn keys; `length` is what each read must add up to. */
function pointReads(draw: Draw, length: number, read: (rival: Rival, keys: readonly string[], from: number, to: number) => number) {
  return async (bench: Bench): Promise<Round> => {
    const next = draw(bench);
    const pace = bench.pace(200_000, 1000);
    return async () => {
      const keys = next(pace.operations);
      let characters = 0;
      let done = 0;
      const chunks = await inChunks(pace, (from, to) => {
        characters += read(bench.rival, keys, from, to);
        done += to - from;
      });
      expectCharacters(characters, done * length, bench.engine);
      return { chunks };
    };
  };
}

const drawUniform: Draw = (bench) => {
  const draw = uniform(bench, 11);
  return (count) => drawKeys(count, draw);
};

const drawZipf: Draw = (bench) => {
  const draw = zipfIndexes(bench.settings.keys, bench.settings.seed + 12);
  return (count) => drawKeys(count, draw);
};

const drawMissing: Draw = (bench) => {
  const draw = uniform(bench, 13);
  return (count) => Array.from({ length: count }, () => keyOf(2 * draw() + 1));
};

function readStrings(rival: Rival, keys: readonly string[], from: number, to: number): number {
  let characters = 0;
  for (let i = from; i < to; i++) {
    const value = rival.get(keys[i]!);
    if (value !== undefined) characters += value.length;
  }
  return characters;
}

function readBytes(rival: Rival, keys: readonly string[], from: number, to: number): number {
  let bytes = 0;
  for (let i = from; i < to; i++) {
    const value = rival.getBytes(keys[i]!);
    if (value !== undefined) bytes += value.length;
  }
  return bytes;
}

async function manyRound(bench: Bench): Promise<Round> {
  const draw = uniform(bench, 14);
  const pace = bench.pace(200_000, 1000);
  return async () => {
    const groups = Array.from({ length: Math.ceil(pace.operations / 100) }, () => drawKeys(100, draw));
    let characters = 0;
    let done = 0;
    const chunks = await inChunks({ ...pace, operations: groups.length, chunk: 10 }, async (from, to) => {
      for (let i = from; i < to; i++) {
        const pending = bench.rival.getMany(groups[i]!);
        const values = 'then' in pending ? await pending : pending;
        for (let j = 0; j < values.length; j++) characters += values[j]?.length ?? 0;
        done += values.length;
      }
    });
    expectCharacters(characters, done * 100, bench.engine);
    return { chunks: chunks.map((rate) => rate * 100) };
  };
}

/** One key for ever, in chunks of 100 calls. */
async function hotRound(bench: Bench): Promise<Round> {
  const key = keyOf(2 * uniform(bench, 15)());
  const keys = new Array<string>(100).fill(key);
  const pace = bench.pace(500_000, 100);
  return async () => {
    let characters = 0;
    const chunks = await inChunks(pace, (from, to) => {
      characters += readStrings(bench.rival, keys, 0, to - from);
    });
    if (characters === 0) throw new Error(`${bench.engine}: the hot key was not found`);
    return { chunks };
  };
}

async function hotPutRound(bench: Bench): Promise<Round> {
  const key = keyOf(2 * uniform(bench, 15)());
  const pace = bench.pace(100_000, 100);
  return async () => {
    const chunks = await inChunks(pace, async (from, to) => {
      for (let i = from; i < to; i++) {
        const pending = bench.rival.put(key, textOf(i, 1));
        if (pending !== undefined) await pending;
      }
    });
    return { chunks };
  };
}

export const readRows = [
  row({
    name: 'get-string',
    title: 'get, uniform, string out',
    bar: best(1.8),
    goal: best(2.5),
    prepare: pointReads(drawUniform, 100, readStrings),
  }),
  row({
    name: 'get-bytes',
    title: 'get, uniform, bytes out',
    bar: best(1.8),
    goal: best(3),
    options: () => ({ bytesOut: true }),
    prepare: pointReads(drawUniform, 100, readBytes),
  }),
  row({ name: 'get-missing', title: 'get, missing key', bar: best(1.5), goal: best(3), prepare: pointReads(drawMissing, 0, readStrings) }),
  row({ name: 'get-zipf', title: 'get, Zipf 0.99', bar: best(1.8), goal: best(3), prepare: pointReads(drawZipf, 100, readStrings) }),
  row({ name: 'multi-get-100', title: 'multi-get of 100', unit: 'keys/s', bar: best(3), goal: best(8), prepare: manyRound }),
];

export const hotRows = [
  row({
    name: 'hot-get',
    kind: 'ours',
    title: 'hot get, chunks of 100 calls, median / p99',
    figure: 'chunkUs',
    unit: 'µs',
    better: 'less',
    bar: {
      text: '≤ 0.5 µs / ≤ 2 µs',
      checks: [
        { atMost: 0.5, figure: 'chunkUs' },
        { atMost: 2, figure: 'chunkUsP99' },
      ],
    },
    goal: {
      text: '≤ 0.2 µs / ≤ 0.5 µs',
      checks: [
        { atMost: 0.2, figure: 'chunkUs' },
        { atMost: 0.5, figure: 'chunkUsP99' },
      ],
    },
    prepare: hotRound,
  }),
  row({
    name: 'wavedb-get',
    kind: 'ours',
    title: "WaveDB's loop (one key for ever), get",
    bar: { text: '2x lmdb', checks: [{ timesRival: 2, rival: 'lmdb' }] },
    goal: { text: '2.61 M/s reached', checks: [{ atLeast: 2_610_000 }] },
    prepare: hotRound,
  }),
  row({
    name: 'wavedb-put',
    kind: 'ours',
    title: "WaveDB's loop (one key for ever), put",
    changes: true,
    bar: { text: '4x lmdb', checks: [{ timesRival: 4, rival: 'lmdb' }] },
    goal: { text: '498 k/s reached', checks: [{ atLeast: 498_000 }] },
    prepare: hotPutRound,
  }),
];
