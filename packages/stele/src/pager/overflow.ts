/**
 * Overflow runs: large values outside the tree pages, in pages that follow one another (layout as blobs, blob.ts).
 *
 * A run is written before the flush that names it and may be written in slices; it is never changed. Its pages obey the rules of the
 * allocator like any other. Ranged reads verify only the pages they touch.
 *
 * Invariants
 * - Until a leaf names it, a run belongs to its writer: `end` hands it over, `abort` frees it.
 * - A run written while a flush runs belongs to the next flush, unless it is written for it (`forFlush`, from the onLeaf hook).
 *
 * Specification: spec/file-format.md, "Overflow and blob pages".
 */

import { invariant, SteleError } from '../base/errors.ts';
import type { Allocator, PageRun } from './allocator.ts';
import { runPages, writeRunHeader } from './blob.ts';
import { PAGE_HEADER_BYTES, TYPE_OVERFLOW } from './layout.ts';
import type { PageFile, RunPage } from './page-file.ts';

/** Where a large value lies. */
export interface OverflowRun {
  readonly firstPage: number;
  readonly pages: number;
  /** The `commit` it was written with. Given to a read it is checked in every page, so that a lost write cannot show an older value. */
  readonly commit?: number | undefined;
}

/** Pages gathered before each write. */
const BATCH_PAGES = 32;

/** See the head of the file. */
export class Overflow {
  readonly #file: PageFile;
  readonly #allocator: Allocator;
  readonly #counters: { pagesWritten: number; runsWritten: number };
  readonly #room: number;

  constructor(file: PageFile, allocator: Allocator, counters: { pagesWritten: number; runsWritten: number }) {
    this.#file = file;
    this.#allocator = allocator;
    this.#counters = counters;
    this.#room = file.pageBytes - PAGE_HEADER_BYTES;
  }

