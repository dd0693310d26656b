/**
 * Rare and long work of a database, brought in when it is first asked for.
 *
 * Only asynchronous calls come through here; nothing of this is on the way of a read, a write, or an opening. What is brought in stays.
 *
 * Cost: the first call of each kind loads its modules, some milliseconds. A bundler makes a chunk of each.
 *
 * Decision: docs/decisions/0018-size.md.
 */

import type { Chores } from '../txn/chores.ts';
import type { RepairOptions, RepairReport } from '../txn/repair.ts';

export const lateChores: Chores = {
  backup: async () => (await import('../txn/backup.ts')).backupTo,
  compact: async () => (await import('../txn/compact.ts')).compactTree,
  verify: async () => (await import('../txn/verify.ts')).verifyCore,
};

/**
 * Repairs the database in the host's storage, which nobody may have open.
 *
 * @throws {SteleError} `unavailable` LOCKED, DISK_FULL, IO_ERROR; `closed` CANCELLED; `corrupt` LOG_DAMAGED when commits would be lost and
 *   `cutLogAt` was not given, REPAIR_IMPOSSIBLE, BACKUP_UNFINISHED. The files are as they were after each.
 */
export async function repairDatabase(options: RepairOptions): Promise<RepairReport> {
  const repair = await import('../txn/repair.ts');
  return repair.repairDatabase(options);
}
