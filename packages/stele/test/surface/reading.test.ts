/** Reading: each call gives the same through every kind of handle, for all its options together. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Path, Reading } from '../../src/model/types.ts';
import { makeWorld, opened, type Rows, readersOf, refused } from './kit.ts';

const DATA: Rows = [
  ['list/#0', 'zero'],
  ['list/#1', 'one'],
  ['list/#2', { deep: true }],
  ['note', 'né 日本'],
  ['raw', new Uint8Array([1, 2, 3, 4])],
  ['users', 'everyone'],
  ['users/alice', { id: 1 }],
  ['users/alice/age', 30],
  ['users/alice/tags/#0', 'x'],
  ['users/alicea', 'beside'],
  ['users/bob/age', 40],
  ['users/carol', 'just a value'],
  ['zip', null],
];
const PATHS = DATA.map(([path]) => path as string);
const handles = readersOf(DATA);
after(() => handles.close());

function everywhere(name: string, work: (handle: Reading, name: string) => void | Promise<void>): void {
  test(name, async () => {
    for (const [kind, handle] of handles.all) {
      try {
        await work(handle, kind);
      } catch (error) {
        throw new Error(`through ${kind}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      }
    }
  });
}

const texts = (rows: Iterable<{ readonly path: readonly unknown[] }>): string[] =>
  [...rows].map(({ path }) => path.map((segment) => (typeof segment === 'number' ? `#${segment}` : String(segment))).join('/'));

everywhere('get gives the value, or undefined for what is not there, above and below included', (handle) => {
  for (const [path, value] of DATA) assert.deepEqual(handle.get(path), value);
  for (const path of ['nothing', 'users/alic', 'users/alice/age/deeper', 'list', 'users/bob', 'list/0'])
    assert.equal(handle.get(path), undefined);
});

everywhere('getMany gives the values in the order of the paths, with repeats and gaps', (handle) => {
  assert.deepEqual(handle.getMany(['zip', 'nothing', 'note', 'zip', ['users']]), [null, undefined, 'né 日本', null, 'everyone']);
  assert.deepEqual(handle.getMany([]), []);
  const all = handle.getMany(PATHS);
  assert.deepEqual(
    all,
    DATA.map(([, value]) => value),
  ); // null is a value
});

everywhere('has tells values from what is missing; null is a value, a tree is none', (handle) => {
  for (const path of PATHS) assert.equal(handle.has(path), true);
  for (const path of ['nothing', 'list', 'users/bob']) assert.equal(handle.has(path), false);
});

everywhere('entry gives value, version and expiry', (handle, kind) => {
  const entry = handle.entry('users/alice')!;
  assert.deepEqual(entry.value, { id: 1 });
  assert.equal(entry.expiresAt, undefined);
  if (kind.startsWith('own writes')) assert.equal(entry.version, 0);
  else assert.ok(entry.version > 0);
  assert.equal(handle.entry('nothing'), undefined);
});

everywhere("kind is 'none', 'value', 'tree' or 'both'", (handle) => {
  for (const [path, kind] of [
    ['nothing', 'none'],
    ['users/carol', 'value'],
    ['zip', 'value'],
    ['list', 'tree'],
    ['users/bob', 'tree'],
    ['users', 'both'],
    ['users/alice', 'both'],
    ['', 'both'],
  ] as const)
    if (path !== '') assert.equal(handle.kind(path), kind, path);
    else assert.equal(handle.kind(path), 'tree');
});

everywhere('getTree makes a nested object from leaf paths; children 0, 1, 2 make an array', (handle) => {
  assert.deepEqual(handle.getTree('users'), {
    '': 'everyone',
    alice: { '': { id: 1 }, age: 30, tags: ['x'] },
    alicea: 'beside',
    bob: { age: 40 },
    carol: 'just a value',
  });
  assert.deepEqual(handle.getTree('list'), ['zero', 'one', { deep: true }]);
  assert.equal(handle.getTree('users/carol'), 'just a value');
  assert.equal(handle.getTree('zip'), null);
  assert.equal(handle.getTree('nothing'), undefined);
  assert.deepEqual(Object.keys(handle.getTree() as object), ['list', 'note', 'raw', 'users', 'zip']);
});

everywhere('getTree reads depth levels and leaves {} for what is deeper', (handle) => {
  assert.deepEqual(handle.getTree('users', { depth: 1 }), {
    '': 'everyone',
    alice: { id: 1 },
    alicea: 'beside',
    bob: {},
    carol: 'just a value',
  });
  assert.deepEqual(handle.getTree('users', { depth: 0 }), 'everyone');
  assert.deepEqual(handle.getTree('list', { depth: 0 }), {});
  assert.deepEqual(handle.getTree('users', { depth: 2 }), {
    '': 'everyone',
    alice: { '': { id: 1 }, age: 30, tags: {} },
    alicea: 'beside',
    bob: { age: 40 },
    carol: 'just a value',
  });
  assert.deepEqual(handle.getTree('users', { depth: 9 }), handle.getTree('users'));
});

everywhere('getTree ends after limit values', (handle) => {
  assert.equal(handle.getTree('users', { limit: 0 }), undefined);
  assert.deepEqual(handle.getTree('users', { limit: 1 }), 'everyone');
  assert.deepEqual(handle.getTree('users', { limit: 3 }), { '': 'everyone', alice: { '': { id: 1 }, age: 30 } });
});

everywhere('children gives one level in order, whatever lies below it', (handle) => {
  assert.deepEqual(handle.children().toArray(), ['list', 'note', 'raw', 'users', 'zip']);
  assert.deepEqual(handle.children('users').toArray(), ['alice', 'alicea', 'bob', 'carol']);
  assert.deepEqual(handle.children('list').toArray(), [0, 1, 2]);
  assert.deepEqual(handle.children('users/carol').toArray(), []);
  assert.deepEqual(handle.children('nothing').toArray(), []);
});

everywhere('children takes after, limit and reverse together', (handle) => {
  const all = ['alice', 'alicea', 'bob', 'carol'];
  for (const after of [undefined, 'aa', 'alice', 'alicea', 'b', 'carol', 'z'])
    for (const reverse of [false, true])
      for (const limit of [0, 1, 2, undefined]) {
        const expected = (reverse ? [...all].reverse() : all)
          .filter((child) => after === undefined || (reverse ? child < after : child > after))
          .slice(0, limit);
        const options = { reverse, ...(after === undefined ? {} : { after }), ...(limit === undefined ? {} : { limit }) };
        assert.deepEqual(handle.children('users', options).toArray(), expected, JSON.stringify(options));
      }
  assert.deepEqual(handle.children('list', { after: 0n }).toArray(), [1, 2]);
  assert.deepEqual(handle.children('list', { after: 0.5, reverse: true }).toArray(), [0]);
});

everywhere('scan takes prefix, start, end, after, reverse, limit and values in every combination', (handle) => {
  const under = (prefix: string): string[] => PATHS.filter((path) => prefix === '' || path === prefix || path.startsWith(`${prefix}/`));
  const order = (path: string): number => {
    // Where the path stands among all, or would stand: after the last one that is before it.
    const exact = PATHS.indexOf(path);
    return exact >= 0 ? exact : PATHS.filter((one) => isBefore(one, path)).length - 0.5;
  };
  for (const prefix of ['', 'users', 'users/alice', 'list'])
    for (const start of [undefined, 'users', 'users/alice/age', 'users/alicea'])
      for (const end of [undefined, 'users/alice', 'users/bob', 'users/bz'])
        for (const after of [undefined, 'users/alice', 'users/alice/zz'])
          for (const reverse of [false, true])
            for (const limit of [undefined, 2]) {
              const bounds = [start, end, after].filter((bound) => bound !== undefined);
              if (bounds.some((bound) => !(prefix === '' || bound === prefix || bound.startsWith(`${prefix}/`)))) continue;
              let expected = under(prefix).filter(
                (path) =>
                  (start === undefined || order(path) >= order(start)) &&
                  (end === undefined || order(path) < order(end)) &&
                  (after === undefined || (reverse ? order(path) < order(after) : order(path) > order(after))),
              );
              if (reverse) expected = expected.reverse();
              const options = {
                prefix,
                reverse,
                ...(start === undefined ? {} : { start }),
                ...(end === undefined ? {} : { end }),
                ...(after === undefined ? {} : { after }),
                ...(limit === undefined ? {} : { limit }),
              };
              const about = JSON.stringify(options);
              assert.deepEqual(texts(handle.scan(options)), expected.slice(0, limit), about);
              const spots = handle.scan({ ...options, values: false }).toArray();
              assert.deepEqual(texts(spots), expected.slice(0, limit), about);
              assert.ok(spots.every(({ value }) => value === undefined));
              if (after === undefined && limit === undefined && !reverse)
                assert.equal(
                  handle.count({ prefix, ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) }),
                  expected.length,
                  about,
                );
            }
});

/** Segment by segment; the data has text here, and numbers that sort before it. */
function isBefore(a: string, b: string): boolean {
  const [left, right] = [a.split('/'), b.split('/')];
  for (let at = 0; at < Math.min(left.length, right.length); at++) if (left[at] !== right[at]) return left[at]! < right[at]!;
  return left.length < right.length;
}

