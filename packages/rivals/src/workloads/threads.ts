/**
 * Gets from two threads of one process, reading at the same time, in the way the engine's documentation gives for that: Stele's owner
 * shares what it holds open and the threads attach to it, the others open the directory again in each thread.
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
  #failure: Error | undefined;
  #settle: ((rate: number) => void) | undefined;
  #reject: ((error: Error) => void) | undefined;

  constructor(input: ReaderInput) {
    this.#worker = new Worker(module, { workerData: input });
    this.#worker.on('message', (rate: number) => this.#settle?.(rate));
    this.#worker.on('error', (error: Error) => {
      this.#failure = error; // may come before anything was asked
      this.#reject?.(error);
    });
  }

  /** Operations per second of one round; the first call waits for the opening. */
  ask(what: 'warm' | 'round' | 'close'): Promise<number> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#settle = resolve;
      this.#reject = reject;
      this.#worker.postMessage(what);
    });
  }

  async close(): Promise<void> {
    if (this.#failure === undefined) await this.ask('close');
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
  const shared = bench.rival.share?.();
  return async () => {
    const given = { engine: bench.engine, directory: bench.directory, shared, settings: bench.settings, pace };
    const readers = [0, 1].map((salt) => new Reader({ ...given, salt }));
    try {
      for (const reader of readers) await reader.ask('warm');
      const rates = await Promise.all(readers.map((reader) => reader.ask('round')));
      const rate = rates.reduce((sum, one) => sum + one, 0);
      return { chunks: [rate], figures: { timesAlone: rate / alone, aloneRate: alone } };
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
