/**
 * FrozenTree: the tree as it was at the freeze of a flush, walked in the order in which it must be written.
 *
 * The image of a page is its frame while the page is untouched, else the saved copy. `next` gives the pages to write level by level from the
 * leaves up, in key order within a level: first the dirty ones, and on the way up every inner page with a child among them.
 *
 * Invariants
 * - Until the flush ends, every page that must be written is reachable here, whatever the live tree looks like meanwhile.
 * - A page is given out after all its children that must be written: their places are known then.
 */

import { FROZEN_DIRTY, FROZEN_NOT } from './frames.ts';
import * as L from './layout.ts';
import { LPN_SAVED, LPN_WANTED } from './lpn-table.ts';
import type { PageCache } from './page-cache.ts';
import type { PageViews } from './page-check.ts';

/** See the head of the file. */
export class FrozenTree {
  // The image found last.
  views!: PageViews;
  start = 0;
  slots = 0;
  slotsStart = 0;
  /** The bytes are the frame itself. */
  isLive = false;
  /** The page was dirty at the freeze, else it is an inner page that was clean. */
  wasDirty = false;

  /** Level of the pages given out now. */
  level = 0;
  readonly #cache: PageCache;
  readonly #rootLpn: number;
  readonly #height: number;
  /** Inner pages by level, in key order; made at the first step. */
  #inner: number[][] | undefined;
  /** Where the walk stands: parent in #inner[level + 1], slot in it. */
  #parent = 0;
  #slot = 0;
  #isRootGiven = false;

  constructor(cache: PageCache, root: { lpn: number; height: number }) {
    this.#cache = cache;
    this.#rootLpn = root.lpn;
    this.#height = root.height;
  }

  /** All pages of this level were given out. */
  get isLevelDone(): boolean {
    if (this.#inner === undefined) return false;
    return this.level >= this.#height - 1 ? this.#isRootGiven || this.#height === 0 : this.#parent >= this.#parents().length;
  }

  /** One level up. False when the root's level is done. */
  nextLevel(): boolean {
    if (this.level >= this.#height - 1) return false;
    this.level++;
    this.#parent = 0;
    this.#slot = 0;
    return true;
  }

  /** Adds pages of this level to `queue`, until it has `queueMax` or `budget` parents were looked at. Returns the budget left. */
  gather(queue: number[], queueMax: number, budget: number): number {
    this.#inner ??= this.#listInnerPages();
    const { state } = this.#cache.lpns;
    if (this.level === this.#height - 1) {
      if (!this.#isRootGiven && (state[this.#rootLpn]! & LPN_WANTED) !== 0) queue.push(this.#rootLpn);
      this.#isRootGiven = true;
      return budget;
    }
    const parents = this.#parents();
    while (this.#parent < parents.length && queue.length < queueMax && budget > 0) {
      const parent = parents[this.#parent]!;
      if (this.find(parent)) {
        while (this.#slot < this.slots && queue.length < queueMax) {
          const child = this.#childAt(this.#slot++);
          if ((state[child]! & LPN_WANTED) === 0) continue;
          queue.push(child);
          state[parent] = state[parent]! | LPN_WANTED;
        }
        if (this.#slot < this.slots) break;
      }
      this.#parent++;
      this.#slot = 0;
      budget--;
    }
    return budget;
  }

  /** Sets the image fields to the page's image. False when it is not part of the freeze. */
  find(lpn: number): boolean {
    const { lpns, frames, images, frameOf } = this.#cache;
    if ((lpns.state[lpn]! & LPN_SAVED) !== 0) {
      const index = images.find(lpn);
      this.views = images.viewsOf(index);
      this.start = images.startOf(index);
      this.isLive = false;
      this.wasDirty = images.wasDirty(index);
    } else {
      const frame = frameOf[lpn]!;
      if (frame < 0 || frames.frozen[frame] === FROZEN_NOT) return false;
      this.views = this.#cache;
      this.start = frame * this.#cache.pageBytes;
      this.isLive = true;
      this.wasDirty = frames.frozen[frame] === FROZEN_DIRTY;
    }
    const half = this.start / 2;
    this.slots = this.views.u16[half + L.PAGE_SLOT_COUNT / 2]!;
    this.slotsStart = this.start + L.PAGE_PREFIX + L.pad4(this.views.u16[half + L.PAGE_PREFIX_BYTES / 2]!);
    return true;
  }

  #parents(): readonly number[] {
    return this.#inner![this.level + 1] ?? [];
  }

  #childAt(slot: number): number {
    const record = this.views.u16[(this.slotsStart + slot * L.SLOT_BYTES + L.SLOT_RECORD) / 2]!;
    return this.views.u32[(this.start + record) / 4]!;
  }

  /** From the root down: which frozen inner pages there are. */
  #listInnerPages(): number[][] {
    const inner: number[][] = [];
    for (let level = 0; level < this.#height; level++) inner.push([]);
    if (this.#height > 1) inner[this.#height - 1]!.push(this.#rootLpn);
    for (let level = this.#height - 1; level > 1; level--) {
      for (const lpn of inner[level]!) {
        if (!this.find(lpn)) continue;
        for (let slot = 0; slot < this.slots; slot++) {
          const child = this.#childAt(slot);
          if (this.#isFrozen(child)) inner[level - 1]!.push(child);
        }
      }
    }
    return inner;
  }

  #isFrozen(lpn: number): boolean {
    if ((this.#cache.lpns.state[lpn]! & LPN_SAVED) !== 0) return true;
    const frame = this.#cache.frameOf[lpn]!;
    return frame >= 0 && this.#cache.frames.frozen[frame] !== FROZEN_NOT;
  }
}
