/**
 * The bytes of one in-memory file: sparse blocks, copied on write after a fork.
 *
 * Invariants
 * - A missing block reads as zeros and takes no space; bytes of a block at or past `size` are zero.
 * - After `fork()` both sides share every block; whoever writes first copies that block.
 *
 * Positions may exceed 2^31: block numbers are computed by division.
 *
 * Specification: spec/host.md, "Memory host".
 */

/** Bytes of one block. */
export const BLOCK_BYTES = 4096;

/** Sparse copy-on-write bytes. Callers check ranges. */
export class Blocks {
  size = 0;
  /** Blocks that take space, shared or not. */
  blockCount = 0;
  #blocks: (Uint8Array | undefined)[] = [];
  /** 1 where the block is ours alone. */
  #owned = new Uint8Array(16);
  readonly #skipsZeros: boolean;

  /** `skipsZeros`: zeros written where nothing is take no space either. A disk that can fill up does not do that: written is reserved. */
  constructor(skipsZeros = false) {
    this.#skipsZeros = skipsZeros;
  }

  /** Bytes copied: fewer than `length` only at the end of the file. */
  read(target: Uint8Array, start: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.size - position));
    for (let done = 0; done < count; ) {
      const number = Math.floor((position + done) / BLOCK_BYTES);
      const inside = position + done - number * BLOCK_BYTES;
      const step = Math.min(BLOCK_BYTES - inside, count - done);
      const block = this.#blocks[number];
      if (block === undefined) target.fill(0, start + done, start + done + step);
      else if (step < 48) for (let i = 0; i < step; i++) target[start + done + i] = block[inside + i]!;
      else target.set(block.subarray(inside, inside + step), start + done);
      done += step;
    }
    return count;
  }

  /** Writes all, growing the file; a gap reads as zeros. */
  write(source: Uint8Array, start: number, length: number, position: number): void {
    for (let done = 0; done < length; ) {
      const number = Math.floor((position + done) / BLOCK_BYTES);
      const inside = position + done - number * BLOCK_BYTES;
      const step = Math.min(BLOCK_BYTES - inside, length - done);
      if (this.#skipsZeros && this.#blocks[number] === undefined && areZeros(source, start + done, start + done + step)) {
        done += step;
        continue;
      }
      const block = this.#own(number, step === BLOCK_BYTES);
      if (step < 48) for (let i = 0; i < step; i++) block[inside + i] = source[start + done + i]!;
      else block.set(source.subarray(start + done, start + done + step), inside);
      done += step;
    }
    if (length > 0 && position + length > this.size) this.size = position + length;
  }

  /** Blocks that `write` of this range would newly take. */
  missingBlocks(position: number, length: number): number {
    let count = 0;
    const last = Math.floor((position + length - 1) / BLOCK_BYTES);
    for (let number = Math.floor(position / BLOCK_BYTES); number <= last; number++) {
      if (this.#blocks[number] === undefined) count++;
    }
    return length === 0 ? 0 : count;
  }

  /** Grows with zeros that take no space, or cuts. */
  truncate(size: number): void {
    if (size < this.size) {
      const kept = Math.ceil(size / BLOCK_BYTES);
      for (let number = kept; number < this.#blocks.length; number++) {
        if (this.#blocks[number] !== undefined) this.blockCount--;
      }
      if (this.#blocks.length > kept) this.#blocks.length = kept;
      const inside = size % BLOCK_BYTES;
      if (inside !== 0 && this.#blocks[kept - 1] !== undefined) this.#own(kept - 1, false).fill(0, inside);
    }
    this.size = size;
  }

  /** Inverts one bit that lies inside the file. */
  flipBit(position: number, bit: number): void {
    const number = Math.floor(position / BLOCK_BYTES);
    const block = this.#own(number, false);
    block[position - number * BLOCK_BYTES]! ^= 1 << bit;
  }

  /** An independent copy; cost is one array of references. */
  fork(): Blocks {
    const copy = new Blocks(this.#skipsZeros);
    copy.size = this.size;
    copy.blockCount = this.blockCount;
    copy.#blocks = this.#blocks.slice();
    this.#owned.fill(0);
    copy.#owned = new Uint8Array(this.#owned.length);
    return copy;
  }

  #own(number: number, willBeOverwritten: boolean): Uint8Array {
    const present = this.#blocks[number];
    if (present !== undefined && this.#owned[number] === 1) return present;
    const block = new Uint8Array(BLOCK_BYTES);
    if (present === undefined) this.blockCount++;
    else if (!willBeOverwritten) block.set(present);
    while (this.#blocks.length < number) this.#blocks.push(undefined);
    this.#blocks[number] = block;
    if (number >= this.#owned.length) {
      const grown = new Uint8Array(Math.max(number + 1, this.#owned.length * 2));
      grown.set(this.#owned);
      this.#owned = grown;
    }
    this.#owned[number] = 1;
    return block;
  }
}

function areZeros(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0) return false;
  return true;
}
