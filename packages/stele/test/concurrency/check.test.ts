/**
 * The checker, tested: histories with the classical faults must be refused, by the order of versions and by search, and
 * their healthy sisters accepted. A checker that never refuses proves nothing.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Operation } from '../../src/txn/types.ts';
import type { Answer } from '../model/answer.ts';
import type { Read } from '../model/program.ts';
import { type Bug, FakeEngine, fakeStore } from '../reference/fake-engine.ts';
import { keyBytes } from '../reference/keys.ts';
import { violationOf } from './check.ts';
import type { Happening, Recorded } from './history.ts';
import { record } from './recorder.ts';
import { findSerialOrder } from './search.ts';

const get = (key: string, answer: string | undefined): Happening => ({
  read: { ask: 'get', key },
  answer: answer === undefined ? undefined : keyBytes(answer),
});
const ask = (read: Read, answer: Answer): Happening => ({ read, answer });
const put = (key: string, value: string, expiresAt?: number): Happening => ({
  write: { type: 'put', key: keyBytes(key), value: keyBytes(value), ...(expiresAt === undefined ? {} : { expiresAt }) } satisfies Operation,
});
const remove = (key: string): Happening => ({ write: { type: 'delete', key: keyBytes(key) } });

interface Short {
  /** Tickets [began, ending, ended]. */
  at: [number, number, number];
  /** Version of the view; its time is ten times that unless given. */
  sees: number;
  timeMs?: number;
  did: Happening[];
  /** Version it became; `undefined`: wrote nothing. */
  became?: number;
  commitMs?: number;
  changed?: number;
  end?: 'conflict' | 'aborted';
}

function historyOf(...short: Short[]): Recorded[] {
  return short.map((txn, index) => {
    const timeMs = txn.timeMs ?? txn.sees * 10;
    const version = txn.became ?? txn.sees;
    const committed = {
      as: 'committed',
      version,
      timeMs: txn.commitMs ?? version * 10,
      changed: txn.changed ?? (txn.became === undefined ? 0 : 1),
    } as const;
    const [began, ending, ended] = txn.at;
    const newest = Math.max(0, ...short.filter((other) => other.at[1] < ending).map((other) => other.became ?? 0));
    return {
      name: 'ABCDEFGH'[index] as string,
      began,
      ending,
      ended,
      version: txn.sees,
      timeMs,
      newest,
      clockMs: txn.commitMs ?? version * 10,
      happenings: txn.did,
      end: txn.end === undefined ? committed : { as: txn.end },
    };
  });
}

/** Refused by the versions, and (unless it needs real time or views alone) no other order explains it. */
function refused(history: Recorded[], reason: RegExp, search = true): void {
  assert.match(violationOf(history) ?? 'nothing wrong', reason);
  if (search) assert.equal(findSerialOrder(history), undefined);
}

function accepted(history: Recorded[]): void {
  assert.equal(violationOf(history), undefined);
  assert.ok(findSerialOrder(history) !== undefined);
}

const seed: Short = { at: [1, 2, 3], sees: 0, did: [put('x', '0'), put('y', '0')], became: 1, changed: 2 };

test('one after the other is accepted', () => {
  accepted(
    historyOf(
      seed,
      { at: [4, 5, 6], sees: 1, did: [get('x', '0'), put('x', '1')], became: 2 },
      { at: [7, 8, 9], sees: 2, did: [get('x', '1')] },
    ),
  );
});

test('a lost update is refused', () => {
  const first: Short = { at: [4, 6, 7], sees: 1, did: [get('x', '0'), put('x', '1')], became: 2 };
  const second: Short = { at: [5, 8, 9], sees: 1, did: [get('x', '0'), put('x', '2')], became: 3 };
  refused(historyOf(seed, first, second), /as version 3/);
  accepted(historyOf(seed, first, { ...second, end: 'conflict' }));
});

test('write skew is refused', () => {
  const read = [get('x', '0'), get('y', '0')];
  refused(
    historyOf(
      seed,
      { at: [4, 6, 7], sees: 1, did: [...read, put('x', '1')], became: 2 },
      { at: [5, 8, 9], sees: 1, did: [...read, put('y', '1')], became: 3 },
    ),
    /as version 3/,
  );
});

test('a phantom in a count and in a range is refused', () => {
  const span = { start: 'm', end: 'z' };
  for (const read of [ask({ ask: 'count', span }, 2), ask({ ask: 'nth', span, n: 2 }, undefined)]) {
    const first: Short = { at: [4, 6, 7], sees: 1, did: [read, put('n', '1')], became: 2 };
    const second: Short = { at: [5, 8, 9], sees: 1, did: [read, put('o', '1')], became: 3 };
    refused(historyOf(seed, first, second), /as version 3/);
  }
});

