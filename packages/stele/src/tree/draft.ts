/**
 * EntryDraft: an entry about to be written, as plain fields, and its encoding into a leaf record.
 *
 * One draft is made once and reused for every write; nothing is allocated per entry. The tree derives the record's
 * flags from the fields. Record layout: see entry.ts.
 *
 * Limits
 * - A record may take at most {@link entryBytesMax} so that a page can always be split. {@link inlineValueBytesMax}
 *   and {@link spineBytesMax} tell a writer how to stay below it; beyond it the tree refuses by invariant.
 *
 * Specification: spec/file-format.md, "Tree nodes".
 */

import { copyBytes, writeU48 as writeBytesU48, writeU32 } from '../base/bytes.ts';
import { invariant } from '../base/errors.ts';
import {
  LARGE_BYTES,
  LARGE_FIRST_PAGE,
  LARGE_KIND,
  LARGE_PAGES,
  LEAF_BACK,
  LEAF_BACK_BYTES,
  LEAF_BACK_CARRIED,
  LEAF_DEPTH_SHIFT,
  LEAF_EXPIRES,
  LEAF_EXPIRES_BYTES,
  LEAF_FIXED_BYTES,
  LEAF_LARGE,
  LEAF_ORDINAL,
  LEAF_ORDINAL_BYTES,
  LEAF_SPINE,
  LEAF_SWEPT,
  LEAF_TOMBSTONE,
  PAGE_PREFIX,
  SLOT_BYTES,
} from '../pager/layout.ts';
import type { PageViews } from './page.ts';
import { leafSpineOffset } from './page.ts';

const DEPTH_MAX = 7;
const TWO_POW_32 = 4294967296;
const NO_BYTES = new Uint8Array(0);

/** Fields of the entry to write at the sought key. {@link clear} puts every field back to its default. */
export class EntryDraft {
  /** The key was deleted by `commit`; a tombstone has no value. */
  tombstone = false;
  /** Expired and swept: kept for history, counts 0. */
  swept = false;
  commit = 0;
  ordinal = 0;
  /** ms since the epoch; 0 = never. */
  expiresAt = 0;
  /** Commit of the superseded version; 0 = none, then the three fields below are ignored. */
  backCommit = 0;
  backOrdinal = 0;
  backCarried = false;
  /** Oldest commit of the key's kept past; used only with `backCommit`. At most `commit`. */
  firstCommit = 0;
  /** Superseded versions in the chain; stored as 0 to 7, 7 meaning "7 or more". */
  depth = 0;
  /** null = no spine. Must not be a view of the page memory. */
  spine: Uint8Array | null = null;
  spineStart = 0;
  spineBytes = 0;
  /** The value is `value[valueStart, valueEnd)`. Must not be a view of the page memory. */
  value: Uint8Array = NO_BYTES;
  valueStart = 0;
  valueEnd = 0;
  /** True: the record holds a reference made of the four fields below and `value` is ignored. */
  large = false;
  largeBytes = 0;
  /** LARGE_IN_LOG or LARGE_IN_OVERFLOW. */
  largeKind = 0;
  largeFirstPage = 0;
  largePages = 0;

  /** Puts every field back to its default and lets go of the byte sources. */
  clear(): void {
    this.tombstone = false;
    this.swept = false;
    this.commit = 0;
    this.ordinal = 0;
    this.expiresAt = 0;
    this.backCommit = 0;
    this.backOrdinal = 0;
    this.backCarried = false;
    this.firstCommit = 0;
    this.depth = 0;
    this.spine = null;
    this.spineStart = 0;
    this.spineBytes = 0;
    this.value = NO_BYTES;
    this.valueStart = 0;
    this.valueEnd = 0;
    this.large = false;
    this.largeBytes = 0;
    this.largeKind = 0;
    this.largeFirstPage = 0;
    this.largePages = 0;
  }
}

/**
 * Most bytes a leaf record may take with its whole key: any page of such records can be split in two. The 16 bytes
 * of slack pay for the padding of a longer prefix in the new page.
 */
export function entryBytesMax(pageBytes: number): number {
  return ((pageBytes - PAGE_PREFIX) / 2 - SLOT_BYTES - 16) & ~3;
}

/**
 * Longest value that is stored inline for a key of `keyBytes` whose other fields are those of `draft`; a longer one
 * must be a large reference. A record with its whole key takes at most a quarter of the page, except that a value no
 * longer than a reference is always inline.
 */
export function inlineValueBytesMax(pageBytes: number, keyBytes: number, draft: EntryDraft): number {
  return Math.max(LARGE_BYTES, pageBytes / 4 - draftOverheadBytes(draft) - keyBytes);
}

/** Longest spine that fits an entry with this key whatever its other fields are; never more than 1,024 matters. */
export function spineBytesMax(pageBytes: number, keyBytes: number): number {
  const fixed = leafSpineOffset(LEAF_EXPIRES | LEAF_ORDINAL | LEAF_BACK) + 2 + 3;
  return entryBytesMax(pageBytes) - fixed - keyBytes - LARGE_BYTES - 3;
}

