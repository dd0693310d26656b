/** Rules of the surface: plain values, lazy iterables over one view, undefined for what is missing, one program for here and far. */

import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import type { Reader, Writer } from '../../src/model/portable.ts';
import type { Database, Path, Reading, Rows } from '../../src/model/types.ts';
import { toReadable, toWebStream } from '../../src/node/streams.ts';
import { opened, readersOf, refusalOf, refused, settled } from './kit.ts';

const handles = readersOf(Array.from({ length: 50 }, (_, n): [Path, number] => [['n', n], n]));
after(() => handles.close());

test('a path that never existed, was deleted or has expired is undefined, never an exception, through every handle', async (t) => {
  const { db, clock } = opened(t);
  await db.put('deleted', 1);
  await db.delete('deleted');
  await db.put('expired', 1, { ttl: 5 });
  await db.put('tree/expired', 1, { ttl: 5 });
  clock.ms += 5;
  await db.put('tick', 1);
  const all: Reading[] = [db, db.subtree(''), db.snapshot(), db.asOf(db.version), db.beginSync(), db.as({ actor: 'ada' })];
  for (const handle of all)
    for (const path of ['never', 'deleted', 'expired', 'tree', 'tree/expired', 'deleted/below']) {
      assert.equal(handle.get(path), undefined);
      assert.equal(handle.entry(path), undefined);
      assert.equal(handle.has(path), false);
      assert.equal(handle.kind(path), 'none');
      assert.equal(handle.getTree(path), undefined);
      assert.equal(handle.readValue(path), undefined);
      assert.equal(handle.first(path), undefined);
      assert.equal(handle.last(path), undefined);
      assert.equal(handle.nth(path, 0), undefined);
      assert.equal(handle.count(path), 0);
      assert.deepEqual(handle.children(path).toArray(), []);
      assert.deepEqual(handle.scan({ prefix: path }).toArray(), []);
      assert.deepEqual(handle.getMany([path]), [undefined]);
      assert.equal(await handle.getAsync(path), undefined);
      assert.deepEqual(await handle.getManyAsync([path]), [undefined]);
      assert.equal(await handle.prefetch([path]), 0);
    }
});

for (const [name, handle] of handles.all)
  test(`rows are lazy, iterate again from the start, can be abandoned at any step, and become arrays: ${name}`, () => {
    const kinds: readonly Rows<unknown>[] = [handle.scan(), handle.scan({ reverse: true }), handle.children('n')];
    for (const rows of kinds) {
      const all = rows.toArray();
      assert.equal(all.length, 50);
      assert.deepEqual([...rows], all);
      let seen = 0;
      for (const _row of rows) if (++seen === 7) break;
      assert.equal(seen, 7);
      const [first, second] = rows;
      assert.deepEqual([first, second], all.slice(0, 2));
      const unstarted = rows[Symbol.iterator]();
      unstarted.return?.();
      const ended = rows[Symbol.iterator]();
      ended.next();
      ended.return?.();
      assert.equal(ended.next().done, true);
      assert.deepEqual(Iterator.from(rows).drop(3).take(2).toArray(), all.slice(3, 5));
    }
  });

test('a walk sees one view, whatever is written meanwhile: scans, children and trees of every handle that reads now', async (t) => {
  const { db } = opened(t);
  const fill = async (): Promise<void> => {
    await db.deleteTree();
    await db.batch(Array.from({ length: 300 }, (_, n) => ({ type: 'put', path: ['s', 'n', n], value: n })));
  };
  const walks: readonly ((handle: Reading) => Iterable<unknown>)[] = [
    (handle) => handle.scan({ prefix: 'n' }),
    (handle) => handle.scan({ prefix: 'n', reverse: true }),
    (handle) => handle.scan({ prefix: 'n', values: false }),
    (handle) => handle.children('n'),
    (handle) => handle.children('n', { reverse: true }),
  ];
  for (const walk of walks) {
    await fill();
    const sub = db.subtree('s');
    const expected = [...walk(sub)];
    const found: unknown[] = [];
    for (const row of walk(sub)) {
      found.push(row);
      if (found.length === 3) db.deleteTreeSync('s/n');
      if (found.length === 5) db.putSync(['s', 'n', 1000], 'new');
      if (found.length === 7) db.putSync(['s', 'n', 150], 'changed');
    }
    assert.deepEqual(found, expected);
  }
});

test('walks that are abandoned or finished hold no view', async (t) => {
  const { db } = opened(t);
  await db.batch(Array.from({ length: 100 }, (_, n) => ({ type: 'put', path: ['n', n], value: n })));
  const open = (): unknown => db.stats()['views']!['open'];
  for (const rows of [db.scan(), db.children('n'), db.scan({ reverse: true })] as Rows<unknown>[]) {
    rows[Symbol.iterator]().return?.();
    for (const _row of rows) break;
    rows.toArray();
    try {
      for (const _row of rows) throw new Error('of the caller');
    } catch {}
  }
  db.getTree('n', { limit: 3 });
  await db.prefetch({ prefix: 'n' });
  assert.equal(open(), 0);
});

test('a transaction walks over its own writes made before the walk began', async (t) => {
  const { db } = opened(t);
  await db.putTree('n', { a: 1, c: 3 });
  await db.transact((tx) => {
    tx.put('n/b', 2);
    tx.delete('n/c');
    assert.deepEqual(
      tx
        .scan()
        .toArray()
        .map(({ value }) => value),
      [1, 2],
    );
    assert.deepEqual(tx.children('n').toArray(), ['a', 'b']);
  });
});

