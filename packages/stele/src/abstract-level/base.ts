/**
 * Base: a level's place in an open database: its reads and writes in the kernel's terms.
 *
 * A write by anybody where nothing is declared goes straight to the kernel: from text into the stored form once. Where a policy holds or the
 * handle carries an identity it is a draft, like every other write there.
 *
 * Invariants
 * - Everything wrong with a request is refused before anything is written. Each call writes one commit or none.
 *
 * Specification: docs/abstract-level.md, "Writing".
 */

import { compareBytes } from '../base/bytes.ts';
import type { PlacedBucket } from '../model/bucket.ts';
import { Draft } from '../model/draft.ts';
import { demand } from '../model/identity.ts';
import type { Store } from '../model/store.ts';
import type { CommitOptions } from '../model/types.ts';
import { COMMIT_OPTIONS, checked, lifetimeOf } from '../model/write-options.ts';
import type { Commit, Operation, Reader, View } from '../txn/types.ts';
import { type Bounds, Keys, type StoredRange } from './keys.ts';
import { LevelSnapshot } from './snapshot.ts';
import type { Format, LevelCommitOptions } from './types.ts';
import { type ValueDecoder, Values } from './values.ts';

/** As abstract-level gives it: encoded. */
export type LevelOperation =
  | { readonly type: 'put'; readonly key: Format; readonly value: Format }
  | { readonly type: 'del'; readonly key: Format };

export interface ClearOptions extends Bounds, LevelCommitOptions {
  readonly reverse: boolean;
  /** −1 for all. */
  readonly limit: number;
  readonly snapshot?: unknown;
}

const UNSAID = lifetimeOf(undefined);

export class Base {
  readonly bucket: PlacedBucket<unknown>;
  readonly store: Store;
  readonly keys: Keys;
  readonly values: Values;

  /** @throws {SteleError} `closed` DATABASE_CLOSED; `invalid` PATH_INVALID when nothing can lie below the place */
  constructor(bucket: PlacedBucket<unknown>) {
    const { store, place } = bucket;
    store.engine.snapshot().close();
    this.bucket = bucket;
    this.store = store;
    this.keys = new Keys(place, store.host.texts);
    this.values = new Values(store.host.texts);
  }

  // ---- reading

