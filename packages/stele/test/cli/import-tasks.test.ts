/**
 * The importer of task histories: a small team of our own making whose every state is known, and the real one when it is there.
 */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readTaskFiles } from '../../src/cli/import/task-files.ts';
import { unwind } from '../../src/cli/import/task-state.ts';
import { type EventInfo, importTasks } from '../../src/cli/import/tasks.ts';
import { memoryStorage } from '../../src/host/memory/storage.ts';
import type { Database } from '../../src/model/types.ts';
import { openSync } from '../../src/node/open.ts';
import { everything, scratch } from './git-kit.ts';

const shared = fileURLToPath(
  new URL(`${import.meta.url.includes('/dist/') ? '../' : ''}../../../../../shared/data/agent-tasks`, import.meta.url),
);
const hasShared = existsSync(join(shared, 'events.jsonl'));

function memory(t: TestContext): Database {
  const db = openSync({ storage: memoryStorage(), cacheMemory: 16 << 20 });
  t.after(() => db.close());
  return db;
}

type Json = Readonly<Record<string, unknown>>;

function files(t: TestContext, content: Readonly<Record<string, readonly Json[]>>): string {
  const directory = join(scratch(t), 'team');
  mkdirSync(directory);
  for (const [name, lines] of Object.entries(content))
    writeFileSync(join(directory, `${name}.jsonl`), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return directory;
}

const hour = (h: number): string => new Date(Date.UTC(2026, 0, 1, h)).toISOString();

/** t1 was opened before the events begin, t2 within them, t3 has none, t4 has no row, t5 only its creation. */
const t1 = { id: 't1', title: 'Lay the floor', status: 'open', created_at: hour(0), created_by: 'ada' };
const team = {
  issues: [
    { ...t1, status: 'closed', assignee: 'bob', closed_at: hour(6), close_reason: 'laid', updated_at: hour(6), labels: ['floor'] },
    {
      id: 't2',
      title: 'Paint the wall',
      status: 'open',
      created_at: hour(4),
      dependencies: [{ issue_id: 't2', depends_on_id: 't1', type: 'blocks', created_at: hour(4) }],
    },
    { id: 't3', title: 'Buy nails', status: 'closed', created_at: hour(1), closed_at: hour(2), close_reason: 'bought' },
  ],
  events: [
    {
      id: 1,
      issue_id: 't1',
      event_type: 'status_changed',
      actor: 'bob',
      created_at: hour(3),
      old_value: JSON.stringify(t1),
      new_value: '{"status":"in_progress","assignee":"bob"}',
    },
    { id: 2, issue_id: 't2', event_type: 'created', actor: 'ada', created_at: hour(4), old_value: '', new_value: '' },
    { id: 3, issue_id: 't1', event_type: 'label_added', actor: 'ada', created_at: hour(5), comment: 'Added label: floor' },
    { id: 4, issue_id: 't1', event_type: 'closed', actor: 'bob', created_at: hour(6), old_value: '', new_value: 'laid' },
    { id: 5, issue_id: 't4', event_type: 'closed', actor: 'eve', created_at: hour(7), old_value: '', new_value: 'no row' },
    { id: 6, issue_id: 't5', event_type: 'created', actor: 'eve', created_at: hour(8), old_value: '', new_value: '' },
  ],
  dependencies: [
    { issue_id: 't2', depends_on_id: 't1', type: 'blocks', created_at: hour(4), created_by: 'ada' },
    { issue_id: 't3', depends_on_id: 'gone', type: 'blocks', created_at: hour(1) },
  ],
  labels: [{ issue_id: 't1', label: 'floor' }],
};

test('every state is there AS OF its time, with who did it', async (t) => {
  const db = memory(t);
  const done = await importTasks(db, files(t, team));
  assert.deepEqual(done, {
    ...{ before: 0, commits: 12, tasks: 5, events: 6, inferred: 4, dependencies: 2, exported: 3 },
    missing: { withoutRow: 2, beginLater: 2, unknown: 2, unrecorded: 0, withoutEvents: 1, unknownDependencies: 1, clockOffsetMs: 0 },
  });
  const at = (h: number, task: string): unknown => {
    using then = db.asOf({ asserted: new Date(hour(h)) });
    return then.get(['tasks', task]);
  };
  assert.deepEqual(at(0, 't1'), t1);
  assert.equal(at(0, 't3'), undefined);
  assert.deepEqual(at(1, 't3'), { id: 't3', title: 'Buy nails', status: 'open', created_at: hour(1) });
  assert.deepEqual(at(2, 't3'), { ...team.issues[2] });
  assert.deepEqual(at(3, 't1'), { ...t1, status: 'in_progress', assignee: 'bob' });
  assert.deepEqual(at(5, 't1'), { ...t1, status: 'in_progress', assignee: 'bob', labels: ['floor'] });
  assert.equal(at(3, 't2'), undefined);
  assert.deepEqual(at(4, 't2'), { id: 't2', title: 'Paint the wall', status: 'open', created_at: hour(4) });
  assert.deepEqual(at(7, 't4'), { id: 't4', status: 'closed', closed_at: hour(7).replace('.000', ''), close_reason: 'no row' });

  assert.deepEqual(db.get('tasks/t1'), team.issues[0], 'in the end the row');
  assert.equal(db.get('tasks/t4'), undefined, 'no row: gone in the end');
  assert.deepEqual(db.children('dependencies/t2/blocks').toArray(), ['t1']);
  assert.deepEqual(
    db
      .history('tasks/t1')
      .toArray()
      .map(({ actor, reason }) => [actor, reason]),
    [
      [undefined, 'exported'],
      ['bob', 'closed'],
      ['ada', 'label_added'],
      ['bob', 'status_changed'],
      ['ada', 'created'],
    ],
  );
  const event = db
    .scan<EventInfo>({ prefix: 'events' })
    .toArray()
    .find(({ value }) => value.id === 4)!;
  assert.deepEqual(event.value, { type: 'closed', task: 't1', id: 4, by: 'bob', at: new Date(hour(6)) });
});

test('asked again nothing happens; stopped and continued, or with events that came, it is the same as in one go', async (t) => {
  const directory = files(t, team);
  const whole = memory(t);
  await importTasks(whole, directory);
  const { version } = whole;
  const again = await importTasks(whole, directory);
  assert.deepEqual([again.before, again.commits, again.exported, whole.version], [12, 0, 0, version]);
  const db = memory(t);
  const stop = new AbortController();
  await assert.rejects(importTasks(db, directory, { signal: stop.signal, progress: (n) => n === 5 && stop.abort() }), {
    code: 'CANCELLED',
    message: /after event 5/,
  });
  await importTasks(db, directory);
  assert.deepEqual(await everything(db), await everything(whole));
  const more = {
    id: 7,
    issue_id: 't2',
    event_type: 'updated',
    actor: 'eve',
    created_at: hour(9),
    old_value: JSON.stringify(team.issues[1]),
    new_value: '{"title":"Paint it blue"}',
  };
  const events = readFileSync(join(directory, 'events.jsonl'), 'utf8');
  writeFileSync(join(directory, 'events.jsonl'), `${events}${JSON.stringify(more)}\n`);
  assert.equal((await importTasks(db, directory)).commits, 1);
  writeFileSync(join(directory, 'events.jsonl'), events.replace(hour(3), hour(2)));
  await assert.rejects(importTasks(db, directory), { code: 'SOURCE_CHANGED', message: /event 5 here is not the 5th/ });
});

test('times within tasks are moved onto the clock of the events, when creations agree on the distance', async (t) => {
  const shifted = Array.from({ length: 12 }, (_, k) => ({ id: `t${k}`, title: 'x', status: 'open', created_at: hour(8 + k) }));
  const events = shifted.map(({ id }, k) => ({ id: k + 1, issue_id: id, event_type: 'created', actor: 'ada', created_at: hour(k) }));
  const alone = { id: 'alone', title: 'no event', status: 'open', created_at: hour(20) };
  const db = memory(t);
  const { missing } = await importTasks(db, files(t, { issues: [...shifted, alone], events }));
  assert.equal(missing.clockOffsetMs, 8 * 3_600_000);
  using then = db.asOf({ asserted: new Date(hour(12)) });
  assert.deepEqual(then.get('tasks/alone'), alone);
});

test('unwinding: back from the anchor, forward from it, each life by itself', () => {
  const stamp = hour(1);
  const full = { id: 'x', title: 'T', status: 'open', priority: 1 };
  const row = { ...full, title: 'Now', status: 'closed', closed_at: stamp, close_reason: 'done' };
  const life = unwind(
    'x',
    [
      { type: 'created', stamp },
      { type: 'label_added', stamp, label: 'a' },
      { type: 'updated', stamp, before: full, set: { priority: 2 } },
      { type: 'updated', stamp, before: { ...full, priority: 3 }, set: { title: 'T2' } }, // somebody had set 3 unseen
      { type: 'closed', stamp, reason: 'r' },
      {
        type: 'reopened',
        stamp,
        before: { ...full, title: 'T2', priority: 3, status: 'closed', closed_at: stamp, close_reason: 'r' },
        set: { status: 'open' },
      },
      { type: 'created', stamp },
      { type: 'closed', stamp, reason: 'done' },
    ],
    row,
    ['a', 'b'],
  );
  assert.equal(life.base, undefined);
  assert.deepEqual([life.unrecorded, life.unknown], [1, 0]);
  assert.deepEqual(
    life.states.map(({ title, status, priority, close_reason, labels }) => [title, status, priority, close_reason, labels]),
    [
      ['T', 'open', 1, undefined, ['b']],
      ['T', 'open', 1, undefined, ['a', 'b']],
      ['T', 'open', 2, undefined, ['a', 'b']],
      ['T2', 'open', 3, undefined, ['a', 'b']],
      ['T2', 'closed', 3, 'r', ['a', 'b']],
      ['T2', 'open', 3, undefined, ['a', 'b']],
      ['Now', 'open', 1, undefined, ['a', 'b']],
      ['Now', 'closed', 1, 'done', ['a', 'b']],
    ],
  );
});

test('lines that are no tasks and no events are refused with their place', async (t) => {
  const db = memory(t);
  await assert.rejects(importTasks(db, files(t, { issues: [{ title: 'no id' }], events: [] })), {
    code: 'SOURCE_INVALID',
    message: /issues\.jsonl, line 1: id is no text/,
  });
  await assert.rejects(importTasks(db, files(t, { issues: [], events: [{ issue_id: 'a', created_at: 'soon' }] })), {
    message: /events\.jsonl, line 1: created_at is no time/,
  });
  await assert.rejects(importTasks(db, files(t, { issues: [] })), { code: 'IO_ERROR', message: /events\.jsonl/ });
  assert.equal(db.version, 0);
});

test('the history of a real team: its counts, its gaps, and in the end its rows', {
  skip: hasShared ? false : 'the shared data is not here',
}, async (t) => {
  const db = memory(t);
  const done = await importTasks(db, shared);
  const { rows, eventCount } = await readTaskFiles(shared);
  assert.deepEqual([done.events, eventCount, rows.size], [2123, 2123, 704]);
  assert.deepEqual([done.missing.withoutRow, done.missing.clockOffsetMs], [145, 8 * 3_600_000]);
  assert.ok(done.missing.unrecorded < 20, `${done.missing.unrecorded} states are not what the events before them give`);
  assert.equal(db.count('tasks'), 704);
  for (const [id, row] of rows) assert.equal(db.get<Json>(['tasks', id])!['status'], row['status'], id);
  // Every event that carries the state before it finds that state.
  const { events } = await readTaskFiles(shared);
  for (const [id, own] of events) {
    const { states } = unwind(id, own, rows.get(id), []);
    own.forEach((event, at) => {
      if (event.before !== undefined && event.set?.['status'] !== undefined)
        assert.equal(states[at]!['status'], event.set['status'], `${id}, event ${event.id}`);
    });
  }
});
