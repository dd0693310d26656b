/**
 * What the reading threads of the stress test tell the owner, as numbers in an Int32Array.
 *
 *   get:   GET, key, newest version before, newest version after, stamp or ABSENT, version or −1 (not asked)
 *   scan:  SCAN, version of the view, from, to, pairs, then so many times key, stamp
 *   count: COUNT, version before, version after, from, to, count
 */

import type { SharedHandle } from '../../src/txn/threads/handle.ts';

export const GET = 1;
export const SCAN = 2;
export const COUNT = 3;
export const ABSENT = -1;

/** Words shared with a thread: 1 = stop; batches sent and not yet checked. */
export const STOP = 0;
export const OUTSTANDING = 1;
export const OUTSTANDING_MAX = 6;

export interface StressStart {
  readonly handle: SharedHandle;
  readonly directory: string;
  readonly words: Int32Array;
  readonly keys: number;
  readonly seed: number;
}

export type StressMessage =
  | { readonly kind: 'seen'; readonly numbers: Int32Array }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'done'; readonly counters: Readonly<Record<string, number>>; readonly reads: number };
