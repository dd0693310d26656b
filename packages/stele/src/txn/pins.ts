/**
 * Pins: the open read views, and so what history must stay readable.
 *
 * A view pins its commit from opening to closing. The oldest pin holds back every horizon and every segment; the
 * newest decides whether an overwritten version can still be seen by anybody.
 *
 * Invariants
 * - The list is ordered by commit, oldest first: a snapshot of now appends in O(1), closing unlinks in O(1); a view of
 *   the past walks back to its place.
 * - A pin is in the list exactly while it is open.
 *
 * Pins of other threads live in shared memory and are read through {@link ForeignPins}.
 * Specification: spec/transactions.md, "Views".
 */

/** One open view, intrusive list node. */
export interface Pin {
  /** What is seen: commits up to this one. */
  readonly commit: number;
  /** At what time: expiry is judged by it. */
  readonly timeMs: number;
  /** Engine ticks at the last use; for idle expiry. */
  lastUsedMs: number;
  readonly openedAtMs: number;
  open: boolean;
  older: Pin | undefined;
  newer: Pin | undefined;
}

/** Pins held by reading threads; −1 when there are none. */
export interface ForeignPins {
  oldest(): number;
  newest(): number;
  count(): number;
}

export class Pins {
  #oldest: Pin | undefined;
  #newest: Pin | undefined;
  #foreign: ForeignPins | undefined;
  count = 0;

  /** Links `pin` into its place. Cost: O(1) for the newest commit. */
  add(pin: Pin): void {
    let older = this.#newest;
    while (older !== undefined && older.commit > pin.commit) older = older.older;
    pin.older = older;
    pin.newer = older === undefined ? this.#oldest : older.newer;
    if (pin.newer === undefined) this.#newest = pin;
    else pin.newer.older = pin;
    if (older === undefined) this.#oldest = pin;
    else older.newer = pin;
    pin.open = true;
    this.count++;
  }

  /** Idempotent. */
  remove(pin: Pin): void {
    if (!pin.open) return;
    pin.open = false;
    if (pin.older === undefined) this.#oldest = pin.newer;
    else pin.older.newer = pin.newer;
    if (pin.newer === undefined) this.#newest = pin.older;
    else pin.newer.older = pin.older;
    pin.older = undefined;
    pin.newer = undefined;
    this.count--;
  }

  /** Reading threads register here; undefined takes them away. */
  setForeign(pins: ForeignPins | undefined): void {
    this.#foreign = pins;
  }

  get hasForeign(): boolean {
    return this.#foreign !== undefined && this.#foreign.count() > 0;
  }

  /** Smallest pinned commit, Infinity when nothing is pinned. */
  get oldestCommit(): number {
    const own = this.#oldest === undefined ? Number.POSITIVE_INFINITY : this.#oldest.commit;
    const foreign = this.#foreign === undefined ? -1 : this.#foreign.oldest();
    return foreign >= 0 && foreign < own ? foreign : own;
  }

  /** Greatest pinned commit, −1 when nothing is pinned. */
  get newestCommit(): number {
    const own = this.#newest === undefined ? -1 : this.#newest.commit;
    return this.#foreign === undefined ? own : Math.max(own, this.#foreign.newest());
  }

  /** Oldest first. */
  *[Symbol.iterator](): Generator<Pin> {
    for (let pin = this.#oldest; pin !== undefined; ) {
      const next: Pin | undefined = pin.newer;
      yield pin;
      pin = next;
    }
  }
}
