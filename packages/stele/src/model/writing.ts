/**
 * Writing at a place: every writing call in its two forms, and what reads and writes share in a handle.
 *
 * The promise forms never throw: what is wrong with the request rejects. A single put or delete of a handle without identity goes straight
 * to the kernel; everything else is a draft.
 *
 * Specification: docs/api.md, "Writing".
 */

import { SteleError } from '../base/errors.ts';
import type { Commit, Reader } from '../txn/types.ts';
import { Draft } from './draft.ts';
import { demand, type Who } from './identity.ts';
import { describe } from './path/layout.ts';
import type { Path } from './path/types.ts';
import type { Place } from './place.ts';
import { writeDirect, writeDirectSync } from './policy/direct-writes.ts';
import { type Held, PlacedReader } from './reading.ts';
import { isStamped } from './stamp.ts';
import { heldView, type Store } from './store.ts';
import { beginTransaction, transact, transactSync } from './transact.ts';
import type {
  BatchOperation,
  BeginOptions,
  CommitOptions,
  DeleteOptions,
  Input,
  PutOptions,
  PutTreeOptions,
  Transaction,
  TransactOptions,
  WritePath,
  Writing,
} from './types.ts';
import type { Value } from './value/types.ts';
import {
  BEGIN_OPTIONS,
  COMMIT_OPTIONS,
  checked,
  DELETE_OPTIONS,
  lifetimeOf,
  PUT_OPTIONS,
  PUT_TREE_OPTIONS,
  TRANSACT_OPTIONS,
} from './write-options.ts';

export abstract class PlacedWriter<T> extends PlacedReader<T> implements Writing<T> {
  /** @internal */
  readonly store: Store;
  /** @internal */
  readonly who: Who;
  /** Plain writes need no look at who makes them. */
  readonly #isAnybody: boolean;

  constructor(store: Store, place: Place, who: Who) {
    super(place, store.codec);
    this.store = store;
    this.who = who;
    this.#isAnybody = who.mayWrite && who.meta.length === 0;
  }

  protected override reader(): Reader {
    if (!this.who.mayRead) demand(this.who, 'read');
    return this.store.engine;
  }

  protected override hold(): Held {
    if (!this.who.mayRead) demand(this.who, 'read');
    return heldView(this.store.engine);
  }

  put(path: WritePath, value: Input<T>, options?: PutOptions): Promise<Commit> {
    try {
      if (options !== undefined || !this.#isPlain(path)) return this.#committed(this.#putDraft(path, value, options));
      const { store, place } = this;
      const { encoder } = store.codec;
      // The value first: reading it may run code of the program (getters), which may use this handle.
      const valueBytes = encoder.encode(value as Value);
      const keyBytes = place.encode(path as Path);
      const effective = store.book.isEmpty ? undefined : store.book.find(place.scratch, keyBytes);
      if (effective === undefined || effective.plain !== undefined)
        return store.engine.putFrom(place.scratch, keyBytes, encoder.bytes, valueBytes, effective?.plain);
      const leaf = { key: place.scratch.slice(0, keyBytes), value: encoder.bytes.slice(0, valueBytes), expiresAt: undefined };
      return writeDirect(store.engine, effective, leaf);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  putSync(path: WritePath, value: Input<T>, options?: PutOptions): Commit {
    if (options !== undefined || !this.#isPlain(path)) return this.#committedSync(this.#putDraft(path, value, options));
    const { store, place } = this;
    const { encoder } = store.codec;
    const valueBytes = encoder.encode(value as Value);
    const keyBytes = place.encode(path as Path);
    const effective = store.book.isEmpty ? undefined : store.book.find(place.scratch, keyBytes);
    if (effective === undefined || effective.plain !== undefined)
      return store.engine.putFromSync(place.scratch, keyBytes, encoder.bytes, valueBytes, effective?.plain);
    const leaf = { key: place.scratch.slice(0, keyBytes), value: encoder.bytes.slice(0, valueBytes), expiresAt: undefined };
    return writeDirectSync(store.engine, effective, leaf);
  }

  /** A path without a stamp, put by anybody. */
  #isPlain(path: WritePath): boolean {
    return this.#isAnybody && (typeof path === 'string' || !isStamped(path));
  }

  #putDraft(path: WritePath, value: Input<T>, options: PutOptions | undefined): Draft {
    const draft = this.#draft(checked(options, PUT_OPTIONS));
    draft.isUnbounded = true; // one value has its own limit
    draft.put(path, value as Value, lifetimeOf(options), options?.ifVersion);
    return draft;
  }

  delete(path: Path, options?: DeleteOptions): Promise<Commit> {
    return this.#write(() => {
      const key = this.#plainDelete(path, options);
      return key === undefined ? this.#committed(this.#deleteDraft(path, options)) : this.store.engine.delete(key);
    });
  }

  deleteSync(path: Path, options?: DeleteOptions): Commit {
    const key = this.#plainDelete(path, options);
    return key === undefined ? this.#committedSync(this.#deleteDraft(path, options)) : this.store.engine.deleteSync(key);
  }

