/**
 * Who holds a simulated directory: many shared holders, or one exclusive one.
 *
 * The memory and the faulty host keep one of these where the posix host has the kernel's lock, so all three refuse alike.
 *
 * Invariants
 * - Never an exclusive holder beside another of either kind.
 * - A released lock frees nothing again, whoever holds the directory by then.
 *
 * Specification: spec/host.md, "Exclusion".
 */

import { locked } from './failures.ts';
import type { ExclusionLock } from './storage.ts';

/** See the head of the file. */
export class Holders {
  #exclusive: object | undefined;
  readonly #shared = new Set<object>();

  /** @throws {SteleError} `unavailable` LOCKED, naming `place` and the kind of holder. */
  take(place: string, isShared: boolean): ExclusionLock {
    if (this.#exclusive !== undefined) throw locked(place, 'another database');
    if (!isShared && this.#shared.size > 0) throw locked(place, `${this.#shared.size} readers`);
    const token = {};
    if (isShared) this.#shared.add(token);
    else this.#exclusive = token;
    return {
      release: () => {
        this.#shared.delete(token);
        if (this.#exclusive === token) this.#exclusive = undefined;
      },
    };
  }

  /** Nobody holds it any more. */
  clear(): void {
    this.#exclusive = undefined;
    this.#shared.clear();
  }
}
