/**
 * Logical page numbers: the names tree pages have in memory.
 *
 * For each lpn: the frame it is in (or none), its place on disk and checksum (none for a page never written), and its level.
 * Numbers never used cost no memory: the arrays are committed on touch and numbers are given out from below.
 *
 * Invariants
 * - An lpn lives from its parent's load (or its allocation) until its parent's eviction or its own release.
 * - A number released while a flush runs is not reused before the flush ended: frozen images may name it.
 *
 * Limits: `capacity` numbers; the cache keeps some in reserve and evicts inner pages to regain them.
 */

import { invariant } from '../base/errors.ts';
import { fixedMemory } from './frames.ts';

/** Bits of `state`. 0 = the number is free. */
export const LPN_LIVE = 1;
/** Released while a flush runs. */
export const LPN_RELEASED = 2;
/** A load is under way: the parent must stay. */
export const LPN_LOADING = 4;
/** Written by the running flush. */
export const LPN_MOVED = 8;
/** The running flush must write it: dirty at the freeze, or a page below moved. */
export const LPN_WANTED = 16;
/** The running flush holds a saved image of it. */
export const LPN_SAVED = 32;

const TWO_32 = 0x1_0000_0000;

/** See the head of the file. */
export class LpnTable {
  readonly capacity: number;
  readonly frameOf: Int32Array;
  readonly state: Uint8Array;
  readonly level: Uint8Array;
  readonly checksum: Uint32Array;
  readonly #placeLow: Uint32Array;
  readonly #placeHigh: Uint16Array;
  #unused = 0;
  /** Free numbers, chained through placeLow; −1 ends. */
  #firstFree = -1;
  #freeCount = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.frameOf = new Int32Array(fixedMemory(capacity * 4));
    this.state = new Uint8Array(capacity);
    this.level = new Uint8Array(capacity);
    this.checksum = new Uint32Array(fixedMemory(capacity * 4));
    this.#placeLow = new Uint32Array(fixedMemory(capacity * 4));
    this.#placeHigh = new Uint16Array(fixedMemory(capacity * 2));
  }

  /** The arrays other threads read: where a page is in memory, and where it lies on disk. */
  shared(): {
    readonly frameOf: Int32Array;
    readonly placeLow: Uint32Array;
    readonly placeHigh: Uint16Array;
    readonly checksum: Uint32Array;
  } {
    return { frameOf: this.frameOf, placeLow: this.#placeLow, placeHigh: this.#placeHigh, checksum: this.checksum };
  }

  get available(): number {
    return this.#freeCount + this.capacity - this.#unused;
  }

  /** A number for a page at `place` (0: never written). The caller made sure that one is available. */
  allocate(place: number, checksum: number, level: number): number {
    let lpn = this.#firstFree;
    if (lpn >= 0) {
      this.#firstFree = (this.#placeLow[lpn]! | 0) as number;
      this.#freeCount--;
    } else {
      invariant(this.#unused < this.capacity, 'no logical page number is left');
      lpn = this.#unused++;
    }
    this.frameOf[lpn] = -1;
    this.state[lpn] = LPN_LIVE;
    this.level[lpn] = level;
    this.setPlace(lpn, place, checksum);
    return lpn;
  }

  free(lpn: number): void {
    this.state[lpn] = 0;
    this.frameOf[lpn] = -1;
    this.#placeLow[lpn] = this.#firstFree;
    this.#firstFree = lpn;
    this.#freeCount++;
  }

  /** Page id on disk, 0 when it has none. */
  place(lpn: number): number {
    return this.#placeHigh[lpn]! * TWO_32 + this.#placeLow[lpn]!;
  }

  placeLow(lpn: number): number {
    return this.#placeLow[lpn]!;
  }

  placeHigh(lpn: number): number {
    return this.#placeHigh[lpn]!;
  }

  setPlace(lpn: number, place: number, checksum: number): void {
    this.#placeLow[lpn] = place >>> 0;
    this.#placeHigh[lpn] = Math.floor(place / TWO_32);
    this.checksum[lpn] = checksum;
  }
}
