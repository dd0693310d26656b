/**
 * Writing: requests to the writer, commits to group commit, receipts to the caller.
 *
 * Invariants
 * - A blocking call and its async twin do the same and differ only in how the caller waits.
 * - The promise forms only reject; they never throw.
 * - The strongest of database and call durability holds.
 *
 * Specification: spec/transactions.md, "Commits", "Durability".
 */

import { compareBytes } from '../base/bytes.ts';
import { SteleError } from '../base/errors.ts';
import type { Applier } from './applier.ts';
import { checkBounds, collectBatch } from './batch.ts';
import type { Core } from './core.ts';
import { liveIn } from './count.ts';
import { Encoder } from './encoder.ts';
import type { Flusher } from './flusher.ts';
import { NewestReader } from './newest-reader.ts';
import { checkCommitOptions, described } from './options.ts';
import { Receipt } from './receipt.ts';
import type { Room } from './room.ts';
import { SlicedDelete, type SlicedDeleteParts } from './sliced-delete.ts';
import { type Committer, EngineTransaction } from './transaction.ts';
import type { BeginOptions, Commit, CommitOptions, Durability, KeyRange, Operation, Transaction, WriteOptions } from './types.ts';
import { type Applied, Writer } from './writer.ts';

const PENDING_BYTES_MAX = 1024 * 1024;
/** Larger ranges are deleted in slices. */
const SLICED_FROM = 512;

export interface WritingParts {
  readonly applier: Applier;
  readonly room: Room;
  readonly flusher: Flusher;
}

export abstract class WritingEngine extends NewestReader implements Committer {
  readonly #applier: Applier;
  readonly #room: Room;
  readonly #writer: Writer;
  readonly #flusher: Flusher;
  #sinceConsidered = 0;

  constructor(core: Core, parts: WritingParts) {
    super(core);
    this.#applier = parts.applier;
    this.#room = parts.room;
    this.#flusher = parts.flusher;
    this.#writer = new Writer(core, parts.room, parts.applier);
  }

