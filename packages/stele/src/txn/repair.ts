/**
 * Repair: a database that opens, from what is left of one that does not.
 *
 *   inspect ─▶ heal segments from the backup ─▶ plan ─▶ keep originals aside ─▶ base ─▶ index ─▶ replay ─▶ verify ─▶ mark removed
 *
 * Invariants
 * - Reads first; nothing is written before the plan stands, and nothing is changed before its original is aside (repair-files.ts).
 *   Cut anywhere, the database is refused with REPAIR_UNFINISHED until repair is run again, which undoes and begins anew; a repair that
 *   fails undoes itself.
 * - Commits are lost only when the caller agreed to it; keys that are lost are named. Nothing is silent.
 * - Versions in or behind damage stay damaged (`corrupt`, never undefined), unless a backup heals their segments.
 *
 * Specification: spec/file-format.md, "Repair"; spec/invariants.md rule 21.
 */

import { SteleError } from '../base/errors.ts';
import type { Host } from '../host/host.ts';
import type { Storage } from '../host/storage.ts';
import { HEADERS_FILE, headerAt, headerJob } from '../log/header-job.ts';
import { segmentName } from '../log/segment.ts';
import { findSegments } from '../log/segment-finder.ts';
import { copyRange, type Turn } from './copy.ts';
import type { Core } from './core.ts';
import type { Flusher } from './flusher.ts';
import { checkOptions, type Settings } from './options.ts';
import { type BackupSource, closeBackup, healSegments, openBackup } from './repair-backup.ts';
import { closeCore, openForRepair } from './repair-core.ts';
import { RepairFiles } from './repair-files.ts';
import { type Findings, inspect, type LostRange } from './repair-inspect.ts';
import { type BaseKind, planRepair, type RepairPlan } from './repair-plan.ts';
import { rebuild } from './repair-rebuild.ts';
import type { Damage, EngineOptions } from './types.ts';
import { readMark, refuseUnfinished } from './unfinished.ts';
import { isHeadersFile, verifyCore } from './verify.ts';

export interface RepairOptions {
  readonly host: Host;
  /** A backup of the same database: what is missing here is taken from it. Only read. */
  readonly backup?: Storage;
  /** `damage`: when the log cannot be followed to its end, it may be cut where the damage begins; the commits behind are lost. */
  readonly cutLogAt?: 'damage';
  /** Bytes of page frames. */
  readonly cacheMemory?: number;
  readonly segmentBytes?: number;
  readonly signal?: { readonly aborted: boolean };
  readonly logger?: EngineOptions['logger'];
}

export interface RepairReport {
  /** False: nothing had to be rebuilt. */
  readonly isRepaired: boolean;
  /** What the tree was rebuilt from. */
  readonly base: BaseKind;
  /** Newest commit afterwards. */
  readonly version: number;
  /** What was found. */
  readonly damages: readonly Damage[];
  /** What is left, after a full verification: versions in damaged segments above all. */
  readonly remaining: readonly Damage[];
  readonly lostCommits: { readonly first: number; readonly last: number } | undefined;
  /** Keys in these ranges may be missing, or be deleted keys' neighbours: what the log still had of them is back. */
  readonly lostRanges: readonly LostRange[];
  /** Keys whose value could not be read anywhere. */
  readonly lostKeys: readonly Uint8Array[];
  /** Commits whose recorded time is not known any more; they got that of the commit before. */
  readonly lostTimes: readonly { readonly first: number; readonly last: number }[];
  /** Commits whose headers are gone with their records. */
  readonly lostHeaders: readonly { readonly first: number; readonly last: number }[];
  /** Log segments taken from the backup. */
  readonly healedSegments: readonly number[];
  /** Names of the originals kept aside; delete them when they are not wanted. */
  readonly setAside: readonly string[];
}

