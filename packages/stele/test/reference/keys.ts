/**
 * Keys as text, for the reference and everything that stands beside it.
 *
 * A key of bytes becomes the string with one character (code 0 to 255) per byte. The order of such strings is
 * the order of the bytes, a JavaScript `Map` can hold them, and a failing trace can be printed and typed in again.
 */

import type { KeyRange } from '../../src/txn/types.ts';

/** A half-open range of key texts; `end` undefined = no upper bound. */
export interface TextRange {
  readonly start: string;
  readonly end: string | undefined;
}

/** One character per byte. */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}

/** Inverse of {@link keyText}; fresh bytes. */
export function keyBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

export function textRange(range: KeyRange = {}): TextRange {
  return {
    start: range.start === undefined ? '' : keyText(range.start),
    end: range.end === undefined ? undefined : keyText(range.end),
  };
}

/** The range that holds this one key. */
export function onlyKey(text: string): TextRange {
  return { start: text, end: `${text}\0` };
}

export function inRange(text: string, range: TextRange): boolean {
  return text >= range.start && (range.end === undefined || text < range.end);
}

/** The first text above every text that begins with `prefix`; undefined when there is none. */
export function afterPrefix(prefix: string): string | undefined {
  let length = prefix.length;
  while (length > 0 && prefix.charCodeAt(length - 1) === 0xff) length--;
  if (length === 0) return undefined;
  return prefix.slice(0, length - 1) + String.fromCharCode(prefix.charCodeAt(length - 1) + 1);
}

/** Index of the first element that is not below `text`; `sorted` is ascending. */
export function lowerBound(sorted: readonly string[], text: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as string) < text) low = middle + 1;
    else high = middle;
  }
  return low;
}
