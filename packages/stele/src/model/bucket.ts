/**
 * Bucket: reading, writing and time at a place; what a database and each of its subtrees are.
 *
 * Specification: docs/api.md.
 */

import { SteleError } from '../base/errors.ts';
import { changesOf, watchOf } from './feed.ts';
import { demand, identified } from './identity.ts';
import { lookupRows } from './index/lookup.ts';
import { historyRows } from './past.ts';
import { describe } from './path/layout.ts';
import type { Path, Segment } from './path/types.ts';
import { declare, indexRebuilt } from './policy/declare.ts';
import type { Policy } from './policy/types.ts';
import { PlacedSnapshot, viewOf } from './snapshot.ts';
import { checkMembers } from './store.ts';
import type {
  Bucket,
  Change,
  ChangesOptions,
  HistoryEntry,
  Identity,
  IndexKey,
  Instant,
  Match,
  Rows,
  SnapshotSubtree,
  Subtree,
} from './types.ts';
import type { Value } from './value/types.ts';
import { PlacedWriter } from './writing.ts';

const HISTORY_OPTIONS: ReadonlySet<string> = new Set(['limit']);
const CHANGES_OPTIONS: ReadonlySet<string> = new Set(['from', 'prefix', 'signal']);

export abstract class PlacedBucket<T> extends PlacedWriter<T> implements Bucket<T> {
  get version(): number {
    return this.store.engine.version;
  }

  get durableVersion(): number {
    return this.store.engine.durableVersion;
  }

  abstract as(identity: Identity): Bucket<T>;

  snapshot(): SnapshotSubtree<T> {
    demand(this.who, 'read');
    return new PlacedSnapshot<T>(this.store, this.store.engine.snapshot(), this.place);
  }

  asOf(when: number | Date | { readonly asserted: Instant }, options?: { readonly skipExpired?: boolean }): SnapshotSubtree<T> {
    demand(this.who, 'read');
    return new PlacedSnapshot<T>(this.store, viewOf(this.store, when, options), this.place);
  }

  history<V = T>(path: Path, options?: { readonly limit?: number }): Rows<HistoryEntry<V>> {
    demand(this.who, 'read');
    checkMembers('options', options, HISTORY_OPTIONS);
    return historyRows<V>(this.store, this.place.key(path), { upTo: undefined, limit: options?.limit });
  }

  changes(options: ChangesOptions = {}): AsyncIterableIterator<Change> {
    demand(this.who, 'read');
    checkMembers('options', options, CHANGES_OPTIONS);
    return changesOf(this.store, this.place, options);
  }

  watch(prefix: Path, listener: (change: Change) => void): Disposable {
    demand(this.who, 'read');
    if (typeof listener !== 'function')
      throw new SteleError('invalid', 'LISTENER_INVALID', `listener is ${describe(listener)}, expected a function`);
    return watchOf(this.store, this.place, this.place.prefixKey(prefix), listener, (error) =>
      this.store.logger({ level: 'error', message: `a watcher threw: ${error instanceof Error ? error.message : String(error)}` }),
    );
  }

  subtree<V = Value>(path: Path, policy?: Policy): Subtree<V> {
    const place = this.place.below(path);
    if (policy !== undefined) {
      demand(this.who, 'admin');
      declare(this.store, place.prefixKey([]), policy, this.who);
    }
    return new PlacedSubtree<V>(this.store, place, this.who);
  }
}

export class PlacedSubtree<T> extends PlacedBucket<T> implements Subtree<T> {
  get path(): Segment[] {
    return [...this.place.segments];
  }

  get policy(): Policy {
    return this.store.book.policyAt(this.place.prefixKey([]));
  }

  override as(identity: Identity): Subtree<T> {
    return new PlacedSubtree<T>(this.store, this.place, identified(this.who, identity));
  }

  lookup<V = T>(index: string, ...key: IndexKey): Rows<Match<V>> {
    return lookupRows<V>(this.store, this.place, index, key, () => this.hold());
  }

  async rebuildIndex(index: string): Promise<{ readonly entries: number }> {
    demand(this.who, 'admin');
    return indexRebuilt(this.store, this.place.prefixKey([]), index);
  }
}
