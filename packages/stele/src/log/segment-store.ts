/**
 * SegmentStore: the segment files of a log: which exist, which is being filled, which lies ready.
 *
 * Life of a file: zero-filled ahead in slices as the *spare* → given a header (synced) → filled → sealed → dropped, when it
 * becomes the spare again with its old bytes (the generation tells old records from new ones) or is removed.
 *
 * Invariants
 * - Space is taken by writing zeros before it is needed, so that a full disk is met by `open` and `prepare`, never by a group.
 * - A header is on the device before its segment receives a record, and so is a new file's name.
 * - A new segment's generation is greater than that of every segment seen: a removed file that comes back is told apart.
 * - A failing `open` or `prepare` leaves the log as it was (perhaps with more zeros prepared).
 *
 * Specification: spec/log-format.md, "Segments".
 */

import { SteleError } from '../base/errors.ts';
import { writeAll, writeZeros } from '../host/files.ts';
import type { StorageFile } from '../host/storage.ts';
import { SEGMENT_BYTES_MAX } from './record-format.ts';
import { Segment, segmentName } from './segment.ts';
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from './segment-header.ts';
import type { LogOptions, SegmentInfo } from './types.ts';

/** Zeros are written in steps of this size when nothing was prepared. */
export const ZERO_STEP_BYTES = 256 * 1024;
/** A spare is synced each time it has grown by this. */
const SPARE_SYNC_BYTES = 8 * 1024 * 1024;

/** A file without a living segment. */
export interface Spare {
  readonly slot: number;
  /** Bytes with space on the disk. */
  prepared: number;
  file: StorageFile | undefined;
}

export interface NextSegment {
  readonly number: number;
  readonly firstCommit: number;
  readonly previousEnd: number;
  readonly previousChecksum: number;
  /** Room wanted behind the header. */
  readonly bytes: number;
}

export class SegmentStore {
  spare: Spare | undefined;
  /** Segments whose header is damaged, or whose file is gone: what is left of them stays untouched until they are repaired. */
  readonly damaged: SegmentInfo[] = [];
  /** Segments of the last meta that no file holds: dropped since, or lost. */
  readonly missing: SegmentInfo[] = [];
  readonly #options: LogOptions;
  readonly #byNumber = new Map<number, Segment>();
  #current: Segment | undefined;
  #slotNext = 1;
  #generationNext = 1;

  constructor(options: LogOptions) {
    this.#options = options;
  }

  /** The segment being filled. */
  get current(): Segment {
    return this.#current!;
  }

  get(number: number): Segment | undefined {
    return this.#byNumber.get(number);
  }

