/**
 * One file of the simulated disk: what programs see, what is on the device, and the changes between.
 *
 * Invariants
 * - `cache` = `device` with all `pending` changes applied in order, unless a sync failed or a write was misplaced:
 *   then the two differ for good, as they do under a real kernel that calls pages clean after a failed sync.
 * - A change is never altered once made: forks share them.
 */

import { Blocks } from '../memory/blocks.ts';

/** A change not yet on the device. `bytes` undefined: the length became `position`. */
export interface Change {
  /** Rises through the life of the disk. */
  readonly sequence: number;
  /** The handle that made it; only its write-through sync covers it. */
  readonly writer: number;
  readonly position: number;
  readonly bytes: Uint8Array | undefined;
}

/** See the file comment. */
export class Inode {
  cache = new Blocks();
  device = new Blocks();
  pending: Change[] = [];

  fork(): Inode {
    const copy = new Inode();
    copy.cache = this.cache.fork();
    copy.device = this.device.fork();
    copy.pending = this.pending.slice();
    return copy;
  }

  /**
   * Gives the part of each pending change inside `[start, end)` to `writer`, splitting changes at the borders; and changes of the length to less
   * than `end`: a file system does not cut away later what was durable behind the cut.
   */
  claim(writer: number, start: number, end: number): void {
    this.pending = this.pending.flatMap((change) => {
      if (change.writer === writer) return [change];
      if (change.bytes === undefined) return [change.position < end ? { ...change, writer } : change];
      const from = Math.max(0, start - change.position);
      const to = Math.min(change.bytes.length, end - change.position);
      if (from >= to) return [change];
      const { sequence, position, bytes } = change;
      return [
        { sequence, writer: change.writer, position, bytes: bytes.subarray(0, from) },
        { sequence, writer, position: position + from, bytes: bytes.subarray(from, to) },
        { sequence, writer: change.writer, position: position + to, bytes: bytes.subarray(to) },
      ].filter((part) => part.bytes.length > 0);
    });
  }
}

/** Applies a change as it was made. */
export function applyChange(target: Blocks, change: Change): void {
  if (change.bytes === undefined) target.truncate(change.position);
  else target.write(change.bytes, 0, change.bytes.length, change.position);
}
