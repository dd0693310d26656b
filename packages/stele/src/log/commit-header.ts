/**
 * Commit header, version 1: the 115 bytes that stand for a commit in proofs. A wire format: integers big-endian.
 *
 *   offset  bytes  field
 *        0      1  version, 1
 *        1      1  algorithms, 1 (SHA-256, RFC 6962 trees)
 *        2      1  kind, 1 (commit)
 *        3     16  database id
 *       19      8  commit number
 *       27      8  recorded time, ms
 *       35      8  origin, truncated; zero = here
 *       43      8  number at the origin; zero = here
 *       51     32  opsRoot: over the operations, in their order
 *       83     32  metaRoot: over asserted time and meta chunks
 *
 * Leaf i of a tree = SHA-256(0x00 ‖ salt i ‖ content), salt i = SHA-256(secret ‖ "op" or "meta" ‖ commit u64 ‖ i u32), secret = that of
 * the segment that holds the operation's record (meta: the first record).
 *   put:    0x01 ‖ key length u32 ‖ key ‖ expiresAt u64 (0 = never) ‖ value length u32 ‖ value
 *   delete: 0x02 ‖ key length u32 ‖ key
 *   meta:   0x01 ‖ asserted time u64 (first leaf, only when there is one)   0x02 ‖ chunk
 *
 * Addresses, version tables and carried versions are in no leaf: the hashes are the same on every copy.
 *
 * Specification: spec/log-format.md, "Commit header".
 */

import { copyBytes, writeU32BE, writeU64BE } from '../base/bytes.ts';
import type { Hashing } from '../host/host.ts';
import { MerkleRoot } from './merkle.ts';

export const COMMIT_HEADER_BYTES = 115;

const OP = Uint8Array.of(0x6f, 0x70);
const META = Uint8Array.of(0x6d, 0x65, 0x74, 0x61);
/** 0x00 and salt. */
const PREFIX_BYTES = 33;

/** Collects a commit's leaves and writes its header. One object serves many commits. */
export class HeaderBuilder {
  /** Where `operation` wants the value: fill `leaf[valueAt, valueAt + length)` before calling `seal`. */
  leaf = new Uint8Array(4096);
  valueAt = 0;
  readonly #hashing: Hashing;
  readonly #databaseId: Uint8Array;
  readonly #operations: MerkleRoot;
  readonly #meta: MerkleRoot;
  readonly #salted = new Uint8Array(32 + 4 + 12);
  readonly #hash = new Uint8Array(32);
  #commit = 0;
  #end = 0;

  constructor(hashing: Hashing, databaseId: Uint8Array) {
    this.#hashing = hashing;
    this.#databaseId = databaseId;
    this.#operations = new MerkleRoot(hashing);
    this.#meta = new MerkleRoot(hashing);
  }

  begin(commit: number): void {
    this.#commit = commit;
    this.#operations.reset();
    this.#meta.reset();
  }

  assertedTime(secret: Uint8Array, timeMs: number): void {
    this.#room(9);
    this.leaf[PREFIX_BYTES] = 1;
    writeU64BE(this.leaf, PREFIX_BYTES + 1, timeMs);
    this.#push(this.#meta, secret, META, PREFIX_BYTES + 9);
  }

  metaChunk(secret: Uint8Array, chunk: Uint8Array): void {
    this.#room(1 + chunk.length);
    this.leaf[PREFIX_BYTES] = 2;
    copyBytes(chunk, 0, chunk.length, this.leaf, PREFIX_BYTES + 1);
    this.#push(this.#meta, secret, META, PREFIX_BYTES + 1 + chunk.length);
  }

  /** Begins the next operation's leaf; a put's value goes to `leaf` at `valueAt`. Then `seal`. */
  operation(isDelete: boolean, key: Uint8Array, keyStart: number, keyEnd: number, expiresAt: number, valueBytes: number): void {
    const keyBytes = keyEnd - keyStart;
    this.#room(1 + 4 + keyBytes + 12 + valueBytes);
    const { leaf } = this;
    let at = PREFIX_BYTES;
    leaf[at] = isDelete ? 2 : 1;
    writeU32BE(leaf, at + 1, keyBytes);
    copyBytes(key, keyStart, keyEnd, leaf, at + 5);
    at += 5 + keyBytes;
    if (!isDelete) {
      writeU64BE(leaf, at, expiresAt);
      writeU32BE(leaf, at + 8, valueBytes);
      at += 12;
    }
    this.valueAt = at;
    this.#end = at + (isDelete ? 0 : valueBytes);
  }

  seal(secret: Uint8Array): void {
    this.#push(this.#operations, secret, OP, this.#end);
  }

  /** Writes the header to `target[at, at + 115)`. */
  finish(timeMs: number, target: Uint8Array, at: number): void {
    target.fill(0, at, at + COMMIT_HEADER_BYTES);
    target.fill(1, at, at + 3);
    copyBytes(this.#databaseId, 0, 16, target, at + 3);
    writeU64BE(target, at + 19, this.#commit);
    writeU64BE(target, at + 27, timeMs);
    this.#operations.root(target, at + 51);
    this.#meta.root(target, at + 83);
  }

  #push(tree: MerkleRoot, secret: Uint8Array, label: Uint8Array, end: number): void {
    const salted = this.#salted;
    const at = 32 + label.length;
    copyBytes(secret, 0, 32, salted, 0);
    copyBytes(label, 0, label.length, salted, 32);
    writeU64BE(salted, at, this.#commit);
    writeU32BE(salted, at + 8, tree.size);
    this.leaf[0] = 0;
    this.#hashing.sha256Into(salted, 0, at + 12, this.leaf, 1);
    this.#hashing.sha256Into(this.leaf, 0, end, this.#hash, 0);
    tree.push(this.#hash, 0);
  }

  #room(bytes: number): void {
    const need = PREFIX_BYTES + bytes;
    if (this.leaf.length < need) this.leaf = new Uint8Array(Math.max(need, Math.min(2 * this.leaf.length, 1024 * 1024)));
    else if (this.leaf.length > 1024 * 1024 && need <= 4096) this.leaf = new Uint8Array(4096);
  }
}
