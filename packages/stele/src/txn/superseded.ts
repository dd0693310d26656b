/**
 * What a write finds in the tree: the version it supersedes, and what must be remembered of it.
 *
 * Invariants
 * - A superseded version stays reachable when its range keeps history, or when any open view is at or after the first
 *   version of its chain: then the new entry gets a back address, a depth, and from depth 8 a spine.
 * - If the version's own log bytes are gone, the new record carries it and the address says so (spec/invariants.md rule 9).
 * - Replay copies the address from the record and grows the same spine from the same entry.
 *
 * Specification: spec/transactions.md, "Retention"; spec/log-format.md, "Carried versions".
 */

import type { EntryDraft } from '../tree/draft.ts';
import { spineBytesMax } from '../tree/draft.ts';
import {
  backCommitAt,
  backOrdinalAt,
  commitAt,
  depthAt,
  ENTRY_EXPIRES,
  ENTRY_LARGE,
  ENTRY_TOMBSTONE,
  expiresAt,
  firstCommitAt,
  flagsAt,
  isBackCarriedAt,
  LARGE_IN_PAGES,
  largeBytesAt,
  largeFirstPageAt,
  largeKindAt,
  largePagesAt,
  ordinalAt,
  spineBytesAt,
  spineStartAt,
} from '../tree/entry.ts';
import type { Core } from './core.ts';
import { appendToSpine, growSpine, SPINE_BYTES_MAX, SPINE_FROM_DEPTH } from './spine.ts';

const DEPTH_LINEAR_MAX = SPINE_FROM_DEPTH - 1;

/** One per writer, reused for every operation. */
export class Superseded {
  /** An entry is there, live or not. */
  exists = false;
  /** It is seen at the time of the write: neither tombstone nor expired. */
  isLive = false;
  isTombstone = false;
  commit = 0;
  ordinal = 0;
  expiresAt = 0;
  firstCommit = 0;
  depth = 0;
  /** Its own way back, for carrying it. */
  backCommit = 0;
  backOrdinal = 0;
  backCarried = false;
  /** Its value lies in overflow pages, which the write sets free. */
  overflowFirstPage = 0;
  overflowPages = 0;
  largeBytes = 0;
  isLarge = false;
  /** The new entry keeps a way to it. */
  isKept = false;
  /** Where it is stored, once {@link keep} was called. */
  addressCommit = 0;
  addressOrdinal = 0;
  addressCarried = false;
  /** Version table for the record being written, undefined for none. */
  table: Uint8Array | undefined;
  #oldSpineBytes = 0;
  readonly #oldSpine = new Uint8Array(SPINE_BYTES_MAX);
  #spine: Uint8Array | undefined;
  #spineBytes = 0;
  readonly #grown = new Uint8Array(SPINE_BYTES_MAX);

  /** Reads the entry at `location` (negative: none) as of `timeMs`. */
  inspect(core: Core, location: number, timeMs: number): void {
    this.isKept = false;
    this.table = undefined;
    this.#spine = undefined;
    this.overflowPages = 0;
    this.exists = location >= 0;
    if (!this.exists) {
      this.isLive = false;
      this.isTombstone = false;
      this.isLarge = false;
      this.commit = 0;
      return;
    }
    const { pages } = core;
    const flags = flagsAt(pages, location);
    this.commit = commitAt(pages, location);
    this.ordinal = ordinalAt(pages, location);
    this.expiresAt = (flags & ENTRY_EXPIRES) === 0 ? 0 : expiresAt(pages, location);
    this.isTombstone = (flags & ENTRY_TOMBSTONE) !== 0;
    this.isLive = !this.isTombstone && (this.expiresAt === 0 || this.expiresAt > timeMs);
    this.firstCommit = firstCommitAt(pages, location);
    this.depth = depthAt(pages, location);
    this.backCommit = backCommitAt(pages, location);
    this.backOrdinal = backOrdinalAt(pages, location);
    this.backCarried = isBackCarriedAt(pages, location);
    this.isLarge = (flags & ENTRY_LARGE) !== 0;
    if (this.isLarge) {
      this.largeBytes = largeBytesAt(pages, location);
      if (largeKindAt(pages, location) === LARGE_IN_PAGES) {
        this.overflowFirstPage = largeFirstPageAt(pages, location);
        this.overflowPages = largePagesAt(pages, location);
      }
    }
    this.#oldSpineBytes = spineBytesAt(pages, location);
    if (this.#oldSpineBytes > 0) {
      const start = spineStartAt(pages, location);
      for (let at = 0; at < this.#oldSpineBytes; at++) this.#oldSpine[at] = pages.u8[start + at]!;
    }
  }

  /** The record that supersedes it may have to hold a version table. */
  get mayGetTable(): boolean {
    return this.exists && this.depth >= DEPTH_LINEAR_MAX;
  }

  /** Must a way to it be kept, were it superseded now? */
  isNeeded(core: Core, key: Uint8Array, keyBytes: number): boolean {
    if (!this.exists) return false;
    core.share?.beforeSuperseding(this.commit);
    return !core.retention.keepsNothing(key, keyBytes) || core.pins.newestCommit >= this.firstCommit;
  }

  /**
   * Grows chain and spine by this version, which is stored at (addressCommit, ordinal): its own commit, or the one being
   * written when that carries it. Sets {@link table}.
   */
  keep(core: Core, keyBytes: number, addressCommit: number, ordinal: number, carried: boolean): void {
    this.isKept = true;
    this.addressCommit = addressCommit;
    this.addressOrdinal = ordinal;
    this.addressCarried = carried;
    if (this.depth < DEPTH_LINEAR_MAX) return;
    const old = { commit: this.commit, addressCommit, ordinal, carried };
    const room = Math.min(SPINE_BYTES_MAX, spineBytesMax(core.pages.pageBytes, keyBytes));
    if (this.#oldSpineBytes > 0) {
      const bytes = appendToSpine(this.#oldSpine, 0, this.#oldSpineBytes, old, this.#grown);
      if (bytes > 0 && bytes <= room) {
        this.#spine = this.#grown;
        this.#spineBytes = bytes;
        return;
      }
    }
    if (this.#oldSpineBytes === 0) core.counters.spines++;
    const grown = growSpine(this.#oldSpineBytes === 0 ? undefined : this.#oldSpine.slice(0, this.#oldSpineBytes), old, room);
    this.#spine = grown.spine;
    this.#spineBytes = grown.spine.length;
    this.table = grown.table;
  }

  /** Fills the past of the entry being written. */
  fillDraft(draft: EntryDraft): void {
    if (!this.isKept) return;
    draft.backCommit = this.addressCommit;
    draft.backOrdinal = this.addressOrdinal;
    draft.backCarried = this.addressCarried;
    draft.firstCommit = this.firstCommit;
    draft.depth = Math.min(DEPTH_LINEAR_MAX, this.depth + 1);
    if (this.#spine !== undefined) {
      draft.spine = this.#spine;
      draft.spineStart = 0;
      draft.spineBytes = this.#spineBytes;
    }
  }
}
