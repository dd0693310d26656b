/**
 * Commit stamps: a segment of a path that becomes the number of the commit it is written in.
 *
 *   stamp = version × 2^17 + index        index: the how-manieth stamp of the commit, from 0
 *
 * So stamped paths sort by commit, and within it in the order they were written; a batch has at most 100,000 operations, fewer than 2^17.
 * The segment is a number up to version 2^36, a bigint above: one kind, ordered by value.
 *
 * Specification: spec/model.md, "Commit stamps".
 */

import { SteleError } from '../base/errors.ts';
import type { Segment } from './path/types.ts';
import type { CommitStamp, WritePath } from './types.ts';

const INDEX_BITS = 17;
const INDEX_END = 2 ** INDEX_BITS;
const STAMP: CommitStamp = Object.freeze({ stamp: 'commit' });

/**
 * A segment that becomes (version, index) of the commit that writes it.
 *
 * @example
 * await db.put(['events', commitStamp()], 'first');
 * await db.put(['events', commitStamp()], 'second'); // behind the first, whoever writes it
 */
export function commitStamp(): CommitStamp {
  return STAMP;
}

/** Version and index of a stamp that was read back. @throws {SteleError} `invalid` PATH_INVALID for what is no stamp */
export function parseCommitStamp(segment: Segment): { version: number; index: number } {
  if (typeof segment === 'bigint' ? segment < 0n : !Number.isSafeInteger(segment) || (segment as number) < 0)
    throw new SteleError('invalid', 'PATH_INVALID', `commit stamp: found ${String(segment)}, expected a whole number from 0`);
  const stamp = BigInt(segment as number | bigint);
  return { version: Number(stamp >> BigInt(INDEX_BITS)), index: Number(stamp & BigInt(INDEX_END - 1)) };
}

export function isStamped(path: WritePath): boolean {
  if (typeof path === 'string' || !Array.isArray(path)) return false;
  for (let at = 0; at < path.length; at++) if (path[at] === STAMP) return true;
  return false;
}

/** The path with its stamp filled in. @throws {SteleError} `invalid` PATH_INVALID for a second stamp, BATCH_TOO_LARGE */
export function stamped(path: WritePath, version: number, index: number): readonly Segment[] {
  if (index >= INDEX_END) throw new SteleError('invalid', 'BATCH_TOO_LARGE', `more than ${INDEX_END} commit stamps in one commit`);
  const stamp = BigInt(version) * BigInt(INDEX_END) + BigInt(index);
  let found = 0;
  const segments = (path as readonly (Segment | CommitStamp)[]).map((segment): Segment => {
    if (segment !== STAMP) return segment as Segment;
    found++;
    return stamp;
  });
  if (found !== 1) throw new SteleError('invalid', 'PATH_INVALID', `path: found ${found} commit stamps, expected one`);
  return segments;
}
