/**
 * Random programs of typed paths against a naive tree: puts, trees, deletes, transactions and views, each answer of each handle compared.
 *
 * A failure names its seed; `STELE_SEED=<seed>` runs that one alone, `STELE_SEEDS=<count>` runs more.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../src/host/faulty/prng.ts';
import { formatPath } from '../../src/model/path/text.ts';
import type { Database, Reading, Segment, Snapshot, Transaction, Value } from '../../src/model/types.ts';
import { opened } from './kit.ts';
import { comparePaths, NaiveTree, type Scan } from './naive-tree.ts';

const SEGMENTS: readonly Segment[] = [
  'a',
  'b',
  'ab',
  'a\0',
  'a\0b',
  '\u0001',
  '#1',
  '0xff',
  '\\',
  '/',
  '__proto__',
  'é',
  '\u{1f600}',
  0,
  1,
  2,
  -1,
  1.5,
  2n ** 60n,
  -(2n ** 60n),
  true,
  false,
  new Uint8Array(0),
  new Uint8Array([0]),
  new Uint8Array([0, 255]),
  new Uint8Array([255]),
];
const VALUES: readonly Value[] = [
  0,
  'text',
  null,
  {},
  [],
  [1, { a: [] }],
  { '': 1, '#0': 2 },
  new Uint8Array([1]),
  new Date(7),
  5n,
  Number.NaN,
];

class Draw extends Prng {
  one<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  /** Short, so that they meet. */
  path(min: number): Segment[] {
    return Array.from({ length: min + this.below(4 - min) }, () => this.one(SEGMENTS));
  }
}

type Step = (it: Pick<Transaction, 'put' | 'delete' | 'deleteTree' | 'putTree'>) => unknown;

/** One change, for the database and for the model. */
function change(draw: Draw, model: NaiveTree): Step {
  const path = draw.path(1);
  const value = draw.one(VALUES);
  switch (draw.below(6)) {
    case 0:
      model.delete(path);
      return (it) => it.delete(path);
    case 1: {
      const prefix = draw.path(1);
      model.deleteTree(prefix);
      return (it) => it.deleteTree(prefix);
    }
    case 2: {
      // What is somewhere in the data, put elsewhere: as a tree it must be the same there.
      const from = model.below(draw.path(0)).slice(0, 6);
      if (from.length === 0) break;
      const isMerge = draw.below(2) === 0;
      const leaves = new NaiveTree();
      for (const [at, own] of from) if (at.length + path.length <= 6) leaves.put(at, own);
      const tree = leaves.tree([]);
      if (tree === undefined) break;
      if (!isMerge) model.deleteTree(path);
      // An object that was one value becomes a subtree, but for the value of an inner path, which stands under ''.
      for (const [at, own] of leaves.leaves)
        for (const [deeper, leaf] of leaves.children(at).length > 0 ? [[[], own] as const] : flat(own))
          model.put([...path, ...at, ...deeper], leaf);
      return (it) => it.putTree(path, tree, { merge: isMerge });
    }
    default:
  }
  model.put(path, value);
  return (it) => it.put(path, value);
}

/** The leaves that a value becomes inside a tree. */
function flat(value: Value): [Segment[], Value][] {
  if (Array.isArray(value) && value.length > 0)
    return value.flatMap((one: Value, at) => flat(one).map(([path, leaf]): [Segment[], Value] => [[at, ...path], leaf]));
  const isObject =
    value !== null && typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date) && !(value instanceof Uint8Array);
  if (!isObject || Object.keys(value).length === 0) return [[[], value]];
  return Object.entries(value as Record<string, Value>).flatMap(([name, one]): [Segment[], Value][] =>
    name === '' ? [[[], one]] : flat(one).map(([path, leaf]) => [[name === '#0' ? 0 : name, ...path], leaf]),
  );
}

