/** `npm run rack -- recovery --seeds 20`: cuts inside recovery; with `--every 1` at every operation of every opening. */

import { setupOf } from './machine.ts';
import { Places } from './places.ts';
import { complain, rackOptions, turns } from './rack-kit.ts';
import { runRecoveryCuts } from './recovery.ts';

export const summary = 'power cuts at every storage operation of recovery itself';

export async function rack(args: string[]): Promise<boolean> {
  const options = rackOptions(args, { seeds: 20, steps: 60, every: 1 });
  const places = new Places();
  let cuts = 0;
  let holds = true;
  for (const [seed, durability, syncStyle] of turns(options)) {
    const run = { setup: setupOf(seed, durability, syncStyle), steps: options.steps, every: options.every, everyInside: 1 };
    try {
      const result = await runRecoveryCuts(run, places);
      cuts += result.cuts;
      console.log(`seed ${seed} ${durability} ${syncStyle}: ${result.openings} openings, ${result.cuts} cuts inside them`);
    } catch (error) {
      holds = complain(
        error,
        `npm run rack -- recovery --seed ${seed} --seeds 1 --level ${durability} --style ${syncStyle} --every ${options.every}`,
      );
    }
  }
  console.log(`${cuts} cuts inside recovery judged\n${places.report()}`);
  return holds;
}
