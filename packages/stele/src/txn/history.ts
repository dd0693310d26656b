/**
 * History of one key, newest first: every version that is kept, and the ends that expiry put to them.
 *
 * An expired version ends at its `expiresAt`, not when it was swept (spec/invariants.md rule 12). The walk follows back addresses and
 * stops where the kept past stops.
 *
 * Specification: spec/transactions.md, "History and changes".
 */

import {
  backCommitAt,
  backOrdinalAt,
  commitAt,
  ENTRY_EXPIRES,
  ENTRY_TOMBSTONE,
  expiresAt,
  flagsAt,
  isBackCarriedAt,
} from '../tree/entry.ts';
import type { Core } from './core.ts';
import { FOUND, MISS } from './core.ts';
import { Found, readVersion, settleValue, versionAt } from './lookup.ts';
import type { HistoryEntry } from './types.ts';

interface Version {
  readonly commit: number;
  readonly isDelete: boolean;
  readonly expiresAt: number;
  readonly value: Uint8Array | undefined;
  readonly backCommit: number;
  readonly backOrdinal: number;
  readonly backCarried: boolean;
}

/** `sees`: newest commit and time to report; `keptFrom`: commits before it are not claimed. Blocks on misses. */
export function* historyOf(
  core: Core,
  key: Uint8Array,
  sees: { commit: number; timeMs: number; keptFrom: number },
): Generator<HistoryEntry, undefined> {
  let version = newest(core, key);
  let endMs = Number.POSITIVE_INFINITY;
  while (version !== undefined) {
    const { commit, isDelete, expiresAt: expiry } = version;
    if (commit <= sees.commit) {
      const timeMs = core.timeOf(commit);
      // The expiry shows unless something newer ended the version before it.
      if (!isDelete && expiry !== 0 && expiry <= sees.timeMs && expiry <= endMs)
        yield { value: undefined, version: commit, timeMs: Math.max(expiry, timeMs), expired: true };
      yield { value: isDelete ? undefined : version.value, version: commit, timeMs, expired: false };
      endMs = timeMs;
      // The version seen at keptFrom is the last that is kept for certain.
      if (commit <= sees.keptFrom) return undefined;
    }
    // What it superseded may have been let go since this walk began.
    if (commit <= core.retention.keptFromOf(key, key.length, core.applied) && commit <= sees.commit) return undefined;
    version = older(core, version);
  }
  return undefined;
}

function newest(core: Core, key: Uint8Array): Version | undefined {
  const found = new Found();
  const { pages } = core;
  for (;;) {
    const location = core.tree.find(key, key.length);
    if (location === MISS) {
      core.missTree();
      core.fill();
      continue;
    }
    if (location < 0) return undefined;
    const flags = flagsAt(pages, location);
    const isDelete = (flags & ENTRY_TOMBSTONE) !== 0;
    const facts = {
      commit: commitAt(pages, location),
      isDelete,
      expiresAt: (flags & ENTRY_EXPIRES) === 0 ? 0 : expiresAt(pages, location),
      backCommit: backCommitAt(pages, location),
      backOrdinal: backOrdinalAt(pages, location),
      backCarried: isBackCarriedAt(pages, location),
    };
    if (isDelete) return { ...facts, value: undefined };
    if (versionAt(core, location, facts.commit, -1, found) !== FOUND) {
      core.fill();
      continue;
    }
    settleValue(core, found);
    return { ...facts, value: core.copyOf(found.bytes, found.start, found.end) };
  }
}

function older(core: Core, version: Version): Version | undefined {
  if (version.backCommit === 0) return undefined;
  while (readVersion(core, version.backCommit, version.backOrdinal, version.backCarried) === MISS) core.fill();
  const { operation } = core;
  const facts = {
    commit: operation.commit,
    isDelete: operation.isDelete,
    expiresAt: operation.expiresAt,
    backCommit: operation.backCommit,
    backOrdinal: operation.backOrdinal,
    backCarried: operation.backCarried,
  };
  if (operation.isDelete) return { ...facts, value: undefined };
  if (!operation.isLarge) return { ...facts, value: operation.value() };
  const value = new Uint8Array(operation.valueBytes);
  core.log.readLarge(operation, 0, value.length, value, 0);
  return { ...facts, value };
}
