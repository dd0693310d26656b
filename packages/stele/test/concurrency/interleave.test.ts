/**
 * Interleaved transactions on the engine: every recorded history has its serial order. The long run is
 * `npm run rack -- concurrency`.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openEngine } from '../../src/txn/engine.ts';
import { engineTarget } from '../model/target.ts';
import { violationOf } from './check.ts';
import { recordOn } from './rack.ts';
import { findSerialOrder } from './search.ts';

const make = engineTarget(openEngine);

test('long histories are serial in the order of their versions', async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const history = await recordOn(make, seed, 150);
    assert.equal(violationOf(history), undefined, `seed ${seed}`);
    assert.ok(
      history.some((txn) => txn.end.as === 'conflict'),
      `seed ${seed}: no conflict, the workload proves nothing`,
    );
  }
});

test('short histories have a serial order that no version was needed to find', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const history = await recordOn(make, seed, 12);
    assert.ok(findSerialOrder(history) !== undefined, `seed ${seed}: ${violationOf(history) ?? 'the order of versions is legal'}`);
  }
});
