/**
 * What a program says about a subtree.
 *
 * A policy is data: it lies in the system keyspace, is versioned as all data is, holds from the next commit on and is seen as it was by
 * older views. Members are inherited: `ttl` and `history` from the nearest subtree that declares them, `durability` as the strongest of
 * all subtrees above; indexes belong to the subtree that declares them.
 *
 * A file of interfaces only. Specification: spec/policies.md.
 */

import type { Durability } from '../../txn/types.ts';
import type { Path } from '../path/types.ts';

/** Every member is optional; a policy replaces the one declared at the same place, `{}` removes it. */
export interface Policy {
  /** Milliseconds a value lives that is put without an expiry of its own; Infinity: for ever, also below a subtree with a ttl. */
  readonly ttl?: number;
  /** Milliseconds that superseded versions can be read; Infinity: for ever; 0: only what open views need. */
  readonly history?: number;
  /** Commits that touch the subtree reach at least this level. */
  readonly durability?: Durability;
  /** Secondary indexes over the children of the subtree, by name. */
  readonly index?: Readonly<Record<string, IndexDefinition>>;
}

/**
 * Paths below a record, in the order in which the index sorts; the empty path `[]` is the record's own value. A record is one child of
 * the subtree.
 */
export type IndexDefinition = readonly Path[] | { readonly fields: readonly Path[]; readonly unique?: boolean };
