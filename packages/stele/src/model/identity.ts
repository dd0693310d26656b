/**
 * Who, why, and with what rights: the identity a handle carries, and its form in the commit record.
 *
 *   meta chunk = field, UTF-8 text          field 1 actor, 2 reason, 3 procedure, 4 arguments, 5 full origin (3 to 5 reserved)
 *
 * A commit has at most one chunk per field, in field order; a chunk with a field that is not known is kept and ignored.
 *
 * Specification: spec/model.md, "Meta of a commit".
 */

import { SteleError } from '../base/errors.ts';
import { describe } from './path/layout.ts';
import type { Capability, Identity } from './types.ts';

export const FIELD_ACTOR = 1;
export const FIELD_REASON = 2;

export const ACTOR_BYTES_MAX = 256;
export const REASON_BYTES_MAX = 4096;

const CAPABILITIES: readonly Capability[] = ['read', 'write', 'admin'];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** An identity that was checked. */
export interface Who {
  readonly actor: string | undefined;
  readonly reason: string | undefined;
  readonly mayRead: boolean;
  readonly mayWrite: boolean;
  readonly mayAdmin: boolean;
  readonly meta: readonly Uint8Array[];
}

export const NOBODY: Who = { actor: undefined, reason: undefined, mayRead: true, mayWrite: true, mayAdmin: true, meta: [] };

/**
 * `who` with what `identity` says over it. Capabilities can only be taken away.
 *
 * @throws {SteleError} `invalid` OPTION_INVALID
 */
export function identified(who: Who, identity: Identity): Who {
  if (identity === null || typeof identity !== 'object') throw refused('identity', identity, 'an object such as { actor: "ada" }');
  for (const name of Object.keys(identity))
    if (name !== 'actor' && name !== 'reason' && name !== 'capabilities')
      throw refused(`identity.${name}`, 'an unknown member', 'actor, reason or capabilities');
  const { capabilities } = identity;
  if (capabilities !== undefined && (!Array.isArray(capabilities) || capabilities.some((name) => !CAPABILITIES.includes(name))))
    throw refused('capabilities', unknownCapability(capabilities), `a list of ${CAPABILITIES.join(', ')}`);
  const has = (name: Capability): boolean => capabilities === undefined || capabilities.includes(name);
  const actor = identity.actor ?? who.actor;
  const reason = identity.reason ?? who.reason;
  return {
    actor,
    reason,
    mayRead: who.mayRead && has('read'),
    mayWrite: who.mayWrite && has('write'),
    mayAdmin: who.mayAdmin && has('admin'),
    meta: encodeMeta(actor, reason),
  };
}

/** @throws {SteleError} `invalid` OPTION_INVALID for what is no text or too long */
export function encodeMeta(actor: string | undefined, reason: string | undefined): readonly Uint8Array[] {
  const chunks: Uint8Array[] = [];
  if (actor !== undefined) chunks.push(chunk(FIELD_ACTOR, 'actor', actor, ACTOR_BYTES_MAX));
  if (reason !== undefined) chunks.push(chunk(FIELD_REASON, 'reason', reason, REASON_BYTES_MAX));
  return chunks;
}

/** The text of a field, or undefined when the commit has none. */
export function metaField(meta: readonly Uint8Array[], field: number): string | undefined {
  for (const bytes of meta) if (bytes[0] === field) return decoder.decode(bytes.subarray(1));
  return undefined;
}

function chunk(field: number, name: string, text: string, bytesMax: number): Uint8Array {
  if (typeof text !== 'string' || text === '' || !text.isWellFormed()) throw refused(name, text, 'a text that is not empty');
  const bytes = encoder.encode(` ${text}`);
  if (bytes.length - 1 > bytesMax) throw refused(name, `${bytes.length - 1} bytes`, `at most ${bytesMax}`);
  bytes[0] = field;
  return bytes;
}

function unknownCapability(capabilities: unknown): unknown {
  return Array.isArray(capabilities) ? capabilities.find((name) => !CAPABILITIES.includes(name)) : capabilities;
}

function refused(name: string, found: unknown, expected: string): SteleError {
  const what = typeof found === 'string' ? found : describe(found);
  return new SteleError('invalid', 'OPTION_INVALID', `${name}: found ${what}, expected ${expected}`, { detail: { option: name } });
}

/** @throws {SteleError} `denied` NOT_PERMITTED */
export function demand(who: Who, capability: Capability): void {
  const may = capability === 'read' ? who.mayRead : capability === 'write' ? who.mayWrite : who.mayAdmin;
  if (may) return;
  throw new SteleError('denied', 'NOT_PERMITTED', `${who.actor ?? 'this handle'} lacks the capability '${capability}'`, {
    detail: { capability, actor: who.actor },
  });
}
