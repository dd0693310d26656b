/**
 * Journal: what a crash run was told, so that any cut can be judged later.
 *
 * Every commit and every change of rules is written down when it is issued; every acknowledgement when it is heard.
 * A *mark* is the state of the journal at one moment. From a mark a fresh reference can be made, as often as wanted.
 *
 * Invariants
 * - A commit is written down before the engine is asked for it, so no cut can find a commit the mark does not know.
 * - An acknowledgement counts only from the moment its promise resolved (or its blocking form returned).
 */

import type { Durability, Operation, RetentionRules } from '../../src/txn/types.ts';
import { type Receipt, Reference } from '../reference/reference.ts';

type Event =
  | {
      readonly kind: 'commit';
      readonly operations: readonly Operation[];
      readonly timeMs: number;
      readonly assertedTimeMs: number | undefined;
    }
  | { readonly kind: 'rules'; readonly rules: RetentionRules; readonly timeMs: number };

/** One moment of a journal. */
export interface Mark {
  readonly events: number;
  /** Newest commit issued. */
  readonly version: number;
  /** Newest commit promised to survive a loss of power. */
  readonly device: number;
  /** Newest commit promised to survive the death of the process. */
  readonly kernel: number;
}

export class Journal {
  readonly reference: Reference;
  readonly #historyMs: number;
  readonly #events: Event[] = [];
  /** Versions whose commit asked for the device. */
  readonly #immediate: number[] = [];
  #device = 0;
  #kernel = 0;

  constructor(historyMs: number) {
    this.#historyMs = historyMs;
    this.reference = new Reference(historyMs);
  }

  /** A commit is about to be asked for, at hybrid time `timeMs`. */
  commit(operations: readonly Operation[], timeMs: number, level: Durability, assertedTimeMs?: number): Receipt {
    const receipt = this.reference.commit(operations, timeMs, assertedTimeMs);
    if (receipt.changed > 0) {
      this.#events.push({ kind: 'commit', operations, timeMs, assertedTimeMs });
      if (level === 'immediate') this.#immediate.push(receipt.version);
    }
    return receipt;
  }

  rules(rules: RetentionRules, timeMs: number): void {
    this.#events.push({ kind: 'rules', rules, timeMs });
    this.reference.setRetention(rules, timeMs);
  }

  /** `version` and all before it were promised at this level. */
  acknowledged(version: number, level: 'kernel' | 'device'): void {
    this.#kernel = Math.max(this.#kernel, version);
    if (level === 'device') this.#device = Math.max(this.#device, version);
  }

  /** Commits through `version` left the process, each at the level it had asked for. */
  reported(version: number): void {
    this.acknowledged(version, 'kernel');
    const asked = this.#immediate.findLast((each) => each <= version);
    if (asked !== undefined) this.acknowledged(asked, 'device');
  }

  mark(): Mark {
    return { events: this.#events.length, version: this.reference.version, device: this.#device, kernel: this.#kernel };
  }

  /**
   * The reference as it stood at `mark`. Rules set behind commit `recovered` may have been lost with what followed it: then
   * those before count as set again, so that only what both keep is promised; `onUncertain` hears of them.
   */
  at(mark: Mark, recovered = Number.POSITIVE_INFINITY, onUncertain?: (rules: RetentionRules) => void): Reference {
    const reference = new Reference(this.#historyMs);
    let certain: RetentionRules = { rules: [{ prefix: new Uint8Array(0), historyMs: this.#historyMs }] };
    let isUncertain = false;
    for (const event of this.#events.slice(0, mark.events)) {
      const timeMs = reference.now(event.timeMs);
      if (event.kind === 'commit') reference.commit(event.operations, timeMs, event.assertedTimeMs);
      else {
        reference.setRetention(event.rules, timeMs);
        if (reference.version < recovered) certain = event.rules;
        else isUncertain = true;
      }
    }
    if (isUncertain) {
      reference.setRetention(certain, reference.now(0));
      onUncertain?.(certain);
    }
    return reference;
  }
}
