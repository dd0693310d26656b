/**
 * TreeState: everything a tree's operations share; the class {@link Tree} is this state with a public face.
 *
 * The path is kept by level, leaf = 0. It is written by seek and read by write, remove and setSwept, which run at once
 * after it: `soughtAt` holds the modification count it was made at.
 *
 * Invariants
 * - Before a page is changed it goes through {@link change}; at the end of every operation {@link endChanges} runs.
 * - The buffers are owned by one operation at a time; nothing in them survives it.
 */

import { KEY_BYTES_MAX, LEVEL_MAX } from '../pager/layout.ts';
import type { PageSource } from '../pager/page-source.ts';
import type { Accelerator } from './accelerator.ts';
import type { PageViews } from './page.ts';
import { recordAt, slotCount } from './page.ts';
import { scratchPage } from './rebuild.ts';
import { coversSummary, earliestExpiryAt, Summary, smallestFirstCommitAt, summarize, widenSummary, writeSummary } from './summary.ts';

const NO_KEY = new Uint8Array(0);

/** What happened since the tree was opened; every field only grows. */
export interface TreeCounters {
  leafSplits: number;
  innerSplits: number;
  merges: number;
  emptied: number;
  /** Pages rebuilt to collect garbage. */
  compactions: number;
  /** Pages rebuilt because a key broke the prefix, or a better prefix was found. */
  prefixRebuilds: number;
  rootCollapses: number;
}

/** What threads that read the tree must know of it as a whole. Calls come in the order changing, (rootGoes), moved, changed. */
export interface TreeWatcher {
  /** Pages are about to change: ranks do not add up until {@link changed}. */
  changing(): void;
  /** The root is about to be released: no descent may start until {@link moved}. */
  rootGoes(): void;
  moved(rootLpn: number, height: number): void;
  changed(): void;
}

export class TreeState {
  readonly pages: PageSource;
  rootLpn: number;
  height: number;
  liveCount: number;
  leafCount: number;
  modifications = 0;
  missed = -1;
  readonly accelerator: Accelerator | undefined;

  readonly pathLpn = new Int32Array(LEVEL_MAX + 2);
  readonly pathFrame = new Int32Array(LEVEL_MAX + 2);
  readonly pathIndex = new Int32Array(LEVEL_MAX + 2);
  soughtKey: Uint8Array = NO_KEY;
  soughtKeyBytes = 0;
  /** Search result in the leaf: slot ≥ 0, or ~(insertion index). */
  soughtIndex = -1;
  /** −1: nothing is sought. */
  soughtAt = -1;

  readonly scratch: PageViews;
  readonly keyA = new Uint8Array(KEY_BYTES_MAX + 4);
  readonly keyB = new Uint8Array(KEY_BYTES_MAX + 4);
  readonly keyC = new Uint8Array(KEY_BYTES_MAX + 4);
  readonly separators: readonly [Uint8Array, Uint8Array] = [new Uint8Array(KEY_BYTES_MAX + 4), new Uint8Array(KEY_BYTES_MAX + 4)];
  /** Length of the separator that a leaf split left in `separators[0]`. */
  separatorBytes = 0;
  readonly summaryLeft = new Summary();
  readonly summaryRight = new Summary();

  /** By frame: slot of the last insert and how many in a row continued it. A hint; stale values only cost fill. */
  readonly lastInsert: Int16Array;
  readonly insertRun: Uint8Array;

  /** Many keys are being written at once: leaves that come to be are not entered into the accelerator. */
  isLoading = false;
  /** Told of every change while other threads read the tree. */
  watcher: TreeWatcher | undefined;
  /** An operation has begun to change pages (shared mode only). */
  isChanging = false;
  private readonly openFrames = new Int32Array(4 * (LEVEL_MAX + 2));
  private openCount = 0;

  readonly counters: TreeCounters = {
    leafSplits: 0,
    innerSplits: 0,
    merges: 0,
    emptied: 0,
    compactions: 0,
    prefixRebuilds: 0,
    rootCollapses: 0,
  };

  constructor(
    pages: PageSource,
    rootLpn: number,
    height: number,
    liveCount: number,
    leafCount: number,
    accelerator: Accelerator | undefined,
  ) {
    this.pages = pages;
    this.rootLpn = rootLpn;
    this.height = height;
    this.liveCount = liveCount;
    this.leafCount = leafCount;
    this.accelerator = accelerator;
    this.scratch = scratchPage(pages.pageBytes);
    this.lastInsert = new Int16Array(pages.ref.length).fill(-2);
    this.insertRun = new Uint8Array(pages.ref.length);
  }

