/**
 * What main and the sync thread say to each other.
 *
 * Requests are served strictly in order. Replies travel by a message port; `progress[0]` holds the number of the
 * last request served and is notified, so that main can also wait for one without turning its event loop.
 */

import type { MessagePort } from 'node:worker_threads';
import type { SystemFailure } from './errors.ts';

/** Given to the thread at its start. */
export interface SyncThreadStart {
  readonly port: MessagePort;
  readonly progress: Int32Array;
}

/** One sync. With `bounds` it is a write-through rewrite of them, else a sync of `fd`. */
export interface SyncRequest {
  readonly id: number;
  readonly fd: number;
  /** fsync instead of fdatasync. */
  readonly isFull: boolean;
  readonly syncFd: number;
  readonly bounds: readonly number[] | undefined;
}

/** `id` 0 says: I am up. */
export interface SyncReply {
  readonly id: number;
  /** The system's failure; losing it would be a false acknowledgement. */
  readonly failure: SystemFailure | undefined;
}
