/**
 * Indexes of the surface reference: rows by reading all records, and what refuses a write.
 *
 * Specification: spec/policies.md, "Indexes".
 */

import type { Segment, Value } from '../../src/model/types.ts';
import { type NaiveRow, NaiveTree, nameOf } from '../policies/naive.ts';
import type { Catalog, Definition } from './catalog.ts';
import { below } from './paths.ts';
import { Refusal } from './refusal.ts';
import type { Leaf, Sight } from './sight.ts';

const KEY_BYTES_MAX = 1100;

/** The rows of an index as a sight has them, in its order. */
export function indexRows(sight: Sight, place: readonly Segment[], definition: Definition): NaiveRow[] {
  return treeOf(sight.leaves(below(place))).rows(place, mutable(definition), sight.at.timeMs);
}

/** The ids that have a leaf below the place. */
export function recordsOf(sight: Sight, place: readonly Segment[]): number {
  const ids = new Set<string>();
  for (const { path } of sight.leaves(below(place))) if (path.length > place.length) ids.add(nameOf([path[place.length]!]));
  return ids.size;
}

/**
 * @throws {Refusal} INDEX_KEY_TOO_LONG when the record at the path has, or will have when something expires, a key that is too long in an
 *   index above it
 */
export function checkLengths(sight: Sight, catalog: Catalog, path: readonly Segment[]): void {
  for (const { place, index } of catalog.indexesAbove(path))
    if (path.length > place.length) checkRecords(sight.leaves(below(path.slice(0, place.length + 1))), place, index, sight.at.timeMs);
}

/** @throws {Refusal} INDEX_KEY_TOO_LONG */
export function checkRecords(leaves: readonly Leaf[], place: readonly Segment[], index: Definition, timeMs: number): void {
  if (!leaves.some(({ value }) => JSON.stringify(value, plain).length > KEY_BYTES_MAX)) return;
  const tree = treeOf(leaves);
  const times = [timeMs, ...leaves.map(({ expiresAt }) => expiresAt).filter((at) => at > timeMs)];
  for (const time of times)
    for (const { key } of tree.rows(place, mutable(index), time))
      if (key.some((value) => typeof value === 'string' && value.length > KEY_BYTES_MAX)) throw new Refusal('INDEX_KEY_TOO_LONG');
}

/** @throws {Refusal} INDEX_UNIQUE when one of the paths lies in a unique index and two records have one key, now or later */
export function checkUnique(sight: Sight, catalog: Catalog, paths: Iterable<readonly Segment[]>): void {
  const looked = new Set<number>();
  for (const path of paths)
    for (const { place, index } of catalog.indexesAbove(path)) {
      if (!index.unique || path.length === place.length || looked.has(index.id)) continue;
      looked.add(index.id);
      if (breaksUnique(sight, place, index)) throw new Refusal('INDEX_UNIQUE');
    }
}

export function breaksUnique(sight: Sight, place: readonly Segment[], index: Definition): boolean {
  return treeOf(sight.leaves(below(place))).breaksUnique(place, mutable(index), sight.at.timeMs);
}

function treeOf(leaves: readonly Leaf[]): NaiveTree {
  return new NaiveTree(leaves.map((leaf) => [nameOf(leaf.path), leaf] as const));
}

function mutable({ fields, unique }: Definition): { fields: Segment[][]; unique: boolean } {
  return { fields: fields.map((field) => [...field]), unique };
}

function plain(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

/** What an index can be asked for; a value that is no field is refused. */
export function isField(value: Value): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value === 'number') return !Number.isNaN(value);
  return typeof value === 'bigint' || typeof value === 'boolean' || value instanceof Date || value instanceof Uint8Array;
}
