/** `npm run rack -- sync --seeds 4`: every sync and every write of a workload fails once, in three ways; syncs hang. */

import { runFailure, runHang } from './failures.ts';
import { setupOf } from './machine.ts';
import { Places } from './places.ts';
import { complain, rackOptions, turns } from './rack-kit.ts';

export const summary = 'every sync and every write fails once; syncs hang';

const WAYS = ['lost', 'seeded', 'kept'] as const;

export async function rack(args: string[]): Promise<boolean> {
  const options = rackOptions(args, { seeds: 6, steps: 80, every: 1 });
  const places = new Places();
  let holds = true;
  let runs = 0;
  let hits = 0;
  for (const [seed, durability, syncStyle] of turns(options)) {
    const setup = setupOf(seed, durability, syncStyle);
    for (const kind of ['sync', 'write'] as const) {
      for (let after = 0, silent = 0; silent < 40 && after < 400; after += options.every) {
        const failedSync = WAYS[after % 3]!;
        try {
          runs++;
          const { hit } = await runFailure(setup, options.steps, { kind, after, failedSync }, places);
          if (hit) hits++;
          silent = hit ? 0 : silent + 1;
        } catch (error) {
          holds = complain(
            error,
            `npm run rack -- sync --seed ${seed} --seeds 1 --level ${durability} --style ${syncStyle} (${kind} ${after} ${failedSync})`,
          );
          break;
        }
      }
    }
    try {
      for (let at = 10; at < options.steps; at += 10) await runHang(setup, 5, at, places);
    } catch (error) {
      holds = complain(error, `npm run rack -- sync --seed ${seed} --seeds 1 --level ${durability} --style ${syncStyle} (hanging)`);
    }
    console.log(`through seed ${seed}: ${runs} failures ordered, ${hits} ended all writing`);
  }
  return holds;
}
