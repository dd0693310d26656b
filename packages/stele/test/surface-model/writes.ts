/**
 * Writes of the surface reference: a call or a batch, judged and applied in one go.
 *
 * In order: what increments add up to; conditions, against the state before; what an index refuses, write by write; uniqueness, on the whole; then
 * the commit, with the last effect of each path.
 *
 * Specification: spec/transactions.md, "Commits"; spec/policies.md, "Maintainers".
 */

import { parseSegment } from '../../src/model/path/text.ts';
import type { Durability, Segment, Value } from '../../src/model/types.ts';
import type { Catalog } from './catalog.ts';
import { checkLengths, checkUnique } from './indexed.ts';
import { below } from './paths.ts';
import type { CommitAs, Receipt, Reference } from './reference.ts';
import { Refusal } from './refusal.ts';
import { Overlay, type Sight } from './sight.ts';

/** How long what is put lives; without members as the subtree's ttl says. */
export interface Life {
  readonly ttl?: number;
  readonly expiresAt?: number;
}

type Path = readonly Segment[];

export type RefWrite =
  /** `stamp`: the path gets the commit's number as its last segment. */
  | {
      readonly type: 'put';
      readonly path: Path;
      readonly value: Value;
      readonly life: Life;
      readonly ifVersion?: number;
      readonly stamp?: true;
    }
  | { readonly type: 'delete'; readonly path: Path; readonly ifVersion?: number }
  | { readonly type: 'check'; readonly path: Path; readonly ifVersion: number }
  | { readonly type: 'increment'; readonly path: Path; readonly delta: number | bigint; readonly ifVersion?: number }
  | { readonly type: 'deleteTree'; readonly path: Path }
  | { readonly type: 'putTree'; readonly path: Path; readonly tree: Value; readonly merge: boolean; readonly life: Life };

const LEVELS: readonly Durability[] = ['async', 'debounced', 'immediate'];

export function strongest(...levels: readonly (Durability | undefined)[]): Durability | undefined {
  return LEVELS.findLast((level) => levels.includes(level));
}

export interface Wrote {
  readonly receipt: Receipt;
  /** Of the last increment. */
  readonly sum: number | bigint | undefined;
}

/** `keepsSum`: a single increment, whose sum is kept for whoever repeats it. @throws {Refusal} */
export function write(reference: Reference, writes: readonly RefWrite[], as: CommitAs, nowMs: number, keepsSum = false): Wrote {
  const first = reference.first(as.once);
  if (first !== undefined) {
    const receipt = { version: first.version, timeMs: first.commit.timeMs, changed: 0, isExact: false, level: undefined };
    return { receipt, sum: first.commit.result as number | bigint | undefined };
  }
  const before = reference.view({ version: reference.version, timeMs: nowMs });
  const applied = new Applied(new Overlay(before), reference.catalog, true);
  const drafted = new Applied(new Overlay(before), new NoIndexes(reference.catalog), true);
  let sum: number | bigint | undefined;
  let stamps = 0;
  const resolved = writes.map((one): RefWrite => {
    if (one.type === 'increment') {
      const put = incremented(drafted.overlay, one);
      sum = put.value;
      drafted.write(put);
      return put;
    }
    const placed = one.type === 'put' && one.stamp === true ? { ...one, path: stamped(one.path, reference.version + 1, stamps++) } : one;
    drafted.write(placed);
    return placed;
  });
  for (const { type, path, ...one } of resolved) {
    const { ifVersion } = one as { ifVersion?: number };
    if (ifVersion !== undefined && type !== 'deleteTree' && type !== 'putTree' && (before.leaf(path)?.version ?? 0) !== ifVersion)
      throw new Refusal('VERSION_MISMATCH');
  }
  for (const one of resolved) applied.write(one);
  checkUnique(applied.overlay, reference.catalog, applied.told);
  const version = reference.commit(applied.overlay.own.values(), { ...as, result: keepsSum ? sum : undefined }, nowMs);
  return { receipt: receiptOf(reference, version, applied), sum };
}

export function receiptOf(reference: Reference, version: number | undefined, applied: Pick<Applied, 'isIndexed' | 'level'>): Receipt {
  if (version === undefined)
    return { version: reference.version, timeMs: reference.timeOf(reference.version), changed: 0, isExact: true, level: undefined };
  const { timeMs, effects, once } = reference.commits[version]!;
  const changed = effects.length + (once === undefined ? 0 : 1);
  return { version, timeMs, changed, isExact: !applied.isIndexed, level: applied.level };
}

type Declarations = Pick<Catalog, 'ttlMs' | 'durability' | 'indexesAbove' | 'indexesWithin'>;

/** For adding up: nobody is told. */
class NoIndexes implements Declarations {
  readonly #catalog: Catalog;
  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }
  ttlMs(path: Path): number | undefined {
    return this.#catalog.ttlMs(path);
  }
  durability(): undefined {}
  indexesAbove(): [] {
    return [];
  }
  indexesWithin(): boolean {
    return false;
  }
}

