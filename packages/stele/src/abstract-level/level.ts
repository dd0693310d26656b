/**
 * SteleLevel: the interface of abstract-level over a directory, or over a subtree of an open database.
 *
 * The public methods come from abstract-level; here stands what it asks of an implementation. Keys and values come in as text, Buffer or
 * Uint8Array and are encoded once, into the stored form.
 *
 * Invariants
 * - A read sees one view: that of its snapshot, or of the moment it begins.
 * - What fails is an error with a LEVEL_ code, with the SteleError as its cause.
 *
 * Limits: of paths for keys (keys.ts), 64 MiB for values. Specification: docs/abstract-level.md.
 */

import {
  type AbstractBatchOperation,
  type AbstractBatchOptions,
  type AbstractClearOptions,
  type AbstractDelOptions,
  AbstractLevel,
  type AbstractPutOptions,
  type AbstractSnapshot,
} from 'abstract-level';
import type { PlacedBucket } from '../model/bucket.ts';
import type { Bucket, Database } from '../model/types.ts';
import { Base, type ClearOptions, type LevelOperation } from './base.ts';
import { levelError, rethrow } from './errors.ts';
import { EntryIterator, entryMaker, KeyIterator, ValueIterator, valueMaker } from './iterators.ts';
import type { Bounds } from './keys.ts';
import { checkShared, type LevelOpenOptions, openOwn, type Target, targetOf } from './open.ts';
import { LevelSnapshot } from './snapshot.ts';
import type { ChainedBatch, Format, LevelCommitOptions, SteleLevelOptions } from './types.ts';
import { type MakeItem, Walk } from './walk.ts';

/** Of the reads abstract-level asks for: encodings are names of formats. */
interface ReadOptions {
  readonly keyEncoding: string;
  readonly valueEncoding: string;
  readonly snapshot?: unknown;
}

interface WalkOptions extends ReadOptions, Bounds {
  readonly reverse: boolean;
  readonly keys?: boolean;
  readonly values?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * A database for programs that speak abstract-level.
 *
 * @example
 * const level = new SteleLevel('./data', { valueEncoding: 'json' });
 * await level.put('ada', { born: 1815 });
 *
 * @example
 * const db = await open('./data');
 * const level = new SteleLevel({ subtree: db.subtree('level') });
 */
export class SteleLevel<KDefault = string, VDefault = string> extends AbstractLevel<Format, KDefault, VDefault> {
  readonly #target: Target;
  /** While it is open. */
  #base: Base | undefined;
  #database: Database | undefined;

  /**
   * @param target A directory, made when missing; or options with one of `storage`, `host` and `subtree`.
   * @throws {SteleError} `invalid` OPTION_INVALID; what is wrong with an option of `open` is told when it is opened
   */
  constructor(target: string | SteleLevelOptions<KDefault, VDefault>, options?: SteleLevelOptions<KDefault, VDefault>) {
    const { target: own, rest } = targetOf(target, options);
    const isOwn = own.kind === 'own';
    const storage = isOwn ? own.storage : own.bucket.store.host.storage;
    const manifest = {
      encodings: { utf8: true, buffer: true, view: true },
      has: true,
      getSync: true,
      implicitSnapshots: true,
      explicitSnapshots: true,
      createIfMissing: isOwn,
      errorIfExists: isOwn,
      permanence: typeof storage === 'string' || storage.kind !== 'memory',
      signals: { iterators: true },
    };
    super(manifest, rest);
    this.#target = own;
  }

  /** The database that was opened for this level: its time, its backups, its figures. Undefined while it is closed, and of a subtree. */
  get db(): Database | undefined {
    return this.#database;
  }

  /** Where the keys lie, for the calls of the database itself: a key is a path of one bytes segment. Undefined while it is closed. */
  get bucket(): Bucket<unknown> | undefined {
    return this.#base?.bucket;
  }

  // ---- what a call may say beyond abstract-level

  override put(key: KDefault, value: VDefault): Promise<void>;
  override put<K = KDefault, V = VDefault>(key: K, value: V, options: AbstractPutOptions<K, V> & LevelCommitOptions): Promise<void>;
  override put(key: KDefault, value: VDefault, options?: AbstractPutOptions<KDefault, VDefault>): Promise<void> {
    return super.put(key, value, options!);
  }

  override del(key: KDefault): Promise<void>;
  override del<K = KDefault>(key: K, options: AbstractDelOptions<K> & LevelCommitOptions): Promise<void>;
  override del(key: KDefault, options?: AbstractDelOptions<KDefault>): Promise<void> {
    return super.del(key, options!);
  }

