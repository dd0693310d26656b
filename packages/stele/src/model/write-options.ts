/**
 * What writes are told: checked, and in the kernel's words.
 *
 * Every member is checked before anything is read or written; an unknown one is refused, never ignored.
 * Specification: docs/api.md, "Writing".
 */

import { SteleError } from '../base/errors.ts';
import type { Durability, CommitOptions as KernelOptions } from '../txn/types.ts';
import { encodeMeta, type Who } from './identity.ts';
import { describe } from './path/layout.ts';
import { checkMembers } from './store.ts';
import type { CommitOptions, Instant } from './types.ts';

const COMMIT = ['durability', 'assertedTime', 'actor', 'reason', 'once'];
export const COMMIT_OPTIONS: ReadonlySet<string> = new Set(COMMIT);
export const PUT_OPTIONS: ReadonlySet<string> = new Set([...COMMIT, 'ttl', 'expiresAt', 'ifVersion']);
export const DELETE_OPTIONS: ReadonlySet<string> = new Set([...COMMIT, 'ifVersion']);
export const PUT_TREE_OPTIONS: ReadonlySet<string> = new Set([...COMMIT, 'merge', 'ttl', 'expiresAt']);
export const TRANSACT_OPTIONS: ReadonlySet<string> = new Set([...COMMIT, 'retries', 'signal', 'timeoutMs']);
export const BEGIN_OPTIONS: ReadonlySet<string> = new Set([...COMMIT, 'signal']);
/** Of the calls inside a transaction: what concerns the commit is said where it begins. */
export const OWN_PUT_OPTIONS: ReadonlySet<string> = new Set(['ttl', 'expiresAt', 'ifVersion']);
export const OWN_DELETE_OPTIONS: ReadonlySet<string> = new Set(['ifVersion']);
export const OWN_PUT_TREE_OPTIONS: ReadonlySet<string> = new Set(['merge', 'ttl', 'expiresAt']);

const STRENGTH: Readonly<Record<Durability, number>> = { async: 0, debounced: 1, immediate: 2 };

/** The stronger of two levels; undefined is the weakest. */
export function stronger(a: Durability | undefined, b: Durability | undefined): Durability | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return STRENGTH[a] >= STRENGTH[b] ? a : b;
}

/** The kernel's options of a commit by `who`. @throws {SteleError} `invalid` OPTION_INVALID, COMMIT_OPTIONS, TIME_INVALID */
export function kernelOptions(
  who: Who,
  options: CommitOptions | undefined,
  durability: Durability | undefined,
  unbounded: boolean,
): KernelOptions {
  const level = stronger(durability, options?.durability);
  const { assertedTime, actor, reason } = options ?? {};
  const meta = actor === undefined && reason === undefined ? who.meta : encodeMeta(actor ?? who.actor, reason ?? who.reason);
  return {
    ...(level === undefined ? {} : { durability: level }),
    ...(assertedTime === undefined ? {} : { assertedTimeMs: instantMs('assertedTime', assertedTime) }),
    ...(meta.length === 0 ? {} : { meta }),
    ...(unbounded ? { unbounded } : {}),
  };
}

/** Milliseconds since the epoch. @throws {SteleError} `invalid` TIME_INVALID */
export function instantMs(name: string, instant: Instant): number {
  const ms = instant instanceof Date ? instant.getTime() : instant;
  if (typeof ms === 'number' && Number.isFinite(ms)) return ms;
  throw new SteleError('invalid', 'TIME_INVALID', `${name} is ${describe(instant)}, expected a Date or milliseconds since the epoch`);
}

/** How long what is written lives: 0 = for ever, undefined = as the subtree's policy says. */
export interface Lifetime {
  readonly ttlMs: number | undefined;
  readonly expiresAt: number | undefined;
}

const UNSAID: Lifetime = { ttlMs: undefined, expiresAt: undefined };
const FOR_EVER: Lifetime = { ttlMs: undefined, expiresAt: 0 };

/** @throws {SteleError} `invalid` EXPIRY_INVALID, TIME_INVALID */
export function lifetimeOf(options: { readonly ttl?: number; readonly expiresAt?: Instant } | undefined): Lifetime {
  if (options === undefined) return UNSAID;
  const { ttl, expiresAt } = options;
  if (ttl === undefined && expiresAt === undefined) return UNSAID;
  if (ttl !== undefined && expiresAt !== undefined)
    throw new SteleError('invalid', 'EXPIRY_INVALID', 'both ttl and expiresAt given, expected one');
  if (expiresAt !== undefined) {
    const ms = instantMs('expiresAt', expiresAt);
    if (ms > 0) return { ttlMs: undefined, expiresAt: ms };
    throw new SteleError('invalid', 'EXPIRY_INVALID', `expiresAt is ${ms}, expected a time behind the epoch`);
  }
  if (ttl === Number.POSITIVE_INFINITY) return FOR_EVER;
  if (typeof ttl === 'number' && ttl > 0) return { ttlMs: ttl, expiresAt: undefined };
  throw new SteleError('invalid', 'EXPIRY_INVALID', `ttl is ${describe(ttl)}, expected milliseconds above 0, or Infinity`);
}

/** The options of a call with members that are not known refused. */
export function checked<O extends CommitOptions>(options: O | undefined, known: ReadonlySet<string>): O | undefined {
  if (options === undefined) return undefined;
  checkMembers('options', options, known);
  const { durability } = options;
  if (durability !== undefined && STRENGTH[durability] === undefined)
    throw new SteleError(
      'invalid',
      'OPTION_INVALID',
      `durability is ${describe(durability)}, expected 'immediate', 'debounced' or 'async'`,
    );
  return options;
}
