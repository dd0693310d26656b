/**
 * Copying files between storages, in slices.
 *
 * Specification: spec/invariants.md rule 20.
 */

import { SteleError } from '../base/errors.ts';
import { writeAll } from '../host/files.ts';
import type { StorageFile } from '../host/storage.ts';

/** Bytes copied in one go. */
export const PIECE_BYTES = 256 * 1024;

/** Gives others a turn; throws when the work was cancelled. Told how many bytes were moved since the last call. */
export type Turn = (bytes: number) => Promise<void>;

/** Reads exactly `length` bytes. @throws {SteleError} `corrupt` SEGMENT_MISSING when the file is shorter */
export async function readExactly(file: StorageFile, target: Uint8Array, length: number, position: number): Promise<void> {
  for (let done = 0; done < length; ) {
    const count = await file.readAsync(target, done, length - done, position + done);
    if (count === 0)
      throw new SteleError('corrupt', 'SEGMENT_MISSING', `${file.name} ends before byte ${position + length}`, {
        detail: { name: file.name, position: position + done },
      });
    done += count;
  }
}

/** Copies bytes [start, end) to the same place. */
export async function copyRange(source: StorageFile, target: StorageFile, start: number, end: number, turn: Turn): Promise<void> {
  const piece = new Uint8Array(Math.min(PIECE_BYTES, Math.max(0, end - start)));
  for (let from = start; from < end; from += piece.length) {
    const length = Math.min(piece.length, end - from);
    await readExactly(source, piece, length, from);
    writeAll(target, piece, 0, length, from);
    await turn(length);
  }
}
