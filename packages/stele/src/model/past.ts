/**
 * History of a path: its versions newest first, each with who wrote it.
 *
 * Specification: spec/transactions.md, "History and changes".
 */

import { SteleError } from '../base/errors.ts';
import type { HistoryEntry as KernelEntry, View } from '../txn/types.ts';
import { FIELD_ACTOR, FIELD_REASON, metaField } from './identity.ts';
import { checkLimit } from './reading.ts';
import { Mapped, rowsOf } from './rows.ts';
import type { Store } from './store.ts';
import type { HistoryEntry, Rows } from './types.ts';

const NO_META: readonly Uint8Array[] = [];

/** `upTo`: what the view sees, and nothing behind it. */
export function historyRows<T>(
  store: Store,
  key: Uint8Array,
  { upTo, limit = Number.POSITIVE_INFINITY }: { upTo: View | undefined; limit: number | undefined },
): Rows<HistoryEntry<T>> {
  checkLimit('limit', limit);
  return rowsOf(() => {
    const { engine } = store;
    const entries = engine.history(key) as Iterator<KernelEntry, undefined>;
    return new Mapped(taken(upTo === undefined ? entries : seenBy(entries, upTo), limit), (entry) => entryOf<T>(store, entry));
  });
}

function* taken<E>(entries: Iterator<E, undefined>, limit: number): Generator<E, undefined> {
  for (let left = limit; left > 0; left--) {
    const step = entries.next();
    if (step.done === true) return undefined;
    yield step.value;
  }
  return undefined;
}

/** Entries of commits the view sees; an end by expiry only when it had come at the view's time. */
function* seenBy(entries: Iterator<KernelEntry, undefined>, { version, timeMs }: View): Generator<KernelEntry, undefined> {
  for (let step = entries.next(); step.done !== true; step = entries.next()) {
    const entry = step.value;
    if (entry.version > version || (entry.expired && entry.timeMs > timeMs)) continue;
    yield entry;
  }
  return undefined;
}

function entryOf<T>(store: Store, { value, version, timeMs, expired }: KernelEntry): HistoryEntry<T> {
  const meta = expired ? NO_META : metaOf(store, version);
  return {
    value: value === undefined ? undefined : (store.codec.decode(value, 0, value.length) as T),
    version,
    time: new Date(timeMs),
    expired,
    actor: metaField(meta, FIELD_ACTOR),
    reason: metaField(meta, FIELD_REASON),
  };
}

/** Empty when the log has let the commit go: its value was carried on, who wrote it was not. */
function metaOf(store: Store, version: number): readonly Uint8Array[] {
  try {
    return store.engine.commitRecord(version).meta;
  } catch (error) {
    if (error instanceof SteleError && error.code === 'HISTORY_EXPIRED') return NO_META;
    throw error;
  }
}