  /** Pages a value of so many bytes takes: for `reserveDisk`. */
  pagesFor(bytes: number): number {
    return runPages(bytes, this.#file.pageBytes);
  }

  /** Begins a run for exactly `bytes` bytes. Nothing is written yet. */
  begin(bytes: number, options: { commit: number; forFlush: boolean }): OverflowWriter {
    invariant(bytes > 0, 'an overflow run of nothing');
    const pages = this.pagesFor(bytes);
    const run = this.#allocator.allocate(pages, { shortest: pages, forFlush: options.forFlush });
    return new OverflowWriter({
      file: this.#file,
      allocator: this.#allocator,
      counters: this.#counters,
      run,
      bytes,
      commit: options.commit,
    });
  }

  /** As {@link begin} for the next flush, in a gap that ends at or below page `limit`; undefined when there is none. */
  beginBelow(bytes: number, options: { commit: number; limit: number }): OverflowWriter | undefined {
    const run = this.#allocator.openBelow(this.pagesFor(bytes), options.limit);
    if (run === undefined) return undefined;
    const parts = { file: this.#file, allocator: this.#allocator, counters: this.#counters, run, bytes, commit: options.commit };
    return new OverflowWriter(parts);
  }

  /** Writes `source[start, end)` in one go. */
  write(source: Uint8Array, start: number, end: number, options: { commit: number; forFlush: boolean }): OverflowRun {
    const writer = this.begin(end - start, options);
    try {
      writer.write(source, start, end);
      return writer.end();
    } catch (error) {
      writer.abort();
      throw error;
    }
  }

  /**
   * Copies bytes [offset, offset + length) of the run to `target[at, …)`.
   *
   * @throws {SteleError} `corrupt` PAGE_CHECKSUM, PAGE_INVALID.
   */
  read(run: OverflowRun, offset: number, length: number, target: Uint8Array, at: number): void {
    this.#checkRun(run, offset, length);
    const page = new Uint8Array(this.#file.pageBytes);
    for (let done = 0; done < length; ) {
      const wanted = this.#pageAt(run, offset + done, length - done);
      this.#file.readRunPage(page, wanted);
      done += this.#copy(page, offset + done, length - done, target, at + done);
    }
  }

  /** The same off the thread. */
  async readAsync(run: OverflowRun, offset: number, length: number, target: Uint8Array, at: number): Promise<void> {
    this.#checkRun(run, offset, length);
    const page = new Uint8Array(this.#file.pageBytes);
    for (let done = 0; done < length; ) {
      const wanted = this.#pageAt(run, offset + done, length - done);
      const read = await this.#file.readRawAsync(page, 0, wanted.page);
      this.#file.checkRunPage(page, 0, read, wanted);
      done += this.#copy(page, offset + done, length - done, target, at + done);
    }
  }

  /** No leaf names the run any more. @throws {SteleError} `corrupt` PAGE_INVALID when it lies outside the file. */
  free(run: OverflowRun): void {
    this.#checkRun(run, 0, 0);
    this.#allocator.free(run.firstPage, run.pages);
  }

  /** The reference comes from a page and is believed only as far as the file reaches. */
  #checkRun(run: OverflowRun, offset: number, length: number): void {
    if (
      run.firstPage < 2 ||
      run.pages < 1 ||
      run.firstPage + run.pages > this.#file.pageLimit ||
      offset < 0 ||
      length < 0 ||
      offset + length > run.pages * this.#room
    ) {
      throw new SteleError(
        'corrupt',
        'PAGE_INVALID',
        `bytes ${offset}+${length} of an overflow run at page ${run.firstPage}+${run.pages}, the file has ${this.#file.pageLimit} pages`,
        {
          detail: { pageId: run.firstPage, byteOffset: run.firstPage * this.#file.pageBytes },
        },
      );
    }
  }

  #pageAt(run: OverflowRun, offset: number, left: number): RunPage {
    const index = Math.floor(offset / this.#room);
    const inPage = offset - index * this.#room;
    // Only the last page may hold less than its room.
    const payloadBytesMin = index < run.pages - 1 ? this.#room : Math.min(this.#room, inPage + left);
    return { page: run.firstPage + index, type: TYPE_OVERFLOW, index, payloadBytesMin, commit: run.commit };
  }

  #copy(page: Uint8Array, offset: number, left: number, target: Uint8Array, at: number): number {
    const inPage = offset % this.#room;
    const count = Math.min(this.#room - inPage, left);
    target.set(page.subarray(PAGE_HEADER_BYTES + inPage, PAGE_HEADER_BYTES + inPage + count), at);
    return count;
  }
}

interface WriterParts {
  readonly file: PageFile;
  readonly allocator: Allocator;
  readonly counters: { pagesWritten: number; runsWritten: number };
  readonly run: PageRun;
  readonly bytes: number;
  readonly commit: number;
}

/** Writes one run, in slices if the caller likes. */
export class OverflowWriter {
  readonly #parts: WriterParts;
  readonly #buffer: Uint8Array;
  readonly #room: number;
  /** Bytes taken so far. */
  #taken = 0;
  #pagesWritten = 0;
  #isOver = false;

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.#room = parts.file.pageBytes - PAGE_HEADER_BYTES;
    this.#buffer = new Uint8Array(Math.min(BATCH_PAGES, parts.run.pages) * parts.file.pageBytes);
  }

  /** Takes the next bytes of the value. @throws {SteleError} `unavailable` DISK_FULL, IO_ERROR: abort then. */
  write(source: Uint8Array, start: number, end: number): void {
    const { file, bytes } = this.#parts;
    invariant(!this.#isOver && this.#taken + end - start <= bytes, 'more bytes than the overflow run was begun for');
    const batch = this.#buffer.length / file.pageBytes;
    for (let from = start; from < end; ) {
      const index = Math.floor(this.#taken / this.#room) - this.#pagesWritten;
      const inPage = this.#taken % this.#room;
      const count = Math.min(this.#room - inPage, end - from);
      this.#buffer.set(source.subarray(from, from + count), index * file.pageBytes + PAGE_HEADER_BYTES + inPage);
      from += count;
      this.#taken += count;
      if (this.#taken === bytes || (inPage + count === this.#room && index + 1 === batch)) this.#writeBatch(index + 1);
    }
  }

  /** The run is complete (not synced: the next flush does that before it names it). */
  end(): OverflowRun {
    invariant(this.#taken === this.#parts.bytes, 'fewer bytes than the overflow run was begun for');
    this.#isOver = true;
    this.#parts.allocator.close(this.#parts.run);
    return { firstPage: this.#parts.run.first, pages: this.#parts.run.pages, commit: this.#parts.commit };
  }

  /** Gives the pages back. Idempotent; nothing after `end`. */
  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#parts.allocator.close(this.#parts.run);
    this.#parts.allocator.free(this.#parts.run.first, this.#parts.run.pages);
  }

  #writeBatch(pages: number): void {
    const { file, run, bytes, commit, counters } = this.#parts;
    for (let i = 0; i < pages; i++) {
      const index = this.#pagesWritten + i;
      const payloadBytes = Math.min(this.#room, bytes - index * this.#room);
      const start = i * file.pageBytes;
      writeRunHeader(this.#buffer, start, { type: TYPE_OVERFLOW, index, payloadBytes });
      this.#buffer.fill(0, start + PAGE_HEADER_BYTES + payloadBytes, start + file.pageBytes);
      file.seal(this.#buffer, start, run.first + index, commit);
    }
    file.writePages(this.#buffer, 0, run.first + this.#pagesWritten, pages);
    this.#pagesWritten += pages;
    counters.pagesWritten += pages;
    counters.runsWritten++;
  }
}