everywhere('a page of a scan goes on after the path of the last row, forwards and backwards', (handle) => {
  for (const reverse of [false, true]) {
    const pages: string[] = [];
    for (let after: Path | undefined; ; ) {
      const page = handle.scan({ limit: 3, reverse, ...(after === undefined ? {} : { after }) }).toArray();
      pages.push(...texts(page));
      if (page.length < 3) break;
      after = page.at(-1)!.path;
    }
    assert.deepEqual(pages, reverse ? [...PATHS].reverse() : PATHS);
  }
});

everywhere('count is exact: everything, a prefix, and bounds', (handle) => {
  assert.equal(handle.count(), DATA.length);
  assert.equal(handle.count({}), DATA.length);
  assert.equal(handle.count('users'), 7);
  assert.equal(handle.count(['users', 'alice']), 3);
  assert.equal(handle.count('nothing'), 0);
  assert.equal(handle.count({ prefix: 'users', start: 'users/alice', end: 'users/bob' }), 4);
  assert.equal(handle.count({ prefix: 'users', start: 'users/bob', end: 'users/alice' }), 0);
});

everywhere('first, last and nth give the entry with its path, or undefined', (handle) => {
  assert.deepEqual(handle.first()?.path, ['list', 0]);
  assert.deepEqual(handle.last()?.path, ['zip']);
  assert.equal(handle.last()?.value, null);
  assert.deepEqual(texts([handle.first('users')!, handle.last('users')!]), ['users', 'users/carol']);
  const under = PATHS.filter((path) => path === 'users' || path.startsWith('users/'));
  for (const [at, path] of under.entries()) assert.deepEqual(texts([handle.nth('users', at)!]), [path]);
  assert.equal(handle.nth('users', under.length), undefined);
  assert.equal(handle.first('nothing'), undefined);
  assert.equal(handle.last('nothing'), undefined);
  assert.equal(handle.nth('nothing', 0), undefined);
});

