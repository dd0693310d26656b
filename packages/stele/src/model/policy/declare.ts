/**
 * Declaring: from a program's call to policies in force.
 *
 * Specification: spec/policies.md, "Declaring".
 */

import { SteleError } from '../../base/errors.ts';
import type { CommitOptions } from '../../txn/types.ts';
import type { Who } from '../identity.ts';
import { readDefinition } from '../index/definition.ts';
import { derivedRange } from '../index/derived-key.ts';
import { INDEX_KIND } from '../index/index-maintainer.ts';
import type { Store } from '../store.ts';
import { kernelOptions } from '../write-options.ts';
import type { DeclaredSubtree } from './catalog.ts';
import { type CheckedPolicy, checkPolicy } from './check.ts';
import { planPolicy, planRebuild } from './plan.ts';
import type { Policy } from './types.ts';
import { upkeepStep } from './upkeep.ts';

/**
 * Declares `policy` at a place instead of what is declared there, and builds and drops what that asks for, before it returns. No commit
 * when it is what is declared already. When an index cannot be built, what was declared before is declared again.
 *
 * @throws {SteleError} `invalid` OPTION_INVALID, FEATURE_MISSING, PATH_INVALID, RETENTION_RULES, INDEX_KEY_TOO_LONG; `conflict` INDEX_UNIQUE;
 *   `denied` MAINTAINER_MISSING, READ_ONLY
 */
export function declare(store: Store, prefix: Uint8Array, policy: Policy, who: Who): void {
  const { book } = store;
  const checked = checkPolicy(policy);
  const options = kernelOptions(who, undefined, undefined, false);
  const before = book.declaredAt(prefix);
  const isChanged = write(store, prefix, checked, options);
  if (store.readOnly) return;
  try {
    while (upkeepStep(store, options, prefix)) {}
  } catch (error) {
    if (isChanged && error instanceof SteleError && (error.code === 'INDEX_UNIQUE' || error.code === 'INDEX_KEY_TOO_LONG')) {
      write(store, prefix, givenAt(before), options);
      while (upkeepStep(store, options, prefix)) {}
    }
    throw error;
  }
}

function write(store: Store, prefix: Uint8Array, policy: CheckedPolicy, options: CommitOptions): boolean {
  const { book, engine } = store;
  const operations = planPolicy(book, engine, prefix, policy);
  if (operations === undefined) return false;
  if (store.readOnly) throw new SteleError('denied', 'READ_ONLY', 'the database was opened read-only: a policy is a write');
  engine.batchSync(operations, options);
  book.adopt(engine, prefix);
  return true;
}

/** What was declared, as if it were given again. */
function givenAt(subtree: DeclaredSubtree | undefined): CheckedPolicy {
  const living = (subtree?.maintainers ?? []).filter(({ kind, state }) => kind === INDEX_KIND && state !== 'dropping');
  const newest = new Map(living.map(({ name, definition }) => [name, readDefinition(definition)]));
  return { declared: subtree?.declared ?? {}, indexes: [...newest].map(([name, definition]) => ({ name, definition })) };
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
  while (book.unfinished(prefix).some((kept) => kept.id === id) && upkeepStep(store, {}, prefix))
    await new Promise<void>((resolve) => host.timers.immediate(resolve));
  const entries = engine.count(derivedRange(id));
  while (upkeepStep(store, {}, prefix)) await new Promise<void>((resolve) => host.timers.immediate(resolve));
  return { entries };
}

/**
 * Goes on with what a closed or killed program left unfinished, in the background. Reports what cannot be built to the logger.
 */
export async function resumeUpkeep(store: Store): Promise<void> {
  const { host, logger } = store;
  for (;;) {
    try {
      if (!upkeepStep(store, {})) return;
    } catch (error) {
      if (!(error instanceof SteleError)) throw error;
      logger({
        level: error.kind === 'closed' ? 'debug' : 'error',
        message: `an index cannot be built: ${error.message}`,
        detail: error.detail,
      });
      if (error.code !== 'INDEX_UNIQUE' && error.code !== 'INDEX_KEY_TOO_LONG') return;
    }
    await new Promise<void>((resolve) => host.timers.immediate(resolve));
  }
}
