import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { drawValue } from '../../../test/codecs/draw.ts';
import { SeededRandom } from '../../../test/model/random.ts';
import { SteleError } from '../../base/errors.ts';
import { nodeTexts } from '../../host/posix/texts.ts';
import { pureTexts } from '../../host/pure-texts.ts';
import { valueDecoder } from './decode.ts';
import { ValueEncoder } from './encode.ts';
import { contentStart } from './payload.ts';
import type { Value } from './types.ts';

const encoder = new ValueEncoder(nodeTexts());
const decode = valueDecoder(nodeTexts());
const scripted = { encoder: new ValueEncoder(pureTexts()), decode: valueDecoder(pureTexts()) };

function bytesOf(value: unknown, with_ = encoder): Uint8Array {
  const length = with_.encode(value as Value);
  assert.equal(length, with_.length);
  return with_.bytes.slice(0, length);
}

const hexOf = (value: Value): string => Buffer.from(bytesOf(value)).toString('hex');
const read = (hex: string): Value => decode(Buffer.from(hex, 'hex'), 0, hex.length / 2);

function refused(value: unknown, words: RegExp): void {
  assert.throws(
    () => encoder.encode(value as Value),
    (error) => {
      assert.ok(error instanceof SteleError && error.kind === 'invalid' && error.code === 'VALUE_INVALID', String(error));
      assert.match(error.message, words);
      return true;
    },
  );
}

test('each kind of value has the bytes of the specification', () => {
  const vectors: [Value, string][] = [
    [null, '01'],
    [false, '02'],
    [true, '03'],
    [0, '80'],
    [127, 'ff'],
    [128, '048001'],
    [2 ** 48 - 1, '04ffffffffffff3f'],
    [-1, '0500'],
    [-(2 ** 48), '05ffffffffffff3f'],
    [2 ** 48, '06000000000000f042'],
    [-0, '060000000000000080'],
    [0.5, '06000000000000e03f'],
    [Number.NaN, '06000000000000f87f'],
    [0n, '08'],
    [256n, '080001'],
    [-1n, '09'],
    [-257n, '090001'],
    ['', '10'],
    ['ab', '106162'],
    ['é', '11c3a9'],
    ['\ud800', '1200d8'],
    [Uint8Array.of(0, 255), '1400ff'],
    [new Date(5), '1585'],
    [new Date(-1), '150500'],
    [[1, 'a', 0n, [new Uint8Array(2)]], '1804' + '81' + '100161' + '0800' + '1801' + '14020000'],
    [{ a: 1, é: null, '\udc00': 'x' }, '1903' + '0461' + '81' + '09c3a9' + '01' + '0a00dc' + '100178'],
  ];
  for (const [value, hex] of vectors) {
    assert.equal(hexOf(value), hex);
    assert.deepStrictEqual(read(hex), value);
  }
});

test('every NaN is written as the one NaN there is', () => {
  const bits = new BigUint64Array([0x7ff8_0000_0000_0001n, 0xfff8_0000_0000_0000n, 0x7ff0_0000_0000_0001n]);
  for (const value of new Float64Array(bits.buffer)) assert.equal(hexOf(value), '06000000000000f87f');
});

test('every value comes back exactly, by native calls and in script, and both write the same', () => {
  const random = new SeededRandom(31);
  for (let n = 0; n < 6000; n++) {
    const value = drawValue(random);
    const bytes = bytesOf(value);
    assert.deepEqual(bytesOf(value, scripted.encoder), bytes);
    assert.deepStrictEqual(decode(bytes, 0, bytes.length), value);
    assert.deepStrictEqual(scripted.decode(bytes, 0, bytes.length), value);
    // Somewhere else, with something behind it, in shared memory.
    const place = new Uint8Array(new SharedArrayBuffer(bytes.length + 20)).fill(0x10);
    place.set(bytes, 7);
    const again = decode(place, 7, 7 + bytes.length);
    place.fill(0xee);
    assert.deepStrictEqual(again, value);
    assert.deepEqual(bytesOf(again), bytes, 'one encoding for a value');
  }
});

test('the order of members is kept, and __proto__ is a name like any other', () => {
  const value = JSON.parse('{"z":1,"a":{"__proto__":{"polluted":true}},"__proto__":null,"m":2}') as Value;
  const bytes = bytesOf(value);
  const again = decode(bytes, 0, bytes.length) as Record<string, Record<string, unknown>>;
  assert.deepEqual(Object.keys(again), ['z', 'a', '__proto__', 'm']);
  assert.equal(Object.getPrototypeOf(again), Object.prototype);
  assert.deepEqual(Object.keys(again['a']!), ['__proto__']);
  assert.equal((again['a'] as { polluted?: boolean }).polluted, undefined);
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
});

