/**
 * The fast slice of the model test: programs of fixed seeds, on every push. The long run is `npm run rack -- model`.
 *
 * A difference is cut down before it is shown. To see it again: `npm run rack -- model --seed <n> --steps <n> --operations 0`.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openEngine } from '../../src/txn/engine.ts';
import { generateProgram } from './generate.ts';
import { printable, stone } from './program.ts';
import { runProgram, shrink } from './shrink.ts';
import { engineTarget } from './target.ts';

const make = engineTarget(openEngine);
const values = stone();
const SHRINK_MS = 20_000;

for (const [steps, seeds] of [
  [300, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]],
  [1500, [102, 103]],
  [3000, [101]],
] as const) {
  for (const seed of seeds) {
    test(`the engine and the reference agree on program ${seed} of ${steps} steps`, async () => {
      const program = generateProgram({ seed, steps });
      const { failure } = await runProgram(make, program.setup, program.steps, values);
      if (failure === undefined) return;
      const small = await shrink(make, program, values, SHRINK_MS);
      const trace = (small?.program.steps ?? []).map(printable).join('\n');
      assert.fail(
        `seed ${seed}, step ${failure.at}: ${failure.divergence.message}\ncut down:\n${printable(small?.program.setup)}\n${trace}\n${small?.failure.divergence.message}`,
      );
    });
  }
}
