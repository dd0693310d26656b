/**
 * CommitReader: whole commits, in order, from a {@link Scanner}; the one implementation of {@link CommitView}.
 *
 * Invariants
 * - A commit of several parts is shown only when its final part was read. Parts that are not continued (the writer gave up,
 *   or the log ended and went on later) are passed over: the next record with the same commit number begins anew.
 * - Commit numbers are dense, times never decrease, keys ascend within a commit, ordinals count on over parts. Verified
 *   records that break this are damage (LOG_DAMAGED), never an end.
 *
 * Specification: spec/log-format.md, "Reading forward".
 */

import { compareBytes, readU32 } from '../base/bytes.ts';
import type { Crc32 } from '../base/crc32.ts';
import { SteleError } from '../base/errors.ts';
import { readVarint, varintBytes } from '../base/varint.ts';
import { readFully } from '../host/files.ts';
import type { CommitView } from './commit-view.ts';
import { decodeOperation, OPERATION_BAD } from './operation-format.ts';
import type { OperationView } from './operation-view.ts';
import { BodyView, ENTRY_BYTES, parseBody } from './record-body.ts';
import {
  HEAD_BYTES,
  headChecksum,
  headLength,
  KIND_COMMIT,
  KIND_FINAL_PART,
  KIND_PART,
  RECORD_BYTES_MAX,
  recordSeed,
} from './record-format.ts';
import type { Scanner, SegmentSource } from './scanner.ts';

export type MarkVisitor = (kind: number, commit: number, timeMs: number, body: Uint8Array) => void;

interface PartPosition {
  readonly segment: number;
  readonly offset: number;
}

const NOTHING = new Uint8Array(0);

export class CommitReader implements CommitView {
  commit: number;
  timeMs = 0;
  assertedTimeMs = 0;
  operationCount = 0;
  carriedCount = 0;
  metaCount = 0;
  partCount = 0;
  segment = 0;
  offset = 0;
  checksum = 0;
  endSegment = 0;
  endOffset = 0;
  /** Kind of the last record when it was a mark, else 0. */
  lastMark = 0;

  readonly scanner: Scanner;
  readonly #source: SegmentSource;
  readonly #native: Crc32;
  readonly #onMark: MarkVisitor | undefined;
  #parts: PartPosition[] = [];
  #partCommit = 0;
  #partTime = 0;
  #partOperations = 0;
  #partCarried = 0;
  #metaBytes: Uint8Array = NOTHING;
  /** Record whose operations are being given out. */
  #body: BodyView;
  readonly #ownBody = new BodyView();
  #ownBytes: Uint8Array = NOTHING;
  #partIndex = 0;
  #recordSegment = 0;
  #payloadStart = 0;
  #index = 0;
  #at = 0;
  #lastKeyStart = 0;
  #lastKeyEnd = -1;

  /** `commit`: the newest one before the scanner's position. */
  constructor(scanner: Scanner, source: SegmentSource, native: Crc32, commit: number, onMark?: MarkVisitor) {
    this.scanner = scanner;
    this.#source = source;
    this.#native = native;
    this.commit = commit;
    this.#onMark = onMark;
    this.#body = scanner.body;
  }

