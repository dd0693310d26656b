/**
 * What one would want to see of a team's tasks: what is ready now and was ready then, the life of a task, who did what on a day.
 *
 * Ready = open, and nothing it depends on with `blocks` is open. What is depended on and is no task here is taken as done, and counted.
 */

import { formatPath } from '../../model/path/text.ts';
import type { Database, Reading } from '../../model/types.ts';
import type { EventInfo, TasksImport } from '../import/tasks.ts';
import { quoted } from './git-tour.ts';
import { counted, day, minute, type Page } from './page.ts';

interface Task {
  readonly id: string;
  readonly title?: string;
  readonly status?: string;
  readonly priority?: number;
  readonly assignee?: string;
}

export interface Ready {
  readonly tasks: readonly Task[];
  readonly open: number;
  /** Open tasks that something open keeps from being ready. */
  readonly blocked: number;
  /** Distinct ones that are depended on and are no task of this view. */
  readonly unknownBlockers: number;
}

const TASKS_MAX = 8;
const LIFE_MAX = 14;
const ACTORS_MAX = 10;

/** The ready set of any view: now, or AS OF a day. Most urgent first. */
export function readyTasks(view: Reading): Ready {
  const tasks: Task[] = [];
  const unknown = new Set<string>();
  let open = 0;
  for (const { path, value } of view.scan<Task>({ prefix: 'tasks' })) {
    if (value.status !== 'open') continue;
    open++;
    const blockers = view
      .children(['dependencies', path[1]!, 'blocks'])
      .toArray()
      .map((on) => view.get<Task>(['tasks', on]) ?? String(on));
    for (const blocker of blockers) if (typeof blocker === 'string') unknown.add(blocker);
    if (!blockers.some((blocker) => typeof blocker !== 'string' && blocker.status !== 'closed')) tasks.push(value);
  }
  tasks.sort((a, b) => (a.priority ?? 9) - (b.priority ?? 9));
  return { tasks, open, blocked: open - tasks.length, unknownBlockers: unknown.size };
}

/** `directory`: as it is written behind `--db`. */
export function showTasksTour(db: Database, page: Page, directory: string, done: TasksImport): void {
  const events = db.scan<EventInfo>({ prefix: 'events' }).toArray();
  const kept = events.filter(({ value }) => value.id !== undefined); // of the source: no dependencies, nothing inferred
  const first = kept[0];
  if (first === undefined) {
    page.line('The history is empty.');
    return;
  }
  showMissing(page, done);
  const days = new Map<string, EventInfo[]>();
  for (const { value } of kept) {
    const found = days.get(day(value.at));
    if (found === undefined) days.set(day(value.at), [value]);
    else found.push(value);
  }
  const [busiest, ofDay] = [...days].reduce((most, next) => (next[1].length > most[1].length ? next : most));
  const earlier = new Date(`${busiest}T00:00:00Z`);
  showReady(page, 'now', readyTasks(db));
  {
    using then = db.asOf({ asserted: earlier });
    showReady(page, `AS OF ${busiest} (version ${then.version} of ${db.version})`, readyTasks(then));
  }
  const path = [
    'tasks',
    liveliest(
      kept.map(({ value }) => value),
      db,
    ),
  ];
  showLife(db, page, path);
  const links = events.filter(({ value }) => value.type === 'dependency_added' && day(value.at) === busiest);
  showDay(
    page,
    busiest,
    ofDay,
    links.map(({ value }) => value),
  );
  page.heading('Go on');
  const at = `asserted:${busiest}`;
  const task = quoted(formatPath(path));
  for (const command of [
    'scan tasks --limit 20',
    `get ${task}`,
    `as-of ${at} get ${task}`,
    `history ${task}`,
    `diff ${at} now --prefix tasks`,
    'shell',
  ])
    page.line(`  npx stele --db ${directory} ${command}`);
}

function showMissing(page: Page, { tasks, events, inferred, dependencies, exported, missing }: TasksImport): void {
  page.heading(`${counted(tasks, 'task')}, ${counted(events, 'event')}, ${counted(dependencies, 'dependency', 'dependencies')}`);
  const { withoutRow, beginLater, unknown, unrecorded, withoutEvents, unknownDependencies, clockOffsetMs } = missing;
  const gaps: readonly (readonly [number, string])[] = [
    [withoutEvents, 'tasks have no event: when they were created and closed is taken from the tasks themselves'],
    [beginLater, 'tasks begin with a later event: the state before it is unwound from what events say'],
    [unknown, 'tasks have a beginning of which only the id is known'],
    [unrecorded, 'events found another state than the events before them give: theirs was taken'],
    [withoutRow, 'tasks are named by events and missing in the final state: gone in the end, their history is here'],
    [exported, 'tasks were set to their final state, or taken away, in one last commit'],
    [unknownDependencies, 'tasks are depended on and are not in the data'],
    [inferred, 'commits are inferred and marked so'],
  ];
  page.table(
    [
      { name: '', paint: 'number', isRight: true },
      { name: '', gives: true },
    ],
    gaps.filter(([count]) => count > 0).map(([count, what]) => [count.toLocaleString('en-US'), what]),
  );
  const hours = clockOffsetMs / 3_600_000;
  if (hours !== 0)
    page.line(
      `  Events are ${Math.abs(hours)} h ${hours > 0 ? 'behind' : 'before'} the times within tasks (another clock): these were moved onto the events'.`,
    );
}

