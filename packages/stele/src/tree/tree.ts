/**
 * Tree: the ordered, counted B+tree that holds the newest version of every key.
 *
 * One tree per database, over pages that may or may not be in memory. A missing page is a value: the call returns
 * {@link MISS} having changed nothing, `missed` names the page, the caller loads it and calls again.
 *
 * How to write: `pages.reserve(tree.framesPerWrite())`, then `seek`, then `write`, `remove` or `setSwept`. When anything
 * may have loaded or reserved between seek and write, ask {@link isSoughtHeld} and seek again.
 *
 * Invariants
 * - Keys are any bytes, 1 to 1,100 of them, in byte order; each stands in exactly one leaf.
 * - `liveCount` and the counts in inner pages are exact: entries that are neither tombstones nor swept.
 * - A location is good until the tree is modified or a page is loaded, whichever comes first.
 * - No call allocates on the heap, apart from growth of the accelerator.
 *
 * Specification: spec/file-format.md, "Tree nodes".
 */

import { invariant } from '../base/errors.ts';
import { KEY_BYTES_MAX, LEAF_SWEPT } from '../pager/layout.ts';
import type { PageSource } from '../pager/page-source.ts';
import type { Accelerator } from './accelerator.ts';
import { STAGE_KEYS, UNKNOWN } from './accelerator.ts';
import { Cursor } from './cursor.ts';
import type { EntryDraft } from './draft.ts';
import { expiresAt, LEAF_DEAD } from './entry.ts';
import { knownBelow, recordAt, searchPage } from './page.ts';
import { removeEntry } from './remove.ts';
import { ABSENT, MISS } from './results.ts';
import { SplitPlace } from './split.ts';
import { change, endChanges, pathBase, TreeState, tightenPath, widenPath } from './state.ts';
import { childLpnAt, liveCountAt } from './summary.ts';
import { overwriteInPlace, writeEntry } from './write.ts';

export { ABSENT, END, FOUND, MISS } from './results.ts';

export interface TreeOptions {
  /** NO_PAGE for an empty tree. */
  readonly rootLpn: number;
  /** Levels: 0 empty, 1 a single leaf. */
  readonly height: number;
  /** From the meta page. */
  readonly liveCount: number;
  /** Leaves of the tree, from the meta page; −1 = not known, then the accelerator never answers "absent". Default: 0 or 1 by height, else −1. */
  readonly leafCount?: number;
  readonly accelerator?: Accelerator | undefined;
}

export class Tree extends TreeState {
  readonly #place = new SplitPlace();

  constructor(pages: PageSource, options: TreeOptions) {
    const leafCount = options.leafCount ?? (options.height <= 1 ? options.height : -1);
    super(pages, options.rootLpn, options.height, options.liveCount, leafCount, options.accelerator);
  }

  /** Location of the entry, tombstones and swept ones included; ABSENT or MISS. Cost: one probe, or one descent. */
  find(key: Uint8Array, keyBytes: number): number {
    const accelerator = this.accelerator;
    if (accelerator !== undefined) {
      const location = accelerator.find(key, keyBytes, this.leafCount);
      if (location !== UNKNOWN) return location;
    }
    return descend(this, key, keyBytes);
  }

  /**
   * Staged find of `keys[from..]`: writes location or ABSENT to `out[i]` and stops at the first MISS. Returns the index
   * after the last answered key; less than `keys.length` means MISS: use the locations so far (a load makes them
   * stale), load `missed`, go on from there.
   */
  findMany(keys: readonly Uint8Array[], out: Float64Array, from = 0): number {
    const accelerator = this.accelerator;
    while (from < keys.length) {
      const to = Math.min(from + STAGE_KEYS, keys.length);
      if (accelerator !== undefined) accelerator.findStaged(keys, from, to, out, this.leafCount);
      for (; from < to; from++) {
        if (accelerator !== undefined && out[from] !== UNKNOWN) continue;
        const key = keys[from]!;
        const location = descend(this, key, key.length);
        if (location === MISS) return from;
        out[from] = location;
      }
    }
    return from;
  }

  /** Frames to `reserve` before a seek that a write follows: one for each level and a new root. */
  framesPerWrite(): number {
    return this.height + 1;
  }

  /**
   * As {@link find}, always by descent, and remembers the path for {@link write}, {@link remove}, {@link setSwept}.
   * `key` is not copied: it must stay unchanged until then.
   */
  seek(key: Uint8Array, keyBytes: number): number {
    const { pages, pathLpn, pathFrame, pathIndex } = this;
    this.soughtAt = -1;
    let lpn = this.rootLpn;
    let known = 0;
    let location = ABSENT;
    this.soughtIndex = -1;
    for (let level = this.height - 1; level >= 0; level--) {
      const frame = pages.frameOf[lpn]!;
      if (!(frame >= 0)) {
        this.missed = lpn;
        return MISS;
      }
      pages.ref[frame] = 1;
      pathLpn[level] = lpn;
      pathFrame[level] = frame;
      const base = frame * pages.pageBytes;
      if (level > 0) {
        let index = searchPage(pages, base, key, keyBytes, 1, known);
        if (index < 0) index = ~index - 1;
        known = knownBelow(pages, base, index, known);
        pathIndex[level] = index;
        lpn = childLpnAt(pages, recordAt(pages, base, index));
      } else {
        const index = searchPage(pages, base, key, keyBytes, 0, known);
        this.soughtIndex = index;
        if (index >= 0) location = recordAt(pages, base, index);
      }
    }
    this.soughtKey = key;
    this.soughtKeyBytes = keyBytes;
    this.soughtAt = this.modifications;
    return location;
  }

