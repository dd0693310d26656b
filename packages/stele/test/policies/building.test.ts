import assert from 'node:assert/strict';
import test from 'node:test';
import { Prng } from '../../src/host/faulty/prng.ts';
import { NOBODY } from '../../src/model/identity.ts';
import { lookupRows } from '../../src/model/index/lookup.ts';
import { Place } from '../../src/model/place.ts';
import { checkPolicy } from '../../src/model/policy/check.ts';
import { declare, indexRebuilt, resumeUpkeep } from '../../src/model/policy/declare.ts';
import { writeDirect, writeDirectSync } from '../../src/model/policy/direct-writes.ts';
import { planDeclaration, wantedIndexes } from '../../src/model/policy/plan.ts';
import type { Policy } from '../../src/model/policy/types.ts';
import { upkeepStep } from '../../src/model/policy/upkeep.ts';
import { WriteSession } from '../../src/model/session.ts';
import { heldView, type Store } from '../../src/model/store.ts';
import type { Value } from '../../src/model/types.ts';
import { differencesOf, keyOf, openParts, testWorld, writeLeaf } from './kit.ts';

const USERS = keyOf('users');
const INDEX: Policy = { index: { byEmail: ['email'] } };
const UNIQUE: Policy = { index: { byEmail: { fields: ['email'], unique: true } } };

function fill(store: Store, count: number, emailOf: (at: number) => Value = (at) => `e${at % 100}`): void {
  for (let at = 0; at < count; at += 1000)
    store.engine.batchSync(
      Array.from({ length: Math.min(1000, count - at) }, (_, i) => ({
        type: 'put' as const,
        key: keyOf(['users', at + i]),
        value: store.codec.encode({ email: emailOf(at + i) }),
      })),
    );
}

/** Declares and stops before anything is built, as a program that is killed there does. */
function declareOnly(store: Store, policy: Policy): void {
  const checked = checkPolicy(policy);
  const operations = planDeclaration(store.book, store.engine, USERS, { declared: checked.declared, wanted: wantedIndexes(checked) });
  store.engine.batchSync(operations!);
  store.book.adopt(store.engine, USERS);
}

const states = (store: Store) => (store.book.declaredAt(USERS)?.maintainers ?? []).map(({ id, name, state }) => `${id} ${name} ${state}`);
const derivedCount = (store: Store): number => store.engine.count({ start: Uint8Array.of(3), end: Uint8Array.of(4) });
const found = (store: Store, ...key: string[]): number =>
  lookupRows(store, new Place(['users']), 'byEmail', key, () => heldView(store.engine)).toArray().length;

test('an index over data is built in bounded commits, and is not ready before the last', async () => {
  const store = openParts(testWorld());
  fill(store, 5000);
  declareOnly(store, INDEX);
  const perStep: number[] = [];
  let before = derivedCount(store);
  while (store.book.unfinished().length > 0) {
    assert.deepEqual(states(store), ['1 byEmail building']);
    assert.throws(() => found(store), { kind: 'invalid', code: 'INDEX_NOT_READY' });
    upkeepStep(store, {});
    perStep.push(derivedCount(store) - before);
    before = derivedCount(store);
  }
  assert.deepEqual(perStep, [2000, 2000, 1000]);
  assert.deepEqual([states(store), found(store), found(store, 'e7')], [['1 byEmail ready'], 5000, 50]);
  await store.engine.close();
});

test('what is written while an index is built is in it, wherever the building stands', async () => {
  for (let seed = 1; seed <= 5; seed++) {
    const store = openParts(testWorld(seed));
    const prng = new Prng(seed);
    fill(store, 4500);
    declareOnly(store, INDEX);
    const write = (): void => {
      const id = prng.below(5000);
      const die = prng.below(4);
      if (die === 0) writeLeaf(store, ['users', id], undefined);
      else if (die === 1) writeLeaf(store, ['users', id, 'email'], `leaf${prng.below(50)}`);
      else writeLeaf(store, ['users', id], { email: `e${prng.below(50)}` }, prng.chance(0.2) ? 1_800_000_000_000 : 0);
    };
    do for (let i = 0; i < 200; i++) write();
    while (upkeepStep(store, {}));
    assert.deepEqual(differencesOf(store), []);
    assert.deepEqual(states(store), ['1 byEmail ready']);
    await store.engine.close();
  }
});

