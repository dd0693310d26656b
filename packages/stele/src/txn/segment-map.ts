/**
 * Segment map: which segments hold the record of a commit, without asking the disk.
 *
 * Invariants
 * - Refreshed whenever a segment begins or goes, so `has` is never true for bytes that are gone.
 */

import type { Log } from '../log/log.ts';
import type { SegmentInfo } from '../log/types.ts';

export class SegmentMap {
  readonly #log: Log;
  #list: readonly SegmentInfo[] = [];
  #head = -1;
  /** Everything from this commit on is there. */
  #wholeFrom = 0;
  readonly #startOf: (commit: number) => number;
  /** By segment: the first commit that begins in it or before it without a gap between. */
  #firstWhole: number[] = [];

  /** `startOf`: the segment in which a commit begins, 0 for one not in the index. */
  constructor(log: Log, startOf: (commit: number) => number) {
    this.#log = log;
    this.#startOf = startOf;
  }

  /** To be called after a segment was dropped; new ones are noticed by themselves. */
  refresh(): void {
    this.#list = this.#log.segments();
    this.#head = this.#log.headSegment;
    this.#wholeFrom = 1;
    this.#firstWhole = [];
    for (let at = 0; at < this.#list.length; at++) {
      const segment = this.#list[at]!;
      const before = at === 0 ? undefined : this.#list[at - 1];
      // A gap before this segment: commits below its first are not all there.
      const isBehindGap = before === undefined ? segment.number !== 1 : before.number + 1 !== segment.number;
      const start = isBehindGap ? this.#startOf(segment.firstCommit) : 0;
      const isCutOff = start !== 0 && start !== segment.number;
      this.#firstWhole.push(isCutOff ? segment.firstCommit + 1 : segment.firstCommit);
      if (isBehindGap) this.#wholeFrom = this.#firstWhole[at]!;
    }
  }

  get list(): readonly SegmentInfo[] {
    if (this.#head !== this.#log.headSegment) this.refresh();
    return this.#list;
  }

  /** Are all bytes of the commit's record there? */
  has(commit: number): boolean {
    if (this.#head !== this.#log.headSegment) this.refresh();
    if (commit >= this.#wholeFrom) return true;
    let found = false;
    for (let at = 0; at < this.#list.length; at++) {
      const segment = this.#list[at]!;
      if (this.#firstWhole[at]! > commit || segment.lastCommit < commit) continue;
      // A commit over several segments is whole only if none between is missing.
      if (found && this.#list[at - 1]!.number + 1 !== segment.number) return false;
      // The last commit before a gap may go on in what is missing.
      const next = this.#list[at + 1];
      if (segment.lastCommit === commit && next !== undefined && next.number !== segment.number + 1) return false;
      found = true;
    }
    return found;
  }

  /** Are the records of the commit and of all behind it there? */
  hasAllFrom(commit: number): boolean {
    if (this.#head !== this.#log.headSegment) this.refresh();
    return commit >= this.#wholeFrom;
  }

  /** The newest commit from `first` on whose record is not all there; 0 when there is none. Cost: mostly one look; O(commits) at worst. */
  newestMissing(first: number): number {
    let commit = this.#wholeFrom - 1;
    while (commit >= first && this.has(commit)) commit--;
    return commit < first ? 0 : commit;
  }

  /** Numbers of the segments that may hold a part of the commit's record. */
  holders(commit: number): number[] {
    const numbers: number[] = [];
    const { list } = this;
    for (let at = 0; at < list.length; at++) {
      const segment = list[at]!;
      const last = at === list.length - 1 ? Number.POSITIVE_INFINITY : segment.lastCommit;
      if (segment.firstCommit <= commit && commit <= last) numbers.push(segment.number);
    }
    return numbers;
  }
}
