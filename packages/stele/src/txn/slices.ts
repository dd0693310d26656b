/**
 * Slices: long work gives others a turn after each millisecond, and ends when its caller no longer wants it.
 *
 * Specification: spec/invariants.md rule 20.
 */

import { SteleError } from '../base/errors.ts';
import type { Core } from './core.ts';

const SLICE_MS = 1;

/** See the head of the file. */
export class Slices {
  readonly #core: Core;
  readonly #signal: { readonly aborted: boolean } | undefined;
  #start: number;

  constructor(core: Core, signal: { readonly aborted: boolean } | undefined) {
    this.#core = core;
    this.#signal = signal;
    this.#start = core.host.clock.monotonicMs();
  }

  /** True when a turn was given. @throws {SteleError} `closed` CANCELLED, DATABASE_CLOSED */
  async pause(): Promise<boolean> {
    if (this.#signal?.aborted === true) throw new SteleError('closed', 'CANCELLED', 'cancelled by the caller');
    const { clock, timers } = this.#core.host;
    if (clock.monotonicMs() - this.#start < SLICE_MS) return false;
    await new Promise<void>((resolve) => timers.immediate(resolve));
    this.#core.assertReadable();
    this.#start = clock.monotonicMs();
    return true;
  }
}
