/**
 * The public surface: what a program that uses the database sees.
 *
 * Three readers of one shape (database, snapshot, transaction), each also below a prefix (subtree). Reads are synchronous and return plain
 * values; a path that never existed, was deleted or has expired is `undefined`, never an exception. Writes resolve when their durability
 * level is reached, in commit order; the `…Sync` twins block until then.
 *
 * A file of interfaces only. Specification: spec/paths.md, spec/values.md, spec/policies.md; docs/api.md lists each call with an example.
 */

import type { Host } from '../host/host.ts';
import type { Storage } from '../host/storage.ts';
import type { RepairReport } from '../txn/repair.ts';
import type { SharedHandle } from '../txn/threads/handle.ts';
import type { Commit, Durability, EngineOptions, EngineStats, VerifyReport } from '../txn/types.ts';
import type { Path, Segment } from './path/types.ts';
import type { Policy } from './policy/types.ts';
import type { JsonArray, JsonObject, Value } from './value/types.ts';

/** A place for the commit's own number, see {@link commitStamp}. */
export interface CommitStamp {
  readonly stamp: 'commit';
}

/** A path to write at: may hold one commit stamp. */
export type WritePath = string | readonly (Segment | CommitStamp)[];

/**
 * What a handle takes: one with a type of its own that type, any other whatever can be stored. (An interface has no index signature, so
 * asking for a `Value` would refuse most of a program's own types; what cannot be stored is refused when it is written.)
 */
export type Input<T> = [Value] extends [T] ? Value | object : T;

/** Milliseconds since the epoch, or a Date. */
export type Instant = number | Date;

// ---- what reads give

export interface Entry<T = Value> {
  readonly value: T;
  /** The commit that wrote it. In a transaction, 0 for what the transaction itself wrote. */
  readonly version: number;
  readonly expiresAt: Date | undefined;
}

export interface Row<T = Value> {
  /** Relative to the handle that was asked. */
  readonly path: Segment[];
  readonly value: T;
  readonly version: number;
}

/** A row whose value was not asked for. */
export interface Spot {
  readonly path: Segment[];
  readonly value: undefined;
  readonly version: number;
}

/** A row of a tree that may have children without a value of its own. */
export interface Match<T = Value> {
  readonly path: Segment[];
  readonly value: T | undefined;
  readonly version: number;
}

export type Kind = 'none' | 'value' | 'tree' | 'both';

/** Lazy, sees one view, may be abandoned. Iterating it twice reads twice, each time a view of its own. */
export interface Rows<T> extends Iterable<T> {
  toArray(): T[];
  /** Calls `visit` with each, until it returns false, and gives how many it visited: the cheapest way through all of them. */
  each(visit: (row: T) => boolean | void): number;
}

/** `start` inclusive, `end` exclusive, both relative to the handle like every path, and inside the prefix; a prefix includes the value at itself, first. */
export interface Bounds {
  readonly prefix?: Path;
  readonly start?: Path;
  readonly end?: Path;
}

export interface ScanOptions extends Bounds {
  /** Begin behind this path (in the direction of the scan): how a page goes on where the last one ended. */
  readonly after?: Path;
  readonly reverse?: boolean;
  /** Rows, from 0. */
  readonly limit?: number;
  /** Default true. False: `value` is undefined and no value is read. */
  readonly values?: boolean;
}

export interface ChildrenOptions {
  /** Begin behind this child (in the direction of the walk). */
  readonly after?: Segment;
  readonly limit?: number;
  readonly reverse?: boolean;
}

export interface TreeOptions {
  /** Levels below the path that are read; what is deeper is left out and its parent is `{}`. Default: all. */
  readonly depth?: number;
  /** Values at most; the tree ends there. Default: all. */
  readonly limit?: number;
}

