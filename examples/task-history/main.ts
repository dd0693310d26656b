/**
 * The history of a team's tasks: what is ready now and was ready then, the life of a task, who did what on a day, what a day changed.
 *
 * Run it: npm exec -- node examples/task-history/main.ts
 */

import { readFileSync } from 'node:fs';
import { memoryStorage, open, type Reading } from 'stele';

interface Task {
  readonly title: string;
  readonly status: string;
  readonly assignee?: string;
  readonly blockedBy?: string[];
}

// Every line of the history is one commit: the task as it became, who did it, why, and when it is said to have happened.
await using db = await open({ storage: memoryStorage() }); // a directory works the same: open('./data')
for (const line of readFileSync(new URL('history.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')) {
  const { id, at, actor, did, ...task } = JSON.parse(line);
  await db.put(['tasks', id], task, { actor, reason: did, assertedTime: new Date(at), once: `${at} ${id}` });
}
console.log(`${db.count('tasks')} tasks in ${db.version} commits`);

// A task is ready when it is open and nothing that blocks it is. The function takes any view: it does not know whether it reads the past.
function ready(view: Reading): string[] {
  const isDone = (id: string): boolean => view.get<Task>(['tasks', id])?.status === 'closed';
  return view
    .scan<Task>({ prefix: 'tasks' })
    .toArray()
    .filter(({ value }) => value.status === 'open' && (value.blockedBy ?? []).every(isDone))
    .map(({ path }) => String(path[1]));
}

console.log('ready now:', ready(db).join(', ') || 'nothing');
for (const time of ['2026-03-02T09:00:00Z', '2026-03-02T18:00:00Z']) {
  using then = db.asOf({ asserted: new Date(time) });
  console.log(`ready at ${time}:`, ready(then).join(', '));
}

// The life of one task, newest first, with who did it.
for (const { value, actor, reason } of db.history<Task>('tasks/floor'))
  console.log(`floor: ${actor} ${reason}: ${value?.status}${value?.assignee === undefined ? '' : `, with ${value.assignee}`}`);

// Who did what on the second day: the commit stream from the last version of the first.
using evening = db.asOf({ asserted: new Date('2026-03-02T23:59:59Z') });
const deeds = new Map<string, string[]>();
for await (const { version, actor = 'nobody', reason, ops } of db.changes({ from: evening.version })) {
  deeds.set(actor, [...(deeds.get(actor) ?? []), `${reason} ${ops[0]?.path[1]}`]);
  if (version === db.version) break;
}
for (const [actor, list] of deeds) console.log(`${actor} on the second day: ${list.join(', ')}`);

// What the second day changed.
using now = db.snapshot();
for (const { path, before, after } of evening.diff(now, { prefix: 'tasks' }))
  console.log(`${path[1]}: ${(before as Task | undefined)?.status} -> ${(after as unknown as Task | undefined)?.status}`);
