/** `npm run rack -- flips --every 1`: a flipped bit at every offset of log and index, sampled in pages, cleanly closed and not. */

import { buildImage, runFlips, runStaleRecord } from './flips.ts';
import { setupOf } from './machine.ts';
import { complain, rackOptions } from './rack-kit.ts';

export const summary = 'one bit flipped at every offset of every file';

export async function rack(args: string[]): Promise<boolean> {
  const options = rackOptions(args, { seeds: 2, steps: 36, every: 3 });
  let holds = true;
  for (let seed = options.seed; seed < options.seed + options.seeds; seed++) {
    // History for ever, so that every byte of the log may be asked for.
    const setup = { ...setupOf(seed, 'immediate', 'barrier'), historyMs: Infinity };
    try {
      await runStaleRecord(setup);
      for (const isLong of [false, true]) {
        for (const isClean of [true, false]) {
          const counts = await runFlips(await buildImage(setup, options.steps, isClean, isLong), options.every);
          console.log(`seed ${seed}, ${isLong ? 'several segments, ' : ''}${isClean ? 'closed' : 'not closed'}: ${JSON.stringify(counts)}`);
        }
      }
    } catch (error) {
      holds = complain(error, `npm run rack -- flips --seed ${seed} --seeds 1 --every ${options.every}`);
    }
  }
  return holds;
}