/** What every view of the data answers. */
export interface Reading<T = Value> {
  /** Cost: one probe of the hash index or one descent, and the decoding of the value. Bytes are copies the caller owns. */
  get<V = T>(path: Path): V | undefined;
  getMany<V = T>(paths: readonly Path[]): (V | undefined)[];
  has(path: Path): boolean;
  entry<V = T>(path: Path): Entry<V> | undefined;
  kind(path: Path): Kind;
  /** Bytes `[offset, offset + length)` of a stored text (as UTF-8) or of stored bytes; shorter at the end. */
  readValue(path: Path, range?: { readonly offset?: number; readonly length?: number }): Uint8Array | undefined;
  /** The values at and below the path as nested objects; children 0, 1, 2… make an array. The value at an inner path has the key ''. */
  getTree(path?: Path, options?: TreeOptions): Value | undefined;
  /** One level, in order. Cost: one descent a child, whatever lies below it. */
  children(path?: Path, options?: ChildrenOptions): Rows<Segment>;
  scan(options: ScanOptions & { readonly values: false }): Rows<Spot>;
  scan<V = T>(options?: ScanOptions): Rows<Row<V>>;
  /** Exact. O(log n) on the newest state. */
  count(range?: Path | Bounds): number;
  first<V = T>(prefix?: Path): Row<V> | undefined;
  last<V = T>(prefix?: Path): Row<V> | undefined;
  /** The n-th row from 0. */
  nth<V = T>(prefix: Path, n: number): Row<V> | undefined;
  /** As `get`; a page that is not in memory is read without blocking the thread. */
  getAsync<V = T>(path: Path): Promise<V | undefined>;
  getManyAsync<V = T>(paths: readonly Path[]): Promise<(V | undefined)[]>;
  /** Brings pages into memory without blocking. Resolves with the number of values it met. */
  prefetch(what: readonly Path[] | { readonly prefix: Path }, options?: { readonly signal?: AbortSignal }): Promise<number>;
}

// ---- what writes take

export interface CommitOptions {
  /** The strongest of database, subtree and call holds. */
  readonly durability?: Durability;
  /** Evidence given by the caller (imports); searchable with `asOf({ asserted })`, never used for expiry. */
  readonly assertedTime?: Instant;
  /** Who and why; over what `as` said. */
  readonly actor?: string;
  readonly reason?: string;
  /** Idempotency key, 1 to 200 bytes of text: stored in the same commit; a repeat writes nothing and gives the first commit. */
  readonly once?: string;
}

export interface PutOptions extends CommitOptions {
  /** Milliseconds from the commit's recorded time; Infinity: never, also where the subtree's policy has a ttl. */
  readonly ttl?: number;
  readonly expiresAt?: Instant;
  /** The version the entry must have; 0: must not exist. Else `conflict` VERSION_MISMATCH and nothing is written. */
  readonly ifVersion?: number;
}

export interface DeleteOptions extends CommitOptions {
  readonly ifVersion?: number;
}

export interface PutTreeOptions extends CommitOptions {
  /** Keep the leaves that the object does not name. Default false: the subtree is replaced. */
  readonly merge?: boolean;
  readonly ttl?: number;
  readonly expiresAt?: Instant;
}

/** Conditions (`ifVersion`, `check`) are judged against the state before the batch; of two effects on one path the last counts. */
export type BatchOperation =
  | {
      readonly type: 'put';
      readonly path: WritePath;
      readonly value: Value | object;
      readonly ttl?: number;
      readonly expiresAt?: Instant;
      readonly ifVersion?: number;
    }
  | { readonly type: 'delete'; readonly path: Path; readonly ifVersion?: number }
  | { readonly type: 'check'; readonly path: Path; readonly ifVersion: number }
  | { readonly type: 'increment'; readonly path: Path; readonly delta?: number | bigint; readonly ifVersion?: number }
  | { readonly type: 'deleteTree'; readonly path: Path };

export interface TransactOptions extends CommitOptions {
  /** Runs after the first when it met a conflict. Default 10. */
  readonly retries?: number;
  readonly signal?: AbortSignal;
  /** Over all runs; then `unavailable` TIMEOUT, and nothing is written. */
  readonly timeoutMs?: number;
}

export interface BeginOptions extends CommitOptions {
  readonly signal?: AbortSignal;
}

/** Both forms of each writing call. */
export interface Writing<T = Value> {
  put(path: WritePath, value: Input<T>, options?: PutOptions): Promise<Commit>;
  putSync(path: WritePath, value: Input<T>, options?: PutOptions): Commit;
  /** Deleting what is not there writes nothing: `changed` is 0. */
  delete(path: Path, options?: DeleteOptions): Promise<Commit>;
  deleteSync(path: Path, options?: DeleteOptions): Commit;
  /** The value at the path and all below. Atomic at any size. */
  deleteTree(path?: Path, options?: CommitOptions): Promise<Commit>;
  deleteTreeSync(path?: Path, options?: CommitOptions): Commit;
  putTree(path: Path, tree: Value | object, options?: PutTreeOptions): Promise<Commit>;
  putTreeSync(path: Path, tree: Value | object, options?: PutTreeOptions): Commit;
  /** Adds to a number; missing counts as 0; whole numbers beyond the safe range become bigint. Keeps the entry's expiry. */
  increment(path: Path, delta?: number | bigint, options?: CommitOptions): Promise<number | bigint>;
  incrementSync(path: Path, delta?: number | bigint, options?: CommitOptions): number | bigint;
  batch(operations: readonly BatchOperation[], options?: CommitOptions): Promise<Commit>;
  batchSync(operations: readonly BatchOperation[], options?: CommitOptions): Commit;
  /**
   * Serializable: everything read joins the read set; a conflict runs `work` again. `work` may be async. With `once`, a repeat gives
   * what the first run returned (it must be a Value) without running `work`.
   */
  transact<R>(work: (tx: Transaction<T>) => R | Promise<R>, options?: TransactOptions): Promise<R>;
  transactSync<R>(work: (tx: Transaction<T>) => R, options?: Omit<TransactOptions, 'signal'>): R;
  /** The same without retry: `commit`, `abort`; disposal aborts. */
  begin(options?: BeginOptions): Promise<Transaction<T>>;
  beginSync(options?: BeginOptions): Transaction<T>;
}

