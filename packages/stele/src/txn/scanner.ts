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
 * Specification: spec/transactions.md, "Views".
 */

import { compareBytes } from '../base/bytes.ts';
import type { Cursor } from '../tree/cursor.ts';
import { END } from '../tree/results.ts';
import type { Tree } from '../tree/tree.ts';
import type { Core } from './core.ts';
import { FOUND, MISS, NONE } from './core.ts';
import { Found, historyExpired, versionAt } from './lookup.ts';
import { KEY_BYTES_MAX } from './options.ts';
import { firstExpired, isKept, type KeptClaim } from './retention.ts';
import type { ScanRange } from './types.ts';

/** What is seen. */
export interface Sight {
  readonly commit: number;
  readonly timeMs: number;
  readonly claim: KeptClaim | undefined;
  readonly skipExpired: boolean;
}

/** Walks over fewer entries do not read ahead. */
const AHEAD_FROM = 16;

/** Scanners kept for the next walk: walks inside walks are rare. */
const IDLE_MAX = 4;

const NOWHERE: Sight = { commit: 0, timeMs: 0, claim: undefined, skipExpired: false };

/**
 * A scanner before the range: one that has ended, or a new one. Give it back with `end` as soon as the walk is over; one that was
 * forgotten is only garbage.
 *
 * @throws {SteleError} `invalid` HISTORY_EXPIRED naming a part of the range that is not kept
 */
export function beginScan(core: Core, sight: Sight, range: ScanRange, reverse: boolean): Scanner {
  if (sight.claim !== undefined && !sight.skipExpired) {
    const expired = firstExpired(sight.claim, range.start, range.end, sight.commit, sight.timeMs);
    if (expired !== undefined) throw historyExpired(expired, expired.length, sight.commit);
  }
  const scanner = core.idleScanners.pop() ?? new Scanner(core);
  scanner.begin(sight, range, reverse);
  return scanner;
}

/** A bound of a range, copied into memory of the scanner's own. */
class Bound {
  readonly #own = new Uint8Array(KEY_BYTES_MAX);
  bytes: Uint8Array | undefined;
  /** Undefined: all of `bytes`. */
  length: number | undefined;

  set(given: Uint8Array | undefined): void {
    if (given === undefined || given.length > KEY_BYTES_MAX) {
      this.bytes = given?.slice();
      this.length = undefined;
      return;
    }
    const own = this.#own;
    this.bytes = own;
    this.length = given.length;
    for (let at = 0; at < given.length; at++) own[at] = given[at]!;
  }
}

export class Scanner {
  readonly #core: Core;
  #sight = NOWHERE;
  #tree: Tree;
  #cursor: Cursor;
  readonly #start = new Bound();
  readonly #end = new Bound();
  #reverse = false;
  #readAhead = false;
  /** The entry it stands on: key[0, keyBytes). */
  readonly key = new Uint8Array(KEY_BYTES_MAX);
  keyBytes = 0;
  readonly found = new Found();
  #place: 'before' | 'on' | 'again' | 'done' = 'done';
  #skipsDead = false;
  // What the cursor's position was true for.
  #modifications = -1;
  #evictions = -1;

  constructor(core: Core) {
    this.#core = core;
    this.#tree = core.tree;
    this.#cursor = core.tree.cursor();
  }

  /** See {@link beginScan}. */
  begin(sight: Sight, range: ScanRange, reverse: boolean): void {
    if (this.#tree !== this.#core.tree) {
      this.#tree = this.#core.tree;
      this.#cursor = this.#tree.cursor();
    }
    this.#sight = sight;
    this.#start.set(range.start);
    this.#end.set(range.end);
    this.#reverse = reverse;
    this.#readAhead = range.limit === undefined || range.limit >= AHEAD_FROM;
    this.#place = 'before';
    this.#cursor.setRange(this.#start.bytes, this.#end.bytes, this.#start.length, this.#end.length);
    this.#setSkips();
  }