  put(key: Uint8Array, value: Uint8Array, options?: WriteOptions): Promise<Commit> {
    try {
      checkGiven(value);
      return this.#promise(this.#writer.one(key, key?.length, value, value?.length, options), options?.durability);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  putFrom(key: Uint8Array, keyBytes: number, value: Uint8Array, valueBytes: number, options?: WriteOptions): Promise<Commit> {
    try {
      checkGiven(value);
      return this.#promise(this.#writer.one(key, keyBytes, value, valueBytes, options), options?.durability);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  putFromSync(key: Uint8Array, keyBytes: number, value: Uint8Array, valueBytes: number, options?: WriteOptions): Commit {
    checkGiven(value);
    return this.#settle(this.#writer.one(key, keyBytes, value, valueBytes, options), options?.durability);
  }

  putSync(key: Uint8Array, value: Uint8Array, options?: WriteOptions): Commit {
    checkGiven(value);
    return this.#settle(this.#writer.one(key, key?.length, value, value?.length, options), options?.durability);
  }

  delete(key: Uint8Array, options?: WriteOptions): Promise<Commit> {
    try {
      return this.#promise(this.#writer.one(key, key?.length, undefined, 0, options), options?.durability);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  deleteSync(key: Uint8Array, options?: WriteOptions): Commit {
    return this.#settle(this.#writer.one(key, key?.length, undefined, 0, options), options?.durability);
  }

  batch(operations: readonly Operation[], options?: CommitOptions): Promise<Commit> {
    try {
      return this.#promise(this.#batch(operations, options), options?.durability);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  batchSync(operations: readonly Operation[], options?: CommitOptions): Commit {
    return this.#settle(this.#batch(operations, options), options?.durability);
  }

  #batch(operations: readonly Operation[], options: CommitOptions | undefined): Applied {
    this.core.assertWritable();
    checkCommitOptions(options);
    const timeMs = this.core.nowMs();
    const effects = collectBatch(this.core, this.#applier, this.#writer, operations, timeMs, options?.unbounded === true);
    return this.#writer.effects(effects, options, timeMs);
  }

  deleteRange(start: Uint8Array, end: Uint8Array, options?: CommitOptions): Promise<Commit> {
    return this.deleteRanges([{ start, end }], options);
  }

  deleteRanges(ranges: readonly Required<KeyRange>[], options?: CommitOptions): Promise<Commit> {
    try {
      this.core.assertWritable();
      checkCommitOptions(options);
      const { core } = this;
      const own = checkedRanges(ranges);
      const timeMs = core.nowMs();
      let count = 0;
      for (const range of own) count += liveIn(core, range);
      if (count > SLICED_FROM) return this.#deleteInSlices(own, options, timeMs, count);
      const keys = own.flatMap(({ start, end }) => this.#applier.liveKeys(start, end, timeMs));
      const effects = keys.map((key) => ({ key, value: undefined, expiresAt: 0, ttlMs: undefined }));
      return this.#promise(this.#writer.effects(effects, options, timeMs), options?.durability);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #deleteInSlices(
    ranges: readonly Required<KeyRange>[],
    options: CommitOptions | undefined,
    timeMs: number,
    count: number,
  ): Promise<Commit> {
    const { core } = this;
    this.#room.forWrites(count, 0);
    const encoder = new Encoder(core, this.#applier);
    const onApplied: SlicedDeleteParts['onApplied'] = (applied, resolve, reject) => {
      if (applied.version === 0) this.#withoutEffect(core.applied).then(resolve, reject);
      else
        core.group.enqueueWith(
          applied.version,
          strongest(core.settings.durability, options?.durability),
          receiptOf(applied),
          resolve,
          reject,
        );
      this.#committed(applied.changed);
    };
    return new SlicedDelete({ core, room: this.#room, applier: this.#applier, encoder, ranges, timeMs, options, onApplied }).run();
  }

  #promise(applied: Applied, durability: Durability | undefined): Promise<Commit> {
    const { core } = this;
    if (applied.version === 0) return this.#withoutEffect(this.core.applied);
    const promise = core.group.enqueue(applied.version, strongest(core.settings.durability, durability), receiptOf(applied));
    this.#committed(applied.changed);
    return promise;
  }

  /** Nothing was written: the receipt of `version`, once that has reached the level its own commit asked for. */
  async #withoutEffect(version: number): Promise<Commit> {
    await this.core.group.reached(version);
    return this.#receiptOf(version);
  }

  #receiptOf(version: number): Commit {
    const { core } = this;
    return new Receipt(version, core.timeOf(version), core.durable >= version ? 'device' : 'kernel', 0, 0);
  }

  #withoutEffectNow(version: number): Commit {
    this.core.group.reachNow();
    return this.#receiptOf(version);
  }

  #settle(applied: Applied, durability: Durability | undefined): Commit {
    const { core } = this;
    const { version } = applied;
    if (version === 0) return this.#withoutEffectNow(core.applied);
    const receipt = receiptOf(applied);
    core.group.settleNow(version, strongest(core.settings.durability, durability), receipt);
    this.#committed(applied.changed);
    return receipt;
  }

  /** After each commit: a bounded log buffer, and a look whether it is time to flush. */
  #committed(changed: number): void {
    const { core } = this;
    if (core.share !== undefined) {
      core.share.committed();
      // A record of this commit may have been written while it was being applied.
      core.share.publish();
    }
    if (core.log.pendingBytes > PENDING_BYTES_MAX) {
      try {
        core.group.writeNow();
      } catch {
        return; // every waiter has been told, the one of this call too
      }
    }
    this.#sinceConsidered += changed;
    if (this.#sinceConsidered < 16) return;
    this.#sinceConsidered = 0;
    this.#flusher.consider();
  }

  prepare(): { version: number; timeMs: number } {
    this.core.assertWritable();
    return { version: this.core.applied + 1, timeMs: this.core.nowMs() };
  }

  begin(options?: BeginOptions): Transaction {
    return this.#begin(options);
  }

  #begin(options?: BeginOptions): EngineTransaction {
    this.core.assertReadable();
    this.core.sliced?.finish();
    if (this.core.status === 'failed') throw this.core.group.failure!;
    return new EngineTransaction(this.core, this, options);
  }

  async transact<T>(work: (txn: Transaction) => T | Promise<T>, options: CommitOptions & { retries?: number } = {}): Promise<T> {
    if (typeof work !== 'function') throw new SteleError('invalid', 'OPTION_INVALID', `work is ${described(work)}, expected a function`);
    const { retries = 10, ...commitOptions } = options;
    if (!Number.isSafeInteger(retries) || retries < 0)
      throw new SteleError('invalid', 'OPTION_INVALID', `retries is ${retries}, expected a whole number from 0`);
    for (let attempt = 0; ; attempt++) {
      const txn = this.#begin();
      try {
        const result = await work(txn);
        await this.commit(txn, commitOptions);
        return result;
      } catch (error) {
        txn.abort();
        // Conflicts of this transaction only: what else the work throws is its own affair.
        if (error === undefined || error !== txn.conflict || attempt >= retries) throw error;
      }
      await new Promise<void>((resolve) => this.core.host.timers.immediate(resolve));
    }
  }

  /** @internal */
  commit(txn: EngineTransaction, options: CommitOptions | undefined): Promise<Commit> {
    try {
      const applied = this.#commitTransaction(txn, options);
      return applied === undefined ? this.#withoutEffect(txn.version) : this.#promise(applied, options?.durability);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** @internal */
  commitSync(txn: EngineTransaction, options: CommitOptions | undefined): Commit {
    const { version } = txn;
    const applied = this.#commitTransaction(txn, options);
    return applied === undefined ? this.#withoutEffectNow(version) : this.#settle(applied, options?.durability);
  }

  #commitTransaction(txn: EngineTransaction, options: CommitOptions | undefined): Applied | undefined {
    const { core } = this;
    try {
      checkCommitOptions(options);
      if (txn.writes.size === 0) return undefined;
      core.assertWritable();
      const timeMs = txn.isInTurn ? txn.timeMs : core.nowMs();
      txn.validate(timeMs);
      return this.#writer.effects(txn.writes.sorted(), options, timeMs);
    } finally {
      txn.abort();
    }
  }
}

const STRENGTH: Readonly<Record<Durability, number>> = { async: 0, debounced: 1, immediate: 2 };

/** At the weaker level until group commit says otherwise. */
function receiptOf({ version, timeMs, checksum, changed }: Applied): Receipt {
  return new Receipt(version, timeMs, 'kernel', checksum, changed);
}

/** The strongest of database and call wins. */
function strongest(a: Durability, b: Durability | undefined): Durability {
  return b === undefined || STRENGTH[a] >= STRENGTH[b] ? a : b;
}

/** Copies, in key order. @throws {SteleError} `invalid` RANGE_INVALID for what is no range, and for ranges that overlap */
function checkedRanges(ranges: readonly Required<KeyRange>[]): Required<KeyRange>[] {
  for (const { start, end } of ranges) checkBounds(start, end);
  const own = ranges.map(({ start, end }) => ({ start: start.slice(), end: end.slice() }));
  own.sort((a, b) => compareBytes(a.start, 0, a.start.length, b.start, 0, b.start.length));
  for (let at = 1; at < own.length; at++) {
    const before = own[at - 1]!.end;
    const { start } = own[at]!;
    if (compareBytes(before, 0, before.length, start, 0, start.length) > 0)
      throw new SteleError('invalid', 'RANGE_INVALID', `ranges ${at - 1} and ${at} overlap, expected ranges apart from each other`);
  }
  return own;
}

/** `put` without a value must not become a delete. */
function checkGiven(value: unknown): void {
  if (value === undefined) throw new SteleError('invalid', 'VALUE_INVALID', 'value is undefined, expected bytes');
}
