/**
 * Opening an engine with all of its code at hand: the byte interface.
 *
 * Nothing is brought in later, so a simulated run meets no turn of the event loop that it did not make itself.
 *
 * Specification: spec/transactions.md.
 */

import { backupTo } from './backup.ts';
import type { Chores } from './chores.ts';
import { compactTree } from './compact.ts';
import { openStored } from './stored-engine.ts';
import type { Engine, EngineOptions } from './types.ts';
import { verifyCore } from './verify.ts';

const chores: Chores = { backup: () => backupTo, compact: () => compactTree, verify: () => verifyCore };

/**
 * Opens the database in `options.host.storage`, creating it when there is none.
 *
 * Cost: the replay of the log since the last flush; nothing depends on the size of the database.
 *
 * @throws {SteleError} `unavailable` LOCKED; `invalid` OPTION_INVALID, CONFIG_CONFLICT, FORMAT_NEWER, NOT_FOUND;
 *   `corrupt` META_DAMAGED, LOG_DAMAGED, PAGE_CHECKSUM
 */
export function openEngine(options: EngineOptions): Promise<Engine> {
  try {
    return Promise.resolve(openEngineSync(options));
  } catch (error) {
    return Promise.reject(error);
  }
}

/** The blocking twin of {@link openEngine}. */
export function openEngineSync(options: EngineOptions): Engine {
  return openStored(options, chores);
}
