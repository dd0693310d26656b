/**
 * Verification: reads everything that is there and says what is wrong with it.
 *
 * On the disk: both metas; every page the newest one names (audit-pages.ts); every record, index entry and segment header, and a
 * sample of the headers (audit-log.ts). In memory: the tree as it stands, with what is not flushed yet. Damage is reported, not
 * thrown, so that one bad page does not hide the next.
 *
 * Invariants
 * - Writers go on; what is read is pinned. Nothing is changed.
 * - What a rot in a file damages is found although the cache may hold a good copy.
 *
 * Specification: spec/file-format.md, "Verification"; spec/invariants.md rule 21.
 */

import { SteleError } from '../base/errors.ts';
import { readFully } from '../host/files.ts';
import { HEADERS_FILE } from '../log/header-job.ts';
import { checkFileHeader, INDEX_HEADER_BYTES } from '../log/index-format.ts';
import { readMetaSlots } from '../pager/meta-slots.ts';
import { PAGES_FILE } from '../pager/page-file.ts';
import { FOUND as MORE, MISS as TREE_MISS } from '../tree/results.ts';
import { TreeVerifier } from '../tree/verify.ts';
import { LogAudit } from './audit-log.ts';
import { PageAudit } from './audit-pages.ts';
import type { Core } from './core.ts';
import { Slices } from './slices.ts';
import type { Damage, Engine, VerifyReport } from './types.ts';

const DAMAGES_MAX = 1000;

/** Cost: two passes over the pages and one over the kept log, in slices of 1 ms. */
export async function verifyCore(core: Core, options: NonNullable<Parameters<Engine['verify']>[0]>): Promise<VerifyReport> {
  const damages: Damage[] = [];
  const told = new Set<unknown>();
  const report = (damage: Damage): void => {
    if (damages.length < DAMAGES_MAX) damages.push(damage);
    if (damage.where === 'page') told.add(damage.detail['pageId']);
  };
  const slices = new Slices(core, options.signal);
  const total = Math.max(1, 2 * core.tree.leafCount) + core.segments.list.length;
  let done = 0;
  const progress = (): void => options.progress?.(Math.min(done, total), total);

  verifyMetas(core, report);
  verifyHeadersFile(core, report);
  const pin = pinPages(core);
  const audit = new PageAudit(core.pageFile, core.pageFile.meta, {
    damage: report,
    inLog: (commit) => {
      if (!core.segments.has(commit))
        report({ where: 'segment', message: `a large value of commit ${commit} is in a log segment that is gone`, detail: { commit } });
    },
  });
  try {
    for (const walk = audit.run(); walk.next().done !== true; ) {
      done = audit.leaves;
      if (await slices.pause()) progress();
    }
  } finally {
    pin?.release();
  }

  const verifier = new TreeVerifier(
    core.tree,
    (fault) => report({ where: 'page', message: fault.message, detail: { lpn: fault.lpn, level: fault.level } }),
    () => Math.max(core.log.headCommit, core.applied),
  );
  for (let state = MORE; state === MORE || state === TREE_MISS; ) {
    try {
      state = verifier.step(8);
      if (state === TREE_MISS) {
        core.missTree();
        core.fill();
      }
    } catch (error) {
      // A page that cannot be loaded: the audit has told, or the flush it waits for is still to come.
      const damage = damageOf(error);
      if (!told.has(damage.detail['pageId'])) report(damage);
      break;
    }
    done = audit.leaves + verifier.leaves;
    if (await slices.pause()) progress();
  }

  const log = new LogAudit(core, slices, report);
  await log.run(() => {
    done++;
    progress();
  });
  options.progress?.(total, total);
  return {
    ok: damages.length === 0,
    pages: audit.pages,
    entries: Math.max(verifier.entries, audit.isPartial ? audit.entries : 0),
    commits: log.commits,
    logBytes: log.logBytes,
    damages,
  };
}

/** Undefined when the bitmap of used pages is damaged, which the audit tells: then nothing can be flushed either. */
function pinPages(core: Core): { release(): void } | undefined {
  try {
    return core.pages.allocator.pin();
  } catch (error) {
    damageOf(error);
    return undefined;
  }
}

/** Both slots: an empty one is right only while no flush has finished. */
function verifyMetas(core: Core, report: (damage: Damage) => void): void {
  const file = core.host.storage.open(PAGES_FILE, { readOnly: true });
  try {
    readMetaSlots(file).forEach((slot, number) => {
      if (slot.state === 'damaged') report({ where: 'meta', message: `meta slot ${number}: ${slot.reason}`, detail: { slot: number } });
      else if (slot.state === 'empty' && core.pageFile.meta.sequence > 0)
        report({ where: 'meta', message: `meta slot ${number} is empty`, detail: { slot: number } });
    });
  } finally {
    file.close();
  }
}

/** The file of the headers is there and this database's. */
export function isHeadersFile(core: Core): boolean {
  let isGood = true;
  verifyHeadersFile(core, () => {
    isGood = false;
  });
  return isGood;
}

function verifyHeadersFile(core: Core, report: (damage: Damage) => void): void {
  if (core.headersThrough === 0) return;
  try {
    const file = core.host.storage.open(HEADERS_FILE, { readOnly: true });
    try {
      const header = new Uint8Array(INDEX_HEADER_BYTES);
      readFully(file, header, 0, header.length, 0);
      checkFileHeader(HEADERS_FILE, 'STELEHDR', core.pageFile.databaseId, header);
    } finally {
      file.close();
    }
  } catch (error) {
    if (!(error instanceof SteleError)) throw error;
    report({ where: 'headers', message: error.message, detail: { code: error.code } });
  }
}

function damageOf(error: unknown): Damage {
  if (!(error instanceof SteleError) || error.kind !== 'corrupt') throw error;
  return { where: 'page', message: error.message, detail: { code: error.code, ...error.detail } };
}
