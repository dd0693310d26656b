/**
 * Scanner: walks the entries of a range that are seen at one (commit, time), forwards or backwards.
 *
 * Invariants
 * - It sees one view however the tree changes between two steps: the cursor finds its way back by key.
 * - `step` changes nothing on MISS; after `core.fill()` the same call goes on.
 * - Children all of whose entries were created after the commit are skipped whole; children without a live entry are
 *   skipped only while the view still is the newest state, since what died later must be seen.
 *
 * Cost: O(log n) to begin, O(1) amortised a step, plus a log read for each entry superseded since.
 * Specification: spec/transactions.md, "Ranges".
 */

import { compareBytes } from '../base/bytes.ts';
import type { Cursor } from '../tree/cursor.ts';
import type { Core } from './core.ts';
import { FOUND, MISS, NONE } from './core.ts';
import { Found, historyExpired, versionAt } from './lookup.ts';
import { KEY_BYTES_MAX } from './options.ts';
import { firstExpired, isKept, type KeptClaim } from './retention.ts';
import type { KeyRange } from './types.ts';

/** What is seen. */
export interface Sight {
  readonly commit: number;
  readonly timeMs: number;
  readonly claim: KeptClaim | undefined;
  readonly skipExpired: boolean;
}

export class Scanner {
  readonly #core: Core;
  readonly #sight: Sight;
  readonly #cursor: Cursor;
  readonly #start: Uint8Array | undefined;
  readonly #end: Uint8Array | undefined;
  readonly #reverse: boolean;
  /** The entry it stands on: key[0, keyBytes). */
  readonly key = new Uint8Array(KEY_BYTES_MAX);
  keyBytes = 0;
  readonly found = new Found();
  #place: 'before' | 'on' | 'again' | 'done' = 'before';
  #skipsDead = false;

  /** @throws {SteleError} `invalid` HISTORY_EXPIRED naming a part of the range that is not kept */
  constructor(core: Core, sight: Sight, range: KeyRange, reverse: boolean) {
    this.#core = core;
    this.#sight = sight;
    this.#start = range.start;
    this.#end = range.end;
    this.#reverse = reverse;
    this.#cursor = core.tree.cursor();
    if (sight.claim !== undefined && !sight.skipExpired) {
      const expired = firstExpired(sight.claim, range.start, range.end, sight.commit, sight.timeMs);
      if (expired !== undefined) throw historyExpired(expired, expired.length, sight.commit);
    }
    this.#setSkips();
  }

  #setSkips(): void {
    const { commit, timeMs } = this.#sight;
    this.#skipsDead = this.#core.applied === commit && timeMs >= this.#core.sweptTimeMs;
    this.#cursor.setOptions({ skipDead: this.#skipsDead, createdAfter: commit });
  }

  /** To the next entry seen: FOUND with key and `found`, NONE at the end, MISS. */
  step(): number {
    const core = this.#core;
    const { commit, timeMs, claim } = this.#sight;
    if (this.#skipsDead && (core.applied !== commit || timeMs < core.sweptTimeMs)) this.#setSkips();
    for (;;) {
      const moved = this.#move();
      if (moved === MISS) return core.missTree();
      if (moved === NONE || this.#isOutside()) {
        this.#place = 'done';
        return NONE;
      }
      this.#place = 'on';
      if (claim !== undefined && !isKept(claim, this.key, this.keyBytes, commit, timeMs)) continue;
      const state = versionAt(core, this.#cursor.location, commit, timeMs, this.found);
      if (state === MISS) {
        this.#place = 'again';
        return MISS;
      }
      if (state === FOUND) {
        this.#cursor.save();
        return FOUND;
      }
    }
  }

  #move(): number {
    const cursor = this.#cursor;
    let moved: number;
    switch (this.#place) {
      case 'done':
        return NONE;
      case 'again':
        // The block we waited for may have pushed the leaf out: find the same entry again.
        moved = cursor.seek(this.key, this.keyBytes);
        break;
      case 'before':
        if (this.#reverse) moved = this.#end === undefined ? cursor.seekLast() : cursor.seekBefore(this.#end, this.#end.length);
        else moved = this.#start === undefined ? cursor.seekFirst() : cursor.seek(this.#start, this.#start.length);
        break;
      default:
        moved = this.#reverse ? cursor.previous() : cursor.next();
    }
    if (moved === FOUND) this.keyBytes = cursor.keyInto(this.key);
    return moved;
  }

  #isOutside(): boolean {
    const bound = this.#reverse ? this.#start : this.#end;
    if (bound === undefined) return false;
    const order = compareBytes(this.key, 0, this.keyBytes, bound, 0, bound.length);
    return this.#reverse ? order < 0 : order >= 0;
  }
}
