/**
 * What is left of a damaged database: metas, pages, log, index. Reads only.
 *
 * Specification: spec/file-format.md, "Repair".
 */

import { SteleError } from '../base/errors.ts';
import { readFully } from '../host/files.ts';
import type { Host } from '../host/host.ts';
import type { Storage } from '../host/storage.ts';
import {
  checkFileHeader,
  decodeIndexEntry,
  INDEX_ENTRY_BYTES,
  INDEX_FILE,
  INDEX_HEADER_BYTES,
  type IndexEntry,
  indexSeed,
} from '../log/index-format.ts';
import { readSegmentHeader, slotOfName } from '../log/segment.ts';
import { readBlob } from '../pager/blob.ts';
import { BLOB_KEPT_RANGES, type Meta } from '../pager/meta.ts';
import { readMetaSlots } from '../pager/meta-slots.ts';
import { PAGES_FILE, PageFile } from '../pager/page-file.ts';
import { PageAudit } from './audit-pages.ts';
import { decodeKept, type KeptState } from './kept-blob.ts';
import { type LogScan, scanLog } from './log-scan.ts';
import type { Damage } from './types.ts';

/** A stretch of keys of which nothing is known; `end` undefined = no bound. */
export interface LostRange {
  readonly start: Uint8Array;
  readonly end: Uint8Array | undefined;
}

/** See the head of the file. */
export interface Findings {
  readonly databaseId: Uint8Array;
  /** Newest first; those that can be read. */
  readonly metas: readonly Meta[];
  readonly pageDamages: readonly Damage[];
  readonly metaDamages: readonly Damage[];
  /** Keys below pages of the newest meta that cannot be read. */
  readonly lost: readonly LostRange[];
  readonly kept: KeptState | undefined;
  readonly log: LogScan;
  /** Entries of commits.idx that verify, by commit. */
  readonly entry: (commit: number) => IndexEntry | undefined;
  /** The file of the index itself cannot be opened: its header is damaged, or it is missing. */
  readonly isIndexGone: boolean;
  /** Commits up to the newest meta's whose entry does not. */
  readonly indexGaps: readonly { readonly first: number; readonly last: number }[];
}

/** @throws {SteleError} `corrupt` REPAIR_IMPOSSIBLE when no file says which database this is */
export async function inspect(host: Host, turn: () => Promise<void>): Promise<Findings> {
  const { storage, hashing } = host;
  const metaDamages: Damage[] = [];
  const pageDamages: Damage[] = [];
  const lost: LostRange[] = [];
  const metas = readMetas(storage, metaDamages);
  const newest = metas[0];
  const databaseId = newest?.databaseId ?? idOfSegments(storage);
  if (databaseId === undefined)
    throw new SteleError('corrupt', 'REPAIR_IMPOSSIBLE', 'no meta page and no log segment can be read: there is nothing to repair from');
  let kept: KeptState | undefined;
  if (newest !== undefined) {
    const file = PageFile.open({ storage, hashing, readOnly: true });
    try {
      const audit = new PageAudit(file, newest, {
        damage: (damage) => (damage.where === 'meta' ? metaDamages : pageDamages).push(damage),
        lost: (start, end) => lost.push({ start, end }),
      });
      for (const walk = audit.run(); walk.next().done !== true; ) await turn();
      kept = readKept(file, newest);
    } finally {
      file.close();
    }
  }
  const through = newest?.commit ?? 0;
  const { entry, isGone } = readIndex(storage, databaseId);
  const log = await scanLog(
    storage,
    databaseId,
    hashing,
    {
      places: metas.map(({ commit, logSegment, logOffset, logChecksum }) => ({
        commit,
        place: { segment: logSegment, offset: logOffset, chain: logChecksum },
      })),
      entry: (commit) => (commit <= through ? entry(commit) : undefined),
      durable: newest === undefined ? { segment: 0, offset: 0 } : { segment: newest.durableSegment, offset: newest.durableOffset },
    },
    turn,
  );
  const indexGaps: { first: number; last: number }[] = [];
  for (let commit = 1; commit <= through; commit++) {
    const found = entry(commit);
    const row = log.rows.get(commit);
    if (
      found !== undefined &&
      (row === undefined || (found.segment === row.segment && found.offset === row.offset && found.timeMs === row.timeMs))
    )
      continue;
    const before = indexGaps.at(-1);
    if (before?.last === commit - 1) before.last = commit;
    else indexGaps.push({ first: commit, last: commit });
  }
  return { databaseId, metas, pageDamages, metaDamages, lost, kept, log, entry, isIndexGone: isGone, indexGaps };
}

