/**
 * Puts one read to the engine and to the reference and compares.
 *
 * What counts: the answer is the reference's; or the engine refused with HISTORY_EXPIRED and the policy lets that
 * range go at that version. Never a wrong answer, never a refusal of what is promised.
 *
 * Specification: spec/transactions.md, "Views" and "Retention".
 */

import type { Entry, KeyRange, Reader } from '../../src/txn/types.ts';
import { keyBytes, onlyKey } from '../reference/keys.ts';
import type { ReferenceReader } from '../reference/reference.ts';
import { type Answer, Divergence, expectSame, outcomeOf, refused } from './answer.ts';
import { type Read, spanOf } from './program.ts';

/** @throws {Divergence} */
export async function compareRead(what: string, read: Read, reader: Reader, reference: ReferenceReader): Promise<void> {
  const mayRefuse = rangesOf(read).some((range) => reference.mayBeExpired(range));
  const expected = askReference(read, reference);
  const outcome = await outcomeOf(what, () => askEngine(what, read, reader));
  if (outcome.error === undefined) return expectSame(what, expected, outcome.value);
  if (outcome.error.code !== refused) throw new Divergence(what, expected, outcome.error);
  if (!mayRefuse) throw new Divergence(`${what}: refused, but promised`, expected, outcome.error);
}

/** A view that leaves out what is not kept: every entry shown is right, every entry missing may be gone. */
export function compareSkipping(what: string, span: KeyRange, reader: Reader, reference: ReferenceReader): void {
  const expected = reference.scan(span);
  const found = [...reader.scan(span)];
  if (reader.count(span) !== found.length) throw new Divergence(`${what}: count`, found.length, reader.count(span));
  let at = 0;
  for (const entry of expected) {
    const next = found[at];
    if (next !== undefined && Buffer.compare(next.key, entry.key) === 0) {
      expectSame(what, entry, next);
      at++;
    } else if (!reference.mayBeExpired(rangeOfKey(entry.key))) throw new Divergence(`${what}: left out`, entry, next);
  }
  if (at < found.length) throw new Divergence(`${what}: shown`, 'no such entry', found[at]);
}

/** What the reference answers. */
export function askReference(read: Read, reader: ReferenceReader): Answer {
  switch (read.ask) {
    case 'get':
    case 'read':
    case 'getAsync':
      return reader.entry(keyBytes(read.key))?.value;
    case 'has':
      return reader.entry(keyBytes(read.key)) !== undefined;
    case 'entry':
      return reader.entry(keyBytes(read.key));
    case 'getMany':
    case 'getManyAsync':
    case 'readMany':
      return read.keys.map((key) => reader.entry(keyBytes(key))?.value);
    case 'scan':
      return reader.scan(scanOf(read));
    case 'forEach': {
      const limit = Math.min(read.limit ?? Infinity, read.stopAfter ?? Infinity);
      return reader.scan({ ...scanOf(read), ...(limit === Infinity ? {} : { limit }) }).map(withoutExpiry);
    }
    case 'count':
      return reader.count(spanOf(read.span));
    case 'first':
      return reader.nth(spanOf(read.span), 0);
    case 'last':
      return reader.scan({ ...spanOf(read.span), reverse: true, limit: 1 })[0];
    case 'nth':
      return reader.nth(spanOf(read.span), read.n);
    case 'audit':
      return reader.scan();
  }
}

/** What the engine answers. */
export async function askEngine(what: string, read: Read, reader: Reader): Promise<Answer> {
  switch (read.ask) {
    case 'get':
      return reader.get(keyBytes(read.key));
    case 'read': {
      const padded = new Uint8Array([...keyBytes(read.key), 0x55, 0xaa]);
      return reader.read(padded, padded.length - 2, copy);
    }
    case 'getAsync':
      return reader.getAsync(keyBytes(read.key));
    case 'has':
      return reader.has(keyBytes(read.key));
    case 'entry':
      return reader.entry(keyBytes(read.key));
    case 'getMany':
      return reader.getMany(read.keys.map(keyBytes));
    case 'getManyAsync':
      return reader.getManyAsync(read.keys.map(keyBytes));
    case 'readMany':
      return reader.readMany(read.keys.map(keyBytes), copy);
    case 'scan':
      return [...reader.scan(scanOf(read))];
    case 'forEach':
      return visited(what, read, reader);
    case 'count':
      return reader.count(spanOf(read.span));
    case 'first':
      return reader.first(spanOf(read.span));
    case 'last':
      return reader.last(spanOf(read.span));
    case 'nth':
      return reader.nth(spanOf(read.span), read.n);
    case 'audit':
      return audited(what, reader);
  }
}

