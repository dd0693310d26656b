/**
 * Segment: one open log segment file, its header's facts and how far it is filled.
 *
 * The file is opened on first use. `end` grows while the segment is the newest; sealed segments never change.
 *
 * Specification: spec/log-format.md, "Segments".
 */

import type { Storage, StorageFile } from '../host/storage.ts';
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader, segmentSeed } from './segment-header.ts';
import type { BlockFile, SegmentInfo } from './types.ts';

export class Segment implements BlockFile {
  readonly name: string;
  readonly slot: number;
  readonly header: SegmentHeader;
  readonly number: number;
  /** CRC seed of its records: database, number, generation. */
  readonly seed: number;
  /** End of what was handed to the kernel; less than the end of the records while a group is pending. */
  end: number;
  lastCommit: number;
  /** Nothing will be written to it any more. */
  sealed: boolean;
  /** Bytes of the file that certainly have space on the disk. */
  prepared: number;
  /** `end` when the last completed sync was started; less than `end`: something is not durable. */
  syncedEnd: number;
  readonly #storage: Storage;
  readonly #readOnly: boolean;
  #file: StorageFile | undefined;

  constructor(
    storage: Storage,
    slot: number,
    header: SegmentHeader,
    state: {
      readonly end: number;
      readonly lastCommit: number;
      readonly sealed: boolean;
      readonly prepared: number;
      readonly readOnly: boolean;
      readonly file?: StorageFile;
    },
  ) {
    this.#storage = storage;
    this.#readOnly = state.readOnly;
    this.name = segmentName(slot);
    this.slot = slot;
    this.header = header;
    this.number = header.number;
    this.seed = segmentSeed(header.databaseId, header.number, header.generation);
    this.end = state.end;
    this.syncedEnd = state.end;
    this.lastCommit = state.lastCommit;
    this.sealed = state.sealed;
    this.prepared = state.prepared;
    this.#file = state.file;
  }

  /** @throws {SteleError} `invalid` NOT_FOUND when the file was removed under us. */
  file(): StorageFile {
    this.#file ??= this.#storage.open(this.name, { readOnly: this.#readOnly });
    return this.#file;
  }

  info(): SegmentInfo {
    const { number, generation, firstCommit, fileBytes } = this.header;
    return {
      number,
      slot: this.slot,
      generation,
      firstCommit,
      lastCommit: this.lastCommit,
      bytes: this.end,
      fileBytes,
      sealed: this.sealed,
    };
  }

  /** Closes the file; the next use opens it again. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }
}

/** File name of a slot. */
export function segmentName(slot: number): string {
  return `log-${String(slot).padStart(6, '0')}.seg`;
}

/** Slot of a file name, or 0 when it is not the name of a segment file. */
export function slotOfName(name: string): number {
  const match = /^log-([0-9]{6,9})\.seg$/.exec(name);
  const slot = match === null ? 0 : Number(match[1]);
  return slot > 0 && segmentName(slot) === name ? slot : 0;
}

/** Reads a segment header; undefined when there is none. */
export function readSegmentHeader(file: StorageFile): SegmentHeader | undefined {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  let done = 0;
  while (done < bytes.length) {
    const count = file.read(bytes, done, bytes.length - done, done);
    if (count === 0) return undefined;
    done += count;
  }
  return decodeSegmentHeader(bytes);
}
