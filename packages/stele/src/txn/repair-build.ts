/**
 * A new page file from entries: the base on which the log is then replayed.
 *
 * Entries come leaf by leaf from pages that verified (of the damaged file, or of a backup); the newest of two versions of a key
 * stays. Large values in overflow pages are copied; where their pages are damaged the log's copy is named instead, if it is there.
 *
 * Invariants
 * - The file is worth nothing until {@link BaseBuilder.finish}; the mark of the repair stands over it.
 * - Back addresses, tombstones and swept entries stay what they are.
 *
 * Specification: spec/file-format.md, "Repair".
 */

import { SteleError } from '../base/errors.ts';
import type { Host } from '../host/host.ts';
import { LEAF_SPINE, LEAF_SWEPT, PAGE_HEADER_BYTES, TYPE_OVERFLOW } from '../pager/layout.ts';
import { PageCache } from '../pager/page-cache.ts';
import { type CreatePageFile, PageFile } from '../pager/page-file.ts';
import { NO_PAGE } from '../pager/page-source.ts';
import { EntryDraft } from '../tree/draft.ts';
import * as entry from '../tree/entry.ts';
import { type PageViews, recordAt, slotCount, slotKeyInto } from '../tree/page.ts';
import { MISS, Tree } from '../tree/tree.ts';
import { KEY_BYTES_MAX } from './options.ts';

/** What the meta of the base says. */
export interface BaseState {
  readonly commit: number;
  readonly timeMs: number;
  readonly assertedTimeMs: number;
  readonly logSegment: number;
  readonly logOffset: number;
  readonly logChecksum: number;
  readonly segmentTable: Uint8Array;
  readonly keptRanges: (looseLargeFrom: number) => Uint8Array;
}

/** See the head of the file. */
export class BaseBuilder {
  entries = 0;
  /** Keys whose value is nowhere. */
  readonly lostKeys: Uint8Array[] = [];
  readonly #file: PageFile;
  readonly #pages: PageCache;
  readonly #tree: Tree;
  readonly #state: BaseState;
  readonly #hasRecord: (commit: number) => boolean;
  readonly #draft = new EntryDraft();
  readonly #key = new Uint8Array(KEY_BYTES_MAX + 4);
  #looseLargeFrom = Number.POSITIVE_INFINITY;

  /** `hasRecord`: the commit's record is whole in the log. */
  constructor(
    host: Host,
    create: Omit<CreatePageFile, 'storage' | 'hashing'>,
    state: BaseState,
    cacheMemory: number,
    hasRecord: (commit: number) => boolean,
  ) {
    this.#file = PageFile.create({ ...create, storage: host.storage, hashing: host.hashing });
    this.#pages = new PageCache(this.#file, { cacheMemory });
    this.#tree = new Tree(this.#pages, { rootLpn: NO_PAGE, height: 0, liveCount: 0 });
    this.#state = state;
    this.#hasRecord = hasRecord;
  }

