import assert from 'node:assert/strict';
import test from 'node:test';
import { SteleError } from '../../src/base/errors.ts';
import { Prng } from '../../src/host/faulty/prng.ts';
import type { Policy } from '../../src/model/policy/types.ts';
import type { BatchOperation, Database, Segment, Transaction, Value } from '../../src/model/types.ts';
import { openTest, testWorld } from './kit.ts';
import { compareKeys, type NaiveIndex, type NaiveRow, NaiveTree } from './naive.ts';

/**
 * Random programs over indexed data, beside a model that reads everything (naive.ts). After each step every index is compared row by row, now,
 * at an older version, and after closing and opening again.
 */

const PREFIX: readonly Segment[] = ['users'];
const IDS: readonly Segment[] = ['ada', 'bob', 'bo\0b', 7, 7.5, true, new Uint8Array([0, 1])];
const SCALARS: readonly Value[] = [
  '', 'a', 'a\0', 'b', '\u0001', 'ä', '\ud83d\ude00', '\ud800', 0, -0, 1, 1n, 1.5, -2, 300, 1e300, 10n ** 30n, Number.NaN,
  Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, true, false, null, new Date(1), new Date(300), new Uint8Array(), new Uint8Array([0, 255]),
]; // biome-ignore format: a list
const INDEXES: Readonly<Record<string, NaiveIndex>> = {
  byEmail: { fields: [['email']], unique: false },
  byTown: { fields: [['address', 'city'], ['age']], unique: false },
  byTag: { fields: [['tags', 1]], unique: false },
  bySelf: { fields: [[]], unique: false },
  byName: { fields: [['name']], unique: true },
};

interface Program {
  readonly prng: Prng;
  db: Database;
  model: NaiveTree;
  readonly declared: Set<string>;
  readonly world: ReturnType<typeof testWorld>;
  readonly past: { version: number; timeMs: number; model: NaiveTree; declared: Set<string> }[];
}

type Step =
  | { type: 'put'; path: Segment[]; value: Value; expiresAt: number }
  | { type: 'delete'; path: Segment[] }
  | { type: 'deleteTree'; path: Segment[] }
  | { type: 'putTree'; path: Segment[]; value: Value; expiresAt: number; merge: boolean }
  | { type: 'increment'; path: Segment[]; delta: number };

const pick = <T>(prng: Prng, list: readonly T[]): T => list[prng.below(list.length)]!;

function drawPath(prng: Prng): Segment[] {
  if (prng.chance(0.02)) return [...PREFIX];
  const id = pick(prng, IDS);
  const below = pick<Segment[]>(prng, [
    [],
    [],
    ['email'],
    ['name'],
    ['age'],
    ['address'],
    ['address', 'city'],
    ['address', 'city', 'deep'],
    ['tags'],
    ['tags', 1],
    ['other'],
  ]);
  return [...PREFIX, id, ...below];
}

function drawObject(prng: Prng): Value {
  const object: Record<string, Value> = {};
  for (const name of ['x', 'email', 'name', 'age']) if (prng.chance(0.5)) object[name] = pick(prng, SCALARS);
  if (prng.chance(0.4)) object['address'] = prng.chance(0.7) ? { zip: 1, city: pick(prng, SCALARS) } : pick(prng, SCALARS);
  if (prng.chance(0.3)) object['tags'] = [pick(prng, SCALARS), pick(prng, SCALARS)];
  return object;
}

function drawValue(prng: Prng, path: readonly Segment[]): Value {
  if (path.length <= 2) return prng.chance(0.8) ? drawObject(prng) : pick(prng, SCALARS);
  if (path.at(-1) === 'address' && prng.chance(0.7)) return { city: pick(prng, SCALARS), list: [{ a: 1 }] };
  if (path.at(-1) === 'tags' && prng.chance(0.7)) return [[], pick(prng, SCALARS)];
  return pick(prng, SCALARS);
}

function drawStep(program: Program): Step {
  const { prng, world } = program;
  const path = drawPath(prng);
  const expiresAt = prng.chance(0.3) ? world.clock.ms + 1 + prng.below(40) : 0;
  const die = prng.below(100);
  if (die < 55) return { type: 'put', path, value: drawValue(prng, path), expiresAt };
  if (die < 70) return { type: 'delete', path };
  if (die < 78) return { type: 'deleteTree', path: prng.chance(0.1) ? [] : prng.chance(0.1) ? [...PREFIX] : path };
  if (die < 92)
    return { type: 'putTree', path: path.slice(0, 2), value: treeOf(prng, path.length < 2), expiresAt, merge: prng.chance(0.5) };
  return { type: 'increment', path: [...PREFIX, pick(prng, IDS), 'age'], delta: 1 + prng.below(3) };
}

/** Something that putTree spreads over leaves; arrays and texts as keys that stay themselves. */
function treeOf(prng: Prng, isTop: boolean): Value {
  if (isTop) return { ada: drawObject(prng), bob: drawObject(prng) };
  return drawObject(prng);
}

