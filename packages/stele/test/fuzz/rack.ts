/**
 * The fuzz rack: every decoder and whole directories, from damaged and from forged bytes.
 *
 *   npm run rack -- fuzz --seconds 60 --seed 1
 *   npm run rack -- fuzz --seed 4711 --rounds 1
 */

import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';

export const summary = 'damaged and forged bytes in every decoder and in whole directories: a right answer or a typed refusal, in bounds';

/** A round that takes longer hangs. */
const HANG_MS = 20_000;

interface Message {
  readonly seed?: number;
  readonly wrong?: string;
  readonly done?: true;
  readonly tally?: Readonly<Record<string, number>>;
}

export async function rack(args: string[]): Promise<boolean> {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: 'string', default: '1' },
      seconds: { type: 'string', default: '30' },
      rounds: { type: 'string', default: 'Infinity' },
    },
  });
  const workerData = { seed: Number(values.seed), seconds: Number(values.seconds), rounds: Number(values.rounds) };
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData });
  return new Promise<boolean>((resolve) => {
    let seed = workerData.seed;
    let holds = true;
    const over = (): void => {
      clearTimeout(watch);
      void worker.terminate().then(() => resolve(holds));
    };
    const failed = (what: string): void => {
      holds = false;
      console.log(`seed ${seed}: ${what}\nagain: npm run rack -- fuzz --seed ${seed} --rounds 1`);
    };
    const hangs = (): void => {
      failed(`hangs for ${HANG_MS / 1000} s`);
      over();
    };
    let watch = setTimeout(hangs, 2 * HANG_MS);
    worker.on('message', (message: Message) => {
      clearTimeout(watch);
      watch = setTimeout(hangs, HANG_MS);
      if (message.seed !== undefined) seed = message.seed;
      if (message.wrong !== undefined) failed(message.wrong);
      if (message.done === true) {
        for (const [what, times] of Object.entries(message.tally ?? {}).sort()) console.log(`${String(times).padStart(8)}  ${what}`);
        over();
      }
    });
    worker.on('error', (error) => {
      failed(String(error));
      over();
    });
  });
}
