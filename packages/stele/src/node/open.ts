/**
 * Opening on Node: a directory or a storage becomes a host, and the host a database.
 *
 * Specification: docs/api.md, "Opening".
 */

import { totalmem } from 'node:os';
import { SteleError } from '../base/errors.ts';
import type { Host } from '../host/host.ts';
import { nodeHost, posixHost } from '../host/posix/host.ts';
import type { Storage } from '../host/storage.ts';
import { attachDatabase } from '../model/attached.ts';
import { checkOpenOptions, openDatabase, type Platform } from '../model/open.ts';
import type { AttachedDatabase, Database, OpenOptions } from '../model/types.ts';
import type { SharedHandle } from '../txn/threads/handle.ts';
import { nodeTargets } from './targets.ts';

const CACHE_BYTES_MAX = 1024 * 1024 * 1024;

/**
 * Opens the database in a directory, or in a storage, making it when there is none.
 *
 * Cost: the replay of the log since the last flush. One process writes; others may open it with `readOnly`.
 *
 * @throws {SteleError} `unavailable` LOCKED; `invalid` OPTION_INVALID, CONFIG_CONFLICT, FORMAT_NEWER, NOT_FOUND; `denied` PERMISSION;
 *   `corrupt` META_DAMAGED, LOG_DAMAGED, PAGE_CHECKSUM: see `repairDatabase`
 *
 * @example
 * await using db = await open('./data');
 * await db.put('users/alice/name', 'Alice');
 */
export async function open(target: string | OpenOptions, options?: OpenOptions): Promise<Database> {
  return openSync(target, options);
}

/** The blocking twin of {@link open}. */
export function openSync(target: string | OpenOptions, options: OpenOptions = {}): Database {
  if (target === undefined || target === null || options === null)
    throw new SteleError('invalid', 'OPTION_INVALID', 'found nothing to open, expected the name of a directory, or options');
  if (target instanceof URL)
    throw new SteleError('invalid', 'OPTION_INVALID', 'found a URL, expected the name of a directory, as fileURLToPath gives it');
  const given = typeof target === 'string' ? { ...options, storage: target } : target;
  if (typeof target === 'string' && options.storage !== undefined)
    throw new SteleError('invalid', 'OPTION_INVALID', 'a directory and options.storage given, expected one');
  checkOpenOptions(given);
  const platform = platformOf(given);
  try {
    return openDatabase(platform, given);
  } catch (error) {
    void platform.release();
    throw error;
  }
}

/**
 * The database of a shared handle, for reading, in this thread.
 *
 * @throws {SteleError} `invalid` OPTION_INVALID, NOT_FOUND; `closed` DATABASE_CLOSED; `unavailable` COMMIT_UNKNOWN
 */
export function attach(handle: SharedHandle): AttachedDatabase {
  const directory = directoryOf(handle);
  if (directory === undefined)
    throw new SteleError(
      'invalid',
      'OPTION_INVALID',
      'the handle is of a database that is in no directory: other threads cannot reach its files',
    );
  const host = posixHost(directory, { threads: 'inline', syncThread: 'main' });
  try {
    return attachDatabase(handle, host, () => host.storage.close());
  } catch (error) {
    host.storage.close();
    throw error;
  }
}

function directoryOf(handle: SharedHandle): string | undefined {
  const storage = handle?.storage as { readonly kind?: unknown; readonly directory?: unknown } | undefined;
  return storage?.kind === 'posix' && typeof storage.directory === 'string' ? storage.directory : undefined;
}

function platformOf({ storage, host }: OpenOptions): Platform {
  const cacheMemory = Math.max(1024 * 1024, Math.min(CACHE_BYTES_MAX, Math.floor(totalmem() / 4)));
  if (host !== undefined) return { host, cacheMemory, targets: nodeTargets(host), release: async () => {} };
  if (typeof storage === 'string') return owned(posixHost(storage), cacheMemory);
  if (typeof storage?.list !== 'function')
    throw new SteleError(
      'invalid',
      'OPTION_INVALID',
      `storage is ${storage === undefined ? 'missing' : 'no storage'}, expected the name of a directory or a storage`,
    );
  return owned(nodeHost(storage), cacheMemory);
}

/** A host that was made here ends with the database. */
function owned(host: Host & { readonly storage: Storage }, cacheMemory: number): Platform {
  return {
    host,
    cacheMemory,
    targets: nodeTargets(host),
    async release() {
      await host.threads.close();
      host.storage.close();
    },
  };
}
