/**
 * Runs of overflow and blob pages: bytes too long for a page, in pages that follow one another.
 *
 * Each page has the common header with its payload length and its index in the run, and `pageBytes` − 80 bytes of
 * payload; only the last may hold less. Every page verifies by itself, so a part of a run can be read alone.
 *
 * Specification: spec/file-format.md, "Overflow and blob pages".
 */

import { writeU32 } from '../base/bytes.ts';
import { crc32 } from '../base/crc32.ts';
import { SteleError } from '../base/errors.ts';
import { PAGE_HEADER_BYTES, PAGE_LEVEL, PAGE_TYPE, RUN_INDEX, RUN_PAYLOAD_BYTES, TYPE_BLOB } from './layout.ts';
import type { BlobRef } from './meta.ts';
import { NO_BLOB } from './meta.ts';
import type { PageFile } from './page-file.ts';

/** Pages needed for so many bytes. */
export function runPages(bytes: number, pageBytes: number): number {
  return Math.ceil(bytes / (pageBytes - PAGE_HEADER_BYTES));
}

/** Writes the header of a run page over whatever is there; the page id, commit and checksum are sealed later. */
export function writeRunHeader(pages: Uint8Array, start: number, page: { type: number; index: number; payloadBytes: number }): void {
  pages.fill(0, start, start + PAGE_HEADER_BYTES);
  pages[start + PAGE_TYPE] = page.type;
  pages[start + PAGE_LEVEL] = 0;
  writeU32(pages, start + RUN_PAYLOAD_BYTES, page.payloadBytes);
  writeU32(pages, start + RUN_INDEX, page.index);
}

/**
 * Writes `bytes` as blob pages from `firstPage` on. Not synced.
 *
 * @throws {SteleError} `unavailable` DISK_FULL, IO_ERROR.
 */
export function writeBlob(file: PageFile, bytes: Uint8Array, place: { firstPage: number; commit: number }): BlobRef {
  if (bytes.length === 0) return NO_BLOB;
  const { buffer, blob } = encodeBlob(file, bytes, place);
  file.writePages(buffer, 0, place.firstPage, blob.pages);
  return blob;
}

/** The sealed pages of a blob that shall lie at `firstPage`, and what a meta says of it. `bytes` is not empty. */
export function encodeBlob(
  file: PageFile,
  bytes: Uint8Array,
  place: { firstPage: number; commit: number },
): { buffer: Uint8Array; blob: BlobRef } {
  const { pageBytes } = file;
  const room = pageBytes - PAGE_HEADER_BYTES;
  const pages = runPages(bytes.length, pageBytes);
  const buffer = new Uint8Array(pages * pageBytes);
  for (let index = 0; index < pages; index++) {
    const start = index * pageBytes;
    const payload = bytes.subarray(index * room, Math.min(bytes.length, (index + 1) * room));
    writeRunHeader(buffer, start, { type: TYPE_BLOB, index, payloadBytes: payload.length });
    buffer.set(payload, start + PAGE_HEADER_BYTES);
    file.seal(buffer, start, place.firstPage + index, place.commit);
  }
  return { buffer, blob: { firstPage: place.firstPage, pages, bytes: bytes.length, crc: crc32(bytes, 0, bytes.length, 0) } };
}

/**
 * Reads a blob whole.
 *
 * @throws {SteleError} `corrupt` PAGE_CHECKSUM, PAGE_INVALID, or BLOB_DAMAGED when the pages are right and their sum is not.
 */
export function readBlob(file: PageFile, blob: BlobRef): Uint8Array {
  const { pageBytes } = file;
  if (blob.pages !== runPages(blob.bytes, pageBytes) || blob.firstPage + blob.pages > file.pageLimit)
    throw blobDamaged(blob, 'its size does not fit its pages');
  const bytes = new Uint8Array(blob.bytes);
  const page = new Uint8Array(pageBytes);
  const room = pageBytes - PAGE_HEADER_BYTES;
  for (let index = 0; index < blob.pages; index++) {
    const wanted = Math.min(room, blob.bytes - index * room);
    file.readRunPage(page, { page: blob.firstPage + index, type: TYPE_BLOB, index, payloadBytesMin: wanted });
    bytes.set(page.subarray(PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + wanted), index * room);
  }
  const found = crc32(bytes, 0, bytes.length, 0);
  if (found !== blob.crc) throw blobDamaged(blob, `checksum ${found}, expected ${blob.crc}`);
  return bytes;
}

function blobDamaged(blob: BlobRef, reason: string): SteleError {
  return new SteleError('corrupt', 'BLOB_DAMAGED', `blob at page ${blob.firstPage}: ${reason}`, {
    detail: { pageId: blob.firstPage, pages: blob.pages, bytes: blob.bytes },
  });
}