  override batch(operations: AbstractBatchOperation<this, KDefault, VDefault>[]): Promise<void>;
  override batch<K = KDefault, V = VDefault>(
    operations: AbstractBatchOperation<this, K, V>[],
    options: AbstractBatchOptions<K, V> & LevelCommitOptions,
  ): Promise<void>;
  override batch(): ChainedBatch<this, KDefault, VDefault>;
  override batch(
    operations?: AbstractBatchOperation<this, KDefault, VDefault>[],
    options?: AbstractBatchOptions<KDefault, VDefault>,
  ): Promise<void> | ChainedBatch<this, KDefault, VDefault> {
    // biome-ignore lint/complexity/noArguments: without arguments it is a chained batch; with undefined it is a mistake
    return arguments.length === 0 ? super.batch() : super.batch(operations!, options!);
  }

  override clear(): Promise<void>;
  override clear<K = KDefault>(options: AbstractClearOptions<K> & LevelCommitOptions): Promise<void>;
  override clear(options?: AbstractClearOptions<KDefault>): Promise<void> {
    return super.clear(options!);
  }

  // ---- life

  async _open(options: LevelOpenOptions): Promise<void> {
    try {
      const target = this.#target;
      if (target.kind === 'shared') {
        checkShared(options);
        this.#base = new Base(target.bucket);
        return;
      }
      this.#database = openOwn(target, options);
      this.#base = new Base(this.#database as Database & PlacedBucket<unknown>);
    } catch (error) {
      throw levelError(error);
    }
  }

  async _close(): Promise<void> {
    try {
      await this.#database?.close();
    } catch (error) {
      throw levelError(error);
    }
    this.#database = undefined;
    this.#base = undefined;
  }

  // ---- reading

  async _get(key: Format, options: ReadOptions): Promise<Format | undefined> {
    try {
      return await this.#base!.get(key, options.valueEncoding, options.snapshot);
    } catch (error) {
      throw levelError(error);
    }
  }

  _getSync(key: Format, options: ReadOptions): Format | undefined {
    try {
      const base = this.#base!;
      return base.getSync(key, base.values.decoder(options.valueEncoding), options.snapshot);
    } catch (error) {
      throw levelError(error);
    }
  }

  async _getMany(keys: Format[], options: ReadOptions): Promise<(Format | undefined)[]> {
    try {
      return await this.#base!.getMany(keys, options.valueEncoding, options.snapshot);
    } catch (error) {
      throw levelError(error);
    }
  }

  async _has(key: Format, options: ReadOptions): Promise<boolean> {
    try {
      return this.#base!.has(key, options.snapshot);
    } catch (error) {
      throw levelError(error);
    }
  }

  async _hasMany(keys: Format[], options: ReadOptions): Promise<boolean[]> {
    try {
      const base = this.#base!;
      return keys.map((key) => base.has(key, options.snapshot));
    } catch (error) {
      throw levelError(error);
    }
  }

  // ---- writing

  async _put(key: Format, value: Format, options: LevelCommitOptions): Promise<void> {
    try {
      await this.#base!.put(key, value, options);
    } catch (error) {
      throw levelError(error);
    }
  }

  async _del(key: Format, options: LevelCommitOptions): Promise<void> {
    try {
      await this.#base!.delete(key, options);
    } catch (error) {
      throw levelError(error);
    }
  }

  async _batch(operations: LevelOperation[], options: LevelCommitOptions): Promise<void> {
    try {
      await this.#base!.batch(operations, options);
    } catch (error) {
      throw levelError(error);
    }
  }

  async _clear(options: ClearOptions): Promise<void> {
    return this.#base!.clear(options).catch(rethrow);
  }

  // ---- walking

  _iterator(options: WalkOptions): EntryIterator<this, KDefault, VDefault> {
    const { keys, values } = this.#base!;
    const decodeKey = options.keys === false ? undefined : keys.decoder(options.keyEncoding);
    const decodeValue = options.values === false ? undefined : values.decoder(options.valueEncoding);
    return new EntryIterator(
      this,
      options as object,
      this.#walk(options, decodeValue !== undefined, entryMaker(decodeKey, decodeValue, keys.isKey)),
    );
  }

  _keys(options: WalkOptions): KeyIterator<this, KDefault> {
    return new KeyIterator(this, options as object, this.#walk(options, false, this.#base!.keys.decoder(options.keyEncoding)));
  }

  _values(options: WalkOptions): ValueIterator<this, KDefault, VDefault> {
    const { keys, values } = this.#base!;
    return new ValueIterator(
      this,
      options as object,
      this.#walk(options, true, valueMaker(values.decoder(options.valueEncoding), keys.isKey)),
    );
  }

  #walk<T>(options: WalkOptions, withValues: boolean, make: MakeItem<T>): Walk<T> {
    try {
      const base = this.#base!;
      const { reverse, signal } = options;
      const { timers } = base.store.host;
      const view = base.viewOf(options.snapshot);
      return new Walk(
        base.keys,
        () => base.open(),
        { ...base.keys.range(options), reverse, values: withValues, view, signal, timers },
        make,
      );
    } catch (error) {
      throw levelError(error);
    }
  }

  _snapshot(options: { readonly owner: object }): AbstractSnapshot {
    try {
      return new LevelSnapshot(this.#base!, options);
    } catch (error) {
      throw levelError(error);
    }
  }
}
