/**
 * Meta page: the 512 bytes that decide which tree is current.
 *
 *   offset  bytes  field
 *        0      8  magic "STELEDB1"
 *        8      2  format version, 1
 *       10      2  0
 *       12      4  page bytes
 *       16      4  compatible features: unknown ones are ignored
 *       20      4  read-only compatible features: unknown ones allow reading only
 *       24      4  incompatible features: unknown ones are refused
 *       28     16  database id
 *       44     16  incarnation, new on every restore, copy and fork
 *       60     16  parent id, 0 = none
 *       76      6  parent commit
 *       82      2  0
 *       84      4  parent head: checksum of the parent's record of that commit
 *       88     32  0: reserved for the parent's head hash
 *      120      8  epoch of the holder that wrote it
 *      128      6  sequence k; the page lies in slot k mod 2
 *      134      2  0
 *      136      6  commit F: the tree is the state after commit F
 *      142      2  0
 *      144      6  recorded time of F, ms
 *      150      2  0
 *      152      6  running maximum of asserted time, ms, 0 = none
 *      158      2  0
 *      160     12  log position after F: segment u32, offset u32, checksum of the last record u32; replay starts here
 *      172      8  log position known durable when the meta was written: segment u32, offset u32
 *      180      6  root page, 0 = empty tree
 *      186      1  height: 0 empty, 1 the root is a leaf
 *      187      1  0
 *      188      4  checksum of the root page
 *      192      6  live entries
 *      198      2  0
 *      200      6  page count: every page named here or below is smaller
 *      206      2  0
 *      208    100  five blobs of 20: first page u48, u16 0, pages u32, bytes u32, CRC-32 of the bytes u32:
 *                  used pages, segment table, kept ranges, spare, spare
 *      308      1  1 = closed cleanly
 *      309      1  0
 *      310      6  leaf pages of the tree
 *      316    192  0
 *      508      4  CRC-32 of bytes 0..508
 *
 * The rest of the page is 0.
 *
 * Invariants
 * - A slot is trusted only if its checksum is right and it lies where its sequence says, whatever else it says.
 * - Two slots alternate; a flush writes only the slot that is not current.
 * - The current meta is the trusted one with the higher sequence; the other is the older fallback.
 * - An intact slot that uses what this version does not know (version, incompatible feature, reserved bytes, spare blobs) is refused for
 *   the whole database, never passed over: the other slot is older, and opening by it would take commits back.
 *
 * Specification: spec/file-format.md, "Meta pages".
 */

import { isZero, readU16, readU32, readU48, writeU16, writeU32, writeU48 } from '../base/bytes.ts';
import { crc32 } from '../base/crc32.ts';
import { SteleError } from '../base/errors.ts';
import { LEVEL_MAX, PAGE_SIZES } from './layout.ts';

export const META_BYTES = 512;
export const FORMAT_VERSION = 1;
/** Feature bits this code knows; 0 in version 1. */
export const FEATURES = { compatible: 0, readOnlyCompatible: 0, incompatible: 0 } as const;

/** A run of blob pages. `pages` 0: an empty blob. */
export interface BlobRef {
  readonly firstPage: number;
  readonly pages: number;
  readonly bytes: number;
  readonly crc: number;
}

export const NO_BLOB: BlobRef = { firstPage: 0, pages: 0, bytes: 0, crc: 0 };

/** Where the blobs stand in {@link Meta.blobs}. */
export const BLOB_USED_PAGES = 0;
export const BLOB_SEGMENT_TABLE = 1;
export const BLOB_KEPT_RANGES = 2;
export const BLOB_COUNT = 5;

/** Everything a meta page says. Times in ms, 16-byte ids, see the drawing above. */
export interface Meta {
  readonly pageBytes: number;
  readonly compatibleFeatures: number;
  readonly readOnlyCompatibleFeatures: number;
  readonly incompatibleFeatures: number;
  readonly databaseId: Uint8Array;
  readonly incarnation: Uint8Array;
  readonly parentId: Uint8Array;
  readonly parentCommit: number;
  readonly parentChecksum: number;
  /** 8 bytes. */
  readonly epoch: Uint8Array;
  readonly sequence: number;
  readonly commit: number;
  readonly timeMs: number;
  readonly assertedTimeMs: number;
  readonly logSegment: number;
  readonly logOffset: number;
  readonly logChecksum: number;
  readonly durableSegment: number;
  readonly durableOffset: number;
  readonly rootPage: number;
  readonly rootChecksum: number;
  readonly height: number;
  readonly liveCount: number;
  readonly leafCount: number;
  readonly pageCount: number;
  readonly blobs: readonly BlobRef[];
  readonly isCleanClose: boolean;
}

