/**
 * Write session: leaf changes into a kernel transaction, with what policies and maintainers add to them.
 *
 * Every route that may touch derived data comes through here: a program's transaction, and each plain write below a maintainer.
 *
 * Invariants
 * - A maintainer is told of each leaf after it was written, in order; what it reads joins the transaction's read set.
 * - What it derives is part of the same commit, and a maintainer that throws refuses all of it.
 *
 * Specification: spec/policies.md, "Maintainers"; ARCHITECTURE.md, "The life of a commit".
 */

import type { Durability, Entry, ScanRange, Transaction } from '../txn/types.ts';
import type { DerivedWrites, LeafChange, Maintainer } from './maintainer.ts';
import { behind } from './place.ts';
import type { Effective } from './policy/book.ts';
import type { Store } from './store.ts';
import { type Lifetime, stronger } from './write-options.ts';

export class WriteSession implements DerivedWrites {
  readonly txn: Transaction;
  readonly #store: Store;
  /** The strongest level that a touched subtree asks for. */
  durability: Durability | undefined;
  readonly #checks: ((writes: DerivedWrites) => void)[] = [];
  /** What a maintainer refused a leaf with. The leaf stands without what is derived from it, so nothing may be committed any more. */
  #refusal: { readonly error: unknown } | undefined;
  /** Of the policies the first leaf was written by. */
  #generation: number | undefined;

  constructor(store: Store, txn: Transaction) {
    this.#store = store;
    this.txn = txn;
  }

  get timeMs(): number {
    return this.txn.timeMs;
  }

  // ---- leaves

  putLeaf(key: Uint8Array, value: Uint8Array, lifetime: Lifetime): void {
    const effective = this.#effective(key);
    const expiresAt = expiryOf(lifetime, effective?.ttlMs, this.timeMs);
    const before = effective === undefined ? undefined : this.#before(effective, key);
    this.#put(key, value, expiresAt);
    if (before !== undefined) this.#tell(effective!.maintainers, key, before.value, value, before.expiresAt, expiresAt);
  }

  deleteLeaf(key: Uint8Array): void {
    const effective = this.#effective(key);
    const before = effective === undefined ? undefined : this.#before(effective, key);
    this.txn.delete(key);
    if (before?.value !== undefined) this.#tell(effective!.maintainers, key, before.value, undefined, before.expiresAt, 0);
  }

  /** Everything at and below `prefixKey`. */
  deleteBelow(prefixKey: Uint8Array): void {
    const { book } = this.#store;
    const end = behind(prefixKey);
    this.#generation ??= book.generation;
    this.durability = stronger(this.durability, book.isEmpty ? undefined : book.durabilityWithin(prefixKey));
    const within = book.isEmpty ? [] : book.maintainersWithin(prefixKey);
    const above = book.isEmpty ? undefined : this.#effective(prefixKey)?.maintainers.filter((one) => one.prefix.length < prefixKey.length);
    if (above === undefined || above.length === 0) {
      this.txn.deleteRange(prefixKey, end);
      for (const maintainer of within)
        for (const range of maintainer.derivedRanges(prefixKey)) this.txn.deleteRange(range.start, range.end);
      return;
    }
    // Somebody above must hear of each leaf; then the ones within hear too.
    const keys: Uint8Array[] = [];
    for (const { key } of this.txn.scan({ start: prefixKey, end, values: false })) keys.push(key);
    for (const key of keys) this.deleteLeaf(key);
  }

  #effective(key: Uint8Array): Effective | undefined {
    const { book } = this.#store;
    this.#generation ??= book.generation;
    if (book.isEmpty) return undefined;
    const effective = book.find(key, key.length);
    if (effective !== undefined) this.durability = stronger(this.durability, effective.durability);
    return effective;
  }

  /** What the leaf was, when anybody wants to know. */
  #before({ maintainers }: Effective, key: Uint8Array): { value: Uint8Array | undefined; expiresAt: number } | undefined {
    if (maintainers.length === 0) return undefined;
    const entry = this.txn.entry(key);
    return { value: entry?.value, expiresAt: entry?.expiresAt ?? 0 };
  }

  #tell(
    maintainers: readonly Maintainer[],
    key: Uint8Array,
    before: Uint8Array | undefined,
    after: Uint8Array | undefined,
    beforeExpiresAt: number,
    afterExpiresAt: number,
  ): void {
    const change: LeafChange = { key, before, after, beforeExpiresAt, afterExpiresAt };
    try {
      for (const maintainer of maintainers) maintainer.derive(change, this);
    } catch (error) {
      this.#refusal ??= { error };
      throw error;
    }
  }

  /** Runs the conditions on the whole. Call it last. A transaction that wrote by older policies conflicts. */
  finish(): void {
    if (this.#refusal !== undefined) throw this.#refusal.error;
    if (this.#generation !== undefined) this.#store.book.join(this.txn, this.#generation);
    for (let at = 0; at < this.#checks.length; at++) this.#checks[at]!(this);
  }

  // ---- DerivedWrites

  read(key: Uint8Array): Uint8Array | undefined {
    return this.txn.get(key);
  }

  entry(key: Uint8Array): Entry | undefined {
    return this.txn.entry(key);
  }

  scan(range: ScanRange): Iterable<Entry> {
    return this.txn.scan(range);
  }

  put(key: Uint8Array, value: Uint8Array, expiresAt: number): void {
    this.#put(key, value, expiresAt);
  }

  #put(key: Uint8Array, value: Uint8Array, expiresAt: number): void {
    if (expiresAt === 0) this.txn.put(key, value);
    else this.txn.put(key, value, { expiresAt });
  }

  delete(key: Uint8Array): void {
    this.txn.delete(key);
  }

  atCommit(check: (writes: DerivedWrites) => void): void {
    this.#checks.push(check);
  }
}

/** Absolute, 0 for never. */
export function expiryOf({ ttlMs, expiresAt }: Lifetime, policyTtlMs: number | undefined, timeMs: number): number {
  if (expiresAt !== undefined) return expiresAt;
  const ttl = ttlMs ?? policyTtlMs;
  return ttl === undefined || ttl === Number.POSITIVE_INFINITY ? 0 : Math.ceil(timeMs + ttl);
}
