/**
 * Log audit: reads every record that is kept, in runs of segments that follow one another, past the frames and the tail.
 *
 * Invariants
 * - Records, chain (over segments too), canonical order and density are the scanner's and the commit reader's to check; here each
 *   commit is compared with its index entry, and a sample with its header.
 * - Behind a damage it goes on with the next commit whose place the index knows; damaged neighbours are one damage.
 * - Nothing written after the audit began is looked at.
 *
 * Specification: spec/file-format.md, "Verification".
 */

import { copyBytes, equalBytes } from '../base/bytes.ts';
import { makeCrc32 } from '../base/crc32.ts';
import { SteleError } from '../base/errors.ts';
import { readFully } from '../host/files.ts';
import { COMMIT_HEADER_BYTES, HeaderBuilder } from '../log/commit-header.ts';
import { CommitReader } from '../log/commit-reader.ts';
import { HEADERS_FILE, headerAt, readLargeValue } from '../log/header-job.ts';
import { OperationView } from '../log/operation-view.ts';
import { KIND_COMMIT, KIND_FINAL_PART, KIND_PART } from '../log/record-format.ts';
import { type ScannedSegment, Scanner } from '../log/scanner.ts';
import { readSegmentHeader, Segment } from '../log/segment.ts';
import { SEGMENT_HEADER_BYTES } from '../log/segment-header.ts';
import type { SegmentInfo } from '../log/types.ts';
import type { Core } from './core.ts';
import { MISS } from './core.ts';
import type { Slices } from './slices.ts';
import type { Damage } from './types.ts';

/** Most headers derived again. */
const HEADERS_MAX = 512;

/** Commits that cannot be read, together. */
interface Gap {
  readonly message: string;
  readonly detail: Readonly<Record<string, unknown>>;
  first: number;
  last: number;
}

/** See the head of the file. */
export class LogAudit {
  commits = 0;
  logBytes = 0;
  readonly #core: Core;
  readonly #slices: Slices;
  readonly #report: (damage: Damage) => void;
  readonly #native;
  readonly #segments = new Map<number, Segment>();
  readonly #list: readonly SegmentInfo[];
  readonly #through: number;
  readonly #headersThrough: number;
  readonly #operation = new OperationView();

  constructor(core: Core, slices: Slices, report: (damage: Damage) => void) {
    this.#core = core;
    this.#slices = slices;
    this.#report = report;
    this.#native = makeCrc32(core.host.hashing.crc32);
    this.#list = core.log.segments();
    this.#through = core.log.writtenCommit;
    this.#headersThrough = core.headersThrough;
  }

