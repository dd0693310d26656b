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
 * Specification: spec/transactions.md, "Retention"; spec/invariants.md rules 9, 13, 14.
 */

import { compareBytes } from '../base/bytes.ts';
import { SteleError } from '../base/errors.ts';
import { PrefixTrie } from '../base/prefix-trie.ts';
import { KEY_BYTES_MAX } from './options.ts';
import type { Pins } from './pins.ts';
import type { RetentionRules } from './types.ts';

export interface KeptRange {
  readonly prefix: Uint8Array;
  /** Oldest commit at which keys with this prefix (and no longer one listed) can be read. */
  keptFrom: number;
  /** Greatest expiry of an entry removed while nothing was kept: no earlier time can be asked for. */
  keptFromMs: number;
  /** A rule was given for just this prefix; otherwise the range only remembers what was let go. */
  readonly isRule: boolean;
  /** Rule in force, inherited when the rule of this prefix is gone. ms, Infinity, or 0. */
  historyMs: number;
}

/** Kept ranges as a view captures them: the claim at the time of opening. A key is answerable from (keptFrom, keptFromMs) on. */
export interface KeptClaim {
  readonly ranges: readonly { readonly prefix: Uint8Array; readonly keptFrom: number; readonly keptFromMs: number }[];
  /** Over the prefixes, when there are many. */
  readonly trie?: PrefixTrie | undefined;
}

const EMPTY = new Uint8Array(0);
const RANGES_MAX = 10_000;

export class Retention {
  /** Sorted by prefix; the first is the empty prefix. A parent stands before its children. */
  #ranges: KeptRange[];
  readonly #pins: Pins;
  /** Over the prefixes of the ranges, once somebody asked. */
  #trie: PrefixTrie | undefined;

  constructor(pins: Pins, historyMs: number, restored: readonly KeptRange[] | undefined) {
    this.#pins = pins;
    this.#ranges =
      restored === undefined
        ? [{ prefix: EMPTY, keptFrom: 0, keptFromMs: 0, isRule: true, historyMs }]
        : restored.map((range) => ({ ...range }));
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
    const listed = new Set(rules.rules.map((rule) => rule.prefix.join()));
    const next = sorted.map((prefix) => ({
      prefix,
      isRule: listed.has(prefix.join()),
      keptFrom: longestMatch(this.#ranges, prefix, prefix.length)!.keptFrom,
      keptFromMs: longestMatch(this.#ranges, prefix, prefix.length)!.keptFromMs,
      historyMs: longestMatch(own, prefix, prefix.length)!.historyMs,
    }));
    // A range that says no more than its parent is not kept apart.
    this.#ranges = next.filter((range, at) => {
      if (range.isRule) return true;
      const parent = longestMatch(next.slice(0, at), range.prefix, range.prefix.length - 1)!;
      return parent.keptFrom !== range.keptFrom || parent.keptFromMs !== range.keptFromMs || parent.historyMs !== range.historyMs;
    });
    this.#trie = undefined;
    if (this.#ranges.length > RANGES_MAX)
      throw new SteleError('invalid', 'RETENTION_RULES', `${this.#ranges.length} kept ranges, at most ${RANGES_MAX}`);
  }

  /** Ranges told by the log, or those of before; what was let go meanwhile stays let go. */
  adopt(ranges: readonly KeptRange[]): void {
    this.#trie = undefined;
    this.#ranges = ranges.map((range) => {
      const before = longestMatch(this.#ranges, range.prefix, range.prefix.length)!;
      return { ...range, keptFrom: Math.max(range.keptFrom, before.keptFrom), keptFromMs: Math.max(range.keptFromMs, before.keptFromMs) };
    });
  }

  /** A rule of 0 has kept nothing before now; say so in `keptFrom` before that rule can change. */
  #settleZeroRules(applied: number): void {
    for (const range of this.#ranges) if (range.historyMs === 0) range.keptFrom = Math.max(range.keptFrom, applied);
  }

  historyMsOf(key: Uint8Array, keyBytes: number): number {
    return this.#ranges[this.rangeIndexOf(key, keyBytes)]!.historyMs;
  }

