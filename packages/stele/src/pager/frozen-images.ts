/**
 * Saved images: copies of frozen pages that were changed or released before a running flush had written them.
 *
 * They lie outside the frames (making room in the frames would evict what tree code is standing on), in chunks; some are
 * kept between flushes (fresh memory costs several times the copy). Bounded by the pages frozen.
 */

import type { PageViews } from './page-check.ts';

const CHUNK_PAGES = 64;

/** See the head of the file. */
export class FrozenImages {
  readonly #pageBytes: number;
  readonly #chunks: PageViews[] = [];
  readonly #lpns: number[] = [];
  readonly #wasDirty: boolean[] = [];
  readonly #indexOf = new Map<number, number>();

  readonly #chunksKept: number;

  /** @param pagesKept memory for so many images stays between flushes. */
  constructor(pageBytes: number, pagesKept: number) {
    this.#pageBytes = pageBytes;
    this.#chunksKept = Math.max(1, Math.floor(pagesKept / CHUNK_PAGES));
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
    const chunk = this.#chunks[Math.floor(index / CHUNK_PAGES)] ?? this.#addChunk();
    chunk.u8.set(source.subarray(start, start + this.#pageBytes), this.startOf(index));
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
    return this.#chunks[Math.floor(index / CHUNK_PAGES)]!;
  }

  startOf(index: number): number {
    return (index % CHUNK_PAGES) * this.#pageBytes;
  }

  /** Whether the page was dirty at the freeze (else: a clean inner page). */
  wasDirty(index: number): boolean {
    return this.#wasDirty[index]!;
  }

  clear(): void {
    this.#lpns.length = 0;
    this.#wasDirty.length = 0;
    this.#indexOf.clear();
    if (this.#chunks.length > this.#chunksKept) this.#chunks.length = this.#chunksKept;
  }

  #addChunk(): PageViews {
    const u8 = new Uint8Array(CHUNK_PAGES * this.#pageBytes);
    const chunk = { pageBytes: this.#pageBytes, u8, u16: new Uint16Array(u8.buffer), u32: new Uint32Array(u8.buffer) };
    this.#chunks.push(chunk);
    return chunk;
  }
}
