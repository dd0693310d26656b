/**
 * Errors of the whole system.
 *
 * Three worlds: a bug ({@link invariant} crashes loudly), a bad request or a failing disk
 * ({@link SteleError}), and input that deserves a full list (issues returned as data, by the layers).
 *
 * `kind` says what the caller can do, `code` says what happened and is public
 * (spec/errors.md lists every code), `message` may change any day.
 */

/** What the caller can do about it: see spec/errors.md. */
export type ErrorKind =
  | 'invalid' // fix the request
  | 'conflict' // retry the transaction
  | 'denied' // you may not
  | 'closed' // reopen
  | 'unavailable' // retry later
  | 'corrupt' // repair or restore
  | 'internal'; // tell us

export interface SteleErrorOptions {
  /** Machine-readable facts: positions, page numbers, limits. Never secrets. */
  readonly detail?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** The one error type that leaves the database. */
export class SteleError extends Error {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly detail: Readonly<Record<string, unknown>>;

  constructor(kind: ErrorKind, code: string, message: string, options: SteleErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SteleError';
    this.kind = kind;
    this.code = code;
    this.detail = options.detail ?? {};
  }
}

/**
 * States something that must be true. A false claim is a bug of ours.
 *
 * @throws {SteleError} `internal` INVARIANT
 */
export function invariant(claim: boolean, message: string): asserts claim {
  if (!claim) throw new SteleError('internal', 'INVARIANT', message);
}
