/**
 * Values of a level: stored as bytes, given as text, Buffer or Uint8Array.
 *
 * Text goes from its characters into the stored form and back without a copy between. Text that others stored is read as its UTF-8.
 *
 * Invariants
 * - `bytes[0, encode())` is good until the next call. A buffer larger than 1 MiB is let go at the next value.
 *
 * Specification: spec/values.md; docs/abstract-level.md, "Values".
 */

import { readShort, SHORT_BYTES_MAX, utf8Bytes } from '../base/utf8.ts';
import type { Host } from '../host/host.ts';
import { refuseValue, TAG_ASCII, TAG_BYTES, TAG_UTF8, VALUE_BYTES_MAX } from '../model/value/layout.ts';
import { decodeError } from './errors.ts';
import { bufferOf, bytesOf, viewOf } from './keys.ts';
import type { Format } from './types.ts';

/** Turns stored bytes, in place, into what was asked for. */
export type ValueDecoder = (bytes: Uint8Array, start: number, end: number) => Format;

const START_BYTES = 4096;
const KEPT_BYTES_MAX = 1024 * 1024;
/** Up to this many characters a loop beats the native call. */
const LOOP_CHARACTERS_MAX = 24;

export class Values {
  bytes: Uint8Array = new Uint8Array(START_BYTES);
  readonly #texts: Host['texts'];
  readonly #utf8: ValueDecoder;

  constructor(texts: Host['texts']) {
    this.#texts = texts;
    this.#utf8 = (bytes, start, end) => {
      const from = contentStart(bytes, start, end);
      if (end - from > SHORT_BYTES_MAX) return texts.utf8(bytes, from, end);
      let all = 0;
      for (let at = from; at < end; at++) all |= bytes[at]!;
      return all < 0x80 ? readShort(bytes, from, end - from) : texts.utf8(bytes, from, end);
    };
  }

  /** Writes the stored form and gives its length. @throws {SteleError} `invalid` VALUE_INVALID for a value that is too long */
  encode(value: Format): number {
    if (this.bytes.length > KEPT_BYTES_MAX) this.bytes = new Uint8Array(START_BYTES);
    if (typeof value !== 'string') {
      const content = viewOf(value);
      const out = this.#room(content.length);
      out.set(content, 1);
      return content.length + 1;
    }
    const { length } = value;
    const out = this.#room(length * 3 < KEPT_BYTES_MAX ? length * 3 : utf8Bytes(value));
    if (length <= LOOP_CHARACTERS_MAX) {
      let at = 0;
      for (let unit: number; at < length && (unit = value.charCodeAt(at)) < 0x80; ) out[++at] = unit;
      if (at === length) return length + 1;
    }
    return 1 + this.#texts.writeUtf8(value, out, 1);
  }

  /** As {@link encode}, in memory of its own. */
  stored(value: Format): Uint8Array {
    const length = this.encode(value);
    return this.bytes.slice(0, length);
  }

  #room(contentBytes: number): Uint8Array {
    if (contentBytes + 1 > VALUE_BYTES_MAX) throw refuseValue('', `${contentBytes + 1} bytes long`, `at most ${VALUE_BYTES_MAX}`);
    if (this.bytes.length <= contentBytes) this.bytes = new Uint8Array(Math.max(contentBytes + 1, this.bytes.length * 2));
    this.bytes[0] = TAG_BYTES;
    return this.bytes;
  }

  /** A function that gives values in a format of abstract-level. It throws LEVEL_DECODE_ERROR for what has no bytes. */
  decoder(format: string): ValueDecoder {
    return format === 'utf8' ? this.#utf8 : format === 'buffer' ? decodeBuffer : decodeView;
  }

  /** The value in bytes that are the caller's already: they are not copied again. */
  taken(stored: Uint8Array, format: string): Format {
    if (format === 'utf8') return this.#utf8(stored, 0, stored.length);
    const content = stored.subarray(contentStart(stored, 0, stored.length));
    return format === 'buffer' ? Buffer.from(content.buffer, content.byteOffset, content.length) : content;
  }
}

const decodeBuffer: ValueDecoder = (bytes, start, end) => bufferOf(bytes, contentStart(bytes, start, end), end);
const decodeView: ValueDecoder = (bytes, start, end) => bytesOf(bytes, contentStart(bytes, start, end), end);

function contentStart(bytes: Uint8Array, start: number, end: number): number {
  const tag = start < end ? bytes[start]! : 0;
  if (tag === TAG_BYTES || tag === TAG_ASCII || tag === TAG_UTF8) return start + 1;
  throw decodeError(`a value with tag 0x${tag.toString(16).padStart(2, '0')}`);
}
