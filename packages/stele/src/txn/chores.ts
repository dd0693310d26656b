/**
 * Chores: work of an engine that is asked for rarely and takes long. Who opens the engine says where its code is.
 *
 * The kernel has all of it at hand (engine.ts). The public surface brings each piece in when it is first asked for, so that a program that
 * only reads and writes does not load it (model/chores.ts).
 *
 * A file of interfaces only. Decision: docs/decisions/0018-size.md.
 */

import type { backupTo } from './backup.ts';
import type { compactTree } from './compact.ts';
import type { verifyCore } from './verify.ts';

export interface Chores {
  backup(): typeof backupTo | Promise<typeof backupTo>;
  compact(): typeof compactTree | Promise<typeof compactTree>;
  verify(): typeof verifyCore | Promise<typeof verifyCore>;
}
