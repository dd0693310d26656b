/**
 * Loops over the primitive calls of a {@link StorageFile}: whole writes, whole reads, zeros.
 *
 * Invariants
 * - A short write is continued; a write of nothing becomes DISK_FULL, so no loop can spin.
 * - Nothing here syncs.
 *
 * Specification: spec/host.md, "Files".
 */

import { diskFull } from './failures.ts';
import type { StorageFile } from './storage.ts';

/**
 * What {@link writeZeros} writes from; nobody ever changes it. Kept, because a fresh block at each call costs as much as a third of the
 * write, and dead array buffers pile up to tens of MiB before they are collected.
 */
const ZEROS = new Uint8Array(256 * 1024);

/**
 * Writes all of `source[start, start + length)` at `position`.
 *
 * @throws {SteleError} `unavailable` DISK_FULL or IO_ERROR; a prefix may have been written.
 */
export function writeAll(file: StorageFile, source: Uint8Array, start: number, length: number, position: number): void {
  let done = 0;
  while (done < length) {
    const count = file.write(source, start + done, length - done, position + done);
    if (count <= 0) throw diskFull(file.name, { detail: { position: position + done } });
    done += count;
  }
}

/** Reads until `length` bytes or the end of the file; returns the bytes read. */
export function readFully(file: StorageFile, target: Uint8Array, start: number, length: number, position: number): number {
  let done = 0;
  while (done < length) {
    const count = file.read(target, start + done, length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** Writes zeros over `[position, position + length)`, taking the space for them: `truncate` grows a file without. */
export function writeZeros(file: StorageFile, position: number, length: number): void {
  for (let done = 0; done < length; done += ZEROS.length) {
    writeAll(file, ZEROS, 0, Math.min(ZEROS.length, length - done), position + done);
  }
}
