/** A reading thread: attaches to what the owner shares or opens the database for itself, warms up, reads a round when asked. */

import { parentPort, workerData } from 'node:worker_threads';
import { drawKeys, seededRandom } from './data.ts';
import { inChunks, type Pace } from './measure.ts';
import { attachRival, loadRival, type ReadingRival, type RivalName } from './rival.ts';
import type { Settings } from './row.ts';

export interface ReaderInput {
  readonly engine: RivalName;
  readonly directory: string;
  /** What the owner shares; undefined: the thread opens `directory` itself. */
  readonly shared: unknown;
  readonly settings: Settings;
  readonly pace: Pace;
  readonly salt: number;
}

const input = workerData as ReaderInput;
const rival = await openReader();
const random = seededRandom(input.settings.seed + 900 + input.salt);

async function openReader(): Promise<ReadingRival> {
  const { engine, directory, shared, settings } = input;
  if (shared !== undefined) return attachRival(engine, directory, shared);
  const open = await loadRival(engine);
  return open({ directory, durability: 'async', cacheBytes: settings.cacheBytes, readOnly: true });
}

async function read(): Promise<number> {
  const keys = drawKeys(input.pace.operations, () => Math.floor(random() * input.settings.keys));
  let done = 0;
  const started = performance.now();
  await inChunks(input.pace, (from, to) => {
    for (let i = from; i < to; i++) if (rival.get(keys[i]!) === undefined) throw new Error(`${input.engine}: a key is missing in a thread`);
    done += to - from;
  });
  return (done * 1000) / (performance.now() - started);
}

parentPort!.on('message', async (what: 'warm' | 'round' | 'close') => {
  if (what === 'close') await rival.close();
  parentPort!.postMessage(what === 'close' ? 0 : await read());
});
