/**
 * What is declared, as the surface reference keeps it: policies by place, and the indexes with the states they go through.
 *
 * A catalog is never changed: each commit of a declaration makes the next one, and an older view sees that of its version. Which commits a declaration makes is
 * part of what is compared: one that writes it, one for each step of building (2,000 records) and of dropping, in the order of the numbers.
 *
 * Specification: spec/policies.md, "Declaring", "Building and dropping".
 */

import { isDeepStrictEqual } from 'node:util';
import type { Policy } from '../../src/model/policy/types.ts';
import type { Durability, Segment } from '../../src/model/types.ts';
import type { HistoryRules } from './kept.ts';
import { isWithin, nameOf } from './paths.ts';

const RECORDS_A_STEP = 2000;
const LEVELS: readonly Durability[] = ['async', 'debounced', 'immediate'];

export interface Definition {
  readonly fields: readonly (readonly Segment[])[];
  readonly unique: boolean;
}

export interface DeclaredIndex extends Definition {
  readonly id: number;
  readonly name: string;
  readonly state: 'building' | 'ready' | 'dropping';
  /** Records derived so far while building. */
  readonly built: number;
}

export interface Declared {
  readonly path: readonly Segment[];
  readonly policy: Omit<Policy, 'index'>;
  /** In the order of their numbers. */
  readonly indexes: readonly DeclaredIndex[];
}

/** What a declaration asks for. */
export interface Wanted {
  readonly policy: Omit<Policy, 'index'>;
  readonly indexes: Readonly<Record<string, Definition>>;
}

export class Catalog {
  readonly #places: ReadonlyMap<string, Declared>;
  readonly nextId: number;

  constructor(places: ReadonlyMap<string, Declared> = new Map(), nextId = 1) {
    this.#places = places;
    this.nextId = nextId;
  }

  get places(): readonly Declared[] {
    return [...this.#places.values()];
  }

  at(path: readonly Segment[]): Declared {
    return this.#places.get(nameOf(path)) ?? { path, policy: {}, indexes: [] };
  }

  #with(declared: Declared, nextId = this.nextId): Catalog {
    const places = new Map(this.#places);
    const isNothing = Object.keys(declared.policy).length === 0 && declared.indexes.length === 0;
    if (isNothing) places.delete(nameOf(declared.path));
    else places.set(nameOf(declared.path), declared);
    return new Catalog(places, nextId);
  }

  // ---- what holds

  /** Declared at the path and above it, the root first. */
  #above(path: readonly Segment[]): Declared[] {
    return this.places.filter((place) => isWithin(path, place.path)).sort((a, b) => a.path.length - b.path.length);
  }

  ttlMs(path: readonly Segment[]): number | undefined {
    return this.#above(path).findLast(({ policy }) => policy.ttl !== undefined)?.policy.ttl;
  }

  /** The strongest level at or above a path; with `within` also of all below it. */
  durability(path: readonly Segment[], within = false): Durability | undefined {
    const places = this.places.filter((place) => isWithin(path, place.path) || (within && isWithin(place.path, path)));
    return LEVELS.findLast((level) => places.some(({ policy }) => policy.durability === level));
  }

