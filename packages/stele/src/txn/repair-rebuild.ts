/**
 * Carrying out a plan: originals aside, the log cut where that was agreed, a new base, a new index.
 *
 * Afterwards the files are a database whose replay has not been done yet: opening it does the rest.
 *
 * Specification: spec/file-format.md, "Repair".
 */

import { makeCrc32 } from '../base/crc32.ts';
import { SteleError } from '../base/errors.ts';
import { writeAll } from '../host/files.ts';
import type { Host } from '../host/host.ts';
import { CommitIndex } from '../log/commit-index.ts';
import { CommitReader } from '../log/commit-reader.ts';
import { INDEX_FILE } from '../log/index-format.ts';
import { headChain } from '../log/record-format.ts';
import { type ScannedSegment, Scanner } from '../log/scanner.ts';
import { Segment, segmentName } from '../log/segment.ts';
import { findSegments } from '../log/segment-finder.ts';
import { encodeSegmentTable } from '../log/segment-table.ts';
import type { SegmentInfo } from '../log/types.ts';
import { Bitmap } from '../pager/bitmap.ts';
import { readBlob } from '../pager/blob.ts';
import { BLOB_USED_PAGES, encodeMeta, META_BYTES, type Meta } from '../pager/meta.ts';
import { readMetaSlots } from '../pager/meta-slots.ts';
import { checkTreePage } from '../pager/page-check.ts';
import { PAGES_FILE, PageFile } from '../pager/page-file.ts';
import { LevelWalk } from '../tree/level-walk.ts';
import { scratchPage } from '../tree/rebuild.ts';
import { END, MISS } from '../tree/results.ts';
import { PageAudit } from './audit-pages.ts';
import type { Turn } from './copy.ts';
import { MISS as INDEX_MISS } from './core.ts';
import { encodeKept, type KeptState } from './kept-blob.ts';
import type { LogPlace } from './log-scan.ts';
import { PAGE_SIZE_DEFAULT, type Settings } from './options.ts';
import type { BackupSource } from './repair-backup.ts';
import { BaseBuilder, type BaseState } from './repair-build.ts';
import { aliased, type RepairFiles } from './repair-files.ts';
import type { Findings, LostRange } from './repair-inspect.ts';
import type { RepairPlan } from './repair-plan.ts';

export interface RebuildParts {
  readonly host: Host;
  readonly settings: Settings;
  readonly findings: Findings;
  readonly plan: RepairPlan;
  readonly source: BackupSource | undefined;
  readonly files: RepairFiles;
  readonly turn: Turn;
}

export interface Rebuilt {
  readonly lostKeys: readonly Uint8Array[];
  readonly lostRanges: readonly LostRange[];
  readonly lostTimes: readonly { readonly first: number; readonly last: number }[];
}

/** See the head of the file. */
export async function rebuild(parts: RebuildParts): Promise<Rebuilt> {
  const { host, plan, findings, files } = parts;
  const { cut } = plan;
  const removed = cut === undefined ? [] : findings.log.segments.filter((segment) => segment.number > cut.segment);
  const shortened = cut === undefined ? [] : findings.log.segments.filter((segment) => segment.number === cut.segment);
  const isIndexNew = plan.base !== 'kept' || findings.isIndexGone || findings.indexGaps.length > 0;
  const names = [...removed, ...shortened].map((segment) => segmentName(segment.slot));
  if (isIndexNew) names.push(INDEX_FILE);
  if (plan.base !== 'kept' || cut !== undefined) names.push(PAGES_FILE);
  await files.keep(names);

  for (const segment of removed) host.storage.remove(segmentName(segment.slot));
  if (cut !== undefined) {
    for (const segment of shortened) {
      const file = host.storage.open(segmentName(segment.slot));
      file.truncate(cut.offset);
      file.sync();
      file.close();
    }
    host.storage.syncDirectory();
    if (plan.base === 'kept') forgetDurable(host, cut);
  }
  const built = plan.base === 'kept' ? { lostKeys: [], lostRanges: [] } : await buildBase(parts);
  const lostTimes = isIndexNew ? buildIndex(parts) : [];
  host.storage.syncDirectory();
  return { ...built, lostTimes };
}