  /** Everything; `progress` after each segment. */
  async run(progress: () => void): Promise<void> {
    this.#core.segmentPins++;
    try {
      await this.#index();
      this.#open();
      let before: SegmentInfo | undefined;
      for (const info of this.#list) {
        if (before === undefined || before.number + 1 !== info.number || !this.#segments.has(info.number)) await this.#run(info);
        before = info;
        progress();
      }
    } finally {
      this.#core.segmentPins--;
      for (const segment of this.#segments.values()) segment.close();
    }
  }

  /** Every entry is the one of its commit, and times never decrease. */
  async #index(): Promise<void> {
    const { index } = this.#core;
    let timeMs = 0;
    let asserted = 0;
    let gap: Gap | undefined;
    for (let commit = 1; commit <= this.#through; commit++) {
      try {
        const time = filled(() => index.timeOf(commit), index);
        const most = filled(() => index.assertedOf(commit), index);
        if (time < timeMs || most < asserted)
          throw new SteleError('corrupt', 'INDEX_DAMAGED', `times decrease at commit ${commit}`, { detail: { commit } });
        timeMs = time;
        asserted = most;
      } catch (error) {
        gap = this.#extend(gap, 'index', error, commit);
      }
      if (commit % 256 === 0) await this.#slices.pause();
    }
    this.#tell(gap, 'index');
  }

  #open(): void {
    const { storage } = this.#core.host;
    for (const { number, firstCommit, lastCommit } of this.#core.log.damagedSegments)
      this.#report({
        where: 'segment',
        message: `log segment ${number}, commits ${firstCommit} to ${lastCommit}: its file is gone, or its header is damaged`,
        detail: { code: 'SEGMENT_MISSING', segment: number, commits: { first: firstCommit, last: lastCommit } },
      });
    for (const info of this.#list) {
      const name = `log-${String(info.slot).padStart(6, '0')}.seg`;
      this.logBytes += info.bytes;
      try {
        const file = storage.open(name, { readOnly: true });
        const header = readSegmentHeader(file);
        file.close();
        if (header === undefined || header.number !== info.number || header.generation !== info.generation) {
          const found = header === undefined ? 'none' : `that of segment ${header.number}, generation ${header.generation}`;
          throw new SteleError('corrupt', 'SEGMENT_MISSING', `${name}: its header is ${found}, expected segment ${info.number}`, {
            detail: { segment: info.number, name },
          });
        }
        const state = { end: info.bytes, lastCommit: info.lastCommit, sealed: true, prepared: info.bytes, readOnly: true };
        this.#segments.set(info.number, new Segment(storage, info.slot, header, state));
      } catch (error) {
        if (!(error instanceof SteleError) || (error.kind !== 'corrupt' && error.code !== 'NOT_FOUND')) throw error;
        this.#report({ where: 'segment', message: error.message, detail: { code: error.code, segment: info.number, ...error.detail } });
      }
    }
  }

  /** From `info` to the last segment that follows without a gap. */
  async #run(info: SegmentInfo): Promise<void> {
    if (!this.#segments.has(info.number)) return;
    let last = info;
    for (const next of this.#list) if (next.number === last.number + 1 && this.#segments.has(next.number)) last = next;
    const isHead = last === this.#list.at(-1);
    let through = isHead ? this.#through : Math.min(last.lastCommit, this.#through);
    // Its last commit may end in a segment that is gone.
    if (!isHead && through >= last.firstCommit && !this.#core.segments.has(through)) through--;
    const start = this.#firstWhole(info);
    let reader = start.reader;
    let next = start.commit;
    let gap: Gap | undefined;
    while (next <= through) {
      try {
        if (reader === undefined) reader = this.#readerAt(next);
        if (!reader.nextCommit()) throw this.#stopped(reader.scanner, next);
        gap = this.#tell(gap, 'log');
        await this.#check(reader);
        next = reader.commit + 1;
        this.commits++;
      } catch (error) {
        gap = this.#extend(gap, 'log', error, next);
        reader = undefined;
        next++;
      }
      await this.#slices.pause();
    }
    this.#tell(gap, 'log');
  }

  /** The first commit that begins in the segment, and a reader in front of it, reached along the chain of the header. */
  #firstWhole(info: SegmentInfo): { commit: number; reader: CommitReader | undefined } {
    const segment = this.#segments.get(info.number)!;
    const source = (number: number): ScannedSegment | undefined => this.#segments.get(number);
    const from = { segment: info.number, offset: SEGMENT_HEADER_BYTES, chain: segment.header.previousChecksum };
    const scanner = new Scanner(source, this.#native, from);
    for (;;) {
      const before = { segment: scanner.nextSegment, offset: scanner.nextOffset, chain: scanner.chain };
      if (!scanner.next()) return { commit: info.firstCommit, reader: undefined };
      const isWhole = scanner.kind === KIND_COMMIT;
      const isPart = scanner.kind === KIND_PART || scanner.kind === KIND_FINAL_PART;
      if (!isWhole && !(isPart && scanner.body.firstOrdinal === 0 && scanner.body.firstCarried === 0)) continue;
      const again = new Scanner(source, this.#native, before);
      return { commit: scanner.commit, reader: new CommitReader(again, source, this.#native, scanner.commit - 1) };
    }
  }

  #readerAt(commit: number): CommitReader {
    const { index } = this.#core;
    filled(() => index.positionOf(commit), index);
    const source = (number: number): ScannedSegment | undefined => this.#segments.get(number);
    const scanner = new Scanner(source, this.#native, { segment: index.segment, offset: index.offset, chain: undefined }, 16 * 1024);
    return new CommitReader(scanner, source, this.#native, commit - 1);
  }

  #stopped(scanner: Scanner, commit: number): SteleError {
    return new SteleError(
      'corrupt',
      'LOG_DAMAGED',
      `log segment ${scanner.nextSegment}, byte ${scanner.nextOffset}: ${scanner.reason || 'no record'}`,
      {
        detail: { segment: scanner.nextSegment, offset: scanner.nextOffset, commit },
      },
    );
  }

  /** Its operations can be read, and index and header say the same of it. */
  async #check(reader: CommitReader): Promise<void> {
    const { commit, segment, offset, timeMs, operationCount } = reader;
    const { index } = this.#core;
    let count = 0;
    for (; reader.next(this.#operation); count++) if (count % 256 === 255) await this.#slices.pause();
    if (count !== operationCount)
      throw new SteleError('corrupt', 'LOG_DAMAGED', `commit ${commit} holds ${count} operations, its head says ${operationCount}`, {
        detail: { commit, segment, offset },
      });
    try {
      filled(() => index.positionOf(commit), index);
      const found = { segment: index.segment, offset: index.offset, timeMs: filled(() => index.timeOf(commit), index) };
      if (found.segment !== segment || found.offset !== offset || found.timeMs !== timeMs)
        this.#report({
          where: 'index',
          message: `the index has commit ${commit} elsewhere than the log`,
          detail: { commit, found, expected: { segment, offset, timeMs } },
        });
    } catch (error) {
      if (!(error instanceof SteleError) || error.code !== 'INDEX_DAMAGED') throw error; // told by #index
    }
    const step = Math.max(1, Math.ceil(this.#headersThrough / HEADERS_MAX));
    if (commit <= this.#headersThrough && (commit % step === 0 || commit === this.#headersThrough)) await this.#header(reader);
  }

  async #header(reader: CommitReader): Promise<void> {
    const { host, pageFile } = this.#core;
    const builder = new HeaderBuilder(host.hashing, pageFile.databaseId);
    const operation = this.#operation;
    const secret = this.#segments.get(reader.segment)!.header.secret;
    builder.begin(reader.commit);
    if (reader.assertedTimeMs !== 0) builder.assertedTime(secret, reader.assertedTimeMs);
    for (let i = 0; i < reader.metaCount; i++) builder.metaChunk(secret, reader.meta(i));
    reader.rewind();
    for (let count = 1; reader.next(operation); count++) {
      const segment = this.#segments.get(reader.operationSegment)!;
      builder.operation(
        operation.isDelete,
        operation.bytes,
        operation.keyStart,
        operation.keyEnd,
        operation.expiresAt,
        operation.valueBytes,
      );
      if (operation.isLarge) readLargeValue(segment, operation, builder.leaf, builder.valueAt, this.#native);
      else copyBytes(operation.bytes, operation.valueStart, operation.valueEnd, builder.leaf, builder.valueAt);
      builder.seal(segment.header.secret);
      if (count % 64 === 0) await this.#slices.pause();
    }
    const expected = new Uint8Array(COMMIT_HEADER_BYTES);
    builder.finish(reader.timeMs, expected, 0);
    const found = new Uint8Array(COMMIT_HEADER_BYTES);
    let held = 0;
    if (host.storage.exists(HEADERS_FILE)) {
      const file = host.storage.open(HEADERS_FILE, { readOnly: true });
      held = readFully(file, found, 0, found.length, headerAt(reader.commit));
      file.close();
    }
    if (held === found.length && equalBytes(found, 0, found.length, expected, 0, expected.length)) return;
    this.#report({
      where: 'headers',
      message: `the header of commit ${reader.commit} is not the one of its record`,
      detail: { commit: reader.commit },
    });
  }

  #extend(gap: Gap | undefined, where: Damage['where'], error: unknown, commit: number): Gap {
    if (!(error instanceof SteleError) || (error.kind !== 'corrupt' && error.code !== 'NOT_FOUND')) throw error;
    if (gap !== undefined && gap.last + 1 === commit) {
      gap.last = commit;
      return gap;
    }
    this.#tell(gap, where);
    return { message: error.message, detail: { code: error.code, ...error.detail }, first: commit, last: commit };
  }

  #tell(gap: Gap | undefined, where: Damage['where']): undefined {
    if (gap === undefined) return;
    const { message, detail, first, last } = gap;
    this.#report({ where: detail['code'] === 'INDEX_DAMAGED' ? 'index' : where, message, detail: { ...detail, commits: { first, last } } });
  }
}

function filled(read: () => number, index: { fillMissed(): void }): number {
  for (;;) {
    const result = read();
    if (result !== MISS) return result;
    index.fillMissed();
  }
}