  /** Goes to the next whole commit; false when the scanner found no further record. @throws `corrupt` LOG_DAMAGED. */
  nextCommit(): boolean {
    const { scanner } = this;
    while (scanner.next()) {
      this.lastMark = 0;
      if (scanner.kind === KIND_COMMIT) {
        this.#checkNumber();
        this.#parts = [];
        this.#show(scanner.segment, scanner.offset, 1, scanner.body.operationCount, scanner.body.carriedCount);
        return true;
      }
      if (scanner.kind === KIND_PART || scanner.kind === KIND_FINAL_PART) {
        if (this.#takePart()) return true;
      } else {
        this.lastMark = scanner.kind;
        this.#onMark?.(scanner.kind, scanner.commit, scanner.timeMs, scanner.bytes.slice(scanner.start + HEAD_BYTES, scanner.end));
      }
    }
    if (scanner.malformed) throw this.#damaged(scanner.nextSegment, scanner.nextOffset, scanner.reason);
    return false;
  }

  /** Segment of the record that holds the operation given last. */
  get operationSegment(): number {
    return this.#recordSegment;
  }

  meta(index: number): Uint8Array {
    const bytes = this.partCount > 1 ? this.#metaBytes : this.scanner.body.bytes;
    let at = this.partCount > 1 ? 0 : this.scanner.body.metaStart;
    for (let i = 0; i < this.metaCount; i++) {
      const length = readVarint(bytes, at, bytes.length);
      at += varintBytes(length);
      if (i === index) return bytes.slice(at, at + length);
      at += length;
    }
    throw new SteleError('internal', 'INVARIANT', `no meta chunk ${index}`);
  }

  next(into: OperationView): boolean {
    while (this.#index === this.#body.operationCount) {
      if (this.#partIndex + 1 >= this.partCount) return false;
      this.#loadPart(this.#partIndex + 1);
    }
    const body = this.#body;
    const start = this.#at;
    into.commit = this.commit;
    const end = decodeOperation(body.bytes, start, body.operationsEnd, into);
    if (end === OPERATION_BAD) throw this.#damagedHere('operation that cannot be decoded');
    const index = this.#index++;
    if (body.operationTable !== 0) {
      if (readU32(body.bytes, body.operationTable + ENTRY_BYTES * index) !== start - body.start)
        throw this.#damagedHere('operation table and operations disagree');
      if (
        this.#lastKeyEnd >= 0 &&
        compareBytes(body.bytes, this.#lastKeyStart, this.#lastKeyEnd, body.bytes, into.keyStart, into.keyEnd) >= 0
      )
        throw this.#damagedHere('keys out of order');
      this.#lastKeyStart = into.keyStart;
      this.#lastKeyEnd = into.keyEnd;
    }
    if (index + 1 === body.operationCount && end !== body.operationsEnd) throw this.#damagedHere('bytes behind the last operation');
    into.ordinal = body.firstOrdinal + index;
    into.carried = false;
    if (into.isLarge) {
      if (into.largeOffset + into.valueBytes > body.payloadBytes) throw this.#damagedHere('large value outside its payload region');
      into.largeSegment = this.#recordSegment;
      into.largeOffset += this.#payloadStart;
    }
    this.#at = end;
    return true;
  }

  rewind(): void {
    if (this.partCount > 1) this.#loadPart(0);
    else this.#enter(this.scanner.body, this.scanner.segment, this.scanner.offset);
  }

  /** True when the commit completed with this part. */
  #takePart(): boolean {
    const { scanner } = this;
    const { body } = scanner;
    if (body.firstOrdinal === 0 && body.firstCarried === 0) {
      this.#checkNumber();
      this.#parts = [];
      this.#partCommit = scanner.commit;
      this.#partTime = scanner.timeMs;
      this.#partOperations = 0;
      this.#partCarried = 0;
      this.assertedTimeMs = body.assertedTimeMs;
      this.metaCount = body.metaCount;
      this.#metaBytes = body.metaCount > 0 ? body.bytes.slice(body.metaStart, body.operationsStart) : NOTHING;
    } else {
      const fits =
        this.#parts.length > 0 &&
        scanner.commit === this.#partCommit &&
        scanner.timeMs === this.#partTime &&
        body.firstOrdinal === this.#partOperations &&
        body.firstCarried === this.#partCarried;
      if (!fits) throw this.#damaged(scanner.segment, scanner.offset, 'part that does not continue its commit');
    }
    this.#parts.push({ segment: scanner.segment, offset: scanner.offset });
    this.#partOperations += body.operationCount;
    this.#partCarried += body.carriedCount;
    if (scanner.kind === KIND_PART) {
      if (body.operationCount + body.carriedCount === 0) throw this.#damaged(scanner.segment, scanner.offset, 'empty part');
      return false;
    }
    const first = this.#parts[0]!;
    this.#show(first.segment, first.offset, this.#parts.length, this.#partOperations, this.#partCarried);
    return true;
  }

  #show(segment: number, offset: number, partCount: number, operationCount: number, carriedCount: number): void {
    const { scanner } = this;
    this.commit = scanner.commit;
    this.timeMs = scanner.timeMs;
    if (partCount === 1) {
      this.assertedTimeMs = scanner.body.assertedTimeMs;
      this.metaCount = scanner.body.metaCount;
    }
    this.operationCount = operationCount;
    this.carriedCount = carriedCount;
    this.partCount = partCount;
    this.segment = segment;
    this.offset = offset;
    this.checksum = scanner.checksum;
    this.endSegment = scanner.nextSegment;
    this.endOffset = scanner.nextOffset;
    this.rewind();
  }

  #checkNumber(): void {
    const { scanner } = this;
    if (scanner.commit !== this.commit + 1)
      throw this.#damaged(scanner.segment, scanner.offset, `commit ${scanner.commit} follows ${this.commit}`);
    if (scanner.timeMs < this.timeMs) throw this.#damaged(scanner.segment, scanner.offset, 'recorded time decreases');
  }

  #enter(body: BodyView, segment: number, offset: number): void {
    this.#body = body;
    this.#recordSegment = segment;
    this.#payloadStart = offset + (body.end - body.start);
    this.#index = 0;
    this.#at = body.operationsStart;
    this.#lastKeyEnd = -1;
  }

  /** Reads a part again; it was verified when it was scanned, and is once more. */
  #loadPart(index: number): void {
    const part = this.#parts[index]!;
    const segment = this.#source(part.segment);
    if (segment === undefined) throw this.#damaged(part.segment, part.offset, 'segment disappeared');
    if (this.#ownBytes.length < HEAD_BYTES) this.#ownBytes = new Uint8Array(256 * 1024);
    const file = segment.file();
    let length = readFully(file, this.#ownBytes, 0, this.#ownBytes.length, part.offset) < HEAD_BYTES ? 0 : headLength(this.#ownBytes, 0);
    if (length > RECORD_BYTES_MAX) length = 0;
    if (length > this.#ownBytes.length) {
      this.#ownBytes = new Uint8Array(Math.max(length, 2 * this.#ownBytes.length));
      if (readFully(file, this.#ownBytes, 0, length, part.offset) < length) length = 0;
    }
    const bytes = this.#ownBytes;
    const good =
      length >= HEAD_BYTES &&
      headChecksum(bytes, 0) === this.#native(bytes, 4, length, recordSeed(segment.seed, part.offset)) &&
      parseBody(bytes, 0, length, this.#ownBody);
    if (!good) throw this.#damaged(part.segment, part.offset, 'part changed while it was read');
    this.#partIndex = index;
    this.#enter(this.#ownBody, part.segment, part.offset);
  }

  #damagedHere(reason: string): SteleError {
    return this.#damaged(this.#recordSegment, this.offset, reason);
  }

  #damaged(segment: number, offset: number, reason: string): SteleError {
    const first = this.commit + 1;
    return new SteleError('corrupt', 'LOG_DAMAGED', `log segment ${segment}, byte ${offset}: ${reason}`, {
      detail: { segment, offset, commits: { first, last: Math.max(first, this.scanner.commit) }, reason },
    });
  }
}
