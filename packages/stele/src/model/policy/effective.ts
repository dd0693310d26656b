/**
 * What holds at each declared subtree, with what it inherits, ready to be found by a key.
 *
 * Invariants
 * - `ttl` is that of the nearest subtree that declares one, `durability` the strongest of all, maintainers are those of all.
 * - Subtrees stand in the order of their keys, a subtree before those below it.
 *
 * Specification: spec/policies.md, "Which policy holds".
 */

import { compareBytes } from '../../base/bytes.ts';
import { NO_PREFIX, PrefixTrie } from '../../base/prefix-trie.ts';
import type { Durability, WriteOptions } from '../../txn/types.ts';
import type { Maintainer } from '../maintainer.ts';
import { stronger } from '../write-options.ts';
import type { DeclaredSubtree } from './catalog.ts';

/** What the writing of a leaf has to regard. */
/** No key below a path goes on with it. */
const ESCAPE = 0xff;

export interface Effective {
  /** ms; undefined: none declared; Infinity: declared to be none. */
  readonly ttlMs: number | undefined;
  readonly durability: Durability | undefined;
  /** To be told of every change of the leaf. */
  readonly maintainers: readonly Maintainer[];
  /** What the engine is told with a put that says nothing of its own; undefined where somebody must hear of it. */
  readonly plain: WriteOptions | undefined;
}

/** A declared subtree with its maintainers opened. */
export interface OpenSubtree extends DeclaredSubtree {
  readonly opened: readonly Maintainer[];
}

/** Is the path of `key` that of `prefix`, or below it? */
export function isWithin(key: Uint8Array, keyBytes: number, prefix: Uint8Array): boolean {
  const { length } = prefix;
  if (keyBytes < length) return false;
  for (let at = 0; at < length; at++) if (key[at] !== prefix[at]) return false;
  // 0xFF goes on with an escaped zero: another segment.
  return keyBytes === length || key[length] !== 0xff;
}

function plainOptions(ttlMs: number | undefined, durability: Durability | undefined): WriteOptions {
  return {
    ...(durability === undefined ? {} : { durability }),
    ...(ttlMs === undefined || ttlMs === Number.POSITIVE_INFINITY ? {} : { ttlMs }),
  };
}

/** A history alone is the engine's business. */
function isNothing({ ttlMs, durability, maintainers }: Effective): boolean {
  return ttlMs === undefined && durability === undefined && maintainers.length === 0;
}

export class EffectiveTrie {
  readonly #subtrees: readonly OpenSubtree[];
  /** undefined: nothing to regard. */
  readonly #effective: readonly (Effective | undefined)[];
  readonly #trie: PrefixTrie;

  constructor(subtrees: Iterable<OpenSubtree>) {
    const sorted = [...subtrees].sort((a, b) => compareBytes(a.prefix, 0, a.prefix.length, b.prefix, 0, b.prefix.length));
    const effective: Effective[] = [];
    /** Places of the subtrees around the current one. */
    const around: number[] = [];
    for (const [at, { prefix, declared, opened }] of sorted.entries()) {
      while (around.length > 0 && !isWithin(prefix, prefix.length, sorted[around.at(-1)!]!.prefix)) around.pop();
      const parent = around.length === 0 ? undefined : effective[around.at(-1)!]!;
      const ttlMs = declared.ttl ?? parent?.ttlMs;
      const durability = stronger(declared.durability, parent?.durability);
      const maintainers = parent === undefined ? opened : [...parent.maintainers, ...opened];
      effective.push({ ttlMs, durability, maintainers, plain: maintainers.length === 0 ? plainOptions(ttlMs, durability) : undefined });
      around.push(at);
    }
    this.#subtrees = sorted;
    this.#effective = effective.map((one) => (isNothing(one) ? undefined : one));
    this.#trie = PrefixTrie.of(
      sorted.map(({ prefix }) => prefix),
      ESCAPE,
    );
  }

  /** What the writing of the key has to regard, undefined for nothing. Allocates nothing. */
  find(key: Uint8Array, keyBytes: number): Effective | undefined {
    const place = this.#trie.find(key, keyBytes);
    return place === NO_PREFIX ? undefined : this.#effective[place];
  }

  /** The subtrees declared at and below a prefix. */
  within(prefix: Uint8Array): readonly OpenSubtree[] {
    return this.#subtrees.filter((subtree) => isWithin(subtree.prefix, subtree.prefix.length, prefix));
  }
}
