/**
 * StoredPages: tree pages read privately from the file, because they are not in the owner's memory.
 *
 * A page on disk is never changed, only replaced: it is named by place and checksum, so what fits both is the page that was meant, and
 * what does not fit was reused meanwhile, which is no damage but a reason to start again from the root.
 *
 * Invariants
 * - A page is checked like any page the owner loads: checksum with database and page id, level, bounds.
 * - Nothing is written; the owner's cache does not learn of it.
 *
 * Limits: {@link CACHED_PAGES} pages are kept, inner ones mostly, in memory of the thread's own.
 */

import { SteleError } from '../../base/errors.ts';
import type { Hashing } from '../../host/host.ts';
import type { Storage } from '../../host/storage.ts';
import { Allocator } from '../../pager/allocator.ts';
import { Overflow } from '../../pager/overflow.ts';
import { checkTreePage } from '../../pager/page-check.ts';
import { PageFile } from '../../pager/page-file.ts';
import type { PageViews } from '../../tree/page.ts';
import type { ThreadCounters } from './memory.ts';

const CACHED_PAGES = 64;

export class StoredPages implements PageViews {
  readonly pageBytes: number;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  /** What was wrong with the page read last that did not fit. */
  reason: unknown;
  readonly overflow: Overflow;
  readonly #file: PageFile;
  readonly #counters: ThreadCounters;
  readonly #places = new Float64Array(CACHED_PAGES);
  readonly #checksums = new Uint32Array(CACHED_PAGES);

  /** @throws {SteleError} `invalid` NOT_FOUND; `corrupt` META_DAMAGED, WRONG_DATABASE */
  constructor(storage: Storage, hashing: Hashing, pageBytes: number, counters: ThreadCounters) {
    this.#file = PageFile.open({ storage, hashing, readOnly: true });
    // The file grows under us; checksums tell what may be believed.
    this.#file.pageLimit = Number.MAX_SAFE_INTEGER;
    if (this.#file.pageBytes !== pageBytes)
      throw new SteleError('corrupt', 'WRONG_DATABASE', 'the files are not those of the shared memory');
    this.pageBytes = pageBytes;
    this.#counters = counters;
    this.u8 = new Uint8Array(CACHED_PAGES * pageBytes);
    this.u16 = new Uint16Array(this.u8.buffer);
    this.u32 = new Uint32Array(this.u8.buffer);
    this.overflow = new Overflow(this.#file, new Allocator(this.#file), { pagesWritten: 0, runsWritten: 0 });
  }

  get databaseId(): Uint8Array {
    return this.#file.databaseId;
  }

  /** Byte offset of the page in the views, good until the next read; −1 when what lies there is not that page (any more). */
  read(place: number, checksum: number, level: number): number {
    if (!(place >= 2)) return -1;
    const slot = place % CACHED_PAGES;
    const start = slot * this.pageBytes;
    if (this.#places[slot] === place && this.#checksums[slot] === checksum) return start;
    this.#places[slot] = 0;
    this.#counters.storedPages++;
    try {
      this.#file.readTreePage(this.u8, start, place, checksum);
    } catch (error) {
      if (!(error instanceof SteleError) || error.kind !== 'corrupt') throw error;
      this.#counters.storedPagesStale++;
      this.reason = error;
      return -1;
    }
    const wrong = checkTreePage(this, start, this.pageBytes, level, Number.MAX_SAFE_INTEGER);
    if (wrong !== undefined) {
      this.reason = this.#file.pageDamaged('PAGE_INVALID', place, wrong);
      return -1;
    }
    this.#places[slot] = place;
    this.#checksums[slot] = checksum;
    return start;
  }

  close(): void {
    this.#file.close();
  }
}
