/**
 * Retention: how far back each key can be read, and what the log may let go.
 *
 * Rules are prefixes with a length of history in ms (0 = only what open views need, Infinity = for ever); the longest
 * matching prefix wins. *Kept ranges* say what has really been let go so far: `keptFrom(key)` is the oldest commit at
 * which the key can be read. It never decreases, so lengthening a rule later cannot pretend to hold what is gone.
 *
 * Invariants
 * - A view at commit T of key k is answerable exactly if T ≥ keptFrom(k) when it is opened; its pin keeps it so.
 * - A version superseded at commit S may lose its bytes only when S ≤ floor(rule) for its rule.
 * - A rule of 0 claims nothing before the newest commit: intermediate versions nobody had pinned were never kept.
 *
 * Specification: spec/transactions.md, "Retention"; engine.md rules 9, 13, 14.
 */

import { compareBytes } from '../base/bytes.ts';
import { SteleError } from '../base/errors.ts';
import type { Pins } from './pins.ts';
import type { RetentionRules } from './types.ts';

export interface KeptRange {
  readonly prefix: Uint8Array;
  /** Oldest commit at which keys with this prefix (and no longer one listed) can be read. */
  keptFrom: number;
  /** Rule in force, inherited when the rule of this prefix is gone. ms, Infinity, or 0. */
  historyMs: number;
}

/** Kept ranges as a view captures them: the claim at the time of opening. A key is answerable from (keptFrom, keptFromMs) on. */
export interface KeptClaim {
  readonly ranges: readonly { readonly prefix: Uint8Array; readonly keptFrom: number; readonly keptFromMs: number }[];
}

const EMPTY = new Uint8Array(0);
const RANGES_MAX = 10_000;

export class Retention {
  /** Sorted by prefix; the first is the empty prefix. A parent stands before its children. */
  #ranges: KeptRange[];
  readonly #pins: Pins;

  constructor(pins: Pins, historyMs: number, restored: readonly { prefix: Uint8Array; keptFrom: number; historyMs: number }[] | undefined) {
    this.#pins = pins;
    this.#ranges = restored === undefined ? [{ prefix: EMPTY, keptFrom: 0, historyMs }] : restored.map((range) => ({ ...range }));
  }

  get ranges(): readonly KeptRange[] {
    return this.#ranges;
  }

  /** Longest history of any rule in force, ms. */
  get historyMsMax(): number {
    return this.#ranges.reduce((max, range) => Math.max(max, range.historyMs), 0);
  }

  /** Puts new rules in force from `applied` on. @throws {SteleError} `invalid` RETENTION_RULES */
  setRules(rules: RetentionRules, applied: number): void {
    checkRules(rules);
    this.#settleZeroRules(applied);
    const prefixes = new Map<string, Uint8Array>();
    for (const range of this.#ranges) prefixes.set(range.prefix.join(), range.prefix);
    for (const rule of rules.rules) prefixes.set(rule.prefix.join(), rule.prefix.slice());
    const sorted = [...prefixes.values()].sort(compare);
    const own = rules.rules.map((rule) => ({ prefix: rule.prefix, historyMs: rule.historyMs }));
    const next = sorted.map((prefix) => ({
      prefix,
      keptFrom: longestMatch(this.#ranges, prefix, prefix.length)!.keptFrom,
      historyMs: longestMatch(own, prefix, prefix.length)!.historyMs,
    }));
    // A range that says no more than its parent is not kept apart.
    const listed = new Set(rules.rules.map((rule) => rule.prefix.join()));
    this.#ranges = next.filter((range, at) => {
      if (range.prefix.length === 0 || listed.has(range.prefix.join())) return true;
      const parent = longestMatch(next.slice(0, at), range.prefix, range.prefix.length - 1)!;
      return parent.keptFrom !== range.keptFrom || parent.historyMs !== range.historyMs;
    });
    if (this.#ranges.length > RANGES_MAX)
      throw new SteleError('invalid', 'RETENTION_RULES', `${this.#ranges.length} kept ranges, at most ${RANGES_MAX}`);
  }

  /** Ranges told by the log, or those of before; what was let go meanwhile stays let go. */
  adopt(ranges: readonly KeptRange[]): void {
    this.#ranges = ranges.map((range) => ({
      ...range,
      keptFrom: Math.max(range.keptFrom, longestMatch(this.#ranges, range.prefix, range.prefix.length)!.keptFrom),
    }));
  }

  /** A rule of 0 has kept nothing before now; say so in `keptFrom` before that rule can change. */
  #settleZeroRules(applied: number): void {
    for (const range of this.#ranges) if (range.historyMs === 0) range.keptFrom = Math.max(range.keptFrom, applied);
  }

  historyMsOf(key: Uint8Array, keyBytes: number): number {
    const ranges = this.#ranges;
    return ranges.length === 1 ? ranges[0]!.historyMs : longestMatch(ranges, key, keyBytes)!.historyMs;
  }

  rangeIndexOf(key: Uint8Array, keyBytes: number): number {
    const ranges = this.#ranges;
    return ranges.length === 1 ? 0 : ranges.indexOf(longestMatch(ranges, key, keyBytes)!);
  }

