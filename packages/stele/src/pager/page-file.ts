/**
 * PageFile: pages.db as an array of pages that verify themselves.
 *
 * Page id × page bytes is the place in the file; pages 0 and 1 are the meta pages (meta.ts).
 *
 * Invariants
 * - A page is believed only when its checksum, seeded with database id and page id, is right: a page of another database, or one
 *   written to a wrong place, fails. Tree pages must also carry the checksum their parent names, so a lost write fails too.
 * - Flush rule 4 has its only place in `writeMeta`.
 * - A failed sync is final: what the system threw away cannot be written again with confidence. Every later write throws.
 * - Opened read-only it never writes.
 *
 * Specification: spec/file-format.md, "pages.db".
 */

import { isZero, readU32, readU48, writeU16, writeU32, writeU48 } from '../base/bytes.ts';
import type { Crc32 } from '../base/crc32.ts';
import { crc32, crc32U48, makeCrc32 } from '../base/crc32.ts';
import { invariant, SteleError } from '../base/errors.ts';
import { readFully, writeAll, writeZeros } from '../host/files.ts';
import type { Hashing } from '../host/host.ts';
import type { Storage, StorageFile } from '../host/storage.ts';
import {
  PAGE_CHECKSUM,
  PAGE_COMMIT,
  PAGE_CRYPT,
  PAGE_FLAGS,
  PAGE_HEADER_BYTES,
  PAGE_ID_HIGH,
  PAGE_ID_LOW,
  PAGE_RESERVED,
  PAGE_SIZES,
  PAGE_TYPE,
  RUN_INDEX,
  RUN_PAYLOAD_BYTES,
} from './layout.ts';
import type { Meta } from './meta.ts';
import { encodeMeta, FEATURES, META_BYTES, NO_BLOB } from './meta.ts';
import { chooseMeta, isUnfinishedCreation, readMetaSlots } from './meta-slots.ts';

export const PAGES_FILE = 'pages.db';

export interface PageFileOptions {
  readonly storage: Storage;
  readonly hashing: Hashing;
}

export interface CreatePageFile extends PageFileOptions {
  readonly pageBytes: number;
  readonly databaseId: Uint8Array;
  readonly incarnation: Uint8Array;
  readonly parentId?: Uint8Array;
  readonly parentCommit?: number;
  readonly parentChecksum?: number;
  readonly epoch: Uint8Array;
  /** Where replay of the empty database starts. */
  readonly logSegment: number;
  readonly logOffset: number;
  readonly logChecksum: number;
  readonly timeMs?: number;
}

export interface OpenPageFile extends PageFileOptions {
  readonly readOnly?: boolean;
  /** Opens by the older meta, as if the newest had never been written: for a newest tree that cannot be read. `corrupt` META_DAMAGED without one. */
  readonly useOlder?: boolean;
}

/** One page of an overflow or blob run, and what it must hold at least. */
export interface RunPage {
  readonly page: number;
  readonly type: number;
  readonly index: number;
  readonly payloadBytesMin: number;
  /** What its header must say; undefined: anything. */
  readonly commit?: number | undefined;
}

/** See the head of the file. */
export class PageFile {
  readonly pageBytes: number;
  readonly databaseId: Uint8Array;
  readonly isReadOnly: boolean;
  /** The newest usable meta; replaced by each finished flush. */
  meta: Meta;
  /** The other slot's meta when it can be trusted: the older fallback. */
  olderMeta: Meta | undefined;
  /** Pages the file holds, the last one perhaps not written; every believable page id is smaller. */
  pageLimit: number;
  /** Set by a failed sync; all later writes throw it as their cause. */
  failure: unknown;
  /** Writes of pages so far. */
  writeCount = 0;
  /** The `writeCount` that the last sync covered. */
  #syncedCount = 0;
  readonly #file: StorageFile;
  readonly #crc: Crc32;
  readonly #seed: number;
  #isClosed = false;
  /** The current meta is known to be on the device, or on the way there with the next sync. */
  #isConfirmed = false;

  private constructor(file: StorageFile, hashing: Hashing, metas: { meta: Meta; olderMeta: Meta | undefined }, isReadOnly: boolean) {
    this.#file = file;
    this.#crc = makeCrc32((bytes, start, end, seed) => hashing.crc32(bytes, start, end, seed));
    this.meta = metas.meta;
    this.olderMeta = metas.olderMeta;
    this.pageBytes = metas.meta.pageBytes;
    this.databaseId = metas.meta.databaseId;
    this.isReadOnly = isReadOnly;
    this.pageLimit = Math.floor(file.size() / this.pageBytes);
    this.#seed = crc32(this.databaseId, 0, this.databaseId.length, 0);
  }

