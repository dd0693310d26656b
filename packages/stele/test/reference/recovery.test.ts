/**
 * The judge of recovered databases, tested: it accepts every prefix that holds what was promised, and nothing else.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Operation } from '../../src/txn/types.ts';
import { FakeEngine, fakeStore } from './fake-engine.ts';
import { keyBytes } from './keys.ts';
import { checkRecovered } from './recovery.ts';
import { Reference } from './reference.ts';

const put = (key: string, value: string): Operation => ({ type: 'put', key: keyBytes(key), value: keyBytes(value) });
const clockMs = 1000;

/** The same ten commits to both. */
function both(): { reference: Reference; engine: FakeEngine } {
  const reference = new Reference();
  const engine = new FakeEngine(fakeStore(), () => clockMs);
  for (let i = 1; i <= 10; i++) {
    const operations = [put(`k${i % 3}`, String(i)), put(`n${i}`, '')];
    reference.commit(operations, reference.now(clockMs));
    engine.batchSync(operations);
  }
  return { reference, engine };
}

test('a prefix that holds what was promised is accepted, and the reference goes on from it', () => {
  for (let kept = 0; kept <= 10; kept++) {
    const { reference, engine } = both();
    engine.reference.cutBack(kept);
    assert.equal(checkRecovered(reference, engine, { atLeast: Math.min(kept, 4), clockMs }), kept);
    assert.equal(reference.version, kept);
  }
});

test('a prefix that is shorter than promised is refused', () => {
  const { reference, engine } = both();
  engine.reference.cutBack(3);
  assert.throws(() => checkRecovered(reference, engine, { atLeast: 4, clockMs }), /version 3 recovered, but 4 was promised/);
});

test('a hole, a changed value, a lost key and a commit too many are refused', () => {
  const faults: ((engine: FakeEngine) => void)[] = [
    (engine) => {
      engine.reference.cutBack(8);
      engine.batchSync([put('k1', '10'), put('n10', '')]);
    },
    (engine) => {
      engine.reference.cutBack(9);
      engine.batchSync([put('k1', 'other'), put('n10', '')]);
    },
    (engine) => {
      engine.reference.cutBack(9);
      engine.batchSync([put('k1', '10')]);
    },
    (engine) => {
      engine.batchSync([put('k1', '11')]);
    },
  ];
  for (const fault of faults) {
    const { reference, engine } = both();
    fault(engine);
    assert.throws(() => checkRecovered(reference, engine, { atLeast: 0, clockMs }), { name: 'AssertionError' });
  }
});