test('a building cut off goes on at the next opening, or at the next declaration', async () => {
  const world = testWorld();
  let store = openParts(world);
  fill(store, 5000);
  declareOnly(store, INDEX);
  upkeepStep(store, {});
  await store.engine.close();
  store = openParts(world);
  assert.throws(() => found(store), { code: 'INDEX_NOT_READY' });
  writeLeaf(store, ['users', 1], { email: 'late' });
  const derived = derivedCount(store);
  upkeepStep(store, {});
  assert.equal(derivedCount(store), derived + 2000, 'it goes on where it stood');
  await store.engine.close();
  store = openParts(world);
  declare(store, USERS, INDEX, NOBODY);
  assert.deepEqual([states(store), found(store), found(store, 'late')], [['1 byEmail ready'], 5000, 1]);
  assert.deepEqual(differencesOf(store), []);
  await store.engine.close();
  store = openParts(world);
  declareOnly(store, { index: { byEmail: ['email'], second: ['email'] } });
  await resumeUpkeep(store);
  assert.deepEqual(states(store), ['1 byEmail ready', '2 second ready']);
  await store.engine.close();
});

test('a unique index over data that contradicts it is refused, and all is as before', async () => {
  const store = openParts(testWorld());
  fill(store, 3000, (at) => (at === 2999 ? 'e5' : `e${at}`));
  declare(store, USERS, { ttl: 1000, index: { byEmail: ['email'] } }, NOBODY);
  const derived = derivedCount(store);
  assert.throws(() => declare(store, USERS, UNIQUE, NOBODY), {
    kind: 'conflict',
    code: 'INDEX_UNIQUE',
    detail: { index: 'byEmail', path: 'users/#2999', holder: 'users/#5' },
  });
  assert.deepEqual(store.book.policyAt(USERS), { ttl: 1000, index: { byEmail: { fields: [['email']], unique: false } } });
  assert.deepEqual([states(store), derivedCount(store), found(store, 'e5')], [['1 byEmail ready'], derived, 2]);
  assert.deepEqual(differencesOf(store), []);
  await store.engine.close();
});

test('an index over data with a key too long is refused, and leaves nothing behind', async () => {
  const store = openParts(testWorld());
  fill(store, 10, (at) => (at === 7 ? 'x'.repeat(2000) : 'short'));
  assert.throws(() => declare(store, USERS, INDEX, NOBODY), { code: 'INDEX_KEY_TOO_LONG', detail: { index: 'byEmail', path: 'users/#7' } });
  assert.deepEqual([states(store), derivedCount(store), store.book.isEmpty], [[], 0, true]);
  await store.engine.close();
});

test('while an index is built, a record whose key is too long for it can still be written anew', async () => {
  const store = openParts(testWorld());
  fill(store, 3000, (at) => (at === 2500 ? 'x'.repeat(2000) : 'short'));
  declareOnly(store, INDEX);
  upkeepStep(store, {});
  writeLeaf(store, ['users', 2500], { email: 'now short' });
  while (upkeepStep(store, {})) {}
  assert.deepEqual([states(store), found(store, 'now short')], [['1 byEmail ready'], 1]);
  await store.engine.close();
});

