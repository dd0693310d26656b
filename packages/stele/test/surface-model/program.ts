/**
 * Programs for the surface: steps as plain data, so that they can be printed, cut down and run again.
 *
 * Paths are text of the path grammar. Values are places in a table, or a size. A condition is a guess (right, none, wrong), since the version it stands for is
 * known only when it runs. ms of null is Infinity.
 */

import type { Durability, Value } from '../../src/model/types.ts';
import type { Read } from './answers.ts';

/** How the database of a program is opened. */
export interface Setup {
  readonly seed: number;
  readonly durability: Durability;
  readonly historyMs: number | null;
  readonly cacheMemory: number;
  readonly segmentBytes: number;
  readonly pageSize: number;
  readonly accelerator: boolean;
  /** Each look at the monotonic clock takes time: background work is done in slices. */
  readonly ticks: boolean;
  readonly syncStyle: 'barrier' | 'writeThrough';
  /** A reading thread, here on this one. */
  readonly thread: boolean;
}

export type Guess = 'right' | 'none' | 'wrong';

/** `ttl` and `expiresAt` as given; `inMs` from now. */
export type LifeText = { readonly ttl: number | null } | { readonly inMs: number };

/** A place in {@link VALUES}, or bytes of that length. */
export type ValueText = number | { readonly bytes: number; readonly first: number };

export type WriteText =
  | {
      readonly do: 'put';
      readonly path: string;
      readonly value: ValueText;
      readonly life?: LifeText;
      readonly if?: Guess;
      readonly stamp?: true;
    }
  | { readonly do: 'delete'; readonly path: string; readonly if?: Guess }
  | { readonly do: 'check'; readonly path: string; readonly if: Guess }
  | { readonly do: 'increment'; readonly path: string; readonly delta: number; readonly if?: Guess }
  | { readonly do: 'deleteTree'; readonly path: string }
  | { readonly do: 'putTree'; readonly path: string; readonly tree: number; readonly merge?: true; readonly life?: LifeText }
  | { readonly do: 'batch'; readonly ops: readonly WriteText[] };

export interface OptionTexts {
  readonly durability?: Durability;
  readonly asserted?: number;
  readonly actor?: string;
  readonly reason?: string;
  readonly once?: string;
}

export interface PolicyText {
  readonly ttl?: number | null;
  readonly history?: number | null;
  readonly durability?: Durability;
  /** Name → place in {@link INDEXES}. */
  readonly index?: Readonly<Record<string, number>>;
}

/** Which reader is asked: the database, the reading thread, or the view or the transaction in a slot. */
export type Asked = 'now' | 'thread' | { readonly view: number } | { readonly txn: number };

/** A written step is asked of the handle at `at`; its paths are relative to that. */
export type Step =
  | { readonly step: 'read'; readonly of: Asked; readonly at: string; readonly read: Read }
  | {
      readonly step: 'write';
      readonly how: 'sync' | 'async';
      readonly at: string;
      readonly write: WriteText;
      readonly options?: OptionTexts;
      /** The identity of the handle. */
      readonly as?: string;
    }
  /** Issued in one go, awaited afterwards. */
  | { readonly step: 'together'; readonly at: string; readonly writes: readonly WriteText[]; readonly options?: OptionTexts }
  | {
      readonly step: 'transact';
      readonly how: 'sync' | 'async';
      readonly at: string;
      readonly reads: readonly Read[];
      readonly writes: readonly WriteText[];
      /** Committed by another between the reads and the end of the first run. */
      readonly rival: readonly WriteText[];
      readonly options?: OptionTexts;
    }
  | { readonly step: 'begin'; readonly slot: number; readonly options?: OptionTexts }
  | { readonly step: 'own'; readonly slot: number; readonly at: string; readonly write: WriteText }
  | { readonly step: 'commit'; readonly slot: number; readonly how: 'sync' | 'async' }
  | { readonly step: 'abort'; readonly slot: number }
  | { readonly step: 'declare'; readonly path: string; readonly policy: PolicyText; readonly as?: string }
  | { readonly step: 'rebuild'; readonly path: string; readonly name: string }
  | { readonly step: 'policy'; readonly of: 'now' | { readonly view: number }; readonly path: string }
  | {
      readonly step: 'lookup';
      readonly of: 'now' | { readonly view: number } | { readonly txn: number };
      readonly path: string;
      readonly name: string;
      readonly key: readonly number[];
    }
  /** Time passes, with everything that is due; or the wall clock alone is set. */
  | { readonly step: 'time'; readonly how: 'pass' | 'jump'; readonly ms: number }
  | {
      readonly step: 'open';
      readonly slot: number;
      readonly as: 'snapshot' | 'version' | 'time' | 'asserted';
      readonly back: number;
      readonly skipExpired?: true;
    }
  | { readonly step: 'close'; readonly slot: number }
  | {
      readonly step: 'history';
      readonly of: 'now' | { readonly view: number };
      readonly at: string;
      readonly path: string;
      readonly limit?: number;
    }
  | { readonly step: 'diff'; readonly from: number; readonly to: number; readonly at: string; readonly prefix?: string }
  /** `back` versions ago, or on from where the slot stopped. */
  | {
      readonly step: 'changes';
      readonly slot: number;
      readonly at: string;
      readonly prefix: string;
      readonly back?: number;
      readonly take: number;
    }
  /** Told of what comes: by calls, or by a stream that waits. */
  | { readonly step: 'watch'; readonly slot: number; readonly at: string; readonly prefix: string; readonly by: 'call' | 'stream' }
  | { readonly step: 'unwatch'; readonly slot: number }
  /** An iterator held open over other steps. */
  | {
      readonly step: 'walk';
      readonly slot: number;
      readonly of: Asked;
      readonly at: string;
      readonly read: Extract<Read, { ask: 'scan' | 'children' }>;
    }
  | { readonly step: 'stride'; readonly slot: number; readonly rows: number }
  | { readonly step: 'audit'; readonly of: Asked }
  | { readonly step: 'care'; readonly what: 'flush' | 'compact' | 'sync' | 'verify' | 'idle' }
  | { readonly step: 'reopen'; readonly historyMs?: number | null; readonly durability?: Durability }
  /** The power goes, or the process dies, at the n-th storage operation of what is done meanwhile. */
  | { readonly step: 'crash'; readonly how: 'kill' | 'power'; readonly operation: number; readonly during: readonly Step[] }
  | { readonly step: 'backup'; readonly history: boolean }
  /** Many rows, or large ones, below `n`: one batch. */
  | { readonly step: 'bulk'; readonly first: number; readonly count: number; readonly bytes: number; readonly how: 'sync' | 'async' };

