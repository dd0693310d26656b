/**
 * The backup given to a repair: its tree, its index, and its segments.
 *
 * Invariants
 * - Only read, under a shared lock.
 * - It is believed to be of this database when the ids agree; that its history is this one, when the log's chain says so.
 *
 * Specification: spec/file-format.md, "Repair".
 */

import { equalBytes } from '../base/bytes.ts';
import { SteleError } from '../base/errors.ts';
import type { ExclusionLock, Host } from '../host/host.ts';
import type { Storage } from '../host/storage.ts';
import { segmentName } from '../log/segment.ts';
import type { SegmentInfo } from '../log/types.ts';
import { copyRange, type Turn } from './copy.ts';
import type { Core } from './core.ts';
import type { Settings } from './options.ts';
import { closeCore, openForRepair } from './repair-core.ts';
import type { RepairFiles } from './repair-files.ts';
import type { Findings } from './repair-inspect.ts';
import { refuseUnfinished } from './unfinished.ts';

export interface BackupSource {
  readonly storage: Storage;
  readonly core: Core;
  readonly lock: ExclusionLock;
}

/** @throws {SteleError} what opening a database throws */
export function openBackup(host: Host, storage: Storage, settings: Settings): BackupSource {
  const lock = storage.lock({ shared: true });
  try {
    refuseUnfinished(storage);
    const { core } = openForRepair({ ...host, storage }, { ...settings, readOnly: true });
    return { storage, core, lock };
  } catch (error) {
    lock.release();
    throw error;
  }
}

export function closeBackup(source: BackupSource): void {
  closeCore(source.core);
  source.lock.release();
}

/**
 * Takes segments that are missing or damaged here from the backup, as far as it has them. Returns their numbers.
 *
 * @throws {SteleError} `corrupt` WRONG_DATABASE
 */
export async function healSegments(parts: {
  readonly host: Host;
  readonly source: BackupSource;
  readonly findings: Findings;
  readonly files: RepairFiles;
  readonly turn: Turn;
}): Promise<number[]> {
  const { host, source, findings, files, turn } = parts;
  const id = source.core.pageFile.databaseId;
  if (!equalBytes(id, 0, 16, findings.databaseId, 0, 16))
    throw new SteleError('corrupt', 'WRONG_DATABASE', 'the backup is of another database', { detail: { name: 'backup' } });
  const own = new Map(findings.log.segments.map((segment) => [segment.number, segment]));
  const mayMiss = findings.kept?.isTracking !== true;
  // What the backup has behind everything known here may be another way the history went.
  const newest = Math.max(findings.metas[0]?.durableSegment ?? 0, ...own.keys());
  const healed: number[] = [];
  for (const theirs of source.core.log.segments()) {
    const mine = own.get(theirs.number);
    if (mine === undefined ? !mayMiss || theirs.number > newest : !isHealable(findings, mine, theirs)) continue;
    const name = mine === undefined ? freeName(host.storage, theirs.slot) : segmentName(mine.slot);
    await files.keep([name]);
    const from = source.storage.open(segmentName(theirs.slot), { readOnly: true });
    const to = host.storage.open(name, { create: true });
    try {
      await copyRange(from, to, 0, theirs.bytes, turn);
      to.sync();
    } finally {
      from.close();
      to.close();
    }
    healed.push(theirs.number);
  }
  if (healed.length > 0) host.storage.syncDirectory();
  return healed;
}

function isHealable(findings: Findings, mine: SegmentInfo, theirs: SegmentInfo): boolean {
  if (mine.generation !== theirs.generation) return false;
  return findings.log.damages.some((damage) => damage.segment === mine.number && damage.offset < theirs.bytes);
}

function freeName(storage: Storage, slot: number): string {
  while (storage.exists(segmentName(slot))) slot++;
  return segmentName(slot);
}
