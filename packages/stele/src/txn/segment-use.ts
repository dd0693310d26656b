/**
 * Segment use: which log segments still hold something that may be asked for.
 *
 * A segment may go when nothing in it is kept (spec/invariants.md rules 14, 15). Of a version written there, the bytes are needed
 * while some view at or after its commit and before the commit that superseded it may be opened or is open. So per segment
 * and kept range one number is enough: the newest commit that superseded something written in the segment.
 *
 * Invariants
 * - `newest[r]` of a segment ≥ the commit of every supersession of a version stored in it under range r.
 * - Not tracked yet (a database that keeps everything) counts as superseded by the newest commit.
 *
 * Layout in the meta blob behind the kept ranges: see encode below.
 * Specification: spec/file-format.md, "Kept ranges".
 */

export class SegmentUse {
  /** By segment number: newest superseding commit by kept range, −1 = nothing. */
  readonly #newest = new Map<number, number[]>();
  #ranges: number;
  /** False: everything is kept, noting would be waste. */
  isTracking: boolean;

  constructor(ranges: number, isTracking: boolean) {
    this.#ranges = ranges;
    this.isTracking = isTracking;
  }

  /** A version stored in `segment` was superseded at `commit`. */
  note(segment: number, range: number, commit: number): void {
    let row = this.#newest.get(segment);
    if (row === undefined) {
      row = new Array<number>(this.#ranges).fill(-1);
      this.#newest.set(segment, row);
    }
    if (commit > row[range]!) row[range] = commit;
  }

  /** True when nothing stored in the segment can be asked for. `floorOf(range)`: supersessions at or before may go. */
  isFree(segment: number, floorOf: (range: number) => number): boolean {
    const row = this.#newest.get(segment);
    if (row === undefined) return true;
    for (let range = 0; range < this.#ranges; range++) if (row[range]! > floorOf(range)) return false;
    return true;
  }

  /**
   * The kept ranges changed. Which key belongs to which range is not known per segment, so each range takes the greatest
   * commit of all: an upper bound, which keeps a segment longer and never shorter. Untracked so far counts as `applied`.
   */
  rebase(ranges: number, segments: readonly number[], applied: number, isTracking: boolean): void {
    for (const segment of segments) {
      const row = this.#newest.get(segment);
      const most = this.isTracking ? Math.max(-1, ...(row ?? [])) : applied;
      this.#newest.set(segment, new Array<number>(ranges).fill(most));
    }
    this.#ranges = ranges;
    this.isTracking = isTracking;
  }

  /** Everything as told by the log, which knew more than what was replayed so far. */
  adopt(ranges: number, isTracking: boolean, rows: readonly { readonly segment: number; readonly newest: readonly number[] }[]): void {
    this.#newest.clear();
    for (const row of rows) this.#newest.set(row.segment, [...row.newest]);
    this.#ranges = ranges;
    this.isTracking = isTracking;
  }

  forget(segment: number): void {
    this.#newest.delete(segment);
  }

  rows(): { segment: number; newest: readonly number[] }[] {
    return [...this.#newest].map(([segment, newest]) => ({ segment, newest }));
  }
}
