/**
 * Upkeep: the building of what was declared over data, and the deletion of what is not declared any more, in steps.
 *
 * A step is one bounded commit that moves the work on and says how far it came, so after a kill it goes on from there. Between steps others
 * write: what they write is derived for a maintainer being built as for a ready one, wherever the building stands.
 *
 * Invariants
 * - A maintainer is `ready` in the commit that derives the last of it; one of its name that served until then is `dropping` in the same commit.
 * - What cannot be built (two records with one unique key, a key too long) is dropped, and the error says why.
 *
 * Limits: 2,000 records a step when building, 20,000 entries when deleting.
 *
 * Specification: spec/policies.md, "Building and dropping".
 */

import { invariant, SteleError } from '../../base/errors.ts';
import type { CommitOptions, Operation, Transaction } from '../../txn/types.ts';
import { derivedRange } from '../index/derived-key.ts';
import type { BuildableMaintainer } from '../maintainer.ts';
import { WriteSession } from '../session.ts';
import type { Store } from '../store.ts';
import { headOperation, type KeptMaintainer, maintainerOperation, removalOperation } from './catalog.ts';

const RECORDS_A_STEP = 2_000;
const ENTRIES_A_STEP = 20_000;

/**
 * Does one step of what is unfinished, at one place or anywhere; false when nothing is.
 *
 * @throws {SteleError} `conflict` INDEX_UNIQUE, `invalid` INDEX_KEY_TOO_LONG when an index cannot be built: it is not declared any more
 */
export function upkeepStep(store: Store, options: CommitOptions, prefix?: Uint8Array): boolean {
  const kept = store.book.unfinished(prefix)[0];
  if (kept === undefined) return false;
  if (kept.state === 'dropping') dropSlice(store, options, kept);
  else buildSlice(store, options, kept);
  return true;
}

/** The data contradicts what was declared: building it again would fail again. */
export function isUnbuildable(error: unknown): boolean {
  return error instanceof SteleError && (error.kind === 'conflict' || error.kind === 'invalid');
}

function dropSlice(store: Store, options: CommitOptions, kept: KeptMaintainer): void {
  const { engine, book } = store;
  const operations: Operation[] = [];
  for (const { key } of engine.scan({ ...derivedRange(kept.id), limit: ENTRIES_A_STEP, values: false }))
    operations.push({ type: 'delete', key });
  const isLast = operations.length < ENTRIES_A_STEP;
  if (isLast) operations.push(removalOperation(kept), headOperation(book.codec, book.nextId));
  engine.batchSync(operations, options);
  if (isLast) book.adopt(engine, kept.prefix);
}

function buildSlice(store: Store, options: CommitOptions, kept: KeptMaintainer): void {
  const { engine, book } = store;
  try {
    const { txn, isLast } = derivedSlice(store, kept);
    const isCommitted = committed(txn, options);
    if (!isCommitted) return; // something expired meanwhile: the next step does it again
    if (isLast) book.adopt(engine, kept.prefix);
    else book.progressed(engine, kept.prefix);
  } catch (error) {
    if (!isUnbuildable(error)) throw error;
    engine.batchSync(
      [maintainerOperation(book.codec, { ...kept, state: 'dropping', after: undefined }), headOperation(book.codec, book.nextId)],
      options,
    );
    book.adopt(engine, kept.prefix);
    throw error;
  }
}

/** A transaction that holds the next slice, to be committed in this turn. */
function derivedSlice(store: Store, kept: KeptMaintainer): { txn: Transaction; isLast: boolean } {
  const { engine, book } = store;
  const txn = engine.begin();
  try {
    const session = new WriteSession(store, txn);
    const maintainer = book.maintainerAt(kept.prefix, kept.kind);
    invariant(maintainer !== undefined && 'build' in maintainer, 'what is being built can be built');
    const after = (maintainer as BuildableMaintainer).build(kept.id, kept.after, RECORDS_A_STEP, session);
    session.finish();
    const changes = after === undefined ? finished(store, kept) : [maintainerOperation(book.codec, { ...kept, after })];
    for (const operation of changes) if (operation.type === 'put') txn.put(operation.key, operation.value);
    return { txn, isLast: after === undefined };
  } catch (error) {
    txn.abort();
    throw error;
  }
}

function finished({ book }: Store, kept: KeptMaintainer): Operation[] {
  const replaced = book
    .declaredAt(kept.prefix)!
    .maintainers.filter(({ id, kind, name, state }) => id !== kept.id && kind === kept.kind && name === kept.name && state !== 'dropping');
  return [
    maintainerOperation(book.codec, { ...kept, state: 'ready', after: undefined }),
    ...replaced.map((old) => maintainerOperation(book.codec, { ...old, state: 'dropping', after: undefined })),
    headOperation(book.codec, book.nextId),
  ];
}

function committed(txn: Transaction, options: CommitOptions): boolean {
  try {
    txn.commitSync(options);
    return true;
  } catch (error) {
    if (error !== undefined && error === txn.conflict) return false;
    throw error;
  }
}
