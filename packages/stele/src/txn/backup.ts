/**
 * Backup: an online, consistent copy of the database into an empty storage.
 *
 *   mark ─▶ flush, pin ─▶ pages, segments, commit index, headers ─▶ sync ─▶ both metas ─▶ sync ─▶ mark removed
 *
 * The copy keeps database id, page places and segment bytes, so every checksum in it is right as it stands; its metas carry a
 * new incarnation, and as parent the source's incarnation with commit and record checksum.
 *
 * Invariants
 * - Writers go on: what is copied is pinned, the work goes in slices, and the source is only read (apart from the flush).
 * - Until its last step the target is refused (BACKUP_UNFINISHED); when the backup fails or is cancelled it is emptied again.
 * - Every page is verified on its way, so a damaged source gives an error and no copy.
 *
 * Specification: spec/file-format.md, "Backup"; spec/invariants.md rule 22.
 */

import { SteleError } from '../base/errors.ts';
import { writeAll } from '../host/files.ts';
import type { Storage, StorageFile } from '../host/storage.ts';
import { HEADERS_FILE, headerAt } from '../log/header-job.ts';
import { INDEX_ENTRY_BYTES, INDEX_FILE, INDEX_HEADER_BYTES } from '../log/index-format.ts';
import { segmentName } from '../log/segment.ts';
import { encodeSegmentTable } from '../log/segment-table.ts';
import type { SegmentInfo } from '../log/types.ts';
import { Bitmap } from '../pager/bitmap.ts';
import { encodeBlob, readBlob, runPages } from '../pager/blob.ts';
import {
  BLOB_KEPT_RANGES,
  BLOB_SEGMENT_TABLE,
  BLOB_USED_PAGES,
  type BlobRef,
  encodeMeta,
  META_BYTES,
  type Meta,
  NO_BLOB,
} from '../pager/meta.ts';
import { PAGES_FILE } from '../pager/page-file.ts';
import { type BackupPlan, planBackup } from './backup-plan.ts';
import { copyRange, PIECE_BYTES, readExactly, type Turn } from './copy.ts';
import type { Core } from './core.ts';
import type { Flusher } from './flusher.ts';
import { encodeKept } from './kept-blob.ts';
import { Slices } from './slices.ts';
import type { Engine } from './types.ts';
import { clearMark, MARK_FILE, markUnfinished } from './unfinished.ts';

export type BackupOptions = NonNullable<Parameters<Engine['backup']>[1]>;

/**
 * Copies the database. `advanceHeaders` brings the headers up to the durable log.
 *
 * @throws {SteleError} `invalid` TARGET_NOT_EMPTY; `unavailable` LOCKED, DISK_FULL, IO_ERROR; `closed` CANCELLED; `corrupt` PAGE_CHECKSUM
 */
export async function backupTo(
  core: Core,
  flusher: Flusher,
  target: Storage,
  options: BackupOptions,
  advanceHeaders: () => Promise<void>,
): Promise<void> {
  refuseFilled(target);
  const slices = new Slices(core, options.signal);
  const lock = target.lock();
  try {
    refuseFilled(target);
    markUnfinished(target, 'backup');
    if (!core.settings.readOnly) {
      core.assertWritable();
      await flusher.flush();
      if (options.history === false) await advanceHeaders();
    }
    await slices.pause();
    const incarnation = new Uint8Array(16);
    core.host.random.fill(incarnation);
    const plan = planBackup(core, incarnation, options.history !== false);
    try {
      await new Copy(core, target, plan, slices, options).run(incarnation);
    } finally {
      plan.release();
    }
    clearMark(target);
  } catch (error) {
    empty(target);
    throw error;
  } finally {
    lock.release();
  }
}

function refuseFilled(target: Storage): void {
  const names = target.list();
  if (names.length === 0) return;
  throw new SteleError('invalid', 'TARGET_NOT_EMPTY', `the target of a backup holds ${names.length} files, ${names[0]} among them`, {
    detail: { names: names.slice(0, 10) },
  });
}

/** Best effort: the mark goes last, so what stays behind is refused. */
function empty(target: Storage): void {
  try {
    for (const name of target.list()) if (name !== MARK_FILE) target.remove(name);
    target.syncDirectory();
    clearMark(target);
  } catch {
    // The first error is the one to tell.
  }
}

class Copy {
  readonly #core: Core;
  readonly #target: Storage;
  readonly #plan: BackupPlan;
  readonly #slices: Slices;
  readonly #options: BackupOptions;
  #done = 0;
  #total = 1;

  constructor(core: Core, target: Storage, plan: BackupPlan, slices: Slices, options: BackupOptions) {
    this.#core = core;
    this.#target = target;
    this.#plan = plan;
    this.#slices = slices;
    this.#options = options;
  }