everywhere('getAsync, getManyAsync and prefetch never block, and give what get gives', async (handle) => {
  for (const [path, value] of DATA) assert.deepEqual(await handle.getAsync(path), value);
  assert.equal(await handle.getAsync('nothing'), undefined);
  assert.deepEqual(await handle.getManyAsync(['zip', 'nothing', 'note']), [null, undefined, 'né 日本']);
  assert.equal(await handle.prefetch(['zip', 'nothing', 'note']), 2);
  assert.equal(await handle.prefetch({ prefix: 'users' }), 7);
  assert.equal(await handle.prefetch({ prefix: '' }), DATA.length);
  await refused(() => handle.prefetch({ prefix: 'users' }, { signal: AbortSignal.abort() }), { kind: 'closed', code: 'CANCELLED' });
});

everywhere('readValue gives a piece of a text as UTF-8 or of bytes, shorter at the end, and refuses other values', async (handle) => {
  assert.deepEqual(handle.readValue('raw'), new Uint8Array([1, 2, 3, 4]));
  assert.deepEqual(handle.readValue('raw', { offset: 1, length: 2 }), new Uint8Array([2, 3]));
  assert.deepEqual(handle.readValue('raw', { offset: 3, length: 9 }), new Uint8Array([4]));
  assert.deepEqual(handle.readValue('raw', { offset: 9 }), new Uint8Array(0));
  assert.equal(new TextDecoder().decode(handle.readValue('note', { offset: 4 })), '日本');
  assert.equal(handle.readValue('nothing'), undefined);
  await refused(() => handle.readValue('zip'), { kind: 'invalid', code: 'VALUE_INVALID', says: /expected well-formed text or bytes/ });
});

