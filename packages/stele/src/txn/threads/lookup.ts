/**
 * ThreadLookup: one key, and one entry of a copied leaf, at one (commit, time), for a thread.
 *
 * The way down is the thread's own (descent.ts); what an entry means at (commit, time) is decided by the same code as the owner's
 * (lookup.ts of txn), over a private copy of the leaf.
 *
 * Invariants
 * - The commit looked up is visible, or pinned by this thread, so everything its chain leads through is in a file.
 * - What cannot be read is tried again with everything looked up anew, and is an error only if it stays.
 */

import { SteleError } from '../../base/errors.ts';
import { Slab } from '../../base/slab.ts';
import type { Host } from '../../host/host.ts';
import { recordAt, searchPage } from '../../tree/page.ts';
import { FOUND, NONE } from '../core.ts';
import { Found, versionAt } from '../lookup.ts';
import { AGAIN, Descent, NOTHING } from './descent.ts';
import type { SharedMemory } from './memory.ts';
import { Patience } from './patience.ts';
import { StoredPages } from './stored-pages.ts';
import { NOT_WRITTEN, ThreadVersions } from './versions.ts';

export { AGAIN } from './descent.ts';

/** A failing read of old versions is repeated so often. */
const REFRESHES_MAX = 3;

export class ThreadLookup {
  readonly memory: SharedMemory;
  readonly patience: Patience;
  readonly descent: Descent;
  readonly versions: ThreadVersions;
  readonly found = new Found();
  readonly #slab = new Slab();
  /** Copies for the caller. */
  readonly copyOf = (bytes: Uint8Array, start: number, end: number): Uint8Array => this.#slab.copy(bytes, start, end);
  readonly #stored: StoredPages;
  #failures = 0;

  constructor(memory: SharedMemory, host: Host) {
    this.memory = memory;
    this.patience = new Patience(memory, host);
    this.#stored = new StoredPages(host.storage, host.hashing, memory.pageBytes, memory.counters);
    this.descent = new Descent(memory, this.#stored, this.patience);
    this.versions = new ThreadVersions(memory, host, this.#stored.databaseId);
  }

  get databaseId(): Uint8Array {
    return this.#stored.databaseId;
  }

  /** A read begins. True when nobody but `user` has used the private memory since its last one. */
  begin(user?: object): boolean {
    this.patience.reset();
    this.#failures = 0;
    const isSame = user !== undefined && user === this.#user;
    this.#user = user;
    return isSame;
  }

  #user: object | undefined;

  /** FOUND with `found` filled (good until the next call), NONE or AGAIN. */
  at(key: Uint8Array, keyBytes: number, commit: number, timeMs: number): number {
    const { descent } = this;
    const leaf = descent.toLeaf(key, keyBytes);
    if (leaf === NOTHING) return NONE;
    if (leaf === AGAIN) return AGAIN;
    return this.inLeaf(key, keyBytes, commit, timeMs);
  }

  /** The same in the leaf the descent stands on. */
  inLeaf(key: Uint8Array, keyBytes: number, commit: number, timeMs: number): number {
    const { descent } = this;
    if (descent.frame >= 0 && !descent.copyLeaf()) return AGAIN;
    const { pages, base } = descent;
    const slot = searchPage(pages, base, key, keyBytes, 0, 0);
    return slot < 0 ? NONE : this.entryAt(recordAt(pages, base, slot), commit, timeMs);
  }

  /** The version of the entry at `location` of the descent's private page. */
  entryAt(location: number, commit: number, timeMs: number): number {
    const { descent, versions, found } = this;
    try {
      versions.pages = descent.pages;
      const state = versionAt(versions, location, commit, timeMs, found);
      return state === FOUND && found.place !== 'bytes' ? this.#settle() : state;
    } catch (error) {
      return this.#failed(error);
    }
  }

  /** Brings a large value in: FOUND, or AGAIN when its pages have been reused. */
  #settle(): number {
    const { found, descent, memory } = this;
    const value = new Uint8Array(found.valueBytes);
    if (found.place === 'log') this.versions.readLarge(found, value);
    else {
      memory.counters.largeValues++;
      const run = { firstPage: found.firstPage, pages: found.pages, commit: found.commit };
      this.#stored.overflow.read(run, 0, found.valueBytes, value, 0);
      // Named when the descent began, so freed after that at the earliest, and not reused before two more flushes are done.
      if (((memory.flushes() - descent.flushes) | 0) > 1) return AGAIN;
    }
    found.place = 'bytes';
    found.bytes = value;
    found.start = 0;
    found.end = value.length;
    return FOUND;
  }

  #failed(error: unknown): number {
    this.patience.frame = -1;
    if (error === NOT_WRITTEN) return AGAIN;
    if (!(error instanceof SteleError) || (error.kind !== 'corrupt' && error.code !== 'NOT_FOUND')) throw error;
    if (++this.#failures > REFRESHES_MAX) throw error;
    this.patience.reason = error;
    this.versions.refresh();
    return AGAIN;
  }

  close(): void {
    this.versions.close();
    this.#stored.close();
  }
}