  /** Opens a frame's version word once per operation (shared mode only). */
  openFrame(frame: number): void {
    for (let i = 0; i < this.openCount; i++) if (this.openFrames[i] === frame) return;
    this.beginShared();
    this.openFrames[this.openCount++] = frame;
    this.pages.beginChange(frame);
  }

  /** The page in this frame leaves the tree: its word stays odd, for the frame may at once become another page's. */
  forgetFrame(frame: number): void {
    for (let i = 0; i < this.openCount; i++) {
      if (this.openFrames[i] !== frame) continue;
      this.openFrames[i] = this.openFrames[--this.openCount]!;
      return;
    }
  }

  beginShared(): void {
    if (this.isChanging) return;
    this.isChanging = true;
    this.watcher?.changing();
  }

  /** The root is published before the frames of the old one can be read again. */
  closeFrames(): void {
    this.isChanging = false;
    this.watcher?.moved(this.rootLpn, this.height);
    while (this.openCount > 0) this.pages.endChange(this.openFrames[--this.openCount]!);
    this.watcher?.changed();
  }
}

/** Announces that the page in this frame will be changed. */
export function change(tree: TreeState, frame: number): void {
  const pages = tree.pages;
  if (pages.dirty[frame] === 0) pages.touch(pages.lpnOf[frame]!);
  if (pages.shared) tree.openFrame(frame);
}

/** Makes every page of the path dirty, so that `allocate` cannot evict one. */
export function changePath(tree: TreeState): void {
  for (let level = 0; level < tree.height; level++) change(tree, tree.pathFrame[level]!);
}

/** The operation's changes are complete: other threads may look again. */
export function endChanges(tree: TreeState): void {
  if (tree.isChanging) tree.closeFrames();
}

/** Lets a page of the tree go; whatever led to it was announced as changed before. */
export function releasePage(tree: TreeState, lpn: number): void {
  const { pages } = tree;
  if (pages.shared) {
    tree.beginShared();
    if (lpn === tree.rootLpn) tree.watcher?.rootGoes();
    const frame = pages.frameOf[lpn]!;
    if (frame >= 0) tree.forgetFrame(frame);
  }
  pages.release(lpn);
}

/** First byte of the path's page at a level. */
export function pathBase(tree: TreeState, level: number): number {
  return tree.pathFrame[level]! * tree.pages.pageBytes;
}

/** The record in the path's page at `level` that points at the path's page one level below. */
export function pathRecord(tree: TreeState, level: number): number {
  return recordAt(tree.pages, pathBase(tree, level), tree.pathIndex[level]!);
}

/** True when the path's page at `level` is the last of its level. */
export function isRightmost(tree: TreeState, level: number): boolean {
  for (let l = level + 1; l < tree.height; l++) {
    if (tree.pathIndex[l] !== slotCount(tree.pages, pathBase(tree, l)) - 1) return false;
  }
  return true;
}

/** Counts an entry in on the whole path; `live` may be −1 or 0. Pages that need no change are not touched. */
export function widenPath(tree: TreeState, live: number, expiry: number, firstCommit: number): void {
  const pages = tree.pages;
  for (let level = 1; level < tree.height; level++) {
    const record = pathRecord(tree, level);
    if (coversSummary(pages, record, live, expiry, firstCommit)) continue;
    change(tree, tree.pathFrame[level]!);
    widenSummary(pages, record, live, expiry, firstCommit);
  }
}

/** Makes the bounds on the path exact, from the leaf up, as far as that changes anything. */
export function tightenPath(tree: TreeState): void {
  const { pages, summaryLeft } = tree;
  for (let level = 1; level < tree.height; level++) {
    const record = pathRecord(tree, level);
    summarize(pages, pathBase(tree, level - 1), level === 1, summaryLeft);
    if (summaryLeft.expiry === earliestExpiryAt(pages, record) && summaryLeft.firstCommit === smallestFirstCommitAt(pages, record)) return;
    change(tree, tree.pathFrame[level]!);
    writeSummary(pages, record, summaryLeft);
  }
}
