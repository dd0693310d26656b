/**
 * Keys of a level: a key of bytes is one bytes segment below the level's place, and back.
 *
 *   stored key = key of the place, 0x08, bytes with each 0x00 followed by 0xFF, 0x00
 *
 * Invariants
 * - Order of stored keys is the byte order of keys.
 * - What lies deeper than one segment is somebody else's and is no key.
 * - `scratch[0, encode())` is good until the next call.
 *
 * Limits: as of paths, 1,024 bytes with the place, a tag, the terminator and an escape for each zero. A bound of a range has no limit: of
 * one that is longer than any key, only what keys can differ from it in is kept.
 *
 * Specification: spec/paths.md, "Keys"; docs/abstract-level.md, "Keys".
 */

import { SteleError } from '../base/errors.ts';
import { readShort, SHORT_BYTES_MAX, writeUtf8 } from '../base/utf8.ts';
import type { Host } from '../host/host.ts';
import { KEY_BYTES_MAX, PATH_BYTES_MAX, TAG_BYTES } from '../model/path/layout.ts';
import type { Place } from '../model/place.ts';
import type { Format } from './types.ts';

/** Bounds as abstract-level gives them; the inclusive one counts where both are given. */
export interface Bounds {
  readonly gte?: Format;
  readonly gt?: Format;
  readonly lte?: Format;
  readonly lt?: Format;
}

/** `start` inclusive, `end` exclusive. */
export interface StoredRange {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
}

/** A key in the format that was asked for; undefined when the stored key is none of the level's. */
export type KeyDecoder = (bytes: Uint8Array, length: number) => Format | undefined;

const ESCAPE = 0xff;
/** Units of text that are looked at: each is a byte at least. */
const UNITS_MAX = PATH_BYTES_MAX + 1;
/** Room for the longest key in front, and three bytes a unit, each of them escaped. */
const SCRATCH_BYTES = KEY_BYTES_MAX + 6 * UNITS_MAX + 2;
const NO_BYTES = new Uint8Array(0);

export class Keys {
  readonly scratch: Uint8Array = new Uint8Array(SCRATCH_BYTES);
  /** Where the bytes of a key begin. */
  readonly #head: number;
  readonly #unescaped: Uint8Array = new Uint8Array(3 * UNITS_MAX);
  readonly #texts: Host['texts'];

  /** @throws {SteleError} `invalid` PATH_INVALID when nothing can lie below the place */
  constructor(place: Place, texts: Host['texts']) {
    place.encode([NO_BYTES]);
    this.scratch.set(place.scratch.subarray(0, place.keyBytes));
    this.scratch[place.keyBytes] = TAG_BYTES;
    this.#head = place.keyBytes + 1;
    this.#texts = texts;
  }

  /** Writes the stored key and gives its length. @throws {SteleError} `invalid` PATH_INVALID for a key that is too long */
  encode(key: Format): number {
    const given = typeof key === 'string' ? key : viewOf(key);
    const end = this.#write(given);
    if (end > KEY_BYTES_MAX) throw tooLong(given, end - 1);
    return end;
  }

  /** As {@link encode}, in memory of its own. */
  stored(key: Format): Uint8Array {
    return this.scratch.slice(0, this.encode(key));
  }

  range(bounds: Bounds): StoredRange {
    const { gte, gt, lte, lt } = bounds;
    const { scratch } = this;
    const head = this.#head;
    return {
      start: gte !== undefined ? this.from(gte) : gt !== undefined ? this.#bound(gt, ESCAPE) : scratch.slice(0, head),
      end: lte !== undefined ? this.through(lte) : lt !== undefined ? this.from(lt) : behindTag(scratch.slice(0, head)),
    };
  }

  /** The least stored key from `key` on, inclusive. */
  from(key: Format): Uint8Array {
    return this.#bound(key, -1);
  }

  /** Just behind `key`, before what lies below it. */
  through(key: Format): Uint8Array {
    return this.#bound(key, 0);
  }

  /** `last`: one more byte, unless −1. */
  #bound(key: Format, last: number): Uint8Array {
    // Beyond the longest key no byte decides anything.
    const end = Math.min(this.#write(typeof key === 'string' ? key : viewOf(key)), KEY_BYTES_MAX + 1);
    if (last < 0) return this.scratch.slice(0, end);
    const bound = this.scratch.slice(0, end + 1);
    bound[end] = last;
    return bound;
  }

