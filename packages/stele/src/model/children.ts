/**
 * One level of the tree: the children of a path, whatever lies below them.
 *
 * The walk steps on while that leads to another child, and skips to the end of a child as soon as a step stayed inside it.
 *
 * Cost: at most two steps and one descent a child.
 * Specification: spec/paths.md, "Keys" (what lies at and below a path is one range).
 */

import type { Make, Reader, Walk } from '../txn/types.ts';
import { decodeSegment, segmentEnd } from './path/decode.ts';
import { KEY_BYTES_MAX } from './path/layout.ts';
import type { Segment } from './path/types.ts';
import { BEHIND, behind } from './place.ts';

export interface Level {
  /** Key of the path whose children are asked for. */
  readonly key: Uint8Array;
  /** Key of the child to begin behind. */
  readonly after: Uint8Array | undefined;
  readonly reverse: boolean;
  readonly limit: number;
}

/** The children, in order. Each iterator sees one view from its beginning. */
export function childrenOf(reader: Reader, level: Level): Iterator<Segment, undefined> {
  return new ChildWalk(reader, level);
}

class ChildWalk implements Iterator<Segment, undefined> {
  readonly #walk: Walk<Segment | undefined>;
  readonly #prefixBytes: number;
  readonly #reverse: boolean;
  #left: number;
  /** Key of the child given last, and room for the byte behind it. */
  readonly #child = new Uint8Array(KEY_BYTES_MAX + 1);
  #childBytes = 0;

  constructor(reader: Reader, level: Level) {
    this.#prefixBytes = level.key.length;
    this.#reverse = level.reverse;
    this.#left = level.limit;
    this.#walk = reader.walk({ ...bounds(level), reverse: level.reverse, values: false }, this.#make);
  }

  /** The child of an entry; undefined when it is the one given last. */
  readonly #make: Make<Segment | undefined> = (key, keyBytes) => {
    const child = this.#child;
    const known = this.#childBytes;
    if (known > 0 && keyBytes >= known && isBelow(key, keyBytes, child, known)) return undefined;
    const end = segmentEnd(key, this.#prefixBytes, keyBytes);
    for (let at = 0; at < end; at++) child[at] = key[at]!;
    this.#childBytes = end;
    return decodeSegment(key, this.#prefixBytes, end);
  };

  next(): IteratorResult<Segment, undefined> {
    if (this.#left <= 0) return this.return();
    for (;;) {
      const step = this.#walk.next();
      if (step.done === true) return step;
      if (step.value !== undefined) {
        this.#left--;
        return { done: false, value: step.value };
      }
      this.#child[this.#childBytes] = BEHIND;
      this.#walk.skipTo(this.#child, this.#reverse ? this.#childBytes : this.#childBytes + 1);
    }
  }

  return(): IteratorResult<Segment, undefined> {
    this.#left = 0;
    this.#walk.return();
    return { done: true, value: undefined };
  }
}

/** Is the key that of the child, or below it? 0xFF behind it would go on with an escaped zero, in another child. */
function isBelow(key: Uint8Array, keyBytes: number, child: Uint8Array, childBytes: number): boolean {
  for (let at = childBytes - 1; at >= 0; at--) if (key[at] !== child[at]) return false;
  return keyBytes === childBytes || key[childBytes] !== BEHIND;
}

function bounds({ key, after, reverse }: Level): { start: Uint8Array; end: Uint8Array } {
  // The value at the path itself is no child: the least key of a child has one byte more.
  const start = new Uint8Array(key.length + 1);
  start.set(key);
  const all = { start, end: behind(key) };
  if (after === undefined) return all;
  return reverse ? { start, end: after } : { start: behind(after), end: all.end };
}