  /** Takes over all entries of a leaf at byte `base` of `views`. `from` is the file its overflow runs lie in. */
  addLeaf(views: PageViews, base: number, from: PageFile): void {
    const count = slotCount(views, base);
    for (let slot = 0; slot < count; slot++) {
      const keyBytes = slotKeyInto(views, base, slot, true, this.#key);
      this.#add(views, recordAt(views, base, slot), keyBytes, from);
    }
  }

  #add(views: PageViews, location: number, keyBytes: number, from: PageFile): void {
    const pages = this.#pages;
    const found = this.#seek(keyBytes);
    if (found >= 0 && entry.commitAt(pages, found) >= entry.commitAt(views, location)) return;
    if (!this.#fill(views, location, from)) {
      this.lostKeys.push(this.#key.slice(0, keyBytes));
      return;
    }
    this.#tree.write(this.#draft);
    this.entries++;
  }

  /** Seeks for a write, with room for it. */
  #seek(keyBytes: number): number {
    const pages = this.#pages;
    const tree = this.#tree;
    for (;;) {
      if (!pages.reserve(tree.framesPerWrite())) {
        this.#flush();
        pages.reserve(tree.framesPerWrite());
      }
      const found = tree.seek(this.#key, keyBytes);
      if (found !== MISS) return found;
      pages.load(tree.missed);
    }
  }

  /** False: its large value is nowhere. */
  #fill(views: PageViews, location: number, from: PageFile): boolean {
    const draft = this.#draft;
    const flags = entry.flagsAt(views, location);
    draft.clear();
    draft.tombstone = (flags & entry.ENTRY_TOMBSTONE) !== 0;
    draft.swept = (flags & LEAF_SWEPT) !== 0;
    draft.commit = entry.commitAt(views, location);
    draft.ordinal = entry.ordinalAt(views, location);
    draft.expiresAt = entry.expiresAt(views, location);
    draft.backCommit = entry.backCommitAt(views, location);
    draft.backOrdinal = entry.backOrdinalAt(views, location);
    draft.backCarried = entry.isBackCarriedAt(views, location);
    draft.firstCommit = entry.firstCommitAt(views, location);
    draft.depth = entry.depthAt(views, location);
    if ((flags & LEAF_SPINE) !== 0) {
      const start = entry.spineStartAt(views, location);
      draft.spineBytes = entry.spineBytesAt(views, location);
      draft.spine = views.u8.slice(start, start + draft.spineBytes);
    }
    if ((flags & entry.ENTRY_LARGE) === 0) {
      const start = entry.valueStartAt(views, location);
      draft.value = views.u8.slice(start, start + entry.valueBytesAt(views, location));
      draft.valueEnd = draft.value.length;
      return true;
    }
    draft.large = true;
    draft.largeBytes = entry.largeBytesAt(views, location);
    const value = entry.largeKindAt(views, location) === entry.LARGE_IN_PAGES ? readRun(views, location, from) : undefined;
    if (value !== undefined) {
      const run = this.#pages.overflow.write(value, 0, value.length, { commit: draft.commit, forFlush: false });
      draft.largeKind = entry.LARGE_IN_PAGES;
      draft.largeFirstPage = run.firstPage;
      draft.largePages = run.pages;
      return true;
    }
    if (!this.#hasRecord(draft.commit)) return false;
    draft.largeKind = entry.LARGE_IN_LOG;
    this.#looseLargeFrom = Math.min(this.#looseLargeFrom, draft.commit);
    return true;
  }

  /** The file holds everything, on the device, and is closed. */
  finish(): void {
    this.#flush();
    // The second meta too, so that no slot is left from a flush on the way.
    this.#flush();
    this.#file.close();
  }

  /** Gives up. */
  close(): void {
    this.#file.close();
  }

  #flush(): void {
    const state = this.#state;
    const { rootLpn, height, liveCount, leafCount } = this.#tree;
    const job = this.#pages.beginFlush({ ...state, rootLpn, height, liveCount, leafCount });
    try {
      while (!job.step(4096));
      job.finishNow({
        durableSegment: state.logSegment,
        durableOffset: state.logOffset,
        segmentTable: state.segmentTable,
        keptRanges: state.keptRanges(this.#looseLargeFrom),
      });
    } catch (error) {
      job.abort();
      throw error;
    }
  }
}

/** The value in a run of overflow pages, undefined when one of them is damaged. */
function readRun(views: PageViews, location: number, from: PageFile): Uint8Array | undefined {
  const bytes = entry.largeBytesAt(views, location);
  const first = entry.largeFirstPageAt(views, location);
  const room = from.pageBytes - PAGE_HEADER_BYTES;
  const value = new Uint8Array(Math.min(bytes, entry.largePagesAt(views, location) * room));
  if (value.length < bytes) return undefined;
  const page = new Uint8Array(from.pageBytes);
  try {
    for (let index = 0, at = 0; at < bytes; index++) {
      const count = Math.min(room, bytes - at);
      from.readRunPage(page, {
        page: first + index,
        type: TYPE_OVERFLOW,
        index,
        payloadBytesMin: count,
        commit: entry.commitAt(views, location),
      });
      value.set(page.subarray(PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + count), at);
      at += count;
    }
  } catch (error) {
    if (!(error instanceof SteleError) || error.kind !== 'corrupt') throw error;
    return undefined;
  }
  return value;
}
