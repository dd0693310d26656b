/**
 * Backup targets on Node: directories, and one file.
 *
 * Specification: docs/api.md, "Life"; spec/file-format.md, "Single-file backups".
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { SteleError } from '../base/errors.ts';
import { ioError } from '../host/failures.ts';
import type { Host } from '../host/host.ts';
import { posixStorage } from '../host/posix/storage.ts';
import type { Storage } from '../host/storage.ts';
import { type Targets, WORK_OPTIONS } from '../model/database.ts';
import { checkMembers } from '../model/store.ts';
import type { Work } from '../model/types.ts';

export function nodeTargets({ timers }: Pick<Host, 'timers'>): Targets {
  return {
    storage(target) {
      if (typeof target !== 'string') return { storage: target, close: () => {} };
      const storage = posixStorage(target);
      return { storage, close: () => storage.close() };
    },
    async pack(from, target, work) {
      const { packTar } = await import('./tar.ts');
      await packTar(from, resolve(target), work, () => new Promise((done) => timers.immediate(done)));
    },
    scratch(near) {
      const directory = scratchBeside(near);
      const storage = posixStorage(directory);
      return {
        storage,
        close() {
          storage.close();
          rmSync(directory, { recursive: true, force: true });
        },
      };
    },
  };
}

function scratchBeside(near: string): string {
  try {
    return mkdtempSync(join(dirname(resolve(near)), '.stele-backup-'));
  } catch (error) {
    throw ioError('backup', near, { cause: error });
  }
}

/**
 * Unpacks a single-file backup into an empty directory or storage, which can then be opened.
 *
 * @throws {SteleError} `invalid` OPTION_INVALID when the target is not empty; `corrupt` BACKUP_DAMAGED
 */
export async function restore(file: string, target: string | Storage, work: Work = {}): Promise<void> {
  checkMembers('options', work, WORK_OPTIONS);
  const into = typeof target === 'string' ? posixStorage(target) : target;
  try {
    const found = into.list();
    if (found.length > 0)
      throw new SteleError('invalid', 'OPTION_INVALID', `restore target holds ${found.length} files, expected an empty one`);
    try {
      const { unpackTar } = await import('./tar.ts');
      await unpackTar(resolve(file), into, work, () => setImmediate());
    } catch (error) {
      // Half a database must not be taken for one.
      for (const name of into.list()) into.remove(name);
      throw error;
    }
  } finally {
    if (typeof target === 'string') into.close();
  }
}
