/**
 * Allocator: which pages of pages.db may be written.
 *
 * Bitmaps: `#next` is used by the tree as it stands in memory (places of clean pages, overflow runs, blobs being written); `#current` and
 * `#older` are used by the two metas on disk; `#pins` by older metas a backup still reads; `#attempt` by a meta whose write failed
 * half-way and may or may not lie in its slot.
 *
 * Invariants
 * - **Flush rule 2** has its only place here, in `#recomputeBlocked`: a page is given out only when none of these bitmaps has it.
 *   So whichever meta a crash leaves, its pages are whole.
 * - The bitmap stored with a meta names exactly the pages that meta uses, its own bitmap's pages included.
 * - What the tree frees is collected and leaves `#next` at the next freeze: a running flush may still write a tree that has it.
 * - The bitmaps are read when first needed, not at open.
 *
 * Specification: spec/file-format.md, "Used pages".
 */

import { SteleError } from '../base/errors.ts';
import { Bitmap } from './bitmap.ts';
import { readBlob, runPages } from './blob.ts';
import type { Meta } from './meta.ts';
import { BLOB_USED_PAGES } from './meta.ts';
import type { PageFile } from './page-file.ts';

/** Runs at least this long are written at full speed: 256 KiB with pages of 8 KiB. */
export const LONG_RUN_PAGES = 32;
/** The file is extended in steps of at least this many pages. */
const EXTEND_PAGES_MIN = 128;
/** Runs are searched by classes of powers of two, up to LONG_RUN_PAGES = 2^5. */
const CLASS_MAX = 5;

/** A run of pages. */
export interface PageRun {
  readonly first: number;
  readonly pages: number;
}

/** See the head of the file. */
export class Allocator {
  readonly #file: PageFile;
  #next: Bitmap | undefined;
  #current = new Bitmap();
  #older = new Bitmap();
  #attempt: Bitmap | undefined;
  readonly #pins = new Set<Bitmap>();
  /** Union of all of the above. */
  #blocked = new Bitmap();
  /** Free pages in long runs, and in short ones, inside the file as it is. */
  #freeLong = 0;
  #freeShort = 0;
  /** By class c: no free run of 2^c pages or more begins before it. Pages only get fewer between two recounts. */
  readonly #hands = new Array<number>(CLASS_MAX + 1).fill(2);
  /** Freed by the tree since the last freeze: first, pages, first, pages … */
  #freed: number[] = [];
  /** Runs given out while a flush runs and not for it: they are not part of its bitmap. */
  #later: PageRun[] | undefined;
  /** Runs being written in slices: nothing names them yet, so no bitmap on disk does. */
  readonly #open = new Set<PageRun>();
  /** Compaction: the first gap is taken, however short, instead of the first long one. */
  isFirstFit = false;

  constructor(file: PageFile) {
    this.#file = file;
  }

  /** Pages used by the tree as it stands, the two meta pages included. Exact right after a flush. */
  get usedPages(): number {
    return this.#loaded().count();
  }

