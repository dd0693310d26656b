/**
 * Exact counts at every view.
 *
 * The newest state: two ranks from the live counts in inner nodes, less what has expired and is not swept yet (found through
 * the expiry bounds, so only children with an expiry in the past are visited). Older views: walk the range, or take the
 * newest count and undo what the commits since did to it, whichever is less work.
 *
 * Specification: spec/transactions.md, "Views".
 */

import { compareBytes } from '../base/bytes.ts';
import { OperationView } from '../log/operation-view.ts';
import { ENTRY_EXPIRES, ENTRY_SWEPT, ENTRY_TOMBSTONE, expiresAt, flagsAt } from '../tree/entry.ts';
import type { Core } from './core.ts';
import { FOUND, MISS, NONE } from './core.ts';
import { Found, lookup } from './lookup.ts';
import { KEY_BYTES_MAX } from './options.ts';
import { textOf } from './read-set.ts';
import { beginScan, type Sight } from './scanner.ts';
import type { KeyRange } from './types.ts';

/** Entries of the range seen at the sight. Blocks on misses. */
export function countAt(core: Core, sight: Sight, range: KeyRange): number {
  if (isEmpty(range)) return 0;
  if (sight.commit === core.applied && !core.isApplying && sight.timeMs >= core.sweptTimeMs) {
    return liveIn(core, range) - expiredIn(core, range, sight.timeMs);
  }
  if (sight.claim === undefined && !core.isApplying && sight.timeMs >= core.sweptTimeMs) {
    const since = core.applied - sight.commit;
    // A segment of which nothing is kept may go while a view is open: then nothing tells what its commits did.
    const isTold = core.segments.hasAllFrom(sight.commit + 1);
    if (isTold && since < 10_000 && since * 4 < liveIn(core, range)) return countByUndo(core, sight, range);
  }
  return countByScan(core, sight, range);
}

function isEmpty({ start, end }: KeyRange): boolean {
  return start !== undefined && end !== undefined && compareBytes(start, 0, start.length, end, 0, end.length) >= 0;
}

/** Entries that count as live in the tree, expired ones included. */
export function liveIn(core: Core, { start, end }: KeyRange): number {
  const above = end === undefined ? core.tree.liveCount : rankOf(core, end);
  return start === undefined ? above : above - rankOf(core, start);
}

/**
 * Key of the n-th live entry of the range in the newest state, by the live counts alone. Undefined: not answerable so, because
 * something is half applied, or an entry of the range has expired and is not swept; or there is none.
 */
export function nthLive(core: Core, sight: Sight, range: KeyRange, n: number): Uint8Array | undefined {
  if (core.isApplying || isEmpty(range) || n >= liveIn(core, range) || expiredIn(core, range, sight.timeMs) > 0) return undefined;
  const at = n + (range.start === undefined ? 0 : rankOf(core, range.start));
  const cursor = core.tree.cursor();
  for (;;) {
    const moved = cursor.seekLive(at);
    if (moved === FOUND) break;
    if (moved !== MISS) return undefined;
    core.missTree();
    core.fill();
  }
  const key = new Uint8Array(KEY_BYTES_MAX);
  return key.slice(0, cursor.keyInto(key));
}

function rankOf(core: Core, key: Uint8Array): number {
  for (;;) {
    const rank = core.tree.rank(key, key.length);
    if (rank !== MISS) return rank;
    core.missTree();
    core.fill();
  }
}

/** Entries expired at `timeMs` that still count as live. */
function expiredIn(core: Core, range: KeyRange, timeMs: number): number {
  const cursor = core.tree.cursor();
  const key = new Uint8Array(KEY_BYTES_MAX);
  cursor.setOptions({ expiringBefore: timeMs });
  let expired = 0;
  let first = true;
  for (;;) {
    const moved = !first ? cursor.next() : range.start === undefined ? cursor.seekFirst() : cursor.seek(range.start, range.start.length);
    if (moved === MISS) {
      core.missTree();
      core.fill();
      continue;
    }
    first = false;
    if (moved !== FOUND) return expired;
    if (range.end !== undefined && compareBytes(key, 0, cursor.keyInto(key), range.end, 0, range.end.length) >= 0) return expired;
    const flags = flagsAt(core.pages, cursor.location);
    if (
      (flags & ENTRY_EXPIRES) !== 0 &&
      (flags & (ENTRY_TOMBSTONE | ENTRY_SWEPT)) === 0 &&
      expiresAt(core.pages, cursor.location) <= timeMs
    )
      expired++;
    cursor.save();
  }
}

function countByScan(core: Core, sight: Sight, range: KeyRange): number {
  const scanner = beginScan(core, sight, range, false);
  try {
    for (let count = 0; ; ) {
      const state = scanner.step();
      if (state === FOUND) count++;
      else if (state === NONE) return count;
      else core.fill();
    }
  } finally {
    scanner.end();
  }
}

/** Newest count, corrected for every key of the range written since. */
function countByUndo(core: Core, sight: Sight, range: KeyRange): number {
  let count = liveIn(core, range) - expiredIn(core, range, sight.timeMs);
  const touched = new Map<string, Uint8Array>();
  while (core.locate(sight.commit + 1) === MISS) core.fill();
  core.group.writeNow();
  const commits = core.log.commits(core.index.segment, core.index.offset, sight.commit + 1, core.applied);
  const operation = new OperationView();
  for (let view = commits.next(); view !== undefined; view = commits.next()) {
    while (view.next(operation)) {
      const { bytes, keyStart, keyEnd } = operation;
      if (range.start !== undefined && compareBytes(bytes, keyStart, keyEnd, range.start, 0, range.start.length) < 0) continue;
      if (range.end !== undefined && compareBytes(bytes, keyStart, keyEnd, range.end, 0, range.end.length) >= 0) continue;
      const key = operation.key();
      touched.set(textOf(key, key.length), key);
    }
  }
  const found = new Found();
  for (const key of touched.values()) {
    // Counted above as of the sight's time; so ask the newest state at that same time.
    if (isSeen(core, key, core.applied, sight.timeMs, found)) count--;
    if (isSeen(core, key, sight.commit, sight.timeMs, found)) count++;
  }
  return count;
}

function isSeen(core: Core, key: Uint8Array, commit: number, timeMs: number, found: Found): boolean {
  for (;;) {
    const state = lookup(core, key, key.length, commit, timeMs, undefined, found);
    if (state !== MISS) return state === FOUND;
    core.fill();
  }
}