test('a delete of what another had read, and went on with, is refused', () => {
  const first: Short = { at: [4, 6, 7], sees: 1, did: [get('y', '0'), remove('x')], became: 2 };
  const second: Short = { at: [5, 8, 9], sees: 1, did: [get('x', '0'), put('y', '1')], became: 3 };
  refused(historyOf(seed, first, second), /as version 3/);
});

test('a stale read is refused: who begins after a commit was known must see it', () => {
  const write: Short = { at: [4, 5, 6], sees: 1, did: [put('x', '1')], became: 2 };
  refused(historyOf(seed, write, { at: [7, 8, 9], sees: 1, did: [get('x', '0')] }), /though 2 was known/);
  accepted(historyOf(seed, write, { at: [4, 8, 9], sees: 1, did: [get('x', '0')] }));
});

test('a read from the future and a read that is not repeatable are refused', () => {
  const write: Short = { at: [6, 7, 8], sees: 1, did: [put('x', '1')], became: 2 };
  refused(historyOf(seed, write, { at: [5, 9, 10], sees: 2, timeMs: 10, did: [get('x', '1')] }), /asked for later/, false);
  refused(historyOf(seed, write, { at: [5, 9, 10], sees: 1, did: [get('x', '0'), get('x', '1')] }), /in its view/);
});

test('a read of what was aborted is refused', () => {
  const aborted: Short = { at: [4, 5, 6], sees: 1, did: [put('x', '9')], end: 'aborted' };
  refused(historyOf(seed, aborted, { at: [7, 8, 9], sees: 1, did: [get('x', '9')] }), /in its view/);
});

test('an inconsistent view is refused even when its transaction conflicted', () => {
  const write: Short = { at: [4, 5, 6], sees: 1, did: [put('x', '1'), put('y', '1')], became: 2, changed: 2 };
  refused(historyOf(seed, write, { at: [3, 7, 8], sees: 1, did: [get('x', '0'), get('y', '1')], end: 'conflict' }), /in its view/, false);
});

test('expiry is judged at the time of the commit', () => {
  const lease: Short = { at: [1, 2, 3], sees: 0, did: [put('lease', 'me', 25)], became: 1 };
  const late: Short = { at: [4, 5, 6], sees: 1, did: [get('lease', 'me'), put('x', 'mine')], became: 2, commitMs: 25 };
  refused(historyOf(lease, late), /as version 2 at 25/);
  accepted(historyOf(lease, { ...late, commitMs: 24 }));
  accepted(historyOf(lease, { ...late, end: 'conflict' }));
});

test('falling times, holes in the versions, wrong counts of changes and conflicts without a reason are refused', () => {
  refused(historyOf(seed, { at: [4, 5, 6], sees: 1, did: [put('x', '1')], became: 2, commitMs: 9 }), /is recorded at 9/, false);
  refused(historyOf(seed, { at: [4, 5, 6], sees: 1, did: [put('x', '1')], became: 3 }), /became version 3, expected 2/, false);
  refused(
    historyOf(seed, { at: [4, 5, 6], sees: 1, did: [put('x', '1'), remove('n')], became: 2, changed: 2 }),
    /said it changed 2/,
    false,
  );
  refused(historyOf(seed, { at: [4, 5, 6], sees: 1, did: [get('x', '0'), put('y', '1')], end: 'conflict' }), /has no reason/, false);
});

async function recorded(seedNumber: number, bug?: Bug): Promise<Recorded[]> {
  const clock = { ms: 1000 };
  const engine = new FakeEngine(fakeStore(), () => clock.ms, bug);
  return record({ engine, clock, seed: seedNumber, workers: 5, transactions: 120, keys: 5 });
}

test('recorded histories of the reference itself are accepted', async () => {
  for (let number = 1; number <= 8; number++) {
    const history = await recorded(number);
    assert.equal(violationOf(history), undefined, `seed ${number}`);
    const conflicts = history.filter((txn) => txn.end.as === 'conflict').length;
    assert.ok(conflicts > 5, `seed ${number}: only ${conflicts} conflicts, the workload proves little`);
  }
});

for (const bug of [
  'point reads are not validated',
  'ranges are not validated',
  'expiry is not validated',
  'time follows the clock back',
] as const) {
  test(`recorded histories of an engine where "${bug}" are refused`, async () => {
    for (let number = 1; number <= 20; number++) if (violationOf(await recorded(number, bug)) !== undefined) return;
    assert.fail('20 histories were accepted');
  });
}
