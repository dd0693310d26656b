import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isUtf8, readLatin1, readShort, readUtf8, SHORT_BYTES_MAX, utf8Bytes, writeUtf8 } from './utf8.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });

test('every code point goes to bytes and back as the platform does it', () => {
  for (let code = 0; code <= 0x10ffff; code += code < 0x3000 || (code > 0xd700 && code < 0x1_0100) ? 1 : 97) {
    const text = `a${String.fromCodePoint(code)}`;
    const expected = encode(text);
    const bytes = new Uint8Array(8).fill(9);
    assert.equal(utf8Bytes(text), expected.length);
    assert.equal(writeUtf8(text, bytes, 1), 1 + expected.length);
    assert.deepEqual(bytes.slice(1, 1 + expected.length), expected);
    assert.equal(bytes[1 + expected.length], 9);
    assert.equal(readUtf8(expected, 0, expected.length), lenient.decode(expected));
  }
});

test('lone surrogates are counted and written as U+FFFD', () => {
  for (const text of ['\ud800', '\udc00', 'a\ud800', '\ud800\ud800\udc00', '\udc00\ud800', '\ud800x']) {
    const bytes = new Uint8Array(20);
    assert.equal(utf8Bytes(text), encode(text).length);
    assert.deepEqual(bytes.slice(0, writeUtf8(text, bytes, 0)), encode(text));
  }
});

test('isUtf8() and readUtf8() judge every sequence of up to three bytes, and of four at the edges, as the platform does', () => {
  const edges = [
    0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3,
    0xf4, 0xf5, 0xff,
  ];
  const check = (...values: number[]): void => {
    const bytes = Uint8Array.from(values);
    let isWellFormed = true;
    try {
      strict.decode(bytes);
    } catch {
      isWellFormed = false;
    }
    if (isUtf8(bytes, 0, bytes.length) !== isWellFormed) assert.fail(Buffer.from(bytes).toString('hex'));
    if (readUtf8(bytes, 0, bytes.length) !== lenient.decode(bytes)) assert.fail(Buffer.from(bytes).toString('hex'));
  };
  for (let a = 0; a < 256; a++) check(a);
  for (let a = 0xb0; a < 256; a++) for (let b = 0; b < 256; b += 3) check(a, b);
  for (const a of edges) for (const b of edges) for (const c of edges) check(a, b, c);
  for (const a of edges.slice(9))
    for (const b of edges.slice(2, 20))
      for (const c of [0x41, 0x80, 0xbf, 0xc2]) for (const d of [0x7f, 0x80, 0xbf, 0xe0]) check(a, b, c, d);
});

test('nothing at or behind the end is looked at', () => {
  const bytes = encode('é€😀');
  for (let end = 0; end <= bytes.length; end++) assert.equal(readUtf8(bytes, 0, end), lenient.decode(bytes.subarray(0, end)));
  assert.equal(isUtf8(bytes, 0, 1), false);
  assert.equal(isUtf8(bytes, 0, 4), false);
  assert.equal(isUtf8(bytes, 0, 5), true);
});

test('long texts are put together from pieces without a seam', () => {
  for (const length of [4094, 4095, 4096, 4097, 10_000]) {
    const text = `${'x'.repeat(length)}😀é${'y'.repeat(length)}`;
    const bytes = encode(text);
    assert.equal(readUtf8(bytes, 0, bytes.length), text);
    const latin = Uint8Array.from({ length }, (_, i) => i % 256);
    assert.equal(readLatin1(latin, 0, length), Buffer.from(latin).toString('latin1'));
  }
});

test('short texts have each their length', () => {
  const bytes = Uint8Array.from({ length: 24 }, (_, i) => 0x41 + i);
  for (let length = 0; length <= SHORT_BYTES_MAX; length++) {
    assert.equal(readShort(bytes, 3, length), 'DEFGHIJKLMNOPQRSTUVW'.slice(0, length));
    assert.equal(readLatin1(bytes, 3, 3 + length), 'DEFGHIJKLMNOPQRSTUVW'.slice(0, length));
  }
});
