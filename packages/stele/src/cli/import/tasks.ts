/**
 * The history of a team's tasks into the database: every event one commit, with who did it and when.
 *
 *   tasks/<id>                             the task as it was behind the event
 *   dependencies/<id>/<type>/<on>          true: `id` depends on `on`; type `blocks` keeps it from being ready
 *   events/<n>                             what the n-th commit did, from 1: see {@link EventInfo}
 *
 * Actor and asserted time are the event's, its type is the reason. What has no event of its own is inferred from the tasks themselves and
 * marked so: that they were created and closed (`created_at`, `closed_at`), and the state before the first event kept (task-state.ts). In
 * the end one commit, `exported`, makes the tasks what the final rows say; one that has no row is gone from then on, and its history stays.
 *
 * Invariants
 * - Commits are in the order of asserted time, so AS OF finds each exactly.
 * - Asked again, it goes on behind the last event that is here, killed in between or not; other events before that are refused
 *   (SOURCE_CHANGED) and nothing is written.
 *
 * Limits: the source is held in memory.
 */

import { isDeepStrictEqual } from 'node:util';
import { SteleError } from '../../base/errors.ts';
import type { BatchOperation, Bucket, Value } from '../../model/types.ts';
import { assertable, cut } from './commits.ts';
import { timeOf } from './json-lines.ts';
import { Pipeline } from './pipeline.ts';
import { readTaskFiles, type TaskFiles } from './task-files.ts';
import { reopened, type TaskState, unwind } from './task-state.ts';

/** The value at `events/<n>`. */
export interface EventInfo {
  readonly at: Date;
  readonly type: string;
  readonly task: string;
  readonly by?: string;
  /** The number of the event in the source. */
  readonly id?: string | number;
  readonly comment?: string;
  /** Not an event of the source: follows from the task itself. */
  readonly inferred?: true;
}

export interface TasksImport {
  /** Commits that were here before, and those made now. */
  readonly before: number;
  readonly commits: number;
  /** Of all, here before or not. */
  readonly tasks: number;
  readonly events: number;
  readonly inferred: number;
  readonly dependencies: number;
  /** Tasks whose last state was another than their final row, or that have none: set, or gone, by the last commit of this import. */
  readonly exported: number;
  readonly missing: TaskGaps;
}

export interface TaskGaps {
  /** Tasks that events name and that have no final row. */
  readonly withoutRow: number;
  /** Tasks whose first event kept is not their creation. */
  readonly beginLater: number;
  /** Tasks of which at some creation nothing but the id is known. */
  readonly unknown: number;
  /** Events whose carried state is not what the events before them give. */
  readonly unrecorded: number;
  /** Tasks that have no event at all. */
  readonly withoutEvents: number;
  /** What tasks depend on without there being such a task. */
  readonly unknownDependencies: number;
  /** Times within tasks less times of events; they were moved by it. */
  readonly clockOffsetMs: number;
}

export interface TasksImportOptions {
  readonly signal?: AbortSignal;
  readonly progress?: (done: number, total: number) => void;
}

interface Step extends EventInfo {
  readonly atMs: number;
  /** Of steps at the same time, what goes first. */
  readonly rank: number;
  readonly operation: BatchOperation;
}

const ACTOR_BYTES_MAX = 256;
const EXPORT_OPERATIONS_MAX = 10_000;

/** @throws {SteleError} `invalid` SOURCE_INVALID, SOURCE_CHANGED; `closed` CANCELLED */
export async function importTasks(into: Bucket, directory: string, options: TasksImportOptions = {}): Promise<TasksImport> {
  const { signal, progress } = options;
  const files = await readTaskFiles(directory);
  const { steps, final, gaps } = stepsOf(files);
  const before = continued(into, steps, directory);
  const pipeline = new Pipeline();
  let n = before;
  try {
    for (const step of steps.slice(before)) {
      if (signal?.aborted === true) break;
      const { atMs, rank: _rank, operation, ...info } = step;
      const path = ['events', ++n];
      const commit = into.batch([operation, { type: 'put', path, value: info }], {
        assertedTime: assertable(atMs),
        reason: info.type,
        ...(info.by === undefined ? {} : { actor: cut(info.by, ACTOR_BYTES_MAX) }),
      });
      await pipeline.push(commit, 2048);
      progress?.(n, steps.length);
    }
  } finally {
    await pipeline.drain();
  }
  if (signal?.aborted === true)
    throw new SteleError('closed', 'CANCELLED', `the import was stopped after event ${n}`, { cause: signal.reason });
  const exported = await exportRows(into, final, Math.max(1, ...steps.slice(-1).map(({ atMs }) => assertable(atMs))));
  return {
    ...{ before, commits: n - before, tasks: new Set([...files.rows.keys(), ...files.events.keys()]).size, events: files.eventCount },
    ...{ inferred: steps.filter(({ inferred }) => inferred).length, dependencies: files.dependencies.length, exported, missing: gaps },
  };
}

