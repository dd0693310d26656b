/**
 * The files of a task history, read whole: tasks, events, dependencies, labels. What belongs together is brought together; what is missing
 * or contradicts is counted, not repaired.
 *
 *   issues.jsonl         id, title, status, …, created_at, closed_at, dependencies, labels: the final state of each task
 *   events.jsonl         id, issue_id, event_type, actor, created_at, old_value, new_value, comment; the values are JSON texts
 *   dependencies.jsonl   issue_id, depends_on_id, type, created_at, created_by        may be missing
 *   labels.jsonl         issue_id, label                                              may be missing
 *
 * Events may have been written by another clock than the times within tasks (local time marked as UTC): when creations lie the same whole
 * minutes from the creation times of their tasks, that distance is `clockOffsetMs`, and times within tasks are moved onto the events' clock.
 *
 * Limits: everything is held in memory.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SteleError } from '../../base/errors.ts';
import { timeOf } from './json-lines.ts';
import { parseLine, readLines } from './lines.ts';
import type { TaskEvent, TaskState } from './task-state.ts';

export interface SourceEvent extends TaskEvent {
  /** As the source numbers it. */
  readonly id: string | number;
  readonly task: string;
  readonly atMs: number;
  readonly actor: string | undefined;
  readonly comment: string | undefined;
}

export interface SourceDependency {
  readonly task: string;
  readonly on: string;
  readonly type: string;
  readonly atMs: number | undefined;
  readonly by: string | undefined;
}

export interface TaskFiles {
  readonly rows: ReadonlyMap<string, TaskState>;
  readonly labels: ReadonlyMap<string, readonly string[]>;
  /** By task, each in the order of the file. */
  readonly events: ReadonlyMap<string, readonly SourceEvent[]>;
  readonly eventCount: number;
  readonly dependencies: readonly SourceDependency[];
  /** Time within tasks less time of events. */
  readonly clockOffsetMs: number;
}

type Json = Readonly<Record<string, unknown>>;

/** What stands in other files, or follows from them. */
const DERIVED: ReadonlySet<string> = new Set(['dependencies', 'labels', 'dependency_count', 'dependent_count', 'comment_count']);
const MINUTE_MS = 60_000;
const CLOCK_PAIRS_MIN = 10;

export function isTaskDirectory(directory: string): boolean {
  return existsSync(join(directory, 'issues.jsonl')) && existsSync(join(directory, 'events.jsonl'));
}

/** @throws {SteleError} `invalid` SOURCE_INVALID; `unavailable` IO_ERROR */
export async function readTaskFiles(directory: string): Promise<TaskFiles> {
  const rows = new Map<string, TaskState>();
  const labels = new Map<string, Set<string>>();
  const dependencies = new Map<string, SourceDependency>();
  const addLabel = (task: string, label: unknown): void => {
    if (typeof label !== 'string') return;
    const held = labels.get(task);
    if (held === undefined) labels.set(task, new Set([label]));
    else held.add(label);
  };
  const addDependency = (line: Json): void => {
    const { issue_id: task, depends_on_id: on, type, created_at: at, created_by: by } = line;
    if (!isName(task) || !isName(on) || !isName(type)) return;
    const key = JSON.stringify([task, on, type]);
    if (!dependencies.has(key)) dependencies.set(key, { task, on, type, atMs: timeOf(at), by: nameOf(by) });
  };
  await eachLine(join(directory, 'issues.jsonl'), (line, file, number) => {
    const id = required(line, 'id', file, number);
    rows.set(id, Object.fromEntries(Object.entries(line).filter(([name]) => !DERIVED.has(name))));
    if (Array.isArray(line['labels'])) for (const label of line['labels']) addLabel(id, label);
    if (Array.isArray(line['dependencies'])) for (const dependency of line['dependencies']) addDependency(dependency as Json);
  });
  if (existsSync(join(directory, 'dependencies.jsonl'))) await eachLine(join(directory, 'dependencies.jsonl'), addDependency);
  if (existsSync(join(directory, 'labels.jsonl')))
    await eachLine(join(directory, 'labels.jsonl'), (line, file, number) =>
      addLabel(required(line, 'issue_id', file, number), line['label']),
    );

  const raw: { readonly line: Json; readonly task: string; readonly atMs: number }[] = [];
  await eachLine(join(directory, 'events.jsonl'), (line, file, number) => {
    const atMs = timeOf(line['created_at']);
    if (atMs === undefined) throw invalid(file, number, 'created_at is no time');
    raw.push({ line, task: required(line, 'issue_id', file, number), atMs });
  });
  const clockOffsetMs = offsetOf(raw, rows);
  const events = new Map<string, SourceEvent[]>();
  raw.forEach(({ line, task, atMs }, index) => {
    const event = eventOf(line, task, atMs, index, clockOffsetMs);
    const held = events.get(task);
    if (held === undefined) events.set(task, [event]);
    else held.push(event);
  });
  return {
    rows,
    labels: new Map([...labels].map(([task, held]) => [task, [...held]])),
    events,
    eventCount: raw.length,
    dependencies: [...dependencies.values()],
    clockOffsetMs,
  };
}

