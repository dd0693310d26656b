/**
 * The sentences of spec/transactions.md, each put to the reference. Small on purpose: whoever doubts an answer of the
 * reference finds the rule here, with numbers.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SteleError } from '../../src/base/errors.ts';
import type { Operation } from '../../src/txn/types.ts';
import { afterPrefix, keyBytes, keyText, onlyKey } from './keys.ts';
import { Reference } from './reference.ts';
import { ReferenceTransaction } from './transaction.ts';

const bytes = (text: string) => keyBytes(text);
const put = (key: string, value: string, more: { expiresAt?: number; ttlMs?: number; ifVersion?: number } = {}): Operation => ({
  type: 'put',
  key: bytes(key),
  value: bytes(value),
  ...more,
});
const remove = (key: string, more: { ifVersion?: number } = {}): Operation => ({ type: 'delete', key: bytes(key), ...more });
const all = { start: '', end: undefined };

function textOf(reference: Reference, key: string, version: number, timeMs: number): string | undefined {
  const entry = reference.view({ version, timeMs }).entry(bytes(key));
  return entry === undefined ? undefined : keyText(entry.value);
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof SteleError) return `${error.kind} ${error.code}`;
    throw error;
  }
  return 'no error';
}

test('an entry is live until one millisecond before it expires, and dead from then on', () => {
  const reference = new Reference();
  reference.commit([put('a', '1', { expiresAt: 150 })], 100);
  assert.equal(textOf(reference, 'a', 1, 149), '1');
  assert.equal(textOf(reference, 'a', 1, 150), undefined);
});

test('a put that is born expired is a commit, is never live, and stays in history', () => {
  const reference = new Reference();
  assert.deepEqual(reference.commit([put('a', '1', { expiresAt: 100 })], 100), { version: 1, timeMs: 100, changed: 1 });
  assert.equal(textOf(reference, 'a', 1, 100), undefined);
  assert.deepEqual(
    reference.history('a', 100).map((line) => [line.version, line.timeMs, line.expired]),
    [
      [1, 100, true],
      [1, 100, false],
    ],
  );
});

test('deleting nothing writes nothing, expired counts as nothing, and no effect makes no commit', () => {
  const reference = new Reference();
  reference.commit([put('a', '1', { ttlMs: 10 })], 100);
  assert.deepEqual(reference.commit([remove('a'), remove('b')], 110), { version: 1, timeMs: 100, changed: 0 });
  assert.equal(reference.version, 1);
  assert.deepEqual(reference.commit([remove('a')], 109), { version: 2, timeMs: 109, changed: 1 });
});

test('the last effect per key counts, an equal put is an effect, and a range takes what the batch put before it', () => {
  const reference = new Reference();
  assert.equal(reference.commit([put('a', '1'), put('a', '2')], 1).changed, 1);
  assert.equal(textOf(reference, 'a', 1, 1), '2');
  assert.equal(reference.commit([put('a', '2')], 2).version, 2);
  assert.equal(reference.commit([put('n', '1'), remove('n')], 3).changed, 0);
  const range: Operation = { type: 'deleteRange', start: bytes('a'), end: bytes('d') };
  assert.deepEqual(reference.commit([put('b', '1'), range, put('c', '3')], 4).changed, 2);
  assert.deepEqual(
    reference
      .view({ version: 3, timeMs: 4 })
      .scan()
      .map((entry) => keyText(entry.key)),
    ['c'],
  );
});

test('conditions are judged before the batch, at the time of the commit', () => {
  const reference = new Reference();
  reference.commit([put('a', '1', { expiresAt: 50 })], 10);
  assert.equal(
    codeOf(() => reference.commit([put('b', '1'), { type: 'check', key: bytes('b'), ifVersion: 2 }], 20)),
    'conflict VERSION_MISMATCH',
  );
  assert.equal(
    codeOf(() => reference.commit([put('a', '2', { ifVersion: 1 })], 50)),
    'conflict VERSION_MISMATCH',
  );
  assert.equal(
    codeOf(() => reference.commit([put('a', '2', { ifVersion: 0 }), put('a', '3', { ifVersion: 0 })], 50)),
    'no error',
  );
  assert.equal(reference.version, 2);
});

test('hybrid time never falls, and a view of version n has the time of commit n', () => {
  const reference = new Reference();
  assert.deepEqual([reference.now(10), reference.now(5), reference.now(11)], [10, 10, 11]);
  reference.commit([put('a', '1')], reference.now(3));
  assert.equal(reference.timeOf(1), 11);
  assert.equal(reference.timeOf(0), 0);
  assert.deepEqual(
    [10, 11, 99].map((timeMs) => reference.versionAtTime(timeMs)),
    [0, 1, 1],
  );
});

test('asserted time is searched by its running maximum', () => {
  const reference = new Reference();
  for (const [i, asserted] of [undefined, 30, 20, undefined, 40].entries()) reference.commit([put('a', String(i))], i, asserted);
  assert.deepEqual(
    [0, 29, 30, 39, 40].map((timeMs) => reference.versionAtAsserted(timeMs)),
    [1, 1, 4, 4, 5],
  );
});

test('history shows deletes, and an end by expiry only when nothing came before it', () => {
  const reference = new Reference();
  reference.commit([put('a', '1', { expiresAt: 30 })], 10);
  reference.commit([put('a', '2', { expiresAt: 25 })], 20);
  reference.commit([put('a', '3')], 40);
  reference.commit([remove('a')], 50);
  assert.deepEqual(
    reference
      .history('a', 60)
      .map((line) => [line.value === undefined ? '' : keyText(line.value), line.version, line.timeMs, line.expired]),
    [
      ['', 4, 50, false],
      ['3', 3, 40, false],
      ['', 2, 25, true],
      ['2', 2, 20, false],
      ['1', 1, 10, false],
    ],
  );
});

function started(): { reference: Reference; txn: ReferenceTransaction } {
  const reference = new Reference();
  reference.commit([put('a', '1'), put('c', '1', { expiresAt: 50 })], 10);
  return { reference, txn: new ReferenceTransaction(reference, { version: 1, timeMs: 20 }) };
}

test('a transaction conflicts by a key it found, a key it missed, and a gap it scanned', () => {
  for (const key of ['a', 'b', 'bb']) {
    const { reference, txn } = started();
    txn.entry(bytes('a'));
    txn.entry(bytes('b'));
    txn.scan({ start: bytes('a'), limit: 2 });
    txn.write(put('z', '1'));
    reference.commit([put(key, '2')], 30);
    assert.equal(
      codeOf(() => txn.commit(30)),
      'conflict CONFLICT',
      key,
    );
  }
});

test('a scan cut by its limit examines up to its last entry', () => {
  const { reference, txn } = started();
  txn.scan({ limit: 1 });
  txn.write(put('z', '1'));
  reference.commit([put('aa', '2')], 30);
  assert.equal(
    codeOf(() => txn.commit(30)),
    'no error',
  );
});

test('a transaction conflicts when something it saw alive expired, and only then', () => {
  const before = started();
  before.txn.count();
  before.txn.write(put('z', '1'));
  assert.equal(
    codeOf(() => before.txn.commit(49)),
    'no error',
  );
  const after = started();
  after.txn.count();
  after.txn.write(put('z', '1'));
  assert.equal(
    codeOf(() => after.txn.commit(50)),
    'conflict CONFLICT',
  );
});

test('own writes are seen with version 0, join no read set when read by key, and never conflict blindly', () => {
  const { reference, txn } = started();
  txn.write(put('a', '9', { ttlMs: 5 }));
  assert.deepEqual([txn.entry(bytes('a'))?.version, txn.entry(bytes('a'))?.expiresAt], [0, 25]);
  reference.commit([put('a', '2')], 30);
  assert.deepEqual(txn.commit(40), { version: 3, timeMs: 40, changed: 1 });
  assert.equal(textOf(reference, 'a', 3, 44), '9');
  assert.equal(textOf(reference, 'a', 3, 45), undefined);
});

test('a transaction without writes never conflicts and stands at its snapshot', () => {
  const { reference, txn } = started();
  txn.scan();
  reference.commit([put('a', '2')], 30);
  assert.deepEqual(txn.commit(99), { version: 1, timeMs: 10, changed: 0 });
});

test('what a rule lets go is everything below the newest commit recorded at least so long ago', () => {
  const reference = new Reference();
  for (const timeMs of [10, 20, 30, 30]) reference.commit([put('a/1', String(timeMs))], reference.now(timeMs));
  const rules = [
    { prefix: bytes(''), historyMs: Infinity },
    { prefix: bytes('a/'), historyMs: 10 },
    { prefix: bytes('a/1'), historyMs: 0 },
  ];
  reference.setRetention({ rules }, reference.now(30));
  const below = (range: { start: string; end: string | undefined }) => reference.horizonOf(range, reference.instant()).version;
  assert.deepEqual([below(onlyKey('a')), below(onlyKey('a/2')), below(onlyKey('a/1x'))], [0, 2, 4]);
  assert.deepEqual([below(all), below({ start: 'a/', end: 'a/0' }), below({ start: 'b', end: undefined })], [4, 2, 0]);
  reference.setRetention({ rules: [{ prefix: bytes(''), historyMs: Infinity }] }, reference.now(30));
  assert.equal(below(onlyKey('a/2')), 2);
});

test('a rule of 0 keeps the newest state alone: no version of before, no time of before', () => {
  const reference = new Reference(0);
  reference.commit([put('a', '1')], reference.now(10));
  reference.now(15);
  const mayRefuse = (version: number, timeMs: number) => reference.view({ version, timeMs }).mayBeExpired({});
  assert.deepEqual([mayRefuse(0, 0), mayRefuse(1, 10), mayRefuse(1, 14), mayRefuse(1, 15)], [true, true, true, false]);
});

test('history is promised down to the value that was shown at the horizon', () => {
  const reference = new Reference(10);
  for (const timeMs of [10, 20, 30]) reference.commit([put('a', String(timeMs))], reference.now(timeMs));
  reference.now(35);
  const lines = reference.history('a', 35);
  assert.equal(reference.historyPromised('a', lines), 2);
});

test('cutting back leaves exactly the prefix', () => {
  const reference = new Reference();
  for (const timeMs of [10, 20, 30]) reference.commit([put('a', String(timeMs)), put(String(timeMs), '')], reference.now(timeMs));
  reference.cutBack(1);
  assert.deepEqual([reference.version, textOf(reference, 'a', 1, 99), textOf(reference, '20', 1, 99)], [1, '10', undefined]);
  assert.equal(reference.now(1), 10);
});

test('the text after a prefix skips the greatest bytes', () => {
  assert.deepEqual([afterPrefix('a'), afterPrefix('a\xff'), afterPrefix('\xff'), afterPrefix('')], ['b', 'b', undefined, undefined]);
});
