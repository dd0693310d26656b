/**
 * Paths: where the keys of a batch stand in the tree, looked up in stages and remembered until they are written.
 *
 * A batch is looked at twice: once to plan it, when it may still be refused, and once to apply it. The first look descends for a stage of
 * keys to their leaves, touches those leaves side by side, so that their cache lines arrive together, and then searches in them. The
 * second look takes the path of the first, checked from the root down; a child that moved right because a sibling was split is found there.
 *
 * Invariants
 * - Keys ascend. Between the looks the tree changes only through writes at keys of this batch, in order: so a leaf that no earlier key
 *   of the batch led to still holds what it held.
 * - A remembered page number may belong to another page once anything was evicted, released or merged: the caller compares the pager's
 *   evictions, this class the rest; then the answer is {@link UNKNOWN_PATH} and the key is sought as any other.
 * - Only the first {@link PATHS_MAX} keys of a batch are remembered.
 *
 * Specification: none; nothing of it is stored.
 */

import type { PageSource } from '../pager/page-source.ts';
import { knownBelow, recordAt, searchPage, slotCount } from './page.ts';
import { ABSENT } from './results.ts';
import type { TreeState } from './state.ts';
import { childLpnAt } from './summary.ts';

/** Nothing is remembered that could be trusted: seek. */
export const UNKNOWN_PATH = -3;

/** Keys of one stage. */
export const PATH_STAGE = 32;

const PATHS_MAX = 8192;
/** A leaf of common size has its head and its slots within so many bytes. */
const TOUCH_BYTES = 512;
const LINE_BYTES = 64;
/** A child is looked for so many slots to the right of where it is expected. */
const SHIFT_MAX = 16;

export class Paths {
  readonly tree: TreeState;
  #height = 0;
  #removals = 0;
  /** Keys there is room for. */
  #limit = 0;
  /** By key and level, leaf = 0: page and, above the leaf, the slot taken in it; in the leaf the search result. Leaf −1: not remembered. */
  #lpns = new Int32Array(0);
  #slots = new Int32Array(0);
  readonly #known = new Uint16Array(PATH_STAGE);
  /** Of the last path taken again, by level: the page, and how far its children moved right since they were planned. */
  readonly #page: Int32Array;
  readonly #shift: Int32Array;
  /** Keeps the touching loads from being optimised away. */
  touched = 0;

  constructor(tree: TreeState) {
    this.tree = tree;
    this.#page = new Int32Array(tree.pathLpn.length);
    this.#shift = new Int32Array(tree.pathLpn.length);
  }