/** Both metas say that nothing behind the cut was ever safe. */
function forgetDurable(host: Host, cut: { readonly segment: number; readonly offset: number }): void {
  const file = host.storage.open(PAGES_FILE);
  try {
    for (const slot of readMetaSlots(file)) {
      if (slot.state !== 'meta') continue;
      const { meta } = slot;
      const changed: Meta = { ...meta, durableSegment: cut.segment, durableOffset: cut.offset, isCleanClose: false };
      writeAll(file, encodeMeta(changed), 0, META_BYTES, (meta.sequence % 2) * meta.pageBytes);
      file.sync();
    }
  } finally {
    file.close();
  }
}

async function buildBase(parts: RebuildParts): Promise<{ lostKeys: readonly Uint8Array[]; lostRanges: readonly LostRange[] }> {
  const { host, findings, plan, source, settings } = parts;
  const newest = findings.metas[0];
  const place = await placeBehind(parts);
  const epoch = new Uint8Array(8);
  const incarnation = new Uint8Array(16);
  host.random.fill(epoch);
  host.random.fill(incarnation);
  const time = rowBefore(parts, plan.commit);
  const state: BaseState = {
    commit: plan.commit,
    timeMs: Math.max(time?.timeMs ?? 0, plan.base === 'leaves' ? (newest?.timeMs ?? 0) : 0),
    assertedTimeMs: time?.assertedMs ?? 0,
    logSegment: place.segment,
    logOffset: place.offset,
    logChecksum: place.chain ?? 0,
    segmentTable: encodeSegmentTable(segmentsBefore(parts, place)),
    keptRanges: (looseLargeFrom) => encodeKept(keptState(parts, looseLargeFrom)),
  };
  const create = {
    pageBytes: newest?.pageBytes ?? source?.core.pageFile.pageBytes ?? settings.pageSize ?? PAGE_SIZE_DEFAULT,
    databaseId: findings.databaseId,
    incarnation: newest?.incarnation ?? incarnation,
    parentId: newest?.parentId ?? new Uint8Array(16),
    parentCommit: newest?.parentCommit ?? 0,
    parentChecksum: newest?.parentChecksum ?? 0,
    epoch,
    logSegment: state.logSegment,
    logOffset: state.logOffset,
    logChecksum: state.logChecksum,
    timeMs: state.timeMs,
  };
  const { rows } = findings.log;
  const builder = new BaseBuilder(host, create, state, settings.cacheMemory, (commit) => rows.has(commit));
  try {
    let lostRanges: readonly LostRange[] = [];
    if (plan.base === 'backup') await addBackup(builder, parts);
    if (plan.base === 'leaves') lostRanges = await addLeaves(builder, parts);
    // An empty base has no kept ranges either: the marks in the log say them.
    if (plan.base === 'log') builder.close();
    else builder.finish();
    return { lostKeys: builder.lostKeys, lostRanges };
  } catch (error) {
    builder.close();
    throw error;
  }
}

async function addBackup(builder: BaseBuilder, { source, turn }: RebuildParts): Promise<void> {
  const { core } = source!;
  const walk = new LevelWalk(core.tree, 0);
  for (;;) {
    const state = walk.next();
    if (state === END) return;
    if (state === MISS) {
      core.missTree();
      core.fill();
      continue;
    }
    builder.addLeaf(core.pages, walk.frame * core.pages.pageBytes, core.pageFile);
    await turn(core.pages.pageBytes);
  }
}

