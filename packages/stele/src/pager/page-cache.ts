/**
 * PageCache: tree pages in frames, by logical page number. The real {@link PageSource}.
 *
 * Invariants
 * - A page in memory has its parent in memory (the root excepted): an inner page leaves only when no child is resident or being loaded;
 *   then its children's numbers are freed.
 * - `dirty` pages, pages frozen by a flush and pinned frames are never evicted.
 * - While a flush runs, the first change of a frozen page saves its image (images.ts); the flush writes the tree as it was at the freeze.
 * - Bytes of other threads' interest change only between an odd and an even version word when `shared`.
 *
 * Limits: an eighth of the frames (at least 8) is never dirty, so that reading always finds room.
 *
 * Specification: spec/file-format.md, "Pages".
 */

import { invariant } from '../base/errors.ts';
import { Allocator } from './allocator.ts';
import { BlockFrames } from './block-frames.ts';
import type { FlushedTree } from './flush-job.ts';
import { FlushJob } from './flush-job.ts';
import { cacheFull, FROZEN_CLEAN, FROZEN_DIRTY, FROZEN_NOT, Frames, OWNER_TREE } from './frames.ts';
import { FrozenImages } from './frozen-images.ts';
import * as L from './layout.ts';
import { LPN_LIVE, LPN_LOADING, LPN_RELEASED, LPN_SAVED, LpnTable } from './lpn-table.ts';
import { Overflow } from './overflow.ts';
import type { PageViews } from './page-check.ts';
import { checkTreePage } from './page-check.ts';
import type { PageFile } from './page-file.ts';
import type { PageSource } from './page-source.ts';

export interface PageCacheOptions {
  /** Bytes for frames; at least 16 pages are taken. */
  readonly cacheMemory: number;
}

/** Counters since open; all exact. */
export interface PageCacheCounters {
  /** Tree pages read from the file. */
  loads: number;
  loadsAsync: number;
  /** Images saved because a frozen page changed during a flush. */
  imagesSaved: number;
  /** Pages written by flushes (tree, overflow and blob pages). */
  pagesWritten: number;
  runsWritten: number;
}

/** See the head of the file. */
export class PageCache implements PageSource {
  readonly file: PageFile;
  readonly allocator: Allocator;
  readonly frames: Frames;
  readonly lpns: LpnTable;
  /** Frames for log and index blocks, under the same clock. */
  readonly blocks: BlockFrames;
  readonly overflow: Overflow;
  readonly images: FrozenImages;
  readonly pageBytes: number;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly frameOf: Int32Array;
  readonly ref: Uint8Array;
  readonly dirty: Uint8Array;
  readonly lpnOf: Int32Array;
  shared = false;
  /** Called with the frame of a tree page that the clock throws out, while its bytes are still there. Not for released pages. */
  onEvict: ((frame: number) => void) | undefined;
  readonly counters: PageCacheCounters = { loads: 0, loadsAsync: 0, imagesSaved: 0, pagesWritten: 0, runsWritten: 0 };
  /** True from a freeze to the end or abort of its flush. Set by the flush job. */
  isFlushing = false;
  /** Inner pages in memory. */
  innerCount = 0;
  readonly #released: number[] = [];
  readonly #loading = new Map<number, Promise<void>>();
  #staging: PageViews | undefined;
  readonly #childrenMax: number;
  readonly #dirtyMax: number;

