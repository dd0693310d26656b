/**
 * A page source in memory for tests and benchmarks of the tree: pages that are evicted go to a Map.
 *
 * `clean` plays the part of a flush, `evict` the part of memory pressure. Keeps the pager's rules: only clean frames
 * are evicted, and an inner page only when none of its children is in memory. Unlike the pager it never renames an lpn.
 */

import {
  PAGE_FLAGS,
  PAGE_GARBAGE,
  PAGE_HEAP_START,
  PAGE_LEVEL,
  PAGE_PREFIX_BYTES,
  PAGE_SLOT_COUNT,
  PAGE_TYPE,
  TYPE_INNER,
} from '../../src/pager/layout.ts';
import type { PageSource } from '../../src/pager/page-source.ts';
import { recordAt, slotCount } from '../../src/tree/page.ts';

export class MemoryPages implements PageSource {
  readonly pageBytes: number;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly frameOf: Int32Array;
  readonly ref: Uint8Array;
  readonly dirty: Uint8Array;
  readonly lpnOf: Int32Array;
  readonly shared: boolean;
  /** Odd = being changed. Only in shared mode. */
  readonly versions: Int32Array;
  onEvict: (frame: number) => void = () => {};
  loads = 0;
  evictions = 0;
  readonly #stored = new Map<number, Uint8Array>();
  readonly #freeFrames: number[] = [];
  readonly #freeLpns: number[] = [];
  /** Fill pages that hold nothing with garbage, as a torn or reused frame would. */
  readonly #poison: boolean;
  #lpnCount = 0;
  #hand = 0;

  constructor(pageBytes: number, frameCount: number, options: { shared?: boolean; poison?: boolean } = {}) {
    this.pageBytes = pageBytes;
    this.shared = options.shared ?? false;
    this.#poison = options.poison ?? true;
    const bytes = pageBytes * frameCount;
    const memory = this.shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
    this.u8 = new Uint8Array(memory);
    this.u16 = new Uint16Array(memory);
    this.u32 = new Uint32Array(memory);
    this.frameOf = new Int32Array(frameCount * 16).fill(-1);
    this.ref = new Uint8Array(frameCount);
    this.dirty = new Uint8Array(frameCount);
    this.lpnOf = new Int32Array(frameCount).fill(-1);
    this.versions = new Int32Array(frameCount);
    for (let frame = frameCount - 1; frame >= 0; frame--) this.#freeFrames.push(frame);
  }

  get residentPages(): number {
    return this.ref.length - this.#freeFrames.length;
  }

  reserve(frames: number): boolean {
    while (this.#freeFrames.length < frames) this.#evictOne();
    return true;
  }

  allocate(type: number, level: number): number {
    this.reserve(1);
    const frame = this.#freeFrames.pop()!;
    const lpn = this.#freeLpns.pop() ?? this.#lpnCount++;
    if (lpn >= this.frameOf.length) throw new Error('out of lpns');
    this.#seat(lpn, frame);
    const base = frame * this.pageBytes;
    if (this.#poison) this.u8.fill(0xa5, base, base + this.pageBytes);
    this.u8[base + PAGE_TYPE] = type;
    this.u8[base + PAGE_LEVEL] = level;
    this.u32[(base + PAGE_FLAGS) / 4] = 0;
    this.u16[(base + PAGE_SLOT_COUNT) / 2] = 0;
    this.u16[(base + PAGE_HEAP_START) / 2] = this.pageBytes;
    this.u16[(base + PAGE_GARBAGE) / 2] = 0;
    this.u16[(base + PAGE_PREFIX_BYTES) / 2] = 0;
    this.dirty[frame] = 1;
    return lpn;
  }

  release(lpn: number): void {
    const frame = this.frameOf[lpn]!;
    if (frame >= 0) this.#unseat(lpn, frame);
    this.#stored.delete(lpn);
    this.#freeLpns.push(lpn);
  }

  touch(lpn: number): void {
    this.dirty[this.frameOf[lpn]!] = 1;
  }

  load(lpn: number): void {
    if (this.frameOf[lpn]! >= 0) return;
    const image = this.#stored.get(lpn);
    if (image === undefined) throw new Error(`page ${lpn} was never stored`);
    this.reserve(1);
    const frame = this.#freeFrames.pop()!;
    this.#seat(lpn, frame);
    this.u8.set(image, frame * this.pageBytes);
    this.dirty[frame] = 0;
    this.loads++;
  }

  async loadAsync(lpn: number): Promise<void> {
    this.load(lpn);
  }

  adoptRoot(): number {
    throw new Error('not for tests');
  }

  beginChange(frame: number): void {
    if (this.versions[frame]! % 2 !== 0) throw new Error('a change was begun twice');
    this.versions[frame]!++;
  }

  endChange(frame: number): void {
    if (this.versions[frame]! % 2 === 0) throw new Error('a change was ended twice');
    this.versions[frame]!++;
  }

  /** As after a flush: every page is stored and clean. */
  clean(): void {
    for (let frame = 0; frame < this.dirty.length; frame++) {
      if (this.dirty[frame] === 0) continue;
      const base = frame * this.pageBytes;
      this.#stored.set(this.lpnOf[frame]!, this.u8.slice(base, base + this.pageBytes));
      this.dirty[frame] = 0;
    }
  }

  /** Evicts the frame if that is allowed. */
  evict(frame: number): boolean {
    const lpn = this.lpnOf[frame]!;
    if (lpn < 0 || this.dirty[frame] !== 0) return false;
    const base = frame * this.pageBytes;
    if (this.u8[base + PAGE_TYPE] === TYPE_INNER) {
      for (let i = 0; i < slotCount(this, base); i++) if (this.frameOf[this.u32[recordAt(this, base, i) / 4]!]! >= 0) return false;
    }
    this.onEvict(frame);
    this.#unseat(lpn, frame);
    this.evictions++;
    return true;
  }

  #evictOne(): void {
    for (let tries = 0; tries < this.ref.length * 4; tries++) {
      this.#hand = (this.#hand + 1) % this.ref.length;
      if (tries < this.ref.length && this.ref[this.#hand] === 1) this.ref[this.#hand] = 0;
      else if (this.evict(this.#hand)) return;
      if (tries === this.ref.length * 2) this.clean();
    }
    throw new Error('nothing can be evicted');
  }

  #seat(lpn: number, frame: number): void {
    this.frameOf[lpn] = frame;
    this.lpnOf[frame] = lpn;
    if (this.versions[frame]! % 2 !== 0) this.versions[frame]!++;
    this.ref[frame] = 1;
  }

  #unseat(lpn: number, frame: number): void {
    const base = frame * this.pageBytes;
    if (this.#poison) this.u8.fill(0xa5, base, base + this.pageBytes);
    this.frameOf[lpn] = -1;
    this.lpnOf[frame] = -1;
    // As in the real cache: odd while the frame belongs to nobody.
    if (this.versions[frame]! % 2 === 0) this.versions[frame]!++;
    this.dirty[frame] = 0;
    this.#freeFrames.push(frame);
  }
}
