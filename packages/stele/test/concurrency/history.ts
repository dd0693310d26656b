/**
 * What happened, as the callers saw it: transactions that overlapped, what each read and wrote, and how it ended.
 *
 * A file of types. *Tickets* are numbers drawn from one counter, so they order the callers' own view of real time: a
 * transaction that ended with ticket 5 was over before one that began with ticket 6.
 */

import type { Operation } from '../../src/txn/types.ts';
import type { Answer } from '../model/answer.ts';
import type { Read } from '../model/program.ts';

export type Happening = { readonly read: Read; readonly answer: Answer } | { readonly write: Operation };

export type Ending =
  | { readonly as: 'committed'; readonly version: number; readonly timeMs: number; readonly changed: number }
  | { readonly as: 'conflict' | 'aborted' };

export interface Recorded {
  readonly name: string;
  /** Tickets: when `begin` was called, when the end was asked for, when it was known. */
  readonly began: number;
  readonly ending: number;
  readonly ended: number;
  /** The view it claims to read. */
  readonly version: number;
  readonly timeMs: number;
  /** Newest version and hybrid time when the end was asked for. */
  readonly newest: number;
  readonly clockMs: number;
  readonly happenings: readonly Happening[];
  readonly end: Ending;
}

/** Ended well and left an effect. */
export function isWriter(txn: Recorded): txn is Recorded & { end: { as: 'committed'; version: number; timeMs: number; changed: number } } {
  return txn.end.as === 'committed' && txn.end.changed > 0;
}

export function hasWrites(txn: Recorded): boolean {
  return txn.happenings.some((happening) => 'write' in happening);
}
