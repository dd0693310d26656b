/**
 * Transactions of a program: a kernel transaction seen through paths and values, and the loop that runs it again on conflict.
 *
 * Invariants
 * - Own writes are seen by own reads, derived data included. Stamped paths are written at the commit, when their number is known.
 * - Between the last of the work and the commit nothing else runs: what was finished is what is committed.
 * - `committed` settles exactly once: with the commit of the run that succeeded, or with what refused it.
 *
 * Specification: spec/transactions.md, "Serializability"; docs/api.md, "Transactions".
 */

import { SteleError } from '../base/errors.ts';
import type { Commit, CommitOptions as KernelOptions, Transaction as KernelTransaction, Reader } from '../txn/types.ts';
import { checkVersion } from './draft.ts';
import { demand, type Who } from './identity.ts';
import { added } from './increment.ts';
import { lookupRows } from './index/lookup.ts';
import { onceKey, repeated } from './once.ts';
import { describe } from './path/layout.ts';
import type { Path } from './path/types.ts';
import type { Place } from './place.ts';
import { type Held, PlacedReader } from './reading.ts';
import { WriteSession } from './session.ts';
import { isStamped, stamped } from './stamp.ts';
import { checkMembers, type Store } from './store.ts';
import { flattenTree } from './tree-value.ts';
import type {
  BeginOptions,
  CommitOptions,
  IndexKey,
  Input,
  Instant,
  Match,
  Rows,
  Transaction,
  TransactOptions,
  WritePath,
} from './types.ts';
import type { Value } from './value/types.ts';
import { kernelOptions, type Lifetime, lifetimeOf, OWN_DELETE_OPTIONS, OWN_PUT_OPTIONS, OWN_PUT_TREE_OPTIONS } from './write-options.ts';

/** The handle a transaction is begun on. */
export interface Beginner {
  readonly store: Store;
  readonly place: Place;
  readonly who: Who;
}

const RETRIES_DEFAULT = 10;
const RANDOM_BYTES_MAX = 65_536;
const NOTHING = new Uint8Array(0);

/** What all handles into one transaction share. */
class Run {
  readonly store: Store;
  readonly txn: KernelTransaction;
  readonly session: WriteSession;
  readonly who: Who;
  /** The caller of `transact` commits; the work may not. */
  readonly isLent: boolean;
  readonly #options: CommitOptions;
  readonly stamps: { readonly place: Place; readonly path: WritePath; readonly value: Uint8Array; readonly lifetime: Lifetime }[] = [];
  readonly committed: Promise<Commit>;
  #resolve!: (commit: Commit) => void;
  #reject!: (error: unknown) => void;
  #isEnded = false;

  constructor({ store, who }: Beginner, options: CommitOptions, isLent: boolean) {
    this.store = store;
    this.who = who;
    this.isLent = isLent;
    this.#options = options;
    this.txn = store.engine.begin();
    this.session = new WriteSession(store, this.txn);
    // Joins the read set: of two runs under one key the second conflicts.
    if (options.once !== undefined) this.txn.has(onceKey(options.once));
    this.committed = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.committed.catch(() => {}); // it may be that nobody asks
  }

