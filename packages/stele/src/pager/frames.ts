/**
 * Frames: the one fixed memory of the page cache, and the clock that decides who must leave it.
 *
 * `frameCount` frames of `pageBytes`, in a SharedArrayBuffer where there is one; the system commits the memory when it is first
 * touched. A frame holds a tree page, a block of a log or index file, or nothing. Fixed for ever: a growable shared buffer is 50x slower per load.
 *
 * Invariants
 * - A frame is evicted only when it is not dirty, not frozen by a running flush and not pinned, and its owner agrees (an inner page does
 *   not while a child is in memory).
 * - A frame in use belongs to exactly one owner; `owner` says which kind.
 * - Nothing here reads or writes a file.
 *
 * Limits: at most 2^31 − 1 frames.
 */

import { invariant, SteleError } from '../base/errors.ts';

/** Kinds of owner. */
export const OWNER_NONE = 0;
export const OWNER_TREE = 1;
export const OWNER_BLOCK = 2;
/** Taken, being filled. */
export const OWNER_FILLING = 3;

/** Values of `frozen`: what a running flush still wants of the frame. */
export const FROZEN_NOT = 0;
/** Dirty at the freeze; the frame's bytes are what will be written. */
export const FROZEN_DIRTY = 1;
/** Clean inner page; will be written if a page below it is. The frame's bytes are what will be written. */
export const FROZEN_CLEAN = 2;
/** Written by this flush, whose meta is not durable yet: kept so that an abort can make it dirty again. */
export const FROZEN_WRITTEN = 3;

/** Decides for its frames; called by the clock. */
export interface FrameOwner {
  /** May this clean, unpinned frame go now? */
  mayEvict(frame: number): boolean;
  /** It goes: forget where it was. */
  evicted(frame: number): void;
}

/** Counters since the cache was made. */
export interface FrameCounters {
  evictions: number;
  /** Frames the clock looked at. */
  clockSteps: number;
}

/** See the head of the file. */
export class Frames {
  readonly pageBytes: number;
  readonly frameCount: number;
  readonly buffer: ArrayBufferLike;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  /** Clock reference byte. */
  readonly ref: Uint8Array;
  /** 1 = changed since the last freeze. */
  readonly dirty: Uint8Array;
  readonly frozen: Uint8Array;
  readonly pins: Uint16Array;
  readonly owner: Uint8Array;
  /** Level of the tree page, 0 for anything else. */
  readonly level: Uint8Array;
  /** Version words for other threads: odd while the frame changes, is being filled or belongs to nobody; another number for every content. */
  readonly versions: Int32Array;
  readonly counters: FrameCounters = { evictions: 0, clockSteps: 0 };
  /** Frames with `dirty` 1. */
  dirtyCount = 0;
  /** Frames a running flush keeps: frozen dirty, or written and waiting for the meta. */
  heldCount = 0;
  readonly #free: Int32Array;
  #freeCount = 0;
  /** Frames from here on were never used. */
  #untouched = 0;
  #hand = 0;
  readonly #owners: (FrameOwner | undefined)[] = [undefined, undefined, undefined, undefined];

  constructor(options: { pageBytes: number; frameCount: number }) {
    const { pageBytes, frameCount } = options;
    invariant(Number.isInteger(frameCount) && frameCount >= 1 && frameCount < 0x7fff_ffff, `${frameCount} frames`);
    this.pageBytes = pageBytes;
    this.frameCount = frameCount;
    this.buffer = fixedMemory(frameCount * pageBytes);
    this.u8 = new Uint8Array(this.buffer);
    this.u16 = new Uint16Array(this.buffer);
    this.u32 = new Uint32Array(this.buffer);
    this.ref = new Uint8Array(fixedMemory(frameCount));
    this.dirty = new Uint8Array(frameCount);
    this.frozen = new Uint8Array(frameCount);
    this.pins = new Uint16Array(frameCount);
    this.owner = new Uint8Array(frameCount);
    this.level = new Uint8Array(frameCount);
    this.versions = new Int32Array(fixedMemory(frameCount * 4));
    this.#free = new Int32Array(frameCount);
  }

  /** Names who answers for frames of a kind. */
  setOwner(kind: number, owner: FrameOwner): void {
    this.#owners[kind] = owner;
  }

  get freeCount(): number {
    return this.#freeCount + this.frameCount - this.#untouched;
  }

