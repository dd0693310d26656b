/** Signatures only for the moment; the code follows within minutes. */
import type { PageSource } from '../pager/page-source.ts';
import type { Accelerator } from './accelerator.ts';
import type { Cursor } from './cursor.ts';
import type { EntryDraft } from './draft.ts';

export interface TreeOptions {
  /** NO_PAGE for an empty tree. */
  readonly rootLpn: number;
  /** Levels: 0 empty, 1 a single leaf. */
  readonly height: number;
  /** From the meta page. */
  readonly liveCount: number;
  /** Leaves of the tree, from the meta page; −1 when not known (then the accelerator never answers "absent" before it was counted). */
  readonly leafCount?: number;
  readonly accelerator?: Accelerator | undefined;
}

export declare class Tree {
  constructor(pages: PageSource, options: TreeOptions);
  readonly pages: PageSource;
  rootLpn: number;
  height: number;
  liveCount: number;
  leafCount: number;
  /** Grows with every change of structure or content. */
  modifications: number;
  /** The page that the last MISS is about. */
  missed: number;
  /** Hot path: location, ABSENT or MISS. Through the accelerator when it can answer. */
  find(key: Uint8Array, keyBytes: number): number;
  /**
   * Staged find of keys[from..]: writes location or ABSENT to out[i], stops at the first MISS. Returns the index after the last
   * answered key; less than keys.length = MISS: use the locations so far, load `missed`, go on from there.
   */
  findMany(keys: readonly Uint8Array[], out: Float64Array, from?: number): number;
  /** Frames to `reserve` before a seek that a write or remove follows. */
  framesPerWrite(): number;
  /** As find, by descent, and remembers the path for write, remove, setSwept. `key` must stay unchanged until then. */
  seek(key: Uint8Array, keyBytes: number): number;
  /** False when pages of the sought path were evicted or the tree changed since: seek again before writing. */
  isSoughtHeld(): boolean;
  /** Inserts or replaces the entry at the sought key; returns its location. Never misses, allocates at most framesPerWrite pages. */
  write(draft: EntryDraft): number;
  /** Physically removes the sought entry (which must exist). */
  remove(): void;
  /** Marks the sought entry as swept in place: it counts 0 from now on and the expiry bounds forget it. */
  setSwept(): void;
  /** Live entries with a key below the given one, or MISS. */
  rank(key: Uint8Array, keyBytes: number): number;
  cursor(): Cursor;
}
