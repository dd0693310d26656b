/**
 * Definitions of indexes: as they are given, as they are kept, and as the maintainer uses them.
 *
 * Kept is an object { fields: [relative key of each field, bytes], unique }, so that equal definitions have equal bytes.
 *
 * Limits: a name has 1 to 100 characters; 1 to 16 different fields; each field is a path of its own limits.
 *
 * Specification: spec/policies.md, "Indexes".
 */

import { SteleError } from '../../base/errors.ts';
import { utf8Bytes, writeUtf8 } from '../../base/utf8.ts';
import { varintBytes, writeVarint } from '../../base/varint.ts';
import { decodePath, segmentEnd } from '../path/decode.ts';
import { encodePrefix } from '../path/encode.ts';
import { describe, KEY_BYTES_MAX, KEYSPACE } from '../path/layout.ts';
import { formatSegment } from '../path/text.ts';
import type { Path, Segment } from '../path/types.ts';
import type { Value } from '../value/types.ts';

export interface IndexDeclaration {
  readonly name: string;
  readonly definition: KeptDefinition;
}

/** What is persisted. A field is the key of its path without the keyspace byte. */
export interface KeptDefinition {
  readonly [key: string]: Value;
  readonly fields: readonly Uint8Array[];
  readonly unique: boolean;
}

/** One step from a value to a member of it: a name of an object or an element of an array. */
export interface Step {
  /** Varint head and bytes, as an encoded object has them. */
  readonly name: Uint8Array;
  /** −1 when the segment is no whole number. */
  readonly element: number;
}

export interface FieldSpec {
  /** Relative key. */
  readonly path: Uint8Array;
  /** Length of the relative key after 0, 1, … segments; the last is the length of `path`. */
  readonly ends: readonly number[];
  readonly steps: readonly Step[];
}

const NAME_CHARACTERS_MAX = 100;
const FIELDS_MAX = 16;

/** @throws {SteleError} `invalid` OPTION_INVALID; `invalid` PATH_INVALID for a field that is no path */
export function checkIndex(name: string, given: unknown): IndexDeclaration {
  const where = `policy: index ${JSON.stringify(name.slice(0, NAME_CHARACTERS_MAX))}`;
  if (name.length === 0 || name.length > NAME_CHARACTERS_MAX || !name.isWellFormed())
    throw refuse(where, `a name of ${name.length} characters`, `1 to ${NAME_CHARACTERS_MAX}, well-formed`);
  if (typeof given !== 'object' || given === null) throw refuse(where, describe(given), 'an array of fields, or { fields, unique }');
  let fields: unknown = given;
  let unique: unknown = false;
  if (!Array.isArray(given)) {
    for (const member of Object.keys(given))
      if (member !== 'fields' && member !== 'unique') throw refuse(where, `the unknown member ${member}`, 'fields, unique');
    ({ fields, unique = false } = given as { fields?: unknown; unique?: unknown });
  }
  if (typeof unique !== 'boolean') throw refuse(`${where}: unique`, describe(unique), 'true or false');
  if (!Array.isArray(fields)) throw refuse(`${where}: fields`, describe(fields), 'an array of paths');
  if (fields.length === 0 || fields.length > FIELDS_MAX) throw refuse(`${where}: fields`, `${fields.length} fields`, `1 to ${FIELDS_MAX}`);
  const paths = fields.map(relativeKey);
  paths.forEach((path, at) => {
    if (paths.findIndex((other) => sameBytes(other, path)) !== at)
      throw refuse(`${where}: fields`, `field ${at + 1} twice`, 'different ones');
  });
  return { name, definition: { fields: paths, unique } };
}

/** @throws {SteleError} `corrupt` POLICY_DAMAGED when it is none */
export function readDefinition(definition: Value): KeptDefinition {
  const { fields, unique } = (definition ?? {}) as { fields?: unknown; unique?: unknown };
  const isGood =
    typeof unique === 'boolean' &&
    Array.isArray(fields) &&
    fields.length > 0 &&
    fields.length <= FIELDS_MAX &&
    fields.every((field) => field instanceof Uint8Array);
  if (!isGood) throw new SteleError('corrupt', 'POLICY_DAMAGED', 'the definition of an index does not parse');
  return { fields: fields as Uint8Array[], unique: unique as boolean };
}

/** The definition as a program gives it. */
export function publicDefinition({ fields, unique }: KeptDefinition): { fields: Segment[][]; unique: boolean } {
  return { fields: fields.map(segmentsOf), unique };
}

/** A field ready for use. */
export function fieldSpec(path: Uint8Array): FieldSpec {
  const ends = [0];
  while (ends.at(-1)! < path.length) ends.push(segmentEnd(path, ends.at(-1)!, path.length));
  return { path, ends, steps: segmentsOf(path).map(stepOf) };
}

/** Members of objects are named as trees name them: in the text grammar of one segment. */
function stepOf(segment: Segment): Step {
  return {
    name: encodedName(formatSegment(segment)),
    element: typeof segment === 'number' && Number.isInteger(segment) && segment >= 0 ? segment : -1,
  };
}

/** As in spec/values.md: varint of 4 × length + form, then the bytes. A segment is always well-formed text. */
function encodedName(name: string): Uint8Array {
  const bytes = utf8Bytes(name);
  const head = 4 * bytes + (bytes === name.length ? 0 : 1);
  const encoded = new Uint8Array(varintBytes(head) + bytes);
  writeUtf8(name, encoded, writeVarint(encoded, 0, head));
  return encoded;
}

function relativeKey(path: Path): Uint8Array {
  const scratch = new Uint8Array(4 * KEY_BYTES_MAX);
  return scratch.slice(1, encodePrefix(path, scratch, 0));
}

function segmentsOf(path: Uint8Array): Segment[] {
  const key = new Uint8Array(path.length + 1);
  key[0] = KEYSPACE;
  key.set(path, 1);
  return decodePath(key, 0, key.length);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

function refuse(option: string, found: string, expected: string): SteleError {
  return new SteleError('invalid', 'OPTION_INVALID', `${option}: found ${found}, expected ${expected}`, { detail: { option } });
}
