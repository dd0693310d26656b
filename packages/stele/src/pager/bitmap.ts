/**
 * Bitmap of pages: bit p says page p. Grows as asked, zero beyond its end.
 *
 * Word w holds pages 32 w … 32 w + 31, lowest bit first, so the little-endian bytes of the words are the stored form
 * (spec/file-format.md, "Used pages").
 *
 * Invariants
 * - Bits past the last word are 0; `has` beyond the end is false.
 * - Sizes are bounded by the caller: a page id here was checked against the file's size.
 */

/** See the head of the file. */
export class Bitmap {
  words: Uint32Array;

  constructor(pages = 0) {
    this.words = new Uint32Array((pages + 31) >>> 5);
  }

  has(page: number): boolean {
    const word = this.words[Math.floor(page / 32)];
    return word !== undefined && (word & (1 << (page & 31))) !== 0;
  }

  set(page: number): void {
    const at = Math.floor(page / 32);
    if (at >= this.words.length) this.#grow(at + 1);
    this.words[at] = this.words[at]! | (1 << (page & 31));
  }

  clear(page: number): void {
    const at = Math.floor(page / 32);
    if (at < this.words.length) this.words[at] = this.words[at]! & ~(1 << (page & 31));
  }

  setRun(first: number, count: number): void {
    for (let page = first; page < first + count; page++) this.set(page);
  }

  clearRun(first: number, count: number): void {
    for (let page = first; page < first + count; page++) this.clear(page);
  }

  /** Adds every page of `other`. */
  unite(other: Bitmap): void {
    const theirs = other.words;
    if (theirs.length > this.words.length) this.#grow(theirs.length);
    const ours = this.words;
    for (let i = 0; i < theirs.length; i++) ours[i] = ours[i]! | theirs[i]!;
  }

  clone(): Bitmap {
    const copy = new Bitmap();
    copy.words = this.words.slice();
    return copy;
  }

  /** Number of pages in it. */
  count(): number {
    let total = 0;
    for (const word of this.words) total += ones(word);
    return total;
  }

  /** One more than the highest page in it; 0 when empty. */
  end(): number {
    for (let i = this.words.length - 1; i >= 0; i--) {
      const word = this.words[i]!;
      if (word !== 0) return 32 * i + 32 - Math.clz32(word);
    }
    return 0;
  }

  /** First page at or after `from` that is absent; may lie past the end. */
  nextClear(from: number): number {
    return this.#next(from, 0xffff_ffff);
  }

  /** First page at or after `from` that is present, or `limit` when there is none before it. */
  nextSet(from: number, limit: number): number {
    const end = this.words.length * 32;
    if (from >= end) return limit;
    const page = this.#next(from, 0);
    return page >= end ? limit : Math.min(page, limit);
  }

  /** Stored form, without the zero bytes at the end. */
  encode(): Uint8Array {
    const bytes = new Uint8Array(Math.ceil(this.end() / 8));
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.words[i >>> 2]! >>> (8 * (i & 3));
    return bytes;
  }

  static decode(bytes: Uint8Array): Bitmap {
    const bitmap = new Bitmap(bytes.length * 8);
    for (let i = 0; i < bytes.length; i++) bitmap.words[i >>> 2] = bitmap.words[i >>> 2]! | (bytes[i]! << (8 * (i & 3)));
    return bitmap;
  }

  /** First page at or after `from` whose bit differs from those of `skip` (all ones or all zeros). */
  #next(from: number, skip: number): number {
    let at = Math.floor(from / 32);
    if (at >= this.words.length) return from;
    // Bits below `from` are made equal to the ones skipped.
    let different = ((this.words[at]! ^ skip) & (-1 << (from & 31))) >>> 0;
    while (different === 0) {
      if (++at >= this.words.length) return 32 * this.words.length;
      different = (this.words[at]! ^ skip) >>> 0;
    }
    return 32 * at + 31 - Math.clz32(different & -different);
  }

  #grow(words: number): void {
    const grown = new Uint32Array(Math.max(words, Math.ceil(this.words.length * 1.25)));
    grown.set(this.words);
    this.words = grown;
  }
}

/** Bits set in a 32-bit word. */
function ones(word: number): number {
  let n = word - ((word >>> 1) & 0x5555_5555);
  n = (n & 0x3333_3333) + ((n >>> 2) & 0x3333_3333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
