/**
 * Failures to order: which calls fail, when, how often.
 */

import type { SteleError } from '../../base/errors.ts';
import { diskFull, ioError } from '../failures.ts';

export type FaultKind = 'open' | 'read' | 'write' | 'sync' | 'truncate' | 'remove' | 'syncDirectory';

/** One order. Counting begins when it is given. */
export interface FaultOrder {
  /** Matching calls that still succeed first. Default 0. */
  readonly after?: number;
  /** Calls that then fail. Default 1; Infinity for good. */
  readonly times?: number;
  /** Only calls on this file. Default all. */
  readonly file?: string;
  /** Default IO_ERROR. */
  readonly error?: 'IO_ERROR' | 'DISK_FULL';
}

interface Standing {
  readonly kind: FaultKind;
  readonly order: FaultOrder;
  after: number;
  times: number;
}

/** The orders of one storage. */
export class Faults {
  #standing: Standing[] = [];

  add(kind: FaultKind, order: FaultOrder): void {
    this.#standing.push({ kind, order, after: order.after ?? 0, times: order.times ?? 1 });
  }

  clear(): void {
    this.#standing = [];
  }

  /** The error this call shall fail with, if any. Counts the call. */
  next(kind: FaultKind, name: string): SteleError | undefined {
    if (this.#standing.length === 0) return undefined;
    let failure: SteleError | undefined;
    for (const standing of this.#standing) {
      if (standing.kind !== kind || (standing.order.file !== undefined && standing.order.file !== name)) continue;
      if (standing.after > 0) {
        standing.after--;
      } else if (standing.times > 0 && failure === undefined) {
        standing.times--;
        const more = { cause: new Error('as ordered') };
        failure = standing.order.error === 'DISK_FULL' ? diskFull(name, more) : ioError(kind, name, more);
      }
    }
    return failure;
  }
}
