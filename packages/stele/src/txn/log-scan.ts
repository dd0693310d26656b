/**
 * Log scan: what of a log can be read, without believing anything but its records. For repair.
 *
 * A *run* is a stretch of commits that follow one another without a gap. Behind a damage the scan goes on where something that
 * verifies says a record begins: a meta's log position, an index entry, or the next segment.
 *
 * Invariants
 * - Nothing is written. What is called damage was known to be durable; a torn tail is the end of the log and no damage.
 *
 * Specification: spec/file-format.md, "Repair".
 */

import { makeCrc32 } from '../base/crc32.ts';
import { SteleError } from '../base/errors.ts';
import type { Hashing } from '../host/host.ts';
import type { Storage } from '../host/storage.ts';
import { CommitReader } from '../log/commit-reader.ts';
import { KIND_COMMIT, KIND_FINAL_PART, KIND_PART } from '../log/record-format.ts';
import { findGroups } from '../log/recovery.ts';
import { isAfter, type ScannedSegment, Scanner } from '../log/scanner.ts';
import { Segment } from '../log/segment.ts';
import { findSegments } from '../log/segment-finder.ts';
import { SEGMENT_HEADER_BYTES } from '../log/segment-header.ts';
import type { SegmentInfo } from '../log/types.ts';

/** A place in the log between two records. */
export interface LogPlace {
  readonly segment: number;
  readonly offset: number;
  /** Checksum of the record before; undefined: taken on trust. */
  readonly chain: number | undefined;
}

export interface IndexRow {
  readonly timeMs: number;
  readonly assertedMs: number;
  readonly segment: number;
  readonly offset: number;
}

/** `last` is `first` − 1 for a run without commits, which begins and ends at a meta's position. */
export interface LogRun {
  readonly first: number;
  readonly last: number;
  readonly start: LogPlace;
  /** Behind the last record, marks included. */
  readonly end: LogPlace;
}

export interface LogDamage {
  readonly segment: number;
  readonly offset: number;
  readonly reason: string;
  readonly commits: { readonly first: number; readonly last: number };
}

export interface LogScan {
  readonly runs: readonly LogRun[];
  readonly damages: readonly LogDamage[];
  /** The last damage has no run behind it: the log was longer once. */
  readonly isTailDamaged: boolean;
  readonly rows: ReadonlyMap<number, IndexRow>;
  readonly segments: readonly SegmentInfo[];
}

/** What else is known of the log. */
export interface LogHints {
  /** Where commits are known to end: commit, and the place behind it. */
  readonly places: readonly { readonly commit: number; readonly place: LogPlace }[];
  /** Place of a commit's first record, while that can be trusted. */
  readonly entry: (commit: number) => { readonly segment: number; readonly offset: number } | undefined;
  readonly durable: { readonly segment: number; readonly offset: number };
}

interface Resume {
  readonly place: LogPlace;
  /** The first commit there; undefined: to be found. */
  readonly commit: number | undefined;
}

