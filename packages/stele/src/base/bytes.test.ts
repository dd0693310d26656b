import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  commonPrefixLength,
  compareBytes,
  copyBytes,
  equalBytes,
  isZero,
  readU16,
  readU32,
  readU48,
  readU64BE,
  writeU16,
  writeU32,
  writeU48,
  writeU64BE,
} from './bytes.ts';

const b = (...values: number[]): Uint8Array => Uint8Array.from(values);

test('compareBytes orders by unsigned bytes and puts a prefix first', () => {
  const compare = (x: Uint8Array, y: Uint8Array): number => Math.sign(compareBytes(x, 0, x.length, y, 0, y.length));
  assert.equal(compare(b(1, 2), b(1, 2)), 0);
  assert.equal(compare(b(1), b(1, 0)), -1);
  assert.equal(compare(b(), b(0)), -1);
  assert.equal(compare(b(0x80), b(0x7f)), 1);
  assert.equal(compareBytes(b(9, 1, 2, 9), 1, 3, b(1, 2), 0, 2), 0);
});

test('equalBytes and commonPrefixLength respect their ranges', () => {
  assert.equal(equalBytes(b(9, 1, 2), 1, 3, b(1, 2, 3), 0, 2), true);
  assert.equal(equalBytes(b(1, 2), 0, 2, b(1, 2, 3), 0, 3), false);
  assert.equal(commonPrefixLength(b(9, 1, 2, 3), 1, 4, b(1, 2, 4), 0, 3), 2);
  assert.equal(commonPrefixLength(b(1), 0, 1, b(1, 2), 0, 2), 1);
});

test('fixed integers keep their value and their byte order at the edges', () => {
  const bytes = new Uint8Array(16);
  for (const value of [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, 2 ** 47, 2 ** 48 - 1]) {
    writeU48(bytes, 1, value);
    assert.equal(readU48(bytes, 1), value);
    writeU64BE(bytes, 8, value);
    assert.equal(readU64BE(bytes, 8), value);
    if (value < 2 ** 32) {
      writeU32(bytes, 3, value);
      assert.equal(readU32(bytes, 3), value);
    }
  }
  writeU16(bytes, 0, 0xbeef);
  assert.equal(readU16(bytes, 0), 0xbeef);
  writeU48(bytes, 0, 0x0605_0403_0201);
  assert.deepEqual([...bytes.subarray(0, 6)], [1, 2, 3, 4, 5, 6]);
});

test('copyBytes copies whole, short and long ranges', () => {
  for (const length of [0, 1, 32, 33, 160, 161, 5000]) {
    const source = Uint8Array.from({ length: length + 7 }, (_, i) => i * 7);
    for (const start of [0, 3]) {
      const target = new Uint8Array(length + 20);
      copyBytes(source, start, start + length, target, 5);
      assert.deepEqual(target.subarray(5, 5 + length), source.subarray(start, start + length));
      assert.ok(isZero(target, 0, 5) && isZero(target, 5 + length, target.length));
    }
  }
});
