/**
 * Effect list of a batch: collected in order, sorted once, the last effect per key kept.
 *
 * Sorting compares six bytes behind the prefix all keys share as one number, and whole keys only where those are equal;
 * a batch that comes sorted is not sorted again.
 *
 * Specification: spec/transactions.md, "Commits".
 */

import { commonPrefixLength, compareBytes } from '../base/bytes.ts';
import { textOf } from './read-set.ts';
import type { WriteEffect } from './write-set.ts';

interface Placed {
  readonly effect: WriteEffect;
  readonly sequence: number;
  head: number;
}

const HEAD_BYTES = 6;

export class EffectList {
  readonly #placed: Placed[] = [];
  bytes = 0;

  add(effect: WriteEffect): void {
    this.bytes += effect.key.length + (effect.value?.length ?? 0) + 32;
    this.#placed.push({ effect, sequence: this.#placed.length, head: 0 });
  }

  /** Effects so far with a key in [start, end) that are the last of their key and put something, in the order they came. */
  liveWithin(start: Uint8Array, end: Uint8Array): WriteEffect[] {
    const last = new Map<string, WriteEffect>();
    for (const { effect } of this.#placed) {
      if (compare(effect.key, start) >= 0 && compare(effect.key, end) < 0) last.set(textOf(effect.key, effect.key.length), effect);
    }
    return [...last.values()].filter((effect) => effect.value !== undefined);
  }

  /** In key order, the last effect of each key. The list is used up. */
  sorted(): WriteEffect[] {
    const placed = this.#placed;
    if (!isAscending(placed)) {
      setHeads(placed);
      placed.sort((a, b) => a.head - b.head || compare(a.effect.key, b.effect.key) || a.sequence - b.sequence);
    }
    const effects: WriteEffect[] = [];
    for (let at = 0; at < placed.length; at++) {
      const { effect } = placed[at]!;
      const next = placed[at + 1];
      if (next === undefined || compare(effect.key, next.effect.key) !== 0) effects.push(effect);
    }
    return effects;
  }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}

function isAscending(placed: readonly Placed[]): boolean {
  for (let at = 1; at < placed.length; at++) if (compare(placed[at - 1]!.effect.key, placed[at]!.effect.key) > 0) return false;
  return true;
}

/** The bytes behind the common prefix as a number; a shorter key is filled with zeros, so equal heads decide nothing. */
function setHeads(placed: readonly Placed[]): void {
  const first = placed[0]!.effect.key;
  let prefix = first.length;
  for (const { effect } of placed) prefix = Math.min(prefix, commonPrefixLength(first, 0, prefix, effect.key, 0, effect.key.length));
  for (const one of placed) {
    const { key } = one.effect;
    let head = 0;
    for (let at = prefix; at < prefix + HEAD_BYTES; at++) head = head * 256 + (at < key.length ? key[at]! : 0);
    one.head = head;
  }
}
