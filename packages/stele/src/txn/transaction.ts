/**
 * A serializable transaction: a pinned view, an overlay of own writes, and a read set that is validated at commit.
 *
 * Invariants
 * - Everything examined joins the read set: missing keys, counts and ranges included; `peek` does not.
 * - Own writes are seen by its own reads, in their place in key order.
 * - After commit or abort nothing works any more, and neither happens twice.
 *
 * Specification: spec/transactions.md, "Serializability".
 */

import { compareBytes } from '../base/bytes.ts';
import { SteleError } from '../base/errors.ts';
import { commitAt } from '../tree/entry.ts';
import { checkBounds } from './batch.ts';
import type { Core } from './core.ts';
import { MISS } from './core.ts';
import { BATCH_BYTES_MAX, BATCH_OPERATIONS_MAX, checkKey, checkValue, expiryOf } from './options.ts';
import { type ReadRange, ReadSet } from './read-set.ts';
import { checkRange, SightReader } from './reader.ts';
import type { Sight } from './scanner.ts';
import type { BeginOptions, Commit, CommitOptions, Decode, Entry, KeyRange, Make, ScanRange, Transaction, Walk } from './types.ts';
import { PinnedView } from './view.ts';
import { type WriteEffect, WriteSet } from './write-set.ts';

/** What a transaction needs of the engine to end. */
export interface Committer {
  commit(txn: EngineTransaction, options: CommitOptions | undefined): Promise<Commit>;
  commitSync(txn: EngineTransaction, options: CommitOptions | undefined): Commit;
}

export class EngineTransaction extends SightReader implements Transaction {
  readonly view: PinnedView;
  readonly reads = new ReadSet();
  readonly writes = new WriteSet();
  readonly #committer: Committer;
  #isOpen = true;
  /** The conflict this transaction met, if any: what `transact` runs again for. */
  conflict: SteleError | undefined;

  readonly #isUnbounded: boolean;
  /** It is committed in the turn it was begun in, at the time it was begun: nothing it read can have expired since. */
  readonly isInTurn: boolean;

  constructor(core: Core, committer: Committer, { unbounded = false, inTurn = false }: BeginOptions = {}) {
    super(core);
    this.#committer = committer;
    this.#isUnbounded = unbounded;
    this.isInTurn = inTurn;
    this.view = new PinnedView(core, core.applied, core.nowMs(), undefined, false);
    core.window.begin(core.applied);
  }

  get version(): number {
    return this.view.commit;
  }

  get timeMs(): number {
    return this.view.timeMs;
  }

  protected override sight(): Sight {
    if (!this.#isOpen) throw new SteleError('closed', 'TRANSACTION_CLOSED', 'the transaction has ended');
    if (!this.view.open)
      throw this.#met(
        new SteleError('conflict', 'TXN_TOO_OLD', `the transaction's view of version ${this.view.commit} was idle for too long`),
      );
    this.core.assertReadable();
    this.view.lastUsedMs = this.core.tickMs;
    return this.view;
  }

  override read<T>(key: Uint8Array, keyBytes: number, decode: Decode<T>): T | undefined {
    this.sight();
    const own = this.writes.get(key, keyBytes);
    if (own !== undefined) return this.#isGone(own) ? undefined : decode(own.value!, 0, own.value!.length);
    this.reads.addKey(key, keyBytes);
    const value = super.read(key, keyBytes, decode);
    if (value !== undefined) this.reads.sawExpiry(this.found.expiresAt);
    return value;
  }