  /** Indexes that hear of a change at the path, each with its place. */
  indexesAbove(path: readonly Segment[]): { place: readonly Segment[]; index: DeclaredIndex }[] {
    return this.#above(path).flatMap(({ path: place, indexes }) =>
      indexes.filter(({ state }) => state !== 'dropping').map((index) => ({ place, index })),
    );
  }

  indexesWithin(path: readonly Segment[]): boolean {
    return this.places.some((place) => isWithin(place.path, path) && place.indexes.some(({ state }) => state !== 'dropping'));
  }

  /** As `subtree.policy` shows it. */
  policy(path: readonly Segment[]): Policy {
    const own = Object.assign({}, ...this.#above(path).map(({ policy }) => policy)) as Policy;
    const durability = this.durability(path);
    const living = this.at(path).indexes.filter(({ state }) => state !== 'dropping');
    const index = Object.fromEntries(living.map(({ name, fields, unique }) => [name, { fields, unique }]));
    return { ...own, ...(durability === undefined ? {} : { durability }), ...(living.length === 0 ? {} : { index }) } as Policy;
  }

  historyRules(databaseMs: number): HistoryRules {
    const subtrees = this.places.flatMap(({ path, policy }) => (policy.history === undefined ? [] : [{ path, historyMs: policy.history }]));
    const nearest = (path: readonly Segment[]): number =>
      this.#above(path).findLast(({ policy }) => policy.history !== undefined)?.policy.history ?? databaseMs;
    const indexes = new Map(this.places.flatMap(({ path, indexes: all }) => all.map(({ id }) => [id, nearest(path)] as const)));
    return { databaseMs, subtrees, indexes };
  }

  // ---- declaring

  /** The catalog after the commit that declares; undefined when nothing changes. */
  declare(path: readonly Segment[], { policy, indexes: wanted }: Wanted, isFilled: boolean): Catalog | undefined {
    const before = this.at(path);
    let { nextId } = this;
    const changed = new Map<number, DeclaredIndex>();
    const drop = (index: DeclaredIndex): void => void changed.set(index.id, { ...index, state: 'dropping' });
    const living = before.indexes.filter(({ state }) => state !== 'dropping');
    for (const name of Object.keys(wanted).sort()) {
      const same = living.filter((index) => index.name === name);
      const { fields, unique } = wanted[name]!;
      const fitting = same.findLast((index) => isDeepStrictEqual([index.fields, index.unique], [fields, unique]));
      if (fitting !== undefined) for (const index of same.filter(({ id }) => id > fitting.id)) drop(index);
      else {
        for (const index of same) if (index.state === 'building' || !isFilled) drop(index);
        const id = nextId++;
        changed.set(id, { id, name, fields, unique, state: isFilled ? 'building' : 'ready', built: 0 });
      }
    }
    for (const index of living) if (wanted[index.name] === undefined) drop(index);
    if (changed.size === 0 && isDeepStrictEqual(before.policy, policy)) return undefined;
    return this.#with({ path, policy, indexes: merged(before.indexes, changed) }, nextId);
  }

  /** The catalog after the commit that begins to build an index anew; undefined when there is no such index. */
  rebuild(path: readonly Segment[], name: string, isFilled: boolean): Catalog | undefined {
    const place = this.at(path);
    const same = place.indexes.filter((index) => index.name === name && index.state !== 'dropping');
    const newest = same.at(-1);
    if (newest === undefined) return undefined;
    const changed = new Map<number, DeclaredIndex>();
    for (const index of same) if (index.state === 'building' || !isFilled) changed.set(index.id, { ...index, state: 'dropping' });
    changed.set(this.nextId, { ...newest, id: this.nextId, state: isFilled ? 'building' : 'ready', built: 0 });
    return this.#with({ ...place, indexes: merged(place.indexes, changed) }, this.nextId + 1);
  }

  /** The first index at the place (anywhere, when there is none) that is being built or dropped. */
  unfinished(path?: readonly Segment[]): { path: readonly Segment[]; index: DeclaredIndex } | undefined {
    for (const place of path === undefined ? this.places : [this.at(path)]) {
      const index = place.indexes.find(({ state }) => state !== 'ready');
      if (index !== undefined) return { path: place.path, index };
    }
    return undefined;
  }

  dropped(path: readonly Segment[], { id }: DeclaredIndex): Catalog {
    const place = this.at(path);
    return this.#with({ ...place, indexes: place.indexes.filter((index) => index.id !== id) });
  }

  refused(path: readonly Segment[], index: DeclaredIndex): Catalog {
    const place = this.at(path);
    return this.#with({ ...place, indexes: merged(place.indexes, new Map([[index.id, { ...index, state: 'dropping' as const }]])) });
  }

  /** One step of building, of a subtree with so many records. */
  built(path: readonly Segment[], index: DeclaredIndex, records: number): Catalog {
    const place = this.at(path);
    const built = index.built + RECORDS_A_STEP;
    const changed = new Map<number, DeclaredIndex>([[index.id, { ...index, built, state: built > records ? 'ready' : 'building' }]]);
    if (built > records)
      for (const other of place.indexes)
        if (other.name === index.name && other.id !== index.id && other.state !== 'dropping')
          changed.set(other.id, { ...other, state: 'dropping' });
    return this.#with({ ...place, indexes: merged(place.indexes, changed) });
  }
}

function merged(indexes: readonly DeclaredIndex[], changed: ReadonlyMap<number, DeclaredIndex>): DeclaredIndex[] {
  const all = new Map(indexes.map((index) => [index.id, index]));
  for (const [id, index] of changed) all.set(id, index);
  return [...all.values()].sort((a, b) => a.id - b.id);
}

/** What was declared there, to be declared again. */
export function wantedAgain({ policy, indexes }: Declared): Wanted {
  const living = indexes.filter(({ state }) => state !== 'dropping');
  return { policy, indexes: Object.fromEntries(living.map(({ name, fields, unique }) => [name, { fields, unique }])) };
}