function compare(handle: Reading, model: NaiveTree, draw: Draw, about: string): void {
  const all = model.leaves.map(([path, value]) => ({ path: [...path], value }));
  assert.deepStrictEqual(
    handle
      .scan()
      .toArray()
      .map(({ path, value }) => ({ path, value })),
    all,
    about,
  );
  assert.equal(handle.count(), all.length, about);
  assert.deepStrictEqual(handle.getTree(), model.tree([]), about);
  for (let round = 0; round < 6; round++) {
    const prefix = round === 0 ? [] : draw.path(0);
    const below = model.below(prefix);
    const where = `${about} below ${formatPath(prefix)}`;
    assert.equal(handle.count(prefix), below.length, where);
    assert.deepStrictEqual(handle.getTree(prefix), model.tree(prefix), where);
    const depth = draw.below(4);
    assert.deepStrictEqual(handle.getTree(prefix, { depth }), model.tree(prefix, depth), `${where} depth ${depth}`);
    assert.equal(handle.kind(prefix), model.kind(prefix), where);
    assert.deepStrictEqual(handle.first(prefix)?.path, below[0]?.[0], where);
    assert.deepStrictEqual(handle.last(prefix)?.value, below.at(-1)?.[1], where);
    const n = draw.below(5);
    assert.deepStrictEqual(handle.nth(prefix, n)?.path, below[n]?.[0], `${where} nth ${n}`);
    const children = model.children(prefix);
    assert.deepStrictEqual(handle.children(prefix).toArray(), children, where);
    const after = draw.one(SEGMENTS);
    const isBehind = (child: Segment): boolean => comparePaths([child], [after]) > 0;
    assert.deepStrictEqual(handle.children(prefix, { after, limit: 2 }).toArray(), children.filter(isBehind).slice(0, 2), where);
    const isBefore = (child: Segment): boolean => comparePaths([child], [after]) < 0;
    assert.deepStrictEqual(
      handle.children(prefix, { after, reverse: true, limit: 2 }).toArray(),
      children.filter(isBefore).reverse().slice(0, 2),
      where,
    );
    const bound = (): Segment[] => [...prefix, ...draw.path(0)];
    const scan: Scan = {
      prefix,
      reverse: draw.below(2) === 0,
      ...(draw.below(2) === 0 ? { start: bound() } : {}),
      ...(draw.below(2) === 0 ? { end: bound() } : {}),
      ...(draw.below(2) === 0 ? { after: bound() } : {}),
      ...(draw.below(2) === 0 ? { limit: draw.below(4) } : {}),
    };
    const rows = handle
      .scan(scan)
      .toArray()
      .map(({ path, value }) => [path, value]);
    assert.deepStrictEqual(
      rows,
      model.scan(scan).map(([path, value]) => [[...path], value]),
      `${where} scan ${JSON.stringify(scan, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))}`,
    );
    const path = draw.path(1);
    assert.deepStrictEqual(handle.get(path), model.get(path), where);
    assert.equal(handle.has(path), model.get(path) !== undefined, where);
  }
}

async function run(db: Database, seed: number): Promise<void> {
  const draw = new Draw(seed);
  const place = draw.below(2) === 0 ? [] : draw.path(1).slice(0, 2);
  const bucket = place.length === 0 ? db : db.subtree(place);
  if (place.length > 0) await db.put([place[0] === 'zz' ? 'zy' : 'zz'], 'beside');
  let model = new NaiveTree();
  const views: { view: Snapshot; model: NaiveTree; at: number }[] = [];
  for (let round = 0; round < 12; round++) {
    const about = `seed ${seed}, round ${round}`;
    const isTransaction = draw.below(3) === 0;
    if (isTransaction) {
      const own = model.copy();
      using tx = bucket.beginSync();
      for (let step = 0; step < 5; step++) change(draw, own)(tx);
      compare(tx, own, draw, `${about}, own writes`);
      if (draw.below(2) === 0) {
        tx.commitSync();
        model = own;
      }
    } else
      for (let step = 0; step < 4; step++)
        await change(
          draw,
          model,
        )({
          put: (path, value) => void bucket.putSync(path, value),
          delete: (path) => void bucket.deleteSync(path),
          deleteTree: (path) => bucket.deleteTree(path) as unknown as void,
          putTree: (path, tree, options) => void bucket.putTreeSync(path, tree, options),
        });
    compare(bucket, model, draw, about);
    if (draw.below(3) === 0) views.push({ view: bucket.snapshot(), model: model.copy(), at: db.version });
  }
  for (const { view, model: then, at } of views) {
    compare(view, then, draw, `seed ${seed}, snapshot of ${at}`);
    using past = bucket.asOf(at);
    compare(past, then, draw, `seed ${seed}, as of ${at}`);
    using now = bucket.snapshot();
    const changed = [...new Map([...then.leaves, ...model.leaves].map(([path]) => [formatPath(path), path])).values()].filter(
      (path) => !Object.is(then.get(path), model.get(path)),
    );
    assert.ok(view.diff(now).toArray().length <= changed.length);
    view.close();
  }
}

test('random trees of typed paths answer as a naive tree does, through every view and inside transactions', async () => {
  const { STELE_SEED: only, STELE_SEEDS: many = '4' } = process.env;
  const seeds = only === undefined ? Array.from({ length: Number(many) }, (_, at) => at + 1) : [Number(only)];
  for (const seed of seeds) {
    const { db } = opened(undefined, { durability: 'async' });
    await run(db, seed);
    await db.close();
  }
});
