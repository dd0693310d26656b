/**
 * Keys of derived data: 03, the number of the maintainer as a varint, and what the maintainer makes of the rest.
 *
 * No varint is the beginning of another, so the keys of a maintainer are one range.
 *
 * Specification: spec/policies.md, "Maintainers".
 */

import { varintBytes, writeVarint } from '../../base/varint.ts';

const LAYERS = 3;

export function derivedHead(id: number): Uint8Array {
  const head = new Uint8Array(1 + varintBytes(id));
  head[0] = LAYERS;
  writeVarint(head, 1, id);
  return head;
}

/** All keys of the maintainer. */
export function derivedRange(id: number): { start: Uint8Array; end: Uint8Array } {
  const start = derivedHead(id);
  const end = start.slice();
  // The last byte of a varint is below 0x80.
  end[end.length - 1]! += 1;
  return { start, end };
}