function visited(what: string, read: Extract<Read, { ask: 'scan' | 'forEach' }>, reader: Reader): Entry[] {
  const seen: Entry[] = [];
  const count = reader.forEach(scanOf(read), (key, keyLength, bytes, start, end, version) => {
    seen.push({ key: key.slice(0, keyLength), value: bytes.slice(start, end), version, expiresAt: undefined });
    return seen.length !== read.stopAfter;
  });
  if (count !== seen.length) throw new Divergence(`${what}: returned count`, seen.length, count);
  return seen;
}

/** The invariants that hold at every view, whatever the data. */
function audited(what: string, reader: Reader): Entry[] {
  const entries = [...reader.scan()];
  const expect = (claim: string, expected: Answer, found: Answer) => expectSame(`${what}: ${claim}`, expected, found);
  expect('count is the length of the scan', entries.length, reader.count());
  expect('first is the first of the scan', entries[0], reader.first());
  expect('last is the last of the scan', entries.at(-1), reader.last());
  const backwards = [...reader.scan({ reverse: true, values: false })].map((entry) => entry.key);
  expect('a scan in reverse is the scan reversed', entries.map((entry) => entry.key).reverse(), backwards);
  const some = entries.filter((_entry, i) => i % (3 + (entries.length >> 2)) === 0).map((entry) => entry.key);
  expect('a walk that skips meets what it skips to', some, skipping(reader, some, false));
  expect('so does one in reverse', some.toReversed(), skipping(reader, some.toReversed(), true));
  for (let i = 0; i < entries.length; i += 1 + Math.floor(entries.length / 16)) {
    const entry = entries[i] as Entry;
    expect('get is what the scan shows', entry.value, reader.get(entry.key));
    expect('entry is what the scan shows', entry, reader.entry(entry.key));
    expect('nth is what the scan shows', entry, reader.nth({}, i));
    expect('count below a key is its place', i, reader.count({ end: entry.key }));
    expect('count from a key is the rest', entries.length - i, reader.count({ start: entry.key }));
  }
  return entries;
}

/** What a walk meets that is sent from each of the keys to the next. */
function skipping(reader: Reader, keys: readonly Uint8Array[], reverse: boolean): Uint8Array[] {
  const walk = reader.walk({ reverse, values: false }, (key, keyLength) => key.slice(0, keyLength));
  const met: Uint8Array[] = [];
  for (const key of keys) {
    const behind = Uint8Array.of(...key, 0);
    if (reverse) walk.skipTo(behind, behind.length);
    else walk.skipTo(key, key.length);
    const step = walk.next();
    if (step.done !== true) met.push(step.value);
  }
  walk.return();
  return met;
}

/** The ranges a read touches. */
function rangesOf(read: Read): KeyRange[] {
  if ('key' in read) return [rangeOfKey(keyBytes(read.key))];
  if ('keys' in read) return read.keys.map((key) => rangeOfKey(keyBytes(key)));
  return ['span' in read ? spanOf(read.span) : {}];
}

function rangeOfKey(key: Uint8Array): KeyRange {
  return { start: key, end: keyBytes(onlyKey(String.fromCharCode(...key)).end as string) };
}

function scanOf(read: Extract<Read, { ask: 'scan' | 'forEach' }>): KeyRange & { reverse?: boolean; limit?: number; values?: boolean } {
  return {
    ...spanOf(read.span),
    ...(read.reverse === undefined ? {} : { reverse: read.reverse }),
    ...(read.limit === undefined ? {} : { limit: read.limit }),
    ...(read.values === undefined ? {} : { values: read.values }),
  };
}

function withoutExpiry(entry: Entry): Entry {
  return { ...entry, expiresAt: undefined };
}

function copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return bytes.slice(start, end);
}
