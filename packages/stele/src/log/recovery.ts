/**
 * Recovery: replays the log from a meta's position, finds its end, and decides between a torn tail and damage.
 *
 * The end is the first place where no valid record follows. If anything says that the log was durable beyond that place
 * (a meta, a group read on the way, or a group found by searching behind it), a record that once was safe is gone:
 * LOG_DAMAGED, and nothing is touched. Otherwise it is a torn tail: what lies behind is zeroed, newer segments are
 * removed, all is synced, and only then may anything be appended.
 *
 * Invariants
 * - The cut is never below a durable position, so the same decision comes out when recovery is itself cut and repeated.
 * - Parts of a commit without its final part stay: the next commit of the same number makes them meaningless.
 * - With `readOnly` nothing is written.
 *
 * Specification: spec/log-format.md, "Recovery".
 */

import { isZero } from '../base/bytes.ts';
import type { Crc32 } from '../base/crc32.ts';
import { SteleError } from '../base/errors.ts';
import { readFully, writeAll, writeZeros } from '../host/files.ts';
import type { StorageFile } from '../host/storage.ts';
import { CommitReader } from './commit-reader.ts';
import { GROUP_BYTES, groupDurableOffset, groupDurableSegment, isGroupAt } from './group-format.ts';
import { findHeadlessGroups, type HeadlessSearch } from './headless.ts';
import { align8, headCommit, KIND_CLEAN_CLOSE } from './record-format.ts';
import { isAfter, type ScannedSegment, Scanner } from './scanner.ts';
import { Segment, segmentName } from './segment.ts';
import { findSegments } from './segment-finder.ts';
import { SEGMENT_HEADER_BYTES } from './segment-header.ts';
import { SegmentStore } from './segment-store.ts';
import type { RecoverOptions, VisitCommit } from './types.ts';

export interface Recovered {
  readonly store: SegmentStore;
  readonly offset: number;
  readonly commit: number;
  readonly checksum: number;
  readonly cleanlyClosed: boolean;
}

const PIECE_BYTES = 1024 * 1024;

/** See the opening paragraph. @throws {SteleError} `corrupt` LOG_DAMAGED. */
export function recoverLog(options: RecoverOptions, native: Crc32, visit: VisitCommit): Recovered {
  const readOnly = options.readOnly === true;
  const found = findSegments(options.storage, options.databaseId, readOnly);
  const live = new Map<number, Segment>();
  for (const [number, { slot, header, fileBytes }] of found.segments) {
    const end = Math.min(fileBytes, header.fileBytes);
    if (number >= options.from.segment)
      live.set(
        number,
        new Segment(options.storage, slot, header, { end, lastCommit: header.firstCommit - 1, sealed: true, prepared: end, readOnly }),
      );
  }
  const source = (number: number): ScannedSegment | undefined => live.get(number);
  const scanner = new Scanner(source, native, { segment: options.from.segment, offset: options.from.offset, chain: options.fromChecksum });
  scanner.lastCommit = options.fromCommit;
  const reader = new CommitReader(scanner, source, native, options.fromCommit, options.visitMark);
  try {
    while (reader.nextCommit()) visit(reader);
    judge(options, found, live, scanner, reader);
    const store = settle(options, found, live, scanner, readOnly);
    return {
      store,
      offset: scanner.nextOffset,
      commit: reader.commit,
      checksum: scanner.chain ?? options.fromChecksum,
      cleanlyClosed: reader.lastMark === KIND_CLEAN_CLOSE,
    };
  } catch (error) {
    for (const segment of live.values()) segment.close();
    throw error;
  }
}