  /** Looks at {@link UNITS_MAX} units or bytes at most. */
  #write(key: Format): number {
    const out = this.scratch;
    let at = this.#head;
    if (typeof key !== 'string') return this.#escape(key, Math.min(key.length, UNITS_MAX), at);
    const length = Math.min(key.length, UNITS_MAX);
    for (let i = 0; i < length; i++) {
      const unit = key.charCodeAt(i);
      if ((unit - 1) >>> 0 > 0x7e) {
        const short = length === key.length ? key : key.slice(0, length);
        return this.#escape(this.#unescaped, writeUtf8(short, this.#unescaped, 0), this.#head);
      }
      out[at++] = unit;
    }
    out[at] = 0;
    return at + 1;
  }

  #escape(bytes: Uint8Array, length: number, at: number): number {
    const out = this.scratch;
    for (let i = 0; i < length; i++) if ((out[at++] = bytes[i]!) === 0) out[at++] = ESCAPE;
    out[at] = 0;
    return at + 1;
  }

  /** Is the stored key `bytes[0, length)` one of the level's? */
  readonly isKey = (bytes: Uint8Array, length: number): boolean => {
    const last = length - 1;
    for (let i = this.#head; i < last; i++) {
      if (bytes[i] !== 0) continue;
      if (bytes[++i] !== ESCAPE || i === last) return false;
    }
    return true;
  };

  /** A function that gives keys in a format of abstract-level. */
  decoder(format: string): KeyDecoder {
    const copy = format === 'buffer' ? bufferOf : bytesOf;
    const asText = format === 'utf8';
    return (bytes, length) => {
      const head = this.#head;
      const last = length - 1;
      let all = 0;
      let i = head;
      for (let byte: number; i < last && (byte = bytes[i]!) !== 0; i++) all |= byte;
      if (i < last) {
        if (!this.isKey(bytes, length)) return undefined;
        const own = unescaped(bytes, head, last);
        return asText ? this.#texts.utf8(own, 0, own.length) : copy(own, 0, own.length);
      }
      if (!asText) return copy(bytes, head, last);
      if (all >= 0x80) return this.#texts.utf8(bytes, head, last);
      return last - head <= SHORT_BYTES_MAX ? readShort(bytes, head, last - head) : this.#texts.latin1(bytes, head, last);
    };
  }
}

function tooLong(key: Format, pathBytes: number): SteleError {
  const found = key.length > PATH_BYTES_MAX ? `${key.length} bytes or more` : `${pathBytes} bytes as a path`;
  return new SteleError('invalid', 'PATH_INVALID', `key: ${found}, expected at most ${PATH_BYTES_MAX} as a path`, {
    detail: { bytesMax: PATH_BYTES_MAX },
  });
}

/** Any view of memory as bytes. */
export function viewOf(bytes: Uint8Array): Uint8Array {
  return bytes instanceof Uint8Array
    ? bytes
    : new Uint8Array((bytes as ArrayBufferView).buffer, (bytes as ArrayBufferView).byteOffset, (bytes as ArrayBufferView).byteLength);
}

/** A copy of `bytes[start, end)`. */
export function bytesOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const own = new Uint8Array(end - start);
  fill(own, bytes, start, end);
  return own;
}

/** The same as a Buffer. */
export function bufferOf(bytes: Uint8Array, start: number, end: number): Buffer {
  const own = Buffer.allocUnsafe(end - start);
  fill(own, bytes, start, end);
  return own;
}

/** Up to this many bytes, a loop is faster than the native call and the view it needs. */
const LOOP_BYTES_MAX = 64;

function fill(own: Uint8Array, bytes: Uint8Array, start: number, end: number): void {
  if (own.length > LOOP_BYTES_MAX) own.set(bytes.subarray(start, end));
  else for (let at = 0; at < own.length; at++) own[at] = bytes[start + at]!;
}

function unescaped(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const own = new Uint8Array(end - start);
  let length = 0;
  for (let i = start; i < end; i++) if ((own[length++] = bytes[i]!) === 0) i++;
  return own.subarray(0, length);
}

/** The end of all keys with the tag that `head` ends in. */
function behindTag(head: Uint8Array): Uint8Array {
  head[head.length - 1] = TAG_BYTES + 1;
  return head;
}