  /** A frame that belongs to nobody, or −1 when all are in use. Never evicts. */
  takeFree(): number {
    if (this.#freeCount > 0) return this.#free[--this.#freeCount]!;
    return this.#untouched < this.frameCount ? this.#untouched++ : -1;
  }

  /**
   * A frame to fill, evicting one when none is free. Its version word is odd until {@link publish} or {@link giveBack}.
   *
   * @throws {SteleError} `unavailable` CACHE_FULL when everything is dirty, frozen or pinned.
   */
  take(): number {
    let frame = this.takeFree();
    if (frame < 0) {
      frame = this.#runClock();
      if (frame < 0) throw cacheFull(this.frameCount);
    }
    this.owner[frame] = OWNER_FILLING;
    this.#turnOdd(frame);
    return frame;
  }

  /** The frame is filled and belongs to `owner`. */
  publish(frame: number, owner: number): void {
    this.owner[frame] = owner;
    this.ref[frame] = 1;
    Atomics.add(this.versions, frame, 1);
  }

  /** Evicts one frame, which is free then. False when nothing can go. */
  evictOne(): boolean {
    const frame = this.#runClock();
    if (frame < 0) return false;
    this.giveBack(frame);
    return true;
  }

  /** Makes sure that `count` frames are free, evicting. False: impossible now; some may have been evicted all the same. */
  makeFree(count: number): boolean {
    while (this.freeCount < count) if (!this.evictOne()) return false;
    return true;
  }

  /** The frame belongs to nobody again, and its version word is odd. The caller has forgotten it. */
  giveBack(frame: number): void {
    this.#turnOdd(frame);
    this.markClean(frame);
    this.setFrozen(frame, FROZEN_NOT);
    this.ref[frame] = 0;
    this.owner[frame] = OWNER_NONE;
    this.level[frame] = 0;
    this.#free[this.#freeCount++] = frame;
  }

  markDirty(frame: number): void {
    if (this.dirty[frame] === 1) return;
    this.dirty[frame] = 1;
    this.dirtyCount++;
  }

  markClean(frame: number): void {
    if (this.dirty[frame] === 0) return;
    this.dirty[frame] = 0;
    this.dirtyCount--;
  }

  setFrozen(frame: number, state: number): void {
    const before = this.frozen[frame]!;
    this.frozen[frame] = state;
    if (before === FROZEN_DIRTY || before === FROZEN_WRITTEN) this.heldCount--;
    if (state === FROZEN_DIRTY || state === FROZEN_WRITTEN) this.heldCount++;
  }

  /** Readers of other threads turn away until {@link publish}. */
  #turnOdd(frame: number): void {
    if ((this.versions[frame]! & 1) === 0) Atomics.add(this.versions, frame, 1);
  }

  /** Evicts what the clock finds and returns the frame, or −1 after two fruitless rounds. The frame is not given back. */
  #runClock(): number {
    const { ref, dirty, frozen, pins, owner, frameCount } = this;
    let hand = this.#hand;
    for (let steps = 2 * frameCount + 1; steps > 0; steps--) {
      const frame = hand;
      hand = hand + 1 === frameCount ? 0 : hand + 1;
      this.counters.clockSteps++;
      if (ref[frame] !== 0) {
        ref[frame] = 0;
        continue;
      }
      if (dirty[frame] !== 0 || frozen[frame] !== 0 || pins[frame] !== 0) continue;
      const kind = owner[frame]!;
      if (kind === OWNER_NONE || kind === OWNER_FILLING) continue;
      const answerable = this.#owners[kind]!;
      if (!answerable.mayEvict(frame)) continue;
      // Before the owner forgets it: a thread that still reads the frame must not follow names given to others since.
      this.#turnOdd(frame);
      answerable.evicted(frame);
      owner[frame] = OWNER_NONE;
      this.counters.evictions++;
      this.#hand = hand;
      return frame;
    }
    this.#hand = hand;
    return -1;
  }
}

/** Zeroed memory of a size that never changes, shared between threads where the platform has that. */
export function fixedMemory(bytes: number): ArrayBufferLike {
  return typeof SharedArrayBuffer === 'undefined' ? new ArrayBuffer(bytes) : new SharedArrayBuffer(bytes);
}

/** `unavailable` CACHE_FULL. */
export function cacheFull(frameCount: number): SteleError {
  return new SteleError('unavailable', 'CACHE_FULL', `all ${frameCount} page frames hold changes not yet flushed or are in use`, {
    detail: { frameCount },
  });
}
