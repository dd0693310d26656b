/**
 * Marks: records between commits. Clean close (empty body), kept ranges (opaque body of the engine).
 *
 *   head 26 (kind, flags 0, commit number = newest whole commit before it), then the body
 *
 * A mark is part of the chain. Specification: spec/log-format.md, "Marks".
 */

import { copyBytes, writeU32 } from '../base/bytes.ts';
import type { Crc32 } from '../base/crc32.ts';
import { encodeHead, encodeTime, HEAD_BYTES } from './record-format.ts';

/** Longest body of a mark. */
export const MARK_BYTES_MAX = 8 * 1024 * 1024;

/** Writes a mark at `at` and returns its checksum; `seed` is that of its place. */
export function encodeMark(
  bytes: Uint8Array,
  at: number,
  chain: number,
  kind: number,
  commit: number,
  timeMs: number,
  body: Uint8Array,
  seed: number,
  checksum: Crc32,
): number {
  const length = HEAD_BYTES + body.length;
  encodeHead(bytes, at, chain, length, kind, 0, commit);
  encodeTime(bytes, at, timeMs);
  copyBytes(body, 0, body.length, bytes, at + HEAD_BYTES);
  const found = checksum(bytes, at + 4, at + length, seed);
  writeU32(bytes, at, found);
  return found;
}
