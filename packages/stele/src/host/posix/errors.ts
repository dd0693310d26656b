/**
 * From the errors of node:fs to those of the seam.
 *
 * Specification: spec/host.md, "Failures".
 */

import { SteleError } from '../../base/errors.ts';
import { diskFull, ioError, noPermission, notFound } from '../failures.ts';

/** What the host reads from a system error, also after it crossed a thread. */
export interface SystemFailure {
  readonly code: string;
  readonly message: string;
}

/** The `code` of a Node error, or ''. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** Wraps a failed call on `name`. Argument errors are bugs of ours and pass through unchanged. */
export function fromSystem(action: string, name: string, cause: unknown): unknown {
  if (cause instanceof SteleError) return cause;
  const code = codeOf(cause);
  const more = { cause, detail: { errno: code } };
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return diskFull(name, more);
    case 'ENOENT':
      return notFound(name, more);
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'ERR_ACCESS_DENIED':
      return noPermission(action, name, more);
  }
  if (cause instanceof RangeError || cause instanceof TypeError) {
    return new SteleError('internal', 'INVARIANT', `${action} of ${name}: ${cause.message}`, { cause });
  }
  return ioError(action, name, more);
}

/** A failed sync: always IO_ERROR, whatever the system called it, since nothing may be believed durable. */
export function syncFailure(name: string, failure: unknown): SteleError {
  const cause = failure instanceof Error ? failure : Object.assign(new Error((failure as SystemFailure).message), failure);
  return ioError('sync', name, { cause, detail: { errno: codeOf(failure) } });
}
