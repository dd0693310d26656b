/**
 * Write set of a batch or a transaction: the last effect per key, in key order when asked.
 *
 * Specification: spec/transactions.md, "Commits".
 */

import { compareBytes } from '../base/bytes.ts';
import { textOf } from './read-set.ts';

export interface WriteEffect {
  readonly key: Uint8Array;
  /** undefined: delete. */
  readonly value: Uint8Array | undefined;
  /** Absolute, 0 = never; when `ttlMs` is set it counts from the commit's time instead. */
  readonly expiresAt: number;
  readonly ttlMs: number | undefined;
}

export class WriteSet {
  readonly #effects = new Map<string, WriteEffect>();
  #sorted: WriteEffect[] | undefined;
  bytes = 0;

  get size(): number {
    return this.#effects.size;
  }

  set(effect: WriteEffect): void {
    const text = textOf(effect.key, effect.key.length);
    const before = this.#effects.get(text);
    if (before !== undefined) this.bytes -= bytesOf(before);
    this.bytes += bytesOf(effect);
    this.#effects.set(text, effect);
    this.#sorted = undefined;
  }

  /** Keys there would be with the effect. */
  sizeWith(effect: WriteEffect): number {
    return this.#effects.size + (this.#effects.has(textOf(effect.key, effect.key.length)) ? 0 : 1);
  }

  /** Bytes there would be with the effect. */
  bytesWith(effect: WriteEffect): number {
    const before = this.#effects.get(textOf(effect.key, effect.key.length));
    return this.bytes + bytesOf(effect) - (before === undefined ? 0 : bytesOf(before));
  }

  get(key: Uint8Array, keyBytes: number): WriteEffect | undefined {
    return this.#effects.size === 0 ? undefined : this.#effects.get(textOf(key, keyBytes));
  }

  /** In key order. */
  sorted(): readonly WriteEffect[] {
    this.#sorted ??= [...this.#effects.values()].sort((a, b) => compareBytes(a.key, 0, a.key.length, b.key, 0, b.key.length));
    return this.#sorted;
  }

  /** Index of the first effect with key ≥ `key`. */
  lowerBound(key: Uint8Array): number {
    const list = this.sorted();
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const at = list[middle]!.key;
      if (compareBytes(at, 0, at.length, key, 0, key.length) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function bytesOf(effect: WriteEffect): number {
  return effect.key.length + (effect.value?.length ?? 0) + 32;
}