  /** Pages that only a meta on disk, or a pin, still uses: free when two more metas do not name them. */
  get waitingPages(): number {
    return Math.max(0, this.#blocked.count() - this.#loaded().count());
  }

  /** End of the last page used by the tree as it stands. */
  get usedEnd(): number {
    return this.#loaded().end();
  }

  /** Pages that can be written without growing the file. */
  get freePages(): number {
    this.#loaded();
    return this.#freeLong + this.#freeShort;
  }

  /** True when the tree in memory or its overflow runs use the page. For `verify`. */
  isUsed(page: number): boolean {
    return this.#loaded().has(page);
  }

  /** The page's present user does not need it any more. Takes effect at the next freeze. */
  free(first: number, pages: number): void {
    this.#freed.push(first, pages);
  }

  /** A page placed by the running flush is placed anew, or the flush failed: leaves the bitmap at once. */
  freeNow(first: number, pages: number): void {
    this.#loaded().clearRun(first, pages);
  }

  /**
   * A run of at most `pages`: a long one where there is one, else what there is when `shortest` allows it, else by growing the file.
   *
   * @param forFlush part of the tree the running flush writes.
   * @throws {SteleError} `unavailable` DISK_FULL when the file had to grow; nothing was given out.
   */
  allocate(pages: number, options: { shortest: number; forFlush: boolean }): PageRun {
    const next = this.#loaded();
    const found = this.isFirstFit ? this.#find(pages, options.shortest) : this.#search(pages, options.shortest);
    const run = found ?? this.#grow(pages);
    next.setRun(run.first, run.pages);
    this.#blocked.setRun(run.first, run.pages);
    this.#account(run);
    if (this.#later !== undefined && !options.forFlush) this.#later.push(run);
    return run;
  }

  /**
   * The first run of exactly `pages` free pages that ends at or below `limit`, or undefined. It is written in slices: until
   * {@link close} a flush leaves it out of its bitmap.
   */
  openBelow(pages: number, limit: number): PageRun | undefined {
    const next = this.#loaded();
    const run = this.#find(pages, pages);
    if (run === undefined || run.first + pages > limit) return undefined;
    next.setRun(run.first, pages);
    this.#blocked.setRun(run.first, pages);
    this.#account(run);
    this.#open.add(run);
    return run;
  }

  /** A run of {@link openBelow} is complete and about to be named, or given up and about to be freed. */
  close(run: PageRun): void {
    if (this.#open.delete(run)) this.#later?.push(run);
  }

  /**
   * Makes sure that so many pages can be written without the disk running full, extending the file with zeros.
   *
   * @throws {SteleError} `unavailable` DISK_FULL; nothing else happened.
   */
  reserve(pages: number): void {
    this.#loaded();
    const usable = this.#freeLong + (4 * this.#freeShort > this.#file.pageLimit ? this.#freeShort : 0);
    if (usable >= pages) return;
    this.#extend(Math.max(pages - usable, EXTEND_PAGES_MIN));
  }

  /** A flush begins: what the tree freed until now leaves the bitmap, and searches start at the front. */
  beginFlush(): void {
    const next = this.#loaded();
    for (let i = 0; i < this.#freed.length; i += 2) next.clearRun(this.#freed[i]!, this.#freed[i + 1]!);
    this.#freed = [];
    this.#later = [];
    this.#recomputeBlocked();
  }

  /**
   * The bitmap of the tree the running flush wrote, stored form included, and the run for its own pages. Nothing may be allocated for this
   * flush afterwards.
   */
  sealUsed(): { used: Bitmap; bytes: Uint8Array; run: PageRun } {
    const next = this.#loaded();
    const { pageBytes, pageLimit } = this.#file;
    // Enough even if its own run lies behind everything; what is too much is given back.
    const bits = Math.max(next.end(), pageLimit) * 1.01 + 64;
    const room = runPages(Math.ceil(bits / 8), pageBytes);
    const run = this.allocate(room, { shortest: room, forFlush: true });
    const used = next.clone();
    used.setRun(0, 2);
    for (const later of this.#later ?? []) used.clearRun(later.first, later.pages);
    for (const open of this.#open) used.clearRun(open.first, open.pages);
    const pages = runPages(used.encode().length, pageBytes);
    used.clearRun(run.first + pages, run.pages - pages);
    next.clearRun(run.first + pages, run.pages - pages);
    return { used, bytes: used.encode(), run: { first: run.first, pages } };
  }

  /** A meta write is about to begin: from now on a crash may find it. */
  attempt(used: Bitmap): void {
    // An earlier attempt may still lie in the slot until this one is durable.
    const before = this.#attempt;
    this.#attempt = used.clone();
    if (before !== undefined) this.#attempt.unite(before);
    this.#recomputeBlocked();
  }

  /** The meta with this bitmap is durable. */
  endFlush(used: Bitmap): void {
    this.#older = this.#current;
    this.#current = used;
    this.#attempt = undefined;
    this.#later = undefined;
    this.#recomputeBlocked();
  }

  /** The flush failed; its pages were freed one by one. A meta that may have been written stays protected. */
  abortFlush(): void {
    this.#later = undefined;
    this.#recomputeBlocked();
  }

  /** Keeps every page of the current meta until `release`. */
  pin(): { release(): void } {
    this.#loaded();
    const held = this.#current.clone();
    this.#pins.add(held);
    return {
      release: () => {
        this.#pins.delete(held);
      },
    };
  }

  /** Cuts the free pages at the end of the file. Returns the pages cut. */
  truncate(): number {
    this.#loaded();
    this.#recomputeBlocked();
    const end = Math.max(2, this.#blocked.end());
    const cut = this.#file.pageLimit - end;
    if (cut <= 0) return 0;
    this.#file.truncate(end);
    this.#recomputeBlocked();
    return cut;
  }

  #loaded(): Bitmap {
    if (this.#next !== undefined) return this.#next;
    const { meta, olderMeta } = this.#file;
    this.#current = readUsed(this.#file, meta);
    // A fallback that cannot be read is none: its pages need no protection.
    this.#older = olderMeta === undefined ? new Bitmap() : readUsedOrNothing(this.#file, olderMeta);
    this.#next = this.#current.clone();
    this.#recomputeBlocked();
    return this.#next;
  }

  /** Flush rule 2. */
  #recomputeBlocked(): void {
    const next = this.#loaded();
    const blocked = next.clone();
    blocked.unite(this.#current);
    blocked.unite(this.#older);
    if (this.#attempt !== undefined) blocked.unite(this.#attempt);
    for (const pinned of this.#pins) blocked.unite(pinned);
    blocked.setRun(0, 2);
    this.#blocked = blocked;
    this.#countFree();
  }

  #countFree(): void {
    const limit = this.#file.pageLimit;
    this.#hands.fill(2);
    this.#freeLong = 0;
    this.#freeShort = 0;
    for (let at = this.#blocked.nextClear(2); at < limit; ) {
      const end = this.#blocked.nextSet(at, limit);
      if (end - at >= LONG_RUN_PAGES) this.#freeLong += end - at;
      else this.#freeShort += end - at;
      at = this.#blocked.nextClear(end);
    }
  }

  /** A free run inside the file: of the full length (or a long one) if there is one, else half of that, and so on down to `shortest`. */
  #search(pages: number, shortest: number): PageRun | undefined {
    for (let length = Math.max(shortest, Math.min(pages, LONG_RUN_PAGES)); length >= shortest; length >>>= 1) {
      const run = this.#find(pages, length);
      if (run !== undefined) return run;
      if (length > shortest && length >>> 1 < shortest) return this.#find(pages, shortest);
    }
    return undefined;
  }

  /** The first free run of at least `length` pages inside the file, cut to `pages`. */
  #find(pages: number, length: number): PageRun | undefined {
    const limit = this.#file.pageLimit;
    const kind = Math.min(CLASS_MAX, 31 - Math.clz32(length));
    const isWholeClass = length === 1 << kind;
    for (let at = this.#blocked.nextClear(this.#hands[kind]!); at < limit; ) {
      const end = this.#blocked.nextSet(at, Math.min(limit, at + Math.max(pages, length)));
      // A run that touches the end may grow with the file: the hand stays in front of it.
      if (isWholeClass && (end - at >= length || end === limit)) this.#hands[kind] = at;
      if (end - at >= length) return { first: at, pages: Math.min(pages, end - at) };
      if (end === limit) return undefined;
      at = this.#blocked.nextClear(end);
    }
    if (isWholeClass) this.#hands[kind] = Math.max(this.#hands[kind]!, limit);
    return undefined;
  }

  /** A run at the end of the file, which is extended: every page given out lies in the file, with its space taken. */
  #grow(pages: number): PageRun {
    let first = this.#file.pageLimit;
    while (first > 2 && !this.#blocked.has(first - 1)) first--;
    this.#extend(first + pages - this.#file.pageLimit);
    return { first, pages };
  }

  #extend(pages: number): void {
    const before = this.#file.pageLimit;
    try {
      this.#file.extend(pages);
    } finally {
      this.#freeLong += this.#file.pageLimit - before;
    }
  }

  /** Keeps the two counts about right between recounts. */
  #account(run: PageRun): void {
    if (run.pages >= LONG_RUN_PAGES || this.#freeShort < run.pages) this.#freeLong = Math.max(0, this.#freeLong - run.pages);
    else this.#freeShort -= run.pages;
  }
}

function readUsed(file: PageFile, meta: Meta): Bitmap {
  const used = Bitmap.decode(readBlob(file, meta.blobs[BLOB_USED_PAGES]!));
  used.setRun(0, 2);
  if (used.end() > meta.pageCount)
    throw new SteleError(
      'corrupt',
      'BLOB_DAMAGED',
      `used pages of meta ${meta.sequence} end at ${used.end()}, the file at ${meta.pageCount}`,
    );
  if (meta.rootPage !== 0 && !used.has(meta.rootPage))
    throw new SteleError('corrupt', 'BLOB_DAMAGED', `used pages of meta ${meta.sequence} lack its root, page ${meta.rootPage}`);
  return used;
}

function readUsedOrNothing(file: PageFile, meta: Meta): Bitmap {
  try {
    return readUsed(file, meta);
  } catch (error) {
    if (error instanceof SteleError && error.kind === 'corrupt') return new Bitmap();
    throw error;
  }
}
