/**
 * The crash rack, a slice of it in every gate. The long runs: `npm run rack -- crash`, and docs/hardening.md.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runKills } from './kill9.ts';
import { Places } from './places.ts';
import { slices, WANTED } from './slice.ts';

const places = new Places();

for (const { name, run } of slices) test(name, () => run(places));

test('every place a crash suite must have seen was reached', () => {
  assert.deepEqual(places.missing(WANTED), [], places.report());
});

test('kill -9 of a child under load loses no acknowledged commit', async () => {
  const { acknowledged } = await runKills({ seed: 1, durability: 'async', rounds: 3, historyMs: Infinity });
  assert.ok(acknowledged > 0);
});
