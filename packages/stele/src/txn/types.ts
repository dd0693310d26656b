/**
 * The byte interface of the kernel: what `model` stands on and what the racks drive.
 *
 * Keys are bytes, 1 to 1,100 of them; the first is the keyspace code (1 system, 2 the application's, 3 layers). Values are bytes, 0 to
 * 64 MiB. Order is byte order. A *version* is a commit number: dense, from 1; version 0 is the empty database.
 *
 * A file of interfaces only. Specification: spec/transactions.md; reference: test/reference.
 */

import type { Instance } from '../base/date.ts';
import type { SteleError } from '../base/errors.ts';
import type { Host } from '../host/host.ts';
import type { SharedHandle } from './threads/handle.ts';

export type Durability = 'immediate' | 'debounced' | 'async';

/** Receipt of a commit. A write without effect yields the newest version and `changed` 0. */
export interface Commit {
  readonly version: number;
  /** Recorded time, ms since the epoch; never decreases with the version. */
  readonly timeMs: number;
  /** The same as a Date. */
  readonly time: Instance;
  /** The level reached when the promise resolved, or for the blocking form when it returned. */
  readonly durability: 'kernel' | 'device';
  /** CRC-32 of the commit's (last) record: chains over all history. 0 when nothing was written. */
  readonly checksum: number;
  /** Keys changed. */
  readonly changed: number;
}

export interface CommitOptions {
  readonly durability?: Durability;
  /** Evidence given by the caller, ms since the epoch; searchable as such, never used for expiry. */
  readonly assertedTimeMs?: number;
  /** Who, why, how: opaque bytes, canonical form owned by `model`; stored in the record, each a salted leaf. */
  readonly meta?: readonly Uint8Array[];
  /** Of a batch: more than 100,000 operations or 64 MiB are allowed. It is applied in one go: meant for what must be one commit. */
  readonly unbounded?: boolean;
}

export interface WriteOptions extends CommitOptions {
  /** Absolute, ms since the epoch. At or before the commit's time: the write is a delete in effect but stays in history. */
  readonly expiresAt?: number;
  /** Relative to the commit's recorded time. Not together with expiresAt. */
  readonly ttlMs?: number;
  /** The version the live entry must have; 0 = must not exist (deleted and expired count as not existing). Else `conflict` VERSION_MISMATCH. */
  readonly ifVersion?: number;
}

/** Conditions (`ifVersion`, `check`) are judged against the state before the batch. Same key twice: the last effect counts. */
export type Operation =
  | {
      readonly type: 'put';
      readonly key: Uint8Array;
      readonly value: Uint8Array;
      readonly expiresAt?: number;
      readonly ttlMs?: number;
      readonly ifVersion?: number;
    }
  | { readonly type: 'delete'; readonly key: Uint8Array; readonly ifVersion?: number }
  | { readonly type: 'check'; readonly key: Uint8Array; readonly ifVersion: number }
  | { readonly type: 'deleteRange'; readonly start: Uint8Array; readonly end: Uint8Array };

/** `start` inclusive, `end` exclusive; either may be missing. */
export interface KeyRange {
  readonly start?: Uint8Array;
  readonly end?: Uint8Array;
}

export interface ScanRange extends KeyRange {
  readonly reverse?: boolean;
  readonly limit?: number;
  /** Default true; false leaves `value` an empty array and reads no large values. */
  readonly values?: boolean;
}

export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** The commit that wrote it. */
  readonly version: number;
  /** ms since the epoch; undefined = never. */
  readonly expiresAt: number | undefined;
}

/** Turns value bytes in place into what the caller wants; must not keep `bytes`. */
export type Decode<T> = (bytes: Uint8Array, start: number, end: number) => T;

/** Makes of an entry in place what the caller wants; must not keep `key` or `bytes`. `expiresAt` is 0 for never. */
export type Make<T> = (
  key: Uint8Array,
  keyBytes: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  version: number,
  expiresAt: number,
) => T;