test('text of any length at the edges of the ways of writing it', () => {
  for (const length of [0, 1, 8, 9, 23, 24, 25, 31, 32, 33, 127, 128, 4000, 5000, 262_144, 262_145, 400_000])
    for (const last of ['x', 'é', '€', '😀', '\ud800']) {
      const text = 'x'.repeat(length) + last;
      for (const value of [text, { [text]: text }, [text, 1]]) {
        const bytes = bytesOf(value);
        assert.ok(decode(bytes, 0, bytes.length) !== undefined);
        assert.deepStrictEqual(decode(bytes, 0, bytes.length), value);
      }
    }
});

test('a replacement character that was written is none that was put in', () => {
  assert.equal(read('11efbfbd'), '\ufffd');
  assert.throws(() => read('11c3a9ff'), /no UTF-8/);
  assert.throws(() => read('11efbfbdff'), /no UTF-8/);
});

test('values of another realm are values', () => {
  const value = runInNewContext('({ a: [1, new Date(7), new Uint8Array([1, 2])], b: Object.create(null) })') as Value;
  const bytes = bytesOf(value);
  assert.deepStrictEqual(decode(bytes, 0, bytes.length), { a: [1, new Date(7), Uint8Array.of(1, 2)], b: {} });
});

test('a Buffer is bytes, and comes back as a Uint8Array of its own', () => {
  const bytes = bytesOf(Buffer.from('abc'));
  const again = decode(bytes, 0, bytes.length) as Uint8Array;
  assert.equal(Object.getPrototypeOf(again), Uint8Array.prototype);
  again[0] = 9;
  assert.deepEqual(decode(bytes, 0, bytes.length), Uint8Array.of(97, 98, 99));
});

test('what cannot be stored is refused, and the message names the place', () => {
  class Own {}
  refused(undefined, /^value is undefined, expected a value/);
  refused({ a: [{ 'b c': undefined }] }, /^value\.a\[0\]\["b c"\] is undefined/);
  refused([1, undefined], /^value\[1\] is undefined/);
  // biome-ignore lint/suspicious/noSparseArray: what is tested
  refused([1, , 2], /^value\[1\] is a hole of a sparse array/);
  refused({ f: () => 1 }, /^value\.f is a function/);
  refused([Symbol('x')], /^value\[0\] is a symbol/);
  refused({ [Symbol('x')]: 1 }, /^value is an object with a symbol for a key/);
  refused({ a: { b: new Own() } }, /^value\.a\.b is an instance of Own/);
  refused(new Map(), /^value is an instance of Map/);
  refused(new (class extends Array {})(), /^value is an object with a prototype/);
  refused(new Float64Array(1), /instance of Float64Array/);
  refused(new ArrayBuffer(1), /instance of ArrayBuffer/);
  refused(Object.create({ inherited: 1 }), /^value is/);
  refused(Object(1n), /instance of BigInt/);
  refused({ [Symbol.toStringTag]: 'Date' }, /symbol/);
  refused(
    new (class {
      get [Symbol.toStringTag](): string {
        return 'Date';
      }
    })(),
    /^value is an object with a prototype/,
  );
  refused([new Date(Number.NaN)], /^value\[0\] is an invalid Date/);
});

test('an object that lies inside itself is refused; one that lies in two places is stored twice', () => {
  const loop: { a: unknown[] } = { a: [] };
  loop.a.push(1, { loop });
  refused(loop, /^value\.a\[1\]\.loop is the same object as one around it, expected an object without cycles/);
  const twice = { x: 1 };
  const bytes = bytesOf([twice, twice, [twice]]);
  assert.deepEqual(decode(bytes, 0, bytes.length), [{ x: 1 }, { x: 1 }, [{ x: 1 }]]);
});

test('nesting ends at 200 levels, both ways', () => {
  const nest = (levels: number): Value => {
    let value: Value = 1;
    for (let n = 0; n < levels; n++) value = n % 2 === 0 ? [value] : { a: value };
    return value;
  };
  const deepest = bytesOf(nest(200));
  assert.deepStrictEqual(decode(deepest, 0, deepest.length), nest(200));
  refused(nest(201), /nested 201 levels deep, expected at most 200/);
  assert.throws(() => read('1801'.repeat(201) + '80'), /more than 200 levels/);
  assert.throws(() => read('1801'.repeat(100_000)), /more than 200 levels/);
});

test('64 MiB is the most, of any kind, and a large buffer is let go', () => {
  const most = 64 * 1024 * 1024;
  assert.equal(encoder.encode(new Uint8Array(most - 1)), most);
  refused(new Uint8Array(most), /at most 67108864/);
  refused([new Uint8Array(most - 4), 'abc'], /at most 67108864/);
  refused('x'.repeat(most), /at most 67108864/);
  refused('€'.repeat(most / 3 + 1), /at most 67108864/);
  refused(`\ud800${'x'.repeat(most / 2)}`, /at most 67108864/);
  refused(1n << BigInt(8 * most), /at most 67108864/);
  assert.ok(encoder.encode('x'.repeat(most - 1)) === most);
  assert.ok(encoder.bytes.length > most / 2);
  encoder.encode(1);
  assert.ok(encoder.bytes.length < 10_000);
});

