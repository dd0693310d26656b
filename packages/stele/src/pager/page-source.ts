/**
 * PageSource: what the tree sees of the pager.
 *
 * A tree page is named by its *logical page number* (lpn): a small number that stays the same while the page's parent is in
 * memory, wherever the page lies on disk. `frameOf[lpn]` says in which frame it is; the frame's bytes begin at
 * `frame * pageBytes` of the three views. An inner page in memory holds the lpns of its children.
 *
 * Rules for the tree
 * - `frameOf[lpn] < 0` is a miss: leave the operation without having changed anything, let the caller `load(lpn)`, start again.
 * - `reserve`, `allocate`, `load` and `loadAsync` may evict any frame with `dirty` 0, so no location in such a frame survives them.
 *   Nothing else evicts; `touch` and `release` never do.
 * - Before the first change of a page in an operation: `touch`. Only changed pages need it: the flush itself rewrites the ancestors of what moved.
 *   Inline form: `if (dirty[frame] === 0) touch(lpn)`.
 * - A page that leaves the tree is released, each on its own: releasing an inner page does not release its children (a merge keeps them).
 * - A page has one parent. Child pointers may be moved between inner pages freely (both touched).
 * - In `shared` mode every change of a page's bytes lies between `beginChange(frame)` and `endChange(frame)`; never leave one open.
 * - A loaded page can be trusted not to lead outside itself: offsets, lengths, flags and levels were checked. The order of keys was not.
 *
 * A file of interfaces only. Specification: spec/file-format.md, "Pages"; ARCHITECTURE.md, "Flush rules".
 */

/** lpn of a tree without pages. */
export const NO_PAGE = -1;

export interface PageSource {
  readonly pageBytes: number;
  /** Views over all frames; frame f begins at byte f * pageBytes. Positions pass 2^31: multiply, never shift. */
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  /** Frame by lpn, negative = not in memory. The same object for ever. */
  readonly frameOf: Int32Array;
  /** Clock reference byte by frame: readers set 1. */
  readonly ref: Uint8Array;
  /** By frame: 1 = changed since the last freeze and free to be changed further. Read only for the tree. */
  readonly dirty: Uint8Array;
  /** lpn by frame; meaningless for frames that hold no tree page. */
  readonly lpnOf: Int32Array;
  /** True when other threads read the frames: then changes must be bracketed. May change between operations. */
  readonly shared: boolean;

  /**
   * So many `allocate` calls will now succeed. May evict. Called at the start of a write, before the descent; every `load` in between undoes it.
   * False: too many pages are dirty, a flush must finish first; nothing happened.
   */
  reserve(frames: number): boolean;
  /**
   * A new dirty page: header written (type, level, no slots, empty heap, no prefix), the rest undefined.
   * @throws {SteleError} `unavailable` CACHE_FULL when nothing can be evicted (never after a sufficient `reserve`).
   */
  allocate(type: number, level: number): number;
  /** The page is no longer part of the tree; its lpn and frame are free for others, its place on disk after the next flush. May be non-resident. */
  release(lpn: number): void;
  /** To be called before a resident page is changed. Cost: one byte read when already dirty. */
  touch(lpn: number): void;
  /**
   * Brings the page into memory; nothing when it is there. Blocks.
   * @throws {SteleError} `corrupt` PAGE_CHECKSUM, PAGE_INVALID, naming pageId and byteOffset; `unavailable` CACHE_FULL, IO_ERROR.
   */
  load(lpn: number): void;
  /** The same off the thread. Afterwards the page may already have been evicted again: look, and repeat. */
  loadAsync(lpn: number): Promise<void>;
  /** An lpn for a root known by its place on disk; nothing is read. `level` = height − 1. */
  adoptRoot(physical: number, checksum: number, level: number): number;

  /** Only when `shared`: the frame's version word becomes odd, readers turn away. */
  beginChange(frame: number): void;
  /** Only when `shared`: even again, with the writes before it visible. */
  endChange(frame: number): void;
}
