/**
 * Saved images: copies of frozen pages that were changed or released before a running flush had written them.
 *
 * They lie outside the frames: making room in the frames would evict what tree code is standing on. The first ones go into a region of
 * fixed size, reserved at open and committed by the system when first touched; what does not fit goes into chunks that are dropped when
 * the flush ends. (Chunks alone were tried: each megabyte of fresh array buffer brings a full collection nearer, 80 MB of images
 * cost 14 of them.) Bounded by the pages frozen.
 */

import { fixedMemory } from './frames.ts';
import type { PageViews } from './page-check.ts';

const CHUNK_PAGES = 64;

/** See the head of the file. */
export class FrozenImages {
  readonly #pageBytes: number;
  readonly #region: PageViews;
  readonly #regionPages: number;
  readonly #chunks: PageViews[] = [];
  readonly #lpns: number[] = [];
  readonly #wasDirty: boolean[] = [];
  readonly #indexOf = new Map<number, number>();

  constructor(options: { pageBytes: number; regionPages: number }) {
    this.#pageBytes = options.pageBytes;
    this.#regionPages = options.regionPages;
    this.#region = this.#viewsOver(fixedMemory(options.pageBytes * options.regionPages));
  }

  get count(): number {
    return this.#lpns.length;
  }

  /** The pages that have an image, in the order of saving. */
  get lpns(): readonly number[] {
    return this.#lpns;
  }

  save(lpn: number, source: Uint8Array, start: number, wasDirty: boolean): void {
    const index = this.#lpns.length;
    const beyond = index - this.#regionPages;
    if (beyond >= 0 && beyond % CHUNK_PAGES === 0) this.#chunks.push(this.#viewsOver(new ArrayBuffer(CHUNK_PAGES * this.#pageBytes)));
    this.viewsOf(index).u8.set(source.subarray(start, start + this.#pageBytes), this.startOf(index));
    this.#lpns.push(lpn);
    this.#wasDirty.push(wasDirty);
    this.#indexOf.set(lpn, index);
  }

  /** Index of the page's image; it must have one (LPN_SAVED). */
  find(lpn: number): number {
    return this.#indexOf.get(lpn) ?? -1;
  }

  /** Views in which image `index` begins at {@link startOf}. */
  viewsOf(index: number): PageViews {
    const beyond = index - this.#regionPages;
    return beyond < 0 ? this.#region : this.#chunks[Math.floor(beyond / CHUNK_PAGES)]!;
  }

  startOf(index: number): number {
    const beyond = index - this.#regionPages;
    return (beyond < 0 ? index : beyond % CHUNK_PAGES) * this.#pageBytes;
  }

  /** Whether the page was dirty at the freeze (else: a clean inner page). */
  wasDirty(index: number): boolean {
    return this.#wasDirty[index]!;
  }

  clear(): void {
    this.#lpns.length = 0;
    this.#wasDirty.length = 0;
    this.#indexOf.clear();
    this.#chunks.length = 0;
  }

  #viewsOver(buffer: ArrayBufferLike): PageViews {
    return { pageBytes: this.#pageBytes, u8: new Uint8Array(buffer), u16: new Uint16Array(buffer), u32: new Uint32Array(buffer) };
  }
}