/** Throws LOG_DAMAGED when the log is known to have been durable beyond its end. */
function judge(
  options: RecoverOptions,
  found: ReturnType<typeof findSegments>,
  live: Map<number, Segment>,
  scanner: Scanner,
  reader: CommitReader,
): void {
  const { nextSegment: segment, nextOffset: offset } = scanner;
  let durableSegment = options.knownDurable.segment;
  let durableOffset = options.knownDurable.offset;
  let last = reader.commit;
  const learn = (otherSegment: number, otherOffset: number): void => {
    if (!isAfter(otherSegment, otherOffset, durableSegment, durableOffset)) return;
    durableSegment = otherSegment;
    durableOffset = otherOffset;
  };
  learn(scanner.durableSegment, scanner.durableOffset);
  if (options.endIsKnown !== true) {
    for (const later of live.values()) {
      if (later.number < segment) continue;
      const marks = findGroups(later, later.number === segment ? offset : SEGMENT_HEADER_BYTES);
      learn(marks.durableSegment, marks.durableOffset);
      if (marks.lastCommit > last) last = marks.lastCommit;
    }
    const generations = [...found.segments.values()].map(({ header }) => header.generation);
    const search: HeadlessSearch = {
      storage: options.storage,
      databaseId: options.databaseId,
      slots: found.unused.filter(({ generation }) => generation <= 0).map(({ slot }) => slot),
      lastSegment: segment,
      generationMax: Math.max(...generations, ...found.unused.map(({ generation }) => generation)),
    };
    findHeadlessGroups(search, (bytes, at) => {
      learn(groupDurableSegment(bytes, at), groupDurableOffset(bytes, at));
      last = Math.max(last, headCommit(bytes, at));
    });
  }
  if (!isAfter(durableSegment, durableOffset, segment, offset)) return;
  const commits = { first: reader.commit + 1, last: Math.max(last, reader.commit + 1) };
  const durable = { segment: durableSegment, offset: durableOffset };
  throw new SteleError(
    'corrupt',
    'LOG_DAMAGED',
    `log segment ${segment}, byte ${offset}: ${scanner.reason}, although the log was durable up to segment ${durableSegment}, byte ${durableOffset}`,
    {
      detail: { segment, offset, commits, durable, reason: scanner.reason },
    },
  );
}

/** Looks at every multiple of 8 for a group of this segment; tells the greatest durable position and commit they name. */
export function findGroups(segment: ScannedSegment, offset: number): { durableSegment: number; durableOffset: number; lastCommit: number } {
  const result = { durableSegment: 0, durableOffset: 0, lastCommit: 0 };
  const bytes = new Uint8Array(PIECE_BYTES + GROUP_BYTES);
  const file = segment.file();
  for (let from = align8(offset); from + GROUP_BYTES <= segment.end; from += PIECE_BYTES) {
    const held = readFully(file, bytes, 0, Math.min(bytes.length, segment.end - from), from);
    const end = Math.min(PIECE_BYTES, held - GROUP_BYTES + 1);
    for (let at = 0; at < end; at += 8) {
      if (bytes[at + 12] !== 1 || !isGroupAt(bytes, at, segment.seed, from + at)) continue;
      if (isAfter(groupDurableSegment(bytes, at), groupDurableOffset(bytes, at), result.durableSegment, result.durableOffset)) {
        result.durableSegment = groupDurableSegment(bytes, at);
        result.durableOffset = groupDurableOffset(bytes, at);
      }
      result.lastCommit = Math.max(result.lastCommit, headCommit(bytes, at));
    }
  }
  return result;
}