  constructor(file: PageFile, options: PageCacheOptions) {
    const { pageBytes } = file;
    const frameCount = Math.max(16, Math.floor(options.cacheMemory / pageBytes));
    this.file = file;
    this.pageBytes = pageBytes;
    this.allocator = new Allocator(file);
    this.frames = new Frames({ pageBytes, frameCount });
    this.#childrenMax = Math.floor((pageBytes - L.PAGE_HEADER_BYTES) / (L.SLOT_BYTES + L.INNER_SUFFIX));
    this.#dirtyMax = frameCount - Math.max(8, frameCount >>> 3);
    // Children of inner pages in memory: with 8 KiB pages 64 numbers per frame, so even half the frames may be inner pages.
    this.lpns = new LpnTable(Math.max(24 * this.#childrenMax, Math.ceil((frameCount * pageBytes) / 128)));
    this.u8 = this.frames.u8;
    this.u16 = this.frames.u16;
    this.u32 = this.frames.u32;
    this.frameOf = this.lpns.frameOf;
    this.ref = this.frames.ref;
    this.dirty = this.frames.dirty;
    this.lpnOf = new Int32Array(frameCount);
    this.blocks = new BlockFrames(this.frames);
    this.overflow = new Overflow(this.file, this.allocator, this.counters);
    this.images = new FrozenImages({ pageBytes, regionPages: Math.max(16, (3 * frameCount) >>> 3) });
    this.frames.setOwner(OWNER_TREE, { mayEvict: (frame) => this.#mayEvict(frame), evicted: (frame) => this.#evicted(frame) });
  }

  /** Pages a flush would have to write now, without the ancestors it finds on its way. */
  get dirtyCount(): number {
    return this.frames.dirtyCount;
  }

  /** Pages a running flush has still to write or to name in a meta: they cannot be evicted, and count against {@link dirtyMax}. */
  get heldCount(): number {
    return this.frames.heldCount;
  }

  /** Above this many dirty pages `reserve` refuses. */
  get dirtyMax(): number {
    return this.#dirtyMax;
  }

  reserve(frames: number): boolean {
    if (
      this.frames.freeCount >= frames &&
      this.frames.dirtyCount + this.frames.heldCount + frames <= this.#dirtyMax &&
      this.lpns.available >= frames + this.#childrenMax
    )
      return true;
    if (this.frames.dirtyCount + this.frames.heldCount + frames > this.#dirtyMax) return false;
    return this.frames.makeFree(frames) && this.#makeLpns(frames + this.#childrenMax);
  }

  /**
   * Makes sure that a flush of everything dirty plus `pages` more cannot meet a full disk. Cheap when it cannot already.
   *
   * @throws {SteleError} `unavailable` DISK_FULL; nothing changed. `corrupt` when the used-pages bitmap, read at the first call, is damaged.
   */
  reserveDisk(pages: number): void {
    if (this.file.isReadOnly) return;
    // Ancestors: inner pages in memory. Blobs: bitmap, segment table, kept ranges; their sizes move slowly, the slack covers it.
    let blobs = 16;
    for (const blob of this.file.meta.blobs) blobs += 2 * blob.pages;
    this.allocator.reserve(this.frames.dirtyCount + this.frames.heldCount + this.innerCount + blobs + pages);
  }

  allocate(type: number, level: number): number {
    if (!this.#makeLpns(1)) throw cacheFull(this.frames.frameCount);
    const frame = this.frames.take();
    const lpn = this.lpns.allocate(0, 0, level);
    const start = frame * this.pageBytes;
    this.u8.fill(0, start, start + L.PAGE_HEADER_BYTES);
    this.u8[start + L.PAGE_TYPE] = type;
    this.u8[start + L.PAGE_LEVEL] = level;
    this.u16[(start + L.PAGE_HEAP_START) / 2] = this.pageBytes;
    this.#settle(lpn, frame, level);
    this.frames.markDirty(frame);
    return lpn;
  }

  release(lpn: number): void {
    const frame = this.frameOf[lpn]!;
    if (frame >= 0) {
      if (this.frames.frozen[frame] !== FROZEN_NOT) this.#saveImage(lpn, frame);
      this.frameOf[lpn] = -1;
      if (this.frames.level[frame]! > 0) this.innerCount--;
      this.frames.giveBack(frame);
    }
    this.lpns.state[lpn] = (this.lpns.state[lpn]! & ~LPN_LIVE) | LPN_RELEASED;
    if (this.isFlushing) this.#released.push(lpn);
    else this.#forget(lpn);
  }

  touch(lpn: number): void {
    const frame = this.frameOf[lpn]!;
    if (this.dirty[frame] === 1) return;
    invariant(frame >= 0, `page ${lpn} is not in memory`);
    if (this.frames.frozen[frame] !== FROZEN_NOT) this.#saveImage(lpn, frame);
    this.frames.markDirty(frame);
  }

  load(lpn: number): void {
    if (this.frameOf[lpn]! >= 0) return;
    const { frames, lpns } = this;
    // Marked, so that making room cannot evict the parent and with it this very number.
    lpns.state[lpn] = lpns.state[lpn]! | LPN_LOADING;
    let frame = -1;
    try {
      frame = frames.take();
      this.file.readTreePage(this.u8, frame * this.pageBytes, lpns.place(lpn), lpns.checksum[lpn]!);
      this.#admit(lpn, frame);
      this.counters.loads++;
    } catch (error) {
      if (frame >= 0) frames.giveBack(frame);
      throw error;
    } finally {
      if (!this.#loading.has(lpn)) lpns.state[lpn] = lpns.state[lpn]! & ~LPN_LOADING;
    }
  }

  loadAsync(lpn: number): Promise<void> {
    if (this.frameOf[lpn]! >= 0) return Promise.resolve();
    let loading = this.#loading.get(lpn);
    if (loading === undefined) {
      loading = this.#loadAsync(lpn);
      this.#loading.set(lpn, loading);
    }
    return loading;
  }

  adoptRoot(physical: number, checksum: number, level: number): number {
    return this.lpns.allocate(physical, checksum, level);
  }

  beginChange(frame: number): void {
    Atomics.add(this.frames.versions, frame, 1);
  }

  endChange(frame: number): void {
    Atomics.add(this.frames.versions, frame, 1);
  }

  /** The frame stays until `unpin`, whatever the clock says. */
  pin(frame: number): void {
    this.frames.pins[frame] = this.frames.pins[frame]! + 1;
  }

  unpin(frame: number): void {
    invariant(this.frames.pins[frame]! > 0, `frame ${frame} is not pinned`);
    this.frames.pins[frame] = this.frames.pins[frame]! - 1;
  }

  /** Where the page lies on disk, 0 when it was never written. */
  physicalOf(lpn: number): number {
    return this.lpns.place(lpn);
  }

  /** Marks every clean tree page in memory that lies at or above `physicalLimit` dirty, as far as `reserve` allows; the next flush places them anew. */
  relocateAbove(physicalLimit: number): number {
    let marked = 0;
    for (let frame = 0; frame < this.frames.frameCount; frame++) {
      if (this.frames.owner[frame] !== OWNER_TREE || this.dirty[frame] === 1) continue;
      const lpn = this.lpnOf[frame]!;
      if (this.lpns.place(lpn) < physicalLimit) continue;
      if (this.frames.dirtyCount + this.frames.heldCount >= this.#dirtyMax) break;
      this.touch(lpn);
      marked++;
    }
    return marked;
  }

  /** Ranged read of an overflow run; see {@link Overflow.read}. `commit`: the one it was written with, checked when given. */
  readOverflow(firstPage: number, pages: number, offset: number, length: number, target: Uint8Array, at: number, commit?: number): void {
    this.overflow.read({ firstPage, pages, commit }, offset, length, target, at);
  }

  /** The overflow run is no longer referenced; its pages are free after the next flush. */
  freeOverflow(firstPage: number, pages: number): void {
    this.overflow.free({ firstPage, pages });
  }

  /**
   * Freezes the tree as it is and returns the job that writes it. One flush at a time.
   *
   * @throws {SteleError} `denied` READ_ONLY; `unavailable` PAGES_FAILED after a failed sync; `corrupt` when the used-pages bitmap is damaged.
   */
  beginFlush(tree: FlushedTree): FlushJob {
    return new FlushJob(this, tree);
  }

  /** Flat figures for stats(). */
  stats(): Readonly<Record<string, number>> {
    const { frames, counters, blocks } = this;
    return {
      pageBytes: this.pageBytes,
      frames: frames.frameCount,
      framesFree: frames.freeCount,
      framesDirty: frames.dirtyCount,
      framesHeld: frames.heldCount,
      innerPages: this.innerCount,
      treeMisses: counters.loads + counters.loadsAsync,
      blockHits: blocks.counters.hits,
      blockMisses: blocks.counters.misses,
      evictions: frames.counters.evictions,
      clockSteps: frames.counters.clockSteps,
      pagesWritten: counters.pagesWritten,
      runsWritten: counters.runsWritten,
      imagesSaved: counters.imagesSaved,
      flushDebtPages: frames.dirtyCount + frames.heldCount,
      filePages: this.file.pageLimit,
    };
  }

  /** For the flush job: the buffer in which it gathers pages; one for all flushes. */
  staging(pages: number): PageViews {
    if (this.#staging === undefined) {
      const u8 = new Uint8Array(pages * this.pageBytes);
      this.#staging = { pageBytes: this.pageBytes, u8, u16: new Uint16Array(u8.buffer), u32: new Uint32Array(u8.buffer) };
    }
    return this.#staging;
  }

  /** For the flush job: what was released during the flush is forgotten now. */
  endOfFlush(): void {
    this.isFlushing = false;
    for (const lpn of this.#released) this.#forget(lpn);
    this.#released.length = 0;
  }

  #forget(lpn: number): void {
    const place = this.lpns.place(lpn);
    if (place !== 0) this.allocator.free(place, 1);
    this.lpns.setPlace(lpn, 0, 0);
    // A load under way frees the number itself when it ends.
    if ((this.lpns.state[lpn]! & LPN_LOADING) === 0) this.lpns.free(lpn);
  }

  #settle(lpn: number, frame: number, level: number): void {
    this.lpnOf[frame] = lpn;
    this.frames.level[frame] = level;
    if (level > 0) this.innerCount++;
    this.frames.publish(frame, OWNER_TREE);
    this.frameOf[lpn] = frame;
  }

  /** The frame holds the verified bytes of the page: checks bounds, names the children, makes it resident. */
  #admit(lpn: number, frame: number): void {
    const { file, lpns, pageBytes } = this;
    const start = frame * pageBytes;
    const level = lpns.level[lpn]!;
    const wrong = checkTreePage(this, start, pageBytes, level, file.pageLimit);
    if (wrong !== undefined) throw file.pageDamaged('PAGE_INVALID', lpns.place(lpn), wrong);
    if (level > 0) this.#nameChildren(start, level);
    this.#settle(lpn, frame, level);
  }

  #nameChildren(start: number, level: number): void {
    const { u16, u32, lpns } = this;
    const count = u16[(start + L.PAGE_SLOT_COUNT) / 2]!;
    const slots = start + L.PAGE_PREFIX + L.pad4(u16[(start + L.PAGE_PREFIX_BYTES) / 2]!);
    if (!this.#makeLpns(count)) throw cacheFull(this.frames.frameCount);
    for (let slot = 0; slot < count; slot++) {
      const record = start + u16[(slots + slot * L.SLOT_BYTES + L.SLOT_RECORD) / 2]!;
      const place = u32[record / 4]! + u16[record / 2 + 2]! * 0x1_0000_0000;
      u32[record / 4] = lpns.allocate(place, u32[record / 4 + 2]!, level - 1);
    }
  }

  /** Evicts until so many numbers are available: inner pages without resident children give theirs back. False when nothing can go. */
  #makeLpns(count: number): boolean {
    while (this.lpns.available < count) if (!this.frames.evictOne()) return false;
    return true;
  }

  async #loadAsync(lpn: number): Promise<void> {
    const { frames, lpns } = this;
    lpns.state[lpn] = lpns.state[lpn]! | LPN_LOADING;
    let frame = -1;
    try {
      frame = frames.take();
      const place = lpns.place(lpn);
      const checksum = lpns.checksum[lpn]!;
      const start = frame * this.pageBytes;
      const read = await this.file.readRawAsync(this.u8, start, place);
      // Meanwhile the page may be gone, or a blocking load was faster: then it may even have changed, moved and left again, and these bytes
      // are an older state.
      const isHere = lpns.place(lpn) === place && lpns.checksum[lpn] === checksum;
      const isWanted = isHere && this.frameOf[lpn]! < 0 && (lpns.state[lpn]! & LPN_RELEASED) === 0;
      if (isWanted) {
        this.file.verifyPage(this.u8, start, place, read, checksum);
        this.#admit(lpn, frame);
        this.counters.loadsAsync++;
      } else {
        frames.giveBack(frame);
      }
    } catch (error) {
      if (frame >= 0) frames.giveBack(frame);
      throw error;
    } finally {
      this.#loading.delete(lpn);
      lpns.state[lpn] = lpns.state[lpn]! & ~LPN_LOADING;
      // Released meanwhile and already forgotten: the number was left to us.
      if ((lpns.state[lpn]! & LPN_RELEASED) !== 0 && !this.#released.includes(lpn)) lpns.free(lpn);
    }
  }

  #mayEvict(frame: number): boolean {
    if (this.frames.level[frame] === 0) return true;
    const { u16, u32, frameOf } = this;
    const { state } = this.lpns;
    const start = frame * this.pageBytes;
    const count = u16[(start + L.PAGE_SLOT_COUNT) / 2]!;
    const slots = (start + L.PAGE_PREFIX + L.pad4(u16[(start + L.PAGE_PREFIX_BYTES) / 2]!) + L.SLOT_RECORD) / 2;
    for (let slot = 0; slot < count; slot++) {
      const child = u32[(start + u16[slots + slot * (L.SLOT_BYTES / 2)]!) / 4]!;
      if (frameOf[child]! >= 0 || (state[child]! & LPN_LOADING) !== 0) {
        // Asked again only after another full round.
        this.ref[frame] = 1;
        return false;
      }
    }
    return true;
  }

  #evicted(frame: number): void {
    this.onEvict?.(frame);
    this.frameOf[this.lpnOf[frame]!] = -1;
    if (this.frames.level[frame]! > 0) {
      this.#freeChildren(frame);
      this.innerCount--;
      this.frames.level[frame] = 0;
    }
  }

  #freeChildren(frame: number): void {
    const { u16, u32, lpns } = this;
    const start = frame * this.pageBytes;
    const count = u16[(start + L.PAGE_SLOT_COUNT) / 2]!;
    const slots = (start + L.PAGE_PREFIX + L.pad4(u16[(start + L.PAGE_PREFIX_BYTES) / 2]!) + L.SLOT_RECORD) / 2;
    for (let slot = 0; slot < count; slot++) lpns.free(u32[(start + u16[slots + slot * (L.SLOT_BYTES / 2)]!) / 4]!);
  }

  #saveImage(lpn: number, frame: number): void {
    const state = this.frames.frozen[frame]!;
    if (state !== FROZEN_DIRTY && state !== FROZEN_CLEAN) return;
    this.images.save(lpn, this.u8, frame * this.pageBytes, state === FROZEN_DIRTY);
    this.lpns.state[lpn] = this.lpns.state[lpn]! | LPN_SAVED;
    this.frames.setFrozen(frame, FROZEN_NOT);
    this.counters.imagesSaved++;
  }
}
