/**
 * Every read of the surface, answered from the leaves of a sight in the obvious way.
 *
 * Specification: docs/api.md, "Reading"; spec/model.md, "Trees".
 */

import { formatSegment } from '../../src/model/path/text.ts';
import type { Segment, Value } from '../../src/model/types.ts';
import { below, comparePoints, FIRST, isIn, nameOf, type Stretch, segments } from './paths.ts';
import { Refusal } from './refusal.ts';
import type { Leaf, Sight } from './sight.ts';

/** Paths are text, relative to the handle that is asked. */
export type Read =
  | { readonly ask: 'get' | 'getAsync' | 'has' | 'entry' | 'peek' | 'kind' | 'first' | 'last' | 'prefetch'; readonly path: string }
  | { readonly ask: 'getMany' | 'getManyAsync' | 'prefetchMany'; readonly paths: readonly string[] }
  | { readonly ask: 'readValue'; readonly path: string; readonly offset?: number; readonly length?: number }
  | { readonly ask: 'getTree'; readonly path: string; readonly depth?: number; readonly limit?: number }
  | { readonly ask: 'children'; readonly path: string; readonly after?: string; readonly limit?: number; readonly reverse?: boolean }
  | ({
      readonly ask: 'scan';
      readonly after?: string;
      readonly reverse?: boolean;
      readonly limit?: number;
      readonly values?: false;
    } & BoundTexts)
  | ({ readonly ask: 'count' } & BoundTexts)
  | { readonly ask: 'nth'; readonly path: string; readonly n: number };

export interface BoundTexts {
  readonly prefix?: string;
  readonly start?: string;
  readonly end?: string;
}

type Path = readonly Segment[];

const absolute = (at: Path, text: string): Path => [...at, ...segments(text)];

/** The path of a value. @throws {Refusal} PATH_INVALID for the root */
function leafPath(at: Path, text: string): Path {
  const path = absolute(at, text);
  if (path.length === 0) throw new Refusal('PATH_INVALID');
  return path;
}

/** What a read touches: what must be kept for it, and what a transaction has read with it. */
export function stretchesOf(at: Path, read: Read): Stretch[] {
  const only = (text: string): Stretch => ({ start: absolute(at, text), end: [...absolute(at, text), FIRST] });
  switch (read.ask) {
    case 'getMany':
    case 'getManyAsync':
    case 'prefetchMany':
      return read.paths.map(only);
    case 'scan':
    case 'count':
      return [boundsOf(at, read)];
    case 'get':
    case 'getAsync':
    case 'has':
    case 'entry':
    case 'readValue':
    case 'peek':
      return [only(read.path)];
    default:
      return [below(absolute(at, read.path))];
  }
}

/** @throws {Refusal} RANGE_INVALID for a bound outside the prefix */
function boundsOf(at: Path, read: Extract<Read, { ask: 'scan' | 'count' }>): Stretch {
  const all = below(absolute(at, read.prefix ?? ''));
  const bound = (text: string | undefined, otherwise: Stretch['start']): Stretch['start'] => {
    if (text === undefined) return otherwise;
    const point = absolute(at, text);
    if (!isIn(point, all)) throw new Refusal('RANGE_INVALID');
    return point;
  };
  let start = bound(read.start, all.start);
  let end = bound(read.end, all.end);
  if (read.ask === 'scan' && read.after !== undefined) {
    const after = bound(read.after, all.start);
    if (read.reverse === true) end = comparePoints(after, end) < 0 ? after : end;
    else start = comparePoints([...after, FIRST], start) > 0 ? [...after, FIRST] : start;
  }
  return { start, end };
}

/** @throws {Refusal} */
export function answer(sight: Sight, at: Path, read: Read): unknown {
  switch (read.ask) {
    case 'get':
    case 'getAsync':
    case 'peek':
      return sight.leaf(leafPath(at, read.path))?.value;
    case 'has':
      return sight.leaf(leafPath(at, read.path)) !== undefined;
    case 'entry':
      return entryOf(sight.leaf(leafPath(at, read.path)));
    case 'getMany':
    case 'getManyAsync':
      return read.paths.map((text) => sight.leaf(leafPath(at, text))?.value);
    case 'prefetchMany':
      return read.paths.filter((text) => sight.leaf(leafPath(at, text)) !== undefined).length;
    case 'readValue':
      return pieceOf(sight.leaf(leafPath(at, read.path))?.value, read);
    case 'prefetch':
      return sight.leaves(below(absolute(at, read.path))).length;
    case 'kind':
      return kindOf(sight, absolute(at, read.path));
    case 'getTree':
      return treeOf(sight, absolute(at, read.path), read);
    case 'children':
      return childrenOf(sight, absolute(at, read.path), read);
    case 'scan':
      return scanned(sight.leaves(boundsOf(at, read)), at, read);
    case 'count':
      return sight.leaves(boundsOf(at, read)).length;
    case 'first':
      return rowOf(at, sight.leaves(below(absolute(at, read.path)))[0]);
    case 'last':
      return rowOf(at, sight.leaves(below(absolute(at, read.path))).at(-1));
    case 'nth':
      return rowOf(at, sight.leaves(below(absolute(at, read.path)))[read.n]);
  }
}