/** Bytes of the record before its suffix. */
export function draftOverheadBytes(draft: EntryDraft): number {
  const offset = leafSpineOffset(draftFlags(draft));
  return draft.spine === null ? offset : offset + ((2 + draft.spineBytes + 3) & ~3);
}

/** Bytes the draft stores as value: the inline bytes or the reference. */
export function draftValueBytes(draft: EntryDraft): number {
  if (draft.large) return LARGE_BYTES;
  return draft.tombstone ? 0 : draft.valueEnd - draft.valueStart;
}

/** The record's flags. */
export function draftFlags(draft: EntryDraft): number {
  let flags = Math.min(draft.depth, DEPTH_MAX) << LEAF_DEPTH_SHIFT;
  if (draft.tombstone) flags |= LEAF_TOMBSTONE;
  if (draft.expiresAt !== 0) flags |= LEAF_EXPIRES;
  if (draft.ordinal !== 0) flags |= LEAF_ORDINAL;
  if (draft.backCommit !== 0) flags |= draft.backCarried ? LEAF_BACK | LEAF_BACK_CARRIED : LEAF_BACK;
  if (draft.large) flags |= LEAF_LARGE;
  if (draft.spine !== null) flags |= LEAF_SPINE;
  if (draft.swept) flags |= LEAF_SWEPT;
  return flags;
}

/** The draft's firstCommit as a reader will see it. */
export function draftFirstCommit(draft: EntryDraft): number {
  return draft.backCommit === 0 ? draft.commit : draft.firstCommit;
}

/** Refuses drafts that no page may hold. @throws {SteleError} `internal` INVARIANT */
export function checkDraft(draft: EntryDraft, pageBytes: number, keyBytes: number): void {
  const bytes = draftOverheadBytes(draft) + keyBytes + draftValueBytes(draft);
  invariant(bytes <= entryBytesMax(pageBytes), 'an entry is larger than half a page');
  invariant(!draft.tombstone || (!draft.large && !draft.swept), 'a tombstone has no value and is not swept');
  invariant(draft.backCommit === 0 || draft.firstCommit <= draft.commit, 'firstCommit is later than commit');
}

/**
 * Writes the draft as a record at `location`, with the key's bytes from `suffixStart` to `keyBytes` as suffix.
 * The caller made sure that the bytes up to the record's padded end are free.
 */
export function writeDraft(
  pages: PageViews,
  location: number,
  draft: EntryDraft,
  key: Uint8Array,
  suffixStart: number,
  keyBytes: number,
): void {
  const { u8, u16, u32 } = pages;
  const half = location / 2;
  const word = location / 4;
  const suffixBytes = keyBytes - suffixStart;
  const valueBytes = draftValueBytes(draft);
  u16[half] = draftFlags(draft);
  u16[half + 1] = suffixBytes;
  u16[half + 2] = valueBytes;
  u16[half + 3] = draft.commit / TWO_POW_32;
  u32[word + 2] = draft.commit;
  let at = location + LEAF_FIXED_BYTES;
  if (draft.expiresAt !== 0) {
    writeU48(u32, at, draft.expiresAt);
    at += LEAF_EXPIRES_BYTES;
  }
  if (draft.ordinal !== 0) {
    u32[at / 4] = draft.ordinal;
    at += LEAF_ORDINAL_BYTES;
  }
  if (draft.backCommit !== 0) {
    writeU48(u32, at, draft.backCommit);
    u32[at / 4 + 2] = draft.backOrdinal;
    writeU48(u32, at + 12, draft.firstCommit);
    at += LEAF_BACK_BYTES;
  }
  if (draft.spine !== null) {
    u16[at / 2] = draft.spineBytes;
    copyBytes(draft.spine, draft.spineStart, draft.spineStart + draft.spineBytes, u8, at + 2);
    const end = at + 2 + draft.spineBytes;
    at = end + (-end & 3);
    zero(u8, end, at);
  }
  for (let i = suffixStart; i < keyBytes; i++) u8[at++] = key[i]!;
  if (draft.large) {
    writeLargeReference(u8, at, draft);
  } else if (valueBytes > 0) {
    copyBytes(draft.value, draft.valueStart, draft.valueEnd, u8, at);
  }
  at += valueBytes;
  zero(u8, at, at + (-at & 3));
}

function writeLargeReference(u8: Uint8Array, at: number, draft: EntryDraft): void {
  zero(u8, at, at + LARGE_BYTES);
  writeU32(u8, at, draft.largeBytes);
  u8[at + LARGE_KIND] = draft.largeKind;
  writeBytesU48(u8, at + LARGE_FIRST_PAGE, draft.largeFirstPage);
  writeU32(u8, at + LARGE_PAGES, draft.largePages);
}

function zero(u8: Uint8Array, start: number, end: number): void {
  for (let i = start; i < end; i++) u8[i] = 0;
}

/** u48 and two zero bytes at a multiple of 4. The u32 store keeps the low 32 bits. */
function writeU48(u32: Uint32Array, at: number, value: number): void {
  u32[at / 4] = value;
  u32[at / 4 + 1] = value / TWO_POW_32;
}