function showReady(page: Page, when: string, { tasks, open, blocked, unknownBlockers }: Ready): void {
  page.heading(`Ready ${when}: ${counted(tasks.length, 'task')} of ${open} open, ${blocked} blocked`);
  const rows = tasks
    .slice(0, TASKS_MAX)
    .map(({ id, title, priority, assignee }) => [
      id,
      priority === undefined ? '' : `P${priority}`,
      assignee ?? '',
      title ?? '(title not kept)',
    ]);
  page.table(
    [
      { name: 'task', paint: 'path' },
      { name: 'prio', paint: 'number' },
      { name: 'assignee', gives: true },
      { name: 'title', gives: true },
    ],
    rows,
  );
  if (tasks.length > TASKS_MAX) page.line(`  … and ${counted(tasks.length - TASKS_MAX, 'more', 'more')}`);
  if (unknownBlockers > 0) page.line(`  ${counted(unknownBlockers, 'blocker')} not in the data, taken as done`);
}

/** The task most actors had their hands on and that is still here; of those the one with most events. */
function liveliest(events: readonly EventInfo[], db: Database): string {
  const found = new Map<string, { readonly actors: Set<string>; events: number }>();
  for (const { task, by } of events) {
    const own = found.get(task) ?? { actors: new Set(), events: 0 };
    if (by !== undefined) own.actors.add(by);
    own.events++;
    found.set(task, own);
  }
  const rank = ([task, { actors, events: count }]: [string, { actors: Set<string>; events: number }]): number =>
    (db.has(['tasks', task]) ? 1e6 : 0) + actors.size * 1e3 + Math.min(count, 999);
  return [...found].reduce((best, next) => (rank(next) > rank(best) ? next : best))[0];
}

function showLife(db: Database, page: Page, path: readonly string[]): void {
  const versions = db.history<Task>(path).toArray().reverse();
  page.heading(`The life of ${path[1]}: ${versions.findLast(({ value }) => value?.title !== undefined)?.value?.title ?? ''}`);
  const rows = versions.slice(0, LIFE_MAX).map(({ version, actor, reason, value }) => {
    using then = db.asOf(version);
    const at = then.last<EventInfo>('events')?.value.at;
    return [
      at === undefined ? '' : minute(at),
      actor ?? '',
      reason ?? '',
      value === undefined ? 'gone' : (value.status ?? ''),
      value?.assignee ?? '',
    ];
  });
  page.table(
    [{ name: 'time' }, { name: 'who', paint: 'good', gives: true }, { name: 'did' }, { name: 'status' }, { name: 'assignee', gives: true }],
    rows,
  );
  if (versions.length > LIFE_MAX) page.line(`  … and ${counted(versions.length - LIFE_MAX, 'later version')}`);
}

function showDay(page: Page, name: string, events: readonly EventInfo[], links: readonly EventInfo[]): void {
  const actors = new Map<string, { readonly types: Map<string, number>; readonly tasks: Set<string>; events: number }>();
  for (const { by = '(nobody)', type, task } of events) {
    const own = actors.get(by) ?? { types: new Map<string, number>(), tasks: new Set<string>(), events: 0 };
    own.types.set(type, (own.types.get(type) ?? 0) + 1);
    own.tasks.add(task);
    own.events++;
    actors.set(by, own);
  }
  page.heading(`Who did what on ${name}: ${counted(events.length, 'event')} by ${counted(actors.size, 'actor')}`);
  const rows = [...actors]
    .sort((a, b) => b[1].events - a[1].events)
    .slice(0, ACTORS_MAX)
    .map(([actor, { types, tasks, events: count }]) => [
      actor,
      String(count),
      String(tasks.size),
      String(links.filter(({ by = '(nobody)' }) => by === actor).length),
      [...types]
        .sort((a, b) => b[1] - a[1])
        .map(([type, n]) => `${type} ${n}`)
        .join(', '),
    ]);
  page.table(
    [
      { name: 'who', paint: 'good', gives: true },
      { name: 'events', paint: 'number', isRight: true },
      { name: 'tasks', isRight: true },
      { name: 'links', isRight: true },
      { name: 'what', gives: true },
    ],
    rows,
  );
  if (actors.size > ACTORS_MAX) page.line(`  … and ${counted(actors.size - ACTORS_MAX, 'more', 'more')}`);
}
