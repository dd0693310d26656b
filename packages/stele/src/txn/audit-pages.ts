/**
 * Page audit: reads everything one meta names from the page file itself, past the cache.
 *
 * Each page is judged alone, so one bad page hides no other: what lies below it is reported as lost by its key range. Used by
 * verification, and by repair to learn what is left.
 *
 * Invariants
 * - Nothing is believed that was not checked: identity, checksum, the checksum the parent names, bounds, order, counts.
 * - Every page is reached at most once; a second way to it is a damage, not a loop.
 * - Yields after each page read, so that its caller can slice it.
 *
 * Specification: spec/file-format.md, "Verification".
 */

import { compareBytes } from '../base/bytes.ts';
import { SteleError } from '../base/errors.ts';
import { Bitmap } from '../pager/bitmap.ts';
import { readBlob, runPages } from '../pager/blob.ts';
import { INNER_CHILD_CHECKSUM, TYPE_OVERFLOW } from '../pager/layout.ts';
import { BLOB_USED_PAGES, type Meta } from '../pager/meta.ts';
import { checkTreePage } from '../pager/page-check.ts';
import type { PageFile } from '../pager/page-file.ts';
import {
  commitAt,
  ENTRY_LARGE,
  flagsAt,
  LARGE_IN_PAGES,
  largeBytesAt,
  largeFirstPageAt,
  largeKindAt,
  largePagesAt,
} from '../tree/entry.ts';
import { type PageViews, recordAt, slotCount, slotKeyInto } from '../tree/page.ts';
import { scratchPage } from '../tree/rebuild.ts';
import { earliestExpiryAt, liveCountAt, Summary, smallestFirstCommitAt, summarize } from '../tree/summary.ts';
import type { Damage } from './types.ts';

/** Who hears of it. Views are good until the audit goes on. */
export interface AuditVisitor {
  damage(damage: Damage): void;
  /** A leaf that is right in itself. */
  leaf?(views: PageViews): void;
  /** Nothing can be said of the keys in [start, end); undefined = no bound. */
  lost?(start: Uint8Array, end: Uint8Array | undefined): void;
  /** A large value that is still in the log. */
  inLog?(commit: number): void;
}

const EMPTY = new Uint8Array(0);

/** See the head of the file. */
export class PageAudit {
  pages = 0;
  leaves = 0;
  entries = 0;
  live = 0;
  /** Everything the meta leads to. */
  readonly reached = new Bitmap();
  /** A page could not be read, so not everything was reached. */
  isPartial = false;
  readonly #file: PageFile;
  readonly #meta: Meta;
  readonly #visitor: AuditVisitor;
  readonly #pageLimit: number;
  readonly #run: Uint8Array;

  constructor(file: PageFile, meta: Meta, visitor: AuditVisitor) {
    this.#file = file;
    this.#meta = meta;
    this.#visitor = visitor;
    this.#pageLimit = Math.min(file.pageLimit, meta.pageCount);
    this.#run = new Uint8Array(file.pageBytes);
  }

  /** The whole audit. */
  *run(): Generator<void, void> {
    const { height, rootPage, rootChecksum, liveCount, leafCount, sequence } = this.#meta;
    const used = this.#blobs();
    if (height > 0) {
      const root = yield* this.#tree(rootPage, rootChecksum, height - 1, EMPTY, undefined);
      if (root !== undefined && root.live !== liveCount)
        this.#damage('meta', `meta ${sequence} counts ${liveCount} live entries, its tree ${root.live}`, { sequence });
    }
    if (this.isPartial) return;
    if (leafCount > 0 && leafCount !== this.leaves)
      this.#damage('meta', `meta ${sequence} counts ${leafCount} leaves, its tree has ${this.leaves}`, { sequence });
    if (used !== undefined) this.#compare(used);
  }

  /** The blobs of the meta; gives the bitmap of used pages. */
  #blobs(): Bitmap | undefined {
    let used: Bitmap | undefined;
    for (const [index, blob] of this.#meta.blobs.entries()) {
      if (blob.pages === 0) continue;
      try {
        const bytes = readBlob(this.#file, blob);
        if (index === BLOB_USED_PAGES) used = Bitmap.decode(bytes);
        this.pages += blob.pages;
      } catch (error) {
        this.#corrupt(error, { pageId: blob.firstPage });
      }
      for (let page = blob.firstPage; page < blob.firstPage + blob.pages; page++) this.#reach(page);
    }
    return used;
  }