/** A lazy walk over a range. It may be abandoned. */
export interface Walk<T> extends IterableIterator<T> {
  next(): IteratorResult<T, undefined>;
  return(): IteratorResult<T, undefined>;
  /**
   * Goes on with the first entry at or behind the key in `key[0, keyBytes)`, in a reversed walk with the last one before it. For keys that
   * lie ahead in the range. Cost: one descent at the next step.
   */
  skipTo(key: Uint8Array, keyBytes: number): void;
}

/** Reads see one (commit, time). All returned bytes are copies. */
export interface Reader {
  get(key: Uint8Array): Uint8Array | undefined;
  /** As get without the copy. Cost: one probe or descent; no allocation of ours. */
  read<T>(key: Uint8Array, keyBytes: number, decode: Decode<T>): T | undefined;
  getMany(keys: readonly Uint8Array[]): (Uint8Array | undefined)[];
  readMany<T>(keys: readonly Uint8Array[], decode: Decode<T>): (T | undefined)[];
  has(key: Uint8Array): boolean;
  entry(key: Uint8Array): Entry | undefined;
  /** Lazy, hand-written iterator; may be abandoned; sees the reader's view even while writes go on. */
  scan(range?: ScanRange): IterableIterator<Entry>;
  /** As scan, with `make` in the place of copies. */
  walk<T>(range: ScanRange, make: Make<T>): Walk<T>;
  /** Batch form of scan without keeping entries: `visit` gets key and value in place; return false to stop. Returns entries visited. */
  forEach(
    range: ScanRange,
    visit: (keyBytes: Uint8Array, keyLength: number, bytes: Uint8Array, start: number, end: number, version: number) => boolean | void,
  ): number;
  /** Exact. O(log n) plus expired-not-yet-swept on the newest state. */
  count(range?: KeyRange): number;
  first(range?: KeyRange): Entry | undefined;
  last(range?: KeyRange): Entry | undefined;
  /** The n-th live entry (from 0) of the range. */
  nth(range: KeyRange, n: number): Entry | undefined;
  getAsync(key: Uint8Array): Promise<Uint8Array | undefined>;
  getManyAsync(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
}

/** A read view (commit, time), fixed when opened; pins history until closed. Idle for longer than `viewIdleMs`: `closed` VIEW_EXPIRED. */
export interface View extends Reader, Disposable {
  readonly version: number;
  readonly timeMs: number;
  /** Prefixes not kept at this view. With `skipExpired` their keys are left out, otherwise reading them is HISTORY_EXPIRED. Fixed when opened. */
  readonly skipped: readonly Uint8Array[];
  close(): void;
}

export interface ViewOptions {
  /** Leave out what is not kept instead of throwing HISTORY_EXPIRED; the ranges left out are listed in `skipped`. */
  readonly skipExpired?: boolean;
}

/** Serializable: everything examined joins the read set, missing keys, counts and ranges included. Own writes are seen. */
export interface Transaction extends Reader {
  readonly version: number;
  readonly timeMs: number;
  put(key: Uint8Array, value: Uint8Array, options?: { expiresAt?: number; ttlMs?: number }): void;
  delete(key: Uint8Array): void;
  deleteRange(start: Uint8Array, end: Uint8Array): void;
  /** Reads without joining the read set. */
  peek(key: Uint8Array): Uint8Array | undefined;
  /** @throws {SteleError} `conflict` CONFLICT or TXN_TOO_OLD; nothing was written. */
  commit(options?: CommitOptions): Promise<Commit>;
  commitSync(options?: CommitOptions): Commit;
  /** Idempotent; also after commit. */
  abort(): void;
  /** The conflict this transaction met, CONFLICT or TXN_TOO_OLD: running it again may help. */
  readonly conflict: SteleError | undefined;
}

export interface BeginOptions {
  /** It may write more than 100,000 keys or 64 MiB. */
  readonly unbounded?: boolean;
  /** The caller commits in the turn of the begin, and the commit's time is that of the begin: it cannot conflict. */
  readonly inTurn?: boolean;
}

export interface HistoryEntry {
  /** undefined = deleted or expired here. */
  readonly value: Uint8Array | undefined;
  /** The commit; for an expiry the commit that wrote the value that ended. */
  readonly version: number;
  /** Recorded time of the commit; for an expiry its `expiresAt`. */
  readonly timeMs: number;
  readonly expired: boolean;
}

export interface ChangeOperation {
  readonly type: 'put' | 'delete';
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
  readonly expiresAt: number | undefined;
  /** Version superseded, 0 when there was none or its past is not kept. */
  readonly previousVersion: number;
}

/** What the record of a commit says besides its operations. */
export interface CommitRecord {
  readonly version: number;
  readonly timeMs: number;
  readonly assertedTimeMs: number | undefined;
  readonly meta: readonly Uint8Array[];
  /** Keys changed. */
  readonly changed: number;
  /** CRC-32 of its last record. */
  readonly checksum: number;
}

export interface Change {
  readonly version: number;
  readonly timeMs: number;
  readonly assertedTimeMs: number | undefined;
  readonly meta: readonly Uint8Array[];
  readonly operations: readonly ChangeOperation[];
}

/**
 * What `model` plugs in so that retention can differ by key: the engine asks it at every overwrite.
 * Rules are prefixes; the longest matching prefix wins. The empty prefix is the database's own rule and always present.
 */
export interface RetentionRules {
  /** Sorted by prefix. `historyMs`: 0 = only what open views need; Infinity = for ever. */
  readonly rules: readonly { readonly prefix: Uint8Array; readonly historyMs: number }[];
}

export interface EngineOptions {
  readonly host: Host;
  /** Default `immediate`. */
  readonly durability?: Durability;
  /** 1 to 60,000 ms, default 250. */
  readonly debounceMs?: number;
  /** Bytes of page frames and accelerator; at least 1 MiB. Default: given by the host's caller. */
  readonly cacheMemory?: number;
  /** 8192 (default), 16384 or 32768; recorded at creation. */
  readonly pageSize?: number;
  /** 64 KiB to 1 GiB, default 64 MiB. */
  readonly segmentBytes?: number;
  /** ms; default Infinity; 0 = only what open views need. */
  readonly historyRetention?: number;
  /** ms; default the longest history of any rule; shorter is refused. */
  readonly logRetention?: number;
  readonly readOnly?: boolean;
  /** Default true. */
  readonly accelerator?: boolean;
  /** ms without a read after which a view expires; default 10 min; Infinity = never. */
  readonly viewIdleMs?: number;
  readonly logger?: (event: {
    readonly level: 'debug' | 'info' | 'warn' | 'error';
    readonly message: string;
    readonly detail?: Readonly<Record<string, unknown>>;
  }) => void;
}

export interface Engine extends Reader, AsyncDisposable {
  readonly databaseId: Uint8Array;
  /** Newest commit applied. */
  readonly version: number;
  readonly visibleVersion: number;
  readonly durableVersion: number;

