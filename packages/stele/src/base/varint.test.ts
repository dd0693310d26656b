import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readVarint, VARINT_BAD, varintBytes, writeVarint } from './varint.ts';

test('varints return at every power of two up to 2^48 - 1, with the length varintBytes tells', () => {
  const bytes = new Uint8Array(16);
  for (let bit = 0; bit <= 48; bit++) {
    for (const value of [2 ** bit - 1, 2 ** bit, 2 ** bit + 1]) {
      if (value >= 2 ** 48) continue;
      const end = writeVarint(bytes, 2, value);
      assert.equal(end - 2, varintBytes(value), `${value}`);
      assert.equal(readVarint(bytes, 2, end), value);
      assert.equal(readVarint(bytes, 2, 16), value);
      for (let cut = 2; cut < end; cut++) assert.equal(readVarint(bytes, 2, cut), VARINT_BAD);
    }
  }
});

test('longer forms, values of 2^48 and more, and endless varints are refused', () => {
  assert.equal(readVarint(Uint8Array.of(0x80, 0x00), 0, 2), VARINT_BAD);
  assert.equal(readVarint(Uint8Array.of(0xff, 0x80, 0x00), 0, 3), VARINT_BAD);
  assert.equal(readVarint(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), 0, 7), VARINT_BAD);
  assert.equal(readVarint(new Uint8Array(20).fill(0xff), 0, 20), VARINT_BAD);
});
