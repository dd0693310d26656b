/**
 * Gets from two threads of one process, each with the database opened for itself, reading at the same time.
 *
 * Engines that cannot be opened twice in a process are closed by their owner first and opened read-only by the threads.
 */

import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { drawKeys } from '../data.ts';
import { inChunks, median } from '../measure.ts';
import type { ReaderInput } from '../reader-thread.ts';
import { type Bench, onDisk, type Round, row } from '../row.ts';
import { uniform } from './reads.ts';

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const module = fileURLToPath(new URL(`../reader-thread.${extension}`, import.meta.url));

class Reader {
  readonly #worker: Worker;

  constructor(input: ReaderInput) {
    this.#worker = new Worker(module, { workerData: input });
  }

  /** Operations per second of one round; the first call waits for the opening. */
  ask(what: 'warm' | 'round' | 'close'): Promise<number> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#worker.off('message', onMessage);
        this.#worker.off('error', reject);
      };
      const onMessage = (rate: number): void => {
        settle();
        resolve(rate);
      };
      this.#worker.on('message', onMessage);
      this.#worker.once('error', reject);
      this.#worker.postMessage(what);
    });
  }

  async close(): Promise<void> {
    await this.ask('close');
    await this.#worker.terminate();
  }
}

async function twoReaders(bench: Bench): Promise<Round> {
  const draw = uniform(bench, 91);
  const pace = bench.pace(200_000, 1000);
  const oneThread = async (): Promise<number> => {
    const keys = drawKeys(pace.operations, draw);
    return median(
      await inChunks(pace, (from, to) => {
        for (let i = from; i < to; i++) if (bench.rival.get(keys[i]!) === undefined) throw new Error('a key is missing');
      }),
    );
  };
  await oneThread();
  const alone = await oneThread();
  if (!bench.rival.sharedOpen) await bench.rival.close();
  return async (round) => {
    const readers = [1, 2].map(
      (salt) => new Reader({ engine: bench.engine, directory: bench.directory, settings: bench.settings, pace, salt }),
    );
    try {
      for (const reader of readers) await reader.ask('warm');
      const rates = await Promise.all(readers.map((reader) => reader.ask('round')));
      const rate = rates.reduce((sum, one) => sum + one, 0);
      return { chunks: [rate], figures: { timesAlone: rate / alone, aloneRate: alone, round } };
    } finally {
      for (const reader of readers) await reader.close();
    }
  };
}

export const threadRows = [
  row({
    name: 'get-2-threads',
    title: 'gets, 2 reader threads',
    engines: onDisk,
    warmups: 0,
    bar: { text: '1.2x best and ≥ 1.8x our own one-thread rate', checks: [{ timesBest: 1.2 }, { atLeast: 1.8, figure: 'timesAlone' }] },
    goal: { text: '2.5x best', checks: [{ timesBest: 2.5 }] },
    prepare: twoReaders,
  }),
];