export interface Transaction<T = Value> extends Reading<T>, AsyncDisposable, Disposable {
  /** The newest commit it sees. */
  readonly version: number;
  /** Recorded time of its view: the only clock a procedure needs. */
  readonly time: Date;
  /** Resolves with the commit when it was made and has reached its level; rejects when it was not. */
  readonly committed: Promise<Commit>;
  put(
    path: WritePath,
    value: Input<T>,
    options?: { readonly ttl?: number; readonly expiresAt?: Instant; readonly ifVersion?: number },
  ): void;
  delete(path: Path, options?: { readonly ifVersion?: number }): void;
  deleteTree(path?: Path): void;
  putTree(
    path: Path,
    tree: Value | object,
    options?: { readonly merge?: boolean; readonly ttl?: number; readonly expiresAt?: Instant },
  ): void;
  increment(path: Path, delta?: number | bigint): number | bigint;
  /** Reads without joining the read set. */
  peek<V = T>(path: Path): V | undefined;
  /** `n` random bytes of the host. */
  random(n: number): Uint8Array;
  subtree<V = Value>(path: Path): Transaction<V>;
  /** Rows of an index declared where this handle stands; own writes are seen, and what was looked at joins the read set. */
  lookup<V = T>(index: string, ...key: IndexKey): Rows<Match<V>>;
  /** Of a transaction made by `begin`; inside `transact` it is the caller who commits. */
  commit(): Promise<Commit>;
  commitSync(): Commit;
  /** Idempotent. */
  abort(): void;
}

// ---- time

/** A read view (version, time), fixed when opened; holds history until it is closed. */
export interface Snapshot<T = Value> extends Reading<T>, Disposable {
  readonly version: number;
  /** The time at which expiry is judged. */
  readonly time: Date;
  /** With `skipExpired`: prefixes not kept at this view, left out of every answer. */
  readonly skipped: readonly Segment[][];
  subtree<V = T>(path: Path): SnapshotSubtree<V>;
  history<V = T>(path: Path, options?: { readonly limit?: number }): Rows<HistoryEntry<V>>;
  /** From this view to `other`, in path order: paths whose values differ. */
  diff(other: Snapshot, options?: { readonly prefix?: Path }): Rows<Difference>;
  close(): void;
}

export interface SnapshotSubtree<T = Value> extends Snapshot<T> {
  readonly path: Segment[];
  /** As it was at the view. */
  readonly policy: Policy;
  lookup<V = T>(index: string, ...key: IndexKey): Rows<Match<V>>;
}

export interface HistoryEntry<T = Value> {
  /** undefined = deleted, or ended by its expiry. */
  readonly value: T | undefined;
  readonly version: number;
  /** Recorded time of the commit; for an expiry the time it expired. */
  readonly time: Date;
  readonly expired: boolean;
  readonly actor: string | undefined;
  readonly reason: string | undefined;
}

export interface Difference {
  readonly path: Segment[];
  /** Missing: not there before. */
  readonly before?: Value;
  /** Missing: not there any more. */
  readonly after?: Value;
  /** The commit that made it so. */
  readonly version: number;
}

export interface ChangeOperation {
  readonly type: 'put' | 'delete';
  readonly path: Segment[];
  readonly value: Value | undefined;
  readonly expiresAt: Date | undefined;
  /** Version superseded, 0 when there was none or its past is not kept. */
  readonly previousVersion: number;
}

export interface Change {
  readonly version: number;
  readonly time: Date;
  readonly assertedTime: Date | undefined;
  readonly actor: string | undefined;
  readonly reason: string | undefined;
  readonly ops: readonly ChangeOperation[];
  /** The commit goes on in the next change. */
  readonly more?: true;
}

export interface ChangesOptions {
  /** The last version seen. Default: the newest now. */
  readonly from?: number;
  readonly prefix?: Path;
  readonly signal?: AbortSignal;
}

// ---- structure

