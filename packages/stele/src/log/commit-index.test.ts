import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FewFrames } from '../../test/log/blocks.ts';
import { below, databaseId, rng } from '../../test/log/kit.ts';
import { SteleError } from '../base/errors.ts';
import { memoryStorage } from '../host/memory/storage.ts';
import { CommitIndex } from './commit-index.ts';
import { INDEX_FILE } from './index-format.ts';
import { MISS, OK } from './outcome.ts';

interface Row {
  time: number;
  asserted: number;
  segment: number;
  offset: number;
}

/** Appends `count` rows with repeated and jumping times. */
function fill(index: CommitIndex, rows: Row[], count: number, seed: number): void {
  const random = rng(seed);
  let time = rows.at(-1)?.time ?? 1_600_000_000_000;
  for (let i = 0; i < count; i++) {
    time += below(random, 3) === 0 ? 0 : below(random, 50);
    const row = {
      time,
      asserted: below(random, 4) === 0 ? below(random, 1_000_000) : 0,
      segment: 1 + (rows.length >> 10),
      offset: 256 + below(random, 60_000),
    };
    rows.push(row);
    index.append(rows.length, row.time, row.asserted, row.segment, row.offset);
  }
}

/** Calls until it is no MISS. */
function read(index: CommitIndex, call: () => number): number {
  for (;;) {
    const value = call();
    if (value !== MISS) return value;
    index.fillMissed();
  }
}

function check(index: CommitIndex, rows: readonly Row[], seed: number): void {
  const random = rng(seed);
  let running = 0;
  const maxima = rows.map((row) => (running = Math.max(running, row.asserted)));
  for (let i = 0; i < 400; i++) {
    const commit = i === 0 ? 1 : i === 1 ? rows.length : 1 + below(random, rows.length);
    const row = rows[commit - 1]!;
    assert.equal(
      read(index, () => index.timeOf(commit)),
      row.time,
    );
    assert.equal(
      read(index, () => index.positionOf(commit)),
      OK,
    );
    assert.deepEqual([index.segment, index.offset], [row.segment, row.offset]);
    const ms = row.time + below(random, 60) - 30;
    assert.equal(
      read(index, () => index.atTime(ms)),
      rows.findLastIndex((other) => other.time <= ms) + 1,
    );
    const asserted = below(random, 1_100_000);
    assert.equal(
      read(index, () => index.atAsserted(asserted)),
      maxima.findLastIndex((max) => max <= asserted) + 1,
    );
  }
  assert.equal(index.assertedMax, running);
}

test('the index answers like a list, from memory, from the file and through frames, before and after reopening', () => {
  for (const blocks of [undefined, new FewFrames(6, 4096)]) {
    const storage = memoryStorage();
    const options = { storage, databaseId, blocks };
    const index = CommitIndex.create(options);
    assert.equal(index.atTime(1e12), 0);
    const rows: Row[] = [];
    fill(index, rows, 3000, 1);
    check(index, rows, 2);
    index.write(2000);
    check(index, rows, 3);
    fill(index, rows, 40_000, 4);
    check(index, rows, 5);
    index.write(42_000);
    index.syncNow();
    index.close();
    const again = CommitIndex.open(options, 42_000);
    rows.length = 42_000;
    check(again, rows, 6);
    fill(again, rows, 2000, 7);
    check(again, rows, 8);
    again.close();
  }
});

test('what the file holds behind the commit of the meta means nothing', () => {
  const options = { storage: memoryStorage(), databaseId };
  const index = CommitIndex.create(options);
  const rows: Row[] = [];
  fill(index, rows, 100, 1);
  index.write(100);
  index.close();
  const again = CommitIndex.open(options, 50);
  rows.length = 50;
  fill(again, rows, 100, 9);
  check(again, rows, 10);
});

test('a damaged entry, a short file and a foreign file are told', () => {
  const storage = memoryStorage();
  const options = { storage, databaseId };
  const index = CommitIndex.create(options);
  fill(index, [], 100, 1);
  index.write(100);
  const file = storage.open(INDEX_FILE);
  file.write(Uint8Array.of(255), 0, 1, 256 + 24 * 40 + 3);
  const fails = (code: string) => (error: unknown) => error instanceof SteleError && error.code === code;
  assert.throws(() => index.timeOf(41), fails('INDEX_DAMAGED'));
  assert.equal(index.timeOf(40) <= index.timeOf(42), true);
  assert.throws(() => CommitIndex.open(options, 101), fails('INDEX_DAMAGED'));
  assert.throws(() => CommitIndex.open({ storage, databaseId: new Uint8Array(16) }, 10), fails('WRONG_DATABASE'));
  file.write(Uint8Array.of(1), 0, 1, 100);
  assert.throws(() => CommitIndex.open(options, 10), fails('INDEX_DAMAGED'));
});