export interface Program {
  readonly setup: Setup;
  readonly steps: readonly Step[];
}

const LONG = 'x'.repeat(1200);

/** What is put; the first are the fields of records. */
export const VALUES: readonly Value[] = [
  'a',
  'b',
  'c',
  '',
  'ä',
  '\ud83d\ude00',
  0,
  1,
  2,
  -1,
  1.5,
  1n,
  true,
  false,
  null,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -0,
  10n ** 30n,
  new Date(1),
  new Date(86_400_000),
  new Uint8Array(),
  new Uint8Array([0, 255]),
  '\ud800',
  2 ** 53 - 1,
  -(2 ** 53),
  1e300,
  LONG,
  {},
  [],
  { name: 'a' },
  { name: 'b', email: 'a@x', age: 3 },
  { name: 'c', email: 'b@x' },
  { name: 'd', address: { city: 'Rome' }, age: 3 },
  { email: 'a@x', address: { city: 'Oslo', zip: 1 } },
  { name: LONG },
  { city: 'Rome' },
  { city: 'Oslo', '': 1 },
  [1, [2, { a: new Date(5) }]],
  { b: 1, a: new Uint8Array([1, 2, 3]) },
  { kind: 1 },
  'some words that are a little longer than the others',
  { name: 'a', age: 4 },
  { tags: ['t', 'u'] },
];

/** What is put as a tree. */
export const TREES: readonly Value[] = [
  { name: 'a', email: 'a@x' },
  { name: 'b', address: { city: 'Rome', zip: 7 } },
  { '': { name: 'd' }, age: 5 },
  [1, 'two', [3, { four: 4 }]],
  { '#42': 'number', '0x00ff': 'bytes', '#true': true, deep: { er: { est: 1 } } },
  { a: 1, b: { c: 2, '': 3 }, d: [] },
  'a leaf',
  {},
  { ada: { name: 'x' }, bob: { name: 'y', email: 'c@x' } },
  { x: Number.NaN, y: -0, z: 10n ** 20n, w: new Date(7), v: new Uint8Array([9]) },
  { ada: { name: 'same' }, bob: { name: 'same' } },
];

export const DELTAS: readonly (number | bigint)[] = [1, -1, 5, 0.5, 2 ** 53 - 1, 1n, 10n ** 20n, -(10n ** 20n), 0];

export interface IndexText {
  readonly fields: readonly string[];
  readonly unique: boolean;
}

export const INDEXES: readonly IndexText[] = [
  { fields: ['name'], unique: false },
  { fields: ['name'], unique: true },
  { fields: ['email'], unique: false },
  { fields: ['address/city', 'age'], unique: false },
  { fields: [''], unique: false },
  { fields: ['name', 'email'], unique: true },
  { fields: ['kind'], unique: false },
  { fields: ['tags/#1'], unique: false },
];

export const msOf = (given: number | null): number => given ?? Infinity;

export function putValue(given: ValueText): Value {
  return typeof given === 'number' ? VALUES[given]! : new Uint8Array(given.bytes).fill(given.first);
}

/** Rows of a bulk step: the path below `n`, and the value. */
export function bulkRows({ first, count, bytes }: { first: number; count: number; bytes: number }): [number, Value][] {
  return Array.from({ length: count }, (_, at) => {
    const number = first + at;
    return [number, bytes === 0 ? { kind: number % 7 } : new Uint8Array(bytes).fill(number)];
  });
}

/** JSON in which every character can be seen. */
export function printable(part: unknown): string {
  return JSON.stringify(part).replaceAll(/[\x7f-\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
