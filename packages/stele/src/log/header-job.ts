/**
 * Header job: derives the headers of durable commits from the log files and appends them to `headers.dat`.
 *
 *   headers.dat   256 bytes as the commit index's header, magic "STELEHDR"; then 115 bytes per commit, commit n at 256 + 115 · (n − 1)
 *
 * Runs off the writing thread, reads only files, needs nothing from the engine but positions. Restartable: the same input gives
 * the same bytes, and how far the file is good is remembered outside (a meta), after this job has synced it.
 *
 * Invariants
 * - Reads nothing behind `through`.
 * - Works in slices of about a millisecond; stops between commits when cancelled, with what is done synced.
 *
 * Specification: spec/log-format.md, "Commit header".
 */

import { copyBytes, readU32 } from '../base/bytes.ts';
import { makeCrc32 } from '../base/crc32.ts';
import { SteleError } from '../base/errors.ts';
import { readFully, writeAll } from '../host/files.ts';
import type { ThreadContext, ThreadJob } from '../host/host.ts';
import { COMMIT_HEADER_BYTES, HeaderBuilder } from './commit-header.ts';
import { CommitReader } from './commit-reader.ts';
import { checkFileHeader, encodeFileHeader, INDEX_HEADER_BYTES } from './index-format.ts';
import { OperationView } from './operation-view.ts';
import { LARGE_BLOCK_BYTES } from './record-format.ts';
import { type ScannedSegment, Scanner } from './scanner.ts';
import { Segment } from './segment.ts';
import { findSegments } from './segment-finder.ts';
import type { Position } from './types.ts';

export const HEADERS_FILE = 'headers.dat';
const MAGIC = 'STELEHDR';
/** Headers collected before a write. */
const BATCH = 512;
/**
 * Read at once. Runs are short and many, and what a run leaves is collected late in a thread that does little else: a piece of 1 MiB
 * a run let such a thread grow to 40 MB.
 */
const PIECE_BYTES = 64 * 1024;
/** Leaves, or blocks of 1 KiB of value, between two turns. */
const SLICE = 512;

export interface HeaderJobInput {
  readonly databaseId: Uint8Array;
  /** First commit to derive, and the place of its first record. */
  readonly fromCommit: number;
  readonly from: Position;
  /** Last commit to derive. */
  readonly throughCommit: number;
  /** Durable end of the log: nothing behind is read. */
  readonly through: Position;
}

export interface HeaderJobOutput {
  /** Headers through this commit are on the device. */
  readonly throughCommit: number;
}

/** For `Threads.run`. */
export const headerJob: ThreadJob<HeaderJobInput, HeaderJobOutput> = { module: import.meta.url, run };

