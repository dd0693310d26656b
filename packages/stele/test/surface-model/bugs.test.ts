/**
 * The surface rack, tested: every bug we can order is caught within a few programs. A rack that cannot fail proves nothing.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bug, bugNames, withBug, wrapped } from './bugs.ts';
import { generateProgram } from './generate.ts';
import { runProgram, shrink } from './shrink.ts';

const PROGRAMS = 120;

/** Of bugs that need a program of some luck: the first that has it. Where generate.ts changed, the others are tried. */
const SEEN_BY: Partial<Record<Bug, number>> = {
  'after is inclusive': 22,
  'children forgets the limit': 77,
  'getTree goes one level too deep': 8,
  'last gives the first': 9,
  'the ttl of a subtree is forgotten': 44,
  'deleteTree spares the value at the path': 8,
  'a history forgets ends by expiry': 11,
  'a diff forgets what was deleted': 6,
  'a watcher is not told of every seventh commit': 11,
  'what a transaction read may change': 9,
  'peek joins what was read': 19,
  'own writes are not scanned': 34,
};

test('what the bugs are put in with changes nothing by itself', async () => {
  for (let seed = 1; seed <= 2; seed++) {
    const { failure } = await runProgram(generateProgram({ seed, steps: 120 }), wrapped({ handle: {}, transaction: {} }));
    assert.equal(failure, undefined, `seed ${seed}, step ${failure?.at}: ${failure?.divergence.stack}`);
  }
});

test('a failing program is cut down to the steps that matter', async () => {
  const wrap = withBug('a diff forgets what was deleted');
  for (let seed = 6; seed <= PROGRAMS; seed++) {
    const small = await shrink(generateProgram({ seed, steps: 120 }), 20_000, wrap);
    if (small === undefined) continue;
    assert.ok(small.program.steps.length <= 12, `${small.program.steps.length} steps left: ${JSON.stringify(small.program.steps)}`);
    return;
  }
  assert.fail(`${PROGRAMS} programs ran without a difference`);
});

test('the same seed gives the same program', () => {
  assert.deepEqual(generateProgram({ seed: 5, steps: 200 }), generateProgram({ seed: 5, steps: 200 }));
});

for (const bug of bugNames) {
  test(`the bug "${bug}" is caught`, async () => {
    for (let tried = 0; tried <= PROGRAMS; tried++) {
      const seed = tried === 0 ? (SEEN_BY[bug] ?? 1) : tried;
      const { failure } = await runProgram(generateProgram({ seed, steps: 120 }), withBug(bug));
      if (failure !== undefined) return;
    }
    assert.fail(`${PROGRAMS} programs ran without a difference`);
  });
}
