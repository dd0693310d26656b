/** A written step as the reference takes it and as the database is called with it. */

import { commitStamp } from '../../src/model/stamp.ts';
import type { BatchOperation, Commit, CommitOptions, Segment, Transaction, WritePath, Writing } from '../../src/model/types.ts';
import { segments } from './paths.ts';
import { DELTAS, type LifeText, msOf, type OptionTexts, putValue, TREES, type WriteText } from './program.ts';
import type { CommitAs } from './reference.ts';
import type { Life, RefWrite } from './writes.ts';

/** The version a condition names. */
export type Guesser = (path: readonly Segment[]) => number;

export interface Resolved {
  readonly ref: readonly RefWrite[];
  readonly isIncrement: boolean;
  /** With the database's own objects: what is put does not pass through the reference. */
  call(handle: Writing, how: 'sync' | 'async', options: CommitOptions): Commit | number | bigint | Promise<Commit | number | bigint>;
  own(tx: Transaction): unknown;
}

export function resolve(write: WriteText, at: readonly Segment[], nowMs: number, versionOf: Guesser): Resolved {
  const operations = write.do === 'batch' ? write.ops : [write];
  const ref = operations.map((one) => refWrite(one, at, nowMs, versionOf));
  const lives = life('life' in write ? write.life : undefined, nowMs);
  const condition = (index: number): { ifVersion?: number } => {
    const { ifVersion } = ref[index] as { ifVersion?: number };
    return ifVersion === undefined ? {} : { ifVersion };
  };
  return {
    ref,
    isIncrement: write.do === 'increment',
    call: (handle, how, options) => called(handle, how, write, { ...options }, lives, condition, nowMs),
    own: (tx) => ownWrite(tx, write, lives, condition(0)),
  };
}

function life(text: LifeText | undefined, nowMs: number): Life {
  if (text === undefined) return {};
  return 'ttl' in text ? { ttl: msOf(text.ttl) } : { expiresAt: Math.max(1, nowMs + text.inMs) };
}

function refWrite(one: WriteText, at: readonly Segment[], nowMs: number, versionOf: Guesser): RefWrite {
  if (one.do === 'batch') throw new Error('a batch in a batch');
  const path = [...at, ...segments(one.path)];
  const guessed =
    'if' in one && one.if !== undefined ? { ifVersion: one.if === 'none' ? 0 : versionOf(path) + (one.if === 'right' ? 0 : 1) } : {};
  switch (one.do) {
    case 'put': {
      const stamp = one.stamp === true ? { stamp: true as const } : {};
      return { type: 'put', path, value: putValue(one.value), life: life(one.life, nowMs), ...guessed, ...stamp };
    }
    case 'delete':
      return { type: 'delete', path, ...guessed };
    case 'check':
      return { type: 'check', path, ifVersion: (guessed as { ifVersion: number }).ifVersion };
    case 'increment':
      return { type: 'increment', path, delta: DELTAS[one.delta]!, ...guessed };
    case 'deleteTree':
      return { type: 'deleteTree', path };
    case 'putTree':
      return { type: 'putTree', path, tree: TREES[one.tree]!, merge: one.merge === true, life: life(one.life, nowMs) };
  }
}

function writePath(one: { readonly path: string; readonly stamp?: true }): WritePath {
  return one.stamp === true ? [...segments(one.path), commitStamp()] : one.path;
}

function called(
  handle: Writing,
  how: 'sync' | 'async',
  write: WriteText,
  options: CommitOptions,
  lives: Life,
  condition: (index: number) => { ifVersion?: number },
  nowMs: number,
): Commit | number | bigint | Promise<Commit | number | bigint> {
  const isSync = how === 'sync';
  // Without options the shortest way is taken.
  const bare = <O extends object>(all: O): O | undefined => (Object.keys(all).length === 0 ? undefined : all);
  switch (write.do) {
    case 'put': {
      const all = bare({ ...options, ...lives, ...condition(0) });
      return isSync
        ? handle.putSync(writePath(write), putValue(write.value), all)
        : handle.put(writePath(write), putValue(write.value), all);
    }
    case 'delete': {
      const all = bare({ ...options, ...condition(0) });
      return isSync ? handle.deleteSync(write.path, all) : handle.delete(write.path, all);
    }
    case 'deleteTree':
      return isSync ? handle.deleteTreeSync(write.path, options) : handle.deleteTree(write.path, options);
    case 'putTree': {
      const all = { ...options, ...lives, ...(write.merge === true ? { merge: true } : {}) };
      return isSync ? handle.putTreeSync(write.path, TREES[write.tree]!, all) : handle.putTree(write.path, TREES[write.tree]!, all);
    }
    case 'increment': {
      // With a condition only a batch can.
      if (write.if !== undefined) break;
      const delta = DELTAS[write.delta]!;
      return isSync ? handle.incrementSync(write.path, delta, options) : handle.increment(write.path, delta, options);
    }
  }
  const operations = (write.do === 'batch' ? write.ops : [write]).map((one, index) => operationOf(one, condition(index), nowMs));
  return isSync ? handle.batchSync(operations, options) : handle.batch(operations, options);
}

function operationOf(one: WriteText, condition: { ifVersion?: number }, nowMs: number): BatchOperation {
  switch (one.do) {
    case 'put':
      return { type: 'put', path: writePath(one), value: putValue(one.value) as object, ...life(one.life, nowMs), ...condition };
    case 'delete':
      return { type: 'delete', path: one.path, ...condition };
    case 'check':
      return { type: 'check', path: one.path, ifVersion: condition.ifVersion! };
    case 'increment':
      return { type: 'increment', path: one.path, delta: DELTAS[one.delta]!, ...condition };
    case 'deleteTree':
      return { type: 'deleteTree', path: one.path };
    default:
      throw new Error(`${one.do} in a batch`);
  }
}

function ownWrite(tx: Transaction, write: WriteText, lives: Life, condition: { ifVersion?: number }): unknown {
  switch (write.do) {
    case 'put':
      return tx.put(writePath(write), putValue(write.value), { ...lives, ...condition });
    case 'delete':
      return tx.delete(write.path, condition);
    case 'deleteTree':
      return tx.deleteTree(write.path);
    case 'putTree':
      return tx.putTree(write.path, TREES[write.tree]!, { ...lives, ...(write.merge === true ? { merge: true } : {}) });
    case 'increment':
      return tx.increment(write.path, DELTAS[write.delta]!);
    default:
      throw new Error(`${write.do} in a transaction`);
  }
}

export function commitAs({ actor, reason, once, asserted }: OptionTexts = {}, identity?: string): CommitAs {
  const who = actor ?? identity;
  return {
    ...(who === undefined ? {} : { actor: who }),
    ...(reason === undefined ? {} : { reason }),
    ...(once === undefined ? {} : { once }),
    ...(asserted === undefined ? {} : { asserted }),
  };
}

export function commitOptions({ asserted, ...rest }: OptionTexts = {}): CommitOptions {
  return { ...rest, ...(asserted === undefined ? {} : { assertedTime: asserted }) };
}