  /** The next step goes to the first entry at or behind the key, backwards to the last one before it. The key lies ahead. */
  skipTo(key: Uint8Array, keyBytes: number): void {
    if (this.#place === 'done') return;
    for (let at = 0; at < keyBytes; at++) this.key[at] = key[at]!;
    this.keyBytes = keyBytes;
    this.#place = this.#reverse ? 'on' : 'again';
    this.#modifications = -1;
  }

  /** The walk is over: whoever called this does not touch the scanner again. */
  end(): void {
    this.#place = 'done';
    this.#sight = NOWHERE;
    const { idleScanners } = this.#core;
    if (idleScanners.length < IDLE_MAX) idleScanners.push(this);
  }

  #setSkips(): void {
    const { commit } = this.#sight;
    this.#skipsDead = this.#isNewest();
    this.#cursor.setOptions({ skipDead: this.#skipsDead, createdAfter: commit, readAhead: this.#readAhead });
    this.#modifications = -1;
  }

  /** What is dead in the tree is dead for this sight: nothing was written or swept since, and nothing is half applied. */
  #isNewest(): boolean {
    const core = this.#core;
    return core.applied === this.#sight.commit && !core.isApplying && this.#sight.timeMs >= core.sweptTimeMs;
  }

  /** To the next entry seen: FOUND with key and `found`, NONE at the end, MISS. */
  step(): number {
    const core = this.#core;
    const { commit, timeMs, claim } = this.#sight;
    if (this.#skipsDead && !this.#isNewest()) this.#setSkips();
    for (;;) {
      const moved = this.#move();
      if (moved !== FOUND) {
        if (moved === MISS) return core.missTree();
        this.#place = 'done';
        return NONE;
      }
      this.#place = 'on';
      if (claim !== undefined && !isKept(claim, this.key, this.keyBytes, commit, timeMs)) continue;
      const state = versionAt(core, this.#cursor.location, commit, timeMs, this.found);
      if (state === FOUND) return FOUND;
      if (state === MISS) {
        this.#place = 'again';
        return MISS;
      }
    }
  }

  #move(): number {
    const cursor = this.#cursor;
    const { tree, pages } = this.#core;
    let moved: number;
    if (this.#place === 'on' && this.#modifications === tree.modifications && this.#evictions === pages.frames.counters.evictions) {
      moved = this.#reverse ? cursor.previous() : cursor.next();
    } else {
      moved = this.#reposition();
    }
    if (moved !== FOUND) {
      this.#modifications = -1;
      return moved;
    }
    this.#modifications = tree.modifications;
    this.#evictions = pages.frames.counters.evictions;
    this.keyBytes = cursor.keyInto(this.key);
    return FOUND;
  }

  /** Finds the way back by key: the tree changed, a page left, or a block had to be waited for. */
  #reposition(): number {
    const cursor = this.#cursor;
    switch (this.#place) {
      case 'done':
        return END;
      case 'before':
        return this.#reverse ? cursor.seekLast() : cursor.seekFirst();
      case 'again':
        if (!this.#reverse) return cursor.seek(this.key, this.keyBytes);
        break;
      default:
        if (this.#reverse) return cursor.seekBefore(this.key, this.keyBytes);
    }
    const moved = cursor.seek(this.key, this.keyBytes);
    if (moved === MISS || (moved === END && !this.#reverse)) return moved;
    const isSame = moved === FOUND && this.#isOnKey();
    if (this.#reverse) return isSame ? FOUND : cursor.seekBefore(this.key, this.keyBytes);
    return isSame ? cursor.next() : FOUND;
  }

  #isOnKey(): boolean {
    const bytes = this.#cursor.keyInto(this.#other);
    return compareBytes(this.#other, 0, bytes, this.key, 0, this.keyBytes) === 0;
  }

  readonly #other = new Uint8Array(KEY_BYTES_MAX);
}
