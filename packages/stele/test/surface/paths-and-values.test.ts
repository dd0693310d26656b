/** Paths and values: the promises of that section of the contract, through every kind of handle. */

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Prng } from '../../src/host/faulty/prng.ts';
import { formatPath, parsePath } from '../../src/model/path/text.ts';
import type { Path, Segment, Value } from '../../src/model/types.ts';
import { makeWorld, opened, readersOf, refused } from './kit.ts';

const bytes = (...all: number[]): Uint8Array => Uint8Array.from(all);

/** In path order: false, true, numbers by value, bytes, text by UTF-8 bytes; a path before what lies below it. */
const ORDERED: readonly (readonly Segment[])[] = [
  [false],
  [true],
  [-(2n ** 80n)],
  [Number.MIN_SAFE_INTEGER],
  [-1.5],
  [-1],
  [-1, 'below'],
  [-Number.MIN_VALUE],
  [0],
  [0, 0],
  [Number.MIN_VALUE],
  [0.5],
  [1],
  [1.5],
  [9],
  [10],
  [Number.MAX_SAFE_INTEGER],
  [2n ** 53n],
  [2n ** 80n],
  [bytes()],
  [bytes(0)],
  [bytes(0, 0)],
  [bytes(0, 1)],
  [bytes(255)],
  ['\0'],
  ['\u0001'],
  ['#42'],
  ['0x00ff'],
  ['9'],
  ['A'],
  ['a'],
  ['a', false],
  ['a', -7],
  ['a', 'b'],
  ['a', 'b', 'c'],
  ['a\0'],
  ['a\0', 'b'],
  ['a\0b'],
  ['a\u0001'],
  ['a/b'],
  ['a\\b'],
  ['aa'],
  ['ab', 1],
  ['é'],
  ['日本'],
  ['\u{1f600}'],
];

const VALUES: readonly (readonly [name: string, value: Value])[] = [
  ['empty text', ''],
  ['text', 'plain'],
  ['text beyond ASCII', 'né 日本 \u{1f600}'],
  ['text with NUL', 'a\0b'],
  ['a lone surrogate', 'x\ud800'],
  ['zero', 0],
  ['minus zero', -0],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['a small number', 42],
  ['a negative number', -300],
  ['a fraction', 0.1],
  ['MIN_VALUE', Number.MIN_VALUE],
  ['MAX_VALUE', Number.MAX_VALUE],
  ['MAX_SAFE_INTEGER', Number.MAX_SAFE_INTEGER],
  ['beyond safe, as a number', 2 ** 60],
  ['a bigint', 7n],
  ['a bigint zero', 0n],
  ['a large bigint', -(10n ** 40n)],
  ['true', true],
  ['false', false],
  ['null', null],
  ['no bytes', bytes()],
  ['bytes', bytes(0, 255, 1)],
  ['a date', new Date(1_234_567_890_123)],
  ['a date before the epoch', new Date(-1)],
  ['an empty object', {}],
  ['an empty array', []],
  ['nested', { z: [1, [2n, { b: bytes(1, 2), at: new Date(5) }]], a: null, '': { '': '' } }],
  ['keys out of order', { z: 1, a: 2, m: 3, Z: 4 }],
  ['odd keys', { __proto__x: 1, constructor: 2, 'a/b': 3, '#1': 4, '\0': 5 }],
  ['special numbers inside', [Number.NaN, -0, Number.NEGATIVE_INFINITY]],
];

const ordered = readersOf(ORDERED.map((path, at) => [path, at]));
const valued = readersOf(VALUES.map(([name, value]) => [['v', name], value]));
after(async () => {
  await ordered.close();
  await valued.close();
});

test("a text path is its segments: 'users/alice/name' = ['users', 'alice', 'name']", async (t) => {
  const { db } = opened(t);
  await db.put('users/alice/name', 'Alice');
  await db.put(['dir/file', 'a\\b', '#5', '0xff'], 'odd');
  await db.put('n/#42/#true/0x00ff/#-1.5/#9007199254740993', 'typed');
  for (const handle of [db, db.snapshot(), db.beginSync(), db.subtree([])]) {
    assert.equal(handle.get(['users', 'alice', 'name']), 'Alice');
    assert.equal(handle.get('dir\\/file/a\\\\b/\\#5/\\0xff'), 'odd');
    assert.equal(handle.get(['n', 42, true, bytes(0, 255), -1.5, 9007199254740993n]), 'typed');
  }
  assert.deepEqual(db.first('users')?.path, ['users', 'alice', 'name']);
  assert.equal(db.subtree('users/alice').get('name'), 'Alice');
});

