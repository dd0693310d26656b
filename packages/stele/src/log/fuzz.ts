/**
 * Entry points for fuzzing: each takes any bytes and must come back, or throw a SteleError that is not `internal`, in bounded
 * time and memory. Racks drive them; fuzz.test.ts does for a few seconds.
 *
 * Specification: none; the promises are those of spec/log-format.md, "Untrusted bytes".
 */

import { makeCrc32 } from '../base/crc32.ts';
import { readVarint, varintBytes } from '../base/varint.ts';
import type { Hashing } from '../host/host.ts';
import type { StorageFile } from '../host/storage.ts';
import { CommitReader } from './commit-reader.ts';
import { checkFileHeader, decodeIndexEntry } from './index-format.ts';
import { decodeCarried, decodeOperation, OPERATION_BAD } from './operation-format.ts';
import { OperationView } from './operation-view.ts';
import { BodyView, parseBody } from './record-body.ts';
import { HEAD_BYTES } from './record-format.ts';
import { type ScannedSegment, Scanner } from './scanner.ts';
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, segmentSeed } from './segment-header.ts';
import { decodeSegmentTable } from './segment-table.ts';

export type FuzzTarget = (bytes: Uint8Array, hashing: Hashing) => void;

/** By name. */
export const fuzzTargets: Readonly<Record<string, FuzzTarget>> = {
  /** A segment file: header, then records read forward, all operations decoded. */
  segment: fuzzSegment,
  /** A commit record without its checksum: sections, operations, carried versions. */
  record: fuzzRecord,
  segmentTable: (bytes) => void decodeSegmentTable(bytes),
  segmentHeader: (bytes) => void decodeSegmentHeader(bytes),
  fileHeader: (bytes) => checkFileHeader('fuzz', 'STELEIDX', new Uint8Array(16), bytes),
  indexEntry: (bytes) => {
    if (bytes.length >= 24) decodeIndexEntry(bytes, 0, 0, 1, { timeMs: 0, assertedMax: 0, segment: 0, offset: 0 });
  },
  varint: (bytes) => {
    for (let at = 0, value = 0; at < bytes.length && value >= 0; at += varintBytes(Math.max(value, 0)))
      value = readVarint(bytes, at, bytes.length);
  },
};

function fuzzSegment(bytes: Uint8Array, hashing: Hashing): void {
  const header = decodeSegmentHeader(bytes.subarray(0, SEGMENT_HEADER_BYTES));
  if (header === undefined) return;
  const segment: ScannedSegment = {
    header,
    seed: segmentSeed(header.databaseId, header.number, header.generation),
    end: Math.min(bytes.length, header.fileBytes),
    file: () => fileOver(bytes),
  };
  const source = (number: number): ScannedSegment | undefined => (number === header.number ? segment : undefined);
  const native = makeCrc32(hashing.crc32);
  const scanner = new Scanner(
    source,
    native,
    { segment: header.number, offset: SEGMENT_HEADER_BYTES, chain: header.previousChecksum },
    4096,
  );
  const reader = new CommitReader(scanner, source, native, header.firstCommit - 1);
  const view = new OperationView();
  while (reader.nextCommit()) {
    for (let i = 0; i < reader.metaCount; i++) reader.meta(i);
    while (reader.next(view)) view.key();
  }
}

function fuzzRecord(bytes: Uint8Array): void {
  const body = new BodyView();
  const view = new OperationView();
  if (bytes.length < HEAD_BYTES || !parseBody(bytes, 0, bytes.length, body)) return;
  let at = body.operationsStart;
  for (let i = 0; i < body.operationCount && at !== OPERATION_BAD; i++) {
    view.commit = body.commit;
    at = decodeOperation(bytes, at, body.operationsEnd, view);
    checkRanges(at, view, bytes.length);
  }
  at = body.carriedStart;
  for (let i = 0; i < body.carriedCount && at !== OPERATION_BAD; i++) {
    at = decodeCarried(bytes, at, body.carriedEnd, body.commit, view);
    checkRanges(at, view, bytes.length);
  }
}

function checkRanges(at: number, view: OperationView, end: number): void {
  if (at === OPERATION_BAD) return;
  const ordered =
    view.keyStart <= view.keyEnd &&
    view.keyEnd <= view.tableStart &&
    view.tableStart <= view.tableEnd &&
    view.tableEnd <= view.valueStart &&
    view.valueStart <= view.valueEnd &&
    view.valueEnd <= end &&
    at <= end;
  if (!ordered) throw new Error('a decoder led outside its bytes');
}

/** Just enough of a file. */
function fileOver(bytes: Uint8Array): StorageFile {
  const refuse = (): never => {
    throw new Error('read only');
  };
  const read = (target: Uint8Array, start: number, length: number, position: number): number => {
    const piece = bytes.subarray(Math.min(position, bytes.length), Math.min(position + length, bytes.length));
    target.set(piece, start);
    return piece.length;
  };
  return {
    name: 'fuzz',
    read,
    readAsync: async (...all) => read(...all),
    write: refuse,
    sync: refuse,
    syncAsync: refuse,
    markUnsynced: refuse,
    truncate: refuse,
    size: () => bytes.length,
    close: () => {},
  };
}
