/**
 * Upper bounds for `Log.reserve`: what a record can take, before it is encoded.
 *
 * Sum {@link RECORD_BYTES_OVERHEAD}, {@link metaBytesBound}, and per operation {@link operationBytesBound}, per carried
 * version {@link carriedBytesBound}. Each is a little too large, never too small.
 */

import { ENTRY_BYTES } from './record-body.ts';
import { HEAD_BYTES, LARGE_BLOCK_BYTES } from './record-format.ts';

/** Head, part fields, the three counts at the end. */
export const RECORD_BYTES_OVERHEAD = HEAD_BYTES + 8 + 12;

/** Table entry, flags, expiry, back address, three lengths, payload offset. */
const ENTRY_OVERHEAD = ENTRY_BYTES + 1 + 6 + 7 + 5 + 7 + 7;

/** One put or delete. */
export function operationBytesBound(keyBytes: number, valueBytes: number, tableBytes: number): number {
  return ENTRY_OVERHEAD + 2 + keyBytes + tableBytes + valueBytes + largeBytes(valueBytes);
}

/** One carried version. */
export function carriedBytesBound(valueBytes: number, tableBytes: number): number {
  return ENTRY_OVERHEAD + 6 + tableBytes + valueBytes + largeBytes(valueBytes);
}

/** Meta chunks and asserted time. */
export function metaBytesBound(chunks: readonly Uint8Array[]): number {
  let bytes = 6 + 7;
  for (const chunk of chunks) bytes += 7 + chunk.length;
  return bytes;
}

function largeBytes(valueBytes: number): number {
  return valueBytes > LARGE_BLOCK_BYTES ? 4 * Math.ceil(valueBytes / LARGE_BLOCK_BYTES) : 0;
}
