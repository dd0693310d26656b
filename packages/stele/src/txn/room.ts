/**
 * Room: what a write needs before it may begin: frames for the pages it will change, disk for the flush that writes them.
 *
 * Refusals come before effects (ARCHITECTURE.md, "The write path"). When too many pages are dirty the write waits for a
 * flush: blocking, since the writer is synchronous; the background flush starts early enough to make that rare.
 *
 * Specification: spec/transactions.md, "Commits".
 */

import type { Core } from './core.ts';

export class Room {
  readonly #core: Core;
  readonly #flushNow: () => void;

  /** `flushNow` finishes or runs a flush, blocking, of everything through `core.applied`. */
  constructor(core: Core, flushNow: () => void) {
    this.#core = core;
    this.#flushNow = flushNow;
  }

  /**
   * The first write after a clean close takes the mark of it back first.
   *
   * @throws {SteleError} `unavailable` DISK_FULL; nothing changed
   */
  forWrites(operations: number, bytes: number): void {
    const { pages, tree } = this.#core;
    if (this.#core.isMarkedClean) this.#core.takeBackCleanMark();
    const perWrite = tree.framesPerWrite();
    if (!pages.reserve(perWrite)) {
      this.#flushNow();
      pages.reserve(perWrite);
    }
    const { pageBytes } = pages;
    // Either every operation dirties its own path, or all pages of the tree become dirty and the new bytes split some.
    const worst = Math.min(operations * (tree.height + 2), Math.max(0, tree.leafCount) * 2 + Math.ceil((4 * bytes) / pageBytes) + 16);
    try {
      pages.reserveDisk(worst);
    } catch (error) {
      this.#core.counters.spaceRefused++;
      throw error;
    }
  }

  /** Between two operations of a commit that is already in the log. */
  whileApplying(): void {
    const { pages, tree } = this.#core;
    const perWrite = tree.framesPerWrite();
    if (pages.reserve(perWrite)) return;
    // What the meta would lose in a crash must be in the log: rule 1 for a commit that is only half in the tree.
    this.#core.group.syncNow();
    this.#flushNow();
    pages.reserve(perWrite);
  }
}
