/**
 * File names of the storage seam: flat, lower case, and never one of the host's own.
 *
 * Invariants
 * - A valid name is 1 to 100 characters of [a-z0-9.-], begins with a letter or digit, and holds no "..":
 *   it means the same file on every system and can never leave its directory.
 * - Names the host keeps for itself ({@link isReservedName}) can be neither listed, opened nor removed. Opening and
 *   closing `lock.db` in the process that holds it would silently drop the POSIX lock.
 *
 * Specification: spec/host.md, "Names".
 */

import { SteleError } from '../base/errors.ts';

const VALID = /^[a-z0-9][a-z0-9.-]{0,99}$/;

/** True for names the engine may use. */
export function isFileName(name: string): boolean {
  return VALID.test(name) && !name.includes('..') && !isReservedName(name);
}

/** True for the exclusion files: `lock.…`. */
export function isReservedName(name: string): boolean {
  return name.startsWith('lock.');
}

/** @throws {SteleError} `invalid` FILE_NAME */
export function checkFileName(name: string): void {
  if (isFileName(name)) return;
  const why = isReservedName(name) ? 'belongs to the host' : 'is not 1 to 100 characters of [a-z0-9.-] beginning with a letter or digit';
  throw new SteleError('invalid', 'FILE_NAME', `file name ${JSON.stringify(name.slice(0, 120))} ${why}`, {
    detail: { name: name.slice(0, 120) },
  });
}
