/**
 * Trees as values: a subtree of paths as one nested object, and back.
 *
 * Children 0, 1, 2, … of a path without a value make an array; every other set of children an object whose keys are segments in the text
 * grammar (`name`, `#42`, `0x00ff`). The value at an inner path stands under the key '', which no segment can be. Empty objects and arrays
 * are values, not trees. A member whose name is not the canonical text of a segment is refused: `C:\\x`
 * would come back as `C:x`.
 *
 * Invariants
 * - `nestTree(flattenTree(tree))` is `tree` but for the order of members, for every tree that is taken; only objects of nothing but `#0` to
 *   `#n` come back as arrays, and those of nothing but `''` as its value.
 * - `flattenTree(nestTree(rows))` is `rows` where no value without children is an object or array with members: such a value becomes a
 *   subtree, which reads the same as a tree.
 *
 * Specification: spec/model.md, "Trees".
 */

import { SteleError } from '../base/errors.ts';
import { describe, SEGMENTS_MAX } from './path/layout.ts';
import { formatPath, formatSegment, parseSegment } from './path/text.ts';
import type { Segment } from './path/types.ts';
import { isPlainArray, isPlainObject } from './value/kinds.ts';
import type { Value } from './value/types.ts';

/** One value of a tree; `path` is relative to the tree's root. */
export interface Leaf {
  readonly path: readonly Segment[];
  readonly value: Value;
}

interface Node {
  own: Value | undefined;
  children: Map<string, { readonly segment: Segment; readonly node: Node }>;
}

const newNode = (): Node => ({ own: undefined, children: new Map() });

/** Builds the nested value; undefined when there is no leaf. Cost: O(values). */
export function nestTree(leaves: Iterable<Leaf>): Value | undefined {
  const root = newNode();
  let count = 0;
  for (const { path, value } of leaves) {
    let node = root;
    for (const segment of path) node = childOf(node, segment);
    node.own = value;
    count++;
  }
  return count === 0 ? undefined : valueFrom(root);
}

function childOf(node: Node, segment: Segment): Node {
  const name = formatSegment(segment);
  let child = node.children.get(name);
  if (child === undefined) {
    child = { segment, node: newNode() };
    node.children.set(name, child);
  }
  return child.node;
}

function valueFrom({ own, children }: Node): Value {
  if (children.size === 0) return own!;
  if (own === undefined && isSequence(children)) return [...children.values()].map(({ node }) => valueFrom(node));
  const object: Record<string, Value> = {};
  if (own !== undefined) object[''] = own;
  for (const [name, { node }] of children) {
    // An own member, whatever the name: '__proto__' too.
    Object.defineProperty(object, name, { value: valueFrom(node), enumerable: true, configurable: true, writable: true });
  }
  return object;
}

/** Children come in path order, so counting along is enough. */
function isSequence(children: Node['children']): boolean {
  let next = 0;
  for (const { segment } of children.values()) if (segment !== next++) return false;
  return true;
}

/**
 * The leaves of a nested value, in its own order.
 *
 * @throws {SteleError} `invalid` VALUE_INVALID naming the place: undefined members, cycles, more than 64 levels; PATH_INVALID for a member's name
 */
export function flattenTree(tree: Value | object): Leaf[] {
  const leaves: Leaf[] = [];
  flattenInto(tree as Value, [], [], leaves);
  return leaves;
}

function flattenInto(value: Value, path: readonly Segment[], above: readonly object[], leaves: Leaf[]): void {
  if (value === undefined) throw refused(path, 'undefined', 'a value; leave the member out');
  if (!isTree(value)) {
    leaves.push({ path, value });
    return;
  }
  if (above.includes(value)) throw refused(path, 'an object that contains itself', 'a tree');
  if (path.length >= SEGMENTS_MAX) throw refused(path.slice(0, 3), `more than ${SEGMENTS_MAX} levels`, `at most ${SEGMENTS_MAX}`);
  const within = [...above, value];
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) flattenInto(value[at], [...path, at], within, leaves);
    return;
  }
  for (const [name, member] of Object.entries(value as Readonly<Record<string, Value>>)) {
    if (name === '') leaves.push({ path, value: member });
    else flattenInto(member, [...path, segmentOf(name, path)], within, leaves);
  }
}

/** Objects and arrays with members are trees; everything else is a value. */
function isTree(value: Value): value is Value & object {
  if (value === null || typeof value !== 'object') return false;
  if (isPlainArray(value)) return value.length > 0;
  return isPlainObject(value) && Object.keys(value).length > 0;
}

/** @throws {SteleError} `invalid` PATH_INVALID */
function segmentOf(name: string, path: readonly Segment[]): Segment {
  const segment = parseSegment(name);
  const canonical = formatSegment(segment);
  if (canonical === name) return segment;
  const expected = `${describe(canonical)}, or ${describe(formatSegment(name))} for this very text`;
  throw new SteleError(
    'invalid',
    'PATH_INVALID',
    `the tree has the member ${describe(name)} below ${path.length === 0 ? 'its root' : formatPath(path)}, expected ${expected}`,
  );
}

function refused(path: readonly Segment[], found: string, expected: string): SteleError {
  const where = path.length === 0 ? 'the tree' : `the tree at ${path.map((segment) => describe(segment)).join(', ')}`;
  return new SteleError('invalid', 'VALUE_INVALID', `${where} is ${found}, expected ${expected}`);
}
