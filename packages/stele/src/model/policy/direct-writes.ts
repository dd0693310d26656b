/**
 * One leaf and what is derived from it, as one batch: the short way for a plain put or delete below a maintainer.
 *
 * A transaction costs a view, a read set and a validation. Where a single leaf is written and the caller commits in the same turn, none is needed: what
 * is read here is the newest state, and nothing comes between.
 *
 * Invariants
 * - `operations` has the leaf first, then what is derived, in the order in which it was derived.
 * - What is read regards what was derived so far.
 *
 * Cost beside a plain put: docs/decisions/0017; measured by bench/policies.bench.ts.
 *
 * Specification: spec/policies.md, "Maintainers".
 */

import { compareBytes, equalBytes } from '../../base/bytes.ts';
import type { Commit, CommitOptions, Engine, Entry, Operation, ScanRange, WriteOptions } from '../../txn/types.ts';
import type { DerivedWrites } from '../maintainer.ts';
import { stronger } from '../write-options.ts';
import type { Effective } from './effective.ts';

type Write = Extract<Operation, { readonly type: 'put' | 'delete' }>;

/** A leaf to be put, or deleted when `value` is undefined. */
export interface DirectLeaf {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
  /** Absolute, 0 = never; undefined: as the subtree's ttl says. */
  readonly expiresAt: number | undefined;
}

/**
 * Writes one leaf with all that its subtrees ask for, in one commit.
 *
 * @throws as a rejection, whatever a maintainer refuses the write with
 */
export function writeDirect(engine: Engine, effective: Effective, leaf: DirectLeaf, options: CommitOptions = {}): Promise<Commit> {
  try {
    const operations = directOperations(engine, effective, leaf);
    const single = operations.length === 1 ? operations[0] : undefined;
    const strongest = withLevel(options, effective);
    if (single?.type === 'put') return engine.put(single.key, single.value, { ...strongest, ...expiryOf(single) });
    return engine.batch(operations, strongest);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** The blocking twin of {@link writeDirect}. */
export function writeDirectSync(engine: Engine, effective: Effective, leaf: DirectLeaf, options: CommitOptions = {}): Commit {
  const operations = directOperations(engine, effective, leaf);
  const single = operations.length === 1 ? operations[0] : undefined;
  const strongest = withLevel(options, effective);
  if (single?.type === 'put') return engine.putSync(single.key, single.value, { ...strongest, ...expiryOf(single) });
  return engine.batchSync(operations, strongest);
}

function withLevel(options: CommitOptions, { durability }: Effective): CommitOptions {
  const level = stronger(durability, options.durability);
  return level === undefined ? options : { ...options, durability: level };
}

function expiryOf({ expiresAt, ttlMs }: { readonly expiresAt?: number; readonly ttlMs?: number }): WriteOptions {
  if (expiresAt !== undefined) return { expiresAt };
  return ttlMs === undefined ? {} : { ttlMs };
}

/** The operations of the write, the leaf first. The caller commits them in this turn, at the level of the subtree at least. */
export function directOperations(engine: Engine, { maintainers, ttlMs }: Effective, leaf: DirectLeaf): readonly Operation[] {
  const { key, value } = leaf;
  if (maintainers.length === 0) return [plainOperation(leaf, ttlMs)];
  const { timeMs } = engine.prepare();
  const writes = new DirectWrites(engine, timeMs);
  const expiresAt = leaf.expiresAt ?? (ttlMs === undefined || ttlMs === Number.POSITIVE_INFINITY ? 0 : Math.ceil(timeMs + ttlMs));
  const before = engine.entry(key);
  if (value === undefined) writes.delete(key);
  else writes.put(key, value, expiresAt);
  const change = { key, before: before?.value, after: value, beforeExpiresAt: before?.expiresAt ?? 0, afterExpiresAt: expiresAt };
  for (let at = 0; at < maintainers.length; at++) maintainers[at]!.derive(change, writes);
  writes.finish();
  return writes.operations;
}

/** Where nothing is derived, the ttl may count from the commit itself. */
function plainOperation({ key, value, expiresAt }: DirectLeaf, ttlMs: number | undefined): Operation {
  if (value === undefined) return { type: 'delete', key };
  if (expiresAt !== undefined) return expiresAt === 0 ? { type: 'put', key, value } : { type: 'put', key, value, expiresAt };
  return ttlMs === undefined || ttlMs === Number.POSITIVE_INFINITY ? { type: 'put', key, value } : { type: 'put', key, value, ttlMs };
}

export class DirectWrites implements DerivedWrites {
  readonly timeMs: number;
  readonly operations: Write[] = [];
  readonly #engine: Engine;
  #checks: ((writes: DerivedWrites) => void)[] | undefined;

  constructor(engine: Engine, timeMs: number) {
    this.#engine = engine;
    this.timeMs = timeMs;
  }

  put(key: Uint8Array, value: Uint8Array, expiresAt: number): void {
    this.operations.push(expiresAt === 0 ? { type: 'put', key, value } : { type: 'put', key, value, expiresAt });
  }

  delete(key: Uint8Array): void {
    this.operations.push({ type: 'delete', key });
  }

  read(key: Uint8Array): Uint8Array | undefined {
    return this.entry(key)?.value;
  }

  entry(key: Uint8Array): Entry | undefined {
    const own = this.#own(key);
    return own === undefined ? this.#engine.entry(key) : this.#entryOf(own);
  }

  /** The last write of the key. Few are written, so they are looked through. */
  #own(key: Uint8Array): Write | undefined {
    const { operations } = this;
    for (let at = operations.length - 1; at >= 0; at--) {
      const own = operations[at]!;
      if (equalBytes(own.key, 0, own.key.length, key, 0, key.length)) return own;
    }
    return undefined;
  }

  /** Version 0: not committed. */
  #entryOf(own: Write): Entry | undefined {
    if (own.type === 'delete' || (own.expiresAt !== undefined && own.expiresAt <= this.timeMs)) return undefined;
    return { key: own.key.slice(), value: own.value.slice(), version: 0, expiresAt: own.expiresAt };
  }

  *scan(range: ScanRange): Generator<Entry, void> {
    const { limit = Number.POSITIVE_INFINITY, ...unlimited } = range;
    const sign = range.reverse === true ? -1 : 1;
    const own = this.operations
      .filter((write, at) => isIn(range, write.key) && this.operations.findLastIndex((other) => compare(other.key, write.key) === 0) === at)
      .sort((a, b) => sign * compare(a.key, b.key));
    let left = limit;
    const give = (entry: Entry | undefined): Entry[] => (entry === undefined || left-- <= 0 ? [] : [entry]);
    let at = 0;
    for (const entry of this.#engine.scan(unlimited)) {
      while (at < own.length && sign * compare(own[at]!.key, entry.key) < 0) yield* give(this.#entryOf(own[at++]!));
      const isReplaced = at < own.length && compare(own[at]!.key, entry.key) === 0;
      yield* give(isReplaced ? this.#entryOf(own[at++]!) : entry);
      if (left <= 0) return;
    }
    while (at < own.length) yield* give(this.#entryOf(own[at++]!));
  }

  atCommit(check: (writes: DerivedWrites) => void): void {
    this.#checks ??= [];
    this.#checks.push(check);
  }

  /** Runs the conditions on the whole. */
  finish(): void {
    if (this.#checks !== undefined) for (const check of this.#checks) check(this);
  }
}

function isIn({ start, end }: ScanRange, key: Uint8Array): boolean {
  return (start === undefined || compare(key, start) >= 0) && (end === undefined || compare(key, end) < 0);
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}