/** The leaves of a tree as putTree writes them: children of arrays are numbers, empty objects and arrays are values. */
function leavesOf(value: Value, path: Segment[]): [Segment[], Value][] {
  if (Array.isArray(value) && value.length > 0) return value.flatMap((child, at) => leavesOf(child as Value, [...path, at]));
  const isPlain =
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date) && !(value instanceof Uint8Array);
  if (!isPlain || Object.keys(value).length === 0) return [[path, value]];
  return Object.entries(value).flatMap(([name, child]) => leavesOf(child as Value, [...path, name]));
}

function applyToModel(model: NaiveTree, step: Step, timeMs: number): void {
  if (step.type === 'put') model.put(step.path, step.value, step.expiresAt);
  else if (step.type === 'delete') model.delete(step.path);
  else if (step.type === 'deleteTree') model.deleteTree(step.path);
  else if (step.type === 'putTree') {
    if (!step.merge) model.deleteTree(step.path);
    for (const [path, value] of leavesOf(step.value, step.path)) model.put(path, value, step.expiresAt);
  } else {
    const before = model.get(step.path, timeMs);
    if (before !== undefined && !Number.isSafeInteger(before.value)) return; // the database refuses it
    model.put(step.path, (before === undefined ? 0 : (before.value as number)) + step.delta, before?.expiresAt ?? 0);
  }
}

function applyTo(target: Transaction | Database, step: Step, isSync: boolean): void {
  const lifetime = 'expiresAt' in step && step.expiresAt !== 0 ? { expiresAt: step.expiresAt } : {};
  if (!isSync) {
    const tx = target as Transaction;
    if (step.type === 'put') tx.put(step.path, step.value, lifetime);
    else if (step.type === 'delete') tx.delete(step.path);
    else if (step.type === 'deleteTree') tx.deleteTree(step.path);
    else if (step.type === 'putTree') tx.putTree(step.path, step.value, { ...lifetime, merge: step.merge });
    else tx.increment(step.path, step.delta);
    return;
  }
  const db = target as Database;
  if (step.type === 'put') db.putSync(step.path, step.value, lifetime);
  else if (step.type === 'delete') db.deleteSync(step.path);
  else if (step.type === 'deleteTree') db.deleteTreeSync(step.path);
  else if (step.type === 'putTree') db.putTreeSync(step.path, step.value, { ...lifetime, merge: step.merge });
  else db.incrementSync(step.path, step.delta);
}

/** Steps that cannot be refused for another reason than an index. */
function isPossible(model: NaiveTree, step: Step, timeMs: number): boolean {
  if (step.type !== 'increment') return true;
  const before = model.get(step.path, timeMs)?.value;
  return before === undefined || (typeof before === 'number' && Number.isSafeInteger(before));
}

function write(program: Program): void {
  const { prng, db, world } = program;
  const steps: Step[] = [];
  const next = program.model.copy();
  const isBatch = prng.chance(0.3);
  for (let count = prng.chance(0.5) ? 1 : 1 + prng.below(5); count > 0; count--) {
    const step = drawStep(program);
    if (isBatch && (step.type === 'putTree' || step.type === 'increment')) continue;
    if (!isPossible(next, step, world.clock.ms)) continue;
    steps.push(step);
    applyToModel(next, step, world.clock.ms);
  }
  const isRefused = [...program.declared].some(
    (name) => INDEXES[name]!.unique && next.breaksUnique(PREFIX, INDEXES[name]!, world.clock.ms),
  );
  const before = db.version;
  let found: unknown;
  try {
    if (isBatch) {
      db.batchSync(
        steps.map(
          (step): BatchOperation =>
            step.type === 'put' && step.expiresAt === 0 ? { type: 'put', path: step.path, value: step.value } : (step as BatchOperation),
        ),
      );
    } else if (steps.length === 1 && prng.chance(0.7)) applyTo(db, steps[0]!, true);
    else
      db.transactSync((tx) => {
        for (const step of steps) applyTo(tx, step, false);
      });
  } catch (error) {
    if (!(error instanceof SteleError) || error.code !== 'INDEX_UNIQUE') throw error;
    found = error;
  }
  assert.equal(
    found !== undefined,
    isRefused,
    `unique: ${JSON.stringify(steps, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))}`,
  );
  if (found === undefined) program.model = next;
  else assert.equal(db.version, before, 'a refused write wrote');
}

function declareSome(program: Program): void {
  const { prng, db, world } = program;
  const names = new Set(Object.keys(INDEXES).filter(() => prng.chance(0.7)));
  const index = Object.fromEntries([...names].map((name) => [name, INDEXES[name]!]));
  const policy: Policy = { index };
  const isRefused = [...names].some(
    (name) => INDEXES[name]!.unique && !program.declared.has(name) && program.model.breaksUnique(PREFIX, INDEXES[name]!, world.clock.ms),
  );
  try {
    db.subtree(PREFIX, policy);
  } catch (error) {
    if (!(error instanceof SteleError) || error.code !== 'INDEX_UNIQUE') throw error;
    assert.ok(isRefused, `declared where it could have been: ${error.message}`);
    return;
  }
  assert.ok(!isRefused, 'a unique index was declared over data that contradicts it');
  program.declared.clear();
  for (const name of names) program.declared.add(name);
}

