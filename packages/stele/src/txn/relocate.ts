/**
 * Relocation: the pages at the end of the page file move into gaps at the front.
 *
 * A tree page moves by being made dirty: the next flush places it, and its ancestors, anew, first gap first. A run of overflow
 * pages is copied into a gap that holds it whole, and its leaf then names the copy.
 *
 * Invariants
 * - A run moves only downwards and only below the limit, a tree page only when it lies behind the limit: so rounds end.
 * - The old run is freed when the leaf names the new one; both are whole on the disk until two metas agree.
 *
 * Specification: spec/file-format.md, "Compaction".
 */

import { runPages } from '../pager/blob.ts';
import {
  commitAt,
  ENTRY_LARGE,
  flagsAt,
  keyInto,
  LARGE_IN_PAGES,
  largeBytesAt,
  largeFirstPageAt,
  largeKindAt,
  largePagesAt,
  setLargePages,
} from '../tree/entry.ts';
import { LevelWalk } from '../tree/level-walk.ts';
import { recordAt, slotCount } from '../tree/page.ts';
import { END, MISS } from '../tree/results.ts';
import { childLpnAt } from '../tree/summary.ts';
import type { Compaction } from './compact.ts';
import { KEY_BYTES_MAX } from './options.ts';

/** Pages beyond those in use that the file may keep: room for the blobs of two metas and a little more. */
const SLACK_PAGES = 12;
/** Bytes of a large value copied in one go. */
const PIECE_BYTES = 64 * 1024;

interface Reference {
  readonly key: Uint8Array;
  readonly commit: number;
  readonly bytes: number;
  readonly firstPage: number;
  readonly pages: number;
}

/** See the head of the file. */
export class Relocation {
  readonly #work: Compaction;
  #innerPages = 0;

  constructor(work: Compaction) {
    this.#work = work;
  }

  /** Pages the file may hold beyond those in use: while leaves move, their ancestors need a second place. */
  async slack(): Promise<number> {
    const { core } = this.#work;
    let inner = 0;
    for (let level = 1; level < core.tree.height; level++) {
      const walk = new LevelWalk(core.tree, level);
      while ((await this.#next(walk)) !== END) inner++;
    }
    this.#innerPages = inner;
    const { pageBytes, pageLimit } = core.pages.file;
    return SLACK_PAGES + inner + 2 * runPages(pageLimit / 8, pageBytes);
  }

  /** Moves what lies at or behind page `limit`, as far as there are gaps. Returns how much it found to move. */
  async move(limit: number): Promise<number> {
    let moved = this.#hasRuns() ? await this.#moveRuns(limit) : 0;
    const { core } = this.#work;
    for (let level = core.tree.height === 1 ? 0 : 1; level < core.tree.height; level++) {
      const walk = new LevelWalk(core.tree, level);
      let left = 0;
      for (let before = -1; (await this.#next(walk)) !== END; ) {
        const { pages } = core;
        const base = walk.frame * pages.pageBytes;
        if (walk.lpn !== before) left = 1 + slotCount(pages, base);
        before = walk.lpn;
        const lpn = left-- > 0 ? this.#misplaced(walk, level, limit) : -1;
        if (lpn < 0) continue;
        // The page, or another one of its parent, is looked for again after others had their turn.
        if (pages.frameOf[lpn]! < 0) pages.load(lpn);
        pages.touch(lpn);
        moved++;
        await this.#work.room();
        await this.#work.turn();
        walk.stay();
      }
    }
    return moved;
  }

  /** The page the walk stands on, or a leaf below it, that lies behind the limit and will not be written anyway; −1 when there is none. */
  #misplaced(walk: LevelWalk, level: number, limit: number): number {
    const { pages } = this.#work.core;
    const isMisplaced = (lpn: number): boolean => {
      const frame = pages.frameOf[lpn]!;
      return pages.physicalOf(lpn) >= limit && (frame < 0 || pages.dirty[frame] === 0);
    };
    if (isMisplaced(walk.lpn)) return walk.lpn;
    if (level !== 1) return -1;
    const base = walk.frame * pages.pageBytes;
    for (let slot = 0; slot < slotCount(pages, base); slot++) {
      const lpn = childLpnAt(pages, recordAt(pages, base, slot));
      if (isMisplaced(lpn)) return lpn;
    }
    return -1;
  }

  /** To the walk's next page, loading what is missing. */
  async #next(walk: LevelWalk): Promise<number> {
    const { core } = this.#work;
    for (;;) {
      const state = walk.next();
      if (state !== MISS) return state;
      core.missTree();
      await core.fillAsync();
      await this.#work.turn(0);
    }
  }

  /** Are there pages in use that belong neither to the tree nor to a blob? */
  #hasRuns(): boolean {
    const { core } = this.#work;
    let known = 2 + core.tree.leafCount + this.#innerPages;
    for (const blob of core.pageFile.meta.blobs) known += blob.pages;
    return core.tree.leafCount < 0 || core.pages.allocator.usedPages > known;
  }