  rangeIndexOf(key: Uint8Array, keyBytes: number): number {
    if (this.#ranges.length === 1) return 0;
    this.#trie ??= PrefixTrie.of(this.#ranges.map((range) => range.prefix));
    return this.#trie.find(key, keyBytes);
  }

  /** Oldest commit a view opened now may claim for the key. */
  keptFromOf(key: Uint8Array, keyBytes: number, applied: number): number {
    const range = this.#ranges[this.rangeIndexOf(key, keyBytes)]!;
    return range.historyMs === 0 ? Math.max(range.keptFrom, applied) : range.keptFrom;
  }

  /** An entry of the range was removed for good at a time when nothing was kept. */
  removed(rangeIndex: number, expiry: number): void {
    const range = this.#ranges[rangeIndex]!;
    if (range.historyMs === 0 && expiry > range.keptFromMs) range.keptFromMs = expiry;
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
   * What a view opened now may claim. `applied` is the newest commit.
   */
  claim(applied: number): KeptClaim {
    if (this.#ranges.length > 1) this.#trie ??= PrefixTrie.of(this.#ranges.map((range) => range.prefix));
    return {
      trie: this.#trie,
      ranges: this.#ranges.map(({ prefix, keptFrom, keptFromMs, historyMs }) => ({
        prefix,
        keptFrom: historyMs === 0 ? Math.max(keptFrom, applied) : keptFrom,
        keptFromMs,
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
  const range = claim.trie === undefined ? longestMatch(claim.ranges, key, keyBytes) : claim.ranges[claim.trie.find(key, keyBytes)];
  return reaches(range!, commit, timeMs);
}

function reaches(range: { readonly keptFrom: number; readonly keptFromMs: number }, commit: number, timeMs: number): boolean {
  return range.keptFrom <= commit && range.keptFromMs <= timeMs;
}

/** Prefixes of the ranges not answerable at (commit, time). */
export function expiredPrefixes(claim: KeptClaim, commit: number, timeMs: number): Uint8Array[] {
  return claim.ranges.filter((range) => !reaches(range, commit, timeMs)).map((range) => range.prefix);
}

/** First prefix not answerable at (commit, time) among those that decide for keys in [start, end), or undefined. */
export function firstExpired(
  claim: KeptClaim,
  start: Uint8Array | undefined,
  end: Uint8Array | undefined,
  commit: number,
  timeMs: number,
): Uint8Array | undefined {
  for (const [at, range] of claim.ranges.entries()) {
    if (!reaches(range, commit, timeMs) && decidesIn(claim, at, start ?? EMPTY, end)) return range.prefix;
  }
  return undefined;
}

/** Is there a place for a key in [start, end) whose longest prefix is that of range `at`? Longer prefixes cover parts of it. */
function decidesIn(claim: KeptClaim, at: number, start: Uint8Array, end: Uint8Array | undefined): boolean {
  const { prefix } = claim.ranges[at]!;
  const prefixBehind = prefixEnd(prefix);
  const last = end === undefined || (prefixBehind !== undefined && compare(prefixBehind, end) < 0) ? prefixBehind : end;
  let from = compare(start, prefix) > 0 ? start : prefix;
  for (let next = at + 1; next < claim.ranges.length; next++) {
    const longer = claim.ranges[next]!.prefix;
    if (!startsWith(longer, prefix)) break; // a prefix and what it begins stand together in order
    if (compare(longer, from) > 0) break; // a gap before it
    const behind = prefixEnd(longer);
    if (behind === undefined) return false;
    if (compare(behind, from) > 0) from = behind;
  }
  return last === undefined || compare(from, last) < 0;
}

function startsWith(key: Uint8Array, prefix: Uint8Array): boolean {
  if (key.length < prefix.length) return false;
  for (let at = 0; at < prefix.length; at++) if (key[at] !== prefix[at]) return false;
  return true;
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

/** @throws {SteleError} `invalid` RETENTION_RULES */
export function checkRules(rules: RetentionRules): void {
  const bad = (message: string): never => {
    throw new SteleError('invalid', 'RETENTION_RULES', message);
  };
  if (rules === null || typeof rules !== 'object') bad(`rules are ${typeof rules}, expected { rules: [...] }`);
  if (!Array.isArray(rules?.rules) || rules.rules.length === 0) bad('expected a list with at least the rule of the empty prefix');
  rules.rules.forEach((rule, at) => {
    if (!(rule.prefix instanceof Uint8Array)) bad(`rule ${at}: prefix is ${typeof rule.prefix}, expected bytes`);
    if (rule.prefix.length > KEY_BYTES_MAX) bad(`rule ${at}: a prefix of ${rule.prefix.length} bytes, expected at most ${KEY_BYTES_MAX}`);
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