function assertSame(
  rows: Iterable<{ path: Segment[]; value: Value | undefined }>,
  expected: readonly NaiveRow[],
  model: NaiveTree,
  timeMs: number,
  what: string,
): void {
  const found = [...rows];
  assert.deepEqual(
    found.map(({ path }) => path),
    expected.map(({ id }) => [id]),
    what,
  );
  for (const { path, value } of found) assert.deepEqual(value, model.get([...PREFIX, ...path], timeMs)?.value, what);
}

function compare(program: Program): void {
  const { db, model, prng, declared, world } = program;
  const users = db.subtree(PREFIX);
  for (const [name, index] of Object.entries(INDEXES)) {
    if (!declared.has(name)) {
      assert.throws(() => users.lookup(name), { code: 'INDEX_MISSING' });
      continue;
    }
    const expected = model.rows(PREFIX, index, world.clock.ms);
    assertSame(users.lookup(name), expected, model, world.clock.ms, name);
    const key = (expected.length > 0 && prng.chance(0.8) ? pick(prng, expected).key : [pick(prng, SCALARS)]).slice(
      0,
      1 + prng.below(index.fields.length),
    );
    if (
      key.some(
        (value) =>
          value === null || (typeof value === 'number' && Number.isNaN(value)) || (typeof value === 'string' && !value.isWellFormed()),
      )
    )
      continue;
    const matching = expected.filter((row) => compareKeys(row.key.slice(0, key.length), key) === 0);
    assertSame(users.lookup(name, ...(key as never[])), matching, model, world.clock.ms, `${name} by key`);
  }
}

function comparePast(program: Program): void {
  const { db, prng, past } = program;
  if (past.length === 0) return;
  const { version, timeMs, model, declared } = pick(prng, past);
  const view = db.asOf(version);
  try {
    const users = view.subtree(PREFIX);
    for (const [name, index] of Object.entries(INDEXES)) {
      if (declared.has(name)) assertSame(users.lookup(name), model.rows(PREFIX, index, timeMs), model, timeMs, `${name} at ${version}`);
      else
        assert.throws(
          () => users.lookup(name),
          (error) => error instanceof SteleError && (error.code === 'INDEX_MISSING' || error.code === 'INDEX_NOT_READY'),
        );
    }
  } finally {
    view.close();
  }
}

/** Own writes are seen by lookups in a transaction. */
function compareInside(program: Program): void {
  const { db, prng, world, declared } = program;
  const next = program.model.copy();
  const tx = db.beginSync();
  try {
    for (let count = 1 + prng.below(4); count > 0; count--) {
      const step = drawStep(program);
      if (!isPossible(next, step, world.clock.ms)) continue;
      applyToModel(next, step, world.clock.ms);
      applyTo(tx, step, false);
    }
    for (const name of declared) {
      const rows = (tx.subtree(PREFIX) as unknown as { lookup?: (name: string) => Iterable<{ path: Segment[]; value: Value | undefined }> })
        .lookup;
      if (rows !== undefined)
        assertSame(
          rows.call(tx.subtree(PREFIX), name),
          next.rows(PREFIX, INDEXES[name]!, world.clock.ms),
          next,
          world.clock.ms,
          `${name} inside`,
        );
    }
  } finally {
    tx.abort();
  }
}

async function run(seed: number, steps: number): Promise<void> {
  const world = testWorld(seed);
  const program: Program = { prng: new Prng(seed), db: openTest(world), model: new NaiveTree(), declared: new Set(), world, past: [] };
  const { prng, past } = program;
  for (let step = 0; step < steps; step++) {
    const die = prng.below(100);
    if (die < 5) declareSome(program);
    else if (die < 6) {
      await program.db.close();
      program.db = openTest(world);
    } else if (die < 12) compareInside(program);
    else if (die < 14 && program.declared.size > 0) await program.db.subtree(PREFIX).rebuildIndex(pick(prng, [...program.declared]));
    else write(program);
    if (prng.chance(0.3)) world.clock.ms += prng.below(15);
    compare(program);
    if (prng.chance(0.2)) comparePast(program);
    const { version } = program.db;
    if (prng.chance(0.2)) {
      const view = program.db.asOf(version);
      past.push({ version, timeMs: view.time.getTime(), model: program.model.copy(), declared: new Set(program.declared) });
      view.close();
    }
    if (step % 50 === 49) assert.deepEqual((await program.db.verify()).damages, []);
  }
  await program.db.close();
}

for (let seed = 1; seed <= Number(process.env['STELE_INDEX_SEEDS'] ?? 8); seed++)
  test(`indexes agree with a model that reads everything, seed ${seed}`, () => run(seed, Number(process.env['STELE_INDEX_STEPS'] ?? 250)));
