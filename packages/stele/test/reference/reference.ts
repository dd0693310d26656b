/**
 * The executable reference: what the kernel means, in plain code.
 *
 * A database is a list of commits. A commit is a version, a time and at most one effect per key. Everything else is
 * a question put to that list. Nothing here is fast, cached or clever; where the engine and this file differ, one of
 * them is wrong, and spec/transactions.md says which.
 *
 * Invariants
 * - Versions are dense from 1; times never decrease; version 0 is the empty database at time 0.
 * - Effects of a commit are sorted by key; a delete is an effect only where something was live.
 *
 * Specification: spec/transactions.md, section by section.
 */

import { SteleError } from '../../src/base/errors.ts';
import type { Entry, HistoryEntry, KeyRange, Operation, RetentionRules, ScanRange } from '../../src/txn/types.ts';
import { inRange, keyBytes, keyText, lowerBound, onlyKey, type TextRange, textRange } from './keys.ts';
import { type Instant, Retention, type TextRule } from './retention.ts';

/** What a commit did to one key. */
export interface Effect {
  readonly key: string;
  /** undefined = deleted. */
  readonly value: Uint8Array | undefined;
  readonly expiresAt: number | undefined;
  readonly version: number;
  /** The commit that last wrote or deleted the key before, 0 = none. */
  readonly previousVersion: number;
}

export interface ReferenceCommit {
  readonly timeMs: number;
  readonly assertedTimeMs: number | undefined;
  /** The greatest asserted time up to here, 0 = none yet. */
  readonly assertedMaxMs: number;
  readonly effects: readonly Effect[];
}

/** What every view is: a commit, and the time at which expiry is judged. */
export interface Moment {
  readonly version: number;
  readonly timeMs: number;
}

/** What a write answers. */
export interface Receipt extends Moment {
  readonly changed: number;
}

/** The reads a view and a transaction answer alike. */
export interface ReferenceReader {
  entry(key: Uint8Array): Entry | undefined;
  scan(range?: ScanRange): Entry[];
  /** As scan; joins no read set. */
  look(range?: ScanRange): Entry[];
  count(range?: KeyRange): number;
  nth(range: KeyRange, n: number): Entry | undefined;
  /** The engine may refuse this range with HISTORY_EXPIRED. */
  mayBeExpired(range: KeyRange): boolean;
}

const BEGINNING: ReferenceCommit = { timeMs: 0, assertedTimeMs: undefined, assertedMaxMs: 0, effects: [] };

export class Reference {
  /** Index = version. */
  readonly commits: ReferenceCommit[] = [BEGINNING];
  readonly #effects = new Map<string, Effect[]>(); // by key, oldest first
  readonly #keys: string[] = []; // every key ever written, sorted
  #retention: Retention;
  #nowMs = 0;

  constructor(historyMs = Infinity) {
    this.#retention = new Retention(historyMs, (timeMs, version) => this.versionAtTime(timeMs, version));
  }

  get version(): number {
    return this.commits.length - 1;
  }

  timeOf(version: number): number {
    return this.#commit(version).timeMs;
  }

  // ---- time

  /** Hybrid time: the clock, but never less than any time given out before. */
  now(clockMs: number): number {
    this.#nowMs = Math.max(this.#nowMs, clockMs);
    return this.#nowMs;
  }

  /** Newest version, among those up to `limit`, recorded at or before `timeMs`. */
  versionAtTime(timeMs: number, limit = this.version): number {
    return this.#newest(Math.min(limit, this.version), (commit) => commit.timeMs <= timeMs);
  }

  /** Newest version whose running maximum of asserted time is at most `timeMs`. */
  versionAtAsserted(timeMs: number): number {
    return this.#newest(this.version, (commit) => commit.assertedMaxMs <= timeMs);
  }

  // ---- reading

