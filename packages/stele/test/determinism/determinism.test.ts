/**
 * What cannot be replayed from a seed cannot be debugged: one program, run twice on the faulty host with one seed, does the
 * same to the disk, byte for byte and in the same order.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FaultyHost, faultyHost } from '../../src/host/faulty/host.ts';
import { openEngine } from '../../src/txn/engine.ts';
import type { Engine, Operation } from '../../src/txn/types.ts';
import { SeededRandom } from '../model/random.ts';
import { keyOf, valueFor } from '../threads/values.ts';

const options = { cacheMemory: 1024 * 1024, segmentBytes: 128 * 1024, historyRetention: 2000 };

interface Run {
  /** Of the first machine, and of the one after the power cut. */
  readonly hashes: readonly string[];
  readonly versions: readonly number[];
  readonly stats: unknown;
}

/** Writes of every kind, flushes, time for housekeeping, a clean reopening, and one after a power cut. */
async function runProgram(seed: number): Promise<Run> {
  const random = new SeededRandom(seed);
  const host = faultyHost({ seed, latencyMs: 1 });
  const hashes: string[] = [];
  const versions: number[] = [];
  let engine = await host.drive(openEngine({ host, ...options }));
  for (let round = 0; round < 3; round++) {
    await writeRound(engine, host, random);
    if (round === 1) {
      await host.drive(engine.close());
      engine = await host.drive(openEngine({ host, ...options }));
    }
  }
  versions.push(engine.version, engine.durableVersion);
  const stats = engine.stats();
  hashes.push(host.storage.traceHash());
  const rebooted = host.reboot();
  engine = await rebooted.drive(openEngine({ host: rebooted, ...options }));
  versions.push(engine.version);
  await writeRound(engine, rebooted, random);
  await rebooted.drive(engine.close());
  hashes.push(rebooted.storage.traceHash());
  return { hashes, versions, stats };
}

async function writeRound(engine: Engine, host: FaultyHost, random: SeededRandom): Promise<void> {
  const waited: Promise<unknown>[] = [];
  for (let turn = 0; turn < 60; turn++) {
    const n = random.below(500);
    const lot = random.below(10);
    const durability = random.pick(['immediate', 'debounced', 'async'] as const);
    if (lot < 5)
      waited.push(engine.put(keyOf(n), valueFor(n, turn, random.between(8, 900)), { durability, ttlMs: random.between(500, 5000) }));
    else if (lot < 6) waited.push(engine.delete(keyOf(n), { durability }));
    else if (lot < 8) waited.push(engine.batch(batchOf(random, turn), { durability }));
    else if (lot < 9) waited.push(engine.transact((txn) => txn.put(keyOf(n), valueFor(n, txn.count(), 20))));
    else waited.push(engine.put(keyOf(n), valueFor(n, turn, 20_000), { durability }));
    if (random.oneIn(8)) await host.advance(random.below(700));
    if (random.oneIn(20)) waited.push(engine.flush());
  }
  await host.drive(Promise.all(waited));
  await host.advance(3000);
}

function batchOf(random: SeededRandom, stamp: number): Operation[] {
  return Array.from({ length: random.between(1, 60) }, () => {
    const n = random.below(500);
    return random.oneIn(4) ? { type: 'delete', key: keyOf(n) } : { type: 'put', key: keyOf(n), value: valueFor(n, stamp, 100) };
  });
}

test('the same seed gives the same trace of operations, through housekeeping, reopening and a power cut', async () => {
  const first = await runProgram(11);
  const second = await runProgram(11);
  assert.deepEqual(second, first);
  const counters = (first.stats as { commits: Record<string, number> }).commits;
  for (const name of ['expiredRemoved', 'tombstonesSwept', 'segmentsDropped', 'flushes', 'puts', 'deletes'])
    assert.ok(counters[name]! > 0, `${name} was not reached`);
});

test('another seed gives another trace', async () => {
  const [first, second] = [await runProgram(12), await runProgram(13)];
  assert.notEqual(first.hashes[0], second.hashes[0]);
  assert.notEqual(first.hashes[1], second.hashes[1]);
});