const MAGIC = 'STELEDB1';
const CHECKSUM_AT = META_BYTES - 4;
const BLOBS_AT = 208;

/** The 512 bytes of `meta`. */
export function encodeMeta(meta: Meta): Uint8Array {
  const b = new Uint8Array(META_BYTES);
  for (let i = 0; i < 8; i++) b[i] = MAGIC.charCodeAt(i);
  writeU16(b, 8, FORMAT_VERSION);
  writeU32(b, 12, meta.pageBytes);
  writeU32(b, 16, meta.compatibleFeatures);
  writeU32(b, 20, meta.readOnlyCompatibleFeatures);
  writeU32(b, 24, meta.incompatibleFeatures);
  b.set(meta.databaseId, 28);
  b.set(meta.incarnation, 44);
  b.set(meta.parentId, 60);
  writeU48(b, 76, meta.parentCommit);
  writeU32(b, 84, meta.parentChecksum);
  b.set(meta.epoch, 120);
  writeU48(b, 128, meta.sequence);
  writeU48(b, 136, meta.commit);
  writeU48(b, 144, meta.timeMs);
  writeU48(b, 152, meta.assertedTimeMs);
  writeU32(b, 160, meta.logSegment);
  writeU32(b, 164, meta.logOffset);
  writeU32(b, 168, meta.logChecksum);
  writeU32(b, 172, meta.durableSegment);
  writeU32(b, 176, meta.durableOffset);
  writeU48(b, 180, meta.rootPage);
  b[186] = meta.height;
  writeU32(b, 188, meta.rootChecksum);
  writeU48(b, 192, meta.liveCount);
  writeU48(b, 200, meta.pageCount);
  for (let i = 0; i < BLOB_COUNT; i++) {
    const blob = meta.blobs[i] ?? NO_BLOB;
    const at = BLOBS_AT + 20 * i;
    writeU48(b, at, blob.firstPage);
    writeU32(b, at + 8, blob.pages);
    writeU32(b, at + 12, blob.bytes);
    writeU32(b, at + 16, blob.crc);
  }
  b[308] = meta.isCleanClose ? 1 : 0;
  writeU48(b, 310, meta.leafCount);
  writeU32(b, CHECKSUM_AT, crc32(b, 0, CHECKSUM_AT, 0));
  return b;
}

/** What one slot holds: a meta, nothing (only zeros, or past the end of the file), or `damaged` with the reason. */
export type MetaSlot =
  | { readonly state: 'meta'; readonly meta: Meta }
  | { readonly state: 'empty' }
  | { readonly state: 'damaged'; readonly reason: string };

/**
 * Reads the slot from its first {@link META_BYTES} bytes.
 *
 * @param slot 0 or 1: where the bytes were found.
 * @throws {SteleError} `invalid` FORMAT_NEWER when the checksum is right and the format version, an incompatible feature or a use of
 * reserved bytes is unknown.
 */
