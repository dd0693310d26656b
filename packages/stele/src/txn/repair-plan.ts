/**
 * From findings to a plan: which base, which stretch of the log on top of it, and what is lost.
 *
 * Bases, best first: the pages as they are · nothing, when the log goes back to commit 1 · the tree of a backup · the leaves that
 * verify. A base at commit b needs a run of the log that begins at or before b + 1 and goes to the log's end.
 *
 * Specification: spec/file-format.md, "Repair"; spec/invariants.md rule 21.
 */

import { SteleError } from '../base/errors.ts';
import { isAfter } from '../log/scanner.ts';
import { SEGMENT_HEADER_BYTES } from '../log/segment-header.ts';
import type { LogDamage, LogRun } from './log-scan.ts';
import type { Findings } from './repair-inspect.ts';

export type BaseKind = 'kept' | 'log' | 'backup' | 'leaves';

/** See the head of the file. */
export interface RepairPlan {
  readonly base: BaseKind;
  /** Commit of the base; the replay begins behind it. */
  readonly commit: number;
  /** The log that is replayed. */
  readonly run: LogRun;
  /** The log ends here from now on; undefined: it is not cut. */
  readonly cut: { readonly segment: number; readonly offset: number; readonly damage: LogDamage } | undefined;
  readonly lostCommits: { readonly first: number; readonly last: number } | undefined;
}

/**
 * @param backupCommit newest commit of the backup given, −1 for none.
 * @throws {SteleError} `corrupt` REPAIR_IMPOSSIBLE, or LOG_DAMAGED when commits would be lost and nobody agreed to that
 */
export function planRepair(findings: Findings, backupCommit: number, mayCut: boolean): RepairPlan {
  const { log, metas, pageDamages } = findings;
  const newest = metas[0];
  const last = log.runs.at(-1);
  if (last === undefined) throw impossible(findings, 'no commit of the log can be read');
  const whole = log.runs.find((run) => run.first === 1 && run.start.segment === 1 && run.start.offset === SEGMENT_HEADER_BYTES);
  const candidates: { base: BaseKind; commit: number; from: number }[] = [];
  const arePagesGood = newest !== undefined && pageDamages.length === 0;
  if (arePagesGood) candidates.push({ base: 'kept', commit: newest.commit, from: newest.commit });
  if (whole !== undefined) candidates.push({ base: 'log', commit: 0, from: 0 });
  if (backupCommit >= 0) candidates.push({ base: 'backup', commit: backupCommit, from: backupCommit });
  if (newest !== undefined && !arePagesGood) candidates.push({ base: 'leaves', commit: newest.commit, from: newest.commit });

  const runOf = (commit: number): LogRun | undefined => log.runs.find((run) => run.first <= commit + 1 && commit <= run.last);
  const end = log.damages.at(-1);
  for (const { base, commit } of candidates) {
    const run = runOf(commit);
    if (run === last && !log.isTailDamaged) return settle(base, commit, run, undefined, undefined);
  }
  // Every way to the end of the log passes through damage: only a shorter log is whole.
  let best: RepairPlan | undefined;
  for (const { base, commit } of candidates) {
    const run = runOf(commit);
    if (run === undefined || (best !== undefined && best.run.last >= run.last)) continue;
    const damage = log.damages.find((each) => !isAfter(run.end.segment, run.end.offset, each.segment, each.offset)) ?? end;
    if (damage === undefined) continue;
    const lastLost = Math.max(log.damages.at(-1)!.commits.last, last.last);
    best = settle(base, commit, run, { segment: run.end.segment, offset: run.end.offset, damage }, { first: run.last + 1, last: lastLost });
  }
  if (best === undefined) throw impossible(findings, 'no base reaches to a part of the log that can be read');
  if (mayCut) return best;
  const { damage } = best.cut!;
  throw new SteleError(
    'corrupt',
    'LOG_DAMAGED',
    `log segment ${damage.segment}, byte ${damage.offset}: ${damage.reason}; commits ${best.lostCommits!.first} to ${best.lostCommits!.last} would be lost: give a backup that has them, or agree with cutLogAt: 'damage'`,
    { detail: { ...damage, lostCommits: best.lostCommits } },
  );
}

/** Leaves are overlaid with all of the run, so that what lost leaves held and the log still has comes back. */
function settle(base: BaseKind, commit: number, run: LogRun, cut: RepairPlan['cut'], lostCommits: RepairPlan['lostCommits']): RepairPlan {
  return { base, commit: base === 'leaves' ? run.first - 1 : commit, run, cut, lostCommits };
}

function impossible(findings: Findings, why: string): SteleError {
  return new SteleError('corrupt', 'REPAIR_IMPOSSIBLE', `the database cannot be rebuilt: ${why}`, {
    detail: {
      runs: findings.log.runs.map(({ first, last }) => ({ first, last })),
      damages: findings.log.damages,
      commit: findings.metas[0]?.commit,
    },
  });
}
