/**
 * Page layout: every offset of a page, once.
 *
 * A page is `pageBytes` long (4,096 to 32,768, a power of two). All integers are little-endian. A page in memory has
 * the same bytes as on disk with one exception: the child pointer of an inner record holds a logical page number.
 *
 *   offset  bytes  field
 *        0      4  checksum: CRC-32 of bytes 4..pageBytes, seeded with CRC-32 (database id ‖ page id u48)     disk only
 *        4      2  page id, bits 32..47                                                                      disk only
 *        6      1  type: 1 leaf, 2 inner, 3 overflow, 4 blob; others are refused
 *        7      1  level: leaf 0, an inner page one more than its children; 0 for overflow and blob pages
 *        8      4  page id, bits 0..31                                                                       disk only
 *       12      2  slot count                                (overflow, blob: u32 payload bytes in this page)
 *       14      2  heap start: lowest used byte of the heap; pageBytes when the heap is empty
 *       16      2  garbage bytes in the heap                 (overflow, blob: u32 index of this page in its run)
 *       18      2  prefix bytes
 *       20      4  flags, 0; others are refused
 *       24      6  commit of the flush that wrote the page                                                   disk only
 *       30      2  0
 *       32     48  0: reserved for key id, nonce and tag
 *       80         prefix, padded with zeros to 4; then slots growing up; free space; heap growing down from the end
 *                  (overflow, blob: payload)
 *
 *   slot, 8 bytes:  0 u32 head · 4 u16 record offset in the page · 6 u16 suffix bytes
 *     head = the first four bytes of the key after the page's prefix as one big-endian number, zero-padded.
 *
 *   inner record, 4-aligned:
 *        0     12  child. On disk: u48 page id, u16 0, u32 checksum of the child. In memory: u32 logical page number, 8 bytes of anything
 *       12      6  live count below
 *       18      2  flags: 1 has expiry; 2 sealed, 4 merge: reserved, refused
 *       20      6  earliest expiry below, 0 = none
 *       26      6  smallest first commit below: never greater than the truth
 *       32         separator without the page's prefix
 *
 *   leaf record, 4-aligned and padded to 4:
 *        0  2 flags · 2  2 suffix bytes · 4  2 stored value bytes · 6  2 commit, bits 32..47 · 8  4 commit, bits 0..31 · 12 optional fields,
 *        each a multiple of 4, in the order of their flags: expires 8 · ordinal 4 · back 20 · spine (u16 length, bytes, padded) · then
 *        suffix · value
 *
 * Invariants
 * - "disk only" fields of a page in memory are leftovers of the load and mean nothing.
 * - Whatever has no meaning yet is zero and refused otherwise, so that it can gain a meaning later.
 *
 * Specification: spec/file-format.md, "Pages" and "Tree nodes".
 */

/** Legal page sizes; a database keeps the one it was created with. */
export const PAGE_SIZES: readonly number[] = [4096, 8192, 16384, 32768];

/** Longest key, with all its bytes. */
export const KEY_BYTES_MAX = 1100;

export const PAGE_CHECKSUM = 0;
export const PAGE_ID_HIGH = 4;
export const PAGE_TYPE = 6;
export const PAGE_LEVEL = 7;
export const PAGE_ID_LOW = 8;
export const PAGE_SLOT_COUNT = 12;
export const PAGE_HEAP_START = 14;
export const PAGE_GARBAGE = 16;
export const PAGE_PREFIX_BYTES = 18;
export const PAGE_FLAGS = 20;
export const PAGE_COMMIT = 24;
export const PAGE_RESERVED = 30;
/** Where the reserved 48 bytes for key id, nonce and tag begin. */
export const PAGE_CRYPT = 32;
/** Where the prefix begins, or the payload of an overflow or blob page. */
export const PAGE_HEADER_BYTES = 80;
/** The prefix of a tree page; the slots follow at PAGE_PREFIX + pad4(prefix bytes). */
export const PAGE_PREFIX = PAGE_HEADER_BYTES;
/** Overflow and blob pages: payload bytes in this page, u32. */
export const RUN_PAYLOAD_BYTES = 12;
/** Overflow and blob pages: position of this page in its run, from 0, u32. */
export const RUN_INDEX = 16;

export const TYPE_LEAF = 1;
export const TYPE_INNER = 2;
export const TYPE_OVERFLOW = 3;
export const TYPE_BLOB = 4;

/** Deepest inner level that is believed; 16 levels hold more than any file. */
export const LEVEL_MAX = 16;

export const SLOT_BYTES = 8;
export const SLOT_HEAD = 0;
export const SLOT_RECORD = 4;
export const SLOT_SUFFIX_BYTES = 6;

/** In memory u32 logical page number; on disk u48 page id. */
export const INNER_CHILD = 0;
/** On disk only: zero, u16. */
export const INNER_CHILD_RESERVED = 6;
/** On disk only: checksum of the child page, u32. */
export const INNER_CHILD_CHECKSUM = 8;
export const INNER_LIVE_COUNT = 12;
export const INNER_FLAGS = 18;
export const INNER_EXPIRY = 20;
export const INNER_FIRST_COMMIT = 26;
export const INNER_SUFFIX = 32;

export const INNER_HAS_EXPIRY = 1;
/** Reserved. */
export const INNER_HAS_SEALED = 2;
/** Reserved. */
export const INNER_HAS_MERGE = 4;
/** Every flag with a meaning; a record with any other is refused. */
export const INNER_FLAGS_KNOWN = INNER_HAS_EXPIRY;

export const LEAF_FLAGS = 0;
export const LEAF_SUFFIX_BYTES = 2;
export const LEAF_VALUE_BYTES = 4;
export const LEAF_COMMIT_HIGH = 6;
export const LEAF_COMMIT_LOW = 8;
/** Where the optional fields begin. */
export const LEAF_FIXED_BYTES = 12;

export const LEAF_TOMBSTONE = 1;
export const LEAF_EXPIRES = 2;
export const LEAF_ORDINAL = 4;
export const LEAF_BACK = 8;
export const LEAF_BACK_CARRIED = 16;
/** The value bytes are a {@link LARGE_BYTES} reference. */
export const LEAF_LARGE = 32;
export const LEAF_SPINE = 64;
export const LEAF_SWEPT = 128;
/** Depth of the version chain, 0..7, saturating. */
export const LEAF_DEPTH_SHIFT = 8;
export const LEAF_DEPTH_MASK = 0x0700;
/** Every flag with a meaning; a record with any other is refused. */
export const LEAF_FLAGS_KNOWN = 0x07ff;

/** u48 expiry, u16 0. */
export const LEAF_EXPIRES_BYTES = 8;
export const LEAF_ORDINAL_BYTES = 4;
/** u48 back commit, u16 0, u32 back ordinal, u48 first commit, u16 0. */
export const LEAF_BACK_BYTES = 20;

/**
 * Large value reference: 0 u32 value length · 4 u8 kind · 5 u8 0 · 6 u16 0 · 8 u48 first overflow page · 14 u16 0 · 16 u32 overflow pages.
 * Kind 1: the value is in the log at the record's own (commit, ordinal), page fields 0. Kind 2: in an overflow run.
 */
export const LARGE_BYTES = 20;
export const LARGE_LENGTH = 0;
export const LARGE_KIND = 4;
export const LARGE_FIRST_PAGE = 8;
export const LARGE_PAGES = 16;
export const LARGE_IN_LOG = 1;
export const LARGE_IN_OVERFLOW = 2;

/** Rounds up to the next multiple of 4; for values below 2^31. */
export function pad4(bytes: number): number {
  return (bytes + 3) & ~3;
}
