/** `npm run rack -- tree --seeds 20`: the tree and its packer beside a sorted array, more seeds than the gate. */

import { parseArgs } from 'node:util';
import { PACK_SHAPES, PACK_VARIANTS, runPackCase, runTreeCase, TREE_SHAPES, TREE_VARIANTS } from './cases.ts';

export const summary = 'the tree and its packer beside a sorted array';

export async function rack(args: string[]): Promise<boolean> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ args, options: { seed: text, seeds: text } });
  const first = Number(values.seed ?? 1);
  const seeds = Number(values.seeds ?? 10);
  let holds = true;
  let runs = 0;
  const all = [
    { run: runTreeCase, shapes: Object.keys(TREE_SHAPES), variants: Object.keys(TREE_VARIANTS) },
    { run: runPackCase, shapes: Object.keys(PACK_SHAPES), variants: Object.keys(PACK_VARIANTS) },
  ];
  for (let seed = first; seed < first + seeds; seed++) {
    for (const { run, shapes, variants } of all)
      for (const shape of shapes)
        for (const variant of variants) {
          try {
            run(shape, variant, seed);
            runs++;
          } catch (error) {
            holds = false;
            console.log(`FOUND, again with: npm run rack -- tree --seed ${seed} --seeds 1 (${run.name}: ${shape}, ${variant})`, error);
          }
        }
    console.log(`through seed ${seed}: ${runs} runs`);
  }
  return holds;
}
