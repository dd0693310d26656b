/**
 * The past beside the reference: histories of a key, the stream of changes.
 */

import { keyBytes, keyText, onlyKey } from '../reference/keys.ts';
import { Divergence, expectSame, outcomeOf, refused } from './answer.ts';
import type { ModelRun } from './run.ts';

/** Newest first; where it ends is for the engine to choose below what is promised. */
export async function compareHistory(run: ModelRun, key: string, limit: number | undefined): Promise<void> {
  const truth = run.reference.history(key, run.now());
  const promised = Math.min(run.reference.historyPromised(key, truth), limit ?? Infinity);
  const what = `history of ${JSON.stringify(key)}`;
  const outcome = await outcomeOf(what, () => [...run.engine.history(keyBytes(key), limit === undefined ? {} : { limit })]);
  if (outcome.error !== undefined) throw new Divergence(what, truth.length, outcome.error);
  const lines = (list: typeof truth) => list.map((line) => [line.value, line.version, line.timeMs, line.expired]);
  const told = outcome.value;
  if (told.length < promised || told.length > (limit ?? Infinity))
    throw new Divergence(`${what}: number of lines`, `${promised} to ${limit ?? truth.length}`, told.length);
  expectSame(what, lines(truth.slice(0, told.length)), lines(told));
}

/** Whole commits, durable ones at least. */
export async function compareChanges(run: ModelRun, back: number): Promise<void> {
  const from = Math.max(0, run.reference.version - back);
  const durable = run.engine.durableVersion;
  const what = `changes from ${from}`;
  const outcome = await outcomeOf(what, () => [...run.engine.changes(from)]);
  if (outcome.error !== undefined) {
    if (outcome.error.code === refused && from < run.reference.changesDroppableBelow()) return;
    throw new Divergence(what, `${durable - from} commits`, outcome.error);
  }
  const told = outcome.value;
  if (told.length < durable - from || told.length > run.reference.version - from)
    throw new Divergence(`${what}: commits`, durable - from, told.length);
  for (const [index, change] of told.entries()) {
    const version = from + 1 + index;
    const commit = run.reference.commits[version];
    expectSame(
      `${what}: commit`,
      [version, commit?.timeMs, commit?.assertedTimeMs],
      [change.version, change.timeMs, change.assertedTimeMs],
    );
    const operations = change.operations.map((op) => [keyText(op.key), op.type, op.value, op.expiresAt, op.previousVersion] as const);
    const effects = (commit?.effects ?? []).map((effect, i) => {
      const forgotten = operations[i]?.[4] === 0 && run.reference.horizonOf(onlyKey(effect.key), run.reference.instant()).version > 0;
      return [
        effect.key,
        effect.value === undefined ? 'delete' : 'put',
        effect.value,
        effect.expiresAt,
        forgotten ? 0 : effect.previousVersion,
      ] as const;
    });
    expectSame(`${what}: operations of ${version}`, effects, operations);
  }
}