  put(key: Uint8Array, value: Uint8Array, options?: WriteOptions): Promise<Commit>;
  putSync(key: Uint8Array, value: Uint8Array, options?: WriteOptions): Commit;
  /** As put, of `value[0, valueBytes)` at `key[0, keyBytes)`: for callers who write them into buffers that are used again. */
  putFrom(key: Uint8Array, keyBytes: number, value: Uint8Array, valueBytes: number, options?: WriteOptions): Promise<Commit>;
  putFromSync(key: Uint8Array, keyBytes: number, value: Uint8Array, valueBytes: number, options?: WriteOptions): Commit;
  delete(key: Uint8Array, options?: WriteOptions): Promise<Commit>;
  deleteSync(key: Uint8Array, options?: WriteOptions): Commit;
  /** Atomic at any size, applied in slices. */
  deleteRange(start: Uint8Array, end: Uint8Array, options?: CommitOptions): Promise<Commit>;
  /** As deleteRange, several ranges apart from each other in one commit. */
  deleteRanges(ranges: readonly Required<KeyRange>[], options?: CommitOptions): Promise<Commit>;
  batch(operations: readonly Operation[], options?: CommitOptions): Promise<Commit>;
  batchSync(operations: readonly Operation[], options?: CommitOptions): Commit;
  /** Runs `work` and commits; on conflict runs it again, up to `retries` times (default 10). `work` may be async. */
  transact<T>(work: (txn: Transaction) => T | Promise<T>, options?: CommitOptions & { retries?: number }): Promise<T>;
  begin(options?: BeginOptions): Transaction;
  /** Number and earliest time of the commit that the next write of this turn makes. Finishes a large delete that is under way. */
  prepare(): { version: number; timeMs: number };