test('a data contradiction met after an interrupted declaration is reported, and the index is not declared any more', async () => {
  const world = testWorld();
  const events: string[] = [];
  const store = openParts(world);
  fill(store, 10, () => 'same');
  declareOnly(store, UNIQUE);
  Object.assign(store, { logger: ({ level, message }: { level: string; message: string }) => events.push(`${level} ${message}`) });
  await resumeUpkeep(store);
  assert.match(events.join(), /^error upkeep of policies: index "byEmail": users\/#\d has the key of users\/#\d$/);
  assert.deepEqual([states(store), derivedCount(store)], [[], 0]);
  await store.engine.close();
});

test('another definition of a name is built beside the old one, which serves until then', async () => {
  const store = openParts(testWorld());
  fill(store, 3000);
  declare(store, USERS, INDEX, NOBODY);
  declareOnly(store, { index: { byEmail: ['email', 'age'] } });
  assert.deepEqual(states(store), ['1 byEmail ready', '2 byEmail building']);
  assert.equal(found(store, 'e1'), 30);
  writeLeaf(store, ['users', 'new'], { email: 'e1' });
  assert.equal(found(store, 'e1'), 31);
  declare(store, USERS, INDEX, NOBODY);
  assert.deepEqual(states(store), ['1 byEmail ready'], 'declared back, the new one goes');
  declare(store, USERS, { index: { byEmail: ['email', 'age'] } }, NOBODY);
  assert.deepEqual([states(store), derivedCount(store)], [['3 byEmail ready'], 0]);
  assert.deepEqual(differencesOf(store), []);
  await store.engine.close();
});

test('what is not declared any more is deleted in bounded commits, also after a cut, and its number is not used again', async () => {
  const world = testWorld();
  let store = openParts(world);
  fill(store, 22_000);
  declare(store, USERS, INDEX, NOBODY);
  declareOnly(store, {});
  assert.deepEqual(states(store), ['1 byEmail dropping']);
  writeLeaf(store, ['users', 'new'], { email: 'x' });
  assert.equal(derivedCount(store), 22_000, 'nothing is derived for it any more');
  upkeepStep(store, {});
  assert.equal(derivedCount(store), 2_000);
  await store.engine.close();
  store = openParts(world);
  await resumeUpkeep(store);
  assert.deepEqual([states(store), derivedCount(store), store.book.isEmpty], [[], 0, true]);
  declare(store, USERS, INDEX, NOBODY);
  assert.deepEqual(states(store), ['2 byEmail ready']);
  await store.engine.close();
});

test('a rebuilt index serves from its new keys, with others writing meanwhile', async () => {
  const store = openParts(testWorld());
  fill(store, 5000);
  declare(store, USERS, INDEX, NOBODY);
  const rebuilt = indexRebuilt(store, USERS, 'byEmail');
  let isDone = false;
  void rebuilt.then(() => (isDone = true));
  for (let i = 0; !isDone; i++) {
    writeLeaf(store, ['users', i], { email: `new${i}` });
    assert.equal(found(store, `new${i}`), 1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await rebuilt).entries, 5000);
  assert.deepEqual([states(store), derivedCount(store)], [['2 byEmail ready'], 5000]);
  assert.deepEqual(differencesOf(store), []);
  await assert.rejects(indexRebuilt(store, USERS, 'other'), { code: 'INDEX_MISSING' });
  await store.engine.close();
});

test('over an empty subtree an index is ready in the commit that declares it', async () => {
  const store = openParts(testWorld());
  declare(store, USERS, INDEX, NOBODY);
  assert.deepEqual([store.engine.version, states(store)], [1, ['1 byEmail ready']]);
  declare(store, USERS, INDEX, NOBODY);
  assert.equal(store.engine.version, 1);
  await store.engine.close();
});

test('a lookup in a transaction sees its own writes, and what it looked at must still hold at its commit', async () => {
  const store = openParts(testWorld());
  declare(store, USERS, INDEX, NOBODY);
  writeLeaf(store, ['users', 'a'], { email: 'x' });
  const txn = store.engine.begin();
  const session = new WriteSession(store, txn);
  const inside = (...key: string[]) =>
    lookupRows(store, new Place(['users']), 'byEmail', key, () => ({ reader: txn, close: () => {} }))
      .toArray()
      .map(({ path }) => path[0]);
  session.putLeaf(keyOf('users/b'), store.codec.encode({ email: 'x' }), { ttlMs: undefined, expiresAt: 0 });
  session.deleteLeaf(keyOf('users/a'));
  assert.deepEqual([inside('x'), inside('y')], [['b'], []]);
  writeLeaf(store, ['users', 'c'], { email: 'y' });
  assert.deepEqual(inside('y'), []);
  assert.throws(() => txn.commitSync(), { code: 'CONFLICT' });
  await store.engine.close();
});

test('a transaction that looked something up conflicts when the index is dropped or built anew before it commits', async () => {
  for (const change of ['drop', 'rebuild'] as const) {
    const store = openParts(testWorld());
    declare(store, USERS, INDEX, NOBODY);
    writeLeaf(store, ['users', 'a'], { email: 'x' });
    const txn = store.engine.begin();
    const rows = lookupRows(store, new Place(['users']), 'byEmail', ['nobody'], () => ({ reader: txn, close: () => {} }));
    assert.equal(rows.toArray().length, 0);
    txn.put(keyOf('elsewhere'), new Uint8Array(1));
    if (change === 'drop') declare(store, USERS, {}, NOBODY);
    else await indexRebuilt(store, USERS, 'byEmail');
    assert.throws(() => txn.commitSync(), { code: 'CONFLICT' });
    await store.engine.close();
  }
});

test('a building goes on when what it read expires under its hands', async () => {
  const world = testWorld();
  const store = openParts({
    ...world,
    host: { ...world.host, clock: { nowMs: () => world.clock.ms++, monotonicMs: () => world.clock.ms } },
  });
  const firstMs = world.clock.ms + 1_000_000;
  for (let at = 0; at < 60; at++) writeLeaf(store, ['users', at], { email: `e${at}` }, at % 2 === 0 ? firstMs + at : 0);
  world.clock.ms = firstMs - 5;
  declare(store, USERS, INDEX, NOBODY);
  assert.deepEqual([states(store), differencesOf(store)], [['1 byEmail ready'], []]);
  await store.engine.close();
});

test('the short way regards the ttl and the level of the subtree, and rejects what a maintainer refuses', async () => {
  const world = testWorld();
  const store = openParts(world);
  const { engine, book, codec } = store;
  declare(store, keyOf('cache'), { ttl: 50, durability: 'immediate' }, NOBODY);
  declare(store, USERS, { ttl: 70, ...UNIQUE }, NOBODY);
  const write = (path: string, value: Value | undefined, expiresAt?: number) => {
    const key = keyOf(path);
    const leaf = { key, value: value === undefined ? undefined : codec.encode(value), expiresAt };
    return writeDirect(engine, book.find(key, key.length)!, leaf, { durability: 'async' });
  };
  assert.equal((await write('cache/a', 1)).durability, 'device');
  await write('cache/b', 1, 0);
  await write('users/a', { email: 'x' });
  await assert.rejects(write('users/b', { email: 'x' }), { code: 'INDEX_UNIQUE' });
  const expiries = ['cache/a', 'cache/b', 'users/a'].map((path) => engine.entry(keyOf(path))!.expiresAt);
  assert.deepEqual(expiries, [world.clock.ms + 50, undefined, world.clock.ms + 70]);
  await write('cache/b', undefined);
  await write('users/a', undefined);
  assert.deepEqual([engine.has(keyOf('cache/b')), derivedCount(store)], [false, 0]);
  await engine.close();
});

test('the short way for one leaf writes what the session writes', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const worlds = [testWorld(seed), testWorld(seed)] as const;
    const [direct, session] = [openParts(worlds[0]), openParts(worlds[1])];
    const prng = new Prng(seed);
    for (const store of [direct, session])
      declare(store, USERS, { index: { byEmail: { fields: ['email'], unique: true }, byBoth: ['email', 'age'] } }, NOBODY);
    for (let i = 0; i < 300; i++) {
      const path = ['users', prng.below(6), ...[[], ['email'], ['age']][prng.below(3)]!];
      const value: Value | undefined = prng.chance(0.2)
        ? undefined
        : path.length === 2
          ? { email: prng.below(8), age: prng.below(3) }
          : prng.below(8);
      const expiresAt = value !== undefined && prng.chance(0.3) ? worlds[0].clock.ms + 1 + prng.below(50) : 0;
      const results = [direct, session].map((store) => {
        try {
          if (store === session) writeLeaf(store, path, value, expiresAt);
          else {
            const key = keyOf(path);
            const leaf = { key, value: value === undefined ? undefined : store.codec.encode(value), expiresAt };
            writeDirectSync(store.engine, store.book.find(key, key.length)!, leaf);
          }
          return 'written';
        } catch (error) {
          return (error as { code: string }).code;
        }
      });
      assert.equal(results[0], results[1]);
      worlds[0].clock.ms += prng.below(10);
      worlds[1].clock.ms = worlds[0].clock.ms;
    }
    assert.deepEqual(differencesOf(direct), []);
    const derived = (store: Store) =>
      [...store.engine.scan({ start: Uint8Array.of(3), end: Uint8Array.of(4) })].map(({ version: _, ...rest }) => rest);
    assert.deepEqual(derived(direct), derived(session));
    await direct.engine.close();
    await session.engine.close();
  }
});
