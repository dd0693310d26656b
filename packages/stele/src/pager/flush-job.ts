/**
 * FlushJob: one flush, from the freeze to the durable meta.
 *
 *   beginFlush ─▶ step … step ─▶ [sync …] ─▶ finish ─▶ meta k+1 is current
 *                     └──────────────────────────▶ abort (everything is dirty again, meta k stays)
 *
 * Invariants
 * - Flush rule 3: all pages dirty at `beginFlush` are frozen and the meta names that commit; what is changed later is copied first (PageCache)
 *   and stays dirty; the writing is sliced by `step`.
 * - Levels are written from the leaves up, because an inner page holds the places and checksums of its children. A clean inner page is
 *   written too when a page below it moved. Within a level pages are written in key order, in runs of at least 32 where the file has them.
 * - Flush rules 2 and 4 live in allocator.ts and page-file.ts; rule 1 (the log is synced through the commit first) is the engine's.
 * - No frame is evicted, and no place believed, before the meta is durable: until then `abort` can undo everything in memory.
 *
 * Specification: spec/file-format.md, "Flush".
 */

import { invariant, SteleError } from '../base/errors.ts';
import type { Bitmap } from './bitmap.ts';
import { runPages, writeBlob } from './blob.ts';
import { FROZEN_CLEAN, FROZEN_DIRTY, FROZEN_NOT, FROZEN_WRITTEN, OWNER_TREE } from './frames.ts';
import { FrozenTree } from './frozen-tree.ts';
import * as L from './layout.ts';
import { LPN_MOVED, LPN_SAVED, LPN_WANTED } from './lpn-table.ts';
import type { BlobRef, Meta } from './meta.ts';
import { BLOB_COUNT, NO_BLOB } from './meta.ts';
import type { PageCache } from './page-cache.ts';
import type { PageViews } from './page-check.ts';
import { NO_PAGE } from './page-source.ts';

/** The tree as it stands at the freeze, and what the meta says of its commit. */
export interface FlushedTree {
  /** NO_PAGE for an empty tree. */
  readonly rootLpn: number;
  readonly height: number;
  readonly liveCount: number;
  readonly leafCount?: number;
  readonly commit: number;
  readonly timeMs: number;
  readonly assertedTimeMs: number;
  readonly logSegment: number;
  readonly logOffset: number;
  readonly logChecksum: number;
  /**
   * Called for every dirty leaf before it is written, to move large values out of the log. `isLive`: the bytes are the frame itself, what is
   * changed there stays (in `shared` mode bracket it). Otherwise it is an image only this flush sees: leave it as it is.
   */
  readonly onLeaf?: (views: PageViews, byteOffset: number, lpn: number, isLive: boolean) => void;
}

/** What the meta says that is only known at the end. Missing blobs are empty. */
export interface FlushEnd {
  readonly durableSegment: number;
  readonly durableOffset: number;
  /** 8 bytes; default: as before. */
  readonly epoch?: Uint8Array;
  readonly segmentTable?: Uint8Array;
  readonly keptRanges?: Uint8Array;
  readonly spare1?: Uint8Array;
  readonly spare2?: Uint8Array;
  readonly isCleanClose?: boolean;
}

/** Pages gathered for one write: 512 KiB with pages of 8 KiB. */
const BATCH_PAGES = 64;

/** A flush whose pages and blobs are written. */
interface Ending {
  readonly meta: Meta;
  readonly used: Bitmap;
  /** `writeCount` after the last page the meta names. */
  readonly writesNamed: number;
  isMetaWritten: boolean;
}

/** See the head of the file. */
export class FlushJob {
  readonly #cache: PageCache;
  readonly #tree: FlushedTree;
  readonly #staging: PageViews;
  readonly #images: FrozenTree;
  #queue: number[] = [];
  #moved: number[] = [];
  #runs: number[] = [];
  #toWrite: number;
  #written = 0;
  #dirtyWritten = 0;
  #ending: Ending | undefined;
  #state: 'writing' | 'written' | 'ending' | 'done' | 'aborted' = 'writing';