  /** The key, good until the next path, of a delete by anybody where nothing is declared. */
  #plainDelete(path: Path, options: DeleteOptions | undefined): Uint8Array | undefined {
    if (options !== undefined || !this.#isAnybody) return undefined;
    const { store, place } = this;
    const keyBytes = place.encode(path);
    if (!store.book.isEmpty && store.book.find(place.scratch, keyBytes) !== undefined) return undefined;
    return place.scratch.subarray(0, keyBytes);
  }

  #deleteDraft(path: Path, options: DeleteOptions | undefined): Draft {
    const draft = this.#draft(checked(options, DELETE_OPTIONS));
    draft.delete(path, options?.ifVersion);
    return draft;
  }

  deleteTree(path: Path = [], options?: CommitOptions): Promise<Commit> {
    return this.#write(() => this.#committed(this.#deleteTreeDraft(path, options)));
  }

  deleteTreeSync(path: Path = [], options?: CommitOptions): Commit {
    return this.#committedSync(this.#deleteTreeDraft(path, options));
  }

  #deleteTreeDraft(path: Path, options: CommitOptions | undefined): Draft {
    const draft = this.#draft(checked(options, COMMIT_OPTIONS));
    draft.isUnbounded = true;
    draft.deleteTree(path);
    return draft;
  }

  putTree(path: Path, tree: Value | object, options?: PutTreeOptions): Promise<Commit> {
    return this.#write(() => this.#committed(this.#putTreeDraft(path, tree, options)));
  }

  putTreeSync(path: Path, tree: Value | object, options?: PutTreeOptions): Commit {
    return this.#committedSync(this.#putTreeDraft(path, tree, options));
  }

  #putTreeDraft(path: Path, tree: Value | object, options: PutTreeOptions | undefined): Draft {
    const draft = this.#draft(checked(options, PUT_TREE_OPTIONS));
    draft.putTree(path, tree, lifetimeOf(options), options?.merge === true);
    return draft;
  }

  async increment(path: Path, delta: number | bigint = 1, options?: CommitOptions): Promise<number | bigint> {
    demand(this.who, 'read'); // the sum tells what was there
    const draft = this.#draft(checked(options, COMMIT_OPTIONS));
    if (draft.first() !== undefined) {
      await draft.reached();
      return draft.firstResult() as number | bigint;
    }
    const sum = draft.increment(path, delta);
    draft.result = sum;
    await draft.commit();
    return sum;
  }

  incrementSync(path: Path, delta: number | bigint = 1, options?: CommitOptions): number | bigint {
    demand(this.who, 'read');
    const draft = this.#draft(checked(options, COMMIT_OPTIONS));
    if (draft.first() !== undefined) {
      draft.reachedSync();
      return draft.firstResult() as number | bigint;
    }
    const sum = draft.increment(path, delta);
    draft.result = sum;
    draft.commitSync();
    return sum;
  }

  batch(operations: readonly BatchOperation[], options?: CommitOptions): Promise<Commit> {
    return this.#write(() => this.#committed(this.#batchDraft(operations, options)));
  }

  batchSync(operations: readonly BatchOperation[], options?: CommitOptions): Commit {
    return this.#committedSync(this.#batchDraft(operations, options));
  }

  #batchDraft(operations: readonly BatchOperation[], options: CommitOptions | undefined): Draft {
    const draft = this.#draft(checked(options, COMMIT_OPTIONS));
    if (draft.first() === undefined) draft.batch(operations);
    return draft;
  }

  #draft(options: CommitOptions | undefined): Draft {
    demand(this.who, 'write');
    return new Draft(this.store, this.place, this.who, options);
  }

  #write(write: () => Promise<Commit>): Promise<Commit> {
    try {
      return write();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #committed(draft: Draft): Promise<Commit> {
    const first = draft.first();
    return first === undefined ? draft.commit() : draft.reached().then(() => first);
  }

  #committedSync(draft: Draft): Commit {
    const first = draft.first();
    if (first === undefined) return draft.commitSync();
    draft.reachedSync();
    return first;
  }

  transact<R>(work: (tx: Transaction<T>) => R | Promise<R>, options?: TransactOptions): Promise<R> {
    try {
      checkWork(work);
      demand(this.who, 'write');
      return transact(this, work, checked(options, TRANSACT_OPTIONS) ?? {});
    } catch (error) {
      return Promise.reject(error);
    }
  }

  transactSync<R>(work: (tx: Transaction<T>) => R, options?: Omit<TransactOptions, 'signal'>): R {
    checkWork(work);
    demand(this.who, 'write');
    return transactSync(this, work, checked(options, TRANSACT_OPTIONS) ?? {});
  }

  async begin(options?: BeginOptions): Promise<Transaction<T>> {
    return this.beginSync(options);
  }

  beginSync(options?: BeginOptions): Transaction<T> {
    demand(this.who, 'write');
    return beginTransaction(this, checked(options, BEGIN_OPTIONS) ?? {});
  }
}

function checkWork(work: unknown): void {
  if (typeof work !== 'function')
    throw new SteleError('invalid', 'OPTION_INVALID', `work is ${describe(work)}, expected a function of the transaction`);
}
