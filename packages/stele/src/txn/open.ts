/**
 * Opening: from a directory to a running core.
 *
 * The order matters. Lock first; then the page file says which tree is current; then the log is replayed from there, the
 * commit index following; only then does anything get written. Opening does not read what it does not need: its cost is the
 * log since the last flush.
 *
 * Invariants
 * - Recovery may be cut anywhere and repeated.
 * - When replay has to flush (more is dirty than the cache holds), everything replayed is on the device first: segments are
 *   synced before the first record is read.
 *
 * Specification: spec/log-format.md, "Recovery"; spec/file-format.md, "Creation".
 */

import { isZero } from '../base/bytes.ts';
import { SteleError } from '../base/errors.ts';
import type { Host } from '../host/host.ts';
import { CommitIndex } from '../log/commit-index.ts';
import { Log } from '../log/log.ts';
import { readBlob } from '../pager/blob.ts';
import { BLOB_KEPT_RANGES, BLOB_SEGMENT_TABLE, type Meta } from '../pager/meta.ts';
import { PageCache } from '../pager/page-cache.ts';
import { PageFile } from '../pager/page-file.ts';
import { NO_PAGE } from '../pager/page-source.ts';
import { Accelerator } from '../tree/accelerator.ts';
import { Tree } from '../tree/tree.ts';
import { Applier } from './applier.ts';
import { Core } from './core.ts';
import { decodeKept, type KeptState } from './kept-blob.ts';
import { replayKeptMark } from './kept-mark.ts';
import { PAGE_SIZE_DEFAULT, type Settings } from './options.ts';
import { Pins } from './pins.ts';
import { ReplayRoom } from './replay-room.ts';
import { Retention } from './retention.ts';
import { SegmentUse } from './segment-use.ts';
import { Superseded } from './superseded.ts';

/** Share of `cacheMemory` for the accelerator. */
const ACCELERATOR_SHARE = 1 / 8;
/** Share of `cacheMemory` that the end of the log may take in memory, beside the cache and within bounds: it is a cache too. */
const TAIL_SHARE = 1 / 16;
const TAIL_BYTES_MIN = 4 * 1024 * 1024;
const TAIL_BYTES_MAX = 16 * 1024 * 1024;
/** What is looked at behind the end of a log said to be closed cleanly. */
const QUIET_BYTES = 64 * 1024;
const LOG_FILE = /^log-\d{6}\.seg$/;

export interface Opened {
  readonly core: Core;
  readonly applier: Applier;
  /** Commits replayed. */
  readonly replayed: number;
  readonly looseLargeFrom: number;
}

/** Opens or creates the database in the host's storage; the lock is held. Replay stops after `throughCommit`. */
export function openCore(host: Host, settings: Settings, throughCommit = Number.POSITIVE_INFINITY): Opened {
  const epoch = new Uint8Array(8);
  host.random.fill(epoch);
  const look = PageFile.look({ storage: host.storage, hashing: host.hashing });
  if (look !== 'present') {
    if (settings.readOnly) throw nothingHere();
    checkLogRetention(settings, settings.historyRetention ?? Number.POSITIVE_INFINITY);
    create(host, settings, epoch);
  }
  return openExisting(host, settings, epoch, throughCommit);
}

/** @throws {SteleError} `invalid` OPTION_INVALID when the log is to be kept shorter than the longest history */
function checkLogRetention({ logRetention }: Settings, historyMsMax: number): void {
  if (logRetention === undefined || logRetention >= historyMsMax) return;
  throw new SteleError(
    'invalid',
    'OPTION_INVALID',
    `option logRetention: found ${logRetention} ms, expected at least the longest history, ${historyMsMax} ms`,
    {
      detail: { option: 'logRetention' },
    },
  );
}

/** The error of a read-only open where there is nothing. */
export function nothingHere(): SteleError {
  return new SteleError('invalid', 'NOT_FOUND', 'there is no database here, and a read-only open creates none');
}