  snapshot(): View;
  asOf(version: number, options?: ViewOptions): View;
  /** The newest version recorded at or before `timeMs`, with expiry judged at `timeMs`. */
  asOfTime(timeMs: number, options?: ViewOptions): View;
  /** The newest version whose running maximum of asserted time is at most `timeMs`. */
  asOfAsserted(timeMs: number, options?: ViewOptions): View;
  /** Newest first. */
  history(key: Uint8Array, options?: { limit?: number }): IterableIterator<HistoryEntry>;
  /** Whole commits after version `from`, oldest first; by default those that are durable. `through` may name later ones that are visible. */
  changes(from: number, through?: number): IterableIterator<Change>;
  /** The record of one commit, applied and not necessarily durable. @throws {SteleError} `invalid` HISTORY_EXPIRED when the log no longer has it */
  commitRecord(version: number): CommitRecord;
  /** Recorded time of a commit, 0 for version 0; known for ever. */
  timeOf(version: number): number;
  /** Called after the commits' promises, in order, once they are durable (or at the weaker level they asked for). */
  onCommitted(listener: (firstVersion: number, lastVersion: number) => void): Disposable;

  /** Called whenever more became durable, with the newest durable commit; and once with `undefined` when the database closes or fails. */
  onDurable(listener: (version: number | undefined) => void): Disposable;

  setRetention(rules: RetentionRules): void;
  /** The rules in force, sorted by prefix; the first, with the empty prefix, is the database's own. */
  readonly retention: RetentionRules;

  /** Everything committed so far is on the device. */
  sync(): Promise<{ durableVersion: number }>;
  /** Pages to disk, meta written. */
  flush(): Promise<void>;
  /** Repacks leaves, moves pages to the front, gives space back, drops what retention lets go. */
  compact(options?: { signal?: { readonly aborted: boolean }; progress?: (done: number, total: number) => void }): Promise<void>;
  /** A consistent copy into an empty storage, with a new incarnation. */
  backup(
    target: Host['storage'],
    options?: { history?: boolean; signal?: { readonly aborted: boolean }; progress?: (done: number, total: number) => void },
  ): Promise<void>;
  verify(options?: { signal?: { readonly aborted: boolean }; progress?: (done: number, total: number) => void }): Promise<VerifyReport>;
  stats(): EngineStats;
  /**
   * The database for other threads of the process: post the handle to them, `attachEngine` gives a reader there. From now on, until
   * `unshare` or `close`, changes are made so that threads can follow, which costs the writer a little.
   */
  share(): SharedHandle;
  /** Ends the reading of other threads: they find the database closed. Idempotent. */
  unshare(): void;
  /** Drains, syncs, flushes, writes the clean-close mark. Idempotent. */
  close(): Promise<void>;
}

export interface Damage {
  readonly where: 'meta' | 'page' | 'log' | 'index' | 'headers' | 'segment';
  readonly message: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface VerifyReport {
  readonly ok: boolean;
  readonly pages: number;
  readonly entries: number;
  readonly commits: number;
  readonly logBytes: number;
  readonly damages: readonly Damage[];
}

/** Every figure is since open unless it says otherwise. Documented field by field in docs/stats.md. */
export interface EngineStats {
  readonly [section: string]: Readonly<Record<string, number | string | boolean>>;
}
