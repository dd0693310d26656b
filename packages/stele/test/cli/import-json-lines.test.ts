/** The importer of event histories in JSON lines: what a line becomes, and where it goes on. */

import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { guessFields, importJsonLines, type JsonLinesOptions } from '../../src/cli/import/json-lines.ts';
import { memoryStorage } from '../../src/host/memory/storage.ts';
import type { Database } from '../../src/model/types.ts';
import { openSync } from '../../src/node/open.ts';
import { everything, scratch } from './git-kit.ts';

function memory(t: TestContext): Database {
  const db = openSync({ storage: memoryStorage(), cacheMemory: 8 << 20 });
  t.after(() => db.close());
  return db;
}

function fileOf(t: TestContext, text: string, name = 'doors.jsonl'): string {
  const file = join(scratch(t), name);
  writeFileSync(file, text);
  return file;
}

const lines = [
  { id: 'front', at: '2026-01-01T10:00:00Z', who: { name: 'ada' }, what: 'open' },
  { id: 'back', at: '2026-01-01T11:00:00Z', who: { name: 'bob' }, what: 'open' },
  { id: 'front', at: '2026-01-02T10:00:00Z', who: { name: 'bob' }, what: 'close' },
];
const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
const fields: JsonLinesOptions = { id: 'id', time: 'at', actor: 'who.name', reason: 'what' };

test('each line is one commit with its actor, reason and time; the same id is the next version', async (t) => {
  const db = memory(t);
  const done = await importJsonLines(db, fileOf(t, text), fields);
  assert.deepEqual([done.lines, done.at, done.withoutActor, done.backwards], [3, ['doors'], 0, 0]);
  assert.deepEqual(db.get('doors/front'), lines[2]);
  assert.deepEqual(
    db
      .history('doors/front')
      .toArray()
      .map(({ actor, reason }) => [actor, reason]),
    [
      ['bob', 'close'],
      ['ada', 'open'],
    ],
  );
  using then = db.asOf({ asserted: new Date('2026-01-01T12:00:00Z') });
  assert.deepEqual(then.get('doors/front'), lines[0]);
  assert.equal(db.version, 3);
});

test('asked again it goes on with lines that came, also behind a last line that had no newline', async (t) => {
  const db = memory(t);
  const file = fileOf(t, text.slice(0, -1));
  assert.equal((await importJsonLines(db, file, fields)).lines, 3);
  assert.equal((await importJsonLines(db, file, fields)).lines, 0);
  appendFileSync(file, '\n');
  assert.equal((await importJsonLines(db, file, fields)).lines, 0);
  appendFileSync(file, '{"id":"front","what":"op'); // somebody writes
  const half = await importJsonLines(db, file, fields);
  assert.deepEqual([half.lines, half.isUnfinished], [0, true]);
  appendFileSync(file, 'en"}\r\n\n{"what":"lock"}\n');
  const rest = await importJsonLines(db, file, fields);
  assert.deepEqual([rest.before, rest.lines, rest.withoutId, rest.withoutTime, rest.withoutActor], [3, 2, 1, 2, 2]);
  assert.deepEqual(db.get(['doors', 6]), { what: 'lock' }, 'named by its line: the empty one counts');
});

test('stopped by a signal and continued it is the same as in one go', async (t) => {
  const long = Array.from(
    { length: 3000 },
    (_, k) => `${JSON.stringify({ id: `t${k % 70}`, at: 1_700_000_000 + k, who: { name: `a${k % 5}` }, k })}\n`,
  ).join('');
  const file = fileOf(t, long);
  const whole = memory(t);
  await importJsonLines(whole, file, fields);
  const db = memory(t);
  const stop = new AbortController();
  const stopped = importJsonLines(db, file, { ...fields, signal: stop.signal, progress: (line) => line === 1234 && stop.abort() });
  await assert.rejects(stopped, { code: 'CANCELLED', message: /after line 1234/ });
  assert.equal((await importJsonLines(db, file, fields)).before, 1234);
  assert.deepEqual(await everything(db), await everything(whole));
});

