/** Signatures only for the moment; the code follows within minutes. */
export interface CursorOptions {
  /** Skip children whose live count is 0 (the entries of a leaf that has live ones are all visited). */
  readonly skipDead?: boolean;
  /** Skip children in which every entry's firstCommit is later than this commit. */
  readonly createdAfter?: number;
  /** Visit only children with an unswept expiry at or before this time. */
  readonly expiringBefore?: number;
}

/** All movements return FOUND (1), END (0) or MISS (−2: load tree.missed, call the same again). */
export declare class Cursor {
  /** The entry it stands on; good until the tree changes or a page is loaded. */
  location: number;
  setOptions(options: CursorOptions): void;
  /** First entry with a key ≥ the given one. */
  seek(key: Uint8Array, keyBytes: number): number;
  /** Last entry with a key < the given one. */
  seekBefore(key: Uint8Array, keyBytes: number): number;
  seekFirst(): number;
  seekLast(): number;
  /** The n-th live entry of the tree, from 0. */
  seekLive(n: number): number;
  next(): number;
  previous(): number;
  /** Remembers the position by key. Call it before anything may load a page or change the tree; the next movement finds its way back by itself. */
  save(): void;
  /** Key of the entry; returns its length. */
  keyInto(target: Uint8Array): number;
}