test('reads see what was written just before, without waiting for its promise', async (t) => {
  const { db } = opened(t);
  const put = db.put('a', 1);
  assert.equal(db.get('a'), 1);
  assert.equal(db.count(), 1);
  const later = db.delete('a');
  assert.equal(db.has('a'), false);
  await Promise.all([put, later]);
});

test('a subtree gives paths relative to itself and takes bounds the same way; its own value is the empty path', async (t) => {
  const { db } = opened(t);
  await db.put('a/b', 'own');
  await db.put('a/b/c/d', 1);
  await db.put('a/c', 'outside');
  const sub = db.subtree('a').subtree('b');
  assert.equal(sub.get([]), 'own');
  assert.equal(sub.get(''), 'own');
  assert.deepEqual(
    sub
      .scan()
      .toArray()
      .map(({ path }) => path),
    [[], ['c', 'd']],
  );
  assert.deepEqual(
    sub
      .scan({ prefix: 'c', start: 'c/d' })
      .toArray()
      .map(({ path }) => path),
    [['c', 'd']],
  );
  assert.equal(sub.scan({ after: [] }).toArray().length, 1);
  assert.deepEqual(sub.first()?.path, []);
  assert.equal(sub.count(), 2);
  assert.equal(sub.kind(''), 'both');
  assert.deepEqual(sub.getTree(), { '': 'own', c: { d: 1 } });
});

test('children and getTree with depth do not read what lies below', async (t) => {
  const world = makeWorld();
  const first = opened(undefined, {}, world).db;
  const values = Array.from({ length: 400 }, (_, at) => [`key ${at}`, 'value '.repeat(10)]);
  for (let child = 0; child < 5; child++) first.putTreeSync(['big', child], Object.fromEntries(values));
  await first.close();
  const { db } = opened(t, {}, world);
  const misses = (work: () => void): number => {
    const before = db.stats()['pages']!['treeMisses'] as number;
    work();
    return (db.stats()['pages']!['treeMisses'] as number) - before;
  };
  const level = misses(() => assert.equal(db.children('big').toArray().length, 5));
  const shallow = misses(() => assert.deepEqual(db.getTree('big', { depth: 1 }), [{}, {}, {}, {}, {}]));
  const all = misses(() => assert.equal(db.scan().toArray().length, 2000));
  assert.ok(level <= 12, `children read ${level} pages`);
  assert.ok(shallow <= 12, `getTree read ${shallow} pages`);
  assert.ok(all > 15, `the rest was ${all} pages, too few to tell`);
});