  #compare(used: Bitmap): void {
    const end = Math.max(used.end(), this.reached.end());
    for (let page = 2; page < end; page++) {
      if (used.has(page) === this.reached.has(page)) continue;
      const first = page;
      const isLeaked = used.has(page);
      while (page + 1 < end && used.has(page + 1) === isLeaked && this.reached.has(page + 1) !== isLeaked) page++;
      const what = isLeaked ? 'used by nobody and marked used' : 'in use and marked free';
      this.#damage('page', `pages ${first} to ${page} are ${what}`, {
        code: isLeaked ? 'leaked' : 'unmarked',
        pageId: first,
        pages: page - first + 1,
      });
    }
  }

  /** False: somebody else uses it too. */
  #reach(page: number): boolean {
    if (this.reached.has(page)) {
      this.#damage('page', `page ${page} is used twice`, { code: 'shared', pageId: page });
      return false;
    }
    this.reached.set(page);
    return true;
  }

  *#tree(
    page: number,
    checksum: number,
    level: number,
    lower: Uint8Array,
    upper: Uint8Array | undefined,
  ): Generator<void, Summary | undefined> {
    const views = scratchPage(this.#file.pageBytes);
    const wrong = this.#load(views, page, checksum, level) ?? this.#disorder(views, level, lower, upper);
    yield;
    if (wrong !== undefined) {
      if (wrong !== 'told') this.#damage('page', `page ${page}: ${wrong}`, { code: 'PAGE_INVALID', pageId: page });
      this.isPartial = true;
      this.#visitor.lost?.(lower, upper);
      return undefined;
    }
    this.pages++;
    const summary = new Summary();
    summarize(views, 0, level === 0, summary);
    if (level === 0) {
      yield* this.#leaf(views, summary);
      return summary;
    }
    const count = slotCount(views, 0);
    for (let slot = 0; slot < count; slot++) yield* this.#child(views, slot, page, level, lower, upper);
    return summary;
  }

  *#child(
    views: PageViews,
    slot: number,
    page: number,
    level: number,
    lower: Uint8Array,
    upper: Uint8Array | undefined,
  ): Generator<void, void> {
    const record = recordAt(views, 0, slot);
    const child = views.u32[record / 4]! + views.u16[record / 2 + 2]! * 0x1_0000_0000;
    const checksum = views.u32[(record + INNER_CHILD_CHECKSUM) / 4]!;
    const start = slot === 0 ? lower : keyAt(views, slot, false);
    const end = slot + 1 < slotCount(views, 0) ? keyAt(views, slot + 1, false) : upper;
    const below = yield* this.#tree(child, checksum, level - 1, start, end);
    if (below === undefined) return;
    const told = { code: 'summary', pageId: page, child };
    if (liveCountAt(views, record) !== below.live)
      this.#damage(
        'page',
        `page ${page} counts ${liveCountAt(views, record)} live entries below page ${child}, there are ${below.live}`,
        told,
      );
    const expiry = earliestExpiryAt(views, record);
    if (below.expiry !== 0 && (expiry === 0 || expiry > below.expiry))
      this.#damage('page', `page ${page} expects no expiry below page ${child} before ${expiry}, there is one at ${below.expiry}`, told);
    if (smallestFirstCommitAt(views, record) > below.firstCommit)
      this.#damage('page', `page ${page} expects nothing below page ${child} from before ${smallestFirstCommitAt(views, record)}`, told);
  }

  *#leaf(views: PageViews, summary: Summary): Generator<void, void> {
    const count = slotCount(views, 0);
    this.leaves++;
    this.entries += count;
    this.live += summary.live;
    for (let slot = 0; slot < count; slot++) {
      const location = recordAt(views, 0, slot);
      if ((flagsAt(views, location) & ENTRY_LARGE) === 0) continue;
      if (largeKindAt(views, location) === LARGE_IN_PAGES) yield* this.#overflow(views, location);
      else this.#visitor.inLog?.(commitAt(views, location));
    }
    this.#visitor.leaf?.(views);
  }

  *#overflow(views: PageViews, location: number): Generator<void, void> {
    const bytes = largeBytesAt(views, location);
    const first = largeFirstPageAt(views, location);
    const pages = largePagesAt(views, location);
    const room = this.#file.pageBytes - 80;
    const told = { pageId: first, pages, commit: commitAt(views, location) };
    if (pages !== runPages(bytes, this.#file.pageBytes) || first < 2 || first + pages > this.#pageLimit) {
      this.#damage('page', `a value of ${bytes} bytes in ${pages} pages from ${first}`, { code: 'PAGE_INVALID', ...told });
      return;
    }
    for (let index = 0; index < pages; index++) {
      const page = first + index;
      this.#reach(page);
      try {
        const payloadBytesMin = Math.min(room, bytes - index * room);
        this.#file.readRunPage(this.#run, { page, type: TYPE_OVERFLOW, index, payloadBytesMin, commit: told.commit });
        this.pages++;
      } catch (error) {
        this.#corrupt(error, told);
      }
      yield;
    }
  }

  /** Reads a tree page; what is wrong with it, 'told' when that was reported. */
  #load(views: PageViews, page: number, checksum: number, level: number): string | undefined {
    if (page < 2 || page >= this.#pageLimit) return `outside of the ${this.#pageLimit} pages the meta names`;
    if (!this.#reach(page)) return 'told';
    try {
      this.#file.readTreePage(views.u8, 0, page, checksum);
    } catch (error) {
      this.#corrupt(error, { pageId: page });
      return 'told';
    }
    return checkTreePage(views, 0, this.#file.pageBytes, level, this.#pageLimit);
  }

  #disorder(views: PageViews, level: number, lower: Uint8Array, upper: Uint8Array | undefined): string | undefined {
    const count = slotCount(views, 0);
    if (count === 0) return 'a page without entries';
    let before = lower;
    for (let slot = level === 0 ? 0 : 1; slot < count; slot++) {
      const key = keyAt(views, slot, level === 0);
      const order = compareBytes(before, 0, before.length, key, 0, key.length);
      if (order > 0 || (order === 0 && (slot > 0 || level > 0) && before !== lower)) return `key ${slot} is out of order`;
      before = key;
    }
    return upper !== undefined && compareBytes(before, 0, before.length, upper, 0, upper.length) >= 0 ? 'keys beyond its range' : undefined;
  }

  #corrupt(error: unknown, detail: Readonly<Record<string, unknown>>): void {
    if (!(error instanceof SteleError) || error.kind !== 'corrupt') throw error;
    this.#damage('page', error.message, { code: error.code, ...detail, ...error.detail });
  }

  #damage(where: Damage['where'], message: string, detail: Readonly<Record<string, unknown>>): void {
    this.#visitor.damage({ where, message, detail });
  }
}

/** A copy of the key of a slot of a page at base 0. */
export function keyAt(views: PageViews, slot: number, isLeaf: boolean): Uint8Array {
  const key = new Uint8Array(2304);
  return key.slice(0, slotKeyInto(views, 0, slot, isLeaf, key));
}
