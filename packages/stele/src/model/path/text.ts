/**
 * Paths as text: one grammar for the API, command line, HTTP and logs.
 *
 * Segments are separated by `/`. `\` makes the next character plain, and a segment with `\` in it is text. Else `#true` and
 * `#false` are booleans, `#` and a JSON number is a number or a bigint, `0x` and hexadecimal digits, two each, are bytes, and anything else is
 * text. No text is the empty path; an empty segment is refused.
 *
 * Invariants
 * - `parsePath(formatPath(p))` is p for every path that has a key, and `formatPath(parsePath(t))` is the one canonical text.
 * - Escapes stand only where the text would be read as something else without.
 *
 * Specification: spec/paths.md, "Text".
 */

import { isBytes } from '../value/kinds.ts';
import { describe, refusePath, refuseSegment, SEGMENTS_MAX } from './layout.ts';
import { isEncodable } from './number-key.ts';
import type { Segment } from './types.ts';

/** A JSON number. */
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const BYTES = /^0x(?:[0-9a-fA-F]{2})*$/;
/** Digits of a bigint at the limit are fewer; more are not worth converting. */
const NUMBER_CHARACTERS_MAX = 10_000;

/** The segments of a text. @throws {SteleError} `invalid` PATH_INVALID */
export function parsePath(text: string): Segment[] {
  const path: Segment[] = [];
  if (text === '') return path;
  for (let start = 0; start <= text.length; ) {
    let end = start;
    while (end < text.length && text[end] !== '/') end += text[end] === '\\' ? 2 : 1;
    if (path.length === SEGMENTS_MAX) throw refusePath(`more than ${SEGMENTS_MAX} segments`, `at most ${SEGMENTS_MAX}`);
    path.push(parseAt(text.slice(start, end), path.length));
    start = end + 1;
  }
  return path;
}

/** The canonical text of a path. @throws {SteleError} `invalid` PATH_INVALID for what is no segment */
export function formatPath(path: readonly Segment[]): string {
  return path.map((segment, index) => formatAt(segment, index, true)).join('/');
}

/** One segment of the grammar by itself, where `/` is a character like any other. @throws {SteleError} `invalid` PATH_INVALID */
export function parseSegment(text: string): Segment {
  return parseAt(text, 0);
}

/** The canonical text of one segment by itself; `/` is not escaped. @throws {SteleError} `invalid` PATH_INVALID */
export function formatSegment(segment: Segment): string {
  return formatAt(segment, 0, false);
}

function parseAt(text: string, index: number): Segment {
  if (text === '') throw refuseSegment(index, 'empty', 'at least one character between two slashes');
  if (text.includes('\\')) return checkText(unescaped(text, index), index);
  if (text[0] === '#') {
    if (text === '#true') return true;
    if (text === '#false') return false;
    const digits = text.slice(1);
    if (NUMBER.test(digits)) return parseNumber(digits, index);
  } else if (BYTES.test(text)) {
    return Uint8Array.from({ length: text.length / 2 - 1 }, (_, i) => Number.parseInt(text.slice(2 * i + 2, 2 * i + 4), 16));
  }
  return checkText(text, index);
}

function parseNumber(digits: string, index: number): number | bigint {
  if (digits.length > NUMBER_CHARACTERS_MAX)
    throw refuseSegment(index, `a number of ${digits.length} characters`, `at most ${NUMBER_CHARACTERS_MAX}`);
  const value = Number(digits);
  if (!Number.isInteger(value) && Number.isFinite(value)) return value;
  // -0 is 0.
  if (Number.isSafeInteger(value)) return value + 0;
  if (!/^-?[0-9]+$/.test(digits))
    throw refuseSegment(index, `#${digits}, beyond the safe integers`, 'all its digits, without point and exponent');
  const big = BigInt(digits);
  if (!isEncodable(big)) throw refuseSegment(index, 'an integer of more than 32768 bits', 'a smaller one');
  return big;
}

function unescaped(text: string, index: number): string {
  let plain = '';
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\' && ++i === text.length)
      throw refuseSegment(index, `${describe(text)} with \\ at its end`, '\\\\ for the character \\');
    plain += text[i];
  }
  return plain;
}

function formatAt(segment: Segment, index: number, isInPath: boolean): string {
  switch (typeof segment) {
    case 'string': {
      if (segment === '') throw refuseSegment(index, 'an empty text', 'at least one character');
      checkText(segment, index);
      const escaped = segment.replace(isInPath ? /[\\/]/g : /\\/g, '\\$&');
      return escaped === segment && isSpecial(segment) ? `\\${segment}` : escaped;
    }
    case 'number':
      if (!Number.isFinite(segment) || (Number.isInteger(segment) && !Number.isSafeInteger(segment)))
        throw refuseSegment(index, describe(segment), 'a finite number; beyond the safe integers a bigint');
      return `#${segment}`;
    case 'bigint':
      if (!isEncodable(segment)) throw refuseSegment(index, 'a bigint of more than 32768 bits', 'a smaller one');
      return `#${segment}`;
    case 'boolean':
      return `#${segment}`;
    default:
      if (segment === null || typeof segment !== 'object' || !isBytes(segment))
        throw refuseSegment(index, describe(segment), 'text, a number, a bigint, a boolean or a Uint8Array');
      return `0x${Array.from(segment, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
  }
}

/** True when {@link parseAt} would not read the text as itself. */
function isSpecial(text: string): boolean {
  if (text[0] === '#') return text === '#true' || text === '#false' || NUMBER.test(text.slice(1));
  return BYTES.test(text);
}

function checkText(text: string, index: number): string {
  if (!text.isWellFormed()) throw refuseSegment(index, `${describe(text)} with a lone surrogate`, 'well-formed text');
  return text;
}