function create(host: Host, settings: Settings, epoch: Uint8Array): void {
  const { storage } = host;
  refuseLostPages(host);
  // What an interrupted creation left; its log never held a commit.
  for (const name of storage.list())
    if (LOG_FILE.test(name) || name === 'commits.idx' || name === 'headers.dat' || name === 'pages.db') storage.remove(name);
  storage.syncDirectory();
  const databaseId = new Uint8Array(16);
  const incarnation = new Uint8Array(16);
  host.random.fill(databaseId);
  host.random.fill(incarnation);
  const log = Log.create({
    storage,
    hashing: host.hashing,
    random: host.random,
    clock: host.clock,
    databaseId,
    incarnation,
    epoch,
    segmentBytes: settings.segmentBytes,
  });
  const place = { logSegment: log.headSegment, logOffset: log.headOffset, logChecksum: log.lastChecksum };
  log.close();
  const index = CommitIndex.create({ storage, databaseId });
  index.syncNow();
  index.close();
  storage.syncDirectory();
  const file = PageFile.create({
    storage,
    hashing: host.hashing,
    pageBytes: settings.pageSize ?? PAGE_SIZE_DEFAULT,
    databaseId,
    incarnation,
    epoch,
    timeMs: host.clock.nowMs(),
    ...place,
  });
  file.close();
}

/** A log with records beside a missing page file is not an interrupted creation: somebody lost a file. */
function refuseLostPages(host: Host): void {
  for (const name of host.storage.list()) {
    if (!LOG_FILE.test(name)) continue;
    const file = host.storage.open(name, { readOnly: true });
    try {
      const bytes = new Uint8Array(512);
      const read = file.read(bytes, 0, 512, 256);
      for (let at = 0; at < read; at++) {
        if (bytes[at] !== 0)
          throw new SteleError(
            'corrupt',
            'META_DAMAGED',
            `pages.db is missing, but ${name} holds records: repair rebuilds it from the log`,
            { detail: { file: name } },
          );
      }
    } finally {
      file.close();
    }
  }
}

function openExisting(host: Host, settings: Settings, epoch: Uint8Array, throughCommit: number): Opened {
  const { storage, hashing } = host;
  const pageFile = PageFile.open({ storage, hashing, readOnly: settings.readOnly });
  const { meta } = pageFile;
  if (settings.pageSize !== undefined && settings.pageSize !== meta.pageBytes) {
    throw new SteleError(
      'invalid',
      'CONFIG_CONFLICT',
      `pageSize ${settings.pageSize} was asked for, the database was created with ${meta.pageBytes}`,
      { detail: { option: 'pageSize', found: meta.pageBytes, asked: settings.pageSize } },
    );
  }
  const indexBytes = settings.accelerator ? Math.floor(settings.cacheMemory * ACCELERATOR_SHARE) : 0;
  const pages = new PageCache(pageFile, { cacheMemory: settings.cacheMemory - indexBytes });
  const accelerator = settings.accelerator ? makeAccelerator(host, pages, indexBytes) : undefined;
  const rootLpn = meta.rootPage === 0 ? NO_PAGE : pages.adoptRoot(meta.rootPage, meta.rootChecksum, meta.height - 1);
  // Replay is faster without the accelerator, which fills again as it is used.
  const tree = new Tree(pages, { rootLpn, height: meta.height, liveCount: meta.liveCount, leafCount: meta.leafCount });
  const kept = readKept(pageFile, meta);
  const pins = new Pins();
  // What the options ask for comes after the replay, through the log like every change of rules.
  const retention = new Retention(pins, Number.POSITIVE_INFINITY, kept?.ranges);
  const segmentUse = new SegmentUse(retention.ranges.length, kept?.isTracking === true);
  for (const row of kept?.segmentUse ?? [])
    for (let range = 0; range < row.newest.length; range++)
      if (row.newest[range]! >= 0) segmentUse.note(row.segment, range, row.newest[range]!);
  const index = CommitIndex.open({ storage, databaseId: meta.databaseId, blocks: pages.blocks, readOnly: settings.readOnly }, meta.commit);

  // The log is found while its records are applied to a core that does not have it yet.
  const parts = { host, settings, pageFile, pages, tree, accelerator, index, retention, pins, segmentUse, epoch };
  const core = new Core(parts);
  core.restore(meta, kept);
  const room = new ReplayRoom(core, meta);
  const applier = new Applier(core);
  const old = new Superseded();
  let replayed = 0;
  const isMarkedClean =
    settings.historyRetention === undefined || settings.historyRetention === retention.ranges[0]!.historyMs
      ? isQuiet(host, pageFile)
      : false;
  const segmentTable = meta.blobs[BLOB_SEGMENT_TABLE]!;
  const log = Log.recover(
    {
      storage,
      hashing,
      random: host.random,
      clock: host.clock,
      databaseId: meta.databaseId,
      incarnation: meta.incarnation,
      epoch,
      segmentBytes: settings.segmentBytes,
      tailBytes: Math.min(Math.max(settings.cacheMemory * TAIL_SHARE, TAIL_BYTES_MIN), TAIL_BYTES_MAX),
      blocks: pages.blocks,
      logger: settings.logger,
      from: { segment: meta.logSegment, offset: meta.logOffset },
      fromCommit: meta.commit,
      fromChecksum: meta.logChecksum,
      knownDurable: { segment: meta.durableSegment, offset: meta.durableOffset },
      segments: segmentTable.pages === 0 ? [] : Log.decodeSegmentTable(readBlob(pageFile, segmentTable)),
      readOnly: settings.readOnly,
      endIsKnown: isMarkedClean,
      visitMark: (kind, _commit, _timeMs, body) => replayKeptMark(core, kind, body),
    },
    (view) => {
      if (view.commit > throughCommit) return;
      core.replaying = view;
      applier.replay(view, old, room);
      index.append(view.commit, view.timeMs, view.assertedTimeMs, view.segment, view.offset);
      core.replayed(view);
      replayed++;
    },
  );
  core.attachLog(log);
  // What the horizons let go is gone by right; the kept ranges decide, not the files (spec/invariants.md rule 13).
  const horizon = Math.min(...retention.ranges.map((range) => range.keptFrom));
  const timeFloor = core.nowMs() - (settings.logRetention ?? retention.historyMsMax);
  log.judgeMissing(({ lastCommit }) => lastCommit <= horizon || core.timeOf(lastCommit) <= timeFloor);
  core.isMarkedClean = isMarkedClean;
  if (accelerator !== undefined)
    core.tree = new Tree(pages, {
      rootLpn: tree.rootLpn,
      height: tree.height,
      liveCount: tree.liveCount,
      leafCount: tree.leafCount,
      accelerator,
    });
  const longest = retention.ranges.reduce(
    (max, range, at) => Math.max(max, at === 0 ? (settings.historyRetention ?? range.historyMs) : range.historyMs),
    0,
  );
  checkLogRetention(settings, longest);
  if (settings.historyRetention !== undefined && settings.historyRetention !== retention.ranges[0]!.historyMs) {
    core.changeRetention({
      rules: retention.ranges
        .filter((range) => range.isRule)
        .map((range, at) => ({ prefix: range.prefix, historyMs: at === 0 ? settings.historyRetention! : range.historyMs })),
    });
  }
  return {
    core,
    applier,
    replayed,
    looseLargeFrom: kept === undefined && meta.sequence === 0 ? Number.POSITIVE_INFINITY : (kept?.looseLargeFrom ?? 0),
  };
}

