/**
 * Draft: a write of any shape, collected leaf by leaf and committed at once.
 *
 * Everything happens in one turn of the program, so what a draft reads (an increment, a condition, the entry of an idempotency key) is what
 * holds at its commit. Where nothing is derived it becomes one batch of the kernel; below a maintainer it goes through a transaction that
 * cannot conflict.
 *
 * Specification: docs/api.md, "Writing".
 */

import { SteleError } from '../base/errors.ts';
import type { Commit, Durability, KeyRange, Operation, Transaction } from '../txn/types.ts';
import type { Who } from './identity.ts';
import { added } from './increment.ts';
import { onceKey, receiptOf, repeated } from './once.ts';
import { describe } from './path/layout.ts';
import type { Path } from './path/types.ts';
import { behind, type Place } from './place.ts';
import { isWithin } from './policy/effective.ts';
import { WriteSession } from './session.ts';
import { isStamped, stamped } from './stamp.ts';
import { checkMembers, type Store } from './store.ts';
import { flattenTree } from './tree-value.ts';
import type { BatchOperation, CommitOptions, WritePath } from './types.ts';
import type { Value } from './value/types.ts';
import { kernelOptions, type Lifetime, lifetimeOf, stronger } from './write-options.ts';

const OPERATIONS_MAX = 100_000;
const OPERATION_MEMBERS: Readonly<Record<BatchOperation['type'], ReadonlySet<string>>> = {
  put: new Set(['type', 'path', 'value', 'ttl', 'expiresAt', 'ifVersion']),
  delete: new Set(['type', 'path', 'ifVersion']),
  check: new Set(['type', 'path', 'ifVersion']),
  increment: new Set(['type', 'path', 'delta', 'ifVersion']),
  deleteTree: new Set(['type', 'path']),
};
const NOTHING = new Uint8Array(0);
/** Behind a prefix it goes on with an escaped zero: another segment. */
const ESCAPE = '\xff';
const FOR_EVER: Lifetime = { ttlMs: undefined, expiresAt: 0 };

type Step =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array; readonly lifetime: Lifetime }
  | { readonly type: 'delete'; readonly key: Uint8Array }
  | { readonly type: 'deleteBelow'; readonly key: Uint8Array }
  | { readonly type: 'check'; readonly key: Uint8Array; readonly ifVersion: number };

/** undefined: deleted. */
type Written = { readonly value: Value; readonly lifetime: Lifetime } | undefined;

export class Draft {
  readonly #store: Store;
  readonly #place: Place;
  readonly #who: Who;
  readonly #options: CommitOptions | undefined;
  readonly #onceKey: Uint8Array | undefined;
  readonly #steps: Step[] = [];
  readonly #version: number;
  readonly #timeMs: number;
  #stamps = 0;
  #durability: Durability | undefined;
  #isDerived = false;
  /** What this draft wrote, by key, once an increment has asked. */
  #written: Map<string, Written> | undefined;
  /** One commit whatever its size: trees. */
  isUnbounded = false;
  /** Kept under the idempotency key, for whoever repeats it. */
  result: Value | undefined;

