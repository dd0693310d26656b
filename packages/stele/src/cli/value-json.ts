/**
 * Values as JSON text and back, exactly.
 *
 *   bytes      {"$bytes":"<base64>"}        date   {"$date":"<ISO 8601>"}      bigint   {"$bigint":"<digits>"}
 *   numbers that JSON lacks                 {"$number":"NaN" | "Infinity" | "-Infinity" | "-0"}
 *   a member whose name begins with $       its name with one more $ in front
 *
 * Invariants
 * - `parseValue(formatValue(v))` is v for every value; the text has one form, so that equal values have equal lines.
 * - An object with a name that begins with one $ is one of the four, or is refused: nothing is taken for something else.
 *
 * Specification: docs/cli.md, "Values".
 */

import { SteleError } from '../base/errors.ts';
import type { Value } from '../model/types.ts';

type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const DIGITS = /^-?(?:0|[1-9][0-9]*)$/;
const ISO = /^(?:[+-]\d{6}|\d{4})-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?Z$/;
const NUMBERS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
  '-0': -0,
};

/** One line, or with `indent` several. */
export function formatValue(value: Value, indent = 0): string {
  return JSON.stringify(toJson(value), undefined, indent);
}

/** The value as what `JSON.stringify` takes. */
export function toJson(value: Value): Json {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      return { $number: Object.is(value, -0) ? '-0' : String(value) };
    case 'bigint':
      return { $bigint: String(value) };
    default:
      if (value === null) return null;
      if (value instanceof Uint8Array) return { $bytes: Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64') };
      if (value instanceof Date) return { $date: value.toISOString() };
      if (Array.isArray(value)) return value.map(toJson);
      return members(Object.entries(value), (name) => (name.startsWith('$') ? `$${name}` : name), toJson);
  }
}

/** @throws {SteleError} `invalid` VALUE_INVALID for text that is no JSON, or no value */
export function parseValue(text: string): Value {
  let json: Json;
  try {
    json = JSON.parse(text) as Json;
  } catch (error) {
    throw refused(`${error instanceof Error ? error.message : String(error)}`, error);
  }
  return fromJson(json);
}

export function fromJson(json: Json): Value {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map(fromJson);
  const names = Object.keys(json);
  const tag = names.find((name) => name.startsWith('$') && !name.startsWith('$$'));
  if (tag === undefined) return members(Object.entries(json), (name) => (name.startsWith('$') ? name.slice(1) : name), fromJson);
  const body = json[tag];
  if (names.length > 1 || typeof body !== 'string')
    throw refused(`an object with the name ${JSON.stringify(tag)}, expected one $… with a text alone, or $${tag} for the name itself`);
  if (tag === '$bytes' && BASE64.test(body)) return Uint8Array.from(Buffer.from(body, 'base64'));
  if (tag === '$date' && ISO.test(body) && !Number.isNaN(Date.parse(body))) return new Date(body);
  if (tag === '$bigint' && DIGITS.test(body) && body !== '-0') return BigInt(body);
  if (tag === '$number' && Object.hasOwn(NUMBERS, body)) return NUMBERS[body]!;
  throw refused(
    `${JSON.stringify(json).slice(0, 80)}, expected $bytes with base64, $date with ISO 8601 in UTC, $bigint with digits or $number with NaN, Infinity, -Infinity or -0`,
  );
}

/** Defined one by one: `__proto__` is a name like any other. */
function members<F, T>(
  entries: readonly (readonly [string, F])[],
  rename: (name: string) => string,
  convert: (from: F) => T,
): { [name: string]: T } {
  const object: { [name: string]: T } = {};
  for (const [name, from] of entries) {
    const to = rename(name);
    const value = convert(from);
    if (to === '__proto__') Object.defineProperty(object, to, { value, enumerable: true, configurable: true, writable: true });
    else object[to] = value;
  }
  return object;
}

function refused(found: string, cause?: unknown): SteleError {
  return new SteleError('invalid', 'VALUE_INVALID', `found no value: ${found}`, { cause });
}
