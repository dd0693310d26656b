/**
 * The difference between two views: both are walked side by side in path order; entries of one commit are the same without being read.
 *
 * Cost: O(entries under the prefix) of both views.
 * Specification: docs/api.md, "Time".
 */

import { compareBytes } from '../base/bytes.ts';
import type { Entry, View } from '../txn/types.ts';
import type { Path } from './path/types.ts';
import type { Place } from './place.ts';
import { rowsOf } from './rows.ts';
import type { Store } from './store.ts';
import type { Difference, Rows } from './types.ts';

/** From `before` to `after`: what was put, replaced by another value, and deleted. */
export function differences(store: Store, before: View, after: View, place: Place, prefix: Path = []): Rows<Difference> {
  const range = place.range(prefix);
  return rowsOf(() => walk(store, before, after, place, range));
}

function* walk(
  store: Store,
  before: View,
  after: View,
  place: Place,
  range: { start: Uint8Array; end: Uint8Array },
): Generator<Difference, undefined> {
  const { decode } = store.codec;
  const decoded = ({ value }: Entry): ReturnType<typeof decode> => decode(value, 0, value.length);
  const old = before.scan(range)[Symbol.iterator]();
  const now = after.scan(range)[Symbol.iterator]();
  let was = old.next().value as Entry | undefined;
  let is = now.next().value as Entry | undefined;
  while (was !== undefined || is !== undefined) {
    const order = was === undefined ? 1 : is === undefined ? -1 : compareBytes(was.key, 0, was.key.length, is.key, 0, is.key.length);
    if (order < 0) {
      yield { path: place.path(was!.key, 0, was!.key.length), before: decoded(was!), version: endOf(store, was!, after) };
    } else if (order > 0) {
      yield { path: place.path(is!.key, 0, is!.key.length), after: decoded(is!), version: is!.version };
    } else if (was!.version !== is!.version && !isSame(was!.value, is!.value)) {
      yield { path: place.path(is!.key, 0, is!.key.length), before: decoded(was!), after: decoded(is!), version: is!.version };
    }
    if (order <= 0) was = old.next().value as Entry | undefined;
    if (order >= 0) is = now.next().value as Entry | undefined;
  }
  return undefined;
}

/** The commit that ended an entry, as `view` sees it; for an expiry the commit that wrote what expired. */
function endOf(store: Store, { key, version }: Entry, view: View): number {
  for (const entry of store.engine.history(key)) if (entry.version <= view.version) return entry.version;
  return version;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, 0, a.length, b, 0, b.length) === 0;
}
