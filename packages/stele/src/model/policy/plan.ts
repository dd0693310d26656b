/**
 * Plans: what a declaration writes into the catalog. A plan writes nothing itself.
 *
 * A maintainer that is new gets a number of its own. Over data it begins as `building`, and when one of its name serves already, that one serves on
 * until the new one is complete: so a definition can be changed, and an index rebuilt, without a time in which there is none. What is not
 * declared any more becomes `dropping`: nothing is derived for it from that commit on, and its keys are deleted behind it.
 *
 * Specification: spec/policies.md, "Declaring".
 */

import { SteleError } from '../../base/errors.ts';
import type { Operation, Reader } from '../../txn/types.ts';
import { INDEX_FORMAT, INDEX_KIND } from '../index/index-maintainer.ts';
import { behind } from '../place.ts';
import type { Codec } from '../store.ts';
import type { Value } from '../value/types.ts';
import type { PolicyBook } from './book.ts';
import { type DeclaredSubtree, headOperation, type KeptMaintainer, maintainerOperation, policyOperation } from './catalog.ts';
import type { CheckedPolicy, Declared } from './check.ts';
import { checkHistoryRules } from './history-rules.ts';
import { maintainerMissing } from './missing-maintainer.ts';

/** What a place shall have of one kind. */
export interface Wanted {
  readonly kind: string;
  readonly format: number;
  readonly declarations: readonly { readonly name: string; readonly definition: Value }[];
}

/** What a policy asks for in indexes. */
export function wantedIndexes({ indexes }: CheckedPolicy): Wanted {
  return { kind: INDEX_KIND, format: INDEX_FORMAT, declarations: indexes };
}

/**
 * The operations that declare this at a place instead of what is declared there; undefined when it is what is declared.
 *
 * @throws {SteleError} `invalid` RETENTION_RULES, PATH_INVALID; `denied` MAINTAINER_MISSING
 */
export function planDeclaration(
  book: PolicyBook,
  reader: Reader,
  prefix: Uint8Array,
  { declared, wanted }: { readonly declared: Declared; readonly wanted: Wanted },
): Operation[] | undefined {
  const before = book.declaredAt(prefix) ?? { prefix, declared: {}, maintainers: [] };
  const operations: Operation[] = [];
  if (!sameDeclared(before.declared, declared)) operations.push(policyOperation(book.codec, prefix, declared));
  const changes = new MaintainerChanges(book, reader, before);
  changes.plan(wanted);
  if (declared.history !== before.declared.history || changes.changed.length > 0)
    checkHistoryRules(book.rulesWith({ prefix, declared, maintainers: changes.after() }), book.logRetentionMs);
  for (const kept of changes.changed) operations.push(maintainerOperation(book.codec, kept));
  return operations.length === 0 ? undefined : [...operations, headOperation(book.codec, changes.nextId)];
}

/** The operations that begin to build a declared index anew. @throws {SteleError} `invalid` INDEX_MISSING */
export function planRebuild(book: PolicyBook, reader: Reader, prefix: Uint8Array, name: string): { id: number; operations: Operation[] } {
  const before = book.declaredAt(prefix);
  const newest = before?.maintainers.findLast((kept) => kept.kind === INDEX_KIND && kept.name === name && kept.state !== 'dropping');
  if (before === undefined || newest === undefined) throw indexMissing(name, before);
  const changes = new MaintainerChanges(book, reader, before);
  changes.rebuild(newest);
  const operations = changes.changed.map((kept) => maintainerOperation(book.codec, kept));
  return { id: changes.nextId - 1, operations: [...operations, headOperation(book.codec, changes.nextId)] };
}

class MaintainerChanges {
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

  plan({ kind, format, declarations }: Wanted): void {
    const living = this.#before.maintainers.filter((kept) => kept.kind === kind && kept.state !== 'dropping');
    for (const kept of living) if (!this.#book.knows(kept)) throw maintainerMissing(this.#before.prefix, kept);
    for (const { name, definition } of declarations) {
      const same = living.filter((kept) => kept.name === name);
      // Newest first: while one is built anew, the definition of the new one is what is declared.
      const fitting = same.findLast((kept) => kept.format === format && sameValue(this.#book.codec, kept.definition, definition));
      if (fitting === undefined) this.#add({ kind, format, name, definition }, same);
      else for (const kept of same) if (kept.id > fitting.id) this.#drop(kept);
    }
    for (const kept of living) if (!declarations.some(({ name }) => name === kept.name)) this.#drop(kept);
  }

  rebuild(newest: KeptMaintainer): void {
    if (!this.#book.knows(newest)) throw maintainerMissing(newest.prefix, newest);
    const same = this.#before.maintainers.filter(
      ({ kind, name, state }) => kind === newest.kind && name === newest.name && state !== 'dropping',
    );
    this.#add(newest, same);
  }

  /** What will be there. */
  after(): KeptMaintainer[] {
    return [...this.#before.maintainers.filter((kept) => !this.changed.some(({ id }) => id === kept.id)), ...this.changed];
  }

  #add(
    { kind, format, name, definition }: Pick<KeptMaintainer, 'kind' | 'format' | 'name' | 'definition'>,
    same: readonly KeptMaintainer[],
  ): void {
    const { prefix } = this.#before;
    const isFilled = hasLeaves(this.#reader, prefix);
    for (const kept of same) if (kept.state === 'building' || !isFilled) this.#drop(kept);
    this.changed.push({
      kind,
      format,
      id: this.nextId++,
      name,
      prefix,
      definition,
      state: isFilled ? 'building' : 'ready',
      after: undefined,
    });
  }

  #drop(kept: KeptMaintainer): void {
    this.changed.push({ ...kept, state: 'dropping', after: undefined });
  }
}

/** `invalid` INDEX_MISSING, naming what is declared. */
export function indexMissing(name: string, subtree: DeclaredSubtree | undefined): SteleError {
  const names = (subtree?.maintainers ?? [])
    .filter(({ kind, state }) => kind === INDEX_KIND && state !== 'dropping')
    .map((kept) => kept.name);
  const declared = [...new Set(names)];
  const expected = declared.length === 0 ? 'there is none' : `expected ${declared.join(', ')}`;
  return new SteleError('invalid', 'INDEX_MISSING', `no index ${JSON.stringify(name)} is declared here: ${expected}`, {
    detail: { index: name, declared },
  });
}

function hasLeaves(reader: Reader, prefix: Uint8Array): boolean {
  return reader.forEach({ start: prefix, end: behind(prefix), limit: 1, values: false }, () => {}) > 0;
}

/** Equal values have equal bytes. */
function sameValue(codec: Codec, a: Value, b: Value): boolean {
  const left = codec.encode(a);
  const right = codec.encode(b);
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}

function sameDeclared(a: Declared, b: Declared): boolean {
  return a.ttl === b.ttl && a.history === b.history && a.durability === b.durability;
}
