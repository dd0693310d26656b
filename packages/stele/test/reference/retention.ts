/**
 * What the engine may have forgotten, and therefore what it must still know.
 *
 * The engine moves its horizons when it likes (at a flush, a compaction, a sweep), so no test can say what is gone.
 * It can say what *may* be gone: the horizon of a rule at hybrid time `now` is the newest commit recorded at or before
 * `now - historyMs`, and no view at or above the horizon of a key is ever refused. A horizon only rises: what was
 * droppable once is never promised again, even when the rule becomes longer.
 *
 * Invariants
 * - `horizonOf(range)` never falls as time passes.
 * - It is 0 for a key whose rules were all Infinity: everything is promised.
 *
 * Specification: spec/transactions.md, "Retention".
 */

import type { RetentionRules } from '../../src/txn/types.ts';
import { afterPrefix, keyText, type TextRange } from './keys.ts';

/** A rule with its prefix as text. */
export interface TextRule {
  readonly prefix: string;
  readonly historyMs: number;
}

/** When the question is asked: so much was committed, it is so late, so many rule sets had ended. */
export interface Instant {
  readonly version: number;
  readonly nowMs: number;
  readonly epochs: number;
}

interface Epoch {
  readonly rules: readonly TextRule[];
  readonly endVersion: number;
  readonly endMs: number;
}

export class Retention {
  /** Newest commit up to `version` recorded at or before `timeMs`. */
  readonly #newestAt: (timeMs: number, version: number) => number;
  readonly #ended: Epoch[] = [];
  #rules: readonly TextRule[];

  constructor(historyMs: number, newestAt: (timeMs: number, version: number) => number) {
    this.#rules = [{ prefix: '', historyMs }];
    this.#newestAt = newestAt;
  }

  get rules(): readonly TextRule[] {
    return this.#rules;
  }

  get epochs(): number {
    return this.#ended.length;
  }

  /** The rules change; under the old ones everything below their horizons of this instant may be gone. */
  set(rules: RetentionRules, version: number, nowMs: number): void {
    this.#ended.push({ rules: this.#rules, endVersion: version, endMs: nowMs });
    this.#rules = rules.rules.map((rule) => ({ prefix: keyText(rule.prefix), historyMs: rule.historyMs }));
  }

  /**
   * A view of these keys may be refused when its version or its time lies below this, and only then. A rule of 0 keeps the
   * newest state alone, so its horizon is now; another rule's horizon has a version and no time of its own.
   */
  horizonOf(range: TextRange, at: Instant): { version: number; timeMs: number } {
    const horizon = { version: 0, timeMs: 0 };
    for (const key of this.#samples(range)) {
      for (const epoch of this.#epochsUntil(at)) {
        const historyMs = historyOf(epoch.rules, key);
        horizon.version = Math.max(horizon.version, this.#horizon(historyMs, epoch));
        if (historyMs === 0) horizon.timeMs = Math.max(horizon.timeMs, epoch.endMs);
      }
    }
    return horizon;
  }

  /** The log itself is kept as long as the longest history: commits above this are there for `changes`. */
  logDroppableThrough(at: Instant): number {
    let bound = 0;
    for (const epoch of this.#epochsUntil(at)) {
      const longest = Math.max(...epoch.rules.map((rule) => rule.historyMs));
      bound = Math.max(bound, this.#horizon(longest, epoch));
    }
    return bound;
  }

  #epochsUntil(at: Instant): Epoch[] {
    const epochs = this.#ended.slice(0, at.epochs);
    const running = at.epochs < this.#ended.length ? (this.#ended[at.epochs] as Epoch).rules : this.#rules;
    epochs.push({ rules: running, endVersion: at.version, endMs: at.nowMs });
    return epochs;
  }

  #horizon(historyMs: number, epoch: Epoch): number {
    return historyMs === Infinity ? 0 : this.#newestAt(epoch.endMs - historyMs, epoch.endVersion);
  }

  /** One key of every stretch of `range` within which no rule ever changed from key to key. */
  #samples(range: TextRange): Set<string> {
    if (range.end !== undefined && range.start >= range.end) return new Set();
    const samples = new Set([range.start]);
    for (const rules of [this.#rules, ...this.#ended.map((epoch) => epoch.rules)]) {
      for (const { prefix } of rules) {
        for (const cut of [prefix, afterPrefix(prefix)]) {
          if (cut !== undefined && cut > range.start && (range.end === undefined || cut < range.end)) samples.add(cut);
        }
      }
    }
    return samples;
  }
}

/** The longest matching prefix wins. */
function historyOf(rules: readonly TextRule[], key: string): number {
  let best: TextRule | undefined;
  for (const rule of rules) {
    if (key.startsWith(rule.prefix) && (best === undefined || rule.prefix.length > best.prefix.length)) best = rule;
  }
  return best?.historyMs ?? Infinity;
}
