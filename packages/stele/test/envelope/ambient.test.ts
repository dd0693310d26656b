/**
 * On the memory host, with every capability given by the test and the ambient world taken away: what is left is the language.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng, seededRandom } from '../../src/host/faulty/prng.ts';
import { memoryHost } from '../../src/host/memory/host.ts';
import { memoryStorage } from '../../src/host/memory/storage.ts';
import { pureHashing } from '../../src/host/pure-hashing.ts';
import { openEngine } from '../../src/txn/engine.ts';
import { EXPECTED, type Life, live } from './life.ts';
import { OwnWorld } from './own-world.ts';
import { poison } from './poison.ts';

test('the engine lives on the memory host with nothing at all: no clock, randomness, timer or process of the platform', async () => {
  const world = new OwnWorld();
  const host = memoryHost({
    storage: memoryStorage(),
    clock: world.clock,
    timers: world.timers,
    random: seededRandom(new Prng(7).u32()),
    hashing: pureHashing(),
  });
  const poisoned = poison();
  let life: Life | undefined;
  try {
    life = await live(
      (options) => openEngine({ host, ...options }),
      (work) => world.drive(work),
    );
  } finally {
    poisoned.restore();
  }
  assert.deepEqual(poisoned.touched, []);
  assert.deepEqual(life, EXPECTED);
});

test('the poison works: each thing it takes away is noticed', () => {
  const poisoned = poison();
  try {
    assert.throws(() => Date.now(), /Date was used/);
    assert.throws(() => Math.random(), /Math.random was used/);
    assert.throws(() => setTimeout(() => {}, 0), /setTimeout was used/);
    assert.throws(() => process.hrtime(), /process was used/);
  } finally {
    poisoned.restore();
  }
  assert.equal(poisoned.touched.length, 4);
  assert.equal(typeof Date.now(), 'number');
});
