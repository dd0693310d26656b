/**
 * The mark of unfinished work: while it is there the directory holds no database that may be opened.
 *
 *   unfinished.mark   "backup\n", or "repair <n>\n" with the number of the files kept aside (repair-files.ts)
 *
 * Invariants
 * - The mark is on the device, name and contents, before anything is written under it, and removed only after everything is.
 * - A mark that cannot be read, or was cut while it was made, is a mark all the same.
 *
 * Specification: spec/file-format.md, "Unfinished work".
 */

import { SteleError } from '../base/errors.ts';
import { readFully, writeAll } from '../host/files.ts';
import type { Storage } from '../host/storage.ts';

export const MARK_FILE = 'unfinished.mark';

/** Puts the mark in place, on the device. */
export function markUnfinished(storage: Storage, words: string): void {
  const bytes = new TextEncoder().encode(`${words}\n`);
  const file = storage.open(MARK_FILE, { create: true });
  try {
    writeAll(file, bytes, 0, bytes.length, 0);
    file.truncate(bytes.length);
    file.sync();
  } finally {
    file.close();
  }
  storage.syncDirectory();
}

/** What the mark says, '' for one that was cut, undefined when there is none. */
export function readMark(storage: Storage): string | undefined {
  if (!storage.exists(MARK_FILE)) return undefined;
  const file = storage.open(MARK_FILE, { readOnly: true });
  try {
    const bytes = new Uint8Array(64);
    const text = new TextDecoder().decode(bytes.subarray(0, readFully(file, bytes, 0, bytes.length, 0)));
    return text.endsWith('\n') ? text.slice(0, -1) : '';
  } finally {
    file.close();
  }
}

/** The work is done and on the device. */
export function clearMark(storage: Storage): void {
  storage.remove(MARK_FILE);
  storage.syncDirectory();
}

/** @throws {SteleError} `corrupt` BACKUP_UNFINISHED or REPAIR_UNFINISHED when there is a mark */
export function refuseUnfinished(storage: Storage): void {
  const mark = readMark(storage);
  if (mark === undefined) return;
  if (mark.startsWith('repair'))
    throw new SteleError('corrupt', 'REPAIR_UNFINISHED', 'a repair of this database was interrupted: run it again', { detail: { mark } });
  throw new SteleError('corrupt', 'BACKUP_UNFINISHED', 'a backup into this directory was interrupted: delete it and make another', {
    detail: { mark },
  });
}
