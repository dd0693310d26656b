/** `npm run rack -- kill9 --rounds 200`: a child under load on real files is killed, so often in each durability level. */

import { runKills } from './kill9.ts';
import { complain, rackOptions } from './rack-kit.ts';

export const summary = 'kill -9 of a child under load on real files';

export async function rack(args: string[]): Promise<boolean> {
  const options = rackOptions(args, { rounds: 200 });
  let holds = true;
  for (const durability of options.levels) {
    // Lives of some dozen kills, so that the files do not grow without bound.
    for (let done = 0, seed = options.seed; done < options.rounds; done += 40, seed++) {
      const rounds = Math.min(40, options.rounds - done);
      try {
        const result = await runKills({ seed, durability, rounds, historyMs: seed % 2 === 0 ? 0 : Infinity });
        console.log(
          `${durability} seed ${seed}: ${result.rounds} kills, ${result.commits} commits kept, ${result.acknowledged} acknowledged`,
        );
      } catch (error) {
        holds = complain(error, `npm run rack -- kill9 --seed ${seed} --rounds ${rounds} --level ${durability}`);
      }
    }
  }
  return holds;
}