  /** The last writes, and the kernel's options. The caller commits in the same turn. */
  finish(result: Value | undefined): KernelOptions {
    const { session, txn, store } = this;
    // First: reading it may run code of the program (getters), which may write.
    const once =
      this.#options.once === undefined
        ? undefined
        : { key: onceKey(this.#options.once), value: result === undefined ? NOTHING : store.codec.encode(result) };
    if (this.stamps.length > 0) {
      const { version } = store.engine.prepare();
      for (let at = 0; at < this.stamps.length; at++) {
        const { place, path, value, lifetime } = this.stamps[at]!;
        session.putLeaf(place.key(stamped(path, version, at)), value, lifetime);
      }
    }
    session.finish();
    if (once !== undefined) txn.put(once.key, once.value);
    return kernelOptions(this.who, this.#options, session.durability, false);
  }

  async commit(result?: Value): Promise<Commit> {
    this.#end();
    try {
      const commit = await this.txn.commit(this.finish(result));
      this.#resolve(commit);
      return commit;
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  commitSync(result?: Value): Commit {
    this.#end();
    try {
      const commit = this.txn.commitSync(this.finish(result));
      this.#resolve(commit);
      return commit;
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  fail(error: unknown): void {
    this.#isEnded = true;
    this.txn.abort();
    this.#reject(error);
  }

  abort(why = new SteleError('closed', 'TRANSACTION_CLOSED', 'the transaction was aborted')): void {
    if (this.#isEnded) return;
    this.fail(why);
  }

  /** Ends it by the signal, unless it has ended before; then nothing is left with the signal, which may live long. */
  endBy(signal: AbortSignal): void {
    const stop = (): void => this.abort(cancelled(signal));
    const forget = (): void => signal.removeEventListener('abort', stop);
    signal.addEventListener('abort', stop, { once: true });
    this.committed.then(forget, forget);
  }

  /** From here on neither `abort` nor a second commit has a say. */
  #end(): void {
    if (this.#isEnded) throw new SteleError('closed', 'TRANSACTION_CLOSED', 'the transaction has ended');
    this.#isEnded = true;
  }
}

export class PlacedTransaction<T> extends PlacedReader<T> implements Transaction<T> {
  readonly #run: Run;

  constructor(run: Run, place: Place) {
    super(place, run.store.codec);
    this.#run = run;
  }

  protected override reader(): Reader {
    const { who, txn } = this.#run;
    if (!who.mayRead) demand(who, 'read');
    return txn;
  }

  protected override hold(): Held {
    return { reader: this.reader(), close: () => {} };
  }

  get version(): number {
    return this.#run.txn.version;
  }

  get time(): Date {
    return new Date(this.#run.txn.timeMs);
  }

  get committed(): Promise<Commit> {
    return this.#run.committed;
  }

  put(
    path: WritePath,
    value: Input<T>,
    options?: { readonly ttl?: number; readonly expiresAt?: Instant; readonly ifVersion?: number },
  ): void {
    checkMembers('options', options, OWN_PUT_OPTIONS);
    const lifetime = lifetimeOf(options);
    const { session, stamps, txn } = this.#run;
    if (isStamped(path)) {
      // Refuse now what is no path, and a condition that no new path meets.
      const key = this.place.key(stamped(path, 0, stamps.length));
      if (options?.ifVersion !== undefined) checkVersion(txn, key, options.ifVersion);
      stamps.push({ place: this.place, path, value: this.codec.encode(value as Value), lifetime });
      return;
    }
    const key = this.place.key(path as Path);
    if (options?.ifVersion !== undefined) checkVersion(txn, key, options.ifVersion);
    session.putLeaf(key, this.codec.encode(value as Value), lifetime);
  }

  delete(path: Path, options?: { readonly ifVersion?: number }): void {
    checkMembers('options', options, OWN_DELETE_OPTIONS);
    const { session, txn } = this.#run;
    const key = this.place.key(path);
    if (options?.ifVersion !== undefined) checkVersion(txn, key, options.ifVersion);
    session.deleteLeaf(key);
  }

  deleteTree(path: Path = []): void {
    this.#run.session.deleteBelow(this.place.prefixKey(path));
  }

  putTree(
    path: Path,
    tree: Value | object,
    options?: { readonly merge?: boolean; readonly ttl?: number; readonly expiresAt?: Instant },
  ): void {
    checkMembers('options', options, OWN_PUT_TREE_OPTIONS);
    const lifetime = lifetimeOf(options);
    const below = this.place.prefixKey(path);
    const base = this.place.path(below, 0, below.length);
    const leaves = flattenTree(tree).map((leaf) => ({
      key: this.place.key([...base, ...leaf.path]),
      value: this.codec.encode(leaf.value),
    }));
    const { session } = this.#run;
    if (options?.merge !== true) session.deleteBelow(below);
    for (const { key, value } of leaves) session.putLeaf(key, value, lifetime);
  }

  increment(path: Path, delta: number | bigint = 1): number | bigint {
    const { session, txn, who } = this.#run;
    demand(who, 'read'); // the sum tells what was there
    const key = this.place.key(path);
    const entry = txn.entry(key);
    const sum = added(entry && this.codec.decode(entry.value, 0, entry.value.length), delta, path);
    session.putLeaf(
      key,
      this.codec.encode(sum),
      entry === undefined ? lifetimeOf(undefined) : { ttlMs: undefined, expiresAt: entry.expiresAt ?? 0 },
    );
    return sum;
  }

  peek<V = T>(path: Path): V | undefined {
    demand(this.#run.who, 'read');
    const bytes = this.#run.txn.peek(this.place.key(path));
    return bytes === undefined ? undefined : (this.codec.decode(bytes, 0, bytes.length) as V);
  }

  random(n: number): Uint8Array {
    if (!Number.isSafeInteger(n) || n < 0 || n > RANDOM_BYTES_MAX)
      throw new SteleError('invalid', 'OPTION_INVALID', `random is asked for ${describe(n)} bytes, expected 0 to ${RANDOM_BYTES_MAX}`);
    const bytes = new Uint8Array(n);
    this.#run.store.host.random.fill(bytes);
    return bytes;
  }

  subtree<V = Value>(path: Path): Transaction<V> {
    return new PlacedTransaction<V>(this.#run, this.place.below(path));
  }

  lookup<V = T>(index: string, ...key: IndexKey): Rows<Match<V>> {
    return lookupRows<V>(this.#run.store, this.place, index, key, () => this.hold());
  }

  async commit(): Promise<Commit> {
    this.#assertOwn();
    return this.#run.commit();
  }

  commitSync(): Commit {
    this.#assertOwn();
    return this.#run.commitSync();
  }

  #assertOwn(): void {
    if (this.#run.isLent)
      throw new SteleError('invalid', 'OPTION_INVALID', 'commit inside transact: the work returns, and transact commits what it wrote');
  }

  abort(): void {
    this.#run.abort();
  }

  [Symbol.dispose](): void {
    this.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.abort();
  }
}

/** A transaction that the caller ends. @throws {SteleError} `closed` CANCELLED for a signal that is aborted already */
export function beginTransaction<T>(beginner: Beginner, options: BeginOptions): Transaction<T> {
  const { signal } = options;
  checkSignal(signal);
  if (options.once !== undefined && repeated(beginner.store.engine, onceKey(options.once)) !== undefined)
    throw new SteleError('conflict', 'ONCE_REPEATED', `a commit under the idempotency key ${describe(options.once)} was made before`);
  const run = new Run(beginner, options, false);
  if (signal !== undefined) run.endBy(signal);
  return new PlacedTransaction<T>(run, beginner.place);
}

/** Runs `work` until it commits without conflict. */
export async function transact<T, R>(
  beginner: Beginner,
  work: (tx: Transaction<T>) => R | Promise<R>,
  options: TransactOptions,
): Promise<R> {
  const { clock, timers } = beginner.store.host;
  const { engine } = beginner.store;
  const loop = new Loop(options, clock.monotonicMs());
  for (;;) {
    const before = loop.repeated<R>(beginner.store);
    if (before !== undefined) {
      await engine.batch([]);
      return before.result;
    }
    loop.check(clock.monotonicMs());
    const run = new Run(beginner, options, true);
    try {
      const result = await loop.raced(Promise.resolve(work(new PlacedTransaction<T>(run, beginner.place))), beginner.store);
      await run.commit(result as Value | undefined);
      return result;
    } catch (error) {
      run.fail(error);
      loop.again(error, run.txn.conflict);
    }
    await new Promise<void>((resolve) => timers.immediate(resolve));
  }
}

/** The blocking twin of {@link transact}: `work` must not be async. */
export function transactSync<T, R>(beginner: Beginner, work: (tx: Transaction<T>) => R, options: TransactOptions): R {
  const { clock } = beginner.store.host;
  const { engine } = beginner.store;
  const loop = new Loop(options, clock.monotonicMs());
  for (;;) {
    const before = loop.repeated<R>(beginner.store);
    if (before !== undefined) {
      engine.batchSync([]);
      return before.result;
    }
    loop.check(clock.monotonicMs());
    const run = new Run(beginner, options, true);
    try {
      const result = work(new PlacedTransaction<T>(run, beginner.place));
      if (result instanceof Promise) {
        result.catch(() => {}); // it meets a transaction that has ended
        throw new SteleError('invalid', 'OPTION_INVALID', 'work returned a promise, expected a value: use transact');
      }
      run.commitSync(result as Value | undefined);
      return result;
    } catch (error) {
      run.fail(error);
      loop.again(error, run.txn.conflict);
    }
  }
}

/** How often, how long, and whether at all. */
class Loop {
  readonly #options: TransactOptions;
  readonly #retries: number;
  readonly #deadlineMs: number;
  readonly #startMs: number;
  #runs = 0;

  constructor(options: TransactOptions, nowMs: number) {
    const { retries = RETRIES_DEFAULT, timeoutMs = Number.POSITIVE_INFINITY } = options;
    if (!Number.isSafeInteger(retries) || retries < 0)
      throw new SteleError('invalid', 'OPTION_INVALID', `retries is ${describe(retries)}, expected a whole number from 0`);
    if (typeof timeoutMs !== 'number' || !(timeoutMs > 0))
      throw new SteleError('invalid', 'OPTION_INVALID', `timeoutMs is ${describe(timeoutMs)}, expected milliseconds above 0`);
    this.#options = options;
    this.#retries = retries;
    this.#startMs = nowMs;
    this.#deadlineMs = nowMs + timeoutMs;
  }

  repeated<R>(store: Store): { readonly result: R } | undefined {
    if (this.#options.once === undefined) return undefined;
    const first = repeated(store.engine, onceKey(this.#options.once));
    if (first === undefined) return undefined;
    return { result: (first.result.length === 0 ? undefined : store.codec.decode(first.result, 0, first.result.length)) as R };
  }

  check(nowMs: number): void {
    checkSignal(this.#options.signal);
    if (nowMs >= this.#deadlineMs) throw this.#late(nowMs);
  }

  #late(nowMs: number): SteleError {
    return new SteleError(
      'unavailable',
      'TIMEOUT',
      `the transaction took ${Math.round(nowMs - this.#startMs)} ms in ${this.#runs + 1} runs, more than timeoutMs; nothing was written`,
    );
  }

  /** The work, or its end by signal or deadline. */
  raced<R>(work: Promise<R>, { host }: Store): Promise<R> {
    const { signal } = this.#options;
    if (signal === undefined && this.#deadlineMs === Number.POSITIVE_INFINITY) return work;
    return new Promise<R>((resolve, reject) => {
      const stop = (): void => reject(cancelled(signal));
      signal?.addEventListener('abort', stop, { once: true });
      const { clock, timers } = host;
      const timer =
        this.#deadlineMs === Number.POSITIVE_INFINITY
          ? undefined
          : timers.after(Math.max(0, this.#deadlineMs - clock.monotonicMs()), true, () => reject(this.#late(clock.monotonicMs())));
      const end = (): void => {
        timer?.cancel();
        signal?.removeEventListener('abort', stop);
      };
      work.then(resolve, reject).finally(end);
    });
  }

  /** Returns when a further run may help; throws the error otherwise. */
  again(error: unknown, conflict: SteleError | undefined): void {
    // Conflicts of this transaction only: what else the work throws is its own affair.
    if (conflict === undefined || error !== conflict || this.#runs++ >= this.#retries) throw error;
  }
}

function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw cancelled(signal);
}

function cancelled(signal: AbortSignal | undefined): SteleError {
  return new SteleError('closed', 'CANCELLED', 'the transaction was cancelled; nothing was written', { cause: signal?.reason });
}
