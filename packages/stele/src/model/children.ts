/**
 * One level of the tree: the children of a path, each found by one seek, whatever lies below them.
 *
 * Specification: spec/paths.md, "Keys" (what lies at and below a path is one range).
 */

import type { Reader } from '../txn/types.ts';
import { decodeSegment, segmentEnd } from './path/decode.ts';
import type { Segment } from './path/types.ts';
import { behind } from './place.ts';

export interface Level {
  /** Key of the path whose children are asked for. */
  readonly key: Uint8Array;
  /** Key of the child to begin behind. */
  readonly after: Uint8Array | undefined;
  readonly reverse: boolean;
  readonly limit: number;
}

/** The children, in order. The view is held from the first step until the walk ends or is abandoned. */
export function* childrenOf(hold: () => { readonly reader: Reader; close(): void }, level: Level): Generator<Segment, undefined> {
  const held = hold();
  try {
    let { start, end } = bounds(level);
    for (let left = level.limit; left > 0; left--) {
      const child = nextChild(held.reader, { start, end }, level);
      if (child === undefined) return undefined;
      if (level.reverse) end = child;
      else start = behind(child);
      yield decodeSegment(child, level.key.length, child.length);
    }
    return undefined;
  } finally {
    held.close();
  }
}

function bounds({ key, after, reverse }: Level): { start: Uint8Array; end: Uint8Array } {
  // The value at the path itself is no child: the least key of a child has one byte more.
  const start = new Uint8Array(key.length + 1);
  start.set(key);
  const all = { start, end: behind(key) };
  if (after === undefined) return all;
  return reverse ? { start, end: after } : { start: behind(after), end: all.end };
}

/** Key of the first (or last) child with anything in the range. */
function nextChild(reader: Reader, range: { start: Uint8Array; end: Uint8Array }, { key, reverse }: Level): Uint8Array | undefined {
  let child: Uint8Array | undefined;
  reader.forEach({ ...range, reverse, limit: 1, values: false }, (bytes, bytesLength) => {
    child = bytes.slice(0, segmentEnd(bytes, key.length, bytesLength));
  });
  return child;
}