  async run(incarnation: Uint8Array): Promise<void> {
    const { meta, segments, headersThrough, freshHeader, logSegment } = this.#plan;
    const { pageBytes } = meta;
    const blob = meta.blobs[BLOB_USED_PAGES]!;
    const used = blob.pages === 0 ? new Bitmap() : Bitmap.decode(readBlob(this.#core.pageFile, blob));
    const indexBytes = INDEX_HEADER_BYTES + INDEX_ENTRY_BYTES * meta.commit;
    const headerBytes = headersThrough === 0 ? 0 : headerAt(headersThrough + 1);
    this.#total = used.count() * pageBytes + indexBytes + headerBytes + segments.reduce((sum, segment) => sum + segment.bytes, 0);

    for (const segment of segments) await this.#file(segmentName(segment.slot), segment.bytes);
    if (freshHeader !== undefined) await this.#bytes(segmentName(logSegment), freshHeader);
    await this.#file(INDEX_FILE, indexBytes);
    if (headerBytes > 0) await this.#file(HEADERS_FILE, headerBytes);
    const pages = this.#target.open(PAGES_FILE, { create: true });
    try {
      await this.#pages(pages, used);
      const copied = this.#describe(pages, used, incarnation);
      await pages.syncAsync();
      this.#target.syncDirectory();
      // Two metas of one state, so that the loss of one page does not cost the copy.
      for (const sequence of [meta.sequence, meta.sequence + 1])
        writeAll(pages, encodeMeta({ ...copied, sequence }), 0, META_BYTES, (sequence % 2) * pageBytes);
      await pages.syncAsync();
    } finally {
      pages.close();
    }
    this.#options.progress?.(this.#total, this.#total);
  }

  readonly #turn: Turn = async (bytes) => {
    this.#done += bytes;
    if (await this.#slices.pause()) this.#options.progress?.(Math.min(this.#done, this.#total), this.#total);
  };

  /** The first `bytes` bytes of a file that only grows. */
  async #file(name: string, bytes: number): Promise<void> {
    const source = this.#core.host.storage.open(name, { readOnly: true });
    try {
      const target = this.#target.open(name, { create: true });
      try {
        await copyRange(source, target, 0, bytes, this.#turn);
        await target.syncAsync();
      } finally {
        target.close();
      }
    } finally {
      source.close();
    }
  }

  async #bytes(name: string, bytes: Uint8Array): Promise<void> {
    const file = this.#target.open(name, { create: true });
    try {
      writeAll(file, bytes, 0, bytes.length, 0);
      await file.syncAsync();
    } finally {
      file.close();
    }
  }

  /** The pages of the meta, at their places; the meta pages themselves are left zero. */
  async #pages(target: StorageFile, used: Bitmap): Promise<void> {
    const { pageFile, host } = this.#core;
    const { pageBytes } = pageFile;
    const most = PIECE_BYTES / pageBytes;
    const buffer = new Uint8Array(PIECE_BYTES);
    const source = host.storage.open(PAGES_FILE, { readOnly: true });
    try {
      const end = used.end();
      for (let first = used.nextSet(2, end); first < end; ) {
        const count = Math.min(used.nextClear(first) - first, most);
        await readExactly(source, buffer, count * pageBytes, first * pageBytes);
        for (let i = 0; i < count; i++) pageFile.verifyPage(buffer, i * pageBytes, first + i, pageBytes);
        writeAll(target, buffer, 0, count * pageBytes, first * pageBytes);
        await this.#turn(count * pageBytes);
        first = used.nextSet(first + count, end);
      }
    } finally {
      source.close();
    }
  }

  /** The segments of the copy, and those that are damaged here: the copy says so too. */
  #listed(): SegmentInfo[] {
    const { segments } = this.#plan;
    const lost = this.#options.history === false ? [] : this.#core.log.damagedSegments;
    return [...segments, ...lost].sort((a, b) => a.number - b.number);
  }

  /** Writes the copy's own blobs behind its pages and gives its meta. */
  #describe(target: StorageFile, used: Bitmap, incarnation: Uint8Array): Meta {
    const { meta, kept, freshHeader } = this.#plan;
    const { pageFile, epoch } = this.#core;
    const { pageBytes } = meta;
    const mine = used.clone();
    for (const blob of meta.blobs) mine.clearRun(blob.firstPage, blob.pages);
    mine.setRun(0, 2);
    let next = Math.max(2, used.end());
    const place = (bytes: Uint8Array): BlobRef => {
      const { buffer, blob } = encodeBlob(pageFile, bytes, { firstPage: next, commit: meta.commit });
      writeAll(target, buffer, 0, buffer.length, next * pageBytes);
      next += blob.pages;
      return blob;
    };
    const blobs = meta.blobs.map(() => NO_BLOB);
    blobs[BLOB_SEGMENT_TABLE] = place(encodeSegmentTable(freshHeader === undefined ? this.#listed() : []));
    blobs[BLOB_KEPT_RANGES] = place(encodeKept(kept));
    mine.setRun(Math.max(2, used.end()), next - Math.max(2, used.end()));
    // The bitmap names its own pages too; one page more or less of them does not change how many it takes.
    let bitmapPages = 1;
    while (runPages(Math.ceil((next + bitmapPages) / 8), pageBytes) > bitmapPages) bitmapPages++;
    mine.setRun(next, bitmapPages);
    blobs[BLOB_USED_PAGES] = place(mine.encode());
    return {
      ...meta,
      incarnation,
      epoch,
      parentId: meta.incarnation,
      parentCommit: this.#plan.commit,
      parentChecksum: this.#plan.checksum,
      logSegment: this.#plan.logSegment,
      logOffset: this.#plan.logOffset,
      durableSegment: this.#plan.endSegment,
      durableOffset: this.#plan.endOffset,
      pageCount: next,
      blobs,
      isCleanClose: false,
    };
  }
}