function eventOf(line: Json, task: string, atMs: number, index: number, clockOffsetMs: number): SourceEvent {
  const type = nameOf(line['event_type']) ?? 'unknown';
  const before = objectIn(line['old_value']);
  const set = objectIn(line['new_value']);
  const id = line['id'];
  const comment = nameOf(line['comment']);
  const said = typeof line['new_value'] === 'string' && set === undefined ? line['new_value'] : undefined;
  const label = type.startsWith('label_') ? (/^(?:Added|Removed) label: (.+)$/.exec(comment ?? '')?.[1] ?? nameOf(said)) : undefined;
  return {
    id: typeof id === 'string' || typeof id === 'number' ? id : index + 1,
    task,
    atMs,
    stamp: new Date(atMs + clockOffsetMs).toISOString().replace('.000Z', 'Z'),
    type,
    actor: nameOf(line['actor']),
    comment,
    ...(before === undefined || before['title'] === undefined ? {} : { before }),
    ...(set === undefined ? {} : { set }),
    ...(type === 'closed' && isName(said) ? { reason: said } : {}),
    ...(label === undefined ? {} : { label }),
  };
}

/** The distance most creations have, in whole minutes; 0 when fewer than half agree. */
function offsetOf(
  events: readonly { readonly line: Json; readonly task: string; readonly atMs: number }[],
  rows: ReadonlyMap<string, TaskState>,
): number {
  const created = new Map<string, number>();
  const own = new Map<string, number>();
  for (const { line, task, atMs } of events) {
    if (line['event_type'] === 'created' && !own.has(task) && !created.has(task)) created.set(task, atMs);
    const at = timeOf(objectIn(line['old_value'])?.['created_at']);
    if (at !== undefined && !own.has(task)) own.set(task, at);
  }
  const distances = new Map<number, number>();
  let pairs = 0;
  for (const [task, atMs] of created) {
    const at = own.get(task) ?? timeOf(rows.get(task)?.['created_at']);
    if (at === undefined) continue;
    pairs++;
    const minutes = Math.round((at - atMs) / MINUTE_MS);
    distances.set(minutes, (distances.get(minutes) ?? 0) + 1);
  }
  const [minutes, agreeing] = [...distances].reduce((most, found) => (found[1] > most[1] ? found : most), [0, 0]);
  return pairs >= CLOCK_PAIRS_MIN && 2 * agreeing > pairs ? minutes * MINUTE_MS : 0;
}

async function eachLine(file: string, use: (line: Json, file: string, number: number) => void): Promise<void> {
  let number = 0;
  for await (const line of readLines(file)) {
    number++;
    if (line.bytes.length > 0) use(parseLine(file, number, line), file, number);
  }
}

function objectIn(text: unknown): Json | undefined {
  if (typeof text !== 'string' || !text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined; // a reason that begins with a brace
  }
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function nameOf(value: unknown): string | undefined {
  return isName(value) ? value.toWellFormed() : undefined;
}

function required(line: Json, name: string, file: string, number: number): string {
  const value = line[name];
  if (isName(value) && value.isWellFormed()) return value;
  throw invalid(file, number, `${name} is no text`);
}

function invalid(file: string, number: number, what: string): SteleError {
  return new SteleError('invalid', 'SOURCE_INVALID', `${file}, line ${number}: ${what}`, { detail: { file, line: number } });
}
