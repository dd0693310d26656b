/**
 * Puts one read to the database and to the reference and compares.
 *
 * What counts: the answer is the reference's; or the database refused with HISTORY_EXPIRED and what was declared lets that go. Never a wrong answer,
 * never a refusal of what is promised.
 */

import type { Reading, Segment } from '../../src/model/types.ts';
import { answer, type Read, stretchesOf } from './answers.ts';
import { Divergence, expectSame, type Found, foundLater, foundOf } from './divergence.ts';
import type { Kept } from './kept.ts';
import { nameOf, segments } from './paths.ts';
import type { RefView } from './reference.ts';
import { expectedOf, type Outcome } from './refusal.ts';
import type { Sight } from './sight.ts';

/** What reads in an asynchronous form. */
const ASYNC: ReadonlySet<Read['ask']> = new Set(['getAsync', 'getManyAsync', 'prefetch', 'prefetchMany']);

export function isAsync(read: Read): boolean {
  return ASYNC.has(read.ask);
}

/** Asks a handle that stands where the read's paths begin. */
export function askDatabase(handle: Reading & { peek?(path: string): unknown }, read: Read): unknown {
  switch (read.ask) {
    case 'get':
      return handle.get(read.path);
    case 'peek':
      return handle.peek === undefined ? handle.get(read.path) : handle.peek(read.path);
    case 'getAsync':
      return handle.getAsync(read.path);
    case 'has':
      return handle.has(read.path);
    case 'entry':
      return handle.entry(read.path);
    case 'kind':
      return handle.kind(read.path);
    case 'first':
      return handle.first(read.path);
    case 'last':
      return handle.last(read.path);
    case 'nth':
      return handle.nth(read.path, read.n);
    case 'getMany':
      return handle.getMany(read.paths);
    case 'getManyAsync':
      return handle.getManyAsync(read.paths);
    case 'prefetchMany':
      return handle.prefetch(read.paths);
    case 'prefetch':
      return handle.prefetch({ prefix: read.path });
    case 'readValue':
      return handle.readValue(read.path, without(read, 'ask', 'path'));
    case 'getTree':
      return handle.getTree(read.path, without(read, 'ask', 'path'));
    case 'children':
      return [...childrenOf(handle, read)];
    case 'scan':
      return [...handle.scan(without(read, 'ask') as object)];
    case 'count':
      return handle.count(without(read, 'ask'));
  }
}

export function childrenOf(handle: Reading, read: Extract<Read, { ask: 'children' }>): Iterable<Segment> {
  const { after, ...options } = without(read, 'ask', 'path') as { after?: string; limit?: number; reverse?: boolean };
  return handle.children(read.path, after === undefined ? options : { ...options, after: segments(after)[0]! });
}

export function without<T extends object>(from: T, ...names: readonly string[]): Partial<T> {
  return Object.fromEntries(Object.entries(from).filter(([name]) => !names.includes(name))) as Partial<T>;
}

/** @throws {Divergence} */
export function judge(what: string, expected: Outcome<unknown>, found: Found<unknown>, mayRefuse: () => boolean): 'refused' | 'answered' {
  if (found.error?.code === 'HISTORY_EXPIRED') {
    if (mayRefuse()) return 'refused';
    throw new Divergence(`${what}: refused, but promised`, expected.code ?? (expected as { value: unknown }).value, found.error);
  }
  if (found.error !== undefined || expected.code !== undefined) {
    if (found.error?.code !== expected.code)
      throw new Divergence(what, expected.code ?? (expected as { value: unknown }).value, found.error ?? found.value);
    return 'answered';
  }
  expectSame(what, (expected as { value: unknown }).value, found.value);
  return 'answered';
}

/** @throws {Divergence} */
export async function compareRead(
  what: string,
  handle: Reading,
  at: readonly Segment[],
  read: Read,
  ask: (read: Read) => unknown,
  view: { readonly kept: Kept; readonly of: RefView } | undefined,
  drive: <T>(promise: Promise<T>) => Promise<T>,
): Promise<'refused' | 'answered'> {
  const expected = expectedOf(() => ask(read));
  const found = isAsync(read)
    ? await foundLater(what, () => drive(askDatabase(handle, read) as Promise<unknown>))
    : foundOf(what, () => askDatabase(handle, read));
  return judge(what, expected, found, () => mayRefuse(view, at, read));
}

export function mayRefuse(view: { readonly kept: Kept; readonly of: RefView } | undefined, at: readonly Segment[], read: Read): boolean {
  if (view === undefined) return false;
  const stretches = expectedOf(() => stretchesOf(at, read));
  return 'value' in stretches && view.of.mayRefuse(stretches.value.flatMap((stretch) => view.kept.zonesOf(stretch)));
}

/** A view that leaves out what is not kept: every row shown is right, every row missing may be gone. @throws {Divergence} */
export function compareSkipping(
  what: string,
  handle: Reading,
  at: readonly Segment[],
  sight: Sight,
  mayBeGone: (path: readonly Segment[]) => boolean,
): void {
  const rows = answer(sight, at, { ask: 'scan' }) as { path: Segment[]; value: unknown; version: number }[];
  const found = handle.scan().toArray();
  if (handle.count() !== found.length) throw new Divergence(`${what}: count`, found.length, handle.count());
  expectSame(`${what}: last`, found.at(-1), handle.last());
  let next = 0;
  for (const row of rows) {
    if (next < found.length && nameOf(row.path) === nameOf(found[next]!.path)) expectSame(what, row, found[next++]);
    else if (!mayBeGone(row.path)) throw new Divergence(`${what}: left out`, row, found[next]);
  }
  if (next < found.length) throw new Divergence(`${what}: shown`, 'no such row', found[next]);
}
