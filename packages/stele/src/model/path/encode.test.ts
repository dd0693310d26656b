import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { comparePaths, drawNumber, drawPath, drawSegment, normal } from '../../../test/codecs/draw.ts';
import { SeededRandom } from '../../../test/model/random.ts';
import { compareBytes } from '../../base/bytes.ts';
import { SteleError } from '../../base/errors.ts';
import { decodePath, decodeSegment, segmentEnd } from './decode.ts';
import { appendPath, encodePath, encodePrefix, encodeSegment } from './encode.ts';
import { KEY_BYTES_MAX } from './layout.ts';
import { formatPath } from './text.ts';
import type { Path, Segment } from './types.ts';

const out = new Uint8Array(KEY_BYTES_MAX);

function keyOf(path: Path): Uint8Array {
  return out.slice(0, encodePath(path, out, 0));
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const order = (a: Uint8Array, b: Uint8Array): number => Math.sign(compareBytes(a, 0, a.length, b, 0, b.length));

function refused(path: unknown, words: RegExp): void {
  assert.throws(
    () => keyOf(path as Path),
    (error) => {
      assert.ok(error instanceof SteleError, String(error));
      assert.deepEqual([error.kind, error.code], ['invalid', 'PATH_INVALID']);
      assert.match(error.message, words);
      return true;
    },
  );
}

test('keys are what the specification shows', () => {
  assert.equal(hex(keyOf('users/alice')), '02757365727300616c69636500');
  assert.equal(hex(keyOf([1, -1, 2, 1.5, 42])), '02' + '078000' + '057fff' + '078100' + '078080' + '078550');
  assert.equal(hex(keyOf([255, 256, 257, 0, true, false])), '02' + '0787fe' + '078800' + '07880180' + '06' + '03' + '02');
  assert.equal(hex(keyOf([Uint8Array.of(0, 1), '\0', 'a\0'])), '02' + '0800ff0100' + '1f00ff00' + '6100ff00');
});

test('a path comes back from its key, and the order of keys is the order of paths', () => {
  const random = new SeededRandom(11);
  const paths: { path: Segment[]; key: Uint8Array }[] = [];
  for (let n = 0; n < 4000; n++) {
    const path = drawPath(random);
    try {
      const key = keyOf(path);
      assert.deepEqual(decodePath(key, 0, key.length), path.map(normal));
      paths.push({ path, key });
    } catch (error) {
      assert.match((error as Error).message, /at most 1024 as a key/);
    }
  }
  assert.ok(paths.length > 3500);
  for (let n = 0; n < 60_000; n++) {
    const a = random.pick(paths);
    const b = random.pick(paths);
    assert.equal(order(a.key, b.key), Math.sign(comparePaths(a.path, b.path)), `${formatPath(a.path)} and ${formatPath(b.path)}`);
  }
});

test('numbers are ordered as numbers, whatever their type and size', () => {
  const random = new SeededRandom(12);
  const numbers: (number | bigint)[] = [];
  for (let n = 0; n < 1500; n++)
    numbers.push(drawNumber(random), random.pick([1n, -1n]) * (1n << BigInt(random.below(200))) + BigInt(random.below(3)));
  for (const exponent of [-1074, -1073, -1023, -1022, -113, -112, -1, 0, 1, 52])
    numbers.push(2 ** exponent, -(2 ** exponent), 2 ** exponent * 1.5);
  const keys = numbers.map((number) => ({ number, key: keyOf([number]) }));
  keys.sort((a, b) => order(a.key, b.key));
  for (let i = 1; i < keys.length; i++)
    assert.ok(keys[i - 1]!.number <= keys[i]!.number, `${keys[i - 1]!.number} before ${keys[i]!.number}`);
});

test('every power of two of a double comes back, and its neighbours', () => {
  for (let exponent = -1074; exponent <= 1023; exponent++) {
    const power = 2 ** exponent;
    for (const value of [power, power * (1 + 2 ** -52), power * (2 - 2 ** -52), -power]) {
      const given = Number.isInteger(value) && !Number.isSafeInteger(value) ? BigInt(value) : value;
      const key = keyOf([given]);
      assert.deepEqual(decodePath(key, 0, key.length), [given], `2^${exponent}`);
    }
  }
});

test('what lies at and below a path is one range that holds nothing else', () => {
  const random = new SeededRandom(13);
  const paths = Array.from({ length: 300 }, () =>
    Array.from({ length: random.between(1, 3) }, () =>
      random.pick(['a', 'a\0', 'ab', 1, 1.5, -1, true, Uint8Array.of(0), Uint8Array.of(0, 255), '\xff', '\u{10ffff}']),
    ),
  );
  for (const prefix of paths.slice(0, 60)) {
    const start = keyOf(prefix);
    const end = Uint8Array.of(...start, 0xff);
    for (const path of paths) {
      const isBelow = prefix.every((segment, i) => i < path.length && comparePaths([segment], [path[i]!]) === 0);
      const key = keyOf(path);
      assert.equal(order(key, start) >= 0 && order(key, end) < 0, isBelow, `${formatPath(path)} below ${formatPath(prefix)}`);
    }
  }
});

test('a text path and its segments have one key, plain or not', () => {
  const random = new SeededRandom(14);
  for (const text of ['a', 'users/alice/name', '0/1', '0', '00x', 'x0x12', 'a#b', 'a b/~', '\x7f', 'é/😀'])
    assert.equal(hex(keyOf(text)), hex(keyOf(text.split('/'))));
  for (let n = 0; n < 3000; n++) {
    const path = drawPath(random).map((segment) => (typeof segment === 'string' ? segment.slice(0, 40) : segment));
    if (path.some((segment) => typeof segment === 'bigint' && (segment > 2n ** 300n || segment < -(2n ** 300n)))) continue;
    if (path.some((segment) => typeof segment === 'string' && !segment.isWellFormed())) continue;
    assert.equal(hex(keyOf(formatPath(path))), hex(keyOf(path)), formatPath(path));
  }
});

test('segments are stepped over, skipped and decoded one by one', () => {
  const random = new SeededRandom(15);
  for (let n = 0; n < 500; n++) {
    const path = [drawSegment(random), ...drawPath(random), 'end'].map((segment) =>
      typeof segment === 'bigint' ? segment % 2n ** 60n : segment,
    );
    const key = keyOf(path);
    let at = 1;
    for (const [i, segment] of path.entries()) {
      assert.deepEqual(decodePath(key, 0, key.length, i), path.slice(i).map(normal));
      const end = segmentEnd(key, at, key.length);
      assert.deepEqual(decodeSegment(key, at, end), normal(segment));
      const one = new Uint8Array(2048);
      assert.deepEqual(one.slice(0, encodeSegment(segment, one, 0)), key.slice(at, end));
      at = end;
    }
    assert.equal(at, key.length);
  }
});

test('bytes of another realm are bytes', () => {
  const bytes = runInNewContext('new Uint8Array([1, 2])') as Uint8Array;
  assert.equal(hex(keyOf([bytes])), hex(keyOf([Uint8Array.of(1, 2)])));
  assert.equal(formatPath([bytes]), '0x0102');
});

test('appendPath() continues a key, and its limits are those of the whole', () => {
  const start = encodePrefix('a/b', out, 0);
  assert.equal(appendPath('', out, start, 0, 2), start);
  assert.equal(hex(out.slice(0, appendPath('c', out, start, 0, 2))), hex(keyOf('a/b/c')));
  assert.equal(hex(out.slice(0, appendPath(['c', 1], out, start, 0, 2))), hex(keyOf(['a', 'b', 'c', 1])));
  const most = 'x'.repeat(1024 - 5);
  assert.equal(appendPath(most, out, start, 0, 2), KEY_BYTES_MAX);
  for (const long of [`${most}y`, [`${most}y`]]) assert.throws(() => appendPath(long, out, start, 0, 2), /1025 bytes.*at most 1024/);
  const full = Array.from({ length: 62 }, () => 'x');
  appendPath(full, out, start, 0, 2);
  appendPath(full.join('/'), out, start, 0, 2);
  for (const deep of [[...full, 'y'], [...full, 'y'].join('/')])
    assert.throws(() => appendPath(deep, out, start, 0, 2), /65 segments|more than 62 segments|at most/);
});

test('a path that is none is refused, and the message names the segment', () => {
  refused('', /empty/);
  refused([], /empty/);
  refused(['a', ''], /segment 2 is an empty text/);
  for (const text of ['/a', 'a/', 'a//b', '/']) refused(text, /segment \d is empty/);
  refused(['a', Number.NaN], /segment 2 is NaN, expected a finite number/);
  refused([Number.POSITIVE_INFINITY], /Infinity/);
  refused([2 ** 53], /segment 1 is the number 9007199254740992 beyond the safe integers, expected a bigint/);
  refused(['\ud800'], /lone surrogate/);
  refused('a/\udc00', /segment 2 .*lone surrogate/);
  for (const [segment, name] of [
    [undefined, 'undefined'],
    [null, 'null'],
    [{}, 'an object'],
    [[], 'an array'],
    [Symbol('x'), 'a symbol'],
    [new Date(0), 'an instance of Date'],
  ] as const)
    refused(['a', segment], new RegExp(`segment 2 is ${name}, expected text`));
  for (const path of [undefined, null, 7, {}, Uint8Array.of(1)]) refused(path, /expected a text such as/);
  refused([1n << 32768n], /32768 bits/);
  refused([(1n << 9000n) + 1n], /at most 1024 as a key/);
  refused(['x'.repeat(1024)], /1025 bytes/);
  refused('x'.repeat(1024), /at most 1024/);
  refused('x'.repeat(100_000), /at most 1024/);
  refused(['é'.repeat(1000)], /at most 1024/);
  refused([new Uint8Array(600)], /at most 1024/);
  refused([new Uint8Array(2000).fill(1)], /at most 1024/);
  refused(Array(65).fill('a'), /65 segments/);
  refused(Array(65).fill('a').join('/'), /segments/);
  assert.equal(keyOf(['x'.repeat(1023)]).length, KEY_BYTES_MAX);
  assert.equal(keyOf('x'.repeat(1023)).length, KEY_BYTES_MAX);
  assert.equal(keyOf(Array(64).fill('a')).length, 129);
  assert.equal(keyOf([1n << 32767n]).length, 6);
  assert.equal(encodePrefix('', out, 0), 1);
  assert.equal(encodePrefix([], out, 0), 1);
});

test('bytes that are no key are refused as damage', () => {
  const bad: Readonly<Record<string, RegExp>> = {
    '': /keyspace/,
    '0161': /keyspace/,
    '0261': /cut/,
    '026100ff': /cut/,
    '020200ff': /unassigned tag 0/,
    '0201': /unassigned tag 1/,
    '0204': /unassigned tag 4/,
    '021e6100': /unassigned tag 30/,
    '021f6100': /superfluous tag/,
    '021f00': /superfluous tag/,
    '020861': /cut/,
    '02c300': /UTF-8/,
    '02eda08000': /UTF-8/,
    '0207': /cut/,
    '020780': /cut/,
    '02078001': /cut/,
    '02070e00': /unassigned exponent/,
    '0207f100': /unassigned exponent/,
    '0207800100': /superfluous bytes/,
    '0207f0806f00': /wrong form/,
    '02070f7f9000': /wrong form/,
    '02070f7bcd00': /wrong form/,
    '02070f7bce80': /finer than a double/,
    '0207800101010101010102': /finer than a double/,
    '02050e': /cut/,
  };
  for (const [bytes, words] of Object.entries(bad))
    assert.throws(
      () => decodePath(Buffer.from(bytes, 'hex'), 0, bytes.length / 2),
      (error) => {
        assert.ok(error instanceof SteleError && error.kind === 'corrupt' && error.code === 'KEY_DAMAGED', `${bytes}: ${error}`);
        assert.match(error.message, words, bytes);
        return true;
      },
    );
  const deep = Buffer.concat([Buffer.of(2), Buffer.alloc(65, 3)]);
  assert.throws(() => decodePath(deep, 0, deep.length), /65 segments/);
});

test('whatever is accepted as a key is the key of what it says', () => {
  const random = new SeededRandom(16);
  let accepted = 0;
  for (let n = 0; n < 30_000; n++) {
    const key = random.oneIn(3)
      ? keyOf([drawSegment(random)].map((s) => (typeof s === 'bigint' ? s % 2n ** 90n : s)))
      : new Uint8Array(random.between(2, 12));
    if (key[0] === 0) random.fill(key);
    key[0] = 2;
    key[random.between(1, key.length - 1)] = random.pick([0, 1, 2, 5, 7, 8, 0x1f, 0x7f, 0x80, 0xc3, 0xff, random.below(256)]);
    let path: Segment[];
    try {
      path = decodePath(key, 0, key.length);
    } catch (error) {
      assert.ok(error instanceof SteleError && error.code === 'KEY_DAMAGED', String(error));
      continue;
    }
    if (path.length === 0) continue;
    accepted++;
    assert.equal(hex(keyOf(path)), hex(key));
  }
  assert.ok(accepted > 2000, `${accepted} accepted`);
});
