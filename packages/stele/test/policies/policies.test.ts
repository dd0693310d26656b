import assert from 'node:assert/strict';
import test from 'node:test';
import { Prng } from '../../src/host/faulty/prng.ts';
import { NOBODY } from '../../src/model/identity.ts';
import { declare } from '../../src/model/policy/declare.ts';
import type { Policy } from '../../src/model/policy/types.ts';
import type { Segment } from '../../src/model/types.ts';
import { keyOf, openParts, openTest, testWorld } from './kit.ts';
import { nameOf } from './naive.ts';

const forEver = Number.POSITIVE_INFINITY;
const SEGMENTS: readonly Segment[] = ['a', 'a\0b', 'b', 1, true, new Uint8Array([0]), new Uint8Array()];
const LEVELS = ['async', 'debounced', 'immediate'] as const;

function drawPath(prng: Prng): Segment[] {
  return Array.from({ length: prng.below(4) }, () => SEGMENTS[prng.below(SEGMENTS.length)]!);
}

function drawPolicy(prng: Prng): Policy {
  return {
    ...(prng.chance(0.4) ? { ttl: [5, 1000, forEver][prng.below(3)]! } : {}),
    ...(prng.chance(0.4) ? { history: [0, 50, forEver][prng.below(3)]! } : {}),
    ...(prng.chance(0.4) ? { durability: LEVELS[prng.below(3)]! } : {}),
  };
}

/** Inheritance as the specification says it: from the root down, nearest ttl and history, strongest durability. */
function naiveEffective(declared: ReadonlyMap<string, Policy>, path: readonly Segment[]): Policy {
  let effective: Policy = {};
  for (let depth = 0; depth <= path.length; depth++) {
    const here = declared.get(nameOf(path.slice(0, depth))) ?? {};
    const levels = [effective.durability, here.durability].filter((level) => level !== undefined);
    const strongest = LEVELS.findLast((level) => levels.includes(level));
    effective = { ...effective, ...here, ...(strongest === undefined ? {} : { durability: strongest }) };
  }
  return effective;
}

test('policies are inherited as a walk from the root says: now, in older views, and after opening again', async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const prng = new Prng(seed);
    const world = testWorld(seed);
    let db = openTest(world);
    const declared = new Map<string, Policy>();
    const past: { version: number; declared: ReadonlyMap<string, Policy> }[] = [];
    for (let step = 0; step < 120; step++) {
      const path = drawPath(prng);
      const policy = drawPolicy(prng);
      const before = db.version;
      const isSame = JSON.stringify(policy) === JSON.stringify(declared.get(nameOf(path)) ?? {});
      db.subtree(path, policy);
      if (isSame) assert.equal(db.version, before, 'a policy that holds already is no commit');
      declared.set(nameOf(path), policy);
      past.push({ version: db.version, declared: new Map(declared) });
      if (prng.chance(0.05)) {
        await db.close();
        db = openTest(world);
      }
      const asked = drawPath(prng);
      assert.deepEqual(db.subtree(asked).policy, naiveEffective(declared, asked));
      const then = past[prng.below(past.length)]!;
      const view = db.asOf(then.version);
      assert.deepEqual(view.subtree(asked).policy, naiveEffective(then.declared, asked), `seed ${seed}, version ${then.version}`);
      view.close();
    }
    await db.close();
  }
});

test('find() regards what is declared at and above a key, and nothing else', async () => {
  const store = openParts(testWorld());
  const { book } = store;
  assert.ok(book.isEmpty);
  declare(store, keyOf('a/b'), { ttl: 5 }, NOBODY);
  declare(store, keyOf('a'), { durability: 'immediate' }, NOBODY);
  declare(store, keyOf('a/b/c'), { history: 0 }, NOBODY);
  const found = (path: readonly Segment[]) => {
    const key = keyOf(path);
    const effective = book.find(key, key.length);
    return effective && [effective.ttlMs, effective.durability, effective.maintainers.length];
  };
  assert.deepEqual(found(['a']), [undefined, 'immediate', 0]);
  assert.deepEqual(found(['a', 'b']), [5, 'immediate', 0]);
  assert.deepEqual(found(['a', 'b', 'c', 'd']), [5, 'immediate', 0]);
  assert.equal(found(['a\0b']), undefined, 'a longer text is another segment');
  assert.equal(found(['b']), undefined);
  declare(store, keyOf(['a\0b']), { ttl: 7 }, NOBODY);
  assert.deepEqual(found(['a\0b', 'x']), [7, undefined, 0], 'nor does it inherit');
  assert.equal(book.maintainersWithin(keyOf('a')).length, 0);
  declare(store, keyOf(['a\0b']), {}, NOBODY);
  assert.equal(book.durabilityWithin(keyOf([])), 'immediate');
  assert.equal(book.durabilityWithin(keyOf('a/b')), undefined);
  declare(store, keyOf('a'), {}, NOBODY);
  assert.equal(found(['a']), undefined, 'a member that is not given again is gone');
  declare(store, keyOf('h'), { history: 5 }, NOBODY);
  assert.equal(found(['h', 'x']), undefined, 'a history alone asks nothing of a write');
  for (const path of ['a/b', 'a/b/c', 'h']) declare(store, keyOf(path), {}, NOBODY);
  assert.ok(book.isEmpty);
  await store.engine.close();
});

