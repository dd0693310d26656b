/**
 * Commits on their way: many are made before the first has reached its level, and not more than memory should hold.
 *
 * Invariants
 * - Commits are made in the order they are pushed; the first failure stops the work and is the one that is told.
 * - After `drain` all have reached their level.
 */

import type { Commit } from '../../txn/types.ts';

/** Measured: a wait every 256 commits is a hundredth of the time of an import. */
const COMMITS_MAX = 256;
const BYTES_MAX = 8 * 1024 * 1024;

export class Pipeline {
  #commits = 0;
  #bytes = 0;
  #last: Promise<Commit> | undefined;
  #failure: { readonly error: unknown } | undefined;

  /** @throws what an earlier commit failed with */
  async push(commit: Promise<Commit>, bytes: number): Promise<void> {
    commit.catch((error: unknown) => {
      this.#failure ??= { error };
    });
    this.#last = commit;
    this.#bytes += bytes;
    if (++this.#commits >= COMMITS_MAX || this.#bytes >= BYTES_MAX) await this.drain();
    else if (this.#failure !== undefined) throw this.#failure.error;
  }

  async drain(): Promise<void> {
    this.#commits = 0;
    this.#bytes = 0;
    try {
      await this.#last;
    } catch {
      // The first failure is the one to tell; it is the last commit's own or came before.
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