  /**
   * What is in the directory: no file, a file in which no flush ever finished and whose first meta is unusable (an interrupted creation:
   * the tree never held anything the log does not), or one to open.
   */
  static look(options: PageFileOptions): 'missing' | 'unfinished' | 'present' {
    if (!options.storage.exists(PAGES_FILE)) return 'missing';
    const file = options.storage.open(PAGES_FILE, { readOnly: true });
    try {
      return isUnfinishedCreation(file) ? 'unfinished' : 'present';
    } finally {
      file.close();
    }
  }

  /** Creates the file with meta 0 of the empty tree, and syncs it and its name. */
  static create(options: CreatePageFile): PageFile {
    const { storage, pageBytes } = options;
    if (!PAGE_SIZES.includes(pageBytes))
      throw new SteleError('invalid', 'OPTION_INVALID', `page size ${pageBytes}, expected one of ${PAGE_SIZES.join(', ')}`);
    const meta: Meta = {
      pageBytes,
      compatibleFeatures: 0,
      readOnlyCompatibleFeatures: 0,
      incompatibleFeatures: 0,
      databaseId: options.databaseId.slice(),
      incarnation: options.incarnation.slice(),
      parentId: options.parentId?.slice() ?? new Uint8Array(16),
      parentCommit: options.parentCommit ?? 0,
      parentChecksum: options.parentChecksum ?? 0,
      epoch: options.epoch.slice(),
      sequence: 0,
      commit: 0,
      timeMs: options.timeMs ?? 0,
      assertedTimeMs: 0,
      logSegment: options.logSegment,
      logOffset: options.logOffset,
      logChecksum: options.logChecksum,
      durableSegment: options.logSegment,
      durableOffset: options.logOffset,
      rootPage: 0,
      rootChecksum: 0,
      height: 0,
      liveCount: 0,
      leafCount: 0,
      pageCount: 2,
      blobs: [NO_BLOB, NO_BLOB, NO_BLOB, NO_BLOB, NO_BLOB],
      isCleanClose: false,
    };
    const file = storage.open(PAGES_FILE, { create: true });
    try {
      file.truncate(0);
      writeZeros(file, 0, 2 * pageBytes);
      writeAll(file, encodeMeta(meta), 0, META_BYTES, 0);
      file.sync();
      storage.syncDirectory();
    } catch (error) {
      file.close();
      throw error;
    }
    const created = new PageFile(file, options.hashing, { meta, olderMeta: undefined }, false);
    created.#isConfirmed = true;
    return created;
  }

