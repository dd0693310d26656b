/**
 * The child that is killed: commits as fast as it can and tells which commits were acknowledged.
 *
 * Commit n writes what {@link operationsOf} says, whoever writes it and whenever; so the state after n commits needs no record.
 * Arguments: directory, durability, seed, history in ms or `Infinity`.
 */

import { posixHost } from '../../src/host/posix/host.ts';
import { openEngineSync } from '../../src/txn/engine.ts';
import type { Durability, Operation } from '../../src/txn/types.ts';
import { SeededRandom } from '../model/random.ts';
import { keyBytes } from '../reference/keys.ts';
import { mixSeed } from './machine.ts';
import { valueBytes } from './workload.ts';

/** What commit `version` of the run `seed` writes: at least one put. */
export function operationsOf(seed: number, version: number): Operation[] {
  const random = new SeededRandom(mixSeed(seed, version));
  const operations: Operation[] = [];
  for (let i = random.below(4); i > 0; i--) operations.push({ type: 'delete', key: keyBytes(`\x02k${random.below(500)}`) });
  if (random.oneIn(60)) operations.push({ type: 'put', key: keyBytes(`\x02big${random.below(4)}`), value: valueBytes(random, 40_000) });
  // Last, so that no delete of the same key makes the commit one without effect.
  operations.push({ type: 'put', key: keyBytes(`\x02k${random.below(500)}`), value: valueBytes(random, random.below(600)) });
  return operations;
}

/** Options of child and parent alike. */
export const SIZES = { segmentBytes: 512 * 1024, cacheMemory: 2 * 1024 * 1024 } as const;

async function run(directory: string, durability: Durability, seed: number, historyMs: number): Promise<void> {
  const host = posixHost(directory, { threads: 'inline' });
  const engine = openEngineSync({ host, durability, historyRetention: historyMs, debounceMs: 20, ...SIZES });
  process.send?.({ ready: engine.version });
  let next = engine.version;
  for (let round = 0; ; round++) {
    const group: Promise<unknown>[] = [];
    for (let i = 1 + (round % 7); i > 0; i--) {
      const version = ++next;
      group.push(
        engine
          .batch(operationsOf(seed, version))
          .then((receipt) => process.send?.({ acknowledged: receipt.changed > 0 ? receipt.version : 0 })),
      );
    }
    await Promise.all(group);
    if (round % 40 === 39) void engine.flush();
    if (round % 200 === 199) await engine.compact();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

if (process.send !== undefined && process.argv[2] !== undefined) {
  const [, , directory, durability, seed, history] = process.argv as [string, string, string, Durability, string, string];
  await run(directory, durability, Number(seed), Number(history));
}
