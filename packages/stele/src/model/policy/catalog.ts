/**
 * The catalog: what is declared, as it lies in the system keyspace, at any view.
 *
 *   ['policy']                       whole number: the id that the next maintainer gets
 *   ['policy', subtree]              { ttl?, history?, durability? }
 *   ['maintainer', subtree, id]      { kind, format, name, definition, state, after? }
 *
 * Specification: spec/policies.md, "Where it is kept".
 */

import { SteleError } from '../../base/errors.ts';
import type { Operation, Reader } from '../../txn/types.ts';
import type { MaintainerRecord } from '../maintainer.ts';
import type { Codec } from '../store.ts';
import type { JsonObject, Value } from '../value/types.ts';
import type { Declared } from './check.ts';
import { catalogKey, maintainerKey, maintainersKey, policyKey, rangeOf, readSystemKey } from './system-keys.ts';

/** A maintainer as it is persisted. */
export interface KeptMaintainer extends MaintainerRecord {
  /** While building: where to go on. */
  readonly after: Uint8Array | undefined;
}

/** What is declared at one subtree. */
export interface DeclaredSubtree {
  readonly prefix: Uint8Array;
  readonly declared: Declared;
  /** In the order of their ids. */
  readonly maintainers: readonly KeptMaintainer[];
}

export interface Catalog {
  readonly subtrees: readonly DeclaredSubtree[];
  readonly nextId: number;
  /** The commit of the last change, 0 when there was none. */
  readonly version: number;
}

const STATES: readonly unknown[] = ['building', 'ready', 'dropping'];
const NOTHING: Declared = {};

/** Cost: one walk over all declarations. @throws {SteleError} `corrupt` POLICY_DAMAGED, KEY_DAMAGED, VALUE_DAMAGED */
export function readCatalog(reader: Reader, codec: Codec): Catalog {
  const subtrees = new Map<string, { prefix: Uint8Array; declared: Declared; maintainers: KeptMaintainer[] }>();
  const at = (prefix: Uint8Array): { declared: Declared; maintainers: KeptMaintainer[] } => {
    const name = prefix.join();
    let subtree = subtrees.get(name);
    if (subtree === undefined) subtrees.set(name, (subtree = { prefix, declared: NOTHING, maintainers: [] }));
    return subtree;
  };
  let head = { nextId: 1, version: 0 };
  for (const { key, value, version } of reader.scan(rangeOf(catalogKey()))) {
    const decoded = codec.decode(value, 0, value.length);
    if (key.length === catalogKey().length) head = { nextId: wholeNumber(decoded), version };
    else at(readSystemKey(key).prefix).declared = readDeclared(decoded);
  }
  for (const { key, value } of reader.scan(rangeOf(maintainersKey()))) {
    const kept = readMaintainer(key, codec.decode(value, 0, value.length));
    at(kept.prefix).maintainers.push(kept);
  }
  return { subtrees: [...subtrees.values()], ...head };
}

/** The version of the last change and the next id, without the rest. */
export function readHead(reader: Reader, codec: Codec): { readonly nextId: number; readonly version: number } {
  const entry = reader.entry(catalogKey());
  if (entry === undefined) return { nextId: 1, version: 0 };
  return { nextId: wholeNumber(codec.decode(entry.value, 0, entry.value.length)), version: entry.version };
}

/** What is declared at one subtree, undefined when nothing is. */
export function readSubtree(reader: Reader, codec: Codec, prefix: Uint8Array): DeclaredSubtree | undefined {
  const bytes = reader.get(policyKey(prefix));
  const maintainers: KeptMaintainer[] = [];
  for (const { key, value } of reader.scan(rangeOf(maintainerKey(prefix))))
    maintainers.push(readMaintainer(key, codec.decode(value, 0, value.length)));
  if (bytes === undefined && maintainers.length === 0) return undefined;
  return { prefix, declared: bytes === undefined ? NOTHING : readDeclared(codec.decode(bytes, 0, bytes.length)), maintainers };
}

/** Every change of what is declared writes this too, so that who depends on it can tell. */
export function headOperation(codec: Codec, nextId: number): Operation {
  return { type: 'put', key: catalogKey(), value: codec.encode(nextId) };
}

/** Without members: a delete. */
export function policyOperation(codec: Codec, prefix: Uint8Array, declared: Declared): Operation {
  const key = policyKey(prefix);
  if (Object.keys(declared).length === 0) return { type: 'delete', key };
  return { type: 'put', key, value: codec.encode({ ...declared } as JsonObject) };
}

export function maintainerOperation(codec: Codec, kept: KeptMaintainer): Operation {
  const { prefix, id, kind, format, name, definition, state, after } = kept;
  const value: JsonObject = { kind, format, name, definition, state, ...(after === undefined ? {} : { after }) };
  return { type: 'put', key: maintainerKey(prefix, id), value: codec.encode(value) };
}

export function removalOperation({ prefix, id }: KeptMaintainer): Operation {
  return { type: 'delete', key: maintainerKey(prefix, id) };
}

function readDeclared(value: Value): Declared {
  const { ttl, history, durability } = membersOf(value);
  const isGood =
    (ttl === undefined || typeof ttl === 'number') &&
    (history === undefined || typeof history === 'number') &&
    (durability === undefined || durability === 'immediate' || durability === 'debounced' || durability === 'async');
  if (!isGood) throw damaged('the members of a policy');
  return {
    ...(ttl === undefined ? {} : { ttl: ttl as number }),
    ...(history === undefined ? {} : { history: history as number }),
    ...(durability === undefined ? {} : { durability: durability as NonNullable<Declared['durability']> }),
  };
}

function readMaintainer(key: Uint8Array, value: Value): KeptMaintainer {
  const { prefix, id } = readSystemKey(key);
  const { kind, format, name, definition, state, after } = membersOf(value);
  const isGood =
    id !== undefined &&
    typeof kind === 'string' &&
    typeof format === 'number' &&
    typeof name === 'string' &&
    definition !== undefined &&
    STATES.includes(state) &&
    (after === undefined || after instanceof Uint8Array);
  if (!isGood) throw damaged('a maintainer');
  return {
    prefix,
    id: id as number,
    kind: kind as string,
    format: format as number,
    name: name as string,
    definition: definition as Value,
    state: state as KeptMaintainer['state'],
    after: after as Uint8Array | undefined,
  };
}

function membersOf(value: Value): Readonly<Record<string, Value | undefined>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw damaged('a record');
  return value as JsonObject;
}

function wholeNumber(value: Value): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) throw damaged('the next number');
  return value;
}

function damaged(what: string): SteleError {
  return new SteleError('corrupt', 'POLICY_DAMAGED', `the catalog of policies: ${what} does not parse`);
}