/** Every leaf that verifies: those the meta leads to, then those whose parents are lost but which the bitmap of used pages has. */
async function addLeaves(builder: BaseBuilder, { host, files, turn }: RebuildParts): Promise<readonly LostRange[]> {
  const storage = aliased(host.storage, (name) => (name === PAGES_FILE ? files.nameAside(name) : name));
  const file = PageFile.open({ storage, hashing: host.hashing, readOnly: true });
  try {
    const { meta } = file;
    const lost: LostRange[] = [];
    const audit = new PageAudit(file, meta, {
      damage: () => {},
      leaf: (views) => builder.addLeaf(views, 0, file),
      lost: (start, end) => lost.push({ start, end }),
    });
    for (const walk = audit.run(); walk.next().done !== true; ) await turn(meta.pageBytes);
    const orphans = await addOrphans(builder, file, audit, turn);
    // Only inner pages were damaged when every leaf the meta counts was found.
    return orphans > 0 && audit.leaves + orphans === meta.leafCount ? [] : lost;
  } finally {
    file.close();
  }
}

async function addOrphans(builder: BaseBuilder, file: PageFile, audit: PageAudit, turn: Turn): Promise<number> {
  const { meta, pageBytes } = file;
  let used: Bitmap;
  try {
    used = Bitmap.decode(readBlob(file, meta.blobs[BLOB_USED_PAGES]!));
  } catch (error) {
    if (!(error instanceof SteleError) || error.kind !== 'corrupt') throw error;
    return 0; // which of several copies of a leaf is the newest cannot be known
  }
  const views = scratchPage(pageBytes);
  let found = 0;
  const end = Math.min(used.end(), meta.pageCount);
  for (let page = used.nextSet(2, end); page < end; page = used.nextSet(page + 1, end)) {
    if (audit.reached.has(page)) continue;
    const read = await file.readRawAsync(views.u8, 0, page);
    try {
      file.verifyPage(views.u8, 0, page, read);
    } catch {
      continue;
    }
    if (views.u8[6] !== 1 || checkTreePage(views, 0, pageBytes, 0, meta.pageCount) !== undefined) continue;
    builder.addLeaf(views, 0, file);
    found++;
    await turn(pageBytes);
  }
  return found;
}

/** The place in the log behind the commit of the base, with the chain there. */
async function placeBehind(parts: RebuildParts): Promise<LogPlace> {
  const { host, findings, plan, turn } = parts;
  const native = makeCrc32(host.hashing.crc32);
  const { run, commit } = plan;
  const segments = new Map<number, Segment>();
  for (const [number, { slot, header, fileBytes }] of findSegments(host.storage, findings.databaseId, true).segments) {
    const end = Math.min(fileBytes, header.fileBytes);
    segments.set(number, new Segment(host.storage, slot, header, { end, lastCommit: 0, sealed: true, prepared: end, readOnly: true }));
  }
  const source = (number: number): ScannedSegment | undefined => segments.get(number);
  try {
    if (commit < run.first) {
      if (run.start.chain !== undefined) return run.start;
      const scanner = new Scanner(source, native, run.start);
      return { ...run.start, chain: scanner.next() ? headChain(scanner.bytes, scanner.start) : 0 };
    }
    const reader = new CommitReader(new Scanner(source, native, run.start), source, native, run.first - 1);
    while (reader.commit < commit && reader.nextCommit()) await turn(0);
    const place = { segment: reader.endSegment, offset: reader.endOffset, chain: reader.checksum };
    const { source: backup } = parts;
    if (plan.base === 'backup' && backup !== undefined && backup.core.endChecksum !== place.chain)
      throw new SteleError('corrupt', 'REPAIR_IMPOSSIBLE', `the backup went another way: its commit ${commit} is not this database's`, {
        detail: { commit, found: backup.core.endChecksum, expected: place.chain },
      });
    return place;
  } finally {
    for (const segment of segments.values()) segment.close();
  }
}

function segmentsBefore({ findings }: RebuildParts, place: LogPlace): SegmentInfo[] {
  return findings.log.segments.filter((segment) => segment.number < place.segment);
}