test('a ttl declared for a subtree ends values put without one, and Infinity below it ends none', async () => {
  const world = testWorld();
  const db = openTest(world);
  db.subtree('cache', { ttl: 100 });
  db.subtree('cache/pinned', { ttl: forEver });
  for (const path of ['cache/a', 'cache/pinned/a', 'other']) db.putSync(path, 1);
  db.putSync('cache/own', 1, { ttl: 500 });
  db.putSync('cache/never', 1, { ttl: forEver });
  const there = () => ['cache/a', 'cache/pinned/a', 'other', 'cache/own', 'cache/never'].filter((path) => db.has(path));
  world.clock.ms += 99;
  assert.equal(there().length, 5);
  world.clock.ms += 1;
  assert.deepEqual(there(), ['cache/pinned/a', 'other', 'cache/own', 'cache/never']);
  await db.close();
});

test('history is kept as long as the nearest subtree says, and neighbours keep theirs', async () => {
  const world = testWorld();
  const db = openTest(world);
  db.subtree('short', { history: 0 });
  db.subtree('short/long', { history: forEver });
  const paths = [['short', 'x'], ['short', 'long', 'x'], ['short\0x', 'x'], ['other']];
  for (const value of [1, 2, 3]) for (const path of paths) db.putSync(path, value);
  const { version } = db;
  for (const path of paths) db.putSync(path, 4);
  world.clock.ms += 1000;
  await db.flush();
  const view = db.asOf(version);
  assert.throws(() => view.get(paths[0]!), { code: 'HISTORY_EXPIRED' });
  for (const path of paths.slice(1)) assert.equal(view.get(path), 3, path.join());
  view.close();
  await db.close();
});

test('the rules of retention follow what is declared, through opening again and a crash before they were set', async () => {
  const world = testWorld();
  const store = openParts(world);
  declare(store, keyOf('a'), { history: 10, index: { i: ['x'] } }, NOBODY);
  declare(store, keyOf('a/b'), { history: 20 }, NOBODY);
  const rules = () => store.engine.retention.rules.map(({ prefix, historyMs }) => [Buffer.from(prefix).toString('hex'), historyMs]);
  assert.deepEqual(rules(), [
    ['', forEver],
    ['016d61696e7461696e657200', forEver],
    ['01706f6c69637900', forEver],
    ['026100', 10],
    ['0261006200', 20],
    ['026100ff', forEver],
    ['0301', 10],
  ]);
  // As if the program had died between the commit and the rules.
  store.engine.setRetention({ rules: [{ prefix: new Uint8Array(), historyMs: forEver }] });
  await store.engine.close();
  const again = openParts(world);
  assert.equal(again.engine.retention.rules.length, 7);
  declare(again, keyOf('a'), {}, NOBODY);
  declare(again, keyOf('a/b'), {}, NOBODY);
  assert.equal(again.engine.retention.rules.length, 1);
  await again.engine.close();
});

test('where the database keeps no history and a subtree does, policies are kept as long as the subtree', async () => {
  const world = testWorld();
  const db = openTest(world, { historyRetention: 0 });
  db.subtree('kept', { history: forEver, durability: 'async' });
  db.putSync('kept/a', 1);
  const { version } = db;
  db.subtree('kept', { history: forEver, durability: 'debounced' });
  db.putSync('kept/a', 2);
  await db.flush();
  const view = db.asOf(version);
  assert.equal(view.get('kept/a'), 1);
  assert.deepEqual(view.subtree('kept').policy, { history: forEver, durability: 'async' });
  view.close();
  await db.close();
});

test('a history longer than the log is kept is refused, and nothing is written', async () => {
  const db = openTest(testWorld(), { historyRetention: 100, logRetention: 1000 });
  db.subtree('a', { history: 1000 });
  const { version } = db;
  assert.throws(() => db.subtree('b', { history: 1001 }), { kind: 'invalid', code: 'RETENTION_RULES' });
  assert.throws(() => db.subtree('b', { history: forEver }), { code: 'RETENTION_RULES' });
  assert.equal(db.version, version);
  assert.deepEqual(db.subtree('b').policy, {});
  await db.close();
});

test('a refused policy writes nothing, and a path too long for a policy is refused', async () => {
  const db = openTest(testWorld());
  assert.throws(() => db.subtree('a', { ttl: -1 }), { kind: 'invalid', code: 'OPTION_INVALID' });
  assert.throws(() => db.subtree('a', { worm: true } as Policy), { kind: 'invalid', code: 'FEATURE_MISSING' });
  assert.throws(() => db.subtree([new Uint8Array(500), 'a'.repeat(10)], { ttl: 1 }), { kind: 'invalid', code: 'PATH_INVALID' });
  assert.equal(db.version, 0);
  await db.close();
});

test('a database opened read-only has the policies and refuses to declare', async () => {
  const world = testWorld();
  const db = openTest(world);
  db.subtree('a', { ttl: 5, index: { i: ['x'] } });
  db.putSync('a/1/x', 'v');
  await db.close();
  const reading = openTest(world, { readOnly: true });
  assert.equal(reading.subtree('a').policy.ttl, 5);
  assert.doesNotThrow(() => reading.subtree('a', { ttl: 5, index: { i: ['x'] } }), 'what holds already is no write');
  assert.throws(() => reading.subtree('a', { ttl: 6 }), { kind: 'denied', code: 'READ_ONLY' });
  assert.deepEqual(
    [...reading.subtree('a').lookup('i', 'v')].map(({ path }) => path),
    [['1']],
  );
  await reading.close();
});

test('a catalog that does not parse is damage, and the database is not opened', async () => {
  const world = testWorld();
  const store = openParts(world);
  declare(store, keyOf('a'), { ttl: 5 }, NOBODY);
  const key = [...store.engine.scan({ start: Uint8Array.of(1), end: Uint8Array.of(2) })].find(({ key: found }) => found.length > 10)!.key;
  store.engine.putSync(key, store.codec.encode({ ttl: 'soon' }));
  await store.engine.close();
  assert.throws(() => openTest(world), { kind: 'corrupt', code: 'POLICY_DAMAGED' });
});