  constructor(cache: PageCache, tree: FlushedTree) {
    invariant(!cache.isFlushing, 'one flush at a time');
    invariant((tree.rootLpn === NO_PAGE) === (tree.height === 0), `root ${tree.rootLpn} at height ${tree.height}`);
    cache.file.checkWritable();
    cache.allocator.beginFlush();
    for (const blob of cache.file.meta.blobs) if (blob.pages > 0) cache.allocator.freeNow(blob.firstPage, blob.pages);
    this.#cache = cache;
    this.#tree = tree;
    this.#staging = cache.staging(BATCH_PAGES);
    this.#images = new FrozenTree(cache, { lpn: tree.rootLpn, height: tree.height });
    this.#toWrite = this.#freeze();
    cache.isFlushing = true;
  }

  /** Dirty pages not yet written; ancestors that must be written as well are not counted. */
  get pagesLeft(): number {
    return this.#toWrite - this.#dirtyWritten;
  }

  /** Pages written so far, ancestors included. */
  get pagesWritten(): number {
    return this.#written;
  }

  /** All pages are written: `finish` is next. */
  get isWritten(): boolean {
    return this.#state === 'written' || this.#state === 'ending' || this.#state === 'done';
  }

  /**
   * Writes about `pagesMax` pages and returns true when all are written. Cost: about 3.5 µs a page; pages go out in batches of up to 64, so
   * a smaller `pagesMax` gives longer pauses between batches, not smaller ones.
   *
   * @throws {SteleError} `unavailable` DISK_FULL, IO_ERROR; `corrupt` from onLeaf: then `abort`.
   */
  step(pagesMax: number): boolean {
    if (this.isWritten) return true;
    invariant(this.#state === 'writing', `a flush that is ${this.#state} cannot go on`);
    const images = this.#images;
    let budget = pagesMax;
    while (budget > 0) {
      budget = images.gather(this.#queue, BATCH_PAGES, budget);
      if (this.#queue.length >= BATCH_PAGES || (images.isLevelDone && this.#queue.length > 0)) {
        const batch = this.#queue.splice(0, BATCH_PAGES);
        this.#writeBatch(batch);
        budget -= batch.length;
      } else if (images.isLevelDone && !images.nextLevel()) {
        this.#state = 'written';
        invariant(
          this.#dirtyWritten === this.#toWrite,
          `${this.#toWrite - this.#dirtyWritten} dirty pages are not reachable from the root`,
        );
        return true;
      }
    }
    return false;
  }

  /** For pacing: what was written so far reaches the device. A failed sync is final for the file. */
  sync(): Promise<void> {
    return this.#cache.file.syncAsync();
  }

  /**
   * Writes the blobs, syncs, writes the meta, syncs: the flush is durable. A {@link finishNow} meanwhile takes over; both give the same meta.
   *
   * @throws {SteleError} `unavailable` DISK_FULL, IO_ERROR: then `abort`; whether the meta reached the disk may be unknown, and either is safe.
   */
  async finish(end: FlushEnd): Promise<Meta> {
    const { file } = this.#cache;
    const ending = this.#prepare(end);
    await file.syncAsync();
    if (this.#isEnding()) {
      this.#writeMeta(ending);
      await file.syncAsync();
      if (this.#isEnding()) this.#complete(ending);
    }
    return ending.meta;
  }

  /** The same, blocking. */
  finishNow(end: FlushEnd): Meta {
    const { file } = this.#cache;
    const ending = this.#prepare(end);
    if (this.#state === 'done') return ending.meta;
    file.sync();
    this.#writeMeta(ending);
    file.sync();
    this.#complete(ending);
    return ending.meta;
  }

  /** Gives up: everything written is dirty again. Idempotent; nothing after a finish. */
  abort(): void {
    if (this.#state === 'done' || this.#state === 'aborted') return;
    this.#state = 'aborted';
    const { frames, lpns, allocator } = this.#cache;
    for (let i = 0; i < this.#runs.length; i += 2) allocator.freeNow(this.#runs[i]!, this.#runs[i + 1]!);
    for (const lpn of this.#moved) lpns.setPlace(lpn, 0, 0);
    for (let frame = 0; frame < frames.frameCount; frame++) {
      const state = frames.frozen[frame]!;
      if (state === FROZEN_DIRTY || state === FROZEN_WRITTEN) frames.markDirty(frame);
    }
    allocator.abortFlush();
    this.#thaw();
  }

  /** Marks what this flush must write; returns the number of dirty pages. */
  #freeze(): number {
    const { frames, lpns, lpnOf } = this.#cache;
    let count = 0;
    for (let frame = 0; frame < frames.frameCount; frame++) {
      if (frames.owner[frame] !== OWNER_TREE) continue;
      if (frames.dirty[frame] === 1) {
        const lpn = lpnOf[frame]!;
        lpns.state[lpn] = lpns.state[lpn]! | LPN_WANTED;
        frames.markClean(frame);
        frames.setFrozen(frame, FROZEN_DIRTY);
        count++;
      } else if (frames.level[frame] !== 0) {
        frames.setFrozen(frame, FROZEN_CLEAN);
      }
    }
    return count;
  }

  #writeBatch(batch: readonly number[]): void {
    const { onLeaf } = this.#tree;
    if (onLeaf !== undefined && this.#images.level === 0) this.#offerLeaves(batch, onLeaf);
    const { allocator, file, counters, pageBytes } = this.#cache;
    for (let done = 0; done < batch.length; ) {
      const run = allocator.allocate(batch.length - done, { shortest: 1, forFlush: true });
      this.#runs.push(run.first, run.pages);
      for (let i = 0; i < run.pages; i++) this.#stage(batch[done + i]!, i, run.first + i);
      file.writePages(this.#staging.u8, 0, run.first, run.pages);
      counters.runsWritten++;
      counters.pagesWritten += run.pages;
      for (let i = 0; i < run.pages; i++) this.#settle(batch[done + i]!, run.first + i, this.#staging.u32[(i * pageBytes) / 4]!);
      done += run.pages;
    }
    this.#written += batch.length;
  }

  #offerLeaves(batch: readonly number[], onLeaf: NonNullable<FlushedTree['onLeaf']>): void {
    const images = this.#images;
    for (const lpn of batch) {
      invariant(images.find(lpn), `page ${lpn} has no image`);
      if (images.views.u8[images.start + L.PAGE_TYPE] === L.TYPE_LEAF) onLeaf(images.views, images.start, lpn, images.isLive);
    }
  }

  /** Copies the image of `lpn` to place `index` of the staging buffer in disk form, as page `page`. */
  #stage(lpn: number, index: number, page: number): void {
    const { pageBytes, lpns, file } = this.#cache;
    const images = this.#images;
    invariant(images.find(lpn), `page ${lpn} has no image`);
    const { u8, u16, u32 } = this.#staging;
    const start = index * pageBytes;
    u8.set(images.views.u8.subarray(images.start, images.start + pageBytes), start);
    const slots = start + (images.slotsStart - images.start);
    const slotsEnd = slots + images.slots * L.SLOT_BYTES;
    // Free space may hold old contents; they must not reach the disk again.
    u8.fill(0, slotsEnd, start + u16[(start + L.PAGE_HEAP_START) / 2]!);
    if (u8[start + L.PAGE_TYPE] === L.TYPE_INNER) {
      for (let slot = slots; slot < slotsEnd; slot += L.SLOT_BYTES) {
        const record = start + u16[(slot + L.SLOT_RECORD) / 2]!;
        const child = u32[record / 4]!;
        invariant((lpns.state[child]! & LPN_WANTED) === 0 && lpns.place(child) !== 0, `page ${child} is not written before its parent`);
        u32[record / 4] = lpns.placeLow(child);
        u32[record / 4 + 1] = lpns.placeHigh(child);
        u32[record / 4 + 2] = lpns.checksum[child]!;
      }
    }
    file.seal(u8, start, page, this.#tree.commit);
  }

  /** The page lies at `page` now. */
  #settle(lpn: number, page: number, checksum: number): void {
    const { lpns, frames, allocator, frameOf } = this.#cache;
    const images = this.#images;
    images.find(lpn);
    if (images.wasDirty) this.#dirtyWritten++;
    const old = lpns.place(lpn);
    if (old !== 0) allocator.freeNow(old, 1);
    lpns.setPlace(lpn, page, checksum);
    lpns.state[lpn] = (lpns.state[lpn]! & ~LPN_WANTED) | LPN_MOVED;
    this.#moved.push(lpn);
    if (images.isLive) frames.setFrozen(frameOf[lpn]!, FROZEN_WRITTEN);
  }

  /** True while the end is this call's to go on with; false when a blocking caller has done it. */
  #isEnding(): boolean {
    if (this.#state === 'aborted') throw new SteleError('unavailable', 'IO_ERROR', 'the flush was given up');
    return this.#state === 'ending';
  }

  /** Writes the blobs, once. */
  #prepare(end: FlushEnd): Ending {
    if (this.#ending === undefined) {
      invariant(this.#state === 'written', `a flush that is ${this.#state} cannot finish`);
      this.#state = 'ending';
      const { meta, used } = this.#writeBlobs(end);
      this.#ending = { meta, used, writesNamed: this.#cache.file.writeCount, isMetaWritten: false };
    }
    return this.#ending;
  }

  #writeMeta(ending: Ending): void {
    if (ending.isMetaWritten) return;
    this.#cache.allocator.attempt(ending.used);
    this.#cache.file.writeMeta(ending.meta, ending.writesNamed);
    ending.isMetaWritten = true;
  }

  #writeBlobs(end: FlushEnd): { meta: Meta; used: Bitmap } {
    const { file, allocator, lpns, counters } = this.#cache;
    const tree = this.#tree;
    const { commit } = tree;
    const blobs: BlobRef[] = Array.from({ length: BLOB_COUNT }, () => NO_BLOB);
    const contents = [undefined, end.segmentTable, end.keptRanges, end.spare1, end.spare2];
    for (let i = 1; i < BLOB_COUNT; i++) {
      const bytes = contents[i];
      if (bytes === undefined || bytes.length === 0) continue;
      const pages = runPages(bytes.length, file.pageBytes);
      const run = allocator.allocate(pages, { shortest: pages, forFlush: true });
      this.#runs.push(run.first, run.pages);
      blobs[i] = writeBlob(file, bytes, { firstPage: run.first, commit });
      counters.pagesWritten += run.pages;
    }
    const { used, bytes, run } = allocator.sealUsed();
    this.#runs.push(run.first, run.pages);
    blobs[0] = writeBlob(file, bytes, { firstPage: run.first, commit });
    counters.pagesWritten += run.pages;
    const isEmpty = tree.rootLpn === NO_PAGE;
    const meta: Meta = {
      ...file.meta,
      epoch: end.epoch?.slice() ?? file.meta.epoch,
      sequence: file.meta.sequence + 1,
      commit,
      timeMs: tree.timeMs,
      assertedTimeMs: tree.assertedTimeMs,
      logSegment: tree.logSegment,
      logOffset: tree.logOffset,
      logChecksum: tree.logChecksum,
      durableSegment: end.durableSegment,
      durableOffset: end.durableOffset,
      rootPage: isEmpty ? 0 : lpns.place(tree.rootLpn),
      rootChecksum: isEmpty ? 0 : lpns.checksum[tree.rootLpn]!,
      height: isEmpty ? 0 : tree.height,
      liveCount: tree.liveCount,
      leafCount: tree.leafCount ?? 0,
      pageCount: used.end(),
      blobs,
      isCleanClose: end.isCleanClose === true,
    };
    return { meta, used };
  }

  #complete(ending: Ending): void {
    this.#state = 'done';
    this.#cache.file.adoptMeta(ending.meta);
    this.#cache.allocator.endFlush(ending.used);
    this.#thaw();
  }

  /** Nothing is frozen any more, no page is marked. */
  #thaw(): void {
    const { frames, lpns, images, lpnOf } = this.#cache;
    const keep = ~(LPN_WANTED | LPN_MOVED | LPN_SAVED);
    for (let frame = 0; frame < frames.frameCount; frame++) {
      if (frames.frozen[frame] === FROZEN_NOT) continue;
      frames.setFrozen(frame, FROZEN_NOT);
      lpns.state[lpnOf[frame]!] = lpns.state[lpnOf[frame]!]! & keep;
    }
    for (const lpn of images.lpns) lpns.state[lpn] = lpns.state[lpn]! & keep;
    for (const lpn of this.#moved) lpns.state[lpn] = lpns.state[lpn]! & keep;
    images.clear();
    this.#moved = [];
    this.#cache.endOfFlush();
  }
}