test('a large bigint takes time in proportion to its size', () => {
  const value = (1n << 8_000_000n) - 12345n;
  const start = performance.now();
  const bytes = bytesOf(-value);
  assert.ok(decode(bytes, 0, bytes.length) === -value);
  assert.ok(performance.now() - start < 5000);
});

test('a refusal leaves the encoder as it was, and a getter that encodes is noticed', () => {
  refused({ a: [undefined] }, /value\.a\[0\]/);
  assert.equal(hexOf([1]), '180181');
  const sly = {
    a: 1,
    get b(): number {
      encoder.encode('something else');
      return 2;
    },
    c: 3,
  };
  refused(sly, /writes other values while it is read/);
  assert.equal(
    hexOf({
      get b() {
        return 2;
      },
    }),
    '1901046282',
  );
});

test('bytes that are no value are refused as damage, with the place', () => {
  const bad: Readonly<Record<string, RegExp>> = {
    '': /missing/,
    '00': /unassigned tag 0 at byte 0/,
    '07': /unassigned tag 7/,
    '7f': /unassigned tag 127/,
    '0101': /1 bytes behind the value/,
    '8000': /behind the value/,
    '04': /varint/,
    '0480': /varint/,
    '048000': /varint/,
    '047f': /small number in a long form/,
    '04ffffffffffff7f': /varint/,
    '0600000000000000': /8 bytes where 7 are left/,
    '06000000000000f03f': /whole number as a double/,
    '060000000000000000': /whole number as a double/,
    '06010000000000f87f': /NaN/,
    '06000000000000f8ff': /NaN/,
    '0800': /superfluous zeros/,
    '08ff00': /superfluous zeros/,
    '1161': /ASCII marked as UTF-8/,
    '11': /ASCII marked as UTF-8/,
    '11c3': /ASCII marked|no UTF-8/,
    '11eda080': /ASCII marked|no UTF-8/,
    '126100': /well-formed text marked/,
    '12': /well-formed text marked/,
    '1200d800': /half a character/,
    '15': /without its milliseconds/,
    '1501': /without its milliseconds/,
    '1506000000000000f87f': /out of bounds/,
    '15060000000000000080': /out of bounds/,
    '15060000dc0ac2eb7e43': /out of bounds/,
    '18': /varint/,
    '1801': /1 elements in 0 bytes/,
    '18ffffffff0f80': /4294967295 elements in 1 bytes/,
    '180210': /elements in 1 bytes/,
    '18011005': /5 bytes where 0 are left/,
    '1901': /members in 0 bytes/,
    '19010461': /1 members in 2 bytes|missing/,
    '1901076180': /name of unassigned form/,
    '190105618080': /ASCII marked as UTF-8/,
    '1901286180': /10 bytes where 2 are left/,
  };
  for (const [hex, words] of Object.entries(bad))
    assert.throws(
      () => read(hex),
      (error) => {
        assert.ok(error instanceof SteleError && error.kind === 'corrupt' && error.code === 'VALUE_DAMAGED', `${hex}: ${error}`);
        assert.match(error.message, words, hex);
        return true;
      },
    );
  for (const hex of ['1f', '1f0000', '18011f'])
    assert.throws(
      () => read(hex),
      (error) => error instanceof SteleError && error.kind === 'invalid' && error.code === 'FORMAT_NEWER',
      hex,
    );
});

test('whatever is accepted as a value and encoded again is the same value', () => {
  const random = new SeededRandom(33);
  let accepted = 0;
  for (let n = 0; n < 40_000; n++) {
    const bytes = bytesOf(drawValue(random, 2));
    if (bytes.length > 2000) continue;
    bytes[random.below(bytes.length)] = random.oneIn(2) ? random.below(256) : random.pick([0, 1, 0x10, 0x11, 0x18, 0x19, 0x7f, 0x80, 0xff]);
    const cut = random.oneIn(4) ? random.below(bytes.length) : bytes.length;
    let value: Value;
    try {
      value = decode(bytes, 0, cut);
    } catch (error) {
      assert.ok(error instanceof SteleError && ['VALUE_DAMAGED', 'FORMAT_NEWER'].includes(error.code), String(error));
      continue;
    }
    accepted++;
    const again = bytesOf(value);
    assert.deepStrictEqual(decode(again, 0, again.length), value);
  }
  assert.ok(accepted > 5000, `${accepted} accepted`);
});

test('the content of a stored text or of stored bytes is found without decoding', () => {
  for (const [value, content] of [
    ['abc', Buffer.from('abc')],
    ['é', Buffer.from('é')],
    ['', new Uint8Array(0)],
    [Uint8Array.of(1, 2), Uint8Array.of(1, 2)],
  ] as const) {
    const bytes = bytesOf(value);
    const start = contentStart(bytes, 0, bytes.length);
    assert.deepEqual(Uint8Array.from(bytes.subarray(start)), Uint8Array.from(content));
  }
  for (const value of [1, '\ud800', [], null]) {
    const bytes = bytesOf(value);
    assert.throws(
      () => contentStart(bytes, 0, bytes.length),
      (error) => error instanceof SteleError && error.code === 'VALUE_INVALID',
    );
  }
});
