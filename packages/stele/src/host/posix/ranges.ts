/**
 * A set of byte ranges of a file: what a write-through sync still has to rewrite.
 *
 * Invariants
 * - Ranges are sorted, disjoint and not adjacent: touching ones are merged as they are added.
 *
 * Appending and rewriting the end, the usual cases, cost O(1); others O(ranges).
 */

/** Sorted disjoint ranges `[start, end)`. */
export class Ranges {
  /** start, end, start, end, … */
  #bounds: number[] = [];

  get isEmpty(): boolean {
    return this.#bounds.length === 0;
  }

  add(start: number, end: number): void {
    if (start >= end) return;
    const bounds = this.#bounds;
    let low = bounds.length;
    // First range that does not end before `start`, found from the back: files mostly grow.
    while (low > 0 && bounds[low - 1]! >= start) low -= 2;
    let high = low;
    let from = start;
    let to = end;
    while (high < bounds.length && bounds[high]! <= end) {
      from = Math.min(from, bounds[high]!);
      to = Math.max(to, bounds[high + 1]!);
      high += 2;
    }
    bounds.splice(low, high - low, from, to);
  }

  overlaps(start: number, end: number): boolean {
    const bounds = this.#bounds;
    for (let i = bounds.length - 2; i >= 0 && bounds[i + 1]! > start; i -= 2) {
      if (bounds[i]! < end) return true;
    }
    return false;
  }

  /** Gives all bounds as start, end, start, end, … and forgets them. */
  take(): number[] {
    const taken = this.#bounds;
    this.#bounds = [];
    return taken;
  }
}
