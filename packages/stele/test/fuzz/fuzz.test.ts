/** A slice of the fuzz rack for every run of the tests: a few seconds, always the same seeds. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../model/random.ts';
import { bases, type Tally, tryDirectory } from './directory.ts';
import { seedsOfBase, targetNames, tryTarget } from './run.ts';

const all = await bases(['two keys', 'history']);

test('every decoder: any bytes give a result or a typed error', () => {
  const seeds = seedsOfBase(all[1]!);
  for (const name of targetNames) {
    const random = new SeededRandom(5);
    const end = performance.now() + 60;
    for (let n = 0; n < 50 || performance.now() < end; n++) {
      const wrong = tryTarget(name, random, seeds);
      assert.equal(wrong, undefined, `round ${n} of seed 5: ${wrong}`);
    }
  }
});

test('mutated directories: right data or a typed error', async () => {
  const end = performance.now() + 1500;
  const tally: Tally = {};
  for (let seed = 1; seed <= 10 || (seed < 200 && performance.now() < end); seed++) {
    const wrong = await tryDirectory(new SeededRandom(seed), all, tally);
    assert.equal(wrong, undefined, `seed ${seed}: ${wrong}`);
  }
  assert.ok((tally['opened'] ?? 0) > 3, 'some of them can be opened');
});
