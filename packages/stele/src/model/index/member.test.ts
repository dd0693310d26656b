import assert from 'node:assert/strict';
import test from 'node:test';
import { SteleError } from '../../base/errors.ts';
import { Prng } from '../../host/faulty/prng.ts';
import { memoryHost } from '../../host/memory/host.ts';
import { formatSegment } from '../path/text.ts';
import type { Segment } from '../path/types.ts';
import { Codec } from '../store.ts';
import type { Value } from '../value/types.ts';
import { checkIndex, fieldSpec } from './definition.ts';
import { findMember } from './member.ts';

const codec = new Codec(memoryHost());
const stepsOf = (path: readonly Segment[]) => fieldSpec(checkIndex('i', [path]).definition.fields[0]!).steps;

/** What a walk over the decoded value finds. */
function naive(value: Value, path: readonly Segment[]): Value | undefined {
  return path.reduce<Value | undefined>((at, segment) => {
    if (Array.isArray(at)) return typeof segment === 'number' ? (at[segment] as Value | undefined) : undefined;
    if (typeof at !== 'object' || at === null || at instanceof Uint8Array || at instanceof Date) return undefined;
    const name = formatSegment(segment);
    return Object.hasOwn(at, name) ? (at as Readonly<Record<string, Value>>)[name] : undefined;
  }, value);
}

const NAMES = ['a', 'b', 'ab', 'ä', '#1', '1', '', '__proto__', 'x'.repeat(40), '\ud800'];
const LEAVES: readonly Value[] = [
  null,
  true,
  false,
  0,
  127,
  128,
  -1,
  1.5,
  5n,
  -5n,
  '',
  'text',
  'ä',
  '\ud800',
  new Uint8Array([1, 2]),
  new Date(5),
  new Date(1e12),
];

function draw(prng: Prng, depth: number): Value {
  const die = prng.below(10);
  if (depth === 0 || die < 4) return LEAVES[prng.below(LEAVES.length)]!;
  if (die < 7) return Array.from({ length: prng.below(4) }, () => draw(prng, depth - 1));
  const entries = Array.from({ length: prng.below(5) }, () => [NAMES[prng.below(NAMES.length)]!, draw(prng, depth - 1)] as const);
  return Object.fromEntries(entries);
}

const SEGMENTS: readonly Segment[] = [
  'a',
  'b',
  'ab',
  'ä',
  '1',
  '#1',
  '__proto__',
  'x'.repeat(40),
  0,
  1,
  2,
  1.5,
  -1,
  true,
  new Uint8Array([1]),
];

test('findMember() finds in the bytes what a walk over the value finds', () => {
  const prng = new Prng(11);
  let found = 0;
  for (let i = 0; i < 4000; i++) {
    const value = draw(prng, 4);
    const path = Array.from({ length: prng.below(4) }, () => SEGMENTS[prng.below(SEGMENTS.length)]!);
    const bytes = codec.encode(value);
    const cursor = { tag: 0, start: 0, end: 0 };
    const expected = naive(value, path);
    assert.equal(findMember(bytes, stepsOf(path), 0, cursor), expected !== undefined);
    if (expected === undefined) continue;
    found++;
    const whole = codec.encode(expected);
    assert.equal(cursor.tag, whole[0]);
    assert.deepEqual(bytes.slice(cursor.start, cursor.end), whole.slice(1), `${JSON.stringify(path)}`);
  }
  assert.ok(found > 1000, `only ${found} members were found`);
});

test('damaged bytes give a member, none, or a typed error', () => {
  const prng = new Prng(12);
  const steps = [stepsOf(['a']), stepsOf(['b', 1]), stepsOf([2, 'a']), stepsOf([])];
  for (let i = 0; i < 5000; i++) {
    const bytes = codec.encode(draw(prng, 4)).slice(0, 1 + prng.below(60));
    for (let flips = prng.below(4); flips > 0; flips--) bytes[prng.below(bytes.length)] = prng.u32() & 0xff;
    const cursor = { tag: 0, start: 0, end: 0 };
    try {
      if (findMember(bytes, steps[i % steps.length]!, 0, cursor)) assert.ok(cursor.start <= cursor.end && cursor.end <= bytes.length);
    } catch (error) {
      if (!(error instanceof SteleError) || error.code !== 'VALUE_DAMAGED') throw error;
    }
  }
});
