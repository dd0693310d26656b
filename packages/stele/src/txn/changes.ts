/**
 * The commit stream: whole commits in order, read from the log.
 *
 * Only durable commits are given out. What the log no longer holds is HISTORY_EXPIRED: a reader that fell behind must start
 * from a snapshot, never silently skip.
 *
 * Specification: spec/transactions.md, "Changes".
 */

import { SteleError } from '../base/errors.ts';
import { OperationView } from '../log/operation-view.ts';
import type { Core } from './core.ts';
import { MISS } from './core.ts';
import type { Change, ChangeOperation } from './types.ts';

/** Commits after `from` that are durable now, oldest first. */
export function* changesAfter(core: Core, from: number): Generator<Change, undefined> {
  const through = core.durable;
  if (from >= through) return undefined;
  for (let commit = from + 1; commit <= Math.min(from + 1, through); commit++) {
    if (!core.segments.has(commit)) throw gone(core, commit);
  }
  while (core.locate(from + 1) === MISS) core.fill();
  core.segmentPins++;
  try {
    const commits = core.log.commits(core.index.segment, core.index.offset, from + 1, through);
    const operation = new OperationView();
    for (let next = from + 1; next <= through; next++) {
      if (!core.segments.has(next)) throw gone(core, next);
      const view = commits.next();
      if (view === undefined || view.commit !== next) throw gone(core, next);
      const operations: ChangeOperation[] = [];
      while (view.next(operation)) {
        operations.push({
          type: operation.isDelete ? 'delete' : 'put',
          key: operation.key(),
          value: operation.isDelete ? undefined : copyOfValue(core, operation),
          expiresAt: operation.expiresAt === 0 ? undefined : operation.expiresAt,
          previousVersion: operation.backCarried ? 0 : operation.backCommit,
        });
      }
      core.assertReadable();
      yield { version: next, timeMs: view.timeMs, assertedTimeMs: view.assertedTimeMs === 0 ? undefined : view.assertedTimeMs, operations };
    }
  } finally {
    core.segmentPins--;
  }
  return undefined;
}

function copyOfValue(core: Core, operation: OperationView): Uint8Array {
  if (!operation.isLarge) return operation.value();
  const value = new Uint8Array(operation.valueBytes);
  core.log.readLarge(operation, 0, value.length, value, 0);
  return value;
}

function gone(core: Core, commit: number): SteleError {
  return new SteleError(
    'invalid',
    'HISTORY_EXPIRED',
    `the record of commit ${commit} is no longer kept; read a snapshot and go on from its version`,
    { detail: { version: commit, durableVersion: core.durable } },
  );
}