/**
 * Repairs the database in the host's storage, which nobody may have open.
 *
 * @throws {SteleError} `unavailable` LOCKED, DISK_FULL, IO_ERROR; `closed` CANCELLED; `corrupt` LOG_DAMAGED when commits would be lost and
 *   `cutLogAt` was not given, REPAIR_IMPOSSIBLE, BACKUP_UNFINISHED. The files are as they were after each.
 */
export async function repairDatabase(options: RepairOptions): Promise<RepairReport> {
  const { host, backup } = options;
  const settings = checkOptions({
    host,
    accelerator: false,
    ...(options.cacheMemory === undefined ? {} : { cacheMemory: options.cacheMemory }),
    ...(options.segmentBytes === undefined ? {} : { segmentBytes: options.segmentBytes }),
    ...(options.logger === undefined ? {} : { logger: options.logger }),
  });
  const lock = host.storage.lock();
  try {
    if (readMark(host.storage) === 'backup') refuseUnfinished(host.storage);
    const turn = makeTurn(host, options.signal);
    const files = await RepairFiles.begin(host.storage, turn);
    let source: BackupSource | undefined;
    try {
      source = backup === undefined ? undefined : openBackup(host, backup, settings);
      const report = await new Repair(options, settings, files, turn).run(source);
      files.finish();
      return report;
    } catch (error) {
      await files.undo().catch(() => {}); // the mark stays then, and the next repair undoes it
      throw error;
    } finally {
      if (source !== undefined) closeBackup(source);
    }
  } finally {
    lock.release();
  }
}

class Repair {
  readonly #options: RepairOptions;
  readonly #settings: Settings;
  readonly #host: Host;
  readonly #files: RepairFiles;
  readonly #turn: Turn;

  constructor(options: RepairOptions, settings: Settings, files: RepairFiles, turn: Turn) {
    this.#options = options;
    this.#settings = settings;
    this.#host = options.host;
    this.#files = files;
    this.#turn = turn;
  }

