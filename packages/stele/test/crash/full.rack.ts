/** `npm run rack -- full --seeds 3`: the same workload on disks of every size, in steps of 16 KiB; then with room again. */

import { runFull } from './failures.ts';
import { setupOf } from './machine.ts';
import { Places } from './places.ts';
import { complain, rackOptions, turns } from './rack-kit.ts';

export const summary = 'a full disk at every allocation';

const FROM_BYTES = 300_000;
const STEP_BYTES = 16_384;

export async function rack(args: string[]): Promise<boolean> {
  const options = rackOptions(args, { seeds: 6, steps: 120, every: 1 });
  const places = new Places();
  let runs = 0;
  let refused = 0;
  let holds = true;
  for (const [seed, durability, syncStyle] of turns(options)) {
    let silent = 0;
    for (let capacity = FROM_BYTES; silent < 3; capacity += STEP_BYTES * options.every) {
      try {
        const result = await runFull(setupOf(seed, durability, syncStyle), options.steps, capacity, places);
        runs++;
        refused += result.refused;
        silent = result.refused === 0 ? silent + 1 : 0;
      } catch (error) {
        holds = complain(
          error,
          `npm run rack -- full --seed ${seed} --seeds 1 --level ${durability} --style ${syncStyle} (capacity ${capacity})`,
        );
        break;
      }
    }
    console.log(`through seed ${seed}: ${runs} disks, ${refused} refusals`);
  }
  console.log(places.report());
  return holds && places.missing(['space refusal']).length === 0;
}
