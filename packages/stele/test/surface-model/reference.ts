/**
 * The executable reference of the surface: what the public calls mean, in plain code.
 *
 * A database is a list of commits; a commit is a version, a time, who and why, at most one effect per path, and the catalog of what is declared. Every
 * read is computed from that list. Nothing here is fast, cached or clever; where the database and this differ, one of them is wrong.
 *
 * Invariants
 * - Versions are dense from 1; times never decrease; version 0 is the empty database at time 0.
 * - Effects of a commit are sorted by path; a delete is an effect only where something was live.
 *
 * Specification: spec/transactions.md, spec/policies.md, spec/model.md.
 */

import { isDeepStrictEqual } from 'node:util';
import type { Durability, Segment, Value } from '../../src/model/types.ts';
import { Catalog, type Wanted, wantedAgain } from './catalog.ts';
import { breaksUnique, checkRecords, recordsOf } from './indexed.ts';
import { type Horizon, type Instant, Kept, type Zone } from './kept.ts';
import { below, comparePoints, nameOf, type Stretch } from './paths.ts';
import { Refusal } from './refusal.ts';
import type { Leaf, Moment, Sight, Written } from './sight.ts';

export interface Effect extends Written {
  readonly version: number;
  /** The commit that last wrote or deleted the path before, 0 = none. */
  readonly previousVersion: number;
}

export interface Author {
  readonly actor?: string;
  readonly reason?: string;
}

export interface RefCommit extends Author {
  readonly timeMs: number;
  readonly assertedMs: number | undefined;
  /** The greatest asserted time up to here, 0 = none yet. */
  readonly assertedMaxMs: number;
  readonly effects: readonly Effect[];
  readonly once: string | undefined;
  /** Given to whoever repeats the key. */
  readonly result: Value | undefined;
  readonly catalog: Catalog;
}

export interface CommitAs extends Author {
  readonly once?: string;
  readonly result?: Value | undefined;
  readonly asserted?: number;
}

/** What a write answers. */
export interface Receipt extends Moment {
  readonly changed: number;
  /** Entries of indexes count too, and are not known here. */
  readonly isExact: boolean;
  /** The level it must have reached by what was declared. */
  readonly level: Durability | undefined;
}

export interface HistoryLine extends Author {
  readonly value: Value | undefined;
  readonly version: number;
  readonly timeMs: number;
  readonly expired: boolean;
}

/** A sight whose past may be forgotten. */
export interface RefView extends Sight {
  readonly opened: Instant;
  mayRefuse(zones: readonly Zone[]): boolean;
}

export class Reference {
  readonly commits: RefCommit[];
  readonly kept: Kept;
  readonly #effects = new Map<string, Effect[]>(); // by path, oldest first
  readonly #paths: (readonly Segment[])[] = []; // every path ever written, sorted
  databaseMs: number;
  #nowMs = 0;

  constructor(databaseMs: number) {
    const nothing = { timeMs: 0, assertedMs: undefined, assertedMaxMs: 0, effects: [], once: undefined, result: undefined };
    this.databaseMs = databaseMs;
    this.commits = [{ ...nothing, catalog: new Catalog() }];
    this.kept = new Kept(this.catalog.historyRules(databaseMs), (timeMs, version) => this.versionAtTime(timeMs, version));
  }

  get version(): number {
    return this.commits.length - 1;
  }

  get catalog(): Catalog {
    return this.commits.at(-1)!.catalog;
  }

  timeOf(version: number): number {
    return this.commits[version]!.timeMs;
  }

  // ---- time

  /** Hybrid time: the clock, but never less than any time given out before. */
  now(clockMs: number): number {
    this.#nowMs = Math.max(this.#nowMs, clockMs);
    return this.#nowMs;
  }

  versionAtTime(timeMs: number, limit = this.version): number {
    let version = Math.min(limit, this.version);
    while (version > 0 && this.timeOf(version) > timeMs) version--;
    return version;
  }

  versionAtAsserted(timeMs: number): number {
    let { version } = this;
    while (version > 0 && this.commits[version]!.assertedMaxMs > timeMs) version--;
    return version;
  }

  // ---- seeing

  /** The effect on a path that is newest at a version, whatever it was. */
  effectAt(path: readonly Segment[], version: number): Effect | undefined {
    return this.#effects.get(nameOf(path))?.findLast((effect) => effect.version <= version);
  }

