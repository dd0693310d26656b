/**
 * A naive database: a list of (path, value), and every answer by looking at all of it. What the property test compares with.
 *
 * Written from the contract alone, with none of the code it judges: its own order of segments, its own nesting of trees.
 */

import type { Segment, Value } from '../../src/model/types.ts';

export type Leaf = readonly [path: readonly Segment[], value: Value];

const rank = (segment: Segment): number =>
  typeof segment === 'boolean' ? 0 : typeof segment === 'number' || typeof segment === 'bigint' ? 1 : typeof segment === 'string' ? 3 : 2;

function compareSegments(a: Segment, b: Segment): number {
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (rank(a) < 2) return a < b ? -1 : a > b ? 1 : 0;
  return Buffer.compare(Buffer.from(a as string), Buffer.from(b as string));
}

export function comparePaths(a: readonly Segment[], b: readonly Segment[]): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const order = compareSegments(a[at]!, b[at]!);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

const isBelow = (path: readonly Segment[], prefix: readonly Segment[]): boolean =>
  path.length >= prefix.length && comparePaths(path.slice(0, prefix.length), prefix) === 0;

/** The text of a segment in a tree. */
function nameOf(segment: Segment): string {
  if (segment instanceof Uint8Array) return `0x${Buffer.from(segment).toString('hex')}`;
  if (typeof segment !== 'string') return `#${segment}`;
  const escaped = segment.replaceAll('\\', '\\\\');
  return escaped === segment && /^(?:#(?:true|false|-?\d.*)|0x(?:[0-9a-f]{2})*)$/i.test(segment) ? `\\${segment}` : escaped;
}

export class NaiveTree {
  leaves: Leaf[] = [];

  copy(): NaiveTree {
    const copy = new NaiveTree();
    copy.leaves = [...this.leaves];
    return copy;
  }

  put(path: readonly Segment[], value: Value): void {
    this.delete(path);
    this.leaves.push([path, value]);
    this.leaves.sort(([a], [b]) => comparePaths(a, b));
  }

  delete(path: readonly Segment[]): void {
    this.leaves = this.leaves.filter(([one]) => comparePaths(one, path) !== 0);
  }

  deleteTree(prefix: readonly Segment[]): void {
    this.leaves = this.leaves.filter(([path]) => !isBelow(path, prefix));
  }

  get(path: readonly Segment[]): Value | undefined {
    return this.leaves.find(([one]) => comparePaths(one, path) === 0)?.[1];
  }

  below(prefix: readonly Segment[]): Leaf[] {
    return this.leaves.filter(([path]) => isBelow(path, prefix));
  }

  children(prefix: readonly Segment[]): Segment[] {
    const children: Segment[] = [];
    for (const [path] of this.below(prefix)) {
      const child = path[prefix.length];
      if (child !== undefined && (children.length === 0 || compareSegments(children.at(-1)!, child) !== 0)) children.push(child);
    }
    return children;
  }

  kind(path: readonly Segment[]): string {
    const isValue = path.length > 0 && this.get(path) !== undefined;
    const isTree = this.children(path).length > 0;
    return isTree ? (isValue ? 'both' : 'tree') : isValue ? 'value' : 'none';
  }

  tree(path: readonly Segment[], depth: number = Number.POSITIVE_INFINITY): Value | undefined {
    const children = this.children(path);
    const own = this.get(path);
    if (children.length === 0) return own;
    if (depth === 0) return own === undefined ? {} : own;
    const values = children.map((child) => this.tree([...path, child], depth - 1)!);
    if (own === undefined && children.every((child, at) => child === at)) return values;
    return Object.fromEntries([
      ...(own === undefined ? [] : [['', own] as const]),
      ...children.map((child, at) => [nameOf(child), values[at]!] as const),
    ]);
  }

  scan({ prefix, start, end, after, reverse, limit }: Scan): Leaf[] {
    const order = comparePaths;
    const rows = this.below(prefix).filter(
      ([path]) =>
        (start === undefined || order(path, start) >= 0) &&
        (end === undefined || order(path, end) < 0) &&
        (after === undefined || (reverse ? order(path, after) < 0 : order(path, after) > 0)),
    );
    return (reverse ? rows.reverse() : rows).slice(0, limit);
  }
}

export interface Scan {
  readonly prefix: readonly Segment[];
  readonly start?: readonly Segment[];
  readonly end?: readonly Segment[];
  readonly after?: readonly Segment[];
  readonly reverse: boolean;
  readonly limit?: number;
}
