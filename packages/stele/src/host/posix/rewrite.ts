/**
 * The write-through sync: rewrites ranges through a descriptor that is synchronous by itself.
 *
 * Runs on the main thread and in the sync thread. The bytes are read back from the file, so no copy of what was
 * written has to be kept; whoever calls makes sure that nobody writes those ranges meanwhile.
 *
 * Specification: spec/host.md, "Sync styles".
 */

import { readSync, writeSync } from 'node:fs';

/** Bytes moved per call; each call is one synchronous write. */
const PIECE_BYTES = 4 * 1024 * 1024;

/**
 * Rewrites `bounds` (start, end, start, end, …) from `fd` through `syncFd`. What lies past the end of the file is skipped.
 *
 * @throws the system's error; then nothing may be believed durable.
 */
export function rewriteRanges(fd: number, syncFd: number, bounds: readonly number[]): void {
  let largest = 0;
  for (let i = 0; i < bounds.length; i += 2) largest = Math.max(largest, bounds[i + 1]! - bounds[i]!);
  const buffer = Buffer.allocUnsafeSlow(Math.min(largest, PIECE_BYTES));
  for (let i = 0; i < bounds.length; i += 2) {
    const end = bounds[i + 1]!;
    for (let at = bounds[i]!; at < end; ) {
      const count = readSync(fd, buffer, 0, Math.min(buffer.length, end - at), at);
      if (count === 0) break;
      for (let done = 0; done < count; ) done += writeSync(syncFd, buffer, done, count - done, at + done);
      at += count;
    }
  }
}
