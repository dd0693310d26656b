/**
 * Snapshots: read views of now and of then, whole or below a prefix.
 *
 * A subtree of a snapshot is another handle on the same view: closing either closes both.
 *
 * Specification: spec/transactions.md, "Views"; docs/api.md, "Time".
 */

import { SteleError } from '../base/errors.ts';
import type { Reader, View } from '../txn/types.ts';
import { differences } from './diff.ts';
import { lookupRows } from './index/lookup.ts';
import { historyRows } from './past.ts';
import { describe } from './path/layout.ts';
import type { Path, Segment } from './path/types.ts';
import type { Place } from './place.ts';
import { isWithin } from './policy/effective.ts';
import type { Policy } from './policy/types.ts';
import { type Held, PlacedReader } from './reading.ts';
import { checkMembers, type Store } from './store.ts';
import type { Difference, HistoryEntry, IndexKey, Instant, Match, Rows, Snapshot, SnapshotSubtree } from './types.ts';
import { instantMs } from './write-options.ts';

const DIFF_OPTIONS: ReadonlySet<string> = new Set(['prefix']);
const AS_OF_OPTIONS: ReadonlySet<string> = new Set(['skipExpired']);

export class PlacedSnapshot<T> extends PlacedReader<T> implements SnapshotSubtree<T> {
  /** @internal */
  readonly view: View;
  readonly #store: Store;

  constructor(store: Store, view: View, place: Place) {
    super(place, store.codec);
    this.#store = store;
    this.view = view;
  }

  protected override reader(): Reader {
    return this.view;
  }

  protected override hold(): Held {
    return { reader: this.view, close: () => {} };
  }

  get version(): number {
    return this.view.version;
  }

  get time(): Date {
    return new Date(this.view.timeMs);
  }

  get path(): Segment[] {
    return [...this.place.segments];
  }

  get policy(): Policy {
    return this.#store.book.policyAt(this.place.prefixKey([]), this.view);
  }

  get skipped(): readonly Segment[][] {
    const skipped: Segment[][] = [];
    const own = this.place.prefixKey([]);
    for (const prefix of this.view.skipped) {
      if (isWithin(prefix, prefix.length, own)) skipped.push(this.place.path(prefix, 0, prefix.length));
      else if (isWithin(own, own.length, prefix)) skipped.push([]); // all of this place
    }
    return skipped;
  }

  subtree<V = T>(path: Path): SnapshotSubtree<V> {
    return new PlacedSnapshot<V>(this.#store, this.view, this.place.below(path));
  }

  history<V = T>(path: Path, options?: { readonly limit?: number }): Rows<HistoryEntry<V>> {
    return historyRows<V>(this.#store, this.place.key(path), { upTo: this.view, limit: options?.limit });
  }

  diff(other: Snapshot, options: { readonly prefix?: Path } = {}): Rows<Difference> {
    if (!(other instanceof PlacedSnapshot))
      throw new SteleError('invalid', 'OPTION_INVALID', `diff is asked against ${describe(other)}, expected a snapshot`);
    if (other.#store !== this.#store)
      throw new SteleError('invalid', 'OPTION_INVALID', 'diff is asked against a snapshot of another database, expected one of this');
    checkMembers('options', options, DIFF_OPTIONS);
    return differences(this.#store, this.view, other.view, this.place, options.prefix);
  }

  lookup<V = T>(index: string, ...key: IndexKey): Rows<Match<V>> {
    return lookupRows<V>(this.#store, this.place, index, key, () => this.hold());
  }

  close(): void {
    this.view.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A number from here on that is no version was meant as milliseconds. */
const MS_OF_1973 = 1e11;

/** A view of then. @throws {SteleError} `invalid` VERSION_INVALID, TIME_INVALID, HISTORY_EXPIRED */
export function viewOf(
  store: Store,
  when: number | Date | { readonly asserted: Instant },
  options: { readonly skipExpired?: boolean } = {},
): View {
  const { engine } = store;
  checkMembers('options', options, AS_OF_OPTIONS);
  const viewOptions = options.skipExpired === undefined ? {} : { skipExpired: options.skipExpired };
  if (typeof when === 'number') {
    try {
      return engine.asOf(when, viewOptions);
    } catch (error) {
      if (!(error instanceof SteleError && error.code === 'VERSION_INVALID' && Number.isSafeInteger(when) && when >= MS_OF_1973))
        throw error;
      throw new SteleError(error.kind, error.code, `version ${when} does not exist yet: for a time, give a Date`, { detail: error.detail });
    }
  }
  if (when instanceof Date) return engine.asOfTime(instantMs('asOf', when), viewOptions);
  if (when !== null && typeof when === 'object' && 'asserted' in when)
    return engine.asOfAsserted(instantMs('asserted', when.asserted), viewOptions);
  throw new SteleError('invalid', 'VERSION_INVALID', `asOf is ${describe(when)}, expected a version, a Date or { asserted: Date }`);
}
