/**
 * Verification of indexes: each is derived once more from the data, and compared.
 *
 * Every record is asked for the entries it ought to have, and each must lie there with the same windows; then as many entries must lie there as
 * were asked for, or those too many are looked for. Memory does not grow with the data.
 *
 * Specification: spec/policies.md, "Verification".
 */

import { SteleError } from '../../base/errors.ts';
import type { Damage, View } from '../../txn/types.ts';
import { decodePath, segmentEnd } from '../path/decode.ts';
import { formatPath } from '../path/text.ts';
import { behind } from '../place.ts';
import type { Store } from '../store.ts';
import type { Work } from '../types.ts';
import { type DerivedEntry, decodeWindows, isWithin } from './derived-entry.ts';
import { derivedRange } from './derived-key.ts';
import { fieldsEnd, INDEX_FORMAT, INDEX_KIND, IndexMaintainer, recordKeyOf } from './index-maintainer.ts';
import type { IndexSpec } from './record.ts';

/** A difference between an index and the data. */
export interface IndexDifference {
  readonly index: string;
  /** Text of the record's path. */
  readonly path: string;
  readonly problem:
    | 'entry is missing'
    | 'entry has other windows'
    | 'entry without a record'
    | 'record without a legal key'
    | 'key is not unique';
}

const DIFFERENCES_MAX = 1_000;
/** Records and entries between two looks at the signal. */
const YIELD_EVERY = 1_000;

/** The damages of all indexes that are ready in the newest state. */
export async function verifyDerived(store: Store, work: Work = {}): Promise<Damage[]> {
  const view = store.engine.snapshot();
  const damages: Damage[] = [];
  try {
    let done = 0;
    for (const difference of indexDifferences(store, view)) {
      if (difference !== undefined && damages.length < DIFFERENCES_MAX) {
        const { index, path, problem } = difference;
        damages.push({ where: 'index', message: `index ${JSON.stringify(index)}, ${path}: ${problem}`, detail: { ...difference } });
      }
      if (++done % YIELD_EVERY !== 0) continue;
      if (work.signal?.aborted === true) throw new SteleError('closed', 'CANCELLED', 'the verification was cancelled');
      await new Promise<void>((resolve) => store.host.timers.immediate(resolve));
    }
  } finally {
    view.close();
  }
  return damages;
}

/** What differs at a view of the newest state, in no promised order; undefined for each record or entry that was looked at. */
export function* indexDifferences(store: Store, view: View): Generator<IndexDifference | undefined, void> {
  for (const { prefix, maintainers } of [...store.book.subtrees]) {
    const ready = maintainers.filter(({ kind, format, state }) => kind === INDEX_KIND && format === INDEX_FORMAT && state === 'ready');
    if (ready.length === 0) continue;
    const maintainer = new IndexMaintainer(prefix, ready);
    for (const index of maintainer.indexes) yield* differencesOf(view, maintainer, index);
  }
}

function* differencesOf(view: View, maintainer: IndexMaintainer, index: IndexSpec): Generator<IndexDifference | undefined, void> {
  const { prefix } = maintainer;
  const prefixBytes = prefix.length;
  let expected = 0;
  let isComplete = true;
  for (let start: Uint8Array | undefined = prefix; start !== undefined; ) {
    let recordKey: Uint8Array | undefined;
    for (const { key } of view.scan({ start, end: behind(prefix), limit: 2, values: false })) {
      if (key.length === prefixBytes) continue;
      recordKey = key.slice(0, segmentEnd(key, prefixBytes, key.length));
      break;
    }
    if (recordKey === undefined) break;
    start = behind(recordKey);
    const entries = entriesOrNone(maintainer, index, recordKey, view);
    if (entries === undefined) yield { index: index.name, path: textOf(recordKey), problem: 'record without a legal key' };
    for (const entry of entries ?? []) {
      expected++;
      const stored = view.entry(entry.key);
      const windows = stored === undefined ? undefined : decodeWindows(stored.value, stored.expiresAt ?? 0);
      const isRight = windows !== undefined && sameFrom(view.timeMs, windows, entry.windows);
      if (windows === undefined) isComplete = false;
      if (!isRight)
        yield {
          index: index.name,
          path: textOf(recordKey),
          problem: windows === undefined ? 'entry is missing' : 'entry has other windows',
        };
    }
    yield undefined;
  }
  if (isComplete && view.count(derivedRange(index.id)) === expected && !index.isUnique) return;
  yield* surplusOf(view, maintainer, index);
}

/** Entries that no record asks for, and keys that two have at the time of the view. */
function* surplusOf(view: View, maintainer: IndexMaintainer, index: IndexSpec): Generator<IndexDifference | undefined, void> {
  let last: Uint8Array | undefined;
  for (const { key, value, expiresAt } of view.scan(derivedRange(index.id))) {
    const fieldsBytes = fieldsEnd(index, key);
    const recordKey = recordKeyOf(maintainer.prefix, key, fieldsBytes);
    const entries = entriesOrNone(maintainer, index, recordKey, view) ?? [];
    if (!entries.some((entry) => sameBytes(entry.key, key)))
      yield { index: index.name, path: textOf(recordKey), problem: 'entry without a record' };
    if (index.isUnique && isWithin(decodeWindows(value, expiresAt ?? 0), view.timeMs)) {
      const fields = key.subarray(0, fieldsBytes);
      if (last !== undefined && sameBytes(last, fields)) yield { index: index.name, path: textOf(recordKey), problem: 'key is not unique' };
      last = fields;
    }
    yield undefined;
  }
}

function entriesOrNone(
  maintainer: IndexMaintainer,
  index: IndexSpec,
  recordKey: Uint8Array,
  view: View,
): readonly DerivedEntry[] | undefined {
  try {
    return maintainer.entriesOf(index, recordKey, view);
  } catch (error) {
    if (error instanceof SteleError && error.code === 'INDEX_KEY_TOO_LONG') return undefined;
    throw error;
  }
}

/** Do both say the same of every time from `timeMs` on? */
function sameFrom(timeMs: number, a: readonly number[], b: readonly number[]): boolean {
  const left = clipped(timeMs, a);
  const right = clipped(timeMs, b);
  return left.length === right.length && left.every((time, at) => time === right[at]);
}

/** Windows from `timeMs` on; 0 stands for a beginning at or before it. */
function clipped(timeMs: number, windows: readonly number[]): number[] {
  const rest: number[] = [];
  for (let at = 0; at < windows.length; at += 2) {
    const until = windows[at + 1]!;
    if (until !== 0 && until <= timeMs) continue;
    rest.push(windows[at]! <= timeMs ? 0 : windows[at]!, until);
  }
  return rest;
}

function textOf(key: Uint8Array): string {
  return formatPath(decodePath(key, 0, key.length));
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
