/**
 * A row of the benchmark: what is measured, on what data, and what counts as reached.
 *
 * A row that compares is run by every engine; a row of the kind "ours" has no counterpart elsewhere, its yardstick is a figure or a
 * ratio taken inside the same round. Bars and goals are those of the project's numbers; their wording stands beside the check.
 */

import type { Chunks, Pace } from './measure.ts';
import type { Level, Rival, RivalName, RivalOptions } from './rival.ts';

export interface Settings {
  /** Entries of the loaded set. */
  readonly keys: number;
  readonly rounds: number;
  /** A round starts no chunk after so many ms. */
  readonly roundMs: number;
  readonly cacheBytes: number;
  readonly seed: number;
}

/** What one round of one row gives: chunk rates, or named figures, or both. */
export interface RoundResult {
  readonly chunks?: Chunks;
  readonly figures?: Readonly<Record<string, number>>;
  /** Latencies of single calls in ms, pooled over the rounds into p50, p99, p99.9. */
  readonly latenciesMs?: readonly number[];
}

export type Round = (round: number) => Promise<RoundResult>;

/** What a row gets to work with. */
export interface Bench {
  readonly engine: RivalName;
  readonly rival: Rival;
  readonly settings: Settings;
  readonly directory: string;
  /** A directory of the session's own, removed with it. */
  readonly scratch: string;
  /** At most `operations` per round, never more than the loaded set is worth. */
  pace(operations: number, chunk: number): Pace;
  /** Another database of the same engine in a new directory below; closed with the session. */
  openAnother(name: string, options?: Partial<RivalOptions>): Promise<Rival>;
  /** Closes the session's database and opens it again. */
  reopen(options?: Partial<RivalOptions>): Promise<Rival>;
}

/** All checks of a target must hold. `figure` defaults to the row's own. */
export type Check =
  | { readonly timesBest: number; readonly figure?: string }
  | { readonly timesRival: number; readonly rival: RivalName; readonly figure?: string }
  | { readonly atLeast: number; readonly figure?: string }
  | { readonly atMost: number; readonly figure?: string };

export interface Target {
  readonly text: string;
  readonly checks: readonly Check[];
}

export interface Row {
  /** Word for --filter. */
  readonly name: string;
  readonly kind: 'rivals' | 'ours';
  readonly title: string;
  /** The figure that is shown first: `rate` (median chunk) unless the row says otherwise. */
  readonly figure: string;
  readonly unit: string;
  readonly better: 'more' | 'less';
  readonly engines: readonly RivalName[];
  /** loaded: `keys` entries. empty: a new database. */
  readonly data: 'loaded' | 'empty';
  /** The round changes the data: it gets a copy. */
  readonly changes: boolean;
  readonly durability: Level;
  readonly options?: (settings: Settings) => Partial<RivalOptions>;
  /** Flags of Node for the engine's process. */
  readonly nodeFlags?: readonly string[];
  /** Unmeasured rounds before the first. Default 1. */
  readonly warmups?: number;
  /** Rounds at most, for rows that repeat something long. */
  readonly roundsMax?: number;
  readonly bar: Target;
  readonly goal: Target;
  readonly prepare: (bench: Bench) => Promise<Round>;
}

export const everyEngine: readonly RivalName[] = ['stele', 'kernel', 'lmdb', 'sqlite', 'level', 'map'];
export const onDisk: readonly RivalName[] = everyEngine.filter((name) => name !== 'map');
/** The public surface, which is judged, and the byte interface below it. */
export const oursOnly: readonly RivalName[] = ['stele', 'kernel'];
/** What only the public surface has. */
export const surfaceOnly: readonly RivalName[] = ['stele'];

export const noTarget: Target = { text: '', checks: [] };

/** `1.8x best` and the like. */
export const best = (times: number, ...more: readonly Check[]): Target => ({
  text: `${times}x best`,
  checks: [{ timesBest: times }, ...more],
});
export const atMost = (value: number, text: string, figure?: string): Target => ({
  text: `≤ ${text}`,
  checks: [figure === undefined ? { atMost: value } : { atMost: value, figure }],
});
export const atLeast = (value: number, text: string, figure?: string): Target => ({
  text: `≥ ${text}`,
  checks: [figure === undefined ? { atLeast: value } : { atLeast: value, figure }],
});

type Given = Pick<Row, 'name' | 'title' | 'bar' | 'goal' | 'prepare'> & Partial<Row>;

/** A row with the usual settings: compared, operations per second, loaded data, async. */
export function row(given: Given): Row {
  return {
    kind: 'rivals',
    figure: 'rate',
    unit: 'ops/s',
    better: 'more',
    engines: everyEngine,
    data: 'loaded',
    changes: false,
    durability: 'async',
    ...given,
  };
}

/** A row of our own: only Stele unless it says otherwise. */
export function ownRow(given: Given): Row {
  return row({ kind: 'ours', engines: oursOnly, ...given });
}
