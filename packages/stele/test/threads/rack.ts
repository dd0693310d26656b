/**
 * The threads rack: real threads read while the owner writes, every observation is checked.
 *
 *   npm run rack -- threads --seconds 60 --threads 2 --seed 1
 */

import { parseArgs } from 'node:util';
import { stress } from './stress.ts';

export const summary = 'threads that read while the owner writes: only what was so, snapshots exact, nothing torn';

export async function rack(args: string[]): Promise<boolean> {
  const { values: options } = parseArgs({
    args,
    options: {
      seed: { type: 'string', default: '1' },
      seconds: { type: 'string', default: '30' },
      threads: { type: 'string', default: '2' },
      round: { type: 'string', default: '5' },
    },
  });
  const end = performance.now() + Number(options.seconds) * 1000;
  for (let seed = Number(options.seed); performance.now() < end; seed++) {
    const historyRetention = [0, Number.POSITIVE_INFINITY, 200][seed % 3]!;
    try {
      const result = await stress({ seed, seconds: Number(options.round), threads: Number(options.threads), historyRetention });
      console.log(
        `seed ${seed}, history ${historyRetention}: ${result.reads} reads, ${result.checked} observations, ${result.commits} commits, ${JSON.stringify(result.counters)}`,
      );
    } catch (error) {
      console.log(`seed ${seed}, history ${historyRetention}: ${error instanceof Error ? error.stack : String(error)}`);
      return false;
    }
  }
  return true;
}