  /** What single reads ask. @throws {SteleError} `denied` NOT_PERMITTED */
  #reader(snapshot: unknown): Reader {
    const { who } = this.bucket;
    if (!who.mayRead) demand(who, 'read');
    return this.viewOf(snapshot) ?? this.store.engine;
  }

  /** The view of an option `snapshot`, where there is one. @throws {LevelError} LEVEL_INVALID_REQUEST */
  viewOf(snapshot: unknown): View | undefined {
    return snapshot === undefined || snapshot === null ? undefined : LevelSnapshot.viewOf(snapshot, this.store);
  }

  /** A view of now. @throws {SteleError} `denied` NOT_PERMITTED */
  open(): View {
    demand(this.bucket.who, 'read');
    return this.store.engine.snapshot();
  }

  /** Blocks while a page that is not in memory is read. */
  getSync(key: Format, decode: ValueDecoder, snapshot: unknown): Format | undefined {
    const { keys } = this;
    const keyBytes = keys.encode(key);
    return this.#reader(snapshot).read(keys.scratch, keyBytes, decode);
  }

  /** Never blocks on a cold page; costs a copy and a promise more than {@link getSync}. */
  async get(key: Format, format: string, snapshot: unknown): Promise<Format | undefined> {
    const stored = await this.#reader(snapshot).getAsync(this.keys.stored(key));
    return stored && this.values.taken(stored, format);
  }

  /** As {@link get}; all at one version. */
  async getMany(given: readonly Format[], format: string, snapshot: unknown): Promise<(Format | undefined)[]> {
    const stored = await this.#reader(snapshot).getManyAsync(given.map((key) => this.keys.stored(key)));
    return stored.map((bytes) => bytes && this.values.taken(bytes, format));
  }

  has(key: Format, snapshot: unknown): boolean {
    const { keys } = this;
    const keyBytes = keys.encode(key);
    return this.#reader(snapshot).has(keys.scratch.subarray(0, keyBytes));
  }

  // ---- writing

  put(key: Format, value: Format, options: LevelCommitOptions): Promise<Commit> {
    const { keys, values } = this;
    const commitOptions = commitOptionsOf(options);
    const keyBytes = keys.encode(key);
    const valueBytes = values.encode(value);
    if (!this.#isPlain(keyBytes)) return this.#commit([{ type: 'put', key, value }], commitOptions);
    return this.store.engine.put(keys.scratch.subarray(0, keyBytes), values.bytes.subarray(0, valueBytes), commitOptions);
  }

  delete(key: Format, options: LevelCommitOptions): Promise<Commit> {
    const { keys } = this;
    const commitOptions = commitOptionsOf(options);
    const keyBytes = keys.encode(key);
    if (!this.#isPlain(keyBytes)) return this.#commit([{ type: 'del', key }], commitOptions);
    return this.store.engine.delete(keys.scratch.subarray(0, keyBytes), commitOptions);
  }

  batch(operations: readonly LevelOperation[], options: LevelCommitOptions): Promise<Commit> {
    const commitOptions = commitOptionsOf(options);
    if (!this.#isPlain()) return this.#commit(operations, commitOptions);
    return this.store.engine.batch(
      operations.map((operation) => this.#stored(operation)),
      { ...commitOptions, unbounded: true },
    );
  }

  #stored(operation: LevelOperation): Operation {
    const key = this.keys.stored(operation.key);
    return operation.type === 'put' ? { type: 'put', key, value: this.values.stored(operation.value) } : { type: 'delete', key };
  }

  /** Without limit and snapshot: everything in the range, what lies below its keys too. Else the keys that are met. */
  async clear(options: ClearOptions): Promise<void> {
    const { limit, reverse, snapshot } = options;
    const commitOptions = commitOptionsOf(options);
    const range = this.keys.range(options);
    if (compareBytes(range.start, 0, range.start.length, range.end, 0, range.end.length) >= 0) return;
    if (limit < 0 && (snapshot === undefined || snapshot === null)) {
      if (this.#isPlain()) await this.store.engine.deleteRanges([range], commitOptions);
      else await this.#deleteAll(this.#storedKeys(this.store.engine, range, { reverse, limit, isOwn: () => true }), commitOptions);
      return;
    }
    const met = this.#storedKeys(this.#reader(snapshot), range, { reverse, limit, isOwn: this.keys.isKey });
    if (!this.#isPlain()) await this.#deleteAll(met, commitOptions);
    else if (met.length > 0)
      await this.store.engine.batch(
        met.map((key) => ({ type: 'delete', key })),
        { ...commitOptions, unbounded: true },
      );
  }

  #storedKeys(
    reader: Reader,
    range: StoredRange,
    { reverse, limit, isOwn }: { reverse: boolean; limit: number; isOwn: (bytes: Uint8Array, length: number) => boolean },
  ): Uint8Array[] {
    const met: Uint8Array[] = [];
    reader.forEach({ ...range, reverse, values: false }, (key, keyBytes) => {
      if (isOwn(key, keyBytes)) met.push(key.slice(0, keyBytes));
      return met.length !== limit;
    });
    return met;
  }

  /** Nobody in particular writes, and nothing is declared: for the key in `scratch`, or for all. @throws {SteleError} `denied` NOT_PERMITTED */
  #isPlain(keyBytes?: number): boolean {
    const { who } = this.bucket;
    if (!who.mayWrite) demand(who, 'write');
    const { book } = this.store;
    if (who.meta.length > 0) return false;
    return book.isEmpty || (keyBytes !== undefined && book.find(this.keys.scratch, keyBytes) === undefined);
  }

  #commit(operations: readonly LevelOperation[], options: CommitOptions | undefined): Promise<Commit> {
    const draft = this.#draft(options);
    for (const operation of operations) {
      const key = bytesOfText(operation.key);
      this.keys.encode(key);
      if (operation.type === 'put') draft.put([key], bytesOfText(operation.value), UNSAID);
      else draft.delete([key]);
    }
    return draft.commit();
  }

  #deleteAll(storedKeys: readonly Uint8Array[], options: CommitOptions | undefined): Promise<Commit> {
    const draft = this.#draft(options);
    const { place } = this.bucket;
    for (const key of storedKeys) draft.delete(place.path(key, 0, key.length));
    return draft.commit();
  }

  #draft(options: CommitOptions | undefined): Draft {
    const { store, place, who } = this.bucket;
    const draft = new Draft(store, place, who, options);
    draft.isUnbounded = true;
    return draft;
  }
}

function commitOptionsOf({
  sync,
  durability,
}: LevelCommitOptions): { readonly durability: NonNullable<CommitOptions['durability']> } | undefined {
  const level = sync === true ? 'immediate' : durability;
  if (level === undefined) return undefined;
  checked({ durability: level }, COMMIT_OPTIONS);
  return { durability: level };
}

const encoder = new TextEncoder();

function bytesOfText(given: Format): Uint8Array {
  return typeof given === 'string' ? encoder.encode(given) : given;
}
