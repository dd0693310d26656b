/**
 * Reader and Writer: what code is written against that runs unchanged on the embedded and on the remote database.
 *
 * Such code awaits what it reads and walks with `for await`; here both give at once, there they come over the wire. Every
 * {@link Reading} is a Reader and every {@link Bucket} a Writer, which the types themselves show; nothing is converted.
 *
 * A file of interfaces only.
 */

import type { Commit } from '../txn/types.ts';
import type { Path, Segment } from './path/types.ts';
import type {
  BatchOperation,
  Bounds,
  ChildrenOptions,
  CommitOptions,
  DeleteOptions,
  Entry,
  Input,
  Kind,
  PutOptions,
  PutTreeOptions,
  Row,
  ScanOptions,
  TransactOptions,
  TreeOptions,
  WritePath,
} from './types.ts';
import type { Value } from './value/types.ts';

/** Now, or later. `await` takes both. */
export type Awaitable<R> = R | Promise<R>;

/** At once, or as they come. `for await` takes both. */
export type Items<R> = Iterable<R> | AsyncIterable<R>;

export interface Reader<T = Value> {
  get<V = T>(path: Path): Awaitable<V | undefined>;
  getMany<V = T>(paths: readonly Path[]): Awaitable<(V | undefined)[]>;
  has(path: Path): Awaitable<boolean>;
  entry<V = T>(path: Path): Awaitable<Entry<V> | undefined>;
  kind(path: Path): Awaitable<Kind>;
  readValue(path: Path, range?: { readonly offset?: number; readonly length?: number }): Awaitable<Uint8Array | undefined>;
  getTree(path?: Path, options?: TreeOptions): Awaitable<Value | undefined>;
  children(path?: Path, options?: ChildrenOptions): Items<Segment>;
  scan<V = T>(options?: ScanOptions): Items<Row<V>>;
  count(range?: Path | Bounds): Awaitable<number>;
  first<V = T>(prefix?: Path): Awaitable<Row<V> | undefined>;
  last<V = T>(prefix?: Path): Awaitable<Row<V> | undefined>;
  nth<V = T>(prefix: Path, n: number): Awaitable<Row<V> | undefined>;
}

/** What the work of a portable transaction is given. */
export interface PortableTransaction<T = Value> extends Reader<T> {
  put(path: WritePath, value: Input<T>, options?: Pick<PutOptions, 'ttl' | 'expiresAt' | 'ifVersion'>): Awaitable<void>;
  delete(path: Path, options?: Pick<DeleteOptions, 'ifVersion'>): Awaitable<void>;
  deleteTree(path?: Path): Awaitable<void>;
  putTree(path: Path, tree: Value | object, options?: Pick<PutTreeOptions, 'merge' | 'ttl' | 'expiresAt'>): Awaitable<void>;
  increment(path: Path, delta?: number | bigint): Awaitable<number | bigint>;
}

export interface Writer<T = Value> extends Reader<T> {
  put(path: WritePath, value: Input<T>, options?: PutOptions): Promise<Commit>;
  delete(path: Path, options?: DeleteOptions): Promise<Commit>;
  deleteTree(path?: Path, options?: CommitOptions): Promise<Commit>;
  putTree(path: Path, tree: Value | object, options?: PutTreeOptions): Promise<Commit>;
  increment(path: Path, delta?: number | bigint, options?: CommitOptions): Promise<number | bigint>;
  batch(operations: readonly BatchOperation[], options?: CommitOptions): Promise<Commit>;
  transact<R>(work: (tx: PortableTransaction<T>) => Promise<R>, options?: TransactOptions): Promise<R>;
}