  /** Oldest commit a view opened now may claim for the key. */
  keptFromOf(key: Uint8Array, keyBytes: number, applied: number): number {
    const range = longestMatch(this.#ranges, key, keyBytes)!;
    return range.historyMs === 0 ? Math.max(range.keptFrom, applied) : range.keptFrom;
  }

  /** True when no view outside the open ones can ever ask for a version superseded now. */
  keepsNothing(key: Uint8Array, keyBytes: number): boolean {
    return this.historyMsOf(key, keyBytes) === 0;
  }

  /**
   * Moves the horizons forward: `horizonOf(historyMs)` is the newest commit recorded at least so long ago.
   * Returns true when any moved. Never past an open view.
   */
  advance(applied: number, horizonOf: (historyMs: number) => number): boolean {
    const pinned = this.#pins.oldestCommit;
    let moved = false;
    for (const range of this.#ranges) {
      if (range.historyMs === Number.POSITIVE_INFINITY) continue;
      const horizon = Math.min(range.historyMs === 0 ? applied : horizonOf(range.historyMs), pinned);
      if (horizon > range.keptFrom) {
        range.keptFrom = horizon;
        moved = true;
      }
    }
    return moved;
  }

  /**
   * What a view opened now may claim. `applied` is the newest commit; `sweptMs` the greatest expiry of anything removed
   * for good, before which no time can be asked for where nothing is kept.
   */
  claim(applied: number, sweptMs: number): KeptClaim {
    return {
      ranges: this.#ranges.map(({ prefix, keptFrom, historyMs }) => ({
        prefix,
        keptFrom: historyMs === 0 ? Math.max(keptFrom, applied) : keptFrom,
        keptFromMs: historyMs === Number.POSITIVE_INFINITY && keptFrom === 0 ? 0 : sweptMs,
      })),
    };
  }

  /**
   * Versions of the range superseded at or before this commit may go. Below `keptFrom` nothing is claimed; a pin holds
   * what its view may still read.
   */
  floorOf(rangeIndex: number, applied: number): number {
    const range = this.#ranges[rangeIndex]!;
    const kept = range.historyMs === 0 ? Math.max(range.keptFrom, applied) : range.keptFrom;
    return Math.min(kept, this.#pins.oldestCommit);
  }

  /** The floor that holds for every range. */
  floorOfAll(applied: number): number {
    let floor = Number.POSITIVE_INFINITY;
    for (let at = 0; at < this.#ranges.length; at++) floor = Math.min(floor, this.floorOf(at, applied));
    return floor;
  }
}

/** Is (commit, time) answerable for `key` under the claim? */
export function isKept(claim: KeptClaim, key: Uint8Array, keyBytes: number, commit: number, timeMs: number): boolean {
  return reaches(longestMatch(claim.ranges, key, keyBytes)!, commit, timeMs);
}

function reaches(range: { readonly keptFrom: number; readonly keptFromMs: number }, commit: number, timeMs: number): boolean {
  return range.keptFrom <= commit && range.keptFromMs <= timeMs;
}

/** First prefix not answerable at (commit, time) among the keys in [start, end), or undefined. */
export function firstExpired(
  claim: KeptClaim,
  start: Uint8Array | undefined,
  end: Uint8Array | undefined,
  commit: number,
  timeMs: number,
): Uint8Array | undefined {
  for (const range of claim.ranges) {
    if (reaches(range, commit, timeMs)) continue;
    if (end !== undefined && compare(range.prefix, end) >= 0) continue;
    const after = prefixEnd(range.prefix);
    if (start !== undefined && after !== undefined && compare(after, start) <= 0) continue;
    if (start !== undefined && hasNearer(claim, range.prefix, start, end, commit, timeMs)) continue;
    return range.prefix;
  }
  return undefined;
}

/** Does a longer prefix, kept at `commit`, contain all of [start, end)? Then the shorter rule has no say there. */
function hasNearer(
  claim: KeptClaim,
  prefix: Uint8Array,
  start: Uint8Array,
  end: Uint8Array | undefined,
  commit: number,
  timeMs: number,
): boolean {
  const nearest = longestMatch(claim.ranges, start, start.length)!;
  if (nearest.prefix.length <= prefix.length || !reaches(nearest, commit, timeMs)) return false;
  const after = prefixEnd(nearest.prefix);
  return after === undefined || (end !== undefined && compare(end, after) <= 0);
}

/** The least key greater than every key with this prefix, or undefined when there is none. */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  for (let at = prefix.length - 1; at >= 0; at--) {
    if (prefix[at]! < 0xff) {
      const end = prefix.slice(0, at + 1);
      end[at]! += 1;
      return end;
    }
  }
  return undefined;
}

function checkRules(rules: RetentionRules): void {
  const bad = (message: string): never => {
    throw new SteleError('invalid', 'RETENTION_RULES', message);
  };
  if (!Array.isArray(rules?.rules) || rules.rules.length === 0) bad('expected a list with at least the rule of the empty prefix');
  rules.rules.forEach((rule, at) => {
    if (!(rule.prefix instanceof Uint8Array)) bad(`rule ${at}: prefix is ${typeof rule.prefix}, expected bytes`);
    if (!(rule.historyMs >= 0)) bad(`rule ${at}: historyMs is ${rule.historyMs}, expected 0, a number of ms, or Infinity`);
    if (at === 0 && rule.prefix.length !== 0) bad('the first rule must be that of the empty prefix');
    if (at > 0 && compare(rules.rules[at - 1]!.prefix, rule.prefix) >= 0) bad(`rule ${at}: prefixes must ascend and differ`);
  });
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}

function longestMatch<R extends { readonly prefix: Uint8Array }>(ranges: readonly R[], key: Uint8Array, keyBytes: number): R | undefined {
  // Prefixes of a key ascend in the list with their length, so the last match is the longest.
  for (let at = ranges.length - 1; at >= 0; at--) {
    const prefix = ranges[at]!.prefix;
    if (prefix.length > keyBytes) continue;
    let equal = 0;
    while (equal < prefix.length && prefix[equal] === key[equal]) equal++;
    if (equal === prefix.length) return ranges[at];
  }
  return undefined;
}
