/**
 * Every decoder of the kernel as a fuzz target: any bytes give a result or a SteleError that is not `internal`, in bounded time and
 * memory. `log/fuzz.ts` has those of the log, `codecs.ts` those of paths and values; here are the pager's, the tree's and the engine's.
 */

import { SteleError } from '../../src/base/errors.ts';
import type { Hashing } from '../../src/host/host.ts';
import { memoryStorage } from '../../src/host/memory/storage.ts';
import { nodeHashing } from '../../src/host/posix/hashing.ts';
import { fuzzTargets as logTargets } from '../../src/log/fuzz.ts';
import { Bitmap } from '../../src/pager/bitmap.ts';
import { encodeBlob, readBlob } from '../../src/pager/blob.ts';
import { decodeMeta, encodeMeta, META_BYTES } from '../../src/pager/meta.ts';
import { checkTreePage, type PageViews } from '../../src/pager/page-check.ts';
import { PageFile } from '../../src/pager/page-file.ts';
import * as entry from '../../src/tree/entry.ts';
import { prefixBytesOf, recordAt, searchPage, slotCount, slotKeyInto } from '../../src/tree/page.ts';
import { Summary, summarize } from '../../src/tree/summary.ts';
import { decodeKept } from '../../src/txn/kept-blob.ts';
import { appendToSpine, decodeSpine, growSpine, SpineAnswer, searchSpine } from '../../src/txn/spine.ts';
import { codecTargets } from './codecs.ts';

export type FuzzTarget = (bytes: Uint8Array, hashing: Hashing) => void;

const PAGE_BYTES = 8192;

/** By name. */
export const fuzzTargets: Readonly<Record<string, FuzzTarget>> = {
  ...logTargets,
  meta: (bytes) => {
    const slot = decodeMeta(bytes, 1);
    if (slot.state === 'meta') encodeMeta(slot.meta);
  },
  leafPage: (bytes) => fuzzPage(bytes, 0),
  innerPage: (bytes) => fuzzPage(bytes, 1),
  runPage: fuzzRun,
  bitmap: (bytes) => {
    const bitmap = Bitmap.decode(bytes);
    const end = bitmap.end();
    for (let page = bitmap.nextSet(0, end), n = 0; page < end && n < 1000; page = bitmap.nextSet(bitmap.nextClear(page), end)) n++;
    if (bitmap.count() > end) throw new Error('more pages than there are bits');
  },
  kept: (bytes) => void decodeKept(bytes),
  spine: fuzzSpine,
  ...codecTargets,
};

/** What must never come out of a decoder. */
export function isAcceptable(error: unknown): boolean {
  return error instanceof SteleError && error.kind !== 'internal';
}

/** A page that passes the check must be safe for every reader, whatever it says. */
function fuzzPage(bytes: Uint8Array, level: number): void {
  const views = viewsOf(bytes);
  if (checkTreePage(views, PAGE_BYTES, PAGE_BYTES, level, 1000) !== undefined) return;
  const key = new Uint8Array(1100);
  const other = new Uint8Array(1100).fill(0x55);
  const count = slotCount(views, PAGE_BYTES);
  for (let slot = 0; slot < count; slot++) {
    const length = slotKeyInto(views, PAGE_BYTES, slot, level === 0, key);
    if (length > 1100) throw new Error(`a key of ${length} bytes`);
    searchPage(views, PAGE_BYTES, key, length, 0, 0);
    searchPage(views, PAGE_BYTES, other, slot % 1100, 0, 0);
    if (level === 0) readEntry(views, recordAt(views, PAGE_BYTES, slot), key);
  }
  if (prefixBytesOf(views, PAGE_BYTES) > 1100) throw new Error('a prefix longer than a key');
  summarize(views, PAGE_BYTES, level === 0, new Summary());
}

function readEntry(views: PageViews, location: number, key: Uint8Array): void {
  const end = 2 * PAGE_BYTES;
  const inPage = (start: number, bytes: number, what: string): void => {
    if (start < PAGE_BYTES || start + bytes > end) throw new Error(`${what} at ${start - PAGE_BYTES}+${bytes} lies outside the page`);
  };
  entry.keyInto(views, location, key);
  entry.commitAt(views, location);
  entry.ordinalAt(views, location);
  entry.expiresAt(views, location);
  entry.backCommitAt(views, location);
  entry.backOrdinalAt(views, location);
  entry.firstCommitAt(views, location);
  const spineBytes = entry.spineBytesAt(views, location);
  if (spineBytes > 0) inPage(entry.spineStartAt(views, location), spineBytes, 'spine');
  inPage(entry.valueStartAt(views, location), entry.valueBytesAt(views, location), 'value');
  if (entry.isLargeAt(views, location)) {
    entry.largeBytesAt(views, location);
    entry.largeFirstPageAt(views, location);
    entry.largePagesAt(views, location);
  }
}

