/** `npm run rack -- log --seeds 500`: the log alone under power cuts and kills at random operations, twelve lives a seed. */

import { parseArgs } from 'node:util';
import { lives } from './lives.ts';

export const summary = 'the log alone, twelve lives a seed, each ended by a power cut or a kill';

export async function rack(args: string[]): Promise<boolean> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ args, options: { seed: text, seeds: text } });
  const first = Number(values.seed ?? 1);
  const seeds = Number(values.seeds ?? 300);
  let holds = true;
  for (let seed = first; seed < first + seeds; seed++)
    for (const end of ['power', 'kill'] as const)
      for (const style of ['barrier', 'writeThrough'] as const) {
        try {
          lives(seed, end, style);
        } catch (error) {
          holds = false;
          console.log(`FOUND, again with: npm run rack -- log --seed ${seed} --seeds 1 (${end}, ${style})`, error);
        }
      }
  console.log(`${seeds} seeds, ${seeds * 4 * 12} lives`);
  return holds;
}
