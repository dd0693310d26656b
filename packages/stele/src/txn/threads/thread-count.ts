/**
 * Exact counts for threads.
 *
 * While the tree holds exactly the newest visible commit (`begun` = `visible`) and does not change meanwhile, a count is two ranks from
 * the live counts in inner pages, less what has expired and is not swept. When the owner is busy that moment may not come: after a few
 * tries the range is walked at a pinned view instead.
 *
 * Specification: spec/transactions.md, "Reading threads"; spec/invariants.md rules 18, 23.
 */

import { compareBytes } from '../../base/bytes.ts';
import { ENTRY_EXPIRES, expiresAt, flagsAt, LEAF_DEAD } from '../../tree/entry.ts';
import { recordAt, searchPage, slotCount } from '../../tree/page.ts';
import { NONE } from '../core.ts';
import type { KeyRange } from '../types.ts';
import { CHANGES, SWEPT } from './control.ts';
import { AGAIN, NOTHING, WalkTarget } from './descent.ts';
import type { ThreadLookup } from './lookup.ts';
import { ThreadScanner } from './thread-scanner.ts';

const TRIES = 32;
const BEYOND = new Uint8Array(0);

/** The count at (commit, time) if the tree is just that commit now and `timeMs` not before a sweep; else −1. */
export function countNow(lookup: ThreadLookup, commit: number, timeMs: number, range: KeyRange): number {
  const { memory } = lookup;
  const { control } = memory;
  lookup.begin();
  if (isEmpty(range)) return 0;
  for (let tries = 0; tries < TRIES; tries++) {
    const changes = Atomics.load(control, CHANGES);
    if (memory.begun() !== commit || timeMs < memory.cell(SWEPT)) return -1;
    if ((changes & 1) === 0) {
      const above = range.end === undefined ? rank(lookup, BEYOND, -1) : rank(lookup, range.end, range.end.length);
      const below = range.start === undefined ? 0 : rank(lookup, range.start, range.start.length);
      const expired = above < 0 || below < 0 ? -1 : expiredIn(lookup, timeMs, range);
      if (expired >= 0 && Atomics.load(control, CHANGES) === changes) {
        memory.counters.countsExact++;
        return above - below - expired;
      }
    }
    memory.counters.retries++;
  }
  return -1;
}

/** The count at a pinned (commit, time), by walking. */
export function countByWalk(lookup: ThreadLookup, commit: number, timeMs: number, range: KeyRange): number {
  lookup.memory.counters.countsByScan++;
  if (isEmpty(range)) return 0;
  const scanner = new ThreadScanner(lookup, commit, timeMs, range, false);
  let count = 0;
  while (scanner.step() !== NONE) count++;
  return count;
}

function isEmpty({ start, end }: KeyRange): boolean {
  return start !== undefined && end !== undefined && compareBytes(start, 0, start.length, end, 0, end.length) >= 0;
}

/** Live entries below the key (keyBytes −1: all); −1 when the way down was disturbed. */
function rank(lookup: ThreadLookup, key: Uint8Array, keyBytes: number): number {
  const { descent } = lookup;
  const target = new WalkTarget();
  target.key = key;
  target.keyBytes = keyBytes;
  const state = descent.walk(target);
  if (state === AGAIN) return -1;
  if (state === NOTHING) return 0;
  const live = descent.liveBefore + descent.liveInLeaf(key, keyBytes);
  return descent.isUnchanged() ? live : -1;
}

/** Entries of the range expired at `timeMs` that still count as live; −1 when disturbed. */
function expiredIn(lookup: ThreadLookup, timeMs: number, { start, end }: KeyRange): number {
  const { descent } = lookup;
  const target = new WalkTarget();
  target.expiringBefore = timeMs;
  if (start !== undefined) {
    target.key = start;
    target.keyBytes = start.length;
  }
  let expired = 0;
  for (;;) {
    const state = descent.walk(target);
    if (state === AGAIN || (state !== NOTHING && !descent.copyLeaf())) return -1;
    if (state !== NOTHING) {
      const { pages, base } = descent;
      let at = start === undefined ? 0 : positionOf(pages, base, start);
      const to = end === undefined ? slotCount(pages, base) : positionOf(pages, base, end);
      for (; at < to; at++) {
        const location = recordAt(pages, base, at);
        const flags = flagsAt(pages, location);
        if ((flags & ENTRY_EXPIRES) !== 0 && (flags & LEAF_DEAD) === 0 && expiresAt(pages, location) <= timeMs) expired++;
      }
    }
    if (descent.upperBytes < 0) return expired;
    if (end !== undefined && compareBytes(descent.upper, 0, descent.upperBytes, end, 0, end.length) >= 0) return expired;
    target.key = descent.upper.slice(0, descent.upperBytes);
    target.keyBytes = descent.upperBytes;
  }
}

function positionOf(pages: Parameters<typeof searchPage>[0], base: number, key: Uint8Array): number {
  const found = searchPage(pages, base, key, key.length, 0, 0);
  return found < 0 ? ~found : found;
}
