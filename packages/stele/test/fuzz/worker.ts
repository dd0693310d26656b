/** The thread of a fuzz run: rounds from a seed on, each announced before it begins, so that a hang has a seed too. */

import { parentPort, workerData } from 'node:worker_threads';
import { bases, type Tally } from './directory.ts';
import { round, seedsOfBase } from './run.ts';

const { seed, seconds, rounds } = workerData as { seed: number; seconds: number; rounds: number };

const all = await bases();
const seeds = seedsOfBase(all[1]!);
const tally: Tally = {};
const end = performance.now() + seconds * 1000;
let current = seed;
const fail = (error: unknown): void => {
  parentPort!.postMessage({ wrong: `outside of any call: ${error instanceof Error ? error.stack : String(error)}`, seed: current });
};
process.on('unhandledRejection', fail);
process.on('uncaughtException', fail);
for (let n = 0; n < rounds && performance.now() < end; n++, current++) {
  parentPort!.postMessage({ seed: current });
  const wrong = await round(current, all, seeds, tally);
  if (wrong !== undefined) {
    parentPort!.postMessage({ wrong, seed: current });
    break;
  }
}
parentPort!.postMessage({ done: true, tally });
