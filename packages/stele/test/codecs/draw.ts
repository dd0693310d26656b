/**
 * Segments, paths and values by seed, with everything at the edges of their formats, and the naive order of paths: what the tests of
 * both codecs, the golden vectors and the second decoder begin from.
 */

import type { Segment } from '../../src/model/path/types.ts';
import type { Value } from '../../src/model/value/types.ts';
import type { SeededRandom } from '../model/random.ts';

const NUMBERS = [
  0,
  1,
  -1,
  2,
  127,
  128,
  255,
  256,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 48 - 1,
  2 ** 48,
  2 ** 53 - 1,
  0.5,
  1.5,
  0.1,
];
const FRACTIONS = [
  5e-324,
  2 ** -1022,
  2 ** -1022 - 2 ** -1074,
  2 ** -112,
  2 ** -113,
  2 ** -112 * 1.5,
  1e-300,
  1 / 3,
  4503599627370495.5,
  1.7e12 + 0.25,
];
const SHIFTS = [53n, 54n, 63n, 64n, 111n, 112n, 113n, 128n, 1023n, 1024n, 4000n, 7000n];
const TEXTS = [
  'a',
  'users',
  'a\0b',
  '\0',
  '\0\0',
  '\x1f',
  '\x01x',
  ' ',
  '~',
  '\x7f',
  '\x80',
  'é',
  '߿',
  'ࠀ',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '😀',
  '\u{10ffff}',
];
const GRAMMAR = [
  '#',
  '#1',
  '#-1',
  '#1.5e-3',
  '#007',
  '#true',
  '#false',
  '#foo',
  '0x',
  '0x0',
  '0xff',
  '0xFG',
  '/',
  '\\',
  'a/b',
  'a\\',
  '\\#1',
  '__proto__',
  '42',
];

export function drawSegment(random: SeededRandom): Segment {
  switch (random.below(8)) {
    case 0:
      return random.oneIn(2);
    case 1:
      return drawNumber(random);
    case 2:
      return drawBigint(random);
    case 3:
      return drawBytes(random, random.pick([0, 1, 3, 40]));
    case 4:
      return random.pick(GRAMMAR);
    case 5:
      return drawText(random);
    default:
      return random.pick(['users', 'alice', 'name', 'x', String(random.below(1000))]);
  }
}

export function drawPath(random: SeededRandom): Segment[] {
  return Array.from({ length: random.between(1, random.pick([1, 3, 6])) }, () => drawSegment(random));
}

/** A number that is a segment: a safe integer or a fraction. */
export function drawNumber(random: SeededRandom): number {
  const sign = random.oneIn(2) ? 1 : -1;
  switch (random.below(6)) {
    case 0:
      return sign * random.pick(NUMBERS) + 0;
    case 1:
      return sign * random.pick(FRACTIONS);
    case 2:
      return sign * random.below(1000) + 0;
    case 3: {
      const value = doubleOf(random);
      return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value)) ? value + 0 : 7.25;
    }
    case 4:
      return (sign * random.next()) / 2 ** random.below(1080) + 0;
    default:
      return sign * (random.below(2 ** 21) * 2 ** 32 + random.next()) + 0;
  }
}

/** A bigint that is a segment; read back it may be a number. */
export function drawBigint(random: SeededRandom): bigint {
  const sign = random.oneIn(2) ? 1n : -1n;
  const top = 1n << random.pick(SHIFTS);
  switch (random.below(4)) {
    case 0:
      return sign * (top + BigInt(random.between(-1, 1)));
    case 1:
      return sign * BigInt(random.pick(NUMBERS.filter(Number.isInteger)));
    case 2:
      return sign * ((BigInt(random.next()) << BigInt(random.below(300))) + BigInt(random.next()));
    default:
      return sign * BigInt(`0x${Buffer.from(drawBytes(random, random.between(1, 40))).toString('hex')}`);
  }
}

export function drawText(random: SeededRandom): string {
  let text = '';
  for (let n = random.between(1, random.pick([1, 2, 5, 30])); n > 0; n--)
    text += random.oneIn(3) ? random.pick(TEXTS) : String.fromCharCode(random.between(32, 126));
  return text;
}

export function drawBytes(random: SeededRandom, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  random.fill(bytes);
  if (random.oneIn(2)) for (let at = 0; at < length; at += 1 + random.below(3)) bytes[at] = random.pick([0, 0xff, 1]);
  return bytes;
}

/** Any bits as a double, NaN and infinities among them. */
export function doubleOf(random: SeededRandom): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setUint32(0, random.next());
  view.setUint32(4, random.next());
  return view.getFloat64(0);
}

export function drawValue(random: SeededRandom, depth = 0): Value {
  switch (random.below(depth < 4 ? 14 : 11)) {
    case 0:
      return null;
    case 1:
      return random.oneIn(2);
    case 2:
      return random.pick([
        0,
        -0,
        1,
        127,
        128,
        -1,
        -128,
        2 ** 48 - 1,
        2 ** 48,
        -(2 ** 48),
        -(2 ** 48) - 1,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        2 ** 60,
      ]);
    case 3:
      return doubleOf(random);
    case 4:
      return drawNumber(random);
    case 5:
      return random.oneIn(4) ? random.pick([0n, 1n, -1n, 255n, 256n, -256n, -257n]) : drawBigint(random);
    case 6:
      return 'x'.repeat(random.pick([0, 1, 7, 8, 9, 24, 25, 31, 32, 100, 5000]));
    case 7:
      return random.oneIn(4) ? drawText(random) + random.pick(['\ud800', '\udfff', '\udc00\ud800']) + drawText(random) : drawText(random);
    case 8:
      return drawText(random).repeat(random.pick([1, 4, 300]));
    case 9:
      return drawBytes(random, random.pick([0, 1, 40, 300]));
    case 10:
      return new Date(random.pick([0, -1, 1, 100, 8.64e15, -8.64e15, 2 ** 48, 1.7e12 + random.below(1e9)]));
    case 11:
      return Array.from({ length: random.below(5) }, () => drawValue(random, depth + 1));
    default: {
      const object: Record<string, Value> = {};
      for (let n = random.below(6); n > 0; n--) {
        const name = random.pick([
          'a',
          'b',
          'name',
          '10',
          '9',
          '',
          '__proto__',
          'constructor',
          'é',
          '\ud800',
          'n'.repeat(40),
          drawText(random),
        ]);
        Object.defineProperty(object, name, { value: drawValue(random, depth + 1), writable: true, enumerable: true, configurable: true });
      }
      return object;
    }
  }
}

/** The naive order of segments. */
export function compareSegments(a: Segment, b: Segment): number {
  const rank = rankOf(a) - rankOf(b);
  if (rank !== 0) return rank;
  if (typeof a === 'string') return compareLists([...a].map(codeOf), [...(b as string)].map(codeOf));
  if (a instanceof Uint8Array) return compareLists([...a], [...(b as Uint8Array)]);
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The naive order of paths. */
export function comparePaths(a: readonly Segment[], b: readonly Segment[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareSegments(a[i]!, b[i]!);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** What a segment is when it is read back. */
export function normal(segment: Segment): Segment {
  if (typeof segment !== 'bigint') return Object.is(segment, -0) ? 0 : segment;
  return Number.isSafeInteger(Number(segment)) ? Number(segment) : segment;
}

function rankOf(segment: Segment): number {
  if (typeof segment === 'boolean') return segment ? 1 : 0;
  if (typeof segment === 'string') return 4;
  return segment instanceof Uint8Array ? 3 : 2;
}

const codeOf = (character: string): number => character.codePointAt(0)!;

function compareLists(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
