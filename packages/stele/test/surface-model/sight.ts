/**
 * What can be seen: the live leaves of one version at one time, and the same with writes of one's own over them.
 *
 * Every answer of the surface is computed from `leaf` and `leaves` (answers.ts).
 */

import type { Segment, Value } from '../../src/model/types.ts';
import { comparePoints, isIn, isWithin, nameOf, type Stretch } from './paths.ts';

export interface Leaf {
  readonly path: readonly Segment[];
  readonly value: Value;
  /** ms, 0 = never. */
  readonly expiresAt: number;
  /** 0: written by the transaction that sees it. */
  readonly version: number;
}

/** A commit, and the time at which expiry is judged. */
export interface Moment {
  readonly version: number;
  readonly timeMs: number;
}

export interface Sight {
  readonly at: Moment;
  leaf(path: readonly Segment[]): Leaf | undefined;
  /** In path order. */
  leaves(stretch: Stretch): Leaf[];
}

/** What was written at a path; without value: deleted. */
export interface Written {
  readonly path: readonly Segment[];
  readonly value: Value | undefined;
  readonly expiresAt: number;
}

/** A sight with writes over it, in their order. */
export class Overlay implements Sight {
  readonly under: Sight;
  readonly own = new Map<string, Written>();
  /** Own writes are judged at this time, also when the same is asked of a later state. */
  readonly #ownTimeMs: number;

  constructor(under: Sight, own: Iterable<readonly [string, Written]> = [], ownTimeMs = under.at.timeMs) {
    this.under = under;
    this.#ownTimeMs = ownTimeMs;
    for (const [name, written] of own) this.own.set(name, written);
  }

  get at(): Moment {
    return this.under.at;
  }

  put(path: readonly Segment[], value: Value, expiresAt: number): void {
    this.own.set(nameOf(path), { path, value, expiresAt });
  }

  delete(path: readonly Segment[]): void {
    this.own.set(nameOf(path), { path, value: undefined, expiresAt: 0 });
  }

  /** What can be seen there; a batch takes back what it put there before, seen or not. */
  deleteBelow(path: readonly Segment[], stretch: Stretch, takesBack: boolean): Leaf[] {
    const gone = this.leaves(stretch);
    for (const leaf of gone) this.delete(leaf.path);
    if (takesBack) for (const written of [...this.own.values()]) if (isWithin(written.path, path)) this.delete(written.path);
    return gone;
  }

  leaf(path: readonly Segment[]): Leaf | undefined {
    const own = this.own.get(nameOf(path));
    return own === undefined ? this.under.leaf(path) : this.#seen(own);
  }

  #seen({ path, value, expiresAt }: Written): Leaf | undefined {
    if (value === undefined || (expiresAt !== 0 && expiresAt <= this.#ownTimeMs)) return undefined;
    return { path, value, expiresAt, version: 0 };
  }

  leaves(stretch: Stretch): Leaf[] {
    const leaves = this.under.leaves(stretch);
    if (this.own.size === 0) return leaves;
    const mixed = leaves.filter(({ path }) => !this.own.has(nameOf(path)));
    for (const own of this.own.values()) {
      const leaf = isIn(own.path, stretch) ? this.#seen(own) : undefined;
      if (leaf !== undefined) mixed.push(leaf);
    }
    return mixed.sort((a, b) => comparePoints(a.path, b.path));
  }
}
