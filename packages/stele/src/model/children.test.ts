import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryHost, open, type Reading, type Segment } from '../index.ts';

/** Beside one another in key order, and easily taken for one another. */
const names: readonly Segment[] = ['a', 'a\0', 'a\0b', 'ab', 'b', 0, 1, -1, 1.5, true, Uint8Array.of(0), Uint8Array.of(0, 255), 'zoë', 'z'];
const below: readonly (readonly Segment[])[] = [[], ['x'], ['x', 1], ['y'], ['a\0'], [Uint8Array.of(255)]];

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The children as a full scan shows them. */
function naive(reading: Reading<unknown>, prefix: Segment[]): Segment[] {
  const seen: Segment[] = [];
  for (const { path } of reading.scan({ prefix })) {
    const child = path[prefix.length];
    if (child !== undefined && JSON.stringify(child) !== JSON.stringify(seen.at(-1))) seen.push(child);
  }
  return seen;
}

function compare(reading: Reading<unknown>, prefix: Segment[], what: string): void {
  const expected = naive(reading, prefix);
  assert.deepEqual(reading.children(prefix).toArray(), expected, what);
  assert.deepEqual(reading.children(prefix, { reverse: true }).toArray(), expected.toReversed(), `${what}, reversed`);
  assert.deepEqual(reading.children(prefix, { limit: 2 }).toArray(), expected.slice(0, 2), `${what}, two`);
  for (const [at, child] of expected.entries()) {
    assert.deepEqual(reading.children(prefix, { after: child }).toArray(), expected.slice(at + 1), `${what}, after ${String(child)}`);
    const before = expected.slice(0, at).toReversed();
    assert.deepEqual(reading.children(prefix, { after: child, reverse: true }).toArray(), before, `${what}, before ${String(child)}`);
  }
}

test('children() is what a scan shows one level below, whatever lies deeper, in every view', async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const next = random(seed);
    await using db = await open({ host: memoryHost() });
    for (let i = 0; i < 60; i++) {
      const path = ['top', names[Math.floor(next() * names.length)]!, ...below[Math.floor(next() * below.length)]!];
      if (next() < 0.2) db.deleteTreeSync(path);
      else db.putSync(path, i);
    }
    if (next() < 0.5) db.putSync('top', 'a value at the path itself');
    using before = db.snapshot();
    compare(db, ['top'], `seed ${seed}`);
    compare(db.subtree('top'), [], `seed ${seed}, subtree`);
    db.transactSync((tx) => {
      for (let i = 0; i < 15; i++) {
        const path = ['top', names[Math.floor(next() * names.length)]!, ...below[Math.floor(next() * below.length)]!];
        if (next() < 0.4) tx.deleteTree(path);
        else tx.put(path, i);
      }
      compare(tx, ['top'], `seed ${seed}, transaction`);
    });
    compare(db, ['top'], `seed ${seed}, after`);
    compare(before, ['top'], `seed ${seed}, snapshot`);
  }
});

test('a walk over children sees one view and can be abandoned', async () => {
  await using db = await open({ host: memoryHost() });
  for (const name of ['a', 'b', 'c']) for (let i = 0; i < 3; i++) db.putSync([name, i], i);
  const seen: Segment[] = [];
  for (const child of db.children()) {
    seen.push(child);
    db.deleteTreeSync('b');
    db.putSync('bb/1', 1);
  }
  assert.deepEqual(seen, ['a', 'b', 'c']);
  for (const _child of db.children()) break;
  assert.deepEqual(db.children().toArray(), ['a', 'bb', 'c']);
});

test('children() costs steps by the child, not by what lies below', async () => {
  await using db = await open({ host: memoryHost(), durability: 'async' });
  const operations = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ type: 'put' as const, path: [`c${i % 10}`, i], value: 0 }));
  db.batchSync(operations(50_000));
  const started = performance.now();
  for (let i = 0; i < 20; i++) assert.equal(db.children().toArray().length, 10);
  const childrenMs = (performance.now() - started) / 20;
  const begun = performance.now();
  let rows = 0;
  for (const _row of db.scan({ values: false })) rows++;
  const scanMs = performance.now() - begun;
  assert.equal(rows, 50_000);
  assert.ok(childrenMs < scanMs / 20, `children ${childrenMs} ms, scan ${scanMs} ms`);
});