test('a file that changed before where the import stopped is refused and nothing is written', async (t) => {
  const db = memory(t);
  const file = fileOf(t, text);
  await importJsonLines(db, file, fields);
  writeFileSync(file, text.replace('"close"', '"slam!"'));
  await assert.rejects(importJsonLines(db, file, fields), { code: 'SOURCE_CHANGED', message: /line 3 was another/ });
  writeFileSync(file, text.slice(0, 40));
  await assert.rejects(importJsonLines(db, file, fields), { code: 'SOURCE_CHANGED', message: /it has 40/ });
  const open = fileOf(t, '{"id":1}', 'open.jsonl');
  await importJsonLines(db, open);
  appendFileSync(open, '{"id":2}\n');
  await assert.rejects(importJsonLines(db, open), { code: 'SOURCE_CHANGED', message: /line 1 went on/ });
  assert.equal(db.version, 4);
});

test('a line that is no object stops the import there, or is counted and left out', async (t) => {
  const db = memory(t);
  for (const [bad, why] of [
    ['{"id":', /line 2: it is no JSON/],
    ['[1]', /line 2: found an array, expected a JSON object/],
    ['null', /line 2: found null/],
    ['7', /line 2: found a number/],
  ] as const) {
    const file = fileOf(t, `{"id":"a"}\n${bad}\n{"id":"b"}\n`);
    await assert.rejects(importJsonLines(db, file, { name: bad, at: 'x', id: 'id' }), { code: 'SOURCE_INVALID', message: why });
    const done = await importJsonLines(db, file, { name: bad, at: 'x', id: 'id', skipBad: true });
    assert.deepEqual([done.before, done.lines, done.skipped], [1, 1, 1]);
  }
  const file = fileOf(t, '');
  writeFileSync(file, Uint8Array.of(0x7b, 0xff, 0x0a));
  await assert.rejects(importJsonLines(db, file), { message: /line 1: it is no UTF-8/ });
  await assert.rejects(importJsonLines(db, `${file}.gone`), { code: 'NOT_FOUND' });
  await assert.rejects(importJsonLines(db, join(file, '..')), { code: 'SOURCE_INVALID', message: /is no file/ });
});

test('ids, times and actors that cannot be ones are counted, not guessed', async (t) => {
  const db = memory(t);
  const odd = [
    { id: 7, at: 1_700_000_000, who: { name: 'ada' } },
    { id: '', at: 1_600_000_000_000, who: { name: '' } },
    { id: null, at: 'yesterday', who: 5 },
    { id: 1.5, at: -5, who: { name: 'x'.repeat(300) } },
    { id: '\ud800', at: {} },
  ];
  const done = await importJsonLines(db, fileOf(t, odd.map((line) => JSON.stringify(line)).join('\n')), fields);
  assert.deepEqual([done.lines, done.withoutId, done.withoutTime, done.withoutActor, done.backwards], [5, 3, 2, 3, 2]);
  const [first, second, , fourth] = await everything(db);
  assert.equal(first!.assertedTime!.getTime(), 1_700_000_000_000);
  assert.equal(second!.assertedTime!.getTime(), 1_600_000_000_000);
  assert.deepEqual([fourth!.assertedTime!.getTime(), fourth!.actor], [1, 'x'.repeat(256)]);
  assert.deepEqual(db.get(['doors', 7]), odd[0]);
});

test('the fields of a file are guessed from its first lines, or not', async (t) => {
  assert.deepEqual(await guessFields(fileOf(t, '{"issue_id":"a","created_at":"2026-01-01","actor":"x","event_type":"y"}\n')), {
    id: 'issue_id',
    time: 'created_at',
    actor: 'actor',
    reason: 'event_type',
  });
  assert.deepEqual(await guessFields(fileOf(t, '{"id":1,"at":2}\n{"id":2,"at":"never"}\n')), {
    id: 'id',
    time: undefined,
    actor: undefined,
    reason: undefined,
  });
  assert.deepEqual(await guessFields(fileOf(t, '')), { id: undefined, time: undefined, actor: undefined, reason: undefined });
});
