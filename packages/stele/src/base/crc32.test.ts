import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 as zlibCrc32 } from 'node:zlib';
import { writeU32, writeU48 } from './bytes.ts';
import { crc32, crc32U32, crc32U48, makeCrc32 } from './crc32.ts';

const native = (bytes: Uint8Array, start: number, end: number, seed: number): number => zlibCrc32(bytes.subarray(start, end), seed);

test('crc32 gives the check value of the standard', () => {
  assert.equal(crc32(new TextEncoder().encode('123456789'), 0, 9, 0), 0xcbf4_3926);
});

test('crc32 agrees with zlib at every length, start and seed tried', () => {
  const bytes = Uint8Array.from({ length: 700 }, (_, i) => (i * 2654435761) >>> 13);
  const chosen = makeCrc32(native);
  for (let length = 0; length < 400; length++) {
    const start = length % 11;
    const seed = (length * 0x9e37_79b1) >>> 0;
    const expected = native(bytes, start, start + length, seed);
    assert.equal(crc32(bytes, start, start + length, seed), expected);
    assert.equal(chosen(bytes, start, start + length, seed), expected);
  }
});

test('crc32U32 and crc32U48 equal the checksum of the written integer', () => {
  const bytes = new Uint8Array(6);
  for (const value of [0, 1, 255, 0x8000_0000, 0xffff_ffff, 0x1234_5678_9abc, 2 ** 48 - 1]) {
    writeU48(bytes, 0, value);
    assert.equal(crc32U48(value, 77), crc32(bytes, 0, 6, 77));
    writeU32(bytes, 0, value >>> 0);
    assert.equal(crc32U32(value >>> 0, 0xdead_beef), crc32(bytes, 0, 4, 0xdead_beef));
  }
});
