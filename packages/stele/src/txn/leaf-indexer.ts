/**
 * LeafIndexer: enters leaves that are in memory into the accelerator, in the background.
 *
 * A search indexes a leaf only when the leaf was searched often (tree/accelerator.ts), and "absent" is answered without the tree only
 * when every leaf is in. After opening, both would take hundreds of thousands of reads; this brings it about in some beats.
 *
 * Invariants
 * - Nothing is read from the file: a leaf that no one has asked for stays where it is.
 * - While pages are being thrown out nothing is entered: a leaf on its way out would cost its entering and its taking out. Nor while a
 *   load makes leaves: they would soon be split again.
 * - When the accelerator is full it is left alone until it has room again; when no page came in since the last walk there is none.
 *
 * Cost: about 4 µs a leaf of 40 entries.
 * Specification: docs/decisions/0011-accelerator.md; spec/invariants.md rule 20.
 */

import { OWNER_TREE } from '../pager/frames.ts';
import type { PageCache } from '../pager/page-cache.ts';
import type { Accelerator } from '../tree/accelerator.ts';

/** Frames looked at between two chances to be interrupted. */
const FRAMES_A_STEP = 2048;
/** Entries that must have left a full accelerator before it is tried again. */
const ROOM_AGAIN = 1 / 8;

export class LeafIndexer {
  /** Leaves entered by this class. */
  indexed = 0;
  readonly #pages: PageCache;
  readonly #accelerator: Accelerator;
  /** Leaves that had come into memory when the last whole walk began. */
  #arrived = -1;
  #evictions = 0;
  #leftOut = 0;
  /** Entries the accelerator held when it refused a leaf. */
  #fullAt = Number.POSITIVE_INFINITY;

  constructor(pages: PageCache, accelerator: Accelerator) {
    this.#pages = pages;
    this.#accelerator = accelerator;
  }

  /** Is there something to do? To be asked once a beat: it compares with the beat before. */
  isDue(): boolean {
    const { evictions } = this.#pages.frames.counters;
    const { leftOut } = this.#accelerator;
    const isCalm = evictions === this.#evictions && leftOut === this.#leftOut;
    this.#evictions = evictions;
    this.#leftOut = leftOut;
    return isCalm && this.#arrivals() !== this.#arrived && this.#accelerator.count <= this.#fullAt * (1 - ROOM_AGAIN);
  }

  /** One walk over the frames; yields where it may be interrupted or given up. */
  *walk(): Generator<void, void> {
    const accelerator = this.#accelerator;
    const { frames } = this.#pages;
    const arrivals = this.#arrivals();
    this.#fullAt = Number.POSITIVE_INFINITY;
    for (let frame = 0; frame < frames.frameCount; frame++) {
      if (frame % FRAMES_A_STEP === 0) yield;
      if (frames.owner[frame] !== OWNER_TREE || frames.level[frame] !== 0 || accelerator.isIndexed(frame)) continue;
      if (frames.counters.evictions !== this.#evictions) return;
      if (!accelerator.indexLeaf(frame)) {
        this.#fullAt = accelerator.count;
        return;
      }
      this.indexed++;
      yield;
    }
    this.#arrived = arrivals;
  }

  #arrivals(): number {
    return this.#pages.counters.loads + this.#pages.counters.loadsAsync + this.#accelerator.leftOut;
  }
}