function entryOf(leaf: Leaf | undefined): unknown {
  if (leaf === undefined) return undefined;
  return { value: leaf.value, version: leaf.version, expiresAt: leaf.expiresAt === 0 ? undefined : new Date(leaf.expiresAt) };
}

export function rowOf(at: Path, leaf: Leaf | undefined): unknown {
  return leaf === undefined ? undefined : { path: leaf.path.slice(at.length), value: leaf.value, version: leaf.version };
}

function scanned(leaves: Leaf[], at: Path, { reverse, limit, values }: Extract<Read, { ask: 'scan' }>): unknown[] {
  const rows = (reverse === true ? leaves.toReversed() : leaves).slice(0, limit);
  return rows.map((leaf) => rowOf(at, values === false ? { ...leaf, value: undefined as unknown as Value } : leaf));
}

/** @throws {Refusal} VALUE_INVALID */
function pieceOf(
  value: Value | undefined,
  { offset = 0, length = Infinity }: { offset?: number; length?: number },
): Uint8Array | undefined {
  if (value === undefined) return undefined;
  if (!(value instanceof Uint8Array) && !(typeof value === 'string' && value.isWellFormed())) throw new Refusal('VALUE_INVALID');
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  return bytes.slice(Math.min(offset, bytes.length), Math.min(offset + length, bytes.length));
}

function kindOf(sight: Sight, path: Path): string {
  const leaves = sight.leaves(below(path));
  const isValue = leaves.some((leaf) => leaf.path.length === path.length);
  const isTree = leaves.some((leaf) => leaf.path.length > path.length);
  return isTree ? (isValue ? 'both' : 'tree') : isValue ? 'value' : 'none';
}

function childrenOf(sight: Sight, path: Path, { after, limit, reverse }: Extract<Read, { ask: 'children' }>): Segment[] {
  const children = new Map<string, Segment>();
  for (const leaf of sight.leaves(below(path)))
    if (leaf.path.length > path.length) children.set(nameOf([leaf.path[path.length]!]), leaf.path[path.length]!);
  let list = [...children.values()];
  if (reverse === true) list.reverse();
  if (after !== undefined) {
    const [behind] = segments(after) as [Segment];
    const sign = reverse === true ? -1 : 1;
    list = list.filter((child) => sign * comparePoints([child], [behind]) > 0);
  }
  return list.slice(0, limit);
}

/** Leaves deeper than asked are one empty object, where nothing else stands; the limit counts what is given. */
function treeOf(sight: Sight, path: Path, { depth = Infinity, limit }: { depth?: number; limit?: number }): Value | undefined {
  const given = new Map<string, { path: Path; value: Value }>();
  for (const leaf of sight.leaves(below(path))) {
    const relative = leaf.path.slice(path.length);
    const shown = relative.slice(0, Math.min(depth, relative.length));
    if (shown.length === relative.length) given.set(nameOf(shown), { path: shown, value: leaf.value });
    else if (!given.has(nameOf(shown))) given.set(nameOf(shown), { path: shown, value: {} });
  }
  const leaves = [...given.values()].slice(0, limit);
  return leaves.length === 0 ? undefined : nested(leaves);
}

function nested(leaves: readonly { path: Path; value: Value }[]): Value {
  const own = leaves.find(({ path }) => path.length === 0)?.value;
  const groups = new Map<string, { child: Segment; leaves: { path: Path; value: Value }[] }>();
  for (const { path, value } of leaves) {
    if (path.length === 0) continue;
    const name = nameOf([path[0]!]);
    if (!groups.has(name)) groups.set(name, { child: path[0]!, leaves: [] });
    groups.get(name)!.leaves.push({ path: path.slice(1), value });
  }
  if (groups.size === 0) return own!;
  const children = [...groups.values()];
  if (own === undefined && children.every(({ child }, at) => child === at)) return children.map((group) => nested(group.leaves));
  const object: Record<string, Value> = own === undefined ? {} : { '': own };
  for (const group of children) object[formatSegment(group.child)] = nested(group.leaves);
  return object;
}
