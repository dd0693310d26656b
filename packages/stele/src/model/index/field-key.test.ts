import assert from 'node:assert/strict';
import test from 'node:test';
import { compareKeys } from '../../../test/policies/naive.ts';
import { Prng } from '../../host/faulty/prng.ts';
import { memoryHost } from '../../host/memory/host.ts';
import { Codec } from '../store.ts';
import type { Value } from '../value/types.ts';
import { fieldEnd, NOT_INDEXABLE, SCRATCH_BYTES, TOO_LONG, writeField } from './field-key.ts';
import { findMember } from './member.ts';

const codec = new Codec(memoryHost());
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** The bytes of a field, or why there are none. */
function encoded(value: Value): Uint8Array | number {
  const bytes = codec.encode(value);
  const cursor = { tag: 0, start: 0, end: 0 };
  findMember(bytes, [], 0, cursor);
  const out = new Uint8Array(SCRATCH_BYTES);
  const end = writeField(bytes, cursor, out, 0);
  return end < 0 ? end : out.slice(0, end);
}

const FIELDS: readonly Value[] = [
  false, true, Number.NEGATIVE_INFINITY, -1e300,
  -(10n ** 40n), -(2 ** 53), -1.5, -1, -5e-324, 0, 5e-324, 0.5, 1, 1.5, 2n, 127, 128,
  2 ** 48, Number.MAX_SAFE_INTEGER, 2 ** 53, 1e300, 10n ** 301n, Number.POSITIVE_INFINITY, new Uint8Array(), new Uint8Array([0]),
  new Uint8Array([0, 0]), new Uint8Array([1]), '', '\0', '\0a', '\u0001', '\u001f', ' ', 'a', 'a\0', 'a\0b', 'ab', 'b', 'ä', '\uffff', '😀',
]; // biome-ignore format: a list in order

test('byte order of fields is their order, also beside one another', () => {
  for (const [at, value] of FIELDS.entries())
    for (const other of FIELDS.slice(at + 1)) {
      const order = Buffer.compare(encoded(value) as Uint8Array, encoded(other) as Uint8Array);
      assert.ok(order < 0, `${String(value)} before ${String(other)}`);
    }
  const prng = new Prng(3);
  const draw = (): Value[] => Array.from({ length: 3 }, () => FIELDS[prng.below(FIELDS.length)]!);
  for (let i = 0; i < 3000; i++) {
    const [a, b] = [draw(), draw()];
    const keys = [a, b].map((fields) => Buffer.concat(fields.map((field) => encoded(field) as Uint8Array)));
    assert.equal(Math.sign(Buffer.compare(keys[0]!, keys[1]!)), Math.sign(compareKeys(a, b)));
  }
});

test('a field is as long as fieldEnd() says, whatever follows', () => {
  for (const value of FIELDS)
    for (const next of FIELDS) {
      const [first, second] = [encoded(value) as Uint8Array, encoded(next) as Uint8Array];
      const key = Buffer.concat([first, second]);
      assert.equal(fieldEnd(key, 0, key.length), first.length);
    }
});

test('equal values of different kinds are one field: -0 and 0, 1 and 1n, a Date and its milliseconds', () => {
  const groups: Value[][] = [
    [0, -0, 0n, new Date(0)],
    [1, 1n],
    [1e300, BigInt(1e300)],
    [new Date(-7), -7],
    [new Date(8.64e15), 8.64e15],
  ];
  for (const group of groups) assert.equal(new Set(group.map((value) => hex(encoded(value) as Uint8Array))).size, 1);
});

test('the bytes of fields are those of the specification', () => {
  const golden: readonly [Value, string][] = [
    ['', '1f00'],
    ['ada', '61646100'],
    ['a\0b', '6100ff6200'],
    ['\u0001', '1f0100'],
    [Number.NEGATIVE_INFINITY, '04'],
    [Number.POSITIVE_INFINITY, '07ff'],
    [0, '06'],
    [true, '03'],
    [new Uint8Array([0, 1]), '0800ff0100'],
  ];
  for (const [value, bytes] of golden) assert.equal(hex(encoded(value) as Uint8Array), bytes);
});

test('what has no order is no field, and what fits no key is too long', () => {
  for (const value of [null, Number.NaN, {}, [], { a: 1 }, 'a\ud800']) assert.equal(encoded(value), NOT_INDEXABLE);
  for (const value of ['x'.repeat(1101), new Uint8Array(1101), 1n << 9000n]) assert.equal(encoded(value), TOO_LONG);
});
