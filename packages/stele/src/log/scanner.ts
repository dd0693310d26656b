/**
 * Scanner: reads records forward, one after another, across segments.
 *
 * Used by recovery, by the change feed and by the header deriver. It reads files only (never the tail in memory), in large
 * pieces, verifies every record (payload blocks included) and follows the chain. It never judges: `next` says false and
 * `reason` why; whether that is the end of the log, a torn tail or damage is the caller's affair.
 *
 * Invariants
 * - Memory is bounded by the piece size and RECORD_BYTES_MAX, whatever the bytes say.
 * - Nothing behind `limit` (per segment) is read, and no record is returned that was not verified completely.
 * - Groups are consumed here; callers see commit records and marks.
 *
 * Specification: spec/log-format.md, "Reading forward".
 */

import { readU32 } from '../base/bytes.ts';
import { CRC32_NATIVE_BYTES_MIN, type Crc32, crc32 } from '../base/crc32.ts';
import { readFully } from '../host/files.ts';
import type { StorageFile } from '../host/storage.ts';
import { GROUP_BYTES, groupBytesOf, groupDurableOffset, groupDurableSegment } from './group-format.ts';
import { decodeCarried, decodeOperation, OPERATION_BAD } from './operation-format.ts';
import { OperationView } from './operation-view.ts';
import { BodyView, parseBody } from './record-body.ts';
import {
  align8,
  HEAD_BYTES,
  headChain,
  headChecksum,
  headCommit,
  headFlags,
  headKind,
  headLength,
  headTimeMs,
  isCommitKind,
  KIND_CLEAN_CLOSE,
  KIND_GROUP,
  KIND_KEPT_RANGES,
  LARGE_BLOCK_BYTES,
  RECORD_BYTES_MAX,
  recordSeed,
} from './record-format.ts';
import { SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment-header.ts';

/** A segment as a scanner sees it. */
export interface ScannedSegment {
  readonly header: SegmentHeader;
  /** CRC seed of its records. */
  readonly seed: number;
  /** Nothing at or behind this is read. */
  readonly end: number;
  file(): StorageFile;
}

/** Where a scanner finds segment `number`; undefined = there is none. */
export type SegmentSource = (number: number) => ScannedSegment | undefined;

export interface ScanStart {
  readonly segment: number;
  readonly offset: number;
  /** Checksum of the last record before, or undefined: taken on trust from the first record. */
  readonly chain: number | undefined;
}

/** Bytes read at once. */
export const SCAN_BYTES = 1024 * 1024;

export class Scanner {
  /** The record found last. */
  segment = 0;
  offset = 0;
  kind = 0;
  flags = 0;
  commit = 0;
  timeMs = 0;
  checksum = 0;
  /** The record: `bytes[start, end)`, payload not included; until the next call of `next`. */
  bytes: Uint8Array;
  start = 0;
  end = 0;
  /** Parsed when the record belongs to a commit. */
  readonly body = new BodyView();
  /** Secret of the record's segment. */
  secret: Uint8Array = new Uint8Array(0);
  /** Position behind the record, payload included; after a `false`, the first byte that is not part of the log. */
  nextSegment: number;
  nextOffset: number;
  /** Chain at that position. */
  chain: number | undefined;
  /** Greatest durable position a group has told. */
  durableSegment = 0;
  durableOffset = 0;
  /** Segments left behind on the way. */
  readonly finished: { readonly number: number; readonly end: number; readonly lastCommit: number }[] = [];
  /** Newest commit with a record in the segment being read; 0 = none met. */
  lastCommit = 0;
  /** Why `next` gave false. */
  reason = '';
  /** The bytes verified, yet are not what an encoder writes: no torn write explains that. */
  malformed = false;

  readonly #source: SegmentSource;
  readonly #native: Crc32;
  readonly #operation = new OperationView();
  #current: ScannedSegment | undefined;
  /** File range held in `bytes`. */
  #heldFrom = 0;
  #heldTo = 0;
  #groupEnd = -1;
  #payload: Uint8Array | undefined;

  constructor(source: SegmentSource, native: Crc32, start: ScanStart, pieceBytes = SCAN_BYTES) {
    this.#source = source;
    this.#native = native;
    this.bytes = new Uint8Array(Math.max(pieceBytes, 4096));
    this.nextSegment = start.segment;
    this.nextOffset = start.offset;
    this.chain = start.chain;
    this.#current = source(start.segment);
  }

  /** Goes to the next commit record or mark. False: there is none here (see `reason`). */
  next(): boolean {
    for (;;) {
      const segment = this.#current;
      if (segment === undefined) return this.#stop(`segment ${this.nextSegment} is missing`);
      // A group may end early (its tail was torn off and cut), so at any place the next group may begin.
      const offset = this.nextOffset;
      if (offset % 8 === 0 || offset !== this.#groupEnd) {
        if (this.#read(segment, offset, false)) {
          if (this.kind !== KIND_GROUP) return true;
          continue;
        }
        if (this.malformed) return false;
      }
      if (offset % 8 !== 0 && this.#read(segment, align8(offset), true)) continue;
      if (this.malformed) return false;
      const next = this.#source(segment.header.number + 1);
      if (
        next === undefined ||
        next.header.previousEnd !== this.nextOffset ||
        next.header.previousChecksum !== (this.chain ?? next.header.previousChecksum)
      )
        return false;
      this.finished.push({ number: segment.header.number, end: this.nextOffset, lastCommit: this.lastCommit });
      this.lastCommit = 0;
      this.#current = next;
      this.nextSegment = next.header.number;
      this.nextOffset = SEGMENT_HEADER_BYTES;
      this.#heldTo = this.#heldFrom = 0;
      this.#groupEnd = SEGMENT_HEADER_BYTES;
    }
  }

  /** Tries the record at `offset`; on success the scanner stands behind it. */
  #read(segment: ScannedSegment, offset: number, groupOnly: boolean): boolean {
    const end = segment.end;
    if (offset + HEAD_BYTES > end) return this.#stop('end of the segment');
    if (!this.#hold(segment, offset, HEAD_BYTES)) return this.#stop('end of the file');
    let at = offset - this.#heldFrom;
    const length = headLength(this.bytes, at);
    if (length < HEAD_BYTES || length > RECORD_BYTES_MAX || offset + length > end) return this.#stop('no record: impossible length');
    if (this.chain !== undefined && headChain(this.bytes, at) !== this.chain)
      return this.#stop('no record: does not follow its predecessor');
    if (!this.#hold(segment, offset, length)) return this.#stop('record is cut by the end of the file');
    at = offset - this.#heldFrom;
    const bytes = this.bytes;
    const seed = recordSeed(segment.seed, offset);
    const found =
      length < CRC32_NATIVE_BYTES_MIN ? crc32(bytes, at + 4, at + length, seed) : this.#native(bytes, at + 4, at + length, seed);
    if (found !== headChecksum(bytes, at)) return this.#stop('record fails its checksum');
    const kind = headKind(bytes, at);
    if (kind === KIND_GROUP) return this.#enterGroup(segment, offset, at, length);
    if (groupOnly) return this.#stop('no group');
    if (this.#groupEnd >= 0 && offset + length > this.#groupEnd) return this.#malformed('record crosses the end of its group');
    this.chain = found;
    let next = offset + length;
    if (isCommitKind(kind)) {
      if (!parseBody(bytes, at, at + length, this.body)) return this.#malformed('commit record with impossible sections');
      if (this.body.payloadBytes > 0) {
        next += this.body.payloadBytes;
        if (next > end) return this.#stopBefore(bytes, at, 'payload is cut by the end of the segment');
        if (!this.#verifyPayload(segment, offset + length)) return this.#stopBefore(bytes, at, 'payload fails its checksums');
      }
    } else if (kind !== KIND_CLEAN_CLOSE && kind !== KIND_KEPT_RANGES) return this.#malformed(`record of unknown kind ${kind}`);
    else if (headFlags(bytes, at) !== 0) return this.#malformed('mark with unknown flags');
    this.segment = segment.header.number;
    this.secret = segment.header.secret;
    this.offset = offset;
    this.kind = kind;
    this.flags = headFlags(bytes, at);
    this.commit = headCommit(bytes, at);
    if (isCommitKind(kind)) this.lastCommit = this.commit;
    this.timeMs = headTimeMs(bytes, at);
    this.checksum = found;
    this.start = at;
    this.end = at + length;
    this.nextOffset = next;
    return true;
  }

  #enterGroup(segment: ScannedSegment, offset: number, at: number, length: number): boolean {
    const bytes = this.bytes;
    if (length !== GROUP_BYTES || headFlags(bytes, at) !== 0 || offset % 8 !== 0) return this.#malformed('impossible group record');
    const groupBytes = groupBytesOf(bytes, at);
    if (groupBytes < GROUP_BYTES || offset + groupBytes > segment.header.fileBytes) return this.#malformed('group of impossible length');
    const durableSegment = groupDurableSegment(bytes, at);
    const durableOffset = groupDurableOffset(bytes, at);
    if (isAfter(durableSegment, durableOffset, this.durableSegment, this.durableOffset)) {
      this.durableSegment = durableSegment;
      this.durableOffset = durableOffset;
    }
    this.#groupEnd = offset + groupBytes;
    this.kind = KIND_GROUP;
    this.nextOffset = offset + GROUP_BYTES;
    return true;
  }

  /** Verifies each block of each large value against its checksum, reading the payload in pieces. */
  #verifyPayload(segment: ScannedSegment, payloadStart: number): boolean {
    const { body } = this;
    const view = this.#operation;
    let sum = 0;
    let at = body.operationsStart;
    for (let i = 0; i < body.operationCount; i++) {
      view.commit = body.commit;
      at = decodeOperation(body.bytes, at, body.operationsEnd, view);
      if (at === OPERATION_BAD) return this.#malformed('operation that cannot be decoded');
      if (view.isLarge) {
        if (!this.#verifyLarge(segment, payloadStart, view)) return false;
        sum += view.valueBytes;
      }
    }
    at = body.carriedStart;
    for (let i = 0; i < body.carriedCount; i++) {
      at = decodeCarried(body.bytes, at, body.carriedEnd, body.commit, view);
      if (at === OPERATION_BAD) return this.#malformed('carried version that cannot be decoded');
      if (view.isLarge) {
        if (!this.#verifyLarge(segment, payloadStart, view)) return false;
        sum += view.valueBytes;
      }
    }
    return sum === body.payloadBytes || this.#malformed('payload region and large values disagree');
  }

  #verifyLarge(segment: ScannedSegment, payloadStart: number, view: OperationView): boolean {
    if (view.largeOffset + view.valueBytes > this.body.payloadBytes) return this.#malformed('large value outside its payload region');
    this.#payload ??= new Uint8Array(16 * LARGE_BLOCK_BYTES);
    const payload = this.#payload;
    const file = segment.file();
    for (let done = 0; done < view.valueBytes; done += payload.length) {
      const want = Math.min(payload.length, view.valueBytes - done);
      if (readFully(file, payload, 0, want, payloadStart + view.largeOffset + done) < want) return false;
      for (let from = 0; from < want; from += LARGE_BLOCK_BYTES) {
        const block = (done + from) / LARGE_BLOCK_BYTES;
        if (this.#native(payload, from, Math.min(from + LARGE_BLOCK_BYTES, want), 0) !== readU32(view.bytes, view.crcStart + 4 * block))
          return false;
      }
    }
    return true;
  }

  /** Makes `length` bytes from `offset` on lie in `bytes`; false when the file ends before. */
  #hold(segment: ScannedSegment, offset: number, length: number): boolean {
    if (offset >= this.#heldFrom && offset + length <= this.#heldTo) return true;
    const kept = offset >= this.#heldFrom && offset < this.#heldTo ? this.#heldTo - offset : 0;
    const from = offset - this.#heldFrom;
    if (length > this.bytes.length) {
      const grown = new Uint8Array(Math.min(RECORD_BYTES_MAX, Math.ceil(length / 4096) * 4096));
      if (kept > 0) grown.set(this.bytes.subarray(from, from + kept));
      this.bytes = grown;
    } else if (kept > 0) this.bytes.copyWithin(0, from, from + kept);
    const want = Math.max(length, Math.min(this.bytes.length, segment.end - offset));
    this.#heldFrom = offset;
    this.#heldTo = offset + kept + readFully(segment.file(), this.bytes, kept, want - kept, offset + kept);
    return offset + length <= this.#heldTo;
  }

  #stop(reason: string): false {
    this.reason = reason;
    return false;
  }

  /** A record that is intact itself but not its payload: the chain stays before it. */
  #stopBefore(bytes: Uint8Array, at: number, reason: string): false {
    this.chain = headChain(bytes, at);
    return this.#stop(reason);
  }

  #malformed(reason: string): false {
    this.malformed = true;
    return this.#stop(reason);
  }
}

/** True when position a lies behind position b. */
export function isAfter(aSegment: number, aOffset: number, bSegment: number, bOffset: number): boolean {
  return aSegment > bSegment || (aSegment === bSegment && aOffset > bOffset);
}
