/**
 * Draws the parts of a program: keys, values, ranges, reads and writes, in the mood of the moment.
 *
 * Nothing here looks at a result, so a program is the same whatever engine runs it.
 */

import { type Family, keyOf, rulePrefixes, spanIn } from './keyspace.ts';
import type { Guess, Read, Span, Step, ValueText, Write } from './program.ts';
import { SeededRandom } from './random.ts';

export type Mood = 'fill' | 'empty' | 'hot' | 'expire' | 'transact' | 'mixed' | 'look' | 'large';

const families: Record<Mood, Partial<Record<Family, number>>> = {
  fill: { n: 5, s: 5, long: 1, raw: 1 },
  empty: { n: 5, s: 5, long: 1, raw: 1, t: 1 },
  hot: { h: 8, t: 1, raw: 1 },
  expire: { t: 8, h: 1, n: 1 },
  transact: { h: 4, t: 2, raw: 2, n: 1 },
  mixed: { n: 3, s: 3, h: 2, t: 2, long: 1, raw: 2, big: 1 },
  look: { n: 3, s: 3, h: 2, t: 2, long: 1, raw: 2, big: 1 },
  large: { big: 6, long: 2, s: 2 },
};

export class Drawer {
  readonly random: SeededRandom;
  mood: Mood = 'fill';
  /** Numbers of keys in use; grows while filling. */
  numbers = 30;
  #appended = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  /** A write of the mood. `plain`: without conditions, for transactions. */
  write(plain = false): Write {
    const random = this.random;
    const key = this.key();
    const guess: { if?: Guess } = plain || !random.oneIn(12) ? {} : { if: random.pick(['right', 'right', 'none', 'wrong']) };
    const deletes = this.mood === 'empty' ? 70 : this.mood === 'fill' ? 3 : 22;
    if (random.below(100) >= deletes) return { do: 'put', key, value: this.value(), ...this.expiry(), ...guess };
    if (random.oneIn(this.mood === 'empty' ? 14 : 30))
      return { do: 'deleteRange', ...spanIn(random, this.family(), this.numbers, random.pick([5, 40, 400])) };
    if (!plain && random.oneIn(20)) return { do: 'check', key, if: random.pick(['right', 'right', 'wrong']) };
    return { do: 'delete', key, ...guess };
  }

  /** With luck an end: relative, or absolute and perhaps past. */
  expiry(): { ttlMs?: number; inMs?: number } {
    const random = this.random;
    if (this.mood !== 'expire' && !random.oneIn(this.mood === 'transact' ? 3 : 10)) return {};
    return random.oneIn(2) ? { ttlMs: random.pick([1, 2, 40, 300, 5000]) } : { inMs: random.pick([-50, 0, 1, 2, 40, 300, 5000]) };
  }

  /** Mostly small; sizes around the limits of inline, block and page. */
  value(): ValueText {
    const random = this.random;
    const large = this.mood === 'large' ? 3 : 400;
    const bytes = random.oneIn(large)
      ? random.pick([1500, 2100, 4000, 16_383, 16_384, 16_385, 40_000, 200_000, 600_000])
      : random.pick([0, 1, 8, 30, 100, 100, 100, 300, 900]);
    return { at: random.below(2 ** 20 - bytes), bytes };
  }

  /** A read of any kind. */
  read(): Read {
    const random = this.random;
    const limits = {
      ...(random.oneIn(2) ? { reverse: true } : {}),
      ...(random.oneIn(2) ? { limit: random.pick([0, 1, 2, 10, 100]) } : {}),
      ...(random.oneIn(4) ? { values: false as const } : {}),
    };
    const ask = random.weighted({
      get: 20,
      has: 4,
      entry: 10,
      read: 3,
      getAsync: 3,
      getMany: 4,
      getManyAsync: 2,
      readMany: 2,
      scan: 8,
      forEach: 5,
      count: 10,
      first: 4,
      last: 4,
      nth: 5,
      audit: 1,
    });
    switch (ask) {
      case 'getMany':
      case 'getManyAsync':
      case 'readMany':
        return { ask, keys: this.times(0, 40, () => this.key()) };
      case 'scan':
        return { ask, span: this.span(), ...limits };
      case 'forEach':
        return { ask, span: this.span(), ...limits, ...(random.oneIn(3) ? { stopAfter: random.between(1, 5) } : {}) };
      case 'count':
      case 'first':
      case 'last':
        return { ask, span: this.span() };
      case 'nth':
        return { ask, span: this.span(), n: random.pick([0, 1, 2, 10, 100, 1000]) };
      case 'audit':
        return { ask };
      default:
        return { ask, key: this.key() };
    }
  }

  /** Reads in flight between writes. */
  overlapping(): { reads?: string[][] } {
    return this.random.oneIn(2) ? {} : { reads: this.times(1, 4, () => this.times(1, 8, () => this.key())) };
  }

  /** New rules for some prefixes. */
  retention(): Step {
    const random = this.random;
    const prefixes = ['', ...rulePrefixes.filter(() => random.oneIn(3))].sort();
    const lengths = [null, null, 0, 0, 100, 2000, 30_000];
    return { step: 'retention', rules: prefixes.map((prefix) => ({ prefix, historyMs: random.pick(lengths) })) };
  }

  /** Mostly a piece of a family, sometimes open at one side or both. */
  span(): Span {
    const random = this.random;
    const span = spanIn(random, this.family(), this.numbers, random.pick([3, 30, 300, 3000]));
    if (!random.oneIn(8)) return span;
    return random.pick<Span>([{ start: span.start }, { end: span.end }, {}]);
  }

  /** By the weights of the mood. */
  family(): Family {
    return this.random.weighted(families[this.mood]);
  }

  /** A key of the mood. */
  key(): string {
    const family = this.family();
    // The first family is appended to in order; from its front it is emptied, as a queue is.
    if (family === 'n' && this.mood === 'fill' && this.random.oneIn(2)) return keyOf('n', this.#appended++);
    return keyOf(family, this.random.below(this.numbers));
  }

  /** Mostly left out. */
  durability(): { durability?: 'immediate' | 'debounced' | 'async' } {
    return this.random.oneIn(4) ? { durability: this.random.pick(['immediate', 'debounced', 'async']) } : {};
  }

  /** So many of them. */
  times<T>(low: number, high: number, make: () => T): T[] {
    return Array.from({ length: this.random.between(low, high) }, make);
  }

  /** 0 to `end` - 1, small ones more often. */
  skewed(end: number): number {
    return this.random.below(this.random.below(end) + 1);
  }
}