  /**
   * Opens by the newest usable meta.
   *
   * @throws {SteleError} `corrupt` META_DAMAGED when neither meta can be used; `invalid` FORMAT_NEWER; `invalid` NOT_FOUND.
   */
  static open(options: OpenPageFile): PageFile {
    const isReadOnly = options.readOnly === true;
    const file = options.storage.open(PAGES_FILE, { readOnly: isReadOnly });
    try {
      const metas = chooseMeta(readMetaSlots(file), options.useOlder === true);
      const unknown = metas.meta.readOnlyCompatibleFeatures & ~FEATURES.readOnlyCompatible;
      if (unknown !== 0 && !isReadOnly) {
        throw new SteleError('invalid', 'FORMAT_NEWER', `the database uses features ${unknown} that allow this program reading only`, {
          detail: { features: unknown },
        });
      }
      return new PageFile(file, options.hashing, metas, isReadOnly);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /**
   * Reads one tree page and verifies identity and checksum; its bounds are checked by page-check.ts.
   *
   * @throws {SteleError} `corrupt` PAGE_CHECKSUM {pageId, byteOffset}.
   */
  readTreePage(target: Uint8Array, start: number, page: number, checksum: number): void {
    const read = readFully(this.#file, target, start, this.pageBytes, page * this.pageBytes);
    this.verifyPage(target, start, page, read, checksum);
  }

  /** Reads without verifying: the asynchronous half of a load. Resolves to the bytes read. */
  readRawAsync(target: Uint8Array, start: number, page: number): Promise<number> {
    return this.#file.readAsync(target, start, this.pageBytes, page * this.pageBytes);
  }

  /** @throws {SteleError} `corrupt` PAGE_CHECKSUM when the page read is not the one `page` and `checksum` name. */
  verifyPage(bytes: Uint8Array, start: number, page: number, readBytes: number, checksum?: number): void {
    if (readBytes < this.pageBytes) throw this.pageDamaged('PAGE_CHECKSUM', page, `the file ends after ${readBytes} bytes of it`);
    const found = readU32(bytes, start + PAGE_CHECKSUM);
    const expected = this.#crc(bytes, start + 4, start + this.pageBytes, crc32U48(page, this.#seed));
    if (found !== expected) throw this.pageDamaged('PAGE_CHECKSUM', page, `checksum ${found}, expected ${expected}`, { found, expected });
    const id =
      readU32(bytes, start + PAGE_ID_LOW) + (bytes[start + PAGE_ID_HIGH]! + bytes[start + PAGE_ID_HIGH + 1]! * 256) * 0x1_0000_0000;
    if (id !== page) throw this.pageDamaged('PAGE_CHECKSUM', page, `it says it is page ${id}`, { found: id });
    if (checksum !== undefined && found !== checksum) {
      throw this.pageDamaged('PAGE_CHECKSUM', page, `an older state: checksum ${found}, its parent expects ${checksum}`, {
        found,
        expected: checksum,
      });
    }
  }

  /**
   * Reads and verifies one overflow or blob page into `target[0, pageBytes)`.
   *
   * @throws {SteleError} `corrupt` PAGE_CHECKSUM or PAGE_INVALID.
   */
  readRunPage(target: Uint8Array, wanted: RunPage): void {
    const read = readFully(this.#file, target, 0, this.pageBytes, wanted.page * this.pageBytes);
    this.checkRunPage(target, 0, read, wanted);
  }

  /** The verifying half of {@link readRunPage}. */
  checkRunPage(bytes: Uint8Array, start: number, readBytes: number, wanted: RunPage): void {
    this.verifyPage(bytes, start, wanted.page, readBytes);
    const type = bytes[start + PAGE_TYPE]!;
    const index = readU32(bytes, start + RUN_INDEX);
    const payloadBytes = readU32(bytes, start + RUN_PAYLOAD_BYTES);
    if (type !== wanted.type) throw this.pageDamaged('PAGE_INVALID', wanted.page, `type ${type}, expected ${wanted.type}`);
    if (index !== wanted.index || payloadBytes < wanted.payloadBytesMin || payloadBytes > this.pageBytes - PAGE_HEADER_BYTES) {
      throw this.pageDamaged(
        'PAGE_INVALID',
        wanted.page,
        `page ${index} of a run with ${payloadBytes} bytes, expected page ${wanted.index} with ${wanted.payloadBytesMin}`,
      );
    }
    const commit = readU48(bytes, start + PAGE_COMMIT);
    if (wanted.commit !== undefined && commit !== wanted.commit) {
      throw this.pageDamaged('PAGE_CHECKSUM', wanted.page, `an older state: written at commit ${commit}, expected ${wanted.commit}`);
    }
    if (readU32(bytes, start + PAGE_FLAGS) !== 0 || !isZero(bytes, start + PAGE_RESERVED, start + PAGE_HEADER_BYTES)) {
      throw this.pageDamaged('PAGE_INVALID', wanted.page, 'reserved bytes or flags are used');
    }
  }

  /** Fills in page id, commit and checksum of the page at `start`. Returns the checksum. */
  seal(bytes: Uint8Array, start: number, page: number, commit: number): number {
    writeU32(bytes, start + PAGE_ID_LOW, page >>> 0);
    writeU16(bytes, start + PAGE_ID_HIGH, Math.floor(page / 0x1_0000_0000));
    writeU48(bytes, start + PAGE_COMMIT, commit);
    bytes.fill(0, start + PAGE_RESERVED, start + PAGE_CRYPT);
    const checksum = this.#crc(bytes, start + 4, start + this.pageBytes, crc32U48(page, this.#seed));
    writeU32(bytes, start + PAGE_CHECKSUM, checksum);
    return checksum;
  }

  /**
   * Writes sealed pages in one piece. Not synced.
   *
   * @throws {SteleError} `unavailable` DISK_FULL or IO_ERROR; some of the pages may have been written.
   */
  writePages(bytes: Uint8Array, start: number, firstPage: number, pages: number): void {
    this.checkWritable();
    this.writeCount++;
    writeAll(this.#file, bytes, start, pages * this.pageBytes, firstPage * this.pageBytes);
    if (firstPage + pages > this.pageLimit) this.pageLimit = firstPage + pages;
  }

  /** Takes disk space for `pages` more pages by writing zeros. @throws {SteleError} `unavailable` DISK_FULL: the space taken so far is kept. */
  extend(pages: number): void {
    this.checkWritable();
    const end = (this.pageLimit + pages) * this.pageBytes;
    try {
      writeZeros(this.#file, this.pageLimit * this.pageBytes, end - this.pageLimit * this.pageBytes);
    } finally {
      this.pageLimit = Math.max(this.pageLimit, Math.min(Math.floor(this.#file.size() / this.pageBytes), end / this.pageBytes));
    }
  }

  /** Gives back the space of pages from `pages` on. The caller knows that no meta names them. */
  truncate(pages: number): void {
    this.checkWritable();
    if (pages >= this.pageLimit) return;
    this.#file.truncate(pages * this.pageBytes);
    this.pageLimit = pages;
  }

  /** Everything written so far reaches the device. A failure is final. */
  sync(): void {
    this.checkWritable();
    this.#confirmMeta();
    const covered = this.writeCount;
    try {
      this.#file.sync();
    } catch (error) {
      throw this.#fail(error);
    }
    this.#syncedCount = Math.max(this.#syncedCount, covered);
  }

  /** The same without blocking. */
  async syncAsync(): Promise<void> {
    this.checkWritable();
    this.#confirmMeta();
    const covered = this.writeCount;
    try {
      await this.#file.syncAsync();
    } catch (error) {
      throw this.#fail(error);
    }
    this.#syncedCount = Math.max(this.#syncedCount, covered);
  }

  /**
   * Writes `meta` into its slot. Not synced: {@link adoptMeta} after the sync makes it the current one.
   *
   * Flush rule 4: data pages are synced before the meta that names them. `writesNamed` is {@link writeCount} after the last page it names.
   *
   * @throws {SteleError} `internal` INVARIANT when a sync is missing.
   */
  writeMeta(meta: Meta, writesNamed: number): void {
    invariant(this.#syncedCount >= writesNamed, 'flush rule 4: a meta page before its pages were synced');
    this.checkWritable();
    writeAll(this.#file, encodeMeta(meta), 0, META_BYTES, (meta.sequence % 2) * this.pageBytes);
  }

  /** The meta just written and synced is the current one. */
  adoptMeta(meta: Meta): void {
    this.olderMeta = this.meta;
    this.meta = meta;
  }

  /** Idempotent. Does not sync. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#file.close();
  }

  /** A damage of one page as an error: `corrupt`, with pageId and byteOffset. */
  pageDamaged(
    code: 'PAGE_CHECKSUM' | 'PAGE_INVALID',
    page: number,
    what: string,
    detail: Readonly<Record<string, unknown>> = {},
  ): SteleError {
    return new SteleError('corrupt', code, `page ${page} of ${PAGES_FILE}: ${what}`, {
      detail: { pageId: page, byteOffset: page * this.pageBytes, ...detail },
    });
  }

  /** @throws {SteleError} `denied` READ_ONLY; `unavailable` PAGES_FAILED after a failed sync. */
  checkWritable(): void {
    if (this.isReadOnly) throw new SteleError('denied', 'READ_ONLY', `${PAGES_FILE} is open for reading only`);
    if (this.failure !== undefined) {
      throw new SteleError('unavailable', 'PAGES_FAILED', `${PAGES_FILE}: an earlier sync failed; reopen the database`, {
        cause: this.failure,
      });
    }
  }

  /**
   * Before the first sync, so before the other slot is written: the meta this file was opened by is written over itself. Its writer may
   * have died before the sync, or the sync failed and the kernel calls it clean ever since.
   */
  #confirmMeta(): void {
    if (this.#isConfirmed) return;
    const position = (this.meta.sequence % 2) * this.pageBytes;
    const bytes = new Uint8Array(META_BYTES);
    writeAll(this.#file, bytes, 0, readFully(this.#file, bytes, 0, META_BYTES, position), position);
    this.#isConfirmed = true;
  }

  #fail(error: unknown): unknown {
    this.failure ??= error;
    return error;
  }
}
