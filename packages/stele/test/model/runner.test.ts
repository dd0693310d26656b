/**
 * The model test, tested: every bug we can order is caught within a few programs and cut down to a few steps, and
 * the engine that has none passes. A rack that cannot fail proves nothing.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bugNames } from '../reference/fake-engine.ts';
import { generateProgram } from './generate.ts';
import { stone } from './program.ts';
import { runProgram, shrink } from './shrink.ts';
import { fakeTarget } from './target.ts';

const values = stone();

test('an engine without bugs passes', async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const { setup, steps } = generateProgram({ seed, steps: seed === 1 ? 1500 : 500 });
    const { failure } = await runProgram(fakeTarget(), setup, steps, values);
    assert.equal(
      failure,
      undefined,
      `seed ${seed}, step ${failure?.at}: ${JSON.stringify(steps[failure?.at ?? 0])}\n${failure?.divergence.stack}`,
    );
  }
});

for (const bug of bugNames) {
  test(`the bug "${bug}" is caught and cut down`, async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const program = generateProgram({ seed, steps: 1000 });
      const { failure } = await runProgram(fakeTarget(bug), program.setup, program.steps, values);
      if (failure === undefined) continue;
      const small = await shrink(fakeTarget(bug), program, values, 2000);
      assert.ok(small !== undefined, `seed ${seed} failed once and then not`);
      assert.ok(small.program.steps.length <= 12, `${small.program.steps.length} steps left: ${JSON.stringify(small.program.steps)}`);
      return;
    }
    assert.fail('40 programs ran without a difference');
  });
}

test('the same seed gives the same program', () => {
  assert.deepEqual(generateProgram({ seed: 5, steps: 300 }), generateProgram({ seed: 5, steps: 300 }));
});