/** @throws {SteleError} `corrupt` LOG_DAMAGED, INDEX_DAMAGED; `unavailable` DISK_FULL, IO_ERROR. */
export async function run(input: HeaderJobInput, context: ThreadContext): Promise<HeaderJobOutput> {
  const { storage, hashing } = context;
  const native = makeCrc32(hashing.crc32);
  const segments = openSegments(input, context);
  const source = (number: number): ScannedSegment | undefined => segments.get(number);
  const start = { segment: input.from.segment, offset: input.from.offset, chain: undefined };
  const scanner = new Scanner(source, native, start, PIECE_BYTES);
  const reader = new CommitReader(scanner, source, native, input.fromCommit - 1);
  const builder = new HeaderBuilder(hashing, input.databaseId);
  const operation = new OperationView();
  const batch = new Uint8Array(BATCH * COMMIT_HEADER_BYTES);
  const isNew = !storage.exists(HEADERS_FILE);
  const file = storage.open(HEADERS_FILE, { create: true });
  try {
    if (!isNew && file.size() >= INDEX_HEADER_BYTES) {
      const header = new Uint8Array(INDEX_HEADER_BYTES);
      readFully(file, header, 0, header.length, 0);
      checkFileHeader(HEADERS_FILE, MAGIC, input.databaseId, header);
    }
    // Also over an earlier try: what a failed sync left may be in the kernel only, and no later sync would touch it.
    if (input.fromCommit === 1 || file.size() < INDEX_HEADER_BYTES) {
      writeAll(file, encodeFileHeader(MAGIC, input.databaseId), 0, INDEX_HEADER_BYTES, 0);
      storage.syncDirectory();
    }
    let held = 0;
    let work = 0;
    while (reader.commit < input.throughCommit && !context.cancelled()) {
      if (!reader.nextCommit()) throw damaged(scanner, reader.commit + 1);
      const secret = source(reader.segment)!.header.secret;
      builder.begin(reader.commit);
      if (reader.assertedTimeMs !== 0) builder.assertedTime(secret, reader.assertedTimeMs);
      for (let i = 0; i < reader.metaCount; i++) builder.metaChunk(secret, reader.meta(i));
      while (reader.next(operation)) {
        const segment = source(reader.operationSegment)!;
        builder.operation(
          operation.isDelete,
          operation.bytes,
          operation.keyStart,
          operation.keyEnd,
          operation.expiresAt,
          operation.valueBytes,
        );
        if (operation.isLarge) readLargeValue(segment, operation, builder.leaf, builder.valueAt, native);
        else copyBytes(operation.bytes, operation.valueStart, operation.valueEnd, builder.leaf, builder.valueAt);
        builder.seal(segment.header.secret);
        work += 1 + operation.valueBytes / 1024;
        if (work > SLICE) {
          work = 0;
          await context.yield();
        }
      }
      builder.finish(reader.timeMs, batch, held++ * COMMIT_HEADER_BYTES);
      if (held === BATCH) held = writeBatch(file, batch, held, reader.commit);
    }
    writeBatch(file, batch, held, reader.commit);
    await file.syncAsync();
    return { throughCommit: reader.commit };
  } finally {
    file.close();
    for (const segment of segments.values()) segment.close();
  }
}

function writeBatch(file: ReturnType<ThreadContext['storage']['open']>, batch: Uint8Array, held: number, last: number): number {
  if (held > 0) writeAll(file, batch, 0, held * COMMIT_HEADER_BYTES, headerAt(last - held + 1));
  return 0;
}

/** Position of the header of commit `commit` in headers.dat. */
export function headerAt(commit: number): number {
  return INDEX_HEADER_BYTES + COMMIT_HEADER_BYTES * (commit - 1);
}

/** The segments the job may look at, each cut at its end. */
function openSegments(input: HeaderJobInput, context: ThreadContext): Map<number, Segment> {
  const found = findSegments(context.storage, input.databaseId, true).segments;
  const segments = new Map<number, Segment>();
  for (const [number, { slot, header, fileBytes }] of found) {
    if (number < input.from.segment || number > input.through.segment) continue;
    const end = number === input.through.segment ? input.through.offset : (found.get(number + 1)?.header.previousEnd ?? fileBytes);
    segments.set(
      number,
      new Segment(context.storage, slot, header, {
        end: Math.min(end, fileBytes),
        lastCommit: 0,
        sealed: true,
        prepared: fileBytes,
        readOnly: true,
      }),
    );
  }
  return segments;
}

/** Reads a whole large value; its blocks are verified again. */
export function readLargeValue(
  segment: ScannedSegment,
  operation: OperationView,
  target: Uint8Array,
  at: number,
  native: (bytes: Uint8Array, start: number, end: number, seed: number) => number,
): void {
  const held = readFully(segment.file(), target, at, operation.valueBytes, operation.largeOffset);
  let good = held === operation.valueBytes;
  for (let from = 0, block = 0; good && from < held; from += LARGE_BLOCK_BYTES, block++) {
    good =
      native(target, at + from, at + Math.min(from + LARGE_BLOCK_BYTES, held), 0) ===
      readU32(operation.bytes, operation.crcStart + 4 * block);
  }
  if (!good)
    throw new SteleError('corrupt', 'RECORD_DAMAGED', 'a large value changed while it was read', {
      detail: { segment: segment.header.number, offset: operation.largeOffset, commit: operation.commit },
    });
}

function damaged(scanner: Scanner, commit: number): SteleError {
  return new SteleError('corrupt', 'LOG_DAMAGED', `log segment ${scanner.nextSegment}, byte ${scanner.nextOffset}: ${scanner.reason}`, {
    detail: { segment: scanner.nextSegment, offset: scanner.nextOffset, commits: { first: commit, last: commit }, reason: scanner.reason },
  });
}