/** Everything that happened, in order of time. `final`: what the rows say, with labels. */
function stepsOf(files: TaskFiles): { steps: Step[]; final: ReadonlyMap<string, TaskState>; gaps: TaskGaps } {
  const { rows, labels, events, dependencies, clockOffsetMs } = files;
  const steps: Step[] = [];
  const final = new Map<string, TaskState>();
  const gaps = { withoutRow: 0, beginLater: 0, unknown: 0, unrecorded: 0, withoutEvents: 0 };
  const ownMs = (state: TaskState, field: string): number | undefined => {
    const ms = timeOf(state[field]);
    return ms === undefined ? undefined : ms - clockOffsetMs;
  };
  /** The creation, and the closing if there was one, of a task whose state is known from `untilMs` on. */
  const infer = (task: string, state: TaskState, untilMs: number): void => {
    const createdMs = Math.min(ownMs(state, 'created_at') ?? untilMs, untilMs);
    const closedMs = Math.max(createdMs, Math.min(ownMs(state, 'closed_at') ?? createdMs, untilMs));
    const isClosed = state['status'] === 'closed' && closedMs > createdMs;
    const by = state['created_by'];
    const info = { task, inferred: true as const };
    const who = typeof by === 'string' && by !== '' ? { by } : {};
    steps.push({ ...info, ...who, type: 'created', ...timed(createdMs, 0), operation: put(task, isClosed ? reopened(state) : state) });
    if (isClosed) steps.push({ ...info, type: 'closed', ...timed(closedMs, 1), operation: put(task, state) });
  };
  for (const task of new Set([...rows.keys(), ...events.keys()])) {
    const own = events.get(task) ?? [];
    const row = rows.get(task);
    const held = [...(labels.get(task) ?? [])].sort();
    if (row !== undefined) final.set(task, held.length === 0 ? row : { ...row, labels: held });
    if (own.length === 0) {
      gaps.withoutEvents++;
      infer(task, final.get(task)!, Number.MAX_SAFE_INTEGER);
      continue;
    }
    const { base, states, unrecorded, unknown } = unwind(task, own, row, held);
    if (row === undefined) gaps.withoutRow++;
    if (unknown > 0) gaps.unknown++;
    gaps.unrecorded += unrecorded;
    if (base !== undefined) {
      gaps.beginLater++;
      infer(task, base, own[0]!.atMs);
    }
    own.forEach(({ atMs, type, id, actor, comment }, index) => {
      const said = { ...(actor === undefined ? {} : { by: actor }), ...(comment === undefined ? {} : { comment }) };
      steps.push({ type, task, id, ...said, ...timed(atMs, 2), operation: put(task, states[index]!) });
    });
  }
  for (const { task, on, type, atMs, by } of dependencies)
    steps.push({
      ...{ type: 'dependency_added', task, comment: `${type} ${on}`, ...(by === undefined ? {} : { by }) },
      ...timed(atMs ?? 1, 3),
      operation: { type: 'put', path: ['dependencies', task, type, on], value: true },
    });
  steps.sort((a, b) => a.atMs - b.atMs || a.rank - b.rank || idOf(a) - idOf(b));
  const unknownDependencies = new Set(dependencies.filter(({ on }) => !rows.has(on) && !events.has(on)).map(({ on }) => on)).size;
  return { steps, final, gaps: { ...gaps, unknownDependencies, clockOffsetMs } };
}

function timed(atMs: number, rank: number): { atMs: number; at: Date; rank: number } {
  return { atMs, at: new Date(atMs), rank };
}

/** Events of the same second stay in the order of the source; what has no number, in the order it was found. */
function idOf({ id }: Step): number {
  return typeof id === 'number' ? id : 0;
}

function put(task: string, state: TaskState): BatchOperation {
  return { type: 'put', path: ['tasks', task], value: state as Value & object };
}

/** How many of the steps are here. @throws {SteleError} `invalid` SOURCE_CHANGED */
function continued(into: Bucket, steps: readonly Step[], directory: string): number {
  let n = 0;
  for (const { path, value } of into.scan<EventInfo>({ prefix: 'events' })) {
    const step = steps[n];
    if (step === undefined || path[1] !== ++n || value?.task !== step.task || value.type !== step.type || value.at.getTime() !== step.atMs)
      throw new SteleError(
        'invalid',
        'SOURCE_CHANGED',
        `event ${n} here is not the ${n}th of ${directory}: its events changed, or it is another source. Nothing was imported; import into another directory`,
        { detail: { n, directory } },
      );
  }
  return n;
}

/** Makes the tasks what their rows say. */
async function exportRows(into: Bucket, final: ReadonlyMap<string, TaskState>, assertedTime: number): Promise<number> {
  let operations: BatchOperation[] = [];
  let exported = 0;
  const write = async (): Promise<void> => {
    if (operations.length > 0) await into.batch(operations, { assertedTime, reason: 'exported' });
    operations = [];
  };
  const add = async (operation: BatchOperation): Promise<void> => {
    operations.push(operation);
    exported++;
    if (operations.length === EXPORT_OPERATIONS_MAX) await write();
  };
  for (const [task, row] of final) if (!isDeepStrictEqual(into.get(['tasks', task]), row)) await add(put(task, row));
  for (const task of into.children('tasks').toArray()) if (!final.has(String(task))) await add({ type: 'delete', path: ['tasks', task] });
  await write();
  return exported;
}