/** Cuts what is to be cut, syncs, and hands over the files. */
function settle(
  options: RecoverOptions,
  found: ReturnType<typeof findSegments>,
  live: Map<number, Segment>,
  scanner: Scanner,
  readOnly: boolean,
): SegmentStore {
  const { storage, segmentBytes, knownDurable } = options;
  const store = new SegmentStore(options);
  const kept = new Map(options.segments.map((info) => [info.number, info]));
  for (const { slot, generation } of found.unused) store.takeSlot(slot, generation);
  for (const [number, { slot, header, fileBytes }] of found.segments) {
    store.takeSlot(slot, header.generation);
    if (number >= options.from.segment) continue;
    const info = kept.get(number);
    if (info !== undefined && info.generation === header.generation) {
      store.adopt(
        new Segment(storage, slot, header, { end: info.bytes, lastCommit: info.lastCommit, sealed: true, prepared: fileBytes, readOnly }),
      );
    } else found.unused.push({ slot, generation: header.generation, fileBytes });
  }
  for (const { slot, generation } of found.unused) {
    // A header that rotted: its records may be all that is left of some history.
    const info = generation === -1 ? options.segments.find((each) => each.slot === slot && each.number < options.from.segment) : undefined;
    if (info !== undefined && store.get(info.number) === undefined) store.damaged.push(info);
  }
  for (const info of options.segments)
    if (info.number < options.from.segment && store.get(info.number) === undefined && !store.damaged.includes(info))
      store.missing.push(info);
  for (const { number, end, lastCommit } of scanner.finished) adoptScanned(store, live.get(number)!, end, lastCommit, true);
  const current = live.get(scanner.nextSegment);
  if (current === undefined)
    throw new SteleError('corrupt', 'LOG_DAMAGED', `log segment ${scanner.nextSegment} is missing`, {
      detail: {
        segment: scanner.nextSegment,
        offset: scanner.nextOffset,
        commits: { first: options.fromCommit + 1, last: options.fromCommit + 1 },
      },
    });
  adoptScanned(store, current, scanner.nextOffset, scanner.lastCommit, false);
  const newer = [...live.values()].filter((segment) => segment.number > current.number);
  for (const segment of newer) segment.close();
  if (readOnly) return store;

  for (const { slot, header, prepared } of newer) found.unused.push({ slot, generation: header.generation, fileBytes: prepared });
  if (options.endIsKnown !== true) zeroRest(current.file(), scanner.nextOffset, current.prepared);
  const told = isAfter(scanner.durableSegment, scanner.durableOffset, knownDurable.segment, knownDurable.offset);
  const durable = told ? { segment: scanner.durableSegment, offset: scanner.durableOffset } : knownDurable;
  for (const segment of store.all()) {
    if (segment.number < durable.segment && segment !== current) continue;
    // Found at kernel level, written by a process that died before its sync or whose sync failed: then the kernel calls these
    // bytes clean and no sync would touch them, so they are written anew.
    writeAgain(segment.file(), segment.number === durable.segment ? Math.min(durable.offset, segment.end) : 0, segment.end);
    segment.file().sync();
  }
  for (const { slot, generation, fileBytes } of found.unused) {
    if (store.damaged.some((info) => info.slot === slot)) continue;
    if (store.spare === undefined && (generation === 0 ? fileBytes <= segmentBytes : generation > 0 && fileBytes === segmentBytes)) {
      store.spare = { slot, prepared: fileBytes, file: undefined };
    } else storage.remove(segmentName(slot));
  }
  // Not only what was removed: a process that was killed may have created the spare, or the head, without syncing its name.
  storage.syncDirectory();
  return store;
}

function adoptScanned(store: SegmentStore, segment: Segment, end: number, lastCommit: number, sealed: boolean): void {
  segment.end = end;
  segment.syncedEnd = end;
  segment.sealed = sealed;
  segment.lastCommit = Math.max(lastCommit, segment.header.firstCommit - 1);
  store.adopt(segment);
}

/** Writes `[offset, end)` over itself. */
function writeAgain(file: StorageFile, offset: number, end: number): void {
  const bytes = new Uint8Array(Math.min(PIECE_BYTES, Math.max(0, end - offset)));
  for (let from = offset; from < end; from += bytes.length) {
    const held = readFully(file, bytes, 0, Math.min(bytes.length, end - from), from);
    writeAll(file, bytes, 0, held, from);
    if (held < bytes.length) return;
  }
}

/** Zeroes from `offset` to the last byte that is not zero already. */
function zeroRest(file: StorageFile, offset: number, end: number): void {
  const bytes = new Uint8Array(PIECE_BYTES);
  for (let from = offset; from < end; from += PIECE_BYTES) {
    const held = readFully(file, bytes, 0, Math.min(PIECE_BYTES, end - from), from);
    if (!isZero(bytes, 0, held)) writeZeros(file, from, held);
  }
}