  /** A new batch of `count` keys. */
  begin(count: number): void {
    const { height } = this.tree;
    this.#height = height;
    this.#limit = height === 0 ? 0 : Math.min(count, PATHS_MAX);
    this.#removals = this.#removed();
    this.#page.fill(-1);
    const need = this.#limit * height;
    if (this.#lpns.length >= need) return;
    this.#lpns = new Int32Array(need);
    this.#slots = new Int32Array(need);
  }

  /** Descends for keys [from, from + {@link PATH_STAGE}) to their leaves. What is not in memory is left to the seek. */
  stage(keys: readonly { readonly key: Uint8Array }[], from: number): void {
    const to = Math.min(from + PATH_STAGE, this.#limit);
    let touched = 0;
    for (let i = from; i < to; i++) {
      const frame = this.#descend(i, i - from, keys[i]!.key);
      if (frame < 0) continue;
      const word = (frame * this.tree.pages.pageBytes) / 4;
      for (let at = word; at < word + TOUCH_BYTES / 4; at += LINE_BYTES / 4) touched ^= this.tree.pages.u32[at]!;
    }
    this.touched = touched;
  }

  /** Frame of the leaf, or −1. */
  #descend(i: number, inStage: number, key: Uint8Array): number {
    const { pages, rootLpn } = this.tree;
    const { frameOf, pageBytes } = pages;
    const at = i * this.#height;
    this.#lpns[at] = -1;
    let known = 0;
    let lpn = rootLpn;
    for (let level = this.#height - 1; level > 0; level--) {
      const frame = frameOf[lpn]!;
      if (!(frame >= 0)) return -1;
      pages.ref[frame] = 1;
      const base = frame * pageBytes;
      let slot = searchPage(pages, base, key, key.length, 1, known);
      if (slot < 0) slot = ~slot - 1;
      known = knownBelow(pages, base, slot, known);
      this.#lpns[at + level] = lpn;
      this.#slots[at + level] = slot;
      lpn = childLpnAt(pages, recordAt(pages, base, slot));
    }
    const frame = frameOf[lpn]!;
    if (!(frame >= 0)) return -1;
    this.#lpns[at] = lpn;
    this.#known[inStage] = known;
    return frame;
  }

  /** As {@link Tree.seek}, for key `i` of the stage that began at `from`. Nothing was changed or evicted since {@link begin}. */
  seekStaged(i: number, from: number, key: Uint8Array): number {
    const at = i * this.#height;
    if (i >= this.#limit || this.#lpns[at]! < 0) return UNKNOWN_PATH;
    const { pages, pathLpn, pathFrame, pathIndex } = this.tree;
    for (let level = this.#height - 1; level >= 0; level--) {
      const lpn = this.#lpns[at + level]!;
      pathLpn[level] = lpn;
      pathFrame[level] = pages.frameOf[lpn]!;
      pathIndex[level] = this.#slots[at + level]!;
    }
    const frame = pathFrame[0]!;
    pages.ref[frame] = 1;
    const slot = searchPage(pages, frame * pages.pageBytes, key, key.length, 0, this.#known[i - from]!);
    this.#slots[at] = slot;
    return this.#sought(key, slot);
  }

  /** As {@link Tree.seek}, by the path that {@link seekStaged} took for key `i`. Nothing was evicted since {@link begin}. */
  seekAgain(i: number, key: Uint8Array): number {
    const tree = this.tree;
    const height = this.#height;
    if (i >= this.#limit || tree.height !== height || this.#removed() !== this.#removals) return UNKNOWN_PATH;
    const lpns = this.#lpns;
    const at = i * height;
    const leaf = lpns[at]!;
    // A leaf that the key before led to has changed, and may have been split.
    if (leaf < 0 || (i > 0 && (lpns[at - height]! < 0 || lpns[at - height] === leaf))) return UNKNOWN_PATH;
    if (lpns[at + height - 1] !== tree.rootLpn) return UNKNOWN_PATH;
    const { pages, pathLpn, pathFrame, pathIndex } = tree;
    for (let level = height - 1; level > 0; level--) {
      const lpn = lpns[at + level]!;
      const frame = pages.frameOf[lpn]!;
      const planned = this.#slots[at + level]!;
      if (lpn !== this.#page[level]) {
        this.#page[level] = lpn;
        this.#shift[level] = 0;
      }
      const slot = slotOfChild(pages, frame * pages.pageBytes, planned + this.#shift[level]!, lpns[at + level - 1]!);
      if (slot < 0) return UNKNOWN_PATH;
      this.#shift[level] = slot - planned;
      pathLpn[level] = lpn;
      pathFrame[level] = frame;
      pathIndex[level] = slot;
    }
    pathLpn[0] = leaf;
    pathFrame[0] = pages.frameOf[leaf]!;
    return this.#sought(key, this.#slots[at]!);
  }

  #sought(key: Uint8Array, slot: number): number {
    const tree = this.tree;
    tree.soughtIndex = slot;
    tree.soughtKey = key;
    tree.soughtKeyBytes = key.length;
    tree.soughtAt = tree.modifications;
    return slot < 0 ? ABSENT : recordAt(tree.pages, tree.pathFrame[0]! * tree.pages.pageBytes, slot);
  }

  #removed(): number {
    const { merges, emptied, rootCollapses } = this.tree.counters;
    return merges + emptied + rootCollapses;
  }
}

/** The slot of a child in an inner page, looked for at `from` and a little to the right of it; −1: not there. */
function slotOfChild(pages: PageSource, base: number, from: number, child: number): number {
  const end = Math.min(slotCount(pages, base), from + SHIFT_MAX);
  for (let slot = from; slot < end; slot++) if (childLpnAt(pages, recordAt(pages, base, slot)) === child) return slot;
  return -1;
}
