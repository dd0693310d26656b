/**
 * What keeps derived data in step with the data it is derived from, whoever writes it.
 *
 * A maintainer owns a subtree of the application's keyspace and a range of keyspace 3. It is told of every change of a leaf below its
 * prefix, inside the commit that makes the change, on every route: put, batch, transact, deleteTree, putTree, increment, import. What it
 * writes is part of that commit. Secondary indexes (model/index) are the first of them; layers bring others.
 *
 * Invariants
 * - Changes are told in the order in which they are made, each after its leaf was written. What was told before is in the state that
 *   `DerivedWrites` reads; `before` and `after` are the change itself.
 * - `before` and whatever is read joins the read set of the transaction, so what is derived is derived from what holds at the commit.
 * - A maintainer that throws refuses the write: nothing of the commit is written.
 * - What is declared is persisted with kind and format. A program without a maintainer of that kind and format still reads, and is
 *   refused writes below its prefix: `denied` MAINTAINER_MISSING.
 *
 * A file of interfaces only. Specification: spec/policies.md, "Maintainers".
 */

import type { Entry, KeyRange, ScanRange } from '../txn/types.ts';
import type { Value } from './value/types.ts';

/** One leaf, from what it was to what it is. Read it during the call only: the caller may use it again. */
export interface LeafChange {
  /** The whole key, keyspace byte first. */
  readonly key: Uint8Array;
  /** Encoded value; undefined: was not there, or had expired. */
  readonly before: Uint8Array | undefined;
  /** Encoded value; undefined: deleted. */
  readonly after: Uint8Array | undefined;
  /** ms since the epoch, 0 = never. A ttl has been made absolute: the leaf expires at just this time. */
  readonly beforeExpiresAt: number;
  readonly afterExpiresAt: number;
}

/** The commit being made, as a maintainer sees it: what lies there, with what the commit wrote so far. */
export interface DerivedWrites {
  /** The time of the view: what expires at or before it is gone. */
  readonly timeMs: number;
  read(key: Uint8Array): Uint8Array | undefined;
  entry(key: Uint8Array): Entry | undefined;
  scan(range: ScanRange): Iterable<Entry>;
  /** `expiresAt` in ms since the epoch, 0 = never. */
  put(key: Uint8Array, value: Uint8Array, expiresAt: number): void;
  delete(key: Uint8Array): void;
  /**
   * Runs `check` when all changes are made and before anything is committed: for conditions that hold of the whole and not of every step.
   * What it throws refuses the commit. It writes nothing.
   */
  atCommit(check: (writes: DerivedWrites) => void): void;
}

export interface Maintainer {
  readonly kind: string;
  /** The key below which it is told of changes. */
  readonly prefix: Uint8Array;
  derive(change: LeafChange, writes: DerivedWrites): void;
  /**
   * Derived keys that go when all of `prefixKey`, which lies at or above `prefix`, is deleted: the caller deletes them in the same commit and
   * need not tell of the leaves.
   */
  derivedRanges(prefixKey: Uint8Array): readonly Required<KeyRange>[];
}

/** What is persisted of a maintainer. */
export interface MaintainerRecord {
  readonly kind: string;
  /** Version of what it writes. */
  readonly format: number;
  /** Number of its derived keys, which begin with the byte 3 and this as a varint. From 1, never used twice. */
  readonly id: number;
  /** Unique among those of its kind at the prefix. While one is built anew there are two. */
  readonly name: string;
  /** The key of the subtree it was declared at. */
  readonly prefix: Uint8Array;
  readonly definition: Value;
  /** `building`: told of changes, not complete yet. `dropping`: its keys are being deleted, it is told nothing. */
  readonly state: 'building' | 'ready' | 'dropping';
}

/** What a program registers when it opens a database: how to make the maintainers of a kind. */
export interface MaintainerFactory {
  readonly kind: string;
  /** Records of another format are not opened. */
  readonly format: number;
  /** One maintainer for all records of the kind at a prefix, those being dropped left out. @throws {SteleError} when a definition is none of this kind */
  open(prefix: Uint8Array, records: readonly MaintainerRecord[]): BuildableMaintainer;
}

/** A maintainer that can be declared over data that is there already. */
export interface BuildableMaintainer extends Maintainer {
  /**
   * Derives, for the declaration with this id, what belongs to the data from `after` on (a key; undefined: from the beginning), for
   * `recordsMax` pieces of data at most. Gives where to go on, or undefined when it is complete. Told twice of the same data it writes the same.
   */
  build(id: number, after: Uint8Array | undefined, recordsMax: number, writes: DerivedWrites): Uint8Array | undefined;
}