  /** The effect on `key` that is newest at `version`, whatever it was. */
  effectAt(key: string, version: number): Effect | undefined {
    const effects = this.#effects.get(key) ?? [];
    let low = 0;
    let high = effects.length; // first effect above the version
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((effects[middle] as Effect).version <= version) low = middle + 1;
      else high = middle;
    }
    return effects[low - 1];
  }

  /** Written, not deleted, and `at.timeMs` is before its `expiresAt`. */
  isLive(key: string, at: Moment): boolean {
    const effect = this.effectAt(key, at.version);
    return effect?.value !== undefined && (effect.expiresAt === undefined || at.timeMs < effect.expiresAt);
  }

  entryAt(key: string, at: Moment): Entry | undefined {
    const effect = this.effectAt(key, at.version);
    if (effect?.value === undefined || !this.isLive(key, at)) return undefined;
    return { key: keyBytes(key), value: effect.value, version: effect.version, expiresAt: effect.expiresAt };
  }

  /** Every key ever written in the range, ascending. */
  keysIn(range: TextRange): string[] {
    const end = range.end === undefined ? this.#keys.length : lowerBound(this.#keys, range.end);
    return this.#keys.slice(lowerBound(this.#keys, range.start), Math.max(end, 0));
  }

  /** A view; `opened` is the instant whose promises it holds on to. */
  view(at: Moment, opened: Instant = this.instant()): ReferenceReader & Moment {
    const live = (range: KeyRange | undefined) => this.keysIn(textRange(range)).filter((key) => this.isLive(key, at));
    const entry = (key: string) => this.entryAt(key, at) as Entry;
    const scan = (range?: ScanRange) => cut(live(range), range, entry);
    return {
      ...at,
      entry: (key) => this.entryAt(keyText(key), at),
      scan,
      look: scan,
      count: (range) => live(range).length,
      nth: (range, n) =>
        live(range)
          .slice(n, n + 1)
          .map(entry)[0],
      mayBeExpired: (range) => isBelow(at, this.horizonOf(textRange(range), opened)),
    };
  }

  /** Newest first, ends by expiry included, judged now: the whole truth, kept or not. */
  history(key: string, nowMs: number): HistoryEntry[] {
    const lines: HistoryEntry[] = [];
    let endMs = nowMs;
    for (const { value, version, expiresAt } of [...(this.#effects.get(key) ?? [])].reverse()) {
      const timeMs = this.timeOf(version);
      if (expiresAt !== undefined && expiresAt <= endMs) {
        lines.push({ value: undefined, version, timeMs: Math.max(expiresAt, timeMs), expired: true });
      }
      lines.push({ value, version, timeMs, expired: false });
      endMs = timeMs;
    }
    return lines;
  }

  /** How many of those lines, from the newest, the engine must know. */
  historyPromised(key: string, lines: readonly HistoryEntry[]): number {
    const { version, timeMs } = this.horizonOf(onlyKey(key), this.instant());
    const horizon = { version, timeMs: Math.max(timeMs, this.timeOf(version)) };
    const shown = this.entryAt(key, horizon)?.version;
    const promised = (line: HistoryEntry) =>
      line.version > version || (line.expired ? line.timeMs > horizon.timeMs : line.version === shown);
    return lines.findLastIndex(promised) + 1;
  }

  // ---- writing

  /**
   * Conditions against the state before, then the last effect per key; deleting nothing writes nothing, and without
   * an effect there is no commit.
   *
   * @throws {SteleError} `conflict` VERSION_MISMATCH
   */
  commit(operations: readonly Operation[], nowMs: number, assertedTimeMs?: number): Receipt {
    const before: Moment = { version: this.version, timeMs: nowMs };
    for (const operation of operations) {
      if (operation.type === 'deleteRange' || operation.ifVersion === undefined) continue;
      const found = this.entryAt(keyText(operation.key), before)?.version ?? 0;
      if (found !== operation.ifVersion) {
        throw new SteleError('conflict', 'VERSION_MISMATCH', `found ${found}, expected ${operation.ifVersion}`);
      }
    }
    const last = new Map<string, { value: Uint8Array | undefined; expiresAt: number | undefined }>();
    const gone = { value: undefined, expiresAt: undefined };
    for (const operation of operations) {
      if (operation.type === 'put') {
        const expiresAt = operation.ttlMs === undefined ? operation.expiresAt : nowMs + operation.ttlMs;
        last.set(keyText(operation.key), { value: operation.value, expiresAt });
      } else if (operation.type === 'delete') {
        last.set(keyText(operation.key), gone);
      } else if (operation.type === 'deleteRange') {
        const range = textRange(operation);
        for (const key of this.keysIn(range)) last.set(key, gone);
        for (const key of last.keys()) if (inRange(key, range)) last.set(key, gone);
      }
    }
    const version = this.version + 1;
    const effects = [...last]
      .filter(([key, { value }]) => value !== undefined || this.entryAt(key, before) !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, what]): Effect => ({ key, ...what, version, previousVersion: this.#previous(key) }));
    if (effects.length === 0) return { version: this.version, timeMs: this.timeOf(this.version), changed: 0 };
    const assertedMaxMs = Math.max(this.#commit(this.version).assertedMaxMs, assertedTimeMs ?? 0);
    this.commits.push({ timeMs: nowMs, assertedTimeMs, assertedMaxMs, effects });
    for (const effect of effects) this.#remember(effect);
    return { version, timeMs: nowMs, changed: effects.length };
  }

  /** What is left after a crash: the commits up to `version`, and no memory of a time given out later. */
  cutBack(version: number): void {
    for (const commit of this.commits.splice(version + 1)) {
      for (const { key } of commit.effects) (this.#effects.get(key) as Effect[]).pop();
    }
    this.#nowMs = this.timeOf(version);
  }

  // ---- retention

  get rules(): readonly TextRule[] {
    return this.#retention.rules;
  }

  setRetention(rules: RetentionRules, nowMs: number): void {
    this.#retention.set(rules, this.version, nowMs);
  }

  instant(): Instant {
    return { version: this.version, nowMs: this.#nowMs, epochs: this.#retention.epochs };
  }

  /** Views of this range may be refused below. */
  horizonOf(range: TextRange, at: Instant): Moment {
    return this.#retention.horizonOf(range, at);
  }

  /** `changes(from)` may be refused below this. */
  changesDroppableBelow(): number {
    return this.#retention.logDroppableThrough(this.instant());
  }

  #commit(version: number): ReferenceCommit {
    const commit = this.commits[version];
    if (commit === undefined) throw new RangeError(`version ${version} of ${this.version}`);
    return commit;
  }

  #previous(key: string): number {
    return this.#effects.get(key)?.at(-1)?.version ?? 0;
  }

  #remember(effect: Effect): void {
    const effects = this.#effects.get(effect.key);
    if (effects !== undefined) effects.push(effect);
    else {
      this.#effects.set(effect.key, [effect]);
      this.#keys.splice(lowerBound(this.#keys, effect.key), 0, effect.key);
    }
  }

  /** Greatest version up to `limit` for which the claim, true first and false later, holds. */
  #newest(limit: number, claim: (commit: ReferenceCommit) => boolean): number {
    let low = 0;
    let high = limit;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (claim(this.#commit(middle))) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Below in version or in time: a refusal is allowed. */
export function isBelow(view: Moment, horizon: Moment): boolean {
  return view.version < horizon.version || view.timeMs < horizon.timeMs;
}

/** Applies `reverse`, `limit` and `values` of a scan to the live keys of its range. */
export function cut(keys: string[], range: ScanRange = {}, entryOf: (key: string) => Entry): Entry[] {
  const ordered = range.reverse === true ? keys.reverse() : keys;
  const entries = (range.limit === undefined ? ordered : ordered.slice(0, range.limit)).map(entryOf);
  return range.values === false ? entries.map((entry) => ({ ...entry, value: new Uint8Array(0) })) : entries;
}
