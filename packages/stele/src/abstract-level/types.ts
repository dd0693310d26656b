/**
 * What the adapter takes and gives beyond the interface of abstract-level.
 *
 * A file of interfaces only. Specification: docs/abstract-level.md.
 */

import type { AbstractChainedBatch, AbstractChainedBatchWriteOptions, AbstractDatabaseOptions } from 'abstract-level';
import type { Bucket, Durability, OpenOptions, Reading } from '../model/types.ts';

/** What keys and values are inside: a `string` is its UTF-8. */
export type Format = string | Buffer | Uint8Array;

/** A database or a subtree of one, whatever its values are. A snapshot is none: it has nothing to watch. */
export type AnyBucket = Reading<unknown> & Pick<Bucket, 'watch'>;

/** Options of abstract-level, and of `open`: where the data is, how it is kept. One of `storage`, `host` and `subtree` when no directory is named. */
export interface SteleLevelOptions<K, V> extends AbstractDatabaseOptions<K, V>, OpenOptions {
  /** A subtree of an open database, or a database. It stays open when the level is closed, and takes no options of `open`. */
  readonly subtree?: AnyBucket;
}

/** Of `put`, `del`, `batch`, `write` and `clear`. */
export interface LevelCommitOptions {
  /** The strongest of database, subtree and call holds. */
  readonly durability?: Durability;
  /** As in classic-level: true is `durability: 'immediate'`, false says nothing. */
  readonly sync?: boolean;
}

export interface ChainedBatch<TDatabase, KDefault, VDefault> extends AbstractChainedBatch<TDatabase, KDefault, VDefault> {
  write(): Promise<void>;
  write(options: AbstractChainedBatchWriteOptions & LevelCommitOptions): Promise<void>;
}
