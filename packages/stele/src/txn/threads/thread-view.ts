/**
 * ThreadView: a (commit, time) pinned by a thread; the same promises as a view of the owner's.
 *
 * Invariants
 * - Every read looks at its end whether the pin has held all the while; if not, what was read is thrown away (VIEW_EXPIRED).
 * - A view not read for `viewIdleMs` gives its pin back as soon as its thread opens or closes another; a thread that shows no use at
 *   all is expired by the owner.
 */

import { SteleError } from '../../base/errors.ts';
import type { View } from '../types.ts';
import { assertOpen } from './control.ts';
import type { ThreadLookup } from './lookup.ts';
import type { Registration } from './registration.ts';
import { findAt, type ThreadSight, ThreadSightReader } from './thread-sight.ts';

/** What views need of their thread. */
export interface ViewKeeper {
  readonly registration: Registration;
  monotonicMs(): number;
  closed(view: ThreadView): void;
}

export class ThreadView extends ThreadSightReader implements View, ThreadSight {
  readonly commit: number;
  readonly timeMs: number;
  lastUsedMs: number;
  readonly #keeper: ViewKeeper;
  readonly #id: number;
  #state: 'open' | 'closed' | 'expired' = 'open';

  /** The commit is pinned already. */
  constructor(lookup: ThreadLookup, keeper: ViewKeeper, commit: number, timeMs: number) {
    super(lookup);
    this.#keeper = keeper;
    this.#id = keeper.registration.id;
    this.commit = commit;
    this.timeMs = timeMs;
    this.lastUsedMs = keeper.monotonicMs();
  }

  get version(): number {
    return this.commit;
  }

  /** A view of now keeps everything. */
  get skipped(): readonly Uint8Array[] {
    return [];
  }

  check(): void {
    assertOpen(this.lookup.memory.control);
    if (this.#state === 'closed') throw new SteleError('closed', 'VIEW_CLOSED', `the view of version ${this.commit} is closed`);
    const { registration } = this.#keeper;
    if (this.#state === 'open' && registration.isHeld(this.#id)) {
      registration.use();
      this.lastUsedMs = this.#keeper.monotonicMs();
      return;
    }
    this.expire();
    throw new SteleError('closed', 'VIEW_EXPIRED', `the view of version ${this.commit} was idle for too long`);
  }

  release(): void {}

  protected override hold(): ThreadSight {
    this.check();
    return this;
  }

  protected override find(key: Uint8Array, keyBytes: number): number {
    this.check();
    const state = findAt(this.lookup, key, keyBytes, this.commit, this.timeMs);
    this.check();
    return state;
  }

  close(): void {
    if (this.#state === 'open') this.#leave('closed');
  }

  expire(): void {
    if (this.#state === 'open') this.#leave('expired');
  }

  #leave(state: 'closed' | 'expired'): void {
    this.#state = state;
    this.#keeper.registration.unpin(this.commit, this.#id);
    this.#keeper.closed(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
