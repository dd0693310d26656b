/**
 * Verification: reads everything that is there and says what is wrong with it.
 *
 * The tree is walked leaf by leaf (order, bounds, counts, summaries; the pager checks checksums as it loads), and the log
 * commit by commit over every segment that is kept (checksums, chain, canonical order, index). Damage is reported, not
 * thrown, so that one bad page does not hide the next.
 *
 * Specification: spec/invariants.md; engine.md rule 21.
 */

import { SteleError } from '../base/errors.ts';
import { OperationView } from '../log/operation-view.ts';
import { FOUND as MORE, MISS as TREE_MISS } from '../tree/results.ts';
import { TreeVerifier } from '../tree/verify.ts';
import type { Core } from './core.ts';
import { MISS } from './core.ts';
import { Slices } from './slices.ts';
import type { Damage, Engine, VerifyReport } from './types.ts';

const DAMAGES_MAX = 1000;

/** Cost: one pass over the tree and the kept log, in slices of 1 ms. */
export async function verifyCore(core: Core, options: NonNullable<Parameters<Engine['verify']>[0]>): Promise<VerifyReport> {
  const damages: Damage[] = [];
  const report = (damage: Damage): void => {
    if (damages.length < DAMAGES_MAX) damages.push(damage);
  };
  const total = Math.max(1, core.tree.leafCount) + core.segments.list.length;
  let done = 0;
  const slices = new Slices(core, options.signal);

  const verifier = new TreeVerifier(core.tree, (fault) =>
    report({ where: 'page', message: fault.message, detail: { lpn: fault.lpn, level: fault.level } }),
  );
  for (let state = MORE; state === MORE || state === TREE_MISS; ) {
    try {
      state = verifier.step(8);
      if (state === TREE_MISS) {
        core.missTree();
        core.fill();
      }
    } catch (error) {
      report(damageOf('page', error));
      break;
    }
    done = verifier.leaves;
    if (await slices.pause()) options.progress?.(done, total);
  }

  let commits = 0;
  let logBytes = 0;
  for (const run of runsOf(core)) {
    logBytes += run.bytes;
    commits += await verifyRun(core, run, slices, report);
    options.progress?.(++done, total);
  }
  return { ok: damages.length === 0, pages: verifier.pages, entries: verifier.entries, commits, logBytes, damages };
}

interface Run {
  readonly firstCommit: number;
  readonly lastCommit: number;
  readonly bytes: number;
}

/** Stretches of commits whose segments follow one another. */
function runsOf(core: Core): Run[] {
  const runs: { firstCommit: number; lastCommit: number; bytes: number }[] = [];
  let before = -1;
  for (const segment of core.segments.list) {
    // A sealed segment may end in parts of a commit that was given up.
    const last = segment.sealed ? Math.min(segment.lastCommit, core.group.written) : core.group.written;
    const run = runs.at(-1);
    if (run !== undefined && before + 1 === segment.number) {
      run.lastCommit = Math.max(run.lastCommit, last);
      run.bytes += segment.bytes;
    } else {
      runs.push({ firstCommit: segment.firstCommit, lastCommit: last, bytes: segment.bytes });
    }
    before = segment.number;
  }
  return runs;
}

/** Reads every commit of the run; goes on behind a damaged one. Returns the number of good commits. */
async function verifyRun(core: Core, run: Run, slices: Slices, report: (damage: Damage) => void): Promise<number> {
  const operation = new OperationView();
  let good = 0;
  let next = run.firstCommit;
  // The first commit of a run may have begun in a segment that is gone.
  if (next <= run.lastCommit && !core.segments.has(next)) next++;
  // And the last one may end in a segment that is gone.
  const lastCommit = next <= run.lastCommit && !core.segments.has(run.lastCommit) ? run.lastCommit - 1 : run.lastCommit;
  core.segmentPins++;
  try {
    while (next <= lastCommit) {
      try {
        while (core.locate(next) === MISS) core.fill();
        const commits = core.log.commits(core.index.segment, core.index.offset, next, lastCommit);
        for (let view = commits.next(); view !== undefined; view = commits.next()) {
          if (view.commit !== next)
            throw new SteleError('corrupt', 'LOG_DAMAGED', `commit ${view.commit} where ${next} was expected`, {
              detail: { commit: next },
            });
          let count = 0;
          while (view.next(operation)) count++;
          if (count !== view.operationCount)
            throw new SteleError(
              'corrupt',
              'LOG_DAMAGED',
              `commit ${next} holds ${count} operations, its head says ${view.operationCount}`,
              { detail: { commit: next } },
            );
          next++;
          good++;
          await slices.pause();
        }
        if (next <= lastCommit)
          throw new SteleError('corrupt', 'LOG_DAMAGED', `the log ends before commit ${next}`, { detail: { commit: next } });
      } catch (error) {
        if (!(error instanceof SteleError) || error.kind !== 'corrupt') throw error;
        report(damageOf('log', error));
        next++;
      }
    }
  } finally {
    core.segmentPins--;
  }
  return good;
}

function damageOf(where: Damage['where'], error: unknown): Damage {
  if (!(error instanceof SteleError) || error.kind !== 'corrupt') throw error;
  return { where: error.code.startsWith('INDEX') ? 'index' : where, message: error.message, detail: { code: error.code, ...error.detail } };
}