/** Values of the fields of an index, in its order; fewer than it has: all that begin so. */
export type IndexKey = readonly (string | number | bigint | boolean | Uint8Array | Date)[];

export interface Identity {
  /** 1 to 256 bytes of text. */
  readonly actor?: string;
  readonly reason?: string;
  /** What the handle may do; missing: everything. `admin`: policies, compaction, backup, repair, closing. */
  readonly capabilities?: readonly Capability[];
}

export type Capability = 'read' | 'write' | 'admin';

/** What a program may do with any part of the data: the type to write against. */
export interface Bucket<T = Value> extends Reading<T>, Writing<T> {
  readonly version: number;
  readonly durableVersion: number;
  as(identity: Identity): Bucket<T>;
  snapshot(): Snapshot<T>;
  asOf(when: number | Date | { readonly asserted: Instant }, options?: { readonly skipExpired?: boolean }): Snapshot<T>;
  history<V = T>(path: Path, options?: { readonly limit?: number }): Rows<HistoryEntry<V>>;
  changes(options?: ChangesOptions): AsyncIterableIterator<Change>;
  /** Called after the commit's promise, in commit order, at the level the commit asked for. */
  watch(prefix: Path, listener: (change: Change) => void): Disposable;
  /** With a policy: declares it, blocking, in a commit of its own; no commit when it is what holds already. */
  subtree<V = Value>(path: Path, policy?: Policy): Subtree<V>;
}

export interface Subtree<T = Value> extends Bucket<T> {
  readonly path: Segment[];
  /** Effective here: declared here and inherited. */
  readonly policy: Policy;
  as(identity: Identity): Subtree<T>;
  snapshot(): SnapshotSubtree<T>;
  asOf(when: number | Date | { readonly asserted: Instant }, options?: { readonly skipExpired?: boolean }): SnapshotSubtree<T>;
  /** Rows whose indexed fields have these values, in path order below them. @throws {SteleError} `invalid` INDEX_MISSING */
  lookup<V = T>(index: string, ...key: IndexKey): Rows<Match<V>>;
  /** Builds a declared index anew from the data. */
  rebuildIndex(index: string): Promise<{ readonly entries: number }>;
}

export interface Database extends Bucket, AsyncDisposable {
  as(identity: Identity): Database;
  readonly readOnly: boolean;
  /** Everything committed so far is on the device. */
  sync(): Promise<{ durableVersion: number }>;
  flush(): Promise<void>;
  compact(options?: Work): Promise<void>;
  /** A consistent copy: a directory, a storage, or with `singleFile` one tar file. */
  backup(target: string | Storage, options?: Work & { readonly singleFile?: boolean; readonly history?: boolean }): Promise<void>;
  verify(options?: Work): Promise<VerifyReport>;
  /** Verifies; what is damaged is repaired: closes, repairs, opens again. Handles stay good, views do not. */
  repair(options?: { readonly backup?: string | Storage; readonly cutLogAt?: 'damage' }): Promise<RepairReport>;
  stats(): EngineStats;
  share(): SharedHandle;
  close(): Promise<void>;
}

/** Long work: how to end it, and how far it is. */
export interface Work {
  readonly signal?: AbortSignal;
  readonly progress?: (done: number, total: number) => void;
}

/** The reading part of a database, in another thread of its process. */
export interface AttachedDatabase extends Reading, Disposable {
  readonly version: number;
  readonly readOnly: true;
  /** The newest visible commit, fixed until closed. */
  snapshot(): AttachedSnapshot;
  close(): void;
}

export interface AttachedSnapshot extends Reading, Disposable {
  readonly version: number;
  close(): void;
}

export interface OpenOptions {
  /** A directory, or a storage such as `memoryStorage()`. */
  readonly storage?: string | Storage;
  /** Replaces clock, randomness, timers, threads and storage together. */
  readonly host?: Host;
  /** Default `immediate`. */
  readonly durability?: Durability;
  /** 1 to 60,000 ms, default 250. */
  readonly debounceMs?: number;
  /** Bytes; default a quarter of memory up to 1 GiB. */
  readonly cacheMemory?: number;
  /** 8192 (default), 16384, 32768; recorded when the database is made. */
  readonly pageSize?: number;
  /** ms; Infinity by default; 0 = only what open views need. */
  readonly historyRetention?: number;
  /** ms; default the longest history of any subtree; shorter is refused. */
  readonly logRetention?: number;
  readonly readOnly?: boolean;
  readonly logger?: EngineOptions['logger'];
  /** ms without a read after which a view expires; default 10 minutes; Infinity = never. */
  readonly viewIdleMs?: number;
}

export type { Commit, Durability, EngineStats, JsonArray, JsonObject, Path, Segment, Value, VerifyReport };