/**
 * May the search behind the end of the log be skipped? The newest meta was written by a clean close, the other slot holds
 * the one before it, so no later one was lost, and nothing stands in the log where the next group would begin.
 */
function isQuiet(host: Host, file: PageFile): boolean {
  const { meta, olderMeta } = file;
  const blob = meta.blobs[BLOB_SEGMENT_TABLE]!;
  if (!meta.isCleanClose || olderMeta?.sequence !== meta.sequence - 1 || blob.pages === 0) return false;
  const segment = Log.decodeSegmentTable(readBlob(file, blob)).find(({ number }) => number === meta.logSegment);
  if (segment === undefined) return false;
  const name = `log-${String(segment.slot).padStart(6, '0')}.seg`;
  if (!host.storage.exists(name)) return false;
  const log = host.storage.open(name, { readOnly: true });
  try {
    const bytes = new Uint8Array(QUIET_BYTES);
    return isZero(bytes, 0, log.read(bytes, 0, QUIET_BYTES, meta.logOffset));
  } finally {
    log.close();
  }
}

function makeAccelerator(host: Host, pages: PageCache, bytesMax: number): Accelerator {
  const seed = new Uint8Array(4);
  host.random.fill(seed);
  const accelerator = new Accelerator(pages, { bytesMax, seed: (seed[0]! | (seed[1]! << 8) | (seed[2]! << 16) | (seed[3]! << 24)) >>> 0 });
  pages.onEvict = (frame) => accelerator.onEvict(frame);
  return accelerator;
}

function readKept(file: PageFile, meta: Meta): KeptState | undefined {
  const blob = meta.blobs[BLOB_KEPT_RANGES]!;
  return blob.pages === 0 ? undefined : decodeKept(readBlob(file, blob));
}
