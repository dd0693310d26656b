/**
 * Plans: what a declaration writes into the catalog. A plan writes nothing itself.
 *
 * An index that is new gets a number of its own. Over data it begins as `building`, and when one of its name serves already, that one serves on
 * until the new one is complete: so a definition can be changed, and an index rebuilt, without a time in which there is none. What is not
 * declared any more becomes `dropping`: nothing is derived for it from that commit on, and its entries are deleted behind it.
 *
 * Specification: spec/policies.md, "Declaring".
 */

import { SteleError } from '../../base/errors.ts';
import type { Operation, Reader } from '../../txn/types.ts';
import { type KeptDefinition, readDefinition, sameDefinition } from '../index/definition.ts';
import { INDEX_FORMAT, INDEX_KIND } from '../index/index-maintainer.ts';
import { behind } from '../place.ts';
import type { PolicyBook } from './book.ts';
import { type DeclaredSubtree, headOperation, type KeptMaintainer, maintainerOperation, policyOperation } from './catalog.ts';
import type { CheckedPolicy, Declared } from './check.ts';
import { checkHistoryRules } from './history-rules.ts';
import { maintainerMissing } from './missing-maintainer.ts';

/**
 * The operations that declare `policy` at a place instead of what is declared there; undefined when it is what is declared.
 *
 * @throws {SteleError} `invalid` RETENTION_RULES, PATH_INVALID; `denied` MAINTAINER_MISSING
 */
export function planPolicy(book: PolicyBook, reader: Reader, prefix: Uint8Array, policy: CheckedPolicy): Operation[] | undefined {
  const before = book.declaredAt(prefix) ?? { prefix, declared: {}, maintainers: [] };
  const operations: Operation[] = [];
  if (!sameDeclared(before.declared, policy.declared)) operations.push(policyOperation(book.codec, prefix, policy.declared));
  const changes = new IndexChanges(book, reader, before);
  changes.plan(policy);
  if (policy.declared.history !== before.declared.history || (policy.declared.history !== undefined && changes.changed.length > 0))
    checkHistoryRules(book.rulesWith({ prefix, declared: policy.declared, maintainers: changes.after() }), book.logRetentionMs);
  for (const kept of changes.changed) operations.push(maintainerOperation(book.codec, kept));
  return operations.length === 0 ? undefined : [...operations, headOperation(book.codec, changes.nextId)];
}

/** The operations that begin to build a declared index anew. @throws {SteleError} `invalid` INDEX_MISSING */
export function planRebuild(book: PolicyBook, reader: Reader, prefix: Uint8Array, name: string): { id: number; operations: Operation[] } {
  const before = book.declaredAt(prefix);
  const newest = before?.maintainers.findLast((kept) => kept.kind === INDEX_KIND && kept.name === name && kept.state !== 'dropping');
  if (before === undefined || newest === undefined) throw indexMissing(name, before);
  const changes = new IndexChanges(book, reader, before);
  changes.rebuild(newest);
  const operations = changes.changed.map((kept) => maintainerOperation(book.codec, kept));
  return { id: changes.nextId - 1, operations: [...operations, headOperation(book.codec, changes.nextId)] };
}

class IndexChanges {
  readonly #book: PolicyBook;
  readonly #reader: Reader;
  readonly #before: DeclaredSubtree;
  readonly changed: KeptMaintainer[] = [];
  nextId: number;

  constructor(book: PolicyBook, reader: Reader, before: DeclaredSubtree) {
    this.#book = book;
    this.#reader = reader;
    this.#before = before;
    this.nextId = book.nextId;
  }

  plan({ indexes }: CheckedPolicy): void {
    const living = this.#before.maintainers.filter(({ kind, state }) => kind === INDEX_KIND && state !== 'dropping');
    for (const { name, definition } of indexes) {
      const same = living.filter((kept) => kept.name === name);
      for (const kept of same) if (!this.#book.knows(kept)) throw maintainerMissing(this.#before.prefix, kept);
      // Newest first: while one is built anew, the definition of the new one is what is declared.
      const fitting = same.findLast((kept) => sameDefinition(readDefinition(kept.definition), definition));
      if (fitting === undefined) this.#add(name, definition, same);
      else for (const kept of same) if (kept.id > fitting.id) this.#drop(kept);
    }
    for (const kept of living) if (!indexes.some(({ name }) => name === kept.name)) this.#drop(kept);
  }

  rebuild(newest: KeptMaintainer): void {
    const same = this.#before.maintainers.filter(
      ({ kind, name, state }) => kind === newest.kind && name === newest.name && state !== 'dropping',
    );
    this.#add(newest.name, readDefinition(newest.definition), same);
  }

  /** What will be there. */
  after(): KeptMaintainer[] {
    return [...this.#before.maintainers.filter((kept) => !this.changed.some(({ id }) => id === kept.id)), ...this.changed];
  }

  #add(name: string, definition: KeptDefinition, same: readonly KeptMaintainer[]): void {
    const { prefix } = this.#before;
    const isFilled = hasRecords(this.#reader, prefix);
    for (const kept of same) if (kept.state === 'building' || !isFilled) this.#drop(kept);
    this.changed.push({
      kind: INDEX_KIND,
      format: INDEX_FORMAT,
      id: this.nextId++,
      name,
      prefix,
      definition,
      state: isFilled ? 'building' : 'ready',
      after: undefined,
    });
  }

  #drop(kept: KeptMaintainer): void {
    if (!this.#book.knows(kept)) throw maintainerMissing(this.#before.prefix, kept);
    this.changed.push({ ...kept, state: 'dropping', after: undefined });
  }
}

/** @internal */
export function indexMissing(name: string, subtree: DeclaredSubtree | undefined): SteleError {
  const declared = (subtree?.maintainers ?? [])
    .filter(({ kind, state }) => kind === INDEX_KIND && state !== 'dropping')
    .map((kept) => kept.name);
  return new SteleError(
    'invalid',
    'INDEX_MISSING',
    `no index ${JSON.stringify(name)} is declared here, expected ${declared.length === 0 ? 'one: there is none' : [...new Set(declared)].join(', ')}`,
    { detail: { index: name, declared } },
  );
}

function hasRecords(reader: Reader, prefix: Uint8Array): boolean {
  let found = false;
  reader.forEach({ start: prefix, end: behind(prefix), limit: 2, values: false }, (_, keyBytes) => {
    found ||= keyBytes > prefix.length;
  });
  return found;
}

function sameDeclared(a: Declared, b: Declared): boolean {
  return a.ttl === b.ttl && a.history === b.history && a.durability === b.durability;
}
