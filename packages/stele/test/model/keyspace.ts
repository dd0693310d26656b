/**
 * The keys of a program: a few families, each a kind of trouble for a tree and a log.
 *
 *   n/…      numbers in order: appends, splits at the right edge, queues
 *   s/…      the same numbers scattered: splits in the middle, merges
 *   h/…      eight hot keys: long version chains
 *   t/…      sessions: mostly written with an expiry
 *   long     up to 1,100 bytes, with long common prefixes
 *   raw      any bytes, few of them: 00 and ff, prefixes of one another
 *   big      keys that mostly hold large values
 */

import type { SeededRandom } from './random.ts';

export const families = ['n', 's', 'h', 't', 'long', 'raw', 'big'] as const;
export type Family = (typeof families)[number];

/** First byte of every key: the user's keyspace. */
const USER = '\x02';
const KEY_BYTES_MAX = 1100;

/** Prefixes that retention rules choose from; some lie inside others. */
export const rulePrefixes = [
  `${USER}n/`,
  `${USER}n/0001`,
  `${USER}s/`,
  `${USER}h/`,
  `${USER}h/3`,
  `${USER}t/`,
  `${USER}long`,
  `${USER}raw`,
  `${USER}raw\xff`,
  USER,
  '\x03',
] as const;

/** The family's key of this number. */
export function keyOf(family: Family, number: number): string {
  switch (family) {
    case 'n':
      return `${USER}n/${String(number).padStart(8, '0')}`;
    case 's':
      return `${USER}s/${(Math.imul(number + 1, 0x9e3779b1) >>> 0).toString(16)}/name`;
    case 'h':
      return `${USER}h/${number % 8}`;
    case 't':
      return `${USER}t/session/${String(number % 500).padStart(4, '0')}`;
    case 'long':
      return `${USER}long${'/common'.repeat(number % 90)}/${number % 300}`
        .padEnd(number % 7 === 0 ? KEY_BYTES_MAX : 1, '=')
        .slice(0, KEY_BYTES_MAX);
    case 'raw':
      return rawKey(number);
    case 'big':
      return `${USER}v/${number % 40}`;
  }
}

/** Up to three bytes drawn from 00 01 7f 80 fe ff after the prefix; one key in seven lives in the layers' keyspace. */
function rawKey(number: number): string {
  const bytes = ['\x00', '\x01', '\x7f', '\x80', '\xfe', '\xff'];
  let text = number % 7 === 0 ? '\x03' : `${USER}raw`;
  for (let left = number % 260; left > 0; left = Math.floor(left / 7)) text += bytes[(left % 7) - 1] ?? '';
  return text;
}

/** A range of the family or across families; `width` in numbers. */
export function spanIn(random: SeededRandom, family: Family, numbers: number, width: number): { start: string; end: string } {
  const first = random.below(numbers);
  const a = keyOf(family, first);
  const b = keyOf(random.oneIn(12) ? random.pick(['n', 's', 't', 'raw'] as const) : family, first + 1 + random.below(width));
  return a < b ? { start: a, end: b } : { start: b, end: a };
}