/** The bytes as the second of two pages. */
function viewsOf(bytes: Uint8Array): PageViews {
  const u8 = new Uint8Array(2 * PAGE_BYTES);
  u8.set(bytes.subarray(0, PAGE_BYTES), PAGE_BYTES);
  return { pageBytes: PAGE_BYTES, u8, u16: new Uint16Array(u8.buffer), u32: new Uint32Array(u8.buffer) };
}

/** As the first page of a blob of two, sealed. */
function fuzzRun(bytes: Uint8Array): void {
  const storage = memoryStorage();
  const zeros = new Uint8Array(16);
  const place = { databaseId: zeros, incarnation: zeros, epoch: new Uint8Array(8), logSegment: 1, logOffset: 256, logChecksum: 0 };
  const file = PageFile.create({ storage, hashing: nodeHashing(), pageBytes: PAGE_BYTES, ...place });
  const { buffer, blob } = encodeBlob(file, new Uint8Array(9000).fill(7), { firstPage: 2, commit: 1 });
  buffer.set(bytes.subarray(0, PAGE_BYTES), 0);
  file.seal(buffer, 0, 2, 1);
  file.writePages(buffer, 0, 2, 2);
  try {
    readBlob(file, blob);
  } finally {
    file.close();
  }
}

function fuzzSpine(bytes: Uint8Array): void {
  const addition = { commit: 2 ** 40, addressCommit: 2 ** 40, ordinal: 3, carried: false };
  let reads = 0;
  const again = (): { bytes: Uint8Array; tableStart: number; tableEnd: number } | undefined =>
    ++reads > 100 ? undefined : { bytes, tableStart: 0, tableEnd: bytes.length };
  const steps: (() => unknown)[] = [
    () => decodeSpine(bytes, 0, bytes.length),
    () => growSpine(bytes, addition),
    () => searchSpine(bytes, 0, bytes.length, 2 ** 41, 0, 1000, again, new SpineAnswer()),
    () => appendToSpine(bytes, 0, bytes.length, addition, new Uint8Array(1100)),
  ];
  for (const step of steps) {
    try {
      step();
    } catch (error) {
      if (!isAcceptable(error)) throw error;
    }
  }
  if (reads > 100) throw new Error('a search that does not end');
}

/** Real bytes to begin from, for the targets the log has none for; `files` of a database with everything. */
export function seedsOf(pages: Uint8Array, blobs: readonly Uint8Array[], index: Uint8Array): Readonly<Record<string, Uint8Array[]>> {
  const leaves: Uint8Array[] = [];
  const inner: Uint8Array[] = [];
  const runs: Uint8Array[] = [];
  for (let at = 2 * PAGE_BYTES; at + PAGE_BYTES <= pages.length; at += PAGE_BYTES) {
    const list = [undefined, leaves, inner, runs, runs][pages[at + 6]!];
    if (list !== undefined && list.length < 20) list.push(pages.slice(at, at + PAGE_BYTES));
  }
  const addresses = Array.from({ length: 40 }, (_, i) => ({ commit: 10 * i + 1, addressCommit: 10 * i + 1, ordinal: i, carried: false }));
  const spines: Uint8Array[] = [];
  let spine: Uint8Array | undefined;
  for (const address of addresses) {
    const grown = growSpine(spine, address);
    spine = grown.spine;
    spines.push(spine, ...(grown.table === undefined ? [] : [grown.table]));
  }
  return {
    meta: [pages.slice(PAGE_BYTES, PAGE_BYTES + META_BYTES)],
    leafPage: leaves,
    innerPage: inner,
    runPage: runs,
    bitmap: [blobs[0]!],
    segmentTable: [blobs[1]!],
    kept: [blobs[2]!],
    spine: spines,
    fileHeader: [index.slice(0, 256)],
    indexEntry: [index.slice(256, 280)],
  };
}