  /** All segments, oldest first. */
  all(): Segment[] {
    return [...this.#byNumber.values()].sort((a, b) => a.number - b.number);
  }

  /** Adopts a segment found at opening; the greatest number is current. */
  adopt(segment: Segment): void {
    this.#byNumber.set(segment.number, segment);
    this.takeSlot(segment.slot, segment.header.generation);
    if (this.#current === undefined || segment.number > this.#current.number) this.#current = segment;
  }

  /** New files get slots above all that were seen, new segments generations. */
  takeSlot(slot: number, generation: number): void {
    if (slot >= this.#slotNext) this.#slotNext = slot + 1;
    if (generation >= this.#generationNext) this.#generationNext = generation + 1;
  }

  /**
   * The next segment: from the spare or a new file, oversize when `bytes` ask for it. Its header is on the device.
   *
   * @throws {SteleError} `unavailable` DISK_FULL, IO_ERROR.
   */
  open(next: NextSegment): Segment {
    const { storage, random, clock, databaseId, incarnation, epoch, segmentBytes } = this.#options;
    const fileBytes = Math.max(segmentBytes, Math.ceil((SEGMENT_HEADER_BYTES + next.bytes) / 4096) * 4096);
    if (fileBytes > SEGMENT_BYTES_MAX)
      throw new SteleError('invalid', 'COMMIT_TOO_LARGE', `a record of ${next.bytes} bytes does not fit any segment`, {
        detail: { bytes: next.bytes },
      });
    const spare = fileBytes === segmentBytes && this.spare !== undefined ? this.spare : this.#newSpare();
    const fresh = spare !== this.spare;
    let headerWritten = false;
    try {
      spare.file ??= storage.open(segmentName(spare.slot), { create: true });
      this.#fill(spare, Math.min(fileBytes, Math.max(SEGMENT_HEADER_BYTES + next.bytes, ZERO_STEP_BYTES)));
      const secret = new Uint8Array(32);
      random.fill(secret);
      const header = {
        ...next,
        readOnlyFeatures: 0,
        generation: this.#generationNext++,
        databaseId,
        incarnation,
        epoch,
        createdMs: clock.nowMs(),
        secret,
        fileBytes,
      };
      headerWritten = true;
      writeAll(spare.file, encodeSegmentHeader(header), 0, SEGMENT_HEADER_BYTES, 0);
      spare.file.sync();
      if (fresh) storage.syncDirectory();
      // The same handle goes on: a sync covers for certain only what was written through its own.
      const state = {
        end: SEGMENT_HEADER_BYTES,
        lastCommit: next.firstCommit - 1,
        sealed: false,
        prepared: spare.prepared,
        readOnly: false,
        file: spare.file,
      };
      const segment = new Segment(storage, spare.slot, header, state);
      if (!fresh) this.spare = undefined;
      this.adopt(segment);
      return segment;
    } catch (error) {
      // A header that may or may not be there, or a sync that failed once: the file is not tried again.
      if (!fresh && headerWritten) this.spare = undefined;
      if (fresh || headerWritten) this.#discard(spare);
      throw error;
    }
  }

  /** Takes disk space for the current segment up to `end`. @throws {SteleError} `unavailable` DISK_FULL, IO_ERROR. */
  prepare(segment: Segment, end: number): void {
    if (end <= segment.prepared) return;
    const target = Math.min(
      segment.header.fileBytes,
      segment.prepared + Math.ceil((end - segment.prepared) / ZERO_STEP_BYTES) * ZERO_STEP_BYTES,
    );
    this.#fillFile(segment.file(), segment, target);
  }

  /**
   * Prepares ahead: first the spare, then the rest of the current segment; about `bytes` of zeros.
   * True: there is more to do. Failures are logged and tried again at the next call.
   */
  prepareAhead(bytes: number): boolean {
    const { storage, segmentBytes } = this.#options;
    let left = bytes;
    try {
      if (this.spare === undefined || this.spare.prepared < segmentBytes) {
        this.spare ??= this.#newSpare();
        const spare = this.spare;
        const before = spare.prepared;
        if (spare.file === undefined) {
          spare.file = storage.open(segmentName(spare.slot), { create: true });
          if (before === 0) storage.syncDirectory();
        }
        this.#fill(spare, Math.min(segmentBytes, before + left));
        left -= spare.prepared - before;
        if (spare.prepared === segmentBytes || Math.floor(spare.prepared / SPARE_SYNC_BYTES) > Math.floor(before / SPARE_SYNC_BYTES))
          this.#syncSpare(spare, spare.file);
      }
      const current = this.current;
      if (left > 0) this.#fillFile(current.file(), current, Math.min(current.header.fileBytes, current.prepared + left));
      return this.spare.prepared < segmentBytes || current.prepared < current.header.fileBytes;
    } catch (error) {
      if (!(error instanceof SteleError)) throw error;
      this.#options.logger?.({ level: 'warn', message: 'preparing a log segment failed', detail: { error: String(error) } });
      return false;
    }
  }

  /** Ends a sealed segment's life; the file becomes the spare or goes. */
  drop(segment: Segment): void {
    const { storage, segmentBytes, blocks } = this.#options;
    this.#byNumber.delete(segment.number);
    blocks?.drop(segment);
    const bytes = segment.file().size();
    segment.close();
    if (this.spare === undefined && segment.header.fileBytes === segmentBytes && bytes === segmentBytes) {
      this.spare = { slot: segment.slot, prepared: bytes, file: undefined };
    } else storage.remove(segment.name);
  }

  close(): void {
    for (const segment of this.#byNumber.values()) segment.close();
    this.spare?.file?.close();
    this.spare = undefined;
  }

  #newSpare(): Spare {
    return { slot: this.#slotNext++, prepared: 0, file: undefined };
  }

  #fill(spare: Spare, end: number): void {
    if (spare.file !== undefined) this.#fillFile(spare.file, spare, end);
  }

  #fillFile(file: StorageFile, what: { prepared: number }, end: number): void {
    while (what.prepared < end) {
      const step = Math.min(ZERO_STEP_BYTES, end - what.prepared);
      writeZeros(file, what.prepared, step);
      what.prepared += step;
    }
  }

  /** In the background; a spare whose sync fails is given up. */
  #syncSpare(spare: Spare, file: StorageFile): void {
    file.syncAsync().catch((error: unknown) => {
      if (this.spare !== spare || !(error instanceof SteleError)) return;
      this.spare = undefined;
      this.#discard(spare);
      this.#options.logger?.({ level: 'warn', message: 'sync of a spare log segment failed', detail: { error: String(error) } });
    });
  }

  /** Best effort: what stays behind is found at the next opening. */
  #discard(spare: Spare): void {
    try {
      spare.file?.close();
      spare.file = undefined;
      this.#options.storage.remove(segmentName(spare.slot));
    } catch (error) {
      if (!(error instanceof SteleError)) throw error;
      this.#options.logger?.({ level: 'warn', message: 'removing an unused log segment failed', detail: { error: String(error) } });
    }
  }
}
