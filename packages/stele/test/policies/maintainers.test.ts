import assert from 'node:assert/strict';
import test from 'node:test';
import { Prng } from '../../src/host/faulty/prng.ts';
import { NOBODY } from '../../src/model/identity.ts';
import { derivedHead, derivedRange } from '../../src/model/index/derived-key.ts';
import type { BuildableMaintainer, DerivedWrites, MaintainerFactory, MaintainerRecord } from '../../src/model/maintainer.ts';
import { behind } from '../../src/model/place.ts';
import { declareMaintainers } from '../../src/model/policy/declare.ts';
import type { Database } from '../../src/model/types.ts';
import { keyOf, openParts, openTest, type TestWorld, testWorld } from './kit.ts';

/** A maintainer of the tests: copies every leaf, its expiry too, to 03 id + the key without its keyspace. */
function mirrorOf(prefix: Uint8Array, { id }: MaintainerRecord): BuildableMaintainer {
  const head = derivedHead(id);
  const derivedKey = (key: Uint8Array): Uint8Array => Uint8Array.from([...head, ...key.subarray(1)]);
  return {
    kind: 'mirror',
    prefix,
    derive({ key, after, afterExpiresAt }, writes) {
      if (after === undefined) writes.delete(derivedKey(key));
      else writes.put(derivedKey(key), after, afterExpiresAt);
    },
    derivedRanges: () => [derivedRange(id)],
    build(_, after, recordsMax, writes: DerivedWrites) {
      const leaves = [...writes.scan({ start: after ?? prefix, end: behind(prefix), limit: recordsMax })];
      for (const { key, value, expiresAt } of leaves) writes.put(derivedKey(key), value, expiresAt ?? 0);
      const last = leaves.at(-1);
      return leaves.length < recordsMax ? undefined : Uint8Array.from([...last!.key, 0]);
    },
  };
}

const mirrorFactory = (format = 1): MaintainerFactory => ({
  kind: 'mirror',
  format,
  open: (prefix, records) => mirrorOf(prefix, records[0]!),
});
const WANTED = { kind: 'mirror', format: 1, declarations: [{ name: 'copy', definition: null }] };

async function declareMirror(world: TestWorld): Promise<void> {
  const store = openParts(world, {}, [mirrorFactory()]);
  declareMaintainers(store, keyOf('m'), WANTED, NOBODY);
  await store.engine.close();
}

/** Leaves below m and their copies, as text. */
async function leavesAndCopies(db: Database, world: TestWorld): Promise<[string[], string[]]> {
  await db.close();
  const { engine } = openParts(world, {}, [mirrorFactory()]);
  const text = (start: Uint8Array, end: Uint8Array, from: number): string[] =>
    [...engine.scan({ start, end })].map(
      ({ key, value, expiresAt }) => `${Buffer.from(key.slice(from)).toString('hex')} ${Buffer.from(value).toString('hex')} ${expiresAt}`,
    );
  const answer: [string[], string[]] = [text(keyOf('m'), behind(keyOf('m')), 1), text(Uint8Array.of(3), Uint8Array.of(4), 2)];
  await engine.close();
  return answer;
}

test('a maintainer of a layer is told of every change, on every route', async () => {
  const world = testWorld();
  await declareMirror(world);
  let db = openTest(world, {}, [mirrorFactory()]);
  const prng = new Prng(5);
  const path = () => ['m', `a${prng.below(4)}`, `b${prng.below(4)}`];
  const routes: readonly (() => unknown)[] = [
    () => db.putSync(path(), prng.below(9)),
    () => db.put(path(), prng.below(9), { ttl: 1 + prng.below(50) }),
    () => db.deleteSync(path()),
    () => db.deleteTreeSync(path().slice(0, 1 + prng.below(3))),
    () => db.deleteTreeSync(path().slice(0, 2)),
    () => db.putTreeSync(['m', 'a1'], { b1: 1, b2: { deep: 2 } }, { merge: prng.chance(0.5) }),
    () => db.incrementSync(['m', 'n', 'count'], 1),
    () => db.batchSync([{ type: 'put', path: path(), value: 1 }, { type: 'delete', path: path() }, { type: 'increment', path: ['m', 'n', 'c2'] }]),
    () => db.transactSync((tx) => {
        tx.put(path(), 5);
        tx.delete(path());
        tx.putTree('m/a2', { b0: 3 });
      }),
    () => db.putSync('elsewhere', 1),
  ]; // biome-ignore format: a list
  for (let round = 0; round < 12; round++) {
    for (let i = 0; i < 25; i++) {
      await routes[prng.below(routes.length)]!();
      if (prng.chance(0.2)) world.clock.ms += prng.below(20);
    }
    const [leaves, copies] = await leavesAndCopies(db, world);
    assert.deepEqual(copies, leaves);
    db = openTest(world, {}, [mirrorFactory()]);
  }
  await db.close();
});

