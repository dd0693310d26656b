/**
 * Root of an RFC 6962 Merkle tree over leaves that come one after another.
 *
 * Kept are the roots of the perfect subtrees of what was pushed, at most one per height; the root folds them from the
 * right, which splits at the largest power of two below the size, as the RFC wants. No allocation per leaf.
 *
 * Specification: RFC 6962 section 2.1; spec/log-format.md, "Commit header".
 */

import type { Hashing } from '../host/host.ts';

const HASH_BYTES = 32;
const HEIGHTS = 48;

export class MerkleRoot {
  /** Leaves pushed. */
  size = 0;
  readonly #hashing: Hashing;
  /** Hash of the perfect subtree of height h at 32 · h; valid where `size` has bit h. */
  readonly #peaks = new Uint8Array(HEIGHTS * HASH_BYTES);
  /** 0x01, left, right. */
  readonly #node = new Uint8Array(1 + 2 * HASH_BYTES);

  constructor(hashing: Hashing) {
    this.#hashing = hashing;
    this.#node[0] = 1;
  }

  reset(): void {
    this.size = 0;
  }

  /** Adds the leaf hash at `bytes[at, at + 32)`. */
  push(bytes: Uint8Array, at: number): void {
    const node = this.#node;
    node.set(bytes.subarray(at, at + HASH_BYTES), 1 + HASH_BYTES);
    let height = 0;
    for (let rest = this.size; rest % 2 === 1; rest = (rest - 1) / 2) {
      node.set(this.#peak(height), 1);
      this.#hashing.sha256Into(node, 0, node.length, node, 1 + HASH_BYTES);
      height++;
    }
    this.#peaks.set(node.subarray(1 + HASH_BYTES), height * HASH_BYTES);
    this.size++;
  }

  /** Writes the root to `target[at, at + 32)`; of no leaves: SHA-256 of nothing. */
  root(target: Uint8Array, at: number): void {
    if (this.size === 0) {
      this.#hashing.sha256Into(this.#node, 0, 0, target, at);
      return;
    }
    const node = this.#node;
    let isFirst = true;
    for (let height = 0, rest = this.size; rest > 0; height++, rest = Math.floor(rest / 2)) {
      if (rest % 2 === 0) continue;
      if (isFirst) node.set(this.#peak(height), 1 + HASH_BYTES);
      else {
        node.set(this.#peak(height), 1);
        this.#hashing.sha256Into(node, 0, node.length, node, 1 + HASH_BYTES);
      }
      isFirst = false;
    }
    target.set(node.subarray(1 + HASH_BYTES), at);
  }

  #peak(height: number): Uint8Array {
    return this.#peaks.subarray(height * HASH_BYTES, (height + 1) * HASH_BYTES);
  }
}
