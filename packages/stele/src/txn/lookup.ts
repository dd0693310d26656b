/**
 * Lookup: one key at one (commit, time).
 *
 * The tree holds the newest version of each key; older ones are reached through back addresses and version tables in the
 * log. Everything here gives MISS instead of blocking; see core.ts.
 *
 * Invariants
 * - An entry written after the commit is never looked at for its value, only for its past.
 * - Expired means `expiresAt` ≤ time; an expired version is absent, and nothing older shines through.
 * - A key outside the claim of a view of the past is HISTORY_EXPIRED, never a guess.
 *
 * Specification: spec/transactions.md, "Views".
 */

import { SteleError } from '../base/errors.ts';
import type { OperationView } from '../log/operation-view.ts';
import {
  backCommitAt,
  backOrdinalAt,
  commitAt,
  ENTRY_EXPIRES,
  ENTRY_LARGE,
  ENTRY_TOMBSTONE,
  expiresAt,
  firstCommitAt,
  flagsAt,
  isBackCarriedAt,
  LARGE_IN_PAGES,
  largeBytesAt,
  largeFirstPageAt,
  largeKindAt,
  largePagesAt,
  ordinalAt,
  type PageViews,
  spineBytesAt,
  spineStartAt,
  valueBytesAt,
  valueStartAt,
} from '../tree/entry.ts';
import type { Core } from './core.ts';
import { FOUND, MISS, NONE } from './core.ts';
import type { KeptClaim } from './retention.ts';
import { isKept } from './retention.ts';
import { SpineAnswer, searchSpine } from './spine.ts';

const NOTHING = new Uint8Array(0);

/** Where a found version's value is. */
export type ValuePlace = 'bytes' | 'pages' | 'log';

/** A found version: the value in place where it is small, its address where it is large. Reused; good until the next read. */
export class Found {
  commit = 0;
  /** ms, 0 = never. */
  expiresAt = 0;
  place: ValuePlace = 'bytes';
  /** 'bytes': the value is bytes[start, end). */
  bytes: Uint8Array = NOTHING;
  start = 0;
  end = 0;
  /** 'pages': the overflow run; 'log': the operation in {@link operation}. */
  valueBytes = 0;
  firstPage = 0;
  pages = 0;
  operation: OperationView | undefined;
}

/**
 * What reading a version takes: views over the page that holds the entry, and the log behind them. The core is one; a reading
 * thread has its own (threads/versions.ts).
 */
export interface VersionSource {
  readonly pages: PageViews;
  readonly operation: OperationView;
  /** Filled by {@link locate}. */
  readonly index: { readonly segment: number; readonly offset: number };
  readonly log: {
    readOperation(segment: number, offset: number, commit: number, ordinal: number, carried: boolean, into: OperationView): number;
  };
  locate(commit: number): number;
  missLog(): number;
}

/** The key's version at (commit, time): FOUND with `found` filled, NONE, or MISS. `claim`: of a view of the past. */
export function lookup(
  core: Core,
  key: Uint8Array,
  keyBytes: number,
  commit: number,
  timeMs: number,
  claim: KeptClaim | undefined,
  found: Found,
): number {
  if (claim !== undefined && !isKept(claim, key, keyBytes, commit, timeMs)) throw historyExpired(key, keyBytes, commit);
  const location = core.tree.find(key, keyBytes);
  if (location < 0) return location === MISS ? core.missTree() : NONE;
  return versionAt(core, location, commit, timeMs, found);
}

/** The version of the entry at `location` that is seen at (commit, time). */
export function versionAt(core: VersionSource, location: number, commit: number, timeMs: number, found: Found): number {
  const { pages } = core;
  if (commitAt(pages, location) > commit) return olderVersion(core, location, commit, timeMs, found);
  const flags = flagsAt(pages, location);
  if ((flags & ENTRY_TOMBSTONE) !== 0) return NONE;
  found.expiresAt = 0;
  if ((flags & ENTRY_EXPIRES) !== 0) {
    found.expiresAt = expiresAt(pages, location);
    if (found.expiresAt <= timeMs) return NONE;
  }
  found.commit = commitAt(pages, location);
  if ((flags & ENTRY_LARGE) !== 0) return largeVersion(core, location, found);
  found.place = 'bytes';
  found.bytes = pages.u8;
  found.start = valueStartAt(pages, location);
  found.end = found.start + valueBytesAt(pages, location);
  return FOUND;
}