test('declared over data it is built first', async () => {
  const world = testWorld();
  const db = openTest(world);
  for (let at = 0; at < 4500; at++) db.putSync(['m', at], at);
  await db.close();
  await declareMirror(world);
  const [leaves, copies] = await leavesAndCopies(openTest(world, {}, [mirrorFactory()]), world);
  assert.equal(leaves.length, 4500);
  assert.deepEqual(copies, leaves);
});

test('a program without the maintainer reads, and is refused every write below its prefix', async () => {
  const world = testWorld();
  await declareMirror(world);
  const with_ = openTest(world, {}, [mirrorFactory()]);
  with_.putSync('m/a', 1);
  await with_.close();
  for (const factories of [[], [mirrorFactory(2)]]) {
    const db = openTest(world, {}, factories);
    const { version } = db;
    const refused = { kind: 'denied', code: 'MAINTAINER_MISSING', detail: { path: 'm', kind: 'mirror', format: 1, name: 'copy' } } as const;
    assert.throws(() => db.putSync('m/b', 1), refused);
    assert.throws(() => db.putSync('m', 1), refused);
    await assert.rejects(db.put('m/b', 1), refused);
    assert.throws(() => db.deleteSync('m/a'), refused);
    assert.throws(() => db.deleteTreeSync(), refused);
    assert.throws(() => db.incrementSync('m/a'), refused);
    assert.throws(() => db.putTreeSync('m', { a: 1 }), refused);
    assert.throws(
      () =>
        db.batchSync([
          { type: 'put', path: 'x', value: 1 },
          { type: 'put', path: 'm/c', value: 1 },
        ]),
      refused,
    );
    assert.throws(() => db.transactSync((tx) => tx.put('m/c', 1)), refused);
    assert.equal(db.version, version);
    assert.equal(db.get('m/a'), 1);
    assert.deepEqual([...db.children('m')], ['a']);
    db.putSync('other', 1);
    db.subtree('m', { ttl: 5 });
    await db.close();
  }
});

test('a kind that was not registered cannot be declared', async () => {
  const store = openParts(testWorld());
  assert.throws(() => declareMaintainers(store, keyOf('m'), WANTED, NOBODY), { kind: 'invalid', code: 'OPTION_INVALID' });
  assert.equal(store.engine.version, 0);
  await store.engine.close();
});

test('a maintainer that throws refuses the commit whole', async () => {
  const world = testWorld();
  await declareMirror(world);
  const angry: MaintainerFactory = {
    ...mirrorFactory(),
    open: (prefix, records) => ({
      ...mirrorOf(prefix, records[0]!),
      derive(_, writes) {
        writes.put(Uint8Array.of(3, 1, 9), new Uint8Array(), 0);
        writes.atCommit(() => {
          throw new Error('not this');
        });
      },
    }),
  };
  const db = openTest(world, {}, [angry]);
  const { version } = db;
  assert.throws(() => db.putSync('m/a', 1), /not this/);
  await assert.rejects(
    db.batch([
      { type: 'put', path: 'x', value: 1 },
      { type: 'put', path: 'm/c', value: 1 },
    ]),
    /not this/,
  );
  await assert.rejects(
    db.transact((tx) => tx.put('m/c', 1)),
    /not this/,
  );
  assert.deepEqual([db.version, db.has('x')], [version, false]);
  await db.close();
});