export function decodeMeta(b: Uint8Array, slot: number): MetaSlot {
  if (b.length < META_BYTES) return { state: 'empty' };
  if (isZero(b, 0, META_BYTES)) return { state: 'empty' };
  for (let i = 0; i < 8; i++) if (b[i] !== MAGIC.charCodeAt(i)) return damaged('no magic');
  const found = readU32(b, CHECKSUM_AT);
  const expected = crc32(b, 0, CHECKSUM_AT, 0);
  if (found !== expected) return damaged(`checksum ${found}, expected ${expected}`);
  const version = readU16(b, 8);
  const incompatible = readU32(b, 24);
  const reserved = reservedUse(b);
  if (version > FORMAT_VERSION || (incompatible & ~FEATURES.incompatible) !== 0 || reserved !== undefined) {
    throw new SteleError(
      'invalid',
      'FORMAT_NEWER',
      `the database has format ${version} with features ${incompatible}${reserved === undefined ? '' : ` and uses ${reserved}`}, ` +
        `this program knows format ${FORMAT_VERSION}`,
      {
        detail: { version, incompatible, reserved, knownVersion: FORMAT_VERSION, knownFeatures: FEATURES.incompatible },
      },
    );
  }
  const blobs: BlobRef[] = [];
  for (let i = 0; i < BLOB_COUNT; i++) {
    const at = BLOBS_AT + 20 * i;
    blobs.push({ firstPage: readU48(b, at), pages: readU32(b, at + 8), bytes: readU32(b, at + 12), crc: readU32(b, at + 16) });
  }
  const meta: Meta = {
    pageBytes: readU32(b, 12),
    compatibleFeatures: readU32(b, 16),
    readOnlyCompatibleFeatures: readU32(b, 20),
    incompatibleFeatures: incompatible,
    databaseId: b.slice(28, 44),
    incarnation: b.slice(44, 60),
    parentId: b.slice(60, 76),
    parentCommit: readU48(b, 76),
    parentChecksum: readU32(b, 84),
    epoch: b.slice(120, 128),
    sequence: readU48(b, 128),
    commit: readU48(b, 136),
    timeMs: readU48(b, 144),
    assertedTimeMs: readU48(b, 152),
    logSegment: readU32(b, 160),
    logOffset: readU32(b, 164),
    logChecksum: readU32(b, 168),
    durableSegment: readU32(b, 172),
    durableOffset: readU32(b, 176),
    rootPage: readU48(b, 180),
    rootChecksum: readU32(b, 188),
    height: b[186]!,
    liveCount: readU48(b, 192),
    pageCount: readU48(b, 200),
    blobs,
    isCleanClose: b[308] === 1,
    leafCount: readU48(b, 310),
  };
  const reason = version === 0 ? 'format version 0' : contradiction(meta, slot);
  return reason === undefined ? { state: 'meta', meta } : damaged(reason);
}

/** What cannot be in a meta page this code or an older one wrote. */
function contradiction(meta: Meta, slot: number): string | undefined {
  if (!PAGE_SIZES.includes(meta.pageBytes)) return `page size ${meta.pageBytes}`;
  if (meta.sequence % 2 !== slot) return `sequence ${meta.sequence} in slot ${slot}`;
  if (meta.pageCount < 2) return `page count ${meta.pageCount}`;
  if (meta.height > LEVEL_MAX + 1) return `height ${meta.height}`;
  if ((meta.rootPage === 0) !== (meta.height === 0)) return `root page ${meta.rootPage} at height ${meta.height}`;
  if (meta.rootPage === 1 || meta.rootPage >= meta.pageCount) return `root page ${meta.rootPage} of ${meta.pageCount}`;
  for (let i = 0; i < BLOB_COUNT; i++) {
    const { firstPage, pages, bytes } = meta.blobs[i]!;
    if (pages === 0 ? firstPage !== 0 || bytes !== 0 : firstPage < 2 || firstPage + pages > meta.pageCount)
      return `blob at page ${firstPage}+${pages} of ${meta.pageCount}`;
  }
  return undefined;
}

/** Bytes that have no meaning in version 1. */
const RESERVED: readonly (readonly [number, number])[] = [
  [10, 12],
  [82, 84],
  [88, 120],
  [134, 136],
  [142, 144],
  [150, 152],
  [158, 160],
  [187, 188],
  [198, 200],
  [206, 208],
  [309, 310],
  [316, CHECKSUM_AT],
];

/** What an intact slot uses that has no meaning yet, or undefined. */
function reservedUse(b: Uint8Array): string | undefined {
  for (const [start, end] of RESERVED) if (!isZero(b, start, end)) return `reserved bytes ${start} to ${end}`;
  if (b[308]! > 1) return `clean-close mark ${b[308]}`;
  for (let i = 0; i < BLOB_COUNT; i++) {
    const at = BLOBS_AT + 20 * i;
    if (readU16(b, at + 6) !== 0) return `reserved bytes of blob ${i}`;
    // A reader may pass over a spare blob when the features keep every writer away that would let go of it.
    if (i > BLOB_KEPT_RANGES && readU32(b, 20) === 0 && !isZero(b, at, at + 20)) return `spare blob ${i}`;
  }
  return undefined;
}

function damaged(reason: string): MetaSlot {
  return { state: 'damaged', reason };
}