function largeVersion(core: VersionSource, location: number, found: Found): number {
  const { pages } = core;
  if (largeKindAt(pages, location) === LARGE_IN_PAGES) {
    found.place = 'pages';
    found.valueBytes = largeBytesAt(pages, location);
    found.firstPage = largeFirstPageAt(pages, location);
    found.pages = largePagesAt(pages, location);
    return FOUND;
  }
  const state = readVersion(core, found.commit, ordinalAt(pages, location), false);
  return state === MISS ? MISS : operationFound(core.operation, found);
}

/** Reads the operation (or carried version) at an address into `core.operation`: FOUND or MISS. */
export function readVersion(core: VersionSource, commit: number, ordinal: number, carried: boolean): number {
  if (core.locate(commit) === MISS) return MISS;
  const state = core.log.readOperation(core.index.segment, core.index.offset, commit, ordinal, carried, core.operation);
  return state === MISS ? core.missLog() : FOUND;
}

function operationFound(operation: OperationView, found: Found): number {
  found.commit = operation.commit;
  found.expiresAt = operation.expiresAt;
  if (operation.isLarge) {
    found.place = 'log';
    found.operation = operation;
    found.valueBytes = operation.valueBytes;
  } else {
    found.place = 'bytes';
    found.bytes = operation.bytes;
    found.start = operation.valueStart;
    found.end = operation.valueEnd;
  }
  return FOUND;
}

function olderVersion(core: VersionSource, location: number, commit: number, timeMs: number, found: Found): number {
  const { pages } = core;
  if (firstCommitAt(pages, location) > commit) return NONE;
  let next = backCommitAt(pages, location);
  let ordinal = backOrdinalAt(pages, location);
  let carried = isBackCarriedAt(pages, location);
  const spineBytes = spineBytesAt(pages, location);
  if (spineBytes > 0) {
    const start = spineStartAt(pages, location);
    const answer = searchSpine(
      pages.u8,
      start,
      start + spineBytes,
      commitAt(pages, location),
      ordinalAt(pages, location),
      commit,
      (addressCommit, ordinalThere, isCarried) =>
        readVersion(core, addressCommit, ordinalThere, isCarried) === MISS ? undefined : core.operation,
      new SpineAnswer(),
    );
    if (answer === undefined) return MISS;
    next = answer.addressCommit;
    ordinal = answer.ordinal;
    carried = answer.carried;
  }
  const { operation } = core;
  for (;;) {
    if (next === 0) return NONE;
    if (readVersion(core, next, ordinal, carried) === MISS) return MISS;
    if (operation.commit <= commit) break;
    next = operation.backCommit;
    ordinal = operation.backOrdinal;
    carried = operation.backCarried;
  }
  if (operation.isDelete) return NONE;
  if (operation.expiresAt !== 0 && operation.expiresAt <= timeMs) return NONE;
  return operationFound(operation, found);
}

/** The value as bytes in place: itself when small, a fresh copy when large. Sets bytes, start, end. Blocks on cold large values. */
export function settleValue(core: Core, found: Found): void {
  if (found.place === 'bytes') return;
  const value = new Uint8Array(found.valueBytes);
  if (found.place === 'pages') core.pages.readOverflow(found.firstPage, found.pages, 0, found.valueBytes, value, 0, found.commit);
  else core.log.readLarge(found.operation!, 0, found.valueBytes, value, 0);
  found.place = 'bytes';
  found.bytes = value;
  found.start = 0;
  found.end = value.length;
}

/** @returns the error for a key not kept at `commit` */
export function historyExpired(key: Uint8Array, keyBytes: number, commit: number): SteleError {
  return new SteleError('invalid', 'HISTORY_EXPIRED', `version ${commit} of this key is outside what is kept`, {
    detail: { key: key.slice(0, keyBytes), version: commit },
  });
}