  /** An own write that is a delete, or has expired before the transaction began. */
  #isGone(own: WriteEffect): boolean {
    return own.value === undefined || (own.expiresAt !== 0 && own.expiresAt <= this.timeMs);
  }

  peek(key: Uint8Array): Uint8Array | undefined {
    checkKey(key);
    this.sight();
    const own = this.writes.get(key, key.length);
    if (own !== undefined) return this.#isGone(own) ? undefined : own.value!.slice();
    return this.view.get(key);
  }

  override has(key: Uint8Array): boolean {
    checkKey(key);
    return this.read(key, key.length, present) === true;
  }

  override entry(key: Uint8Array): Entry | undefined {
    checkKey(key);
    const own = this.writes.get(key, key.length);
    if (own !== undefined)
      return this.#isGone(own)
        ? undefined
        : { key: key.slice(), value: own.value!.slice(), version: 0, expiresAt: own.expiresAt === 0 ? undefined : own.expiresAt };
    const value = this.read(key, key.length, this.core.copyOf);
    return value === undefined
      ? undefined
      : { key: key.slice(), value, version: this.found.commit, expiresAt: this.found.expiresAt === 0 ? undefined : this.found.expiresAt };
  }

  override async getAsync(key: Uint8Array): Promise<Uint8Array | undefined> {
    checkKey(key);
    await this.view.getAsync(key); // brings the pages in without blocking
    return this.get(key);
  }

  override scan(range: ScanRange = {}): IterableIterator<Entry> {
    checkRange(range);
    this.sight();
    // What is scanned is settled by the call, not by the first step.
    const fixed = { ...range, start: range.start?.slice(), end: range.end?.slice() } as ScanRange;
    return mergedScan(this, fixed, [...effectsIn(this.writes, fixed)]);
  }

  override walk<T>(range: ScanRange, make: Make<T>): Walk<T> {
    return new TransactionWalk(this, range, make);
  }

  override forEach(
    range: ScanRange,
    visit: (key: Uint8Array, keyLength: number, bytes: Uint8Array, start: number, end: number, version: number) => boolean | void,
  ): number {
    let visited = 0;
    for (const { key, value, version } of this.scan(range)) {
      visited++;
      if (visit(key, key.length, value, 0, value.length, version) === false) break;
    }
    return visited;
  }

  override count(range: KeyRange = {}): number {
    checkRange(range);
    this.sight();
    this.reads.addRange(range.start, range.end);
    let count = this.view.count(range);
    this.#sawExpiriesIn(range);
    for (const own of effectsIn(this.writes, range)) {
      if (this.view.has(own.key)) count--;
      if (!this.#isGone(own)) count++;
    }
    return count;
  }

  /** What will expire in a counted range must conflict when it does so before the commit. */
  #sawExpiriesIn(range: KeyRange): void {
    if (!this.core.mayExpire) return;
    for (const { expiresAt } of this.view.scan({ ...range, values: false })) if (expiresAt !== undefined) this.reads.sawExpiry(expiresAt);
  }

  put(key: Uint8Array, value: Uint8Array, options?: { expiresAt?: number; ttlMs?: number }): void {
    checkKey(key);
    checkValue(value);
    this.sight();
    const expiresAt = expiryOf(options, this.timeMs);
    this.#write({ key: key.slice(), value: value.slice(), expiresAt, ttlMs: options?.ttlMs });
  }

  delete(key: Uint8Array): void {
    checkKey(key);
    this.sight();
    this.#write({ key: key.slice(), value: undefined, expiresAt: 0, ttlMs: undefined });
  }

  deleteRange(start: Uint8Array, end: Uint8Array): void {
    checkBounds(start, end);
    const keys: Uint8Array[] = [];
    for (const { key } of this.scan({ start, end, values: false })) keys.push(key);
    for (const key of keys) this.delete(key);
  }

  #write(effect: WriteEffect): void {
    if (this.#isUnbounded) {
      this.writes.set(effect);
      return;
    }
    if (this.writes.sizeWith(effect) > BATCH_OPERATIONS_MAX)
      throw new SteleError('invalid', 'BATCH_TOO_LARGE', `the transaction writes more than ${BATCH_OPERATIONS_MAX} keys`);
    if (this.writes.bytesWith(effect) > BATCH_BYTES_MAX)
      throw new SteleError('invalid', 'BATCH_TOO_LARGE', `the transaction writes more than ${BATCH_BYTES_MAX} bytes`);
    this.writes.set(effect);
  }

  /**
   * As if everything examined were examined now.
   *
   * @throws {SteleError} `conflict` CONFLICT naming what changed; `conflict` TXN_TOO_OLD
   */
  validate(nowMs: number): void {
    const { core } = this;
    const since = this.version;
    if (nowMs >= this.reads.earliestExpiry) throw this.#conflict('an entry that was read has expired', undefined);
    if (core.applied === since) return;
    if (!this.view.open)
      throw this.#met(new SteleError('conflict', 'TXN_TOO_OLD', `the transaction began at version ${since} and was idle for too long`));
    for (const key of this.reads.keys.values()) {
      if (newestCommit(core, key) > since) throw this.#conflict('a key that was read has changed', key);
    }
    if (this.reads.ranges.length === 0) return;
    if (!core.window.covers(since)) {
      core.counters.tooOld++;
      throw this.#met(
        new SteleError(
          'conflict',
          'TXN_TOO_OLD',
          `the transaction began at version ${since}, more was written since than the validation window holds`,
          { detail: { version: since } },
        ),
      );
    }
    const key = core.window.firstIn(this.reads.ranges, since);
    if (key !== undefined) throw this.#conflict('a range that was read has changed', key);
  }

  #conflict(what: string, key: Uint8Array | undefined): SteleError {
    this.core.counters.conflicts++;
    return this.#met(
      new SteleError('conflict', 'CONFLICT', `${what} since version ${this.version}`, { detail: { version: this.version, key } }),
    );
  }

  #met(conflict: SteleError): SteleError {
    this.conflict = conflict;
    return conflict;
  }

  async commit(options?: CommitOptions): Promise<Commit> {
    this.sight();
    return await this.#committer.commit(this, options);
  }

  commitSync(options?: CommitOptions): Commit {
    this.sight();
    return this.#committer.commitSync(this, options);
  }

  abort(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.core.window.end();
    this.view.close();
  }
}

