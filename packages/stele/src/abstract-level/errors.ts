/**
 * Errors as users of abstract-level expect them: an `Error` with a `code` that begins with LEVEL_, whose cause is the SteleError.
 *
 * Specification: docs/abstract-level.md, "Errors".
 */

import { type ErrorKind, SteleError } from '../base/errors.ts';

/** What the adapter throws. `cause` says more. */
export class LevelError extends Error {
  readonly code: string;
  declare readonly cause: SteleError;

  constructor(code: string, cause: SteleError, name = 'LevelError') {
    super(cause.message, { cause });
    this.name = name;
    this.code = code;
  }
}

const BY_KIND: Readonly<Record<ErrorKind, string>> = {
  invalid: 'LEVEL_INVALID_REQUEST',
  conflict: 'LEVEL_CONFLICT',
  denied: 'LEVEL_DENIED',
  closed: 'LEVEL_DATABASE_NOT_OPEN',
  unavailable: 'LEVEL_IO_ERROR',
  corrupt: 'LEVEL_CORRUPTION',
  internal: 'LEVEL_INTERNAL',
};

/** Where the code says more than the kind, and abstract-level or classic-level has a word for it. */
const BY_CODE: ReadonlyMap<string, string> = new Map([
  ['PATH_INVALID', 'LEVEL_INVALID_KEY'],
  ['VALUE_INVALID', 'LEVEL_INVALID_VALUE'],
  ['LOCKED', 'LEVEL_LOCKED'],
]);

/** The views of iterators and snapshots, when they end without being closed. */
const VIEW_CODES: ReadonlySet<string> = new Set(['VIEW_EXPIRED', 'VIEW_CLOSED']);

/** The error for users of abstract-level; what is no SteleError stays what it is. */
export function levelError(error: unknown, ofView = 'LEVEL_SNAPSHOT_NOT_OPEN'): unknown {
  if (!(error instanceof SteleError)) return error;
  return new LevelError(VIEW_CODES.has(error.code) ? ofView : (BY_CODE.get(error.code) ?? BY_KIND[error.kind]), error);
}

/** Of a stored value that has no bytes: somebody else wrote it. */
export function decodeError(found: string): LevelError {
  return new LevelError(
    'LEVEL_DECODE_ERROR',
    new SteleError('invalid', 'VALUE_INVALID', `the stored value is ${found}, expected bytes or text`),
  );
}

/** Of a read that was ended by its signal. */
export function aborted(signal: AbortSignal): LevelError {
  const cause = new SteleError('closed', 'CANCELLED', 'the read was cancelled', { cause: signal.reason });
  return new LevelError('LEVEL_ABORTED', cause, 'AbortError');
}

/** For the second half of a promise. */
export function rethrow(error: unknown): never {
  throw levelError(error);
}
