/**
 * The failures of the storage seam, one constructor each, so that every host words and codes them alike.
 *
 * Specification: spec/host.md, "Failures".
 */

import { SteleError } from '../base/errors.ts';

interface Circumstance {
  readonly cause?: unknown;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** `unavailable` DISK_FULL: nothing of the request, or only a prefix, has been written. */
export function diskFull(name: string, more: Circumstance = {}): SteleError {
  return new SteleError('unavailable', 'DISK_FULL', `no space left for ${name}`, { ...more, detail: { name, ...more.detail } });
}

/** `unavailable` IO_ERROR: the system refused or failed; after a failed sync nothing may be believed durable. */
export function ioError(action: string, name: string, more: Circumstance = {}): SteleError {
  const why = more.cause instanceof Error ? `: ${more.cause.message}` : '';
  return new SteleError('unavailable', 'IO_ERROR', `${action} of ${name} failed${why}`, {
    ...more,
    detail: { action, name, ...more.detail },
  });
}

/** `invalid` NOT_FOUND. */
export function notFound(name: string, more: Circumstance = {}): SteleError {
  return new SteleError('invalid', 'NOT_FOUND', `${name} does not exist`, { ...more, detail: { name, ...more.detail } });
}

/** `denied` PERMISSION. */
export function noPermission(action: string, name: string, more: Circumstance = {}): SteleError {
  const why = more.cause instanceof Error ? `: ${more.cause.message}` : '';
  return new SteleError('denied', 'PERMISSION', `${action} of ${name} is not allowed${why}`, {
    ...more,
    detail: { action, name, ...more.detail },
  });
}

/** `unavailable` LOCKED, with what is known of the holder. */
export function locked(place: string, holder: string | undefined, more: Circumstance = {}): SteleError {
  const who = holder === undefined || holder === '' ? 'another holder' : holder;
  return new SteleError('unavailable', 'LOCKED', `${place} is in use by ${who}`, { ...more, detail: { place, holder, ...more.detail } });
}

/** `closed` CLOSED: used after close. */
export function closed(what: string): SteleError {
  return new SteleError('closed', 'CLOSED', `${what} is closed`, { detail: { what } });
}
