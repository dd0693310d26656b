/** Values as JSON: every kind there and back, one text for each, and nothing taken for something else. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatValue, parseValue } from '../../src/cli/value-json.ts';
import type { Value } from '../../src/model/types.ts';

const prototypeName = Object.defineProperty({}, '__proto__', { value: 1, enumerable: true }) as Value;

const cases: readonly (readonly [Value, string])[] = [
  ['text', '"text"'],
  [42, '42'],
  [-0, '{"$number":"-0"}'],
  [Number.NaN, '{"$number":"NaN"}'],
  [Number.POSITIVE_INFINITY, '{"$number":"Infinity"}'],
  [Number.NEGATIVE_INFINITY, '{"$number":"-Infinity"}'],
  [1e300, '1e+300'],
  [true, 'true'],
  [null, 'null'],
  [12345678901234567890n, '{"$bigint":"12345678901234567890"}'],
  [-1n, '{"$bigint":"-1"}'],
  [Uint8Array.of(0, 1, 255), '{"$bytes":"AAH/"}'],
  [new Uint8Array(0), '{"$bytes":""}'],
  [new Date('2026-11-20T10:00:00.000Z'), '{"$date":"2026-11-20T10:00:00.000Z"}'],
  [new Date(-8.64e15), '{"$date":"-271821-04-20T00:00:00.000Z"}'],
  [{ a: [1n, { b: Uint8Array.of(7) }] }, '{"a":[{"$bigint":"1"},{"b":{"$bytes":"Bw=="}}]}'],
  [{ $bytes: 'mine' }, '{"$$bytes":"mine"}'],
  [{ $a: 1, $$b: 2 }, '{"$$a":1,"$$$b":2}'],
  [prototypeName, '{"__proto__":1}'],
];

test('each kind of value has one text, and the text gives the value back', () => {
  for (const [value, text] of cases) {
    assert.equal(formatValue(value), text);
    assert.deepEqual(parseValue(text), value);
    assert.equal(formatValue(parseValue(text)), text);
  }
  assert.ok(Object.is(parseValue('{"$number":"-0"}'), -0));
});

test('what looks like one of the kinds and is none is refused', () => {
  for (const text of [
    'hello',
    '{',
    '{"$bytes":"A"}',
    '{"$bytes":1}',
    '{"$bytes":"AA==","x":1}',
    '{"$date":"yesterday"}',
    '{"$date":"2026-11-20"}',
    '{"$bigint":"1.5"}',
    '{"$bigint":"-0"}',
    '{"$number":"1"}',
    '{"$number":"toString"}',
    '{"$other":"x"}',
  ])
    assert.throws(() => parseValue(text), { kind: 'invalid', code: 'VALUE_INVALID' }, text);
});
