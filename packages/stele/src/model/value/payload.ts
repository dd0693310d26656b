/**
 * The content of a stored text or of stored bytes, without decoding it: what reading a piece of a large value needs.
 *
 * Specification: spec/values.md.
 */

import { SteleError } from '../../base/errors.ts';
import { TAG_ASCII, TAG_BYTES, TAG_UTF8 } from './layout.ts';

/**
 * Where the content of the value in `bytes[start, end)` begins: UTF-8 of a text, or bytes. It goes to `end`.
 *
 * @throws {SteleError} `invalid` VALUE_INVALID when it is neither; a text with a lone surrogate has no UTF-8.
 */
export function contentStart(bytes: Uint8Array, start: number, end: number): number {
  const tag = start < end ? bytes[start]! : 0;
  if (tag === TAG_ASCII || tag === TAG_UTF8 || tag === TAG_BYTES) return start + 1;
  throw new SteleError('invalid', 'VALUE_INVALID', `the stored value has tag ${tag}, expected well-formed text or bytes`);
}
