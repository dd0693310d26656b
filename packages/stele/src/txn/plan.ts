/**
 * Plan: what the effects of a commit will take and supersede, as columns that are used again.
 *
 * Made before anything is refused or written, read while the record is encoded and while the tree is changed. An object for each effect
 * was tried: alive from the first look to the last, they made V8's young generation grow to tens of MiB under a bulk load.
 *
 * Limits: columns for more than {@link KEPT_ROWS} effects are let go after the commit.
 */

import type { CarriedVersion } from './encoder.ts';

const KEPT_ROWS = 4096;

/** The superseded version stays reachable. */
const IS_KEPT = 1;
/** The record needs more of the superseded entry than its address. */
const NEEDS_OLD = 2;
/** The superseded version is stored in the record that superseded it. */
const IS_CARRIED = 4;

export class Plan {
  /** Rows: effects that change something. */
  count = 0;
  /** Bound of all rows in the record. */
  bytesTotal = 0;
  #rows = 0;
  /** By row: place in the list of effects, bound in the record, expiry, address of what is superseded. */
  index = new Uint32Array(0);
  bytes = new Uint32Array(0);
  expiresAt = new Float64Array(0);
  addressCommit = new Float64Array(0);
  addressOrdinal = new Uint32Array(0);
  #flags = new Uint8Array(0);
  /** By row; few have any. */
  readonly carried = new Map<number, CarriedVersion>();

  begin(rows: number): void {
    this.count = 0;
    this.bytesTotal = 0;
    if (this.carried.size > 0) this.carried.clear();
    if (rows > this.#rows) this.#resize(Math.max(rows, 64));
  }

  add(
    index: number,
    bytes: number,
    expiresAt: number,
    isKept: boolean,
    needsOld: boolean,
    addressCommit: number,
    addressOrdinal: number,
    carried: CarriedVersion | undefined,
  ): void {
    const row = this.count++;
    this.index[row] = index;
    this.bytes[row] = bytes;
    this.bytesTotal += bytes;
    this.expiresAt[row] = expiresAt;
    this.addressCommit[row] = addressCommit;
    this.addressOrdinal[row] = addressOrdinal;
    this.#flags[row] = (isKept ? IS_KEPT : 0) | (needsOld ? NEEDS_OLD : 0);
    if (carried !== undefined) this.carried.set(row, carried);
  }

  isKept(row: number): boolean {
    return (this.#flags[row]! & IS_KEPT) !== 0;
  }

  needsOld(row: number): boolean {
    return (this.#flags[row]! & NEEDS_OLD) !== 0;
  }

  isCarried(row: number): boolean {
    return (this.#flags[row]! & IS_CARRIED) !== 0;
  }

  /** Where the superseded version is from now on. */
  setAddress(row: number, commit: number, ordinal: number, isCarried: boolean): void {
    this.addressCommit[row] = commit;
    this.addressOrdinal[row] = ordinal;
    if (isCarried) this.#flags[row]! |= IS_CARRIED;
  }

  /** The commit is done with it. */
  end(): void {
    this.count = 0;
    if (this.#rows > KEPT_ROWS) this.#resize(0);
    if (this.carried.size > 0) this.carried.clear();
  }

  #resize(rows: number): void {
    this.#rows = rows;
    this.index = new Uint32Array(rows);
    this.bytes = new Uint32Array(rows);
    this.expiresAt = new Float64Array(rows);
    this.addressCommit = new Float64Array(rows);
    this.addressOrdinal = new Uint32Array(rows);
    this.#flags = new Uint8Array(rows);
  }
}
