/**
 * Keys of the system keyspace that hold policies.
 *
 *   01 "policy" 00                                     number of the next maintainer; written with every declaration
 *   01 "policy" 00 <subtree as a bytes segment>        members of the policy declared there
 *   01 "maintainer" 00 <subtree as a bytes segment> <id as a number segment>
 *
 * Segments are those of paths. The subtree is its key without the keyspace byte. So what belongs to one subtree is one range, and
 * all of a kind is one range.
 *
 * Specification: spec/policies.md, "Where it is kept".
 */

import { SteleError } from '../../base/errors.ts';
import { decodeSegment, segmentEnd } from '../path/decode.ts';
import { encodeSegment } from '../path/encode.ts';
import { damagedKey, KEYSPACE } from '../path/layout.ts';
import { behind } from '../place.ts';
import { KEYSPACE_SYSTEM } from '../system.ts';

/** Of the engine. */
const KEY_BYTES_MAX = 1100;
/** Escaping doubles at worst. */
const SCRATCH_BYTES = 2 * KEY_BYTES_MAX + 64;

/** Holds the number of the next maintainer, and is written by every change of what is declared. */
export function catalogKey(): Uint8Array {
  return systemKey('policy', undefined, undefined);
}

export function policyKey(prefix: Uint8Array): Uint8Array {
  return systemKey('policy', prefix, undefined);
}

/** Without an id: the beginning of all that belong to the subtree. */
export function maintainerKey(prefix: Uint8Array, id?: number): Uint8Array {
  return systemKey('maintainer', prefix, id);
}

/** The keys at and below a key that {@link catalogKey} or {@link maintainerKey} gave. */
export function rangeOf(key: Uint8Array): { start: Uint8Array; end: Uint8Array } {
  return { start: key, end: behind(key) };
}

/** Where the maintainers of all subtrees lie. */
export function maintainersKey(): Uint8Array {
  return systemKey('maintainer', undefined, undefined);
}

/** The subtree (a key of the application) that a key of either kind belongs to, and the id it ends with. */
export function readSystemKey(key: Uint8Array): { prefix: Uint8Array; id: number | undefined } {
  const subtreeAt = segmentEnd(key, 1, key.length);
  const idAt = segmentEnd(key, subtreeAt, key.length);
  const subtree = decodeSegment(key, subtreeAt, idAt);
  const id = idAt === key.length ? undefined : decodeSegment(key, idAt, segmentEnd(key, idAt, key.length));
  if (!(subtree instanceof Uint8Array) || (id !== undefined && typeof id !== 'number')) throw damagedKey(subtreeAt, 'no subtree');
  const prefix = new Uint8Array(subtree.length + 1);
  prefix[0] = KEYSPACE;
  prefix.set(subtree, 1);
  return { prefix, id };
}

/** @throws {SteleError} `invalid` PATH_INVALID when the subtree's path is too long to have a policy */
function systemKey(kind: string, prefix: Uint8Array | undefined, id: number | undefined): Uint8Array {
  const scratch = new Uint8Array(SCRATCH_BYTES);
  scratch[0] = KEYSPACE_SYSTEM;
  let end = encodeSegment(kind, scratch, 1);
  if (prefix !== undefined) end = encodeSegment(prefix.subarray(1), scratch, end);
  if (id !== undefined) end = encodeSegment(id, scratch, end);
  if (end > KEY_BYTES_MAX - ID_ROOM) {
    throw new SteleError('invalid', 'PATH_INVALID', `path: ${end} bytes for its policy, expected at most ${KEY_BYTES_MAX - ID_ROOM}`);
  }
  return scratch.slice(0, end);
}

/** Bytes kept free behind a subtree for the id of a maintainer. */
const ID_ROOM = 12;