/** Reads every segment of the database in the storage. @throws {SteleError} `corrupt` WRONG_DATABASE; `invalid` FORMAT_NEWER */
export async function scanLog(
  storage: Storage,
  databaseId: Uint8Array,
  hashing: Hashing,
  hints: LogHints,
  turn: () => Promise<void>,
): Promise<LogScan> {
  const native = makeCrc32(hashing.crc32);
  const found = findSegments(storage, databaseId, true).segments;
  const numbers = [...found.keys()].sort((a, b) => a - b);
  const live = new Map<number, Segment>();
  for (const [number, { slot, header, fileBytes }] of found) {
    const end = Math.min(fileBytes, header.fileBytes);
    live.set(number, new Segment(storage, slot, header, { end, lastCommit: 0, sealed: true, prepared: end, readOnly: true }));
  }
  const source = (number: number): ScannedSegment | undefined => live.get(number);
  const runs: LogRun[] = [];
  const damages: LogDamage[] = [];
  const rows = new Map<number, IndexRow>();
  const ends = new Map<number, { end: number; lastCommit: number }>();
  let isTailDamaged = false;
  let durable = hints.durable;
  let known = 0;

  const first = numbers[0];
  let at: Resume | undefined =
    first === undefined
      ? undefined
      : { place: { segment: first, offset: SEGMENT_HEADER_BYTES, chain: live.get(first)!.header.previousChecksum }, commit: undefined };
  try {
    while (at !== undefined) {
      const start: Resume = at.commit === undefined ? firstWhole(source, native, at.place) : at;
      const scanner = new Scanner(source, native, start.place);
      const reader = new CommitReader(scanner, source, native, (start.commit ?? 1) - 1);
      let last = (start.commit ?? 1) - 1;
      let reason = '';
      try {
        while (start.commit !== undefined && reader.nextCommit()) {
          const { commit, timeMs, assertedTimeMs, segment, offset } = reader;
          rows.set(commit, { timeMs, assertedMs: assertedTimeMs, segment, offset });
          last = commit;
          await turn();
        }
        reason = scanner.reason;
      } catch (error) {
        if (!(error instanceof SteleError) || error.kind !== 'corrupt') throw error;
        reason = error.message;
      }
      const end: LogPlace = { segment: scanner.nextSegment, offset: scanner.nextOffset, chain: scanner.chain };
      for (const { number, end: bytes, lastCommit } of scanner.finished) ends.set(number, { end: bytes, lastCommit });
      ends.set(end.segment, { end: end.offset, lastCommit: Math.max(last, (live.get(end.segment)?.header.firstCommit ?? 1) - 1) });
      const isHinted = start.commit !== undefined && hints.places.some((hint) => hint.commit === last && hint.commit + 1 === start.commit);
      if (start.commit !== undefined && (last >= start.commit || isHinted)) {
        runs.push({ first: start.commit, last, start: start.place, end });
        known = Math.max(known, last);
      }
      if (isAfter(scanner.durableSegment, scanner.durableOffset, durable.segment, durable.offset))
        durable = { segment: scanner.durableSegment, offset: scanner.durableOffset };

      at = resume(hints, live, numbers, end, known);
      const later = evidence(live, end);
      const isDurable =
        isAfter(durable.segment, durable.offset, end.segment, end.offset) || isAfter(later.segment, later.offset, end.segment, end.offset);
      if (!isDurable) break;
      const lastLost =
        at === undefined ? Math.max(known + 1, later.lastCommit) : (at.commit ?? live.get(at.place.segment)!.header.firstCommit) - 1;
      const before = damages.at(-1);
      if (before !== undefined && before.commits.first === known + 1)
        damages[damages.length - 1] = { ...before, commits: { first: known + 1, last: Math.max(lastLost, before.commits.last) } };
      else
        damages.push({
          segment: end.segment,
          offset: end.offset,
          reason,
          commits: { first: known + 1, last: Math.max(known + 1, lastLost) },
        });
      isTailDamaged = at === undefined;
    }
  } finally {
    for (const segment of live.values()) segment.close();
  }
  const segments = numbers.map((number, i): SegmentInfo => {
    const { slot, header, fileBytes } = found.get(number)!;
    const next = numbers[i + 1] === undefined ? undefined : found.get(numbers[i + 1]!)!.header;
    const follows = next !== undefined && next.number === number + 1;
    const bytes = follows ? Math.min(next.previousEnd, fileBytes) : Math.min(ends.get(number)?.end ?? fileBytes, fileBytes);
    const lastCommit = Math.max(
      header.firstCommit - 1,
      ends.get(number)?.lastCommit ?? (next === undefined ? known : next.firstCommit - 1),
    );
    return {
      number,
      slot,
      generation: header.generation,
      firstCommit: header.firstCommit,
      lastCommit,
      bytes,
      fileBytes: header.fileBytes,
      sealed: true,
    };
  });
  return { runs, damages, isTailDamaged, rows, segments };
}

/** The first commit that begins at or behind the place, along the chain. */
function firstWhole(source: (number: number) => ScannedSegment | undefined, native: ReturnType<typeof makeCrc32>, place: LogPlace): Resume {
  const scanner = new Scanner(source, native, place);
  for (;;) {
    const before = { segment: scanner.nextSegment, offset: scanner.nextOffset, chain: scanner.chain };
    if (!scanner.next()) {
      // An empty log begins with commit 1.
      const isEmpty = place.segment === 1 && place.offset === SEGMENT_HEADER_BYTES;
      return { place, commit: isEmpty ? 1 : undefined };
    }
    const isPart = scanner.kind === KIND_PART || scanner.kind === KIND_FINAL_PART;
    const isFirst = isPart && scanner.body.firstOrdinal === 0 && scanner.body.firstCarried === 0;
    if (scanner.kind === KIND_COMMIT || isFirst) return { place: before, commit: scanner.commit };
  }
}

/** The next place behind `end` at which a record is said to begin. */
function resume(
  hints: LogHints,
  live: ReadonlyMap<number, Segment>,
  numbers: readonly number[],
  end: LogPlace,
  known: number,
): Resume | undefined {
  let best: Resume | undefined;
  const offer = (candidate: Resume): void => {
    const { segment, offset } = candidate.place;
    if (!live.has(segment) || !isAfter(segment, offset, end.segment, end.offset)) return;
    if (best === undefined || isAfter(best.place.segment, best.place.offset, segment, offset)) best = candidate;
  };
  for (const { commit, place } of hints.places) offer({ place, commit: commit + 1 });
  for (let commit = known + 1; ; commit++) {
    const entry = hints.entry(commit);
    if (entry === undefined) break;
    if (!isAfter(entry.segment, entry.offset, end.segment, end.offset) || !live.has(entry.segment)) continue;
    offer({ place: { ...entry, chain: undefined }, commit });
    break;
  }
  const next = numbers.find((number) => number > end.segment);
  if (next !== undefined)
    offer({ place: { segment: next, offset: SEGMENT_HEADER_BYTES, chain: live.get(next)!.header.previousChecksum }, commit: undefined });
  return best;
}

/** What groups behind the place tell. */
function evidence(live: ReadonlyMap<number, Segment>, end: LogPlace): { segment: number; offset: number; lastCommit: number } {
  let best = { segment: 0, offset: 0, lastCommit: 0 };
  for (const segment of live.values()) {
    if (segment.number < end.segment) continue;
    const marks = findGroups(segment, segment.number === end.segment ? end.offset : SEGMENT_HEADER_BYTES);
    if (isAfter(marks.durableSegment, marks.durableOffset, best.segment, best.offset))
      best = { ...best, segment: marks.durableSegment, offset: marks.durableOffset };
    best.lastCommit = Math.max(best.lastCommit, marks.lastCommit);
  }
  return best;
}
