/**
 * Read views: (commit, time), fixed when opened, pinned until closed.
 *
 * Invariants
 * - Opening and closing a snapshot is O(1) and writes nothing.
 * - A view that was not read for `viewIdleMs` loses its pin and refuses further reads (VIEW_EXPIRED), so that a forgotten
 *   one cannot hold history for ever.
 * - After a failed write or sync a view above the durable commit throws COMMIT_UNKNOWN.
 *
 * Specification: spec/transactions.md, "Views".
 */

import { SteleError } from '../base/errors.ts';
import type { Core } from './core.ts';
import type { Pin } from './pins.ts';
import { SightReader } from './reader.ts';
import { expiredPrefixes, type KeptClaim } from './retention.ts';
import type { Sight } from './scanner.ts';
import type { View } from './types.ts';

export class PinnedView extends SightReader implements View, Pin, Sight {
  readonly commit: number;
  readonly timeMs: number;
  readonly claim: KeptClaim | undefined;
  readonly skipExpired: boolean;
  readonly openedAtMs: number;
  lastUsedMs: number;
  open = false;
  older: Pin | undefined = undefined;
  newer: Pin | undefined = undefined;
  #isExpired = false;

  /** `claim`: of a view of the past; a snapshot of now may claim everything. */
  constructor(core: Core, commit: number, timeMs: number, claim: KeptClaim | undefined, skipExpired: boolean) {
    super(core);
    this.commit = commit;
    this.timeMs = timeMs;
    this.claim = claim;
    this.skipExpired = skipExpired;
    this.openedAtMs = core.tickMs;
    this.lastUsedMs = core.tickMs;
    core.pins.add(this);
  }

  get version(): number {
    return this.commit;
  }

  protected override sight(): Sight {
    if (!this.open) throw this.#refusal();
    const { core } = this;
    if (core.status !== 'open') this.#checkCore();
    this.lastUsedMs = core.tickMs;
    return this;
  }

  get skipped(): readonly Uint8Array[] {
    return this.claim === undefined ? [] : expiredPrefixes(this.claim, this.commit, this.timeMs);
  }

  /** @throws {SteleError} `closed` VIEW_CLOSED, VIEW_EXPIRED, DATABASE_CLOSED; `unavailable` COMMIT_UNKNOWN */
  check(): void {
    this.sight();
  }

  #refusal(): SteleError {
    if (this.#isExpired)
      return new SteleError(
        'closed',
        'VIEW_EXPIRED',
        `the view of version ${this.commit} was idle for more than ${this.core.settings.viewIdleMs} ms`,
      );
    return new SteleError('closed', 'VIEW_CLOSED', `the view of version ${this.commit} is closed`);
  }

  #checkCore(): void {
    this.core.assertReadable();
    if (this.core.status === 'failed' && this.commit > this.core.durable) throw this.core.group.failure!;
  }

  close(): void {
    this.core.pins.remove(this);
  }

  /** Takes the pin from an idle view. */
  expire(): void {
    this.#isExpired = true;
    this.core.pins.remove(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