function present(): boolean {
  return true;
}

/** Commit of the key's entry, tombstones included; 0 when there is none. */
function newestCommit(core: Core, key: Uint8Array): number {
  for (;;) {
    const location = core.tree.find(key, key.length);
    if (location !== MISS) return location < 0 ? 0 : commitAt(core.pages, location);
    core.missTree();
    core.fill();
  }
}

function effectsIn(writes: WriteSet, { start, end }: KeyRange): readonly WriteEffect[] {
  const from = start === undefined ? 0 : writes.lowerBound(start);
  const to = end === undefined ? writes.size : writes.lowerBound(end);
  return writes.sorted().slice(from, Math.max(from, to));
}

/** The part of a scanned range that was looked at: up to the last entry handed out, all of it at the end. */
class Examined {
  readonly #txn: EngineTransaction;
  readonly #range: ScanRange;
  #joined: ReadRange | undefined;

  constructor(txn: EngineTransaction, range: ScanRange) {
    this.#txn = txn;
    this.#range = range;
  }

  through(key: Uint8Array): void {
    const { start, end, reverse } = this.#range;
    // The least key behind `key` is `key` and a zero byte.
    const behind = new Uint8Array(key.length + 1);
    behind.set(key);
    if (reverse === true) this.#join(key, end);
    else this.#join(start, behind);
  }

  all(): void {
    this.#join(this.#range.start, this.#range.end);
  }

  #join(start: Uint8Array | undefined, end: Uint8Array | undefined): void {
    if (this.#joined === undefined) {
      this.#joined = this.#txn.reads.addRange(start, end);
      return;
    }
    this.#joined.start = start;
    this.#joined.end = end;
  }
}

/** Where it skips, another scan begins: what lies between was not examined. */
class TransactionWalk<T> implements Walk<T> {
  readonly #txn: EngineTransaction;
  readonly #make: Make<T>;
  #range: ScanRange;
  #left: number;
  #inner: Iterator<Entry, undefined>;

  constructor(txn: EngineTransaction, range: ScanRange, make: Make<T>) {
    this.#txn = txn;
    this.#make = make;
    this.#range = range;
    this.#left = range.limit ?? Number.POSITIVE_INFINITY;
    this.#inner = txn.scan(range) as Iterator<Entry, undefined>;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<T, undefined> {
    const step = this.#inner.next();
    if (step.done === true) return step;
    this.#left--;
    const { key, value, version, expiresAt } = step.value;
    return { done: false, value: this.#make(key, key.length, value, 0, value.length, version, expiresAt ?? 0) };
  }

  skipTo(key: Uint8Array, keyBytes: number): void {
    this.#inner.return?.();
    const bound = key.slice(0, keyBytes);
    this.#range = { ...this.#range, limit: this.#left, ...(this.#range.reverse === true ? { end: bound } : { start: bound }) };
    this.#inner = this.#txn.scan(this.#range) as Iterator<Entry, undefined>;
  }

  return(): IteratorResult<T, undefined> {
    this.#left = 0;
    this.#inner.return?.();
    return { done: true, value: undefined };
  }
}

/** The view's entries with the transaction's own effects in their places. Own entries have version 0. */
function* mergedScan(txn: EngineTransaction, range: ScanRange, own: WriteEffect[]): Generator<Entry, undefined> {
  const sign = range.reverse === true ? -1 : 1;
  if (sign < 0) own.reverse();
  const { limit: _limit, ...unlimited } = range;
  const examined = new Examined(txn, range);
  const below = txn.view.scan(unlimited);
  let next = below.next();
  let at = 0;
  for (let left = range.limit ?? Number.POSITIVE_INFINITY; left > 0; ) {
    const entry = next.done === true ? undefined : next.value;
    const effect = own[at];
    if (entry === undefined && effect === undefined) {
      examined.all();
      return undefined;
    }
    const order =
      entry === undefined
        ? 1
        : effect === undefined
          ? -1
          : sign * compareBytes(entry.key, 0, entry.key.length, effect.key, 0, effect.key.length);
    if (order <= 0) {
      if (entry!.expiresAt !== undefined) txn.reads.sawExpiry(entry!.expiresAt);
      next = below.next();
    }
    if (order < 0) {
      left--;
      examined.through(entry!.key);
      yield entry!;
      continue;
    }
    at++;
    if (effect!.value === undefined || (effect!.expiresAt !== 0 && effect!.expiresAt <= txn.timeMs)) continue;
    left--;
    examined.through(effect!.key);
    yield {
      key: effect!.key.slice(),
      value: range.values === false ? new Uint8Array(0) : effect!.value.slice(),
      version: 0,
      expiresAt: effect!.expiresAt === 0 ? undefined : effect!.expiresAt,
    };
  }
  return undefined;
}
