/**
 * Paths of the surface reference: compared segment by segment as spec/paths.md says it, nothing encoded.
 *
 * Programs write paths as text, so that they can be printed; here they become segments. A *point* is a place between paths: a path, perhaps
 * followed by FIRST (before everything below it) or LAST (behind everything below it).
 *
 * Specification: spec/paths.md, "Segments".
 */

import { parsePath } from '../../src/model/path/text.ts';
import type { Segment } from '../../src/model/types.ts';

export const FIRST: unique symbol = Symbol('before what is below');
export const LAST: unique symbol = Symbol('behind what is below');

export type Point = readonly (Segment | typeof FIRST | typeof LAST)[];

/** From `start` up to, without, `end`. */
export interface Stretch {
  readonly start: Point;
  readonly end: Point;
}

const parsed = new Map<string, readonly Segment[]>();

/** The segments of a text of the grammar. */
export function segments(text: string): readonly Segment[] {
  let path = parsed.get(text);
  if (path === undefined) parsed.set(text, (path = Object.freeze(parsePath(text))));
  return path;
}

/** A text that no other path has. */
export function nameOf(path: readonly Segment[]): string {
  let name = '';
  for (const segment of path) {
    if (typeof segment === 'string') name += `t${JSON.stringify(segment)}`;
    else if (segment instanceof Uint8Array) name += `b${segment.join()}`;
    else if (typeof segment === 'boolean') name += segment ? '+' : '-';
    else name += `n${String(segment)}`;
    name += '/';
  }
  return name;
}

export function isWithin(path: Point, prefix: readonly Segment[]): boolean {
  if (path.length < prefix.length) return false;
  for (let at = 0; at < prefix.length; at++) if (compareSteps(path[at]!, prefix[at]!) !== 0) return false;
  return true;
}

/** All at and below a path. */
export function below(path: readonly Segment[]): Stretch {
  return { start: path, end: [...path, LAST] };
}

export function isIn(path: Point, { start, end }: Stretch): boolean {
  return comparePoints(path, start) >= 0 && comparePoints(path, end) < 0;
}

export function comparePoints(a: Point, b: Point): number {
  for (let at = 0; at < a.length && at < b.length; at++) {
    const order = compareSteps(a[at]!, b[at]!);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function rank(step: Point[number]): number {
  if (step === FIRST) return -1;
  if (step === LAST) return 9;
  if (typeof step === 'boolean') return step ? 1 : 0;
  if (typeof step === 'string') return 4;
  return typeof step === 'object' ? 3 : 2;
}

function compareSteps(a: Point[number], b: Point[number]): number {
  if (a === b) return 0;
  const kind = rank(a);
  if (kind !== rank(b)) return kind - rank(b);
  if (kind === 2) return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0;
  if (kind === 3) return Buffer.compare(a as Uint8Array, b as Uint8Array);
  return kind === 4 ? Buffer.compare(Buffer.from(a as string), Buffer.from(b as string)) : 0;
}
