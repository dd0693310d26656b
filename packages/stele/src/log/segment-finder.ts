/**
 * Finds the segment files of a directory by their headers: a file's name says nothing but its slot.
 *
 * - A file without a header (all zeros, or cut) or with a damaged one is unused: it was being prepared or reused.
 * - Two files that claim the same number: the greater generation counts, the other is unused.
 *
 * Specification: spec/log-format.md, "Segments".
 */

import { equalBytes, isZero } from '../base/bytes.ts';
import { SteleError } from '../base/errors.ts';
import { readFully } from '../host/files.ts';
import type { Storage } from '../host/storage.ts';
import { slotOfName } from './segment.ts';
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment-header.ts';

export interface FoundSegment {
  readonly slot: number;
  readonly header: SegmentHeader;
  /** Actual size of the file. */
  readonly fileBytes: number;
}

export interface UnusedFile {
  readonly slot: number;
  /** 0 = never had a header: its bytes are zeros. −1 = unknown: it must not be used again. */
  readonly generation: number;
  readonly fileBytes: number;
}

export interface FoundSegments {
  /** By number. */
  readonly segments: Map<number, FoundSegment>;
  readonly unused: UnusedFile[];
}

/**
 * @throws {SteleError} `corrupt` WRONG_DATABASE for a segment of another database; LOG_DAMAGED for two of one number and generation;
 * `invalid` FORMAT_NEWER.
 */
export function findSegments(storage: Storage, databaseId: Uint8Array, readOnly: boolean): FoundSegments {
  const segments = new Map<number, FoundSegment>();
  const unused: UnusedFile[] = [];
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  for (const name of storage.list()) {
    const slot = slotOfName(name);
    if (slot === 0) continue;
    const file = storage.open(name, { readOnly: true });
    const fileBytes = file.size();
    const held = readFully(file, bytes, 0, SEGMENT_HEADER_BYTES, 0);
    file.close();
    const header = held < SEGMENT_HEADER_BYTES ? undefined : decodeSegmentHeader(bytes);
    if (header === undefined) {
      unused.push({ slot, generation: isZero(bytes, 0, held) ? 0 : -1, fileBytes });
      continue;
    }
    if (!equalBytes(header.databaseId, 0, 16, databaseId, 0, 16))
      throw new SteleError('corrupt', 'WRONG_DATABASE', `${name} belongs to another database`, { detail: { name } });
    if (header.readOnlyFeatures !== 0 && !readOnly)
      throw new SteleError('invalid', 'FORMAT_NEWER', `${name} may only be read by this version`, { detail: { name } });
    const other = segments.get(header.number);
    if (other !== undefined && other.header.generation === header.generation) {
      throw new SteleError('corrupt', 'LOG_DAMAGED', `two files claim log segment ${header.number}`, {
        detail: { segment: header.number, offset: 0, commits: { first: header.firstCommit, last: header.firstCommit } },
      });
    }
    if (other === undefined || header.generation > other.header.generation) segments.set(header.number, { slot, header, fileBytes });
    const loser = other === undefined ? undefined : header.generation > other.header.generation ? other : { slot, header, fileBytes };
    if (loser !== undefined) unused.push({ slot: loser.slot, generation: loser.header.generation, fileBytes: loser.fileBytes });
  }
  return { segments, unused };
}
