/**
 * Declaring: from a program's call to policies in force.
 *
 * Specification: spec/policies.md, "Declaring".
 */

import { SteleError } from '../../base/errors.ts';
import type { CommitOptions } from '../../txn/types.ts';
import type { Who } from '../identity.ts';
import { derivedRange } from '../index/derived-key.ts';
import type { Store } from '../store.ts';
import type { Value } from '../value/types.ts';
import { kernelOptions } from '../write-options.ts';
import type { DeclaredSubtree } from './catalog.ts';
import { checkPolicy, type Declared } from './check.ts';
import { planDeclaration, planRebuild, type Wanted, wantedIndexes } from './plan.ts';
import type { Policy } from './types.ts';
import { isUnbuildable, upkeepStep } from './upkeep.ts';

/**
 * Declares `policy` at a place instead of what is declared there, and builds and drops what that asks for, before it returns. No commit
 * when it is what is declared already. When an index cannot be built, what was declared before is declared again.
 *
 * @throws {SteleError} `invalid` OPTION_INVALID, FEATURE_MISSING, PATH_INVALID, RETENTION_RULES, INDEX_KEY_TOO_LONG; `conflict` INDEX_UNIQUE;
 *   `denied` MAINTAINER_MISSING, READ_ONLY
 */
export function declare(store: Store, prefix: Uint8Array, policy: Policy, who: Who): void {
  const checked = checkPolicy(policy);
  declareAll(store, prefix, { declared: checked.declared, wanted: wantedIndexes(checked) }, who);
}

/**
 * For layers: declares the maintainers of one kind at a place instead of those that are declared there; the policy stays.
 *
 * @throws as {@link declare}, and whatever the maintainer refuses the data with
 */
export function declareMaintainers(store: Store, prefix: Uint8Array, wanted: Wanted, who: Who): void {
  if (!store.book.knows(wanted))
    throw new SteleError(
      'invalid',
      'OPTION_INVALID',
      `no maintainer ${wanted.kind} of format ${wanted.format} was registered at the opening`,
    );
  declareAll(store, prefix, { declared: store.book.declaredAt(prefix)?.declared ?? {}, wanted }, who);
}

interface Declaration {
  readonly declared: Declared;
  readonly wanted: Wanted;
}

function declareAll(store: Store, prefix: Uint8Array, declaration: Declaration, who: Who): void {
  const options = kernelOptions(who, undefined, undefined, false);
  const before = store.book.declaredAt(prefix);
  const isChanged = write(store, prefix, declaration, options);
  if (store.readOnly) return;
  try {
    while (upkeepStep(store, options, prefix)) {}
  } catch (error) {
    if (isChanged && isUnbuildable(error)) {
      write(store, prefix, declarationAt(before, declaration.wanted), options);
      while (upkeepStep(store, options, prefix)) {}
    }
    throw error;
  }
}

function write(store: Store, prefix: Uint8Array, declaration: Declaration, options: CommitOptions): boolean {
  const { book, engine } = store;
  const operations = planDeclaration(book, engine, prefix, declaration);
  if (operations === undefined) return false;
  if (store.readOnly) throw new SteleError('denied', 'READ_ONLY', 'the database was opened read-only: a policy is a write');
  engine.batchSync(operations, options);
  book.adopt(engine, prefix);
  return true;
}

/** What was declared, as if it were given again. */
function declarationAt(subtree: DeclaredSubtree | undefined, { kind, format }: Wanted): Declaration {
  const newest = new Map<string, Value>();
  for (const kept of subtree?.maintainers ?? [])
    if (kept.kind === kind && kept.state !== 'dropping') newest.set(kept.name, kept.definition);
  return {
    declared: subtree?.declared ?? {},
    wanted: { kind, format, declarations: [...newest].map(([name, definition]) => ({ name, definition })) },
  };
}

/**
 * Builds a declared index anew from the data. The one there was serves until then. Others may read and write between the steps.
 *
 * @throws {SteleError} `invalid` INDEX_MISSING; `conflict` INDEX_UNIQUE when the data contradicts it: then the old one stays
 */
export async function indexRebuilt(store: Store, prefix: Uint8Array, name: string): Promise<{ readonly entries: number }> {
  const { book, engine, host } = store;
  const { id, operations } = planRebuild(book, engine, prefix, name);
  engine.batchSync(operations);
  book.adopt(engine, prefix);
  const pause = (): Promise<void> => new Promise<void>((resolve) => host.timers.immediate(resolve));
  while (book.unfinished(prefix).some((kept) => kept.id === id) && upkeepStep(store, {}, prefix)) await pause();
  const entries = engine.count(derivedRange(id));
  while (upkeepStep(store, {}, prefix)) await pause();
  return { entries };
}

/**
 * Goes on, in the background, with what a closed or killed program left unfinished. What cannot be built is reported to the logger and is not
 * declared any more. Resolves when all is done or the database was closed.
 */
export async function resumeUpkeep(store: Store): Promise<void> {
  const { host, logger } = store;
  for (;;) {
    try {
      if (!upkeepStep(store, {})) return;
    } catch (error) {
      if (!(error instanceof SteleError)) throw error;
      if (error.kind !== 'closed') logger({ level: 'error', message: `upkeep of policies: ${error.message}`, detail: error.detail });
      if (!isUnbuildable(error)) return;
    }
    await new Promise<void>((resolve) => host.timers.immediate(resolve));
  }
}