  async run(source: BackupSource | undefined): Promise<RepairReport> {
    const host = this.#host;
    const pause = (): Promise<void> => this.#turn(0);
    let findings = await inspect(host, pause);
    const damages = listDamages(findings);
    let healed: readonly number[] = [];
    if (source !== undefined) {
      healed = await healSegments({ host, source, findings, files: this.#files, turn: this.#turn });
      if (healed.length > 0) findings = await inspect(host, pause);
    }
    const plan = planRepair(findings, source?.core.applied ?? -1, this.#options.cutLogAt === 'damage');
    await this.#keepUnknown(findings);
    const isRebuilt = plan.base !== 'kept' || plan.cut !== undefined || findings.isIndexGone || findings.indexGaps.length > 0;
    const built = isRebuilt
      ? await rebuild({ host, settings: this.#settings, findings, plan, source, files: this.#files, turn: this.#turn })
      : { lostKeys: [], lostRanges: [], lostTimes: [] };
    const { version, remaining, isHeaderless, lostHeaders } = await this.#open(findings, plan, source);
    return {
      isRepaired: isRebuilt || healed.length > 0 || findings.metaDamages.length > 0 || isHeaderless,
      base: plan.base,
      version,
      damages,
      remaining,
      lostCommits: plan.lostCommits,
      ...built,
      lostHeaders,
      healedSegments: healed,
      setAside: [...this.#files.aside],
    };
  }

  /** Opening removes files it cannot tell the segment of. */
  async #keepUnknown(findings: Findings): Promise<void> {
    const { unused } = findSegments(this.#host.storage, findings.databaseId, true);
    const names = unused.filter((file) => file.generation < 0).map((file) => segmentName(file.slot));
    if (names.length > 0) await this.#files.keep(names);
  }

  /** Replays, flushes until both metas are new, and verifies what came out. */
  async #open(findings: Findings, plan: RepairPlan, source: BackupSource | undefined): Promise<Opened> {
    const { core, flusher } = openForRepair(this.#host, this.#settings);
    try {
      flusher.flushNow();
      flusher.flushNow();
      let { damages } = await verifyCore(core, this.#verifyOptions());
      const isHeaderless = plan.base === 'log' || damages.some((damage) => damage.where === 'headers');
      let lostHeaders: Opened['lostHeaders'] = [];
      if (isHeaderless) {
        lostHeaders = await this.#deriveHeaders(core, flusher, findings, plan, source);
        ({ damages } = await verifyCore(core, this.#verifyOptions()));
      }
      return { version: core.applied, remaining: damages, isHeaderless, lostHeaders };
    } finally {
      closeCore(core);
    }
  }

  #verifyOptions(): { signal?: { readonly aborted: boolean } } {
    return this.#options.signal === undefined ? {} : { signal: this.#options.signal };
  }

  /** Headers come from the records that can be read; the others stay, or come from the backup, or are lost with the file. */
  async #deriveHeaders(
    core: Core,
    flusher: Flusher,
    findings: Findings,
    plan: RepairPlan,
    source: BackupSource | undefined,
  ): Promise<{ first: number; last: number }[]> {
    const { storage, threads } = core.host;
    const { runs, rows } = findings.log;
    await this.#files.keep([HEADERS_FILE]);
    const isGone = !isHeadersFile(core);
    if (isGone) storage.remove(HEADERS_FILE);
    const covered = await this.#copyHeaders(storage, source, plan.run.first - 1);
    const lost: { first: number; last: number }[] = [];
    let next = covered + 1;
    for (const run of runs) {
      if (run.last < run.first || run.last > plan.run.last) continue;
      if (isGone && next < run.first) lost.push({ first: next, last: run.first - 1 });
      next = Math.max(next, run.last + 1);
      await threads.run(headerJob, {
        databaseId: findings.databaseId,
        fromCommit: run.first,
        from: rows.get(run.first)!,
        throughCommit: run.last,
        through: run.end,
      });
    }
    core.headersThrough = plan.run.last;
    flusher.flushNow();
    flusher.flushNow();
    return lost;
  }

  /** Headers through `last`, as far as the backup has them. Returns the last one copied. */
  async #copyHeaders(storage: Storage, source: BackupSource | undefined, last: number): Promise<number> {
    const through = Math.min(source?.core.headersThrough ?? 0, last);
    if (source === undefined || through <= 0 || !isHeadersFile(source.core)) return 0;
    const from = source.storage.open(HEADERS_FILE, { readOnly: true });
    const to = storage.open(HEADERS_FILE, { create: true });
    try {
      await copyRange(from, to, 0, headerAt(through + 1), this.#turn);
      to.sync();
      storage.syncDirectory();
      return through;
    } finally {
      from.close();
      to.close();
    }
  }
}

interface Opened {
  readonly version: number;
  readonly remaining: readonly Damage[];
  readonly isHeaderless: boolean;
  readonly lostHeaders: RepairReport['lostHeaders'];
}

function listDamages(findings: Findings): Damage[] {
  const { metaDamages, pageDamages, log, indexGaps, isIndexGone } = findings;
  return [
    ...metaDamages,
    ...pageDamages,
    ...log.damages.map(
      (damage): Damage => ({
        where: 'log',
        message: `log segment ${damage.segment}, byte ${damage.offset}: ${damage.reason}`,
        detail: { ...damage },
      }),
    ),
    ...(isIndexGone
      ? [{ where: 'index', message: 'the file of the commit index is missing or its header damaged', detail: {} } as const]
      : []),
    ...indexGaps.map(
      (gap): Damage => ({ where: 'index', message: `index entries of commits ${gap.first} to ${gap.last}`, detail: { commits: gap } }),
    ),
  ];
}

function makeTurn(host: Host, signal: { readonly aborted: boolean } | undefined): Turn {
  let start = host.clock.monotonicMs();
  return async () => {
    if (signal?.aborted === true) throw new SteleError('closed', 'CANCELLED', 'cancelled by the caller');
    if (host.clock.monotonicMs() - start < 1) return;
    await new Promise<void>((resolve) => host.timers.immediate(resolve));
    start = host.clock.monotonicMs();
  };
}