  async #moveRuns(limit: number): Promise<number> {
    const { core } = this.#work;
    const found: Reference[] = [];
    const walk = new LevelWalk(core.tree, 0);
    while ((await this.#next(walk)) !== END) {
      this.#collect(walk.frame * core.pages.pageBytes, limit, found);
      await this.#work.turn();
    }
    // The largest first, while there are gaps that hold them.
    found.sort((a, b) => b.pages - a.pages || a.firstPage - b.firstPage);
    let moved = 0;
    for (const reference of found) if (await this.#moveRun(reference, limit)) moved++;
    return moved;
  }

  #collect(base: number, limit: number, found: Reference[]): void {
    const { pages } = this.#work.core;
    for (let slot = 0; slot < slotCount(pages, base); slot++) {
      const location = recordAt(pages, base, slot);
      if ((flagsAt(pages, location) & ENTRY_LARGE) === 0 || largeKindAt(pages, location) !== LARGE_IN_PAGES) continue;
      const firstPage = largeFirstPageAt(pages, location);
      if (firstPage + largePagesAt(pages, location) <= limit) continue;
      const key = new Uint8Array(KEY_BYTES_MAX + 4);
      const keyBytes = keyInto(pages, location, key);
      found.push({
        key: key.slice(0, keyBytes),
        commit: commitAt(pages, location),
        bytes: largeBytesAt(pages, location),
        firstPage,
        pages: largePagesAt(pages, location),
      });
    }
  }

  /** False: no gap holds it, or it was written again meanwhile. */
  async #moveRun(reference: Reference, limit: number): Promise<boolean> {
    const { core } = this.#work;
    const { overflow } = core.pages;
    const { commit, bytes } = reference;
    const writer = overflow.beginBelow(bytes, { commit, limit: Math.min(limit, reference.firstPage) });
    if (writer === undefined) return false;
    let isNamed = false;
    try {
      const piece = new Uint8Array(Math.min(PIECE_BYTES, bytes));
      for (let done = 0; done < bytes; done += piece.length) {
        // The value may be superseded while others have their turn; its pages are not written over before two more metas.
        if ((await this.#seek(reference)) < 0) return false;
        const length = Math.min(piece.length, bytes - done);
        overflow.read(reference, done, length, piece, 0);
        writer.write(piece, 0, length);
        await this.#work.turn(0);
      }
      const location = await this.#seek(reference);
      if (location < 0) return false;
      const run = writer.end();
      isNamed = true;
      this.#name(location, run.firstPage, run.pages);
      core.pages.freeOverflow(reference.firstPage, reference.pages);
      return true;
    } finally {
      if (!isNamed) writer.abort();
    }
  }

  /** Location of the entry while it still names the run, else −1. */
  async #seek(reference: Reference): Promise<number> {
    const { core } = this.#work;
    await this.#work.room();
    for (;;) {
      const location = core.tree.seek(reference.key, reference.key.length);
      if (location === MISS) {
        core.missTree();
        await core.fillAsync();
        continue;
      }
      const { pages } = core;
      const isSame =
        location >= 0 &&
        (flagsAt(pages, location) & ENTRY_LARGE) !== 0 &&
        largeKindAt(pages, location) === LARGE_IN_PAGES &&
        largeFirstPageAt(pages, location) === reference.firstPage;
      return isSame ? location : -1;
    }
  }

  #name(location: number, firstPage: number, pageCount: number): void {
    const { pages } = this.#work.core;
    const frame = Math.floor(location / pages.pageBytes);
    if (pages.dirty[frame] === 0) pages.touch(pages.lpnOf[frame]!);
    if (pages.shared) pages.beginChange(frame);
    setLargePages(pages, location, firstPage, pageCount);
    if (pages.shared) pages.endChange(frame);
  }
}
