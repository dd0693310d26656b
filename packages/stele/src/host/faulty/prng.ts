/**
 * Seeded pseudo-random numbers: sfc32, small, fast, 128 bits of state.
 *
 * Deterministic on every platform; never for secrets outside tests.
 */

import type { Random } from '../host.ts';

/** One seed, one sequence. */
export class Prng {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 2 ** 32) | 0;
    this.#c = 0x9e3779b9;
    for (let i = 0; i < 12; i++) this.u32();
  }

  /** An integer from 0 to 2^32 − 1. */
  u32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + t) | 0;
    return t >>> 0;
  }

  /** An integer from 0 to `bound` − 1; bound at most 2^32. */
  below(bound: number): number {
    return Math.floor((this.u32() / 2 ** 32) * bound);
  }

  /** True with `probability`; draws a number only when the answer is open. */
  chance(probability: number): boolean {
    if (probability <= 0) return false;
    return probability >= 1 || this.u32() < probability * 2 ** 32;
  }
}

/** {@link Random} from a seed. */
export function seededRandom(seed: number): Random {
  const prng = new Prng(seed);
  return {
    fill(target) {
      for (let at = 0; at < target.length; at++) target[at] = prng.u32() >>> 24;
    },
  };
}