test('reads return plain values: rows, entries and commits are plain data that can be cloned', async (t) => {
  const { db } = opened(t);
  await db.put('a', { x: [1, new Uint8Array(2), new Date(5)] }, { ttl: 1e9 });
  for (const value of [db.get('a'), db.entry('a'), db.first(), db.scan().toArray(), db.history('a').toArray(), db.getTree()])
    assert.deepEqual(structuredClone(value), value);
  const change = (await db.changes({ from: 0 }).next()).value;
  assert.deepEqual(structuredClone(change), change);
});

test('toReadable and toWebStream pull row by row, and ending them ends the walk', async (t) => {
  const { db } = opened(t);
  await db.batch(Array.from({ length: 2000 }, (_, n) => ({ type: 'put', path: ['n', n], value: n })));
  const numbers = async (items: AsyncIterable<{ readonly value: unknown }>): Promise<unknown[]> => {
    const found: unknown[] = [];
    for await (const { value } of items) found.push(value);
    return found;
  };
  const expected = Array.from({ length: 2000 }, (_, n) => n);
  assert.deepEqual(await numbers(toReadable(db.scan())), expected);
  assert.deepEqual(await numbers(toWebStream(db.scan())), expected);
  for await (const { value } of toReadable(db.scan())) if (value === 3) break;
  for await (const { value } of toWebStream(db.scan())) if (value === 3) break;
  const reader = toWebStream(db.scan()).getReader();
  assert.equal((await reader.read()).value?.value, 0);
  await reader.cancel();
  await settled();
  assert.equal(db.stats()['views']!['open'], 0);
  assert.equal(
    await text(
      toReadable(
        (function* () {
          yield 'a';
          yield 'b';
        })(),
      ),
    ),
    'ab',
  );
});

test('streams of changes end by cancelling, by their signal, and with the database, even while they wait', async () => {
  const { db } = opened(undefined);
  const cancelled = toWebStream(db.changes()).getReader();
  const waiting = cancelled.read();
  await settled(1);
  await cancelled.cancel();
  assert.deepEqual(await waiting, { done: true, value: undefined });
  const controller = new AbortController();
  const aborted = toWebStream(db.changes(), { signal: controller.signal }).getReader();
  const read = aborted.read();
  await settled(1);
  controller.abort(new Error('enough'));
  await assert.rejects(read, /enough/);
  await assert.rejects(
    toWebStream(db.changes(), { signal: AbortSignal.abort(new Error('before')) })
      .getReader()
      .read(),
    /before/,
  );
  const nodeController = new AbortController();
  const readable = toReadable(db.changes(), { signal: nodeController.signal });
  const closed = new Promise((resolve) => readable.once('error', resolve).resume());
  nodeController.abort();
  assert.equal(((await closed) as Error).name, 'AbortError');
  const destroyed = toReadable(db.changes()).resume();
  await settled(1);
  const end = new Promise((resolve) => destroyed.once('close', resolve));
  destroyed.destroy();
  await end;
  const last = toReadable(db.changes()).resume();
  const ended = new Promise((resolve) => last.once('end', resolve));
  await settled(1);
  await db.close();
  await ended;
});

test('errors are SteleError with kind, code, message, detail and cause, and print as such', async (t) => {
  const { db } = opened(t);
  const error = await refusalOf(() => db.transact(() => 1, { signal: AbortSignal.abort('why') }));
  assert.deepEqual([error.name, error.kind, error.code, error.cause], ['SteleError', 'closed', 'CANCELLED', 'why']);
  assert.ok(error instanceof Error);
  assert.match(inspect(error), /SteleError/);
  const detailed = await refusalOf(() => db.put(['a', Number.NaN], 1));
  assert.deepEqual(detailed.detail, { segment: 1 });
});

/** The same program for the embedded and the remote database: it awaits its reads and walks with `for await`. */
async function portable(db: Writer): Promise<unknown> {
  await db.putTree('users', { ada: { age: 36 }, eve: { age: 40 } });
  const sum = await db.transact(async (tx) => {
    let total = 0;
    for await (const { path, value } of tx.scan<number>({ prefix: 'users' })) if (path[2] === 'age') total += value;
    await tx.put('sum', total);
    await tx.increment('runs');
    return total;
  });
  const children: unknown[] = [];
  for await (const child of db.children('users')) children.push(child);
  const ada = await db.getTree('users/ada');
  return [
    sum,
    children,
    ada,
    await db.get('sum'),
    await db.count(),
    (await db.first('users'))?.path,
    await db.kind('users'),
    await db.has('x'),
  ];
}

/** A database as far away as a promise: nothing is given at once. */
function farAway<T extends object>(near: T): T {
  return new Proxy(near, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...given: unknown[]) => {
        if (name === 'scan' || name === 'children')
          return (async function* () {
            await settled(1);
            yield* member.apply(target, given) as Iterable<unknown>;
          })();
        const work = given[0];
        if (name === 'transact' && typeof work === 'function') given[0] = (tx: object) => work(farAway(tx)) as unknown;
        return settled(1).then(() => member.apply(target, given) as unknown);
      };
    },
  });
}

test('code that awaits its reads and uses for await runs unchanged here and far away', async (t) => {
  const expected = [76, ['ada', 'eve'], { age: 36 }, 76, 4, ['users', 'ada', 'age'], 'tree', false];
  const near = opened(t).db;
  assert.deepEqual(await portable(near), expected);
  const far: Writer = farAway<Database>(opened(t).db);
  assert.deepEqual(await portable(far), expected);
  const reader: Reader = near.snapshot();
  assert.equal(await reader.count('users'), 2);
  await refused(async () => void (await reader.get('')), { kind: 'invalid', code: 'PATH_INVALID' });
});
