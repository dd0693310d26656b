/**
 * What main and a job thread say to each other, and how errors cross.
 *
 * A {@link SteleError} loses its class in the structured clone, so it travels as its fields.
 */

import { type ErrorKind, SteleError } from '../../base/errors.ts';

/** Given to a thread at its start: how to reach the database's storage. */
export interface JobThreadStart {
  readonly storage: unknown;
}

/** One job. `flags[0]` becomes 1 when it shall stop. */
export interface JobRequest {
  readonly module: string;
  readonly input: unknown;
  readonly flags: Int32Array;
}

export type JobReply = { readonly ok: true; readonly output: unknown } | { readonly ok: false; readonly error: TravellingError };

/** An error on its way. `plain` is any other error, which the structured clone carries by itself. */
export interface TravellingError {
  readonly stele?: { kind: ErrorKind; code: string; message: string; detail: Readonly<Record<string, unknown>>; cause: string | undefined };
  readonly plain?: unknown;
}

/** For the sending side. What cannot be cloned travels as text. */
export function packError(error: unknown): TravellingError {
  if (error instanceof SteleError) {
    const cause = error.cause === undefined ? undefined : String(error.cause);
    return { stele: { kind: error.kind, code: error.code, message: error.message, detail: cloneable(error.detail) ?? {}, cause } };
  }
  return { plain: cloneable(error) ?? new Error(String(error)) };
}

/** For the receiving side. */
export function unpackError(error: TravellingError): unknown {
  if (error.stele === undefined) return error.plain;
  const { kind, code, message, detail, cause } = error.stele;
  return new SteleError(kind, code, message, { detail, ...(cause === undefined ? {} : { cause }) });
}

function cloneable<T>(value: T): T | undefined {
  try {
    return structuredClone(value);
  } catch {
    return undefined;
  }
}
