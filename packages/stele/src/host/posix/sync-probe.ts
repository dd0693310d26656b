/**
 * Which way of syncing works in this directory, found by trying.
 *
 * `barrier` when fdatasync works. Node's permission model refuses fsync and fdatasync but lets O_DSYNC descriptors be
 * opened: then `writeThrough`. Never none: a directory where neither works is refused.
 *
 * Specification: spec/host.md, "Sync styles".
 */

import { closeSync, constants, fdatasyncSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { noPermission } from '../failures.ts';
import type { SyncStyle } from '../storage.ts';
import { synchronousFlag } from './file.ts';

/**
 * Tries both styles on a file of its own, and removes it.
 *
 * @throws {SteleError} `denied` PERMISSION when neither works.
 */
export function probeSyncStyle(directory: string): SyncStyle {
  if (works(directory, 0, (fd) => fdatasyncSync(fd))) return 'barrier';
  if (synchronousFlag() !== 0 && works(directory, synchronousFlag(), () => {})) return 'writeThrough';
  throw noPermission('sync', directory);
}

function works(directory: string, flag: number, sync: (fd: number) => void): boolean {
  const path = join(directory, `.probe-${process.pid}-${Math.floor(performance.now() * 1000)}`);
  let fd = -1;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | flag, 0o600);
    writeSync(fd, new Uint8Array(1), 0, 1, 0);
    sync(fd);
    return true;
  } catch {
    return false;
  } finally {
    if (fd >= 0) {
      closeSync(fd);
      unlinkSync(path);
    }
  }
}
