/**
 * The concurrency rack: many interleavings, each recorded, verified in version order, and small ones searched as well.
 *
 *   npm run rack -- concurrency --seed 1 --histories 200 --transactions 500
 *   npm run rack -- concurrency --bug "ranges are not validated" --histories 5
 */

import { parseArgs } from 'node:util';
import { printable } from '../model/program.ts';
import type { MakeTarget } from '../model/target.ts';
import { fakeTarget, realTarget } from '../model/target.ts';
import { type Bug, bugNames } from '../reference/fake-engine.ts';
import { violationOf } from './check.ts';
import type { Recorded } from './history.ts';
import { record } from './recorder.ts';
import { findSerialOrder } from './search.ts';

export const summary = 'interleaved transactions, and the search for a serial order that explains them';

export async function rack(args: string[]): Promise<boolean> {
  const { values: options } = parseArgs({
    args,
    options: {
      seed: { type: 'string', default: '1' },
      histories: { type: 'string', default: '100' },
      transactions: { type: 'string', default: '500' },
      bug: { type: 'string' },
      fake: { type: 'boolean', default: false },
    },
  });
  const bug = bugNames.find((known): known is Bug => known === options.bug);
  const make = options.fake || bug !== undefined ? fakeTarget(bug) : await realTarget();
  const totals = { transactions: 0, conflicts: 0 };
  for (let i = 0; i < Number(options.histories); i++) {
    const seed = Number(options.seed) + i;
    for (const [transactions, searched] of [
      [Number(options.transactions), false],
      [12, true],
    ] as const) {
      const history = await recordOn(make, seed, transactions);
      const wrong =
        violationOf(history) ?? (searched && findSerialOrder(history) === undefined ? 'no serial order explains it' : undefined);
      totals.transactions += history.length;
      totals.conflicts += history.filter((txn) => txn.end.as === 'conflict').length;
      if (wrong !== undefined) {
        console.log(`seed ${seed}, ${transactions} transactions: ${wrong}`);
        if (searched) for (const txn of history) console.log(`  ${printable(txn)}`);
        return false;
      }
    }
  }
  console.log(`${totals.transactions} transactions, ${totals.conflicts} conflicts: every history has its serial order`);
  return totals.conflicts > 0;
}

/** One recorded history on a fresh database; keys, workers and setup vary with the seed. */
export async function recordOn(make: MakeTarget, seed: number, transactions: number): Promise<Recorded[]> {
  const durability = (['immediate', 'debounced', 'async'] as const)[seed % 3] ?? 'immediate';
  const setup = {
    pageSize: 8192,
    cacheMemory: 2 ** 20,
    segmentBytes: 64 * 1024,
    historyMs: seed % 2 === 0 ? 0 : null,
    durability,
    accelerator: seed % 5 !== 0,
    thread: false,
  };
  const target = make(setup);
  const engine = await target.open();
  try {
    return await record({ engine, clock: target.clock, seed, workers: 2 + (seed % 7), transactions, keys: 2 + (seed % 11) });
  } finally {
    await engine.close();
  }
}