  #leafAt(path: readonly Segment[], at: Moment): Leaf | undefined {
    const effect = this.effectAt(path, at.version);
    if (effect?.value === undefined || (effect.expiresAt !== 0 && effect.expiresAt <= at.timeMs)) return undefined;
    return effect as Leaf;
  }

  /** Every path ever written there. */
  #pathsIn({ start, end }: Stretch): (readonly Segment[])[] {
    let from = 0;
    for (let high = this.#paths.length; from < high; ) {
      const middle = (from + high) >>> 1;
      if (comparePoints(this.#paths[middle]!, start) < 0) from = middle + 1;
      else high = middle;
    }
    let to = from;
    while (to < this.#paths.length && comparePoints(this.#paths[to]!, end) < 0) to++;
    return this.#paths.slice(from, to);
  }

  /** `opened` is the instant whose promises a view holds on to. */
  view(at: Moment, opened: Instant = this.instant()): RefView {
    return {
      at,
      opened,
      leaf: (path) => this.#leafAt(path, at),
      leaves: (stretch) => this.#pathsIn(stretch).flatMap((path) => this.#leafAt(path, at) ?? []),
      mayRefuse: (zones) => {
        const horizon = this.kept.horizonOf(zones, opened);
        return at.version < horizon.version || at.timeMs < horizon.timeMs;
      },
    };
  }

  instant(): Instant {
    return { version: this.version, nowMs: this.#nowMs, epochs: this.kept.epochs };
  }

  /** Was something below the stretch written after `version`, or did something live at the moment expire by `nowMs`? */
  isTouched(stretch: Stretch, since: Moment, nowMs: number): boolean {
    return this.#pathsIn(stretch).some((path) => {
      if ((this.effectAt(path, this.version)?.version ?? 0) > since.version) return true;
      const { expiresAt = 0 } = this.#leafAt(path, since) ?? {};
      return expiresAt !== 0 && expiresAt <= nowMs;
    });
  }

  /** Newest first, ends by expiry included: the whole truth, kept or not. */
  history(path: readonly Segment[], nowMs: number): HistoryLine[] {
    const lines: HistoryLine[] = [];
    let endMs = nowMs;
    for (const { value, version, expiresAt } of (this.#effects.get(nameOf(path)) ?? []).toReversed()) {
      const { timeMs, actor, reason } = this.commits[version]!;
      if (expiresAt !== 0 && expiresAt <= endMs)
        lines.push({ value: undefined, version, timeMs: Math.max(expiresAt, timeMs), expired: true });
      lines.push({
        value,
        version,
        timeMs,
        expired: false,
        ...(actor === undefined ? {} : { actor }),
        ...(reason === undefined ? {} : { reason }),
      });
      endMs = timeMs;
    }
    return lines;
  }

  /** How many of those lines, from the newest, must be known. */
  historyPromised(path: readonly Segment[], lines: readonly HistoryLine[]): number {
    const { version, timeMs }: Horizon = this.kept.horizonOf([{ path }], this.instant());
    const horizon = { version, timeMs: Math.max(timeMs, this.timeOf(version)) };
    const shown = this.#leafAt(path, horizon)?.version;
    const isPromised = (line: HistoryLine): boolean =>
      line.version > version || (line.expired ? line.timeMs > horizon.timeMs : line.version === shown);
    return lines.findLastIndex(isPromised) + 1;
  }

  /** The commit made under an idempotency key. */
  first(once: string | undefined): { version: number; commit: RefCommit } | undefined {
    if (once === undefined) return undefined;
    const version = this.commits.findIndex((commit) => commit.once === once);
    return version < 0 ? undefined : { version, commit: this.commits[version]! };
  }

  // ---- writing

  /** One effect per path. Without an effect and without a key to remember there is no commit: then undefined. */
  commit(written: Iterable<Written>, as: CommitAs, nowMs: number): number | undefined {
    const before: Moment = { version: this.version, timeMs: nowMs };
    const version = this.version + 1;
    const effects = [...written]
      .filter(({ path, value }) => value !== undefined || this.#leafAt(path, before) !== undefined)
      .sort((a, b) => comparePoints(a.path, b.path))
      .map((one): Effect => ({ ...one, version, previousVersion: this.effectAt(one.path, this.version)?.version ?? 0 }));
    if (effects.length === 0 && as.once === undefined) return undefined;
    this.#push(effects, this.catalog, as, nowMs);
    return version;
  }

  #push(effects: readonly Effect[], catalog: Catalog, { once, result, asserted, actor, reason }: CommitAs, nowMs: number): void {
    const assertedMaxMs = Math.max(this.commits.at(-1)!.assertedMaxMs, asserted ?? 0);
    const author = { ...(actor === undefined ? {} : { actor }), ...(reason === undefined ? {} : { reason }) };
    this.commits.push({ timeMs: nowMs, assertedMs: asserted, assertedMaxMs, effects, once, result, catalog, ...author });
    for (const effect of effects) this.#remember(effect);
  }

  #remember(effect: Effect): void {
    const name = nameOf(effect.path);
    const known = this.#effects.get(name);
    if (known !== undefined) return void known.push(effect);
    this.#effects.set(name, [effect]);
    let at = this.#paths.length;
    while (at > 0 && comparePoints(this.#paths[at - 1]!, effect.path) > 0) at--;
    this.#paths.splice(at, 0, effect.path);
  }

  // ---- declaring

  /** @throws {Refusal} INDEX_UNIQUE, INDEX_KEY_TOO_LONG: then what was declared before is declared again */
  declare(path: readonly Segment[], wanted: Wanted, who: Author, nowMs: number): void {
    const before = this.catalog.at(path);
    const isFilled = (): boolean => this.view({ version: this.version, timeMs: nowMs }).leaves(below(path)).length > 0;
    const next = this.catalog.declare(path, wanted, isFilled());
    if (next !== undefined) this.#adopt(next, who, nowMs);
    try {
      this.upkeep(path, who, nowMs);
    } catch (error) {
      if (!(error instanceof Refusal) || next === undefined) throw error;
      const again = this.catalog.declare(path, wantedAgain(before), isFilled());
      if (again !== undefined) this.#adopt(again, who, nowMs);
      this.upkeep(path, who, nowMs);
      throw error;
    }
  }

  /** @throws {Refusal} INDEX_MISSING */
  rebuild(path: readonly Segment[], name: string, nowMs: number): void {
    const isFilled = this.view({ version: this.version, timeMs: nowMs }).leaves(below(path)).length > 0;
    const next = this.catalog.rebuild(path, name, isFilled);
    if (next === undefined) throw new Refusal('INDEX_MISSING');
    this.#adopt(next, {}, nowMs);
    this.upkeep(path, {}, nowMs);
  }

  /** Builds and drops what is to be; without a path anywhere. */
  upkeep(path: readonly Segment[] | undefined, who: Author, nowMs: number): void {
    for (;;) {
      const one = this.catalog.unfinished(path);
      if (one === undefined) return;
      const { path: place, index } = one;
      if (index.state === 'dropping') {
        this.#adopt(this.catalog.dropped(place, index), who, nowMs);
        continue;
      }
      const view = this.view({ version: this.version, timeMs: nowMs });
      try {
        checkRecords(view.leaves(below(place)), place, index, nowMs);
        if (index.unique && breaksUnique(view, place, index)) throw new Refusal('INDEX_UNIQUE');
      } catch (error) {
        this.#adopt(this.catalog.refused(place, index), who, nowMs);
        throw error;
      }
      this.#adopt(this.catalog.built(place, index, recordsOf(view, place)), who, nowMs);
    }
  }

  #adopt(catalog: Catalog, who: Author, nowMs: number): void {
    this.#push([], catalog, who, nowMs);
    this.#setRules(nowMs);
  }

  #setRules(nowMs: number): void {
    const rules = this.catalog.historyRules(this.databaseMs);
    if (!isDeepStrictEqual(rules, this.kept.rules)) this.kept.set(rules, this.version, nowMs);
  }

  // ---- closing and crashing

  /** What is left: the commits up to `version`, no memory of a time given out later, and of the rules what both sets keep. */
  cutBack(version: number): void {
    const endMs = this.#nowMs;
    for (const { effects } of this.commits.splice(version + 1)) {
      for (const { path } of effects) {
        const known = this.#effects.get(nameOf(path))!;
        known.pop();
        if (known.length > 0) continue;
        this.#effects.delete(nameOf(path));
        this.#paths.splice(
          this.#paths.findIndex((one) => comparePoints(one, path) === 0),
          1,
        );
      }
    }
    this.kept.cutBack(version);
    this.#setRules(endMs);
    this.#nowMs = this.timeOf(version);
  }

  /** Opened with another history of the database's own. */
  setDatabaseHistory(databaseMs: number, nowMs: number): void {
    this.databaseMs = databaseMs;
    this.#setRules(nowMs);
  }
}