function readMetas(storage: Storage, damages: Damage[]): Meta[] {
  if (!storage.exists(PAGES_FILE)) {
    damages.push({ where: 'meta', message: `${PAGES_FILE} is missing`, detail: { name: PAGES_FILE } });
    return [];
  }
  const file = storage.open(PAGES_FILE, { readOnly: true });
  try {
    const slots = readMetaSlots(file);
    const metas = slots.flatMap((slot) => (slot.state === 'meta' ? [slot.meta] : [])).sort((a, b) => b.sequence - a.sequence);
    slots.forEach((slot, number) => {
      if (slot.state === 'damaged')
        damages.push({ where: 'meta', message: `meta slot ${number}: ${slot.reason}`, detail: { slot: number } });
      else if (slot.state === 'empty' && metas[0] !== undefined && metas[0].sequence > 0)
        damages.push({ where: 'meta', message: `meta slot ${number} is empty`, detail: { slot: number } });
    });
    if (metas.length === 0 && damages.length === 0) damages.push({ where: 'meta', message: 'no meta page', detail: {} });
    return metas;
  } finally {
    file.close();
  }
}

function readKept(file: PageFile, meta: Meta): KeptState | undefined {
  const blob = meta.blobs[BLOB_KEPT_RANGES]!;
  try {
    return blob.pages === 0 ? undefined : decodeKept(readBlob(file, blob));
  } catch (error) {
    if (!(error instanceof SteleError) || error.kind !== 'corrupt') throw error;
    return undefined;
  }
}

function idOfSegments(storage: Storage): Uint8Array | undefined {
  for (const name of storage.list()) {
    if (slotOfName(name) === 0) continue;
    const file = storage.open(name, { readOnly: true });
    try {
      const header = readSegmentHeader(file);
      if (header !== undefined) return header.databaseId;
    } finally {
      file.close();
    }
  }
  return undefined;
}

/** Reads the whole index once: 24 bytes a commit. Entries verify one by one, whatever the header says. */
function readIndex(storage: Storage, databaseId: Uint8Array): { entry: Findings['entry']; isGone: boolean } {
  if (!storage.exists(INDEX_FILE)) return { entry: () => undefined, isGone: true };
  const file = storage.open(INDEX_FILE, { readOnly: true });
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(file.size());
    bytes = bytes.subarray(0, readFully(file, bytes, 0, bytes.length, 0));
  } finally {
    file.close();
  }
  const seed = indexSeed(databaseId);
  let isGone = false;
  try {
    checkFileHeader(INDEX_FILE, 'STELEIDX', databaseId, bytes.subarray(0, INDEX_HEADER_BYTES));
  } catch (error) {
    if (!(error instanceof SteleError) || error.kind !== 'corrupt') throw error;
    isGone = true;
  }
  const entry = (commit: number): IndexEntry | undefined => {
    const at = INDEX_HEADER_BYTES + INDEX_ENTRY_BYTES * (commit - 1);
    const found: IndexEntry = { timeMs: 0, assertedMax: 0, segment: 0, offset: 0 };
    return at + INDEX_ENTRY_BYTES <= bytes.length && decodeIndexEntry(bytes, at, seed, commit, found) ? found : undefined;
  };
  return { entry, isGone };
}