  /** True while the last seek's path can be written to: nothing was modified and its pages are still in memory. */
  isSoughtHeld(): boolean {
    if (this.soughtAt !== this.modifications) return false;
    for (let level = this.height - 1; level >= 0; level--) {
      if (this.pages.frameOf[this.pathLpn[level]!] !== this.pathFrame[level]) return false;
    }
    return true;
  }

  /**
   * Inserts or replaces the entry at the sought key and returns its new location. Allocates at most
   * {@link framesPerWrite} pages; the caller reserved them before the seek.
   *
   * @throws {SteleError} `internal` INVARIANT when nothing is sought or the record is too large (see draft.ts).
   */
  write(draft: EntryDraft): number {
    invariant(this.isSoughtHeld(), 'write without a held seek');
    invariant(this.soughtKeyBytes >= 1 && this.soughtKeyBytes <= KEY_BYTES_MAX, 'a key has 1 to 1,100 bytes');
    this.soughtAt = -1;
    const location = writeEntry(this, draft, this.#place);
    endChanges(this);
    return location;
  }

  /**
   * Overwrites the entry that {@link find} has just located, if that can be done in its place and concerns no summary:
   * live before and after, no expiry, firstCommit not earlier, record not larger. True = done, the location stays.
   * False = nothing was done: seek and write. Needs no reserve and no path; with the accelerator it saves the descent.
   */
  overwrite(location: number, draft: EntryDraft, key: Uint8Array, keyBytes: number): boolean {
    const isDone = overwriteInPlace(this, location, draft, key, keyBytes);
    endChanges(this);
    return isDone;
  }

  /** Takes the sought entry, which must exist, out of the tree. */
  remove(): void {
    invariant(this.isSoughtHeld() && this.soughtIndex >= 0, 'remove without a held entry');
    this.soughtAt = -1;
    removeEntry(this);
    endChanges(this);
  }

  /** Marks the sought entry, which must exist and be no tombstone, as swept, in place: it counts 0 from now on. */
  setSwept(): void {
    invariant(this.isSoughtHeld() && this.soughtIndex >= 0, 'setSwept without a held entry');
    const { pages } = this;
    const location = recordAt(pages, pathBase(this, 0), this.soughtIndex);
    const flags = pages.u16[location / 2]!;
    if ((flags & LEAF_DEAD) !== 0) return;
    this.soughtAt = -1;
    this.modifications++;
    change(this, this.pathFrame[0]!);
    widenPath(this, -1, 0, Number.MAX_SAFE_INTEGER);
    this.liveCount--;
    pages.u16[location / 2] = flags | LEAF_SWEPT;
    if (expiresAt(pages, location) !== 0) tightenPath(this);
    endChanges(this);
  }

  /** Live entries with a key below the given one, or MISS. The count of a range is the difference of two ranks. */
  rank(key: Uint8Array, keyBytes: number): number {
    const { pages } = this;
    let rank = 0;
    let known = 0;
    let lpn = this.rootLpn;
    for (let level = this.height - 1; level >= 0; level--) {
      const frame = pages.frameOf[lpn]!;
      if (!(frame >= 0)) {
        this.missed = lpn;
        return MISS;
      }
      pages.ref[frame] = 1;
      const base = frame * pages.pageBytes;
      let index = searchPage(pages, base, key, keyBytes, level > 0 ? 1 : 0, known);
      if (level > 0) {
        if (index < 0) index = ~index - 1;
        known = knownBelow(pages, base, index, known);
        rank += liveBefore(this, base, index);
        lpn = childLpnAt(pages, recordAt(pages, base, index));
      } else {
        if (index < 0) index = ~index;
        for (let i = 0; i < index; i++) if ((pages.u16[recordAt(pages, base, i) / 2]! & LEAF_DEAD) === 0) rank++;
      }
    }
    return rank;
  }

  /** A new cursor on this tree; it stands nowhere. */
  cursor(): Cursor {
    return new Cursor(this);
  }
}

/** The hot path without the accelerator. */
function descend(tree: TreeState, key: Uint8Array, keyBytes: number): number {
  const pages = tree.pages;
  const { frameOf, ref, pageBytes } = pages;
  let lpn = tree.rootLpn;
  let known = 0;
  for (let level = tree.height - 1; level > 0; level--) {
    const frame = frameOf[lpn]!;
    if (!(frame >= 0)) return miss(tree, lpn);
    ref[frame] = 1;
    const base = frame * pageBytes;
    let index = searchPage(pages, base, key, keyBytes, 1, known);
    if (index < 0) index = ~index - 1;
    known = knownBelow(pages, base, index, known);
    lpn = childLpnAt(pages, recordAt(pages, base, index));
  }
  if (tree.height === 0) return ABSENT;
  const frame = frameOf[lpn]!;
  if (!(frame >= 0)) return miss(tree, lpn);
  ref[frame] = 1;
  const base = frame * pageBytes;
  const index = searchPage(pages, base, key, keyBytes, 0, known);
  if (tree.accelerator !== undefined) tree.accelerator.noteSearch(frame);
  return index < 0 ? ABSENT : recordAt(pages, base, index);
}

function miss(tree: TreeState, lpn: number): number {
  tree.missed = lpn;
  return MISS;
}

/** Live entries below the children before `index`. */
function liveBefore(tree: TreeState, base: number, index: number): number {
  let live = 0;
  for (let i = 0; i < index; i++) live += liveCountAt(tree.pages, recordAt(tree.pages, base, i));
  return live;
}
