/**
 * What the database may have forgotten: retention over paths, as test/reference/retention.ts has it over keys.
 *
 * A subtree with a `history` is a rule, the nearest one decides. The entries of an index follow the subtree it is declared at, the catalog is kept as
 * long as the longest of all. The horizon of a rule is the newest commit recorded at or before now less its history; under a rule of 0
 * it is now. Each set of rules ever in force has had its say: horizons only rise.
 *
 * Specification: spec/transactions.md, "Retention"; spec/policies.md, "History".
 */

import type { Segment } from '../../src/model/types.ts';
import { comparePoints, isWithin, LAST, nameOf, type Stretch } from './paths.ts';

export interface HistoryRules {
  readonly databaseMs: number;
  readonly subtrees: readonly { readonly path: readonly Segment[]; readonly historyMs: number }[];
  /** By the number of the index. */
  readonly indexes: ReadonlyMap<number, number>;
}

/** Part of the keys that one rule decides for. */
export type Zone = { readonly path: readonly Segment[] } | { readonly index: number } | 'catalog';

/** When the question is asked. */
export interface Instant {
  readonly version: number;
  readonly nowMs: number;
  readonly epochs: number;
}

export interface Horizon {
  readonly version: number;
  readonly timeMs: number;
}

interface Epoch {
  readonly rules: HistoryRules;
  readonly endVersion: number;
  readonly endMs: number;
}

export class Kept {
  /** Newest commit up to `version` recorded at or before `timeMs`. */
  readonly #newestAt: (timeMs: number, version: number) => number;
  #ended: Epoch[] = [];
  rules: HistoryRules;

  constructor(rules: HistoryRules, newestAt: (timeMs: number, version: number) => number) {
    this.rules = rules;
    this.#newestAt = newestAt;
  }

  get epochs(): number {
    return this.#ended.length;
  }

  set(rules: HistoryRules, version: number, nowMs: number): void {
    this.#ended.push({ rules: this.rules, endVersion: version, endMs: nowMs });
    this.rules = rules;
  }

  /** Commits above `version` are gone: what was let go of the others stays so. */
  cutBack(version: number): void {
    this.#ended = this.#ended.map((epoch) => ({ ...epoch, endVersion: Math.min(epoch.endVersion, version) }));
  }

  /** A view may be refused in the zones when its version or its time lies below this, and only then. */
  horizonOf(zones: readonly Zone[], at: Instant): Horizon {
    let version = 0;
    let timeMs = 0;
    for (const epoch of this.#epochsUntil(at)) {
      for (const zone of zones) {
        const historyMs = historyOf(epoch.rules, zone);
        version = Math.max(version, this.#horizon(historyMs, epoch));
        if (historyMs === 0) timeMs = Math.max(timeMs, epoch.endMs);
      }
    }
    return { version, timeMs };
  }

  /** The log is kept as long as the longest history: commits above this are there for `changes`. */
  logDroppableThrough(at: Instant): number {
    return this.#epochsUntil(at).reduce((bound, epoch) => Math.max(bound, this.#horizon(longest(epoch.rules), epoch)), 0);
  }

  /** The zones a stretch of paths lies in, by the rules of all time. */
  zonesOf({ start, end }: Stretch): Zone[] {
    if (comparePoints(start, end) >= 0) return [];
    const zones = new Map<string, Zone>();
    const add = (path: readonly Segment[]): void => void zones.set(nameOf(path), { path });
    add(start.filter((step) => typeof step !== 'symbol') as Segment[]);
    for (const { rules } of [{ rules: this.rules }, ...this.#ended]) {
      for (const { path } of rules.subtrees) {
        if (comparePoints(path, start) >= 0 && comparePoints(path, end) < 0) add(path);
        const behind = [...path, LAST] as const;
        if (path.length > 0 && comparePoints(behind, start) > 0 && comparePoints(behind, end) < 0) add(path.slice(0, -1));
      }
    }
    return [...zones.values()];
  }

  #epochsUntil(at: Instant): Epoch[] {
    const running = this.#ended[at.epochs]?.rules ?? this.rules;
    return [...this.#ended.slice(0, at.epochs), { rules: running, endVersion: at.version, endMs: at.nowMs }];
  }

  #horizon(historyMs: number, epoch: Epoch): number {
    return historyMs === Infinity ? 0 : this.#newestAt(epoch.endMs - historyMs, epoch.endVersion);
  }
}

function longest({ databaseMs, subtrees }: HistoryRules): number {
  return subtrees.reduce((ms, { historyMs }) => Math.max(ms, historyMs), databaseMs);
}

function historyOf(rules: HistoryRules, zone: Zone): number {
  if (zone === 'catalog') return longest(rules);
  if ('index' in zone) return rules.indexes.get(zone.index) ?? rules.databaseMs;
  let nearest: HistoryRules['subtrees'][number] | undefined;
  for (const subtree of rules.subtrees)
    if (isWithin(zone.path, subtree.path) && subtree.path.length >= (nearest?.path.length ?? 0)) nearest = subtree;
  return nearest?.historyMs ?? rules.databaseMs;
}
