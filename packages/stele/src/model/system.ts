/**
 * The system keyspace: keys the surface keeps for itself, encoded as paths with keyspace byte 1. No path of a program reaches them.
 *
 *   ['once', <idempotency key>]        once.ts
 *   ['policy', …]                      policy/
 *
 * Specification: spec/model.md, "System keys".
 */

import { encodePath } from './path/encode.ts';
import { KEY_BYTES_MAX } from './path/layout.ts';
import type { Segment } from './path/types.ts';

export const KEYSPACE_SYSTEM = 1;

export function encodeSystemKey(segments: readonly Segment[]): Uint8Array {
  const key = new Uint8Array(KEY_BYTES_MAX);
  const end = encodePath(segments, key, 0);
  key[0] = KEYSPACE_SYSTEM;
  return key.slice(0, end);
}