test('formatPath and parsePath are one grammar: what is printed is read back as the same path', () => {
  for (const path of ORDERED) {
    const text = formatPath(path);
    const back = parsePath(text);
    assert.deepEqual(back, [...path], text);
    assert.equal(formatPath(back), text);
  }
  for (const [text, path] of [
    ['#42', [42]],
    ['#true/#false', [true, false]],
    ['0x00ff', [bytes(0, 255)]],
    ['0x', [bytes()]],
    ['\\#42', ['#42']],
    ['\\0x00', ['0x00']],
    ['a\\/b', ['a/b']],
    ['0xf', ['0xf']],
    ['#x', ['#x']],
    ['#', ['#']],
    ['#9007199254740993', [9007199254740993n]],
    ['', []],
  ] as const) {
    assert.deepEqual(parsePath(text), path);
    assert.equal(formatPath(path), text);
  }
  assert.deepEqual(parsePath('#1e2/#-0/0xFF/\\a'), [100, 0, bytes(255), 'a']);
});

for (const [name, handle] of ordered.all)
  test(`order is false, true, numbers and bigints together by value, bytes, text; a path comes before what lies below it: ${name}`, () => {
    const rows = handle.scan().toArray();
    const expected = ORDERED.map((path) =>
      path.map((one) => (typeof one === 'bigint' && one === BigInt(Number(one)) && Number.isSafeInteger(Number(one)) ? Number(one) : one)),
    );
    assert.deepEqual(
      rows.map(({ path }) => path),
      expected,
    );
    assert.deepEqual(
      rows.map(({ value }) => value),
      ORDERED.map((_path, at) => at),
    );
    assert.deepEqual(
      handle
        .scan({ reverse: true })
        .toArray()
        .map(({ value }) => value),
      ORDERED.map((_path, at) => at).reverse(),
    );
    for (const [at, path] of ORDERED.entries()) {
      assert.equal(handle.get(path), at);
      assert.deepEqual(handle.nth([], at)?.path, expected[at]);
    }
    assert.deepEqual(
      handle
        .children()
        .toArray()
        .map((child) => formatPath([child])),
      [...new Set(ORDERED.map((path) => formatPath(path.slice(0, 1))))],
    );
  });

for (const [name, handle] of ordered.all)
  test(`a prefix is whole segments and includes the value at the prefix itself, first: ${name}`, () => {
    const below = (prefix: Path): unknown[] =>
      handle
        .scan({ prefix })
        .toArray()
        .map(({ path }) => formatPath(path));
    assert.deepEqual(below('a'), ['a', 'a/#false', 'a/#-7', 'a/b', 'a/b/c']);
    assert.deepEqual(below(['a\0']), ['a\0', 'a\0/b']);
    assert.deepEqual(below([-1]), ['#-1', '#-1/below']);
    assert.deepEqual(below([0]), ['#0', '#0/#0']);
    assert.deepEqual(below('ab'), ['ab/#1']);
    assert.deepEqual(below('b'), []);
    assert.equal(handle.count('a'), 5);
    assert.equal(handle.count(['a\0']), 2);
    assert.deepEqual(handle.first('a')?.path, ['a']);
    assert.deepEqual(handle.last('a')?.path, ['a', 'b', 'c']);
    assert.deepEqual(handle.nth('a', 2)?.path, ['a', -7]);
    assert.deepEqual(handle.children('a').toArray(), [false, -7, 'b']);
    assert.deepEqual(handle.children(['a\0']).toArray(), ['b']);
  });

for (const [name, handle] of ordered.all)
  test(`1 and 1n are one segment, safe integers come back as number, '9' and 9 differ, -0 is 0: ${name}`, () => {
    assert.equal(handle.get([1n]), handle.get([1]));
    assert.equal(handle.get([9]), handle.get('#9'));
    assert.notEqual(handle.get(['9']), handle.get([9]));
    assert.equal(handle.get([-0]), handle.get([0]));
    assert.deepEqual(handle.first([1n])?.path, [1]);
    assert.ok(!Object.is(handle.first([-0])?.path[0], -0));
    assert.equal(typeof handle.first([2n ** 53n])?.path[0], 'bigint');
  });

for (const [name, handle] of valued.all)
  test(`values round-trip exactly, NaN, -0 and types inside objects too, and objects keep key order: ${name}`, async () => {
    const same = (found: unknown, value: Value, about: string): void => {
      assert.deepStrictEqual(found, value, about);
      if (typeof value === 'number') assert.ok(Object.is(found, value), about);
      assert.equal(keysOf(found), keysOf(value), `${about}: keys`);
    };
    const paths = VALUES.map(([about]): Path => ['v', about]);
    const many = handle.getMany(paths);
    const async = await handle.getManyAsync(paths);
    for (const [at, [about, value]] of VALUES.entries()) {
      const path = paths[at]!;
      same(handle.get(path), value, about);
      same(many[at], value, about);
      same(async[at], value, about);
      same(handle.entry(path)?.value, value, about);
      same(handle.first(path)?.value, value, about);
      same(await handle.getAsync(path), value, about);
    }
    for (const { path, value } of handle.scan()) same(value, VALUES.find(([about]) => about === path[1])![1], String(path[1]));
  });

function keysOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(keysOf).join()}]`;
  if (value === null || typeof value !== 'object' || value instanceof Date || value instanceof Uint8Array) return '';
  return `{${Object.entries(value)
    .map(([key, member]) => JSON.stringify(key) + keysOf(member))
    .join()}}`;
}

test("a member called __proto__ is a member like any other, in a value and in a tree's name", async (t) => {
  const { db } = opened(t);
  const odd = JSON.parse('{"__proto__": {"polluted": true}, "a": 1}');
  await db.put('value', odd);
  await db.putTree('tree', odd);
  for (const found of [db.get('value'), db.getTree('tree')]) {
    assert.deepEqual(Object.keys(found as object), ['__proto__', 'a']);
    assert.equal(Object.getPrototypeOf(found), Object.prototype);
    assert.equal((found as Record<string, unknown>)['polluted'], undefined);
  }
});

test('what the caller gives and what the caller gets is not shared: bytes and objects are copies', async (t) => {
  const { db } = opened(t);
  const given = { bytes: bytes(1, 2, 3), list: [1] };
  await db.put('a', given);
  const path: Segment[] = [bytes(7)];
  await db.put(path, given.bytes);
  given.bytes[0] = 9;
  given.list.push(2);
  (path[0] as Uint8Array)[0] = 8;
  assert.deepEqual(db.get('a'), { bytes: bytes(1, 2, 3), list: [1] });
  const got = db.get<Uint8Array>([bytes(7)])!;
  got[0] = 99;
  const row = db.first([bytes(7)])!;
  (row.path[0] as Uint8Array)[0] = 1;
  assert.deepEqual(db.get([bytes(7)]), bytes(1, 2, 3));
});

test('values and paths round-trip through closing and opening again', async () => {
  const world = makeWorld();
  const first = opened(undefined, {}, world).db;
  for (const [at, path] of ORDERED.entries()) first.putSync(path, VALUES[at % VALUES.length]![1]);
  const before = first.scan().toArray();
  await first.close();
  const second = opened(undefined, {}, world).db;
  assert.deepEqual(second.scan().toArray(), before);
  await second.close();
});

test('random typed paths come back in the order a plain comparison gives (seeded)', async (t) => {
  const { db } = opened(t);
  const random = new Prng(20_261_121);
  const draw = (): Segment => {
    switch (random.below(7)) {
      case 0:
        return random.below(2) === 1;
      case 1:
        return random.below(10) - 5;
      case 2:
        return (random.below(1000) - 500) / 8;
      case 3:
        return BigInt(random.below(5) - 2) * 2n ** BigInt(50 + random.below(30));
      case 4:
        return Uint8Array.from({ length: random.below(3) }, () => [0, 1, 255][random.below(3)]!);
      default:
        return ['a', 'b', 'ab', 'a\0', '\u0001x', 'é', 'z\uffff', '\u{10000}'][random.below(8)]!;
    }
  };
  const paths = Array.from({ length: 400 }, () => Array.from({ length: 1 + random.below(3) }, draw));
  await db.batch(paths.map((path) => ({ type: 'put', path, value: formatPath(path) })));
  const expected = [...new Map(paths.map((path) => [formatPath(path), path])).values()].sort(comparePaths);
  assert.deepEqual(
    db
      .scan()
      .toArray()
      .map(({ path }) => formatPath(path)),
    expected.map((path) => formatPath(path)),
  );
});

const rank = (segment: Segment): number =>
  typeof segment === 'boolean' ? 0 : typeof segment === 'number' || typeof segment === 'bigint' ? 1 : typeof segment === 'string' ? 3 : 2;

function comparePaths(a: readonly Segment[], b: readonly Segment[]): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const order = compareSegments(a[at]!, b[at]!);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareSegments(a: Segment, b: Segment): number {
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (rank(a) < 2) return a < b ? -1 : a > b ? 1 : 0;
  const encode = (segment: Segment): Buffer => Buffer.from(segment as string);
  return Buffer.compare(encode(a), encode(b));
}

test('a prefix is never a part of a segment, and refused segments stay refused in a prefix', async (t) => {
  const { db } = opened(t);
  await db.put('users', 0);
  await db.put('users/al', 1);
  await db.put('users/alice', 2);
  assert.equal(db.count('users/al'), 1);
  assert.equal(db.count('user'), 0);
  await refused(() => db.count(['users', '']), { kind: 'invalid', code: 'PATH_INVALID' });
});
