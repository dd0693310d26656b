/**
 * The fast slice of the surface's model test: programs of fixed seeds, on every push. The long run is `npm run rack -- surface`.
 *
 * A difference is cut down before it is shown. To see it again: `npm run rack -- surface --seed <n> --steps <n> --operations 0`.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateProgram } from './generate.ts';
import { printable } from './program.ts';
import { runProgram, shrink } from './shrink.ts';

const STEPS = 150;
const SHRINK_MS = 20_000;

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`the surface and its reference agree on program ${seed} of ${STEPS} steps`, async () => {
    const program = generateProgram({ seed, steps: STEPS });
    const { failure } = await runProgram(program);
    if (failure === undefined) return;
    const small = await shrink(program, SHRINK_MS);
    const trace = (small?.program.steps ?? []).map(printable).join('\n');
    assert.fail(
      `seed ${seed}, step ${failure.at}: ${failure.divergence.message}\ncut down:\n${printable(small?.program.setup)}\n${trace}\n${small?.failure.divergence.message}`,
    );
  });
}