/** What can be read how far back: as recorded, or as the backup has it, or nothing before now. */
function keptState({ findings, plan, source, host }: RebuildParts, looseLargeFrom: number): KeptState {
  const { kept } = findings;
  const core = source?.core;
  const nothing = [
    { prefix: new Uint8Array(0), isRule: true, keptFrom: plan.run.last, keptFromMs: 0, historyMs: Number.POSITIVE_INFINITY },
  ];
  const tombstonesFrom = Math.min(kept?.tombstonesFrom ?? Number.POSITIVE_INFINITY, core?.tombstonesFrom ?? Number.POSITIVE_INFINITY);
  return {
    ranges: kept?.ranges ?? core?.retention.ranges ?? nothing,
    sweptTimeMs: Math.max(kept?.sweptTimeMs ?? host.clock.nowMs(), core?.sweptTimeMs ?? 0),
    // They are found by walking the log, which must be there.
    tombstonesFrom: findings.log.rows.has(tombstonesFrom) ? tombstonesFrom : plan.run.first,
    looseLargeFrom,
    headersThrough: Math.min(kept?.headersThrough ?? 0, plan.run.last),
    isTracking: kept?.isTracking ?? core?.segmentUse.isTracking ?? false,
    segmentUse: kept?.segmentUse ?? [],
  };
}

function rowBefore(parts: RebuildParts, commit: number): { timeMs: number; assertedMs: number } | undefined {
  for (let at = commit; at > 0; at--) {
    const row = rowOf(parts, at);
    if (row !== undefined) return row;
  }
  return undefined;
}

function rowOf(
  { findings, source }: RebuildParts,
  commit: number,
): { timeMs: number; assertedMs: number; segment: number; offset: number } | undefined {
  const entry = findings.entry(commit);
  const row = findings.log.rows.get(commit);
  if (row !== undefined) return { ...row, assertedMs: Math.max(row.assertedMs, entry?.assertedMax ?? 0) };
  if (entry !== undefined) return { timeMs: entry.timeMs, assertedMs: entry.assertedMax, segment: entry.segment, offset: entry.offset };
  const index = source?.core.index;
  if (index === undefined || commit > index.commits) return undefined;
  const filled = (read: () => number): number => {
    for (;;) {
      const result = read();
      if (result !== INDEX_MISS) return result;
      index.fillMissed();
    }
  };
  const timeMs = filled(() => index.timeOf(commit));
  const assertedMs = filled(() => index.assertedOf(commit));
  filled(() => index.positionOf(commit));
  return { timeMs, assertedMs, segment: index.segment, offset: index.offset };
}

/** Entries 1 … the base's commit; the replay appends the others. */
function buildIndex(parts: RebuildParts): { first: number; last: number }[] {
  const { host, findings, plan } = parts;
  const through = plan.base === 'kept' ? findings.metas[0]!.commit : plan.commit;
  const rows: ReturnType<typeof rowOf>[] = [];
  // Everything is read before the file is made anew.
  for (let commit = 1; commit <= through; commit++) rows.push(rowOf(parts, commit));
  const index = CommitIndex.create({ storage: host.storage, databaseId: findings.databaseId });
  const lost: { first: number; last: number }[] = [];
  try {
    let timeMs = 0;
    rows.forEach((row, i) => {
      const commit = i + 1;
      if (row === undefined) {
        const before = lost.at(-1);
        if (before?.last === commit - 1) before.last = commit;
        else lost.push({ first: commit, last: commit });
      }
      timeMs = Math.max(timeMs, row?.timeMs ?? 0);
      index.append(commit, timeMs, row?.assertedMs ?? 0, row?.segment ?? plan.run.start.segment, row?.offset ?? plan.run.start.offset);
    });
    index.write(through);
    index.syncNow();
  } finally {
    index.close();
  }
  return lost;
}