  /** @throws {SteleError} `closed`, `denied`, `unavailable` COMMIT_UNKNOWN */
  constructor(store: Store, place: Place, who: Who, options: CommitOptions | undefined) {
    this.#store = store;
    this.#place = place;
    this.#who = who;
    this.#options = options;
    ({ version: this.#version, timeMs: this.#timeMs } = store.engine.prepare());
    this.#onceKey = options?.once === undefined ? undefined : onceKey(options.once);
  }

  /** The first commit under the draft's idempotency key. */
  first(): Commit | undefined {
    if (this.#onceKey === undefined) return undefined;
    const first = repeated(this.#store.engine, this.#onceKey);
    return first === undefined ? undefined : receiptOf(this.#store.engine, first.version);
  }

  /** What the first run returned. */
  firstResult(): Value | undefined {
    const first = repeated(this.#store.engine, this.#onceKey!);
    return first === undefined || first.result.length === 0 ? undefined : this.#store.codec.decode(first.result, 0, first.result.length);
  }

  /** Resolves when everything written so far is at the level it asked for, the first commit too. */
  async reached(): Promise<void> {
    await this.#store.engine.batch([]);
  }

  reachedSync(): void {
    this.#store.engine.batchSync([]);
  }

  put(path: WritePath, value: Value | object, lifetime: Lifetime, ifVersion?: number): void {
    const key = this.#place.key(isStamped(path) ? stamped(path, this.#version, this.#stamps++) : (path as Path));
    this.#check(key, ifVersion);
    this.#put(key, value, lifetime);
  }

  #put(key: Uint8Array, value: Value | object, lifetime: Lifetime): void {
    const step = { type: 'put', key, value: this.#store.codec.encode(value), lifetime: this.#touch(key, lifetime) } as const;
    this.#steps.push(step);
    this.#written?.set(nameOf(key), { value: value as Value, lifetime: step.lifetime });
  }

  delete(path: Path, ifVersion?: number): void {
    const key = this.#place.key(path);
    this.#check(key, ifVersion);
    this.#touch(key, undefined);
    this.#steps.push({ type: 'delete', key });
    this.#written?.set(nameOf(key), undefined);
  }

  check(path: Path, ifVersion: number): void {
    this.#check(this.#place.key(path), ifVersion);
  }

  #check(key: Uint8Array, ifVersion: number | undefined): void {
    if (ifVersion !== undefined) this.#steps.push({ type: 'check', key, ifVersion });
  }

  /** Gives the sum. The entry keeps its expiry. */
  increment(path: Path, delta: number | bigint, ifVersion?: number): number | bigint {
    const { engine, codec } = this.#store;
    const key = this.#place.key(path);
    this.#check(key, ifVersion);
    this.#written ??= this.#writtenSoFar();
    const name = nameOf(key);
    const entry = this.#written.has(name) ? undefined : engine.entry(key);
    const before =
      entry === undefined
        ? this.#living(this.#written.get(name))
        : {
            value: codec.decode(entry.value, 0, entry.value.length),
            lifetime: entry.expiresAt === undefined ? FOR_EVER : { ttlMs: undefined, expiresAt: entry.expiresAt },
          };
    const sum = added(before?.value, delta, path);
    this.#put(key, sum, before?.lifetime ?? lifetimeOf(undefined));
    return sum;
  }

  /** What was put with an end that has come is not there, as everywhere. */
  #living(written: Written): Written {
    const { expiresAt = 0 } = written?.lifetime ?? {};
    return expiresAt !== 0 && expiresAt <= this.#timeMs ? undefined : written;
  }

  #writtenSoFar(): Map<string, Written> {
    const written = new Map<string, Written>();
    const { codec, engine } = this.#store;
    for (const step of this.#steps) {
      if (step.type === 'put')
        written.set(nameOf(step.key), { value: codec.decode(step.value, 0, step.value.length), lifetime: step.lifetime });
      else if (step.type === 'delete') written.set(nameOf(step.key), undefined);
      else if (step.type === 'deleteBelow')
        this.#forget(engine.scan({ start: step.key, end: behind(step.key), values: false }), step.key, written);
    }
    return written;
  }

  #forget(stored: Iterable<{ readonly key: Uint8Array }>, prefix: Uint8Array, written: Map<string, Written>): void {
    for (const { key } of stored) written.set(nameOf(key), undefined);
    const below = nameOf(prefix);
    for (const name of written.keys()) if (name.startsWith(below) && name[below.length] !== ESCAPE) written.set(name, undefined);
  }

  deleteTree(path: Path): void {
    const key = this.#place.prefixKey(path);
    const { book, engine } = this.#store;
    if (!book.isEmpty) {
      this.#touch(key, undefined);
      this.#durability = stronger(this.#durability, book.durabilityWithin(key));
      if (book.maintainersWithin(key).length > 0) this.#isDerived = true;
    }
    this.#steps.push({ type: 'deleteBelow', key });
    if (this.#written !== undefined) this.#forget(engine.scan({ start: key, end: behind(key), values: false }), key, this.#written);
  }

  putTree(path: Path, tree: Value | object, lifetime: Lifetime, isMerge: boolean): void {
    this.isUnbounded = true;
    const leaves = flattenTree(tree);
    const below = this.#place.prefixKey(path);
    const base = this.#place.path(below, 0, below.length);
    if (!isMerge) this.deleteTree(path);
    for (const leaf of leaves) this.#put(this.#place.key([...base, ...leaf.path]), leaf.value, lifetime);
  }

  /** @throws {SteleError} `invalid` BATCH_INVALID, BATCH_TOO_LARGE */
  batch(operations: readonly BatchOperation[]): void {
    if (!Array.isArray(operations)) throw new SteleError('invalid', 'BATCH_INVALID', `batch is ${describe(operations)}, expected an array`);
    if (operations.length > OPERATIONS_MAX)
      throw new SteleError('invalid', 'BATCH_TOO_LARGE', `${operations.length} operations, at most ${OPERATIONS_MAX}`);
    for (let at = 0; at < operations.length; at++) this.#operation(operations[at]!, at);
  }

  #operation(operation: BatchOperation, at: number): void {
    const type = operation?.type;
    const members = typeof type === 'string' && Object.hasOwn(OPERATION_MEMBERS, type) ? OPERATION_MEMBERS[type] : undefined;
    if (members === undefined)
      throw new SteleError(
        'invalid',
        'BATCH_INVALID',
        `operation ${at}: type is ${describe(type)}, expected ${Object.keys(OPERATION_MEMBERS).join(', ')}`,
      );
    for (const name in operation) if (!members.has(name)) checkMembers(`operation ${at}`, operation, members);
    if (operation.type === 'put') this.put(operation.path, operation.value, lifetimeOf(operation), operation.ifVersion);
    else if (operation.type === 'delete') this.delete(operation.path, operation.ifVersion);
    else if (operation.type === 'check') this.check(operation.path, required(operation.ifVersion, at));
    else if (operation.type === 'increment') this.increment(operation.path, operation.delta ?? 1, operation.ifVersion);
    else this.deleteTree(operation.path);
  }

  /** Notes what policies say about a leaf; gives the lifetime with the subtree's ttl in it. */
  #touch(key: Uint8Array, lifetime: Lifetime): Lifetime;
  #touch(key: Uint8Array, lifetime: undefined): undefined;
  #touch(key: Uint8Array, lifetime: Lifetime | undefined): Lifetime | undefined {
    const { book } = this.#store;
    if (book.isEmpty) return lifetime;
    const effective = book.find(key, key.length);
    if (effective === undefined) return lifetime;
    this.#durability = stronger(this.#durability, effective.durability);
    if (effective.maintainers.length > 0) this.#isDerived = true;
    if (lifetime === undefined || effective.ttlMs === undefined || lifetime.ttlMs !== undefined || lifetime.expiresAt !== undefined)
      return lifetime;
    return effective.ttlMs === Number.POSITIVE_INFINITY ? lifetime : { ttlMs: effective.ttlMs, expiresAt: undefined };
  }

  commit(): Promise<Commit> {
    this.#assertAtOnce();
    const { engine } = this.#store;
    const ranges = this.#wholeRanges();
    if (ranges !== undefined) return engine.deleteRanges(ranges, this.#kernelOptions());
    if (this.#isDerived) {
      const txn = this.#intoTransaction();
      return txn.commit(this.#kernelOptions());
    }
    return engine.batch(this.#operations(), this.#kernelOptions());
  }

  /** What was read and derived so far holds only while nothing else was committed: by an accessor among the options, say. */
  #assertAtOnce(): void {
    if (this.#store.engine.prepare().version === this.#version) return;
    throw new SteleError('invalid', 'OPTION_INVALID', 'the request wrote to the database while it was read, expected plain data');
  }

  /** A deleteTree and nothing else, of which nobody above wants to hear leaf by leaf: ranges, deleted in slices. */
  #wholeRanges(): Required<KeyRange>[] | undefined {
    const [step] = this.#steps;
    if (this.#steps.length !== 1 || step!.type !== 'deleteBelow' || this.#onceKey !== undefined) return undefined;
    const { key } = step!;
    const { book } = this.#store;
    const ranges: Required<KeyRange>[] = [{ start: key, end: behind(key) }];
    if (book.isEmpty) return ranges;
    if (book.find(key, key.length)?.maintainers.some((one) => one.prefix.length < key.length) === true) return undefined;
    for (const maintainer of book.maintainersWithin(key)) ranges.push(...maintainer.derivedRanges(key));
    return ranges;
  }

  commitSync(): Commit {
    this.#assertAtOnce();
    const { engine } = this.#store;
    if (this.#isDerived) return this.#intoTransaction().commitSync(this.#kernelOptions());
    return engine.batchSync(this.#operations(), this.#kernelOptions());
  }

  #kernelOptions(): ReturnType<typeof kernelOptions> {
    return kernelOptions(this.#who, this.#options, this.#durability, this.isUnbounded);
  }

  #operations(): Operation[] {
    const operations: Operation[] = [];
    for (const step of this.#steps) {
      const { key } = step;
      if (step.type === 'put') operations.push({ type: 'put', key, value: step.value, ...spelled(step.lifetime) });
      else if (step.type === 'deleteBelow') operations.push({ type: 'deleteRange', start: key, end: behind(key) });
      else operations.push(step);
    }
    if (this.#onceKey !== undefined) operations.push({ type: 'put', key: this.#onceKey, value: this.#resultBytes() });
    return operations;
  }

  /** The same through maintainers. The caller commits in this turn. */
  #intoTransaction(): Transaction {
    const txn = this.#store.engine.begin({ unbounded: this.isUnbounded, inTurn: true });
    try {
      for (const step of this.#steps) if (step.type === 'check') checkVersion(txn, step.key, step.ifVersion);
      const session = new WriteSession(this.#store, txn);
      // Put with an end that has come: a transaction does not see them, and a batch takes them back all the same.
      const ended: Uint8Array[] = [];
      for (const step of this.#steps) {
        if (step.type === 'put') {
          session.putLeaf(step.key, step.value, step.lifetime);
          const { expiresAt = 0 } = step.lifetime;
          if (expiresAt !== 0 && expiresAt <= txn.timeMs) ended.push(step.key);
        } else if (step.type === 'delete') session.deleteLeaf(step.key);
        else if (step.type === 'deleteBelow') {
          session.deleteBelow(step.key);
          for (const key of ended) if (isWithin(key, key.length, step.key)) txn.delete(key);
        }
      }
      session.finish();
      if (this.#onceKey !== undefined) txn.put(this.#onceKey, this.#resultBytes());
      return txn;
    } catch (error) {
      txn.abort();
      throw error;
    }
  }

  #resultBytes(): Uint8Array {
    return this.result === undefined ? NOTHING : this.#store.codec.encode(this.result);
  }
}

/** @throws {SteleError} `invalid` BATCH_INVALID */
function required(ifVersion: number | undefined, at: number): number {
  if (ifVersion === undefined) throw new SteleError('invalid', 'BATCH_INVALID', `operation ${at}: check without ifVersion`);
  return ifVersion;
}

/** @throws {SteleError} `conflict` VERSION_MISMATCH; `invalid` VERSION_INVALID */
export function checkVersion(txn: Transaction, key: Uint8Array, expected: number): void {
  if (!Number.isSafeInteger(expected) || expected < 0)
    throw new SteleError('invalid', 'VERSION_INVALID', `ifVersion is ${describe(expected)}, expected a commit number from 0`);
  const entry = txn.entry(key);
  const found = entry?.version ?? 0;
  const isOwn = entry !== undefined && found === 0;
  if (found === expected && !isOwn) return;
  const what = isOwn ? 'the path was written in this transaction' : `the path has version ${found}`;
  throw new SteleError('conflict', 'VERSION_MISMATCH', `${what}, expected ${expected === 0 ? 'no entry' : `version ${expected}`}`, {
    detail: { key, found, expected },
  });
}

function spelled({ ttlMs, expiresAt }: Lifetime): { ttlMs?: number; expiresAt?: number } {
  if (ttlMs !== undefined) return { ttlMs };
  return expiresAt === undefined || expiresAt === 0 ? {} : { expiresAt };
}

/** A key as the key of a map. */
function nameOf(key: Uint8Array): string {
  let name = '';
  for (let at = 0; at < key.length; at++) name += String.fromCharCode(key[at]!);
  return name;
}
