/** Leaves are entered into the accelerator in the background: after opening, in slices, and not while memory is short. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withTicks } from '../../test/crash/machine.ts';
import { faultyHost } from '../host/faulty/host.ts';
import { openEngineSync } from './engine.ts';
import type { Engine } from './types.ts';

const BEATS_MS = 1600;
const key = (at: number): Uint8Array => new TextEncoder().encode(`\u0002k/${String(at).padStart(6, '0')}`);

/** A database of 20,000 entries, closed and opened again with so much memory. */
async function reopened(cacheMemory: number): Promise<{ db: Engine; machine: ReturnType<typeof faultyHost> }> {
  const machine = faultyHost({ seed: 5 });
  const host = withTicks(machine);
  const open = (memory: number): Engine => openEngineSync({ host, cacheMemory: memory, durability: 'async' });
  const first = open(8 << 20);
  const value = new Uint8Array(100).fill(7);
  for (let at = 0; at < 20_000; at++) first.putSync(key(at), value);
  await machine.drive(first.close());
  return { db: open(cacheMemory), machine };
}

const figures = (db: Engine): { leaves: number; known: number; entries: number; background: number } => {
  const { tree, work } = db.stats();
  return {
    leaves: Number(tree!['leaves']),
    known: Number(tree!['acceleratorLeaves']),
    entries: Number(tree!['acceleratorEntries']),
    background: Number(work!['leavesIndexed']),
  };
};

test('after opening, what was read once is entered in the background, and nothing is read for it', async () => {
  const { db, machine } = await reopened(8 << 20);
  db.get(key(3));
  await machine.advance(BEATS_MS);
  const some = figures(db);
  assert.deepEqual([some.known, some.background], [1, 1], 'only the leaf that was read is in memory');
  db.forEach({}, () => true);
  await machine.advance(BEATS_MS);
  const all = figures(db);
  assert.deepEqual([all.known, all.entries, all.background], [all.leaves, 20_000, all.leaves]);
  for (let at = 0; at < 20_000; at += 97) assert.notEqual(db.get(key(at)), undefined);
  assert.equal(db.get(key(20_000)), undefined);
  await machine.drive(db.close());
});

test('a write between two slices is in the accelerator like any other', async () => {
  const { db, machine } = await reopened(8 << 20);
  db.forEach({}, () => true);
  let isOver = false;
  const beats = machine.advance(BEATS_MS).then(() => {
    isOver = true;
  });
  let written = 0;
  while (!isOver) {
    if (written < 3000) {
      db.putSync(key(30_000 + written), key(written));
      db.deleteSync(key(written * 5));
      written++;
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  await beats;
  assert.ok(written > 10, `${written} writes came between the slices`);
  const { leaves, known } = figures(db);
  assert.equal(known, leaves);
  for (let at = 0; at < written; at++) {
    assert.deepEqual(db.get(key(30_000 + at)), key(at));
    assert.equal(db.has(key(at * 5)), false);
  }
  assert.equal((await machine.drive(db.verify())).ok, true);
  await machine.drive(db.close());
});

test('nothing is entered while pages are being thrown out', async () => {
  const { db, machine } = await reopened(1 << 20);
  for (let beat = 0; beat < 4; beat++) {
    db.forEach({}, () => true);
    await machine.advance(500);
  }
  assert.equal(figures(db).background, 0);
  await machine.drive(db.close());
});

test('what a large batch adds is entered afterwards, not while it is being loaded', async () => {
  const machine = faultyHost({ seed: 6 });
  const db = openEngineSync({ host: withTicks(machine), cacheMemory: 8 << 20, durability: 'async' });
  for (let from = 0; from < 10_000; from += 1000) {
    db.batchSync(Array.from({ length: 1000 }, (_, at) => ({ type: 'put', key: key(from + at), value: key(at) })));
  }
  assert.equal(figures(db).known, 0);
  await machine.advance(BEATS_MS);
  const { leaves, known, entries } = figures(db);
  assert.deepEqual([known, entries], [leaves, 10_000]);
  assert.deepEqual(db.get(key(7007)), key(7));
  assert.equal(db.get(key(10_000)), undefined);
  await machine.drive(db.close());
});