/** Writes put to an overlay one by one, with what is declared. */
export class Applied {
  readonly overlay: Overlay;
  catalog: Declarations;
  readonly #takesBack: boolean;
  /** Paths that indexes above them were told of. */
  readonly told: Path[] = [];
  isIndexed = false;
  level: Durability | undefined;

  constructor(overlay: Overlay, catalog: Declarations, takesBack: boolean) {
    this.overlay = overlay;
    this.catalog = catalog;
    this.#takesBack = takesBack;
  }

  /** @throws {Refusal} INDEX_KEY_TOO_LONG */
  write(one: RefWrite): void {
    if (one.type === 'put') this.#put(one.path, one.value, one.life);
    else if (one.type === 'delete') this.#delete(one.path);
    else if (one.type === 'increment') this.write(incremented(this.overlay, one));
    else if (one.type === 'deleteTree') this.#deleteTree(one.path);
    else if (one.type === 'putTree') {
      const leaves = leavesOf(one.tree, one.path);
      if (!one.merge) this.#deleteTree(one.path);
      for (const [path, value] of leaves) this.#put(path, value, one.life);
    }
  }

  #put(path: Path, value: Value, life: Life): void {
    this.overlay.put(path, value, expiryOf(life, this.catalog.ttlMs(path), this.overlay.at.timeMs));
    this.#tell(path);
  }

  #delete(path: Path): void {
    this.overlay.delete(path);
    this.#tell(path);
  }

  #deleteTree(path: Path): void {
    this.level = strongest(this.level, this.catalog.durability(path, true));
    const hearers = this.catalog.indexesAbove(path).filter(({ place }) => place.length < path.length);
    if (this.catalog.indexesWithin(path)) this.isIndexed = true;
    if (hearers.length === 0) return void this.overlay.deleteBelow(path, below(path), this.#takesBack);
    for (const leaf of this.overlay.leaves(below(path))) this.#delete(leaf.path);
    this.overlay.deleteBelow(path, below(path), this.#takesBack);
  }

  #tell(path: Path): void {
    this.level = strongest(this.level, this.catalog.durability(path));
    if (this.catalog.indexesAbove(path).length === 0) return;
    this.isIndexed = true;
    this.told.push(path);
    checkLengths(this.overlay, this.catalog as Catalog, path);
  }
}

/** ms, 0 = never. */
function expiryOf({ ttl, expiresAt }: Life, policyTtl: number | undefined, timeMs: number): number {
  if (expiresAt !== undefined) return Math.ceil(expiresAt);
  const ms = ttl ?? policyTtl ?? Infinity;
  return ms === Infinity ? 0 : Math.ceil(timeMs + ms);
}

/** The put that an increment is; the entry keeps its expiry. @throws {Refusal} INCREMENT_TYPE */
export function incremented(
  sight: Sight,
  { path, delta, ifVersion }: Extract<RefWrite, { type: 'increment' }>,
): Extract<RefWrite, { type: 'put' }> & {
  readonly value: number | bigint;
} {
  const before = sight.leaf(path);
  const value = before === undefined ? whole(delta) : added(before.value, delta);
  const life: Life = before === undefined ? {} : before.expiresAt === 0 ? { ttl: Infinity } : { expiresAt: before.expiresAt };
  return { type: 'put', path, value, life, ...(ifVersion === undefined ? {} : { ifVersion }) };
}

function added(before: Value, delta: number | bigint): number | bigint {
  if (typeof before !== 'number' && typeof before !== 'bigint') throw new Refusal('INCREMENT_TYPE');
  const areWhole = [before, delta].every((one) => typeof one === 'bigint' || Number.isInteger(one));
  if (areWhole) return whole(BigInt(before) + BigInt(delta));
  if (typeof before === 'bigint' || typeof delta === 'bigint') throw new Refusal('INCREMENT_TYPE');
  return before + delta;
}

/** Safe integers are numbers. */
function whole(value: number | bigint): number | bigint {
  return typeof value === 'bigint' && BigInt.asIntN(54, value) === value && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

export function stamped(path: Path, version: number, index: number): Path {
  return [...path, version * 2 ** 17 + index];
}

/** The leaves of a tree, in its order. */
export function leavesOf(tree: Value, path: Path): [Path, Value][] {
  if (Array.isArray(tree) && tree.length > 0) return tree.flatMap((child: Value, at) => leavesOf(child, [...path, at]));
  const isTree =
    typeof tree === 'object' && tree !== null && Object.getPrototypeOf(tree) === Object.prototype && Object.keys(tree).length > 0;
  if (!isTree) return [[path, tree]];
  return Object.entries(tree as Record<string, Value>).flatMap(([name, child]) =>
    name === '' ? [[path, child] as [Path, Value]] : leavesOf(child, [...path, parseSegment(name)]),
  );
}
