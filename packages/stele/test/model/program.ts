/**
 * A program: what a model run does, as plain data.
 *
 * Every subset of the steps of a program is a program: a step that finds its slot empty does nothing, versions are
 * given as distances from the newest, conditions as guesses that are resolved when the step runs. So a failing program
 * can be cut down step by step, and printed as JSON it can be run again.
 *
 * A file of types, and the few functions that turn the data into arguments.
 */

import type { Durability, Operation } from '../../src/txn/types.ts';
import { keyBytes } from '../reference/keys.ts';
import type { TextRule } from '../reference/retention.ts';
import { SeededRandom } from './random.ts';

/** How the database is opened. */
export interface Setup {
  readonly pageSize: number;
  readonly cacheMemory: number;
  readonly segmentBytes: number;
  /** ms; null = Infinity, because JSON has no such number. */
  readonly historyMs: number | null;
  readonly durability: Durability;
  readonly accelerator: boolean;
  /** A reading thread is attached all the time. */
  readonly thread: boolean;
}

/** `bytes` bytes of {@link stone}, from `at`. */
export interface ValueText {
  readonly at: number;
  readonly bytes: number;
}

/** A condition: `right` = what the reference has now, `none` = 0, `wrong` = a version it has not. */
export type Guess = 'right' | 'none' | 'wrong';

/** `inMs`: expires at hybrid time + inMs (may lie in the past); `ttlMs` as such. */
export type Write =
  | {
      readonly do: 'put';
      readonly key: string;
      readonly value: ValueText;
      readonly ttlMs?: number;
      readonly inMs?: number;
      readonly if?: Guess;
    }
  | { readonly do: 'delete'; readonly key: string; readonly if?: Guess }
  | { readonly do: 'check'; readonly key: string; readonly if: Guess }
  | { readonly do: 'deleteRange'; readonly start: string; readonly end: string };

export interface Span {
  readonly start?: string;
  readonly end?: string;
}

export type Read =
  | { readonly ask: 'get' | 'has' | 'entry' | 'read' | 'getAsync'; readonly key: string }
  | { readonly ask: 'getMany' | 'getManyAsync' | 'readMany'; readonly keys: readonly string[] }
  | {
      readonly ask: 'scan' | 'forEach';
      readonly span: Span;
      readonly reverse?: boolean;
      readonly limit?: number;
      readonly values?: false;
      readonly stopAfter?: number;
    }
  | { readonly ask: 'count' | 'first' | 'last'; readonly span: Span }
  | { readonly ask: 'nth'; readonly span: Span; readonly n: number }
  /** The invariants of a view: count = length of scan, get = scan, nth = scan, halves add up. */
  | { readonly ask: 'audit' };

/** Which reader is asked: the engine, the reading thread, or the view or the transaction in a slot. */
export type Asked = 'engine' | 'thread' | { readonly view: number } | { readonly txn: number };

export type Step =
  | {
      readonly step: 'write';
      readonly how: 'put' | 'putSync' | 'batch' | 'batchSync';
      readonly writes: readonly Write[];
      readonly durability?: Durability;
      readonly asserted?: number;
    }
  /** Several batches issued in one go, awaited afterwards; `reads` are asked with getManyAsync before the batch of their index. */
  | {
      readonly step: 'together';
      readonly batches: readonly (readonly Write[])[];
      readonly reads?: readonly (readonly string[])[];
      readonly durability?: Durability;
    }
  | { readonly step: 'clock'; readonly ms: number }
  | { readonly step: 'read'; readonly of: Asked; readonly read: Read }
  | {
      readonly step: 'open';
      readonly slot: number;
      readonly as: 'snapshot' | 'thread' | 'version' | 'time' | 'asserted';
      readonly back: number;
      readonly skipExpired?: true;
    }
  | { readonly step: 'close'; readonly slot: number }
  | { readonly step: 'begin'; readonly slot: number }
  | { readonly step: 'own'; readonly slot: number; readonly write: Write }
  | { readonly step: 'commit'; readonly slot: number; readonly sync: boolean }
  | { readonly step: 'abort'; readonly slot: number }
  /** `engine.transact`, async inside; `rival` is committed by another between the reads and the end of the first try. */
  | {
      readonly step: 'transact';
      readonly reads: readonly Read[];
      readonly writes: readonly Write[];
      readonly rival: readonly Write[];
      readonly waitMs: number;
    }
  /** An iterator held open over other steps. */
  | { readonly step: 'walk'; readonly slot: number; readonly of: Asked; readonly span: Span; readonly reverse: boolean }
  | { readonly step: 'stride'; readonly slot: number; readonly entries: number }
  | { readonly step: 'history'; readonly key: string; readonly limit?: number }
  | { readonly step: 'changes'; readonly back: number }
  | { readonly step: 'retention'; readonly rules: readonly { readonly prefix: string; readonly historyMs: number | null }[] }
  /** `historyMs`: given as option, it replaces the own rule; left out, the recorded rules hold. */
  | { readonly step: 'reopen'; readonly historyMs?: number | null }
  | { readonly step: 'flush' | 'compact' | 'sync' | 'verify' };

export interface Program {
  readonly setup: Setup;
  readonly steps: readonly Step[];
}

/** JSON in which every byte of a key can be seen. */
export function printable(part: unknown): string {
  return JSON.stringify(part).replaceAll(/[\x7f-\xff]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);
}

const STONE_BYTES = 2 ** 20;

/** One mebibyte of fixed random bytes; every value of every program is a piece of it. */
export function stone(): Uint8Array {
  const bytes = new Uint8Array(STONE_BYTES);
  new SeededRandom(0x57e1e).fill(bytes);
  return bytes;
}

export function historyMsOf(given: number | null): number {
  return given ?? Infinity;
}

export function rulesOf(step: Extract<Step, { step: 'retention' }>): TextRule[] {
  return step.rules.map(({ prefix, historyMs }) => ({ prefix, historyMs: historyMsOf(historyMs) }));
}

/** `versionOf` is what the reference has for the key; `nowMs` the hybrid time. */
export function operationOf(write: Write, from: Uint8Array, nowMs: number, versionOf: (key: string) => number): Operation {
  if (write.do === 'deleteRange') return { type: 'deleteRange', start: keyBytes(write.start), end: keyBytes(write.end) };
  const key = keyBytes(write.key);
  const condition = write.if === undefined ? {} : { ifVersion: guessed(write.if, versionOf(write.key)) };
  switch (write.do) {
    case 'check':
      return { type: 'check', key, ifVersion: guessed(write.if, versionOf(write.key)) };
    case 'delete':
      return { type: 'delete', key, ...condition };
    case 'put': {
      const value = from.subarray(write.value.at, write.value.at + write.value.bytes);
      const end =
        write.ttlMs !== undefined ? { ttlMs: write.ttlMs } : write.inMs !== undefined ? { expiresAt: Math.max(1, nowMs + write.inMs) } : {};
      return { type: 'put', key, value, ...end, ...condition };
    }
  }
}

export function spanOf(span: Span): { start?: Uint8Array; end?: Uint8Array } {
  return {
    ...(span.start === undefined ? {} : { start: keyBytes(span.start) }),
    ...(span.end === undefined ? {} : { end: keyBytes(span.end) }),
  };
}

function guessed(guess: Guess, version: number): number {
  return guess === 'right' ? version : guess === 'none' ? 0 : version + 1;
}
