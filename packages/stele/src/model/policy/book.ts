/**
 * The policy book: what is declared in the newest state, compiled for the commit path.
 *
 * It is a cache of the catalog (catalog.ts). Who changes the catalog calls `adopt` in the same turn; so between turns book and catalog agree.
 * Views at or behind the catalog's newest change are answered from the book, older ones from the catalog as they see it.
 *
 * Invariants
 * - `find` allocates nothing once compiled; without a declaration `isEmpty` is the only thing to ask.
 * - `generation` changes with every change of what a leaf's writing has to regard. A transaction that wrote by an older one calls `join` before
 *   it commits, and conflicts.
 *
 * Specification: spec/policies.md.
 */

import type { Durability, Engine, Reader, RetentionRules } from '../../txn/types.ts';
import { publicDefinition, readDefinition } from '../index/definition.ts';
import { INDEX_KIND, indexFactory } from '../index/index-maintainer.ts';
import type { Maintainer, MaintainerFactory } from '../maintainer.ts';
import { segmentEnd } from '../path/decode.ts';
import type { Codec } from '../store.ts';
import { stronger } from '../write-options.ts';
import { type DeclaredSubtree, type KeptMaintainer, readCatalog, readHead, readSubtree } from './catalog.ts';
import { type Effective, EffectiveTrie, type OpenSubtree } from './effective.ts';
import { historyRules, sameRules } from './history-rules.ts';
import { missingMaintainer } from './missing-maintainer.ts';
import { catalogKey } from './system-keys.ts';
import type { IndexDefinition, Policy } from './types.ts';

export type { Effective } from './effective.ts';

export interface BookOptions {
  readonly codec: Codec;
  /** The rules in force at the opening; the first is the database's own. */
  readonly retention: RetentionRules;
  /** As the database was opened with; undefined: as long as needed. */
  readonly logRetentionMs?: number | undefined;
  /** Makers of maintainers beside that of indexes. Their kinds differ. */
  readonly factories?: readonly MaintainerFactory[];
}

/** A reader that knows its version: a view or a transaction. */
export type VersionedReader = Reader & { readonly version: number };

export class PolicyBook {
  readonly codec: Codec;
  readonly logRetentionMs: number | undefined;
  readonly #factories: readonly MaintainerFactory[];
  readonly #subtrees = new Map<string, OpenSubtree>();
  #compiled: EffectiveTrie | undefined;
  #rules: RetentionRules;
  #isEmpty = true;
  /** The commit of the newest change of the catalog. */
  version = 0;
  nextId = 1;
  generation = 0;

  private constructor({ codec, retention, logRetentionMs, factories = [] }: BookOptions) {
    this.codec = codec;
    this.logRetentionMs = logRetentionMs;
    this.#rules = retention;
    this.#factories = [indexFactory, ...factories];
  }

  /** Reads the catalog. A crash may have come between a declaration and its retention rules, so they are set anew when they differ. */
  static load(engine: Reader & Partial<Pick<Engine, 'setRetention'>>, options: BookOptions & { readonly readOnly?: boolean }): PolicyBook {
    const book = new PolicyBook(options);
    const { subtrees, nextId, version } = readCatalog(engine, options.codec);
    for (const subtree of subtrees) book.#take(subtree.prefix, subtree);
    book.nextId = nextId;
    book.version = version;
    if (options.readOnly !== true && engine.setRetention !== undefined) book.#setRules(engine as Pick<Engine, 'setRetention'>);
    return book;
  }

