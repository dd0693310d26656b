/**
 * Compaction: fuller pages, then a shorter page file.
 *
 *   flush ─▶ pack every level ─▶ flush ─▶ move what lies behind the limit into gaps ─▶ flush ─▶ flush ─▶ truncate
 *
 * Invariants
 * - Crash-safe and cancellable by construction: every step is a change of the tree in memory or an ordinary flush, and a page
 *   is written over only when neither meta names it. Whatever is left undone is done by the next call.
 * - No entry changes; nothing is logged; what any view sees stays.
 * - A second call finds nothing to pack and nothing behind the limit, and writes nothing.
 * - Slices of 1 ms; before one page more may be dirtied than the cache or the disk can take, a flush comes first.
 *
 * Specification: spec/file-format.md, "Compaction".
 */

import type { TreePacker } from '../tree/pack.ts';
import { TreePacker as Packer } from '../tree/pack.ts';
import { END, MISS } from '../tree/results.ts';
import type { Core } from './core.ts';
import type { Flusher } from './flusher.ts';
import { Relocation } from './relocate.ts';
import { Slices } from './slices.ts';
import type { Engine } from './types.ts';

export type CompactOptions = NonNullable<Parameters<Engine['compact']>[0]>;

/** Rounds after which packing is good enough while others keep writing. */
const PACK_ROUNDS = 6;
const MOVE_ROUNDS = 12;
/** Pages a step makes dirty, about. */
const CHANGED_PAGES = 3;
/** At most this share of the pages that may be dirty is, before a flush: the rest belongs to those who write meanwhile. */
const DIRTY_SHARE = 0.4;
const DIRTY_PAGES_MIN = 64;

/**
 * Packs the tree and shortens the page file.
 *
 * @throws {SteleError} `closed` CANCELLED when `signal` says so; `unavailable` DISK_FULL, IO_ERROR; `corrupt` PAGE_CHECKSUM. The database is
 *   whole and usable after each, and what was done until then stays done.
 */
export async function compactTree(core: Core, flusher: Flusher, options: CompactOptions): Promise<void> {
  const work = new Compaction(core, flusher, options);
  const { allocator } = core.pages;
  allocator.isFirstFit = true;
  try {
    await flusher.flush();
    await work.pack();
    await work.shorten();
  } finally {
    allocator.isFirstFit = false;
  }
}

/** What the steps of one compaction share. */
export class Compaction {
  readonly core: Core;
  readonly #flusher: Flusher;
  readonly #slices: Slices;
  readonly #options: CompactOptions;
  #done = 0;
  #total: number;
  /** Steps that may have changed pages since the last flush of our own. */
  #changes = 0;

  constructor(core: Core, flusher: Flusher, options: CompactOptions) {
    this.core = core;
    this.#flusher = flusher;
    this.#slices = new Slices(core, options.signal);
    this.#options = options;
    // Each leaf is measured and perhaps packed, then looked at once more for its place.
    this.#total = 2 * Math.max(1, core.tree.leafCount);
  }

  /** One unit of work was done: gives others a turn when it is time. */
  async turn(units = 1): Promise<void> {
    this.#done += units;
    if (this.#done > this.#total) this.#total = this.#done;
    if (await this.#slices.pause()) this.#options.progress?.(this.#done, this.#total);
    this.core.assertWritable();
  }

  /** Makes sure that a few more pages may be made dirty, with room on the disk for the flush that writes them. */
  async room(): Promise<void> {
    this.core.assertWritable();
    const { pages, tree } = this.core;
    const most = Math.max(DIRTY_PAGES_MIN, Math.min(DIRTY_SHARE * pages.dirtyMax, pages.file.pageLimit / 8));
    const wanted = tree.framesPerWrite() + 4;
    // Only what this work made dirty counts: a busy writer dirties pages faster than a flush writes them.
    if (++this.#changes * CHANGED_PAGES > most || !pages.reserve(wanted)) {
      this.#changes = 0;
      await this.#flusher.flush(true);
      pages.reserve(wanted);
    }
    pages.reserveDisk(wanted);
  }

  /** Everything that is dirty, in a flush of its own. */
  flush(): Promise<void> {
    return this.#flusher.flush(true);
  }

  async pack(): Promise<void> {
    const { core } = this;
    for (let round = 0; round < PACK_ROUNDS; round++) {
      let changed = 0;
      for (let level = 0; level + 1 < core.tree.height; level++) {
        const packer = new Packer(core.tree, level);
        await this.#packLevel(packer);
        changed += packer.changed;
      }
      if (changed === 0) break;
    }
    await this.#flusher.flush();
  }

  async #packLevel(packer: TreePacker): Promise<void> {
    const { core } = this;
    for (;;) {
      // A flush or a turn may come in between: what the step stands on is sought anew each time.
      if (packer.isChanging) await this.room();
      const seen = packer.seen;
      const state = packer.step();
      if (state === END) return;
      if (state === MISS) {
        core.missTree();
        await core.fillAsync();
      }
      await this.turn(packer.seen - seen);
    }
  }

  async shorten(): Promise<void> {
    const { core } = this;
    const { allocator, file } = core.pages;
    const relocation = new Relocation(this);
    for (let round = 0; round < MOVE_ROUNDS; round++) {
      const slack = await relocation.slack();
      const limit = allocator.usedPages + slack;
      allocator.truncate();
      if (file.pageLimit <= limit) break;
      if (allocator.waitingPages > slack || allocator.usedEnd < file.pageLimit) {
        // What the last flush freed becomes free with the second meta that does not name it.
        await this.flush();
        allocator.truncate();
        if (file.pageLimit <= limit) break;
      }
      if ((await relocation.move(limit)) === 0) break;
      await this.flush();
    }
    this.#options.progress?.(this.#total, this.#total);
  }
}
