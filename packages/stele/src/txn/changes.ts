/**
 * The commit stream: whole commits in order, read from the log.
 *
 * Only durable commits are given out. What retention let go is HISTORY_EXPIRED: a reader that fell behind must start
 * from a snapshot, never silently skip. What is damaged is `corrupt`, naming the segment (spec/invariants.md rule 21).
 *
 * Specification: spec/transactions.md, "History and changes".
 */

import { SteleError } from '../base/errors.ts';
import type { CommitView } from '../log/commit-view.ts';
import { OperationView } from '../log/operation-view.ts';
import type { Core } from './core.ts';
import { MISS } from './core.ts';
import type { Change, ChangeOperation, CommitRecord } from './types.ts';

/** A stretch of the log is read at once and given out commit by commit, so that an abandoned reader holds nothing. */
const STRETCH_COMMITS = 64;
const STRETCH_BYTES = 1024 * 1024;

/**
 * Commits after `from` to `through`, oldest first; never more than are handed to the kernel. Default: what is durable now.
 *
 * @throws {SteleError} `invalid` HISTORY_EXPIRED before the first when one of them is no longer kept; `corrupt` in the place of one that is lost
 */
export function* changesAfter(core: Core, from: number, limit?: number): Generator<Change, undefined> {
  const through = limit === undefined ? core.durable : Math.min(limit, core.status === 'failed' ? core.durable : core.visible);
  if (from < through && !core.segments.hasAllFrom(from + 1)) {
    // Segments go in any order, so what is next to `from` may be there, and what is behind that not.
    const hole = core.segments.newestMissing(from + 1);
    const error = hole === 0 ? undefined : gone(core, hole);
    if (error?.kind === 'invalid') throw error;
  }
  for (let last = from; last < through; ) {
    core.assertReadable();
    const stretch = readStretch(core, last + 1, through);
    for (const change of stretch) {
      last = change.version;
      yield change;
    }
  }
  return undefined;
}

/** Some commits from `first` on, at least one. @throws {SteleError} `invalid` HISTORY_EXPIRED; `corrupt` */
function readStretch(core: Core, first: number, through: number): Change[] {
  if (!core.segments.has(first)) throw gone(core, first);
  while (core.locate(first) === MISS) core.fill();
  const commits = core.log.commits(core.index.segment, core.index.offset, first, through);
  const operation = new OperationView();
  const changes: Change[] = [];
  let bytes = 0;
  for (let next = first; next <= through && changes.length < STRETCH_COMMITS && bytes < STRETCH_BYTES; next++) {
    if (!core.segments.has(next)) break;
    const view = commits.next();
    if (view === undefined || view.commit !== next) throw unreadable(core, next);
    const operations: ChangeOperation[] = [];
    while (view.next(operation)) {
      bytes += 64 + operation.valueBytes;
      operations.push({
        type: operation.isDelete ? 'delete' : 'put',
        key: operation.key(),
        value: operation.isDelete ? undefined : copyOfValue(core, operation),
        expiresAt: operation.expiresAt === 0 ? undefined : operation.expiresAt,
        previousVersion: operation.backCarried ? 0 : operation.backCommit,
      });
    }
    changes.push({
      version: next,
      timeMs: view.timeMs,
      assertedTimeMs: view.assertedTimeMs === 0 ? undefined : view.assertedTimeMs,
      meta: metaOf(view),
      operations,
    });
  }
  return changes;
}

/** What stands in the record of one applied commit. Blocks on misses; what is still in the log buffer is written first by the caller. */
export function recordOf(core: Core, version: number): CommitRecord {
  if (!core.segments.has(version)) throw gone(core, version);
  while (core.locate(version) === MISS) core.fill();
  const view = core.log.commits(core.index.segment, core.index.offset, version, version).next();
  if (view === undefined || view.commit !== version) throw unreadable(core, version);
  return {
    version,
    timeMs: view.timeMs,
    assertedTimeMs: view.assertedTimeMs === 0 ? undefined : view.assertedTimeMs,
    meta: metaOf(view),
    changed: view.operationCount,
    checksum: view.checksum,
  };
}

const NO_META: readonly Uint8Array[] = [];

function metaOf(view: CommitView): readonly Uint8Array[] {
  if (view.metaCount === 0) return NO_META;
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < view.metaCount; at++) chunks.push(view.meta(at));
  return chunks;
}

function copyOfValue(core: Core, operation: OperationView): Uint8Array {
  if (!operation.isLarge) return operation.value();
  const value = new Uint8Array(operation.valueBytes);
  core.log.readLarge(operation, 0, value.length, value, 0);
  return value;
}

/** Let go by retention, or lost: that the file is not there does not say which. */
function gone(core: Core, commit: number): SteleError {
  // A commit that begins in what is there may end in what is not.
  const isBegun = core.segments.holders(commit).length > 0;
  const lost = core.log.damagedSegments.find(
    ({ firstCommit, lastCommit }) => (isBegun ? firstCommit - 1 : firstCommit) <= commit && commit <= lastCommit,
  );
  if (lost !== undefined)
    return new SteleError(
      'corrupt',
      'SEGMENT_MISSING',
      `log segment ${lost.number} with the record of commit ${commit} is gone, or its header is damaged`,
      { detail: { segment: lost.number, commit, commits: { first: lost.firstCommit, last: lost.lastCommit } } },
    );
  return new SteleError(
    'invalid',
    'HISTORY_EXPIRED',
    `the record of commit ${commit} is no longer kept; read a snapshot and go on from its version`,
    { detail: { version: commit, durableVersion: core.durable } },
  );
}

function unreadable(core: Core, commit: number): SteleError {
  const { segment, offset } = core.index;
  return new SteleError(
    'corrupt',
    'RECORD_DAMAGED',
    `log segment ${segment}, byte ${offset}: the record of commit ${commit} is not there`,
    {
      detail: { segment, offset, commit },
    },
  );
}