  /** Nothing is declared anywhere. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  /** What the writing of a leaf has to regard, undefined for nothing. */
  find(key: Uint8Array, keyBytes: number): Effective | undefined {
    return (this.#compiled ?? this.#compile()).find(key, keyBytes);
  }

  /** The strongest level declared at or below a prefix. */
  durabilityWithin(prefixKey: Uint8Array): Durability | undefined {
    let strongest: Durability | undefined;
    for (const { declared } of this.#within(prefixKey)) strongest = stronger(strongest, declared.durability);
    return strongest;
  }

  /** The maintainers declared at or below a prefix. */
  maintainersWithin(prefixKey: Uint8Array): readonly Maintainer[] {
    return this.#isEmpty ? [] : this.#within(prefixKey).flatMap(({ opened }) => opened);
  }

  #within(prefixKey: Uint8Array): readonly OpenSubtree[] {
    return (this.#compiled ?? this.#compile()).within(prefixKey);
  }

  /** What is declared at just this place in the newest state. */
  declaredAt(prefixKey: Uint8Array): DeclaredSubtree | undefined {
    return this.#subtrees.get(prefixKey.join());
  }

  /** The maintainer of a kind at just this place. */
  maintainerAt(prefixKey: Uint8Array, kind: string): Maintainer | undefined {
    return this.#subtrees.get(prefixKey.join())?.opened.find((maintainer) => maintainer.kind === kind);
  }

  /** Does this program have maintainers of that kind and format? */
  knows({ kind, format }: { readonly kind: string; readonly format: number }): boolean {
    return this.#factories.some((factory) => factory.kind === kind && factory.format === format);
  }

  /** What is declared at just this place, as a view sees it. */
  declaredIn(prefixKey: Uint8Array, reader: VersionedReader): DeclaredSubtree | undefined {
    return reader.version >= this.version ? this.declaredAt(prefixKey) : readSubtree(reader, this.codec, prefixKey);
  }

  /** What holds at a place, as a program declares it: inherited members too; in the newest state, or as a view sees it. */
  policyAt(prefixKey: Uint8Array, reader?: Reader): Policy {
    const versioned = reader !== undefined && 'version' in reader ? (reader as VersionedReader) : undefined;
    let policy: Policy = {};
    for (let end = 1; ; end = segmentEnd(prefixKey, end, prefixKey.length)) {
      const prefix = prefixKey.subarray(0, end);
      const subtree = versioned === undefined ? this.declaredAt(prefix) : this.declaredIn(prefix, versioned);
      const durability = stronger(policy.durability, subtree?.declared.durability);
      policy = { ...policy, ...subtree?.declared, ...(durability === undefined ? {} : { durability }) };
      if (end < prefixKey.length) continue;
      const index = indexesOf(subtree);
      return index === undefined ? policy : { ...policy, index };
    }
  }

  /** Every declared subtree, in no order. */
  get subtrees(): Iterable<OpenSubtree> {
    return this.#subtrees.values();
  }

  /** Maintainers whose data is not complete or not gone, at one place or anywhere. Of those being built, only what this program can build. */
  unfinished(prefixKey?: Uint8Array): KeptMaintainer[] {
    const subtrees = prefixKey === undefined ? [...this.#subtrees.values()] : [this.declaredAt(prefixKey)];
    return subtrees
      .flatMap((subtree) => subtree?.maintainers ?? [])
      .filter((kept) => kept.state === 'dropping' || (kept.state === 'building' && this.knows(kept)));
  }

  /** Takes over what was committed at a place. Call it in the turn of the commit. */
  adopt(engine: Pick<Engine, 'setRetention'> & Reader, prefixKey: Uint8Array): void {
    const { nextId, version } = readHead(engine, this.codec);
    this.nextId = nextId;
    this.version = version;
    this.#take(prefixKey, readSubtree(engine, this.codec, prefixKey));
    this.generation++;
    this.#setRules(engine);
  }

  /** Takes over how far a build came: nothing that a write has to regard. */
  progressed(engine: Reader, prefixKey: Uint8Array): void {
    const subtree = this.declaredAt(prefixKey) as OpenSubtree;
    const { maintainers } = readSubtree(engine, this.codec, prefixKey)!;
    this.#subtrees.set(prefixKey.join(), { ...subtree, maintainers });
  }

  /** Of a transaction that wrote when the book was at `generation`: it conflicts when something was declared since. */
  join(txn: Reader, generation: number): void {
    if (generation !== this.generation) txn.has(catalogKey());
  }

  #take(prefix: Uint8Array, subtree: DeclaredSubtree | undefined): void {
    const name = prefix.join();
    if (subtree === undefined) this.#subtrees.delete(name);
    else this.#subtrees.set(name, { ...subtree, prefix: prefix.slice(), opened: this.#open(subtree) });
    this.#isEmpty = this.#subtrees.size === 0;
    this.#compiled = undefined;
  }

  #open({ prefix, maintainers }: DeclaredSubtree): Maintainer[] {
    const groups = new Map<string, KeptMaintainer[]>();
    for (const kept of maintainers) {
      if (kept.state === 'dropping') continue;
      const name = `${kept.kind} ${kept.format}`;
      groups.set(name, [...(groups.get(name) ?? []), kept]);
    }
    return [...groups.values()].map((records) => {
      const factory = this.#factories.find(({ kind, format }) => kind === records[0]!.kind && format === records[0]!.format);
      return factory === undefined ? missingMaintainer(prefix.slice(), records) : factory.open(prefix.slice(), records);
    });
  }

  #compile(): EffectiveTrie {
    this.#compiled = new EffectiveTrie(this.#subtrees.values());
    return this.#compiled;
  }

  /** The rules there would be if `changed` were declared. */
  rulesWith(changed: DeclaredSubtree): RetentionRules {
    const others = [...this.#subtrees].filter(([name]) => name !== changed.prefix.join()).map(([, subtree]) => subtree);
    return historyRules([...others, changed], this.#rules.rules[0]!.historyMs);
  }

  #setRules(engine: Pick<Engine, 'setRetention'>): void {
    const rules = historyRules(this.#subtrees.values(), this.#rules.rules[0]!.historyMs);
    if (sameRules(rules, this.#rules)) return;
    engine.setRetention(rules);
    this.#rules = rules;
  }
}

/** The newest definition of each index, as a program gives it. */
function indexesOf(subtree: DeclaredSubtree | undefined): Record<string, IndexDefinition> | undefined {
  let index: Record<string, IndexDefinition> | undefined;
  for (const { kind, name, definition, state } of subtree?.maintainers ?? []) {
    if (kind !== INDEX_KIND || state === 'dropping') continue;
    index ??= {};
    index[name] = publicDefinition(readDefinition(definition));
  }
  return index;
}
