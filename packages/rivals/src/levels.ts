/**
 * SteleLevel beside classic-level, through the same calls of abstract-level.
 *
 *   npm run build && node packages/rivals/dist/src/levels.js [rounds, default 5]
 *
 * Both on a directory, 200,000 keys of 16 bytes, values of 100 bytes, ASCII. They take turns row by row and round by round; a figure is the median
 * of the rounds. Writes are in the system's hands when they resolve (`durability: 'async'`; `sync: false`), except where the row says sync.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AbstractLevel } from 'abstract-level';
import { ClassicLevel } from 'classic-level';
import { SteleLevel } from 'stele/abstract-level';
import { median } from './measure.ts';

type Level = AbstractLevel<string | Buffer | Uint8Array, string, string>;

const ROUNDS = Number(process.argv[2] ?? 5);
const KEYS = 200_000;
const keyOf = (n: number): string => `key:${String(n * 7919).padStart(12, '0')}`;
const VALUE = 'v'.repeat(100);
const SYNC = { sync: true };
let state = 42;
const random = (below: number): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};
const randomKey = (): string => keyOf(random(KEYS));

interface Row {
  readonly name: string;
  readonly unit: string;
  /** What is done, counted in the unit. */
  run(level: Level): Promise<number>;
}

const times = async (count: number, work: () => unknown): Promise<number> => {
  for (let n = 0; n < count; n++) await work();
  return count;
};

const rows: readonly Row[] = [
  { name: 'get, text', unit: 'ops/s', run: (level) => times(20_000, () => level.get(randomKey())) },
  {
    name: 'get, text in, bytes out',
    unit: 'ops/s',
    run: (level) => times(20_000, () => level.get<string, Uint8Array>(randomKey(), { valueEncoding: 'view' })),
  },
  {
    name: 'get, 100 at once',
    unit: 'ops/s',
    run: async (level) => (await times(200, () => together(100, () => level.get(randomKey())))) * 100,
  },
  {
    name: 'getSync, text',
    unit: 'ops/s',
    run: async (level) => {
      for (let n = 0; n < 50_000; n++) level.getSync(randomKey());
      return 50_000;
    },
  },
  { name: 'getMany of 100', unit: 'keys/s', run: async (level) => (await times(400, () => level.getMany(many(100)))) * 100 },
  { name: 'has', unit: 'ops/s', run: (level) => times(20_000, () => level.has(randomKey())) },
  { name: 'put, overwrite', unit: 'ops/s', run: (level) => times(10_000, () => level.put(randomKey(), VALUE)) },
  {
    name: 'put, 100 at once',
    unit: 'ops/s',
    run: async (level) => (await times(100, () => together(100, () => level.put(randomKey(), VALUE)))) * 100,
  },
  { name: 'put, sync', unit: 'ops/s', run: (level) => times(300, () => level.put(randomKey(), VALUE, SYNC as object)) },
  {
    name: 'batch of 1,000',
    unit: 'entries/s',
    run: async (level) => (await times(20, () => level.batch(many(1000).map((key) => ({ type: 'put', key, value: VALUE }))))) * 1000,
  },
  {
    name: 'chained batch of 1,000',
    unit: 'entries/s',
    run: async (level) =>
      (await times(20, () => {
        const batch = level.batch();
        for (const key of many(1000)) batch.put(key, VALUE);
        return batch.write();
      })) * 1000,
  },
  { name: 'iterator().all()', unit: 'entries/s', run: async (level) => (await level.iterator().all()).length },
  {
    name: 'iterator(), nextv(1000)',
    unit: 'entries/s',
    run: async (level) => {
      const iterator = level.iterator();
      let count = 0;
      for (let entries = await iterator.nextv(1000); entries.length > 0; entries = await iterator.nextv(1000)) count += entries.length;
      await iterator.close();
      return count;
    },
  },
  {
    name: 'for await of iterator()',
    unit: 'entries/s',
    run: async (level) => {
      let count = 0;
      for await (const [key] of level.iterator()) count += key.length > 0 ? 1 : 0;
      return count;
    },
  },
  { name: 'keys().all()', unit: 'keys/s', run: async (level) => (await level.keys().all()).length },
  { name: 'range of 50', unit: 'ranges/s', run: (level) => times(1000, () => level.iterator({ gte: randomKey(), limit: 50 }).all()) },
  {
    name: 'clear() of 10,000',
    unit: 'entries/s',
    run: async (level) => {
      await level.clear({ lt: keyOf(10_000) });
      return 10_000;
    },
  },
];

const many = (count: number): string[] => Array.from({ length: count }, randomKey);
const together = (count: number, work: () => Promise<unknown>): Promise<unknown> => Promise.all(Array.from({ length: count }, work));

const directory = mkdtempSync(join(tmpdir(), 'stele-levels-'));
try {
  const levels: readonly Level[] = [
    new SteleLevel(join(directory, 'stele'), { durability: 'async', historyRetention: 0 }),
    new ClassicLevel(join(directory, 'classic'), { cacheSize: 256 << 20, writeBufferSize: 32 << 20 }),
  ];
  for (const level of levels)
    for (let from = 0; from < KEYS; from += 1000)
      await level.batch(Array.from({ length: 1000 }, (_, n) => ({ type: 'put', key: keyOf(from + n), value: VALUE })));
  const rates = new Map(rows.map((row) => [row, levels.map((): number[] => [])]));
  for (let round = 0; round <= ROUNDS; round++)
    for (const row of rows)
      for (const [at, level] of levels.entries()) {
        const started = performance.now();
        const done = await row.run(level);
        // The first round warms up.
        if (round > 0) rates.get(row)![at]!.push((done * 1000) / (performance.now() - started));
        if (row.name.startsWith('clear'))
          await level.batch(Array.from({ length: 10_000 }, (_, n) => ({ type: 'put', key: keyOf(n), value: VALUE })));
      }
  const shown = (rate: number): string =>
    rate >= 1e6 ? `${(rate / 1e6).toFixed(2)}M` : rate >= 1e4 ? `${(rate / 1e3).toFixed(0)}k` : rate.toFixed(0);
  console.log('| call | unit | SteleLevel | ClassicLevel | ratio |\n| --- | --- | --: | --: | --: |');
  for (const [row, [ours, theirs]] of rates) {
    const [a, b] = [median(ours!), median(theirs!)];
    console.log(`| ${row.name} | ${row.unit} | ${shown(a)} | ${shown(b)} | ${(a / b).toFixed(2)}x |`);
  }
  for (const level of levels) await level.close();
} finally {
  rmSync(directory, { recursive: true, force: true });
}
