/**
 * Registration: a thread's slot in the control block, where its oldest pin and the times it gave out stand.
 *
 * A thread registers when it opens its first view. The slot holds one pin, the oldest of all views open in the thread.
 *
 * Invariants
 * - A pin holds from the moment it was written and the owner's floor was seen not above it.
 * - The slot is ours while our id stands in it. The owner takes it away when it shows no use for `viewIdleMs`: then every view of this
 *   thread has expired, and the next one registers anew.
 */

import { SteleError } from '../../base/errors.ts';
import * as C from './control.ts';
import type { SharedMemory } from './memory.ts';

export class Registration {
  readonly #memory: SharedMemory;
  readonly #words: Int32Array;
  /** First word of the slot, −1 = not registered. */
  #at = -1;
  #id = 0;
  /** Commits pinned by open views, with their count. */
  readonly #pins = new Map<number, number>();
  #pinned = -1;
  #timeMs = 0;

  constructor(memory: SharedMemory) {
    this.#memory = memory;
    this.#words = memory.control;
  }

  /** Pins the newest visible commit and returns it. @throws {SteleError} `unavailable` THREAD_SLOTS */
  pinNewest(): number {
    this.#register();
    for (;;) {
      const commit = this.#memory.visible();
      this.#write(this.#pinned < 0 ? commit : Math.min(commit, this.#pinned));
      if (this.#memory.cell(C.FLOOR) <= commit) {
        this.#pins.set(commit, (this.#pins.get(commit) ?? 0) + 1);
        return commit;
      }
      // The owner let go of what this commit may need in the meantime; a newer one is visible by now.
    }
  }

  /** One view of the commit is closed. */
  unpin(commit: number, id: number): void {
    if (id !== this.#id) return;
    const left = (this.#pins.get(commit) ?? 1) - 1;
    if (left > 0) {
      this.#pins.set(commit, left);
      return;
    }
    this.#pins.delete(commit);
    if (commit > this.#pinned || !this.isHeld(id)) return;
    let oldest = -1;
    for (const pinned of this.#pins.keys()) if (oldest < 0 || pinned < oldest) oldest = pinned;
    this.#write(oldest);
  }

  /** Names the registration views were opened under. */
  get id(): number {
    return this.#id;
  }

  /** True while the pins of that registration hold; shows the owner that the thread lives. */
  isHeld(id: number): boolean {
    return id === this.#id && Atomics.load(this.#words, this.#at + C.SLOT_ID) === id;
  }

  /** Tells the owner that the thread lives. Call before {@link isHeld} at the end of a read. */
  use(): void {
    const uses = this.#at + C.SLOT_USES;
    this.#words[uses] = (this.#words[uses]! + 1) | 0;
  }

  /** Hybrid time must not fall behind what a reader was shown. */
  giveTime(timeMs: number): void {
    if (timeMs <= this.#timeMs) return;
    this.#timeMs = timeMs;
    if (this.#at < 0 || !this.isHeld(this.#id)) return;
    C.writeCell(this.#words, this.#at + C.SLOT_TIME, timeMs);
    Atomics.add(this.#words, C.TIMES_GIVEN, 1);
  }

  /** Gives the slot back. Idempotent. */
  close(): void {
    if (this.#at < 0) return;
    if (this.isHeld(this.#id)) {
      this.#write(-1);
      Atomics.compareExchange(this.#words, this.#at + C.SLOT_ID, this.#id, 0);
    } else Atomics.compareExchange(this.#words, this.#at + C.SLOT_ID, -this.#id, 0);
    this.#at = -1;
    this.#id = 0;
    this.#pins.clear();
    this.#pinned = -1;
  }

  #register(): void {
    if (this.#at >= 0) {
      if (this.isHeld(this.#id)) return;
      this.close();
    }
    const id = Atomics.add(this.#words, C.NEXT_ID, 1);
    for (let slot = 0; slot < C.SLOTS; slot++) {
      const at = C.slotAt(slot);
      if (Atomics.compareExchange(this.#words, at + C.SLOT_ID, 0, id) !== 0) continue;
      this.#at = at;
      this.#id = id;
      this.#write(-1);
      C.writeCell(this.#words, at + C.SLOT_TIME, 0);
      return;
    }
    throw new SteleError('unavailable', 'THREAD_SLOTS', `${C.SLOTS} threads are registered, no more can open views`);
  }

  #write(commit: number): void {
    this.#pinned = commit;
    C.writeCell(this.#words, this.#at + C.SLOT_PIN, commit + 1);
  }
}
