/**
 * The directory itself: made when missing, and its names made durable.
 *
 * Where a directory may be synced, it is. Where not (permission model), a fresh file is created through a
 * synchronous descriptor and removed again: on a journaling file system that commits the journal, and with it
 * every creation and removal before. File systems that sync one file at a time (btrfs) keep created and then
 * synced files by it, but may undo a removal: engines tolerate a file that comes back.
 *
 * Specification: spec/host.md, "Names and directories".
 */

import { closeSync, constants, existsSync, fsyncSync, mkdirSync, openSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SteleError } from '../../base/errors.ts';
import { codeOf, fromSystem, syncFailure } from './errors.ts';

/** Refusals that mean "not possible here", not "failed". */
const NOT_POSSIBLE = new Set(['ERR_ACCESS_DENIED', 'EINVAL', 'EPERM', 'EISDIR', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP']);

/** Creates `directory` and its parents where missing, and makes the new names durable as far as allowed. */
export function makeDirectory(directory: string): void {
  try {
    const first = makePath(directory);
    if (first === undefined) return;
    for (let at = directory; at !== dirname(first); at = dirname(at)) trySyncDirectory(dirname(at));
  } catch (error) {
    throw fromSystem('create', directory, error);
  }
}

/** The first directory that had to be made, or undefined. (Node's own recursive form never returns where a parent refuses with ENOENT, as /proc does.) */
function makePath(directory: string): string | undefined {
  try {
    mkdirSync(directory, { mode: 0o700 });
    return directory;
  } catch (error) {
    if (codeOf(error) === 'EEXIST' || codeOf(error) === 'ENOTDIR') return checkDirectory(directory, error);
    const parent = dirname(directory);
    if (codeOf(error) !== 'ENOENT' || existsSync(parent) || parent === directory) throw error;
    const first = makePath(parent);
    mkdirSync(directory, { mode: 0o700 });
    return first ?? directory;
  }
}

/** @throws {SteleError} `invalid` OPTION_INVALID naming the file that is in the way */
function checkDirectory(directory: string, cause: unknown): undefined {
  for (let at = directory; ; at = dirname(at)) {
    const found = statSync(at, { throwIfNoEntry: false });
    if (found?.isDirectory() === true && at === directory) return undefined;
    if (found !== undefined && !found.isDirectory())
      throw new SteleError('invalid', 'OPTION_INVALID', `${at} is a file, expected a directory`, { cause });
    if (at === dirname(at)) throw cause;
  }
}

/**
 * Makes created and removed names durable.
 *
 * @throws {SteleError} `unavailable` IO_ERROR
 */
export function syncNames(directory: string): void {
  try {
    if (!trySyncDirectory(directory)) commitJournal(directory);
  } catch (error) {
    throw syncFailure(directory, error);
  }
}

/** Creates, syncs and removes a file: the journal commits all metadata changed before. */
export function commitJournal(directory: string): void {
  const path = join(directory, `.commit-${process.pid}-${Math.floor(performance.now() * 1e6)}`);
  const flag = (constants as { O_SYNC?: number }).O_SYNC ?? 0;
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | flag, 0o600);
  try {
    writeSync(fd, new Uint8Array(1), 0, 1, 0);
  } finally {
    closeSync(fd);
    unlinkSync(path);
  }
}

/** False when this platform or permission model does not let directories be synced. */
function trySyncDirectory(directory: string): boolean {
  let fd = -1;
  try {
    fd = openSync(directory, constants.O_RDONLY);
    fsyncSync(fd);
    return true;
  } catch (error) {
    if (NOT_POSSIBLE.has(codeOf(error))) return false;
    throw error;
  } finally {
    if (fd >= 0) closeSync(fd);
  }
}
