/**
 * Summaries: what an inner page knows of each child, and how it is computed.
 *
 *   inner record: 0 u32 child lpn · 12 u48 live count · 18 u16 flags · 20 u48 earliest expiry · 26 u48 smallest firstCommit · 32 separator
 *
 * Invariants
 * - The live count is exact at every moment: entries below that are neither tombstones nor swept.
 * - Earliest expiry (0 = none) and smallest firstCommit are bounds: never later than the truth. Swept entries and
 *   tombstones have no expiry for this purpose. Split and merge make them exact for the pages they rebuild; taking away
 *   the entry that defines the earliest expiry makes it exact on the whole path.
 * - The flag "has expiry" is set exactly when the earliest expiry is not 0.
 *
 * Specification: spec/file-format.md, "Tree nodes".
 */

import { INNER_EXPIRY, INNER_FIRST_COMMIT, INNER_FLAGS, INNER_FLAGS_KNOWN, INNER_HAS_EXPIRY, INNER_LIVE_COUNT } from '../pager/layout.ts';
import { expiresAt, firstCommitAt, LEAF_DEAD } from './entry.ts';
import type { PageViews } from './page.ts';
import { recordAt, slotCount } from './page.ts';

const TWO_POW_16 = 65536;
const TWO_POW_32 = 4294967296;

/** A summary as plain fields; reused, never kept. */
export class Summary {
  live = 0;
  flags = 0;
  /** ms; 0 = none. */
  expiry = 0;
  /** 0 = there are no entries below. */
  firstCommit = 0;

  clear(): void {
    this.live = 0;
    this.flags = 0;
    this.expiry = 0;
    this.firstCommit = 0;
  }
}

export function childLpnAt(pages: PageViews, record: number): number {
  return pages.u32[record / 4]!;
}

export function liveCountAt(pages: PageViews, record: number): number {
  return pages.u32[(record + INNER_LIVE_COUNT) / 4]! + pages.u16[record / 2 + 8]! * TWO_POW_32;
}

export function summaryFlagsAt(pages: PageViews, record: number): number {
  return pages.u16[(record + INNER_FLAGS) / 2]!;
}

/** Earliest expiry below, or a bound before it; 0 = none. */
export function earliestExpiryAt(pages: PageViews, record: number): number {
  return pages.u32[(record + INNER_EXPIRY) / 4]! + pages.u16[record / 2 + 12]! * TWO_POW_32;
}

/** Smallest firstCommit below, or a bound before it. The field lies at 2 mod 4: low half word, then a word. */
export function smallestFirstCommitAt(pages: PageViews, record: number): number {
  return pages.u16[(record + INNER_FIRST_COMMIT) / 2]! + pages.u32[record / 4 + 7]! * TWO_POW_16;
}

export function setLiveCount(pages: PageViews, record: number, live: number): void {
  pages.u32[(record + INNER_LIVE_COUNT) / 4] = live;
  pages.u16[record / 2 + 8] = live / TWO_POW_32;
}

function setExpiry(pages: PageViews, record: number, expiry: number): void {
  pages.u32[(record + INNER_EXPIRY) / 4] = expiry;
  pages.u16[record / 2 + 12] = expiry / TWO_POW_32;
  const half = (record + INNER_FLAGS) / 2;
  if (expiry === 0) pages.u16[half] = pages.u16[half]! & ~INNER_HAS_EXPIRY;
  else pages.u16[half] = pages.u16[half]! | INNER_HAS_EXPIRY;
}

function setFirstCommit(pages: PageViews, record: number, commit: number): void {
  pages.u16[(record + INNER_FIRST_COMMIT) / 2] = commit;
  pages.u32[record / 4 + 7] = commit / TWO_POW_16;
}

/** Writes child and summary of an inner record; the rest of the child field is zeroed. */
export function writeChild(pages: PageViews, record: number, lpn: number, summary: Summary): void {
  const word = record / 4;
  pages.u32[word] = lpn;
  pages.u32[word + 1] = 0;
  pages.u32[word + 2] = 0;
  writeSummary(pages, record, summary);
}

export function writeSummary(pages: PageViews, record: number, summary: Summary): void {
  pages.u16[(record + INNER_FLAGS) / 2] = summary.flags;
  setLiveCount(pages, record, summary.live);
  setExpiry(pages, record, summary.expiry);
  setFirstCommit(pages, record, summary.firstCommit);
}

/** Counts an entry in: adds `live` to the count and widens the bounds. `expiry` 0 = none. */
export function widenSummary(pages: PageViews, record: number, live: number, expiry: number, firstCommit: number): void {
  if (live !== 0) setLiveCount(pages, record, liveCountAt(pages, record) + live);
  if (expiry !== 0) {
    const known = earliestExpiryAt(pages, record);
    if (known === 0 || expiry < known) setExpiry(pages, record, expiry);
  }
  if (firstCommit < smallestFirstCommitAt(pages, record)) setFirstCommit(pages, record, firstCommit);
}

/** True when {@link widenSummary} would change nothing. */
export function coversSummary(pages: PageViews, record: number, live: number, expiry: number, firstCommit: number): boolean {
  if (live !== 0 || firstCommit < smallestFirstCommitAt(pages, record)) return false;
  if (expiry === 0) return true;
  const known = earliestExpiryAt(pages, record);
  return known !== 0 && expiry >= known;
}

/** The exact summary of a leaf. */
export function summarizeLeaf(pages: PageViews, base: number, into: Summary): void {
  into.clear();
  const count = slotCount(pages, base);
  for (let i = 0; i < count; i++) {
    const location = recordAt(pages, base, i);
    if ((pages.u16[location / 2]! & LEAF_DEAD) === 0) {
      into.live++;
      const expiry = expiresAt(pages, location);
      if (expiry !== 0 && (into.expiry === 0 || expiry < into.expiry)) into.expiry = expiry;
    }
    const first = firstCommitAt(pages, location);
    if (into.firstCommit === 0 || first < into.firstCommit) into.firstCommit = first;
  }
  into.flags = into.expiry === 0 ? 0 : INNER_HAS_EXPIRY;
}

/** The summary of an inner page: the sum of its children's. */
export function summarizeInner(pages: PageViews, base: number, into: Summary): void {
  into.clear();
  const count = slotCount(pages, base);
  for (let i = 0; i < count; i++) {
    const record = recordAt(pages, base, i);
    into.live += liveCountAt(pages, record);
    into.flags |= summaryFlagsAt(pages, record) & INNER_FLAGS_KNOWN;
    const expiry = earliestExpiryAt(pages, record);
    if (expiry !== 0 && (into.expiry === 0 || expiry < into.expiry)) into.expiry = expiry;
    const first = smallestFirstCommitAt(pages, record);
    if (first !== 0 && (into.firstCommit === 0 || first < into.firstCommit)) into.firstCommit = first;
  }
}

export function summarize(pages: PageViews, base: number, isLeaf: boolean, into: Summary): void {
  if (isLeaf) summarizeLeaf(pages, base, into);
  else summarizeInner(pages, base, into);
}
