/**
 * Bytes to values. Any bytes give a value or a typed error; depth, work and memory are bounded by the length.
 *
 * Invariants
 * - What is returned shares nothing with `bytes`.
 * - No byte at or behind `end` decides anything, and every length is compared with what is left before it is used.
 * - Refused as `corrupt` VALUE_DAMAGED: what spec/values.md says a reader refuses. An encrypted value is `invalid` FORMAT_NEWER.
 *
 * Specification: spec/values.md.
 */

import { SteleError } from '../../base/errors.ts';
import { Slab } from '../../base/slab.ts';
import { isUtf8, readShort, SHORT_BYTES_MAX } from '../../base/utf8.ts';
import { readVarint, VARINT_BAD, varintBytes } from '../../base/varint.ts';
import type { Texts } from '../../host/host.ts';
import { decodeMagnitude } from './bigint.ts';
import {
  DATE_MS_MAX,
  damagedValue,
  NESTING_MAX,
  TAG_ARRAY,
  TAG_ASCII,
  TAG_BIGINT,
  TAG_BIGINT_NEGATIVE,
  TAG_BYTES,
  TAG_DATE,
  TAG_DOUBLE,
  TAG_ENCRYPTED,
  TAG_FALSE,
  TAG_NULL,
  TAG_OBJECT,
  TAG_SMALL,
  TAG_TRUE,
  TAG_UTF8,
  TAG_UTF16,
  TAG_WHOLE,
  TAG_WHOLE_NEGATIVE,
  WHOLE_END,
} from './layout.ts';
import { NAME_BYTES_MAX, Names } from './names.ts';
import type { Value } from './types.ts';

/**
 * A function that gives the value in `bytes[start, end)`; it keeps the names it has met, so one serves many values.
 *
 * @throws {SteleError} `corrupt` VALUE_DAMAGED; `invalid` FORMAT_NEWER
 */
export function valueDecoder(texts: Texts): (bytes: Uint8Array, start: number, end: number) => Value {
  const decoder = new ValueDecoder(texts);
  return (bytes, start, end) => {
    // Text of ASCII first: the commonest value, and the one whose speed is compared.
    if (start < end && bytes[start] === TAG_ASCII) {
      const length = end - start - 1;
      return length <= SHORT_BYTES_MAX ? readShort(bytes, start + 1, length) : texts.latin1(bytes, start + 1, end);
    }
    return decoder.decode(bytes, start, end);
  };
}

class ValueDecoder {
  readonly #texts: Texts;
  readonly #names = new Names();
  readonly #slab = new Slab();
  readonly #double = new DataView(new ArrayBuffer(8));
  #at = 0;
  #depth = 0;

  constructor(texts: Texts) {
    this.#texts = texts;
  }

  decode(bytes: Uint8Array, start: number, end: number): Value {
    this.#at = start;
    this.#depth = 0;
    const value = this.#read(bytes, end, true);
    if (this.#at !== end) throw damagedValue(this.#at, `${end - this.#at} bytes behind the value`);
    return value;
  }

  #read(bytes: Uint8Array, end: number, isOutermost: boolean): Value {
    const at = this.#at;
    if (at >= end) throw damagedValue(at, 'a value is missing');
    const tag = bytes[at]!;
    this.#at = at + 1;
    if (tag >= TAG_SMALL) return tag - TAG_SMALL;
    switch (tag) {
      case TAG_NULL:
        return null;
      case TAG_FALSE:
        return false;
      case TAG_TRUE:
        return true;
      case TAG_WHOLE:
      case TAG_WHOLE_NEGATIVE:
      case TAG_DOUBLE:
        return this.#number(bytes, tag, end);
      case TAG_BIGINT:
      case TAG_BIGINT_NEGATIVE:
        return this.#bigint(bytes, tag, this.#content(bytes, end, isOutermost));
      case TAG_ASCII:
        return this.#text(bytes, 0, this.#content(bytes, end, isOutermost));
      case TAG_UTF8:
        return this.#text(bytes, 1, this.#content(bytes, end, isOutermost));
      case TAG_UTF16:
        return this.#text(bytes, 2, this.#content(bytes, end, isOutermost));
      case TAG_BYTES: {
        const contentEnd = this.#content(bytes, end, isOutermost);
        const own = this.#slab.copy(bytes, this.#at, contentEnd);
        this.#at = contentEnd;
        return own;
      }
      case TAG_DATE:
        return this.#date(bytes, end);
      case TAG_ARRAY:
        return this.#array(bytes, end);
      case TAG_OBJECT:
        return this.#object(bytes, end);
      case TAG_ENCRYPTED:
        throw new SteleError('invalid', 'FORMAT_NEWER', `value: encrypted at byte ${at}, which this version cannot read`);
      default:
        throw damagedValue(at, `unassigned tag ${tag}`);
    }
  }

  /** Where the content that begins at `#at` ends; steps over the length in front of it, which outermost there is none. */
  #content(bytes: Uint8Array, end: number, isOutermost: boolean): number {
    if (isOutermost) return end;
    return this.#within(this.#varint(bytes, end), end);
  }

  /** The end of `length` bytes from `#at` on. */
  #within(length: number, end: number): number {
    if (length > end - this.#at) throw damagedValue(this.#at, `${length} bytes where ${end - this.#at} are left`);
    return this.#at + length;
  }

  #varint(bytes: Uint8Array, end: number): number {
    const value = readVarint(bytes, this.#at, end);
    if (value === VARINT_BAD) throw damagedValue(this.#at, 'a varint that is cut or too long');
    this.#at += varintBytes(value);
    return value;
  }

  #number(bytes: Uint8Array, tag: number, end: number): number {
    const at = this.#at;
    if (tag !== TAG_DOUBLE) {
      const whole = this.#varint(bytes, end);
      if (tag === TAG_WHOLE && whole < 128) throw damagedValue(at, 'a small number in a long form');
      return tag === TAG_WHOLE ? whole : -1 - whole;
    }
    this.#at = this.#within(8, end);
    for (let i = 0; i < 8; i++) this.#double.setUint8(i, bytes[at + i]!);
    const value = this.#double.getFloat64(0, true);
    const isWhole = Number.isInteger(value) && value < WHOLE_END && value >= -WHOLE_END && !Object.is(value, -0);
    if (isWhole) throw damagedValue(at, 'a whole number as a double');
    if (Number.isNaN(value) && this.#double.getBigUint64(0, true) !== 0x7ff8_0000_0000_0000n)
      throw damagedValue(at, 'an unassigned form of NaN');
    return value;
  }

  #bigint(bytes: Uint8Array, tag: number, end: number): bigint {
    const start = this.#at;
    if (end > start && bytes[end - 1] === 0) throw damagedValue(start, 'a bigint with superfluous zeros');
    this.#at = end;
    const magnitude = decodeMagnitude(bytes, start, end);
    return tag === TAG_BIGINT ? magnitude : -1n - magnitude;
  }

  /** `kind` is 0 ASCII, 1 UTF-8, 2 UTF-16. */
  #text(bytes: Uint8Array, kind: number, end: number): string {
    const start = this.#at;
    this.#at = end;
    if (kind === 0) return end - start <= SHORT_BYTES_MAX ? readShort(bytes, start, end - start) : this.#texts.latin1(bytes, start, end);
    if (kind === 1) {
      const text = this.#texts.utf8(bytes, start, end);
      if (text.length === end - start) throw damagedValue(start, 'ASCII marked as UTF-8');
      // A replaced part looks like a replacement character that was written.
      if (text.includes('\ufffd') && !isUtf8(bytes, start, end)) throw damagedValue(start, 'text that is no UTF-8');
      return text;
    }
    const text = readUtf16(bytes, start, end);
    if (text.isWellFormed()) throw damagedValue(start, 'well-formed text marked as ill-formed');
    return text;
  }

  #date(bytes: Uint8Array, end: number): Date {
    const at = this.#at;
    const tag = at < end ? bytes[at]! : 0;
    this.#at = at + 1;
    if (tag < TAG_SMALL && tag !== TAG_WHOLE && tag !== TAG_WHOLE_NEGATIVE && tag !== TAG_DOUBLE)
      throw damagedValue(at, 'a date without its milliseconds');
    const ms = tag >= TAG_SMALL ? tag - TAG_SMALL : this.#number(bytes, tag, end);
    if (!Number.isInteger(ms) || Math.abs(ms) > DATE_MS_MAX || Object.is(ms, -0)) throw damagedValue(at, 'a date out of bounds');
    return new Date(ms);
  }

  #array(bytes: Uint8Array, end: number): Value[] {
    const count = this.#varint(bytes, end);
    if (count > end - this.#at) throw damagedValue(this.#at, `${count} elements in ${end - this.#at} bytes`);
    this.#enter();
    const array: Value[] = [];
    for (let i = 0; i < count; i++) array.push(this.#read(bytes, end, false));
    this.#depth--;
    return array;
  }

  #object(bytes: Uint8Array, end: number): Value {
    const count = this.#varint(bytes, end);
    if (2 * count > end - this.#at) throw damagedValue(this.#at, `${count} members in ${end - this.#at} bytes`);
    this.#enter();
    const object: Record<string, Value> = {};
    for (let i = 0; i < count; i++) {
      const name = this.#name(bytes, end);
      const value = this.#read(bytes, end, false);
      // An assignment would set the prototype.
      if (name === '__proto__') Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
      else object[name] = value;
    }
    this.#depth--;
    return object;
  }

  #enter(): void {
    if (++this.#depth > NESTING_MAX) throw damagedValue(this.#at, `more than ${NESTING_MAX} levels`);
  }

  #name(bytes: Uint8Array, end: number): string {
    const head = this.#varint(bytes, end);
    const kind = head % 4;
    const nameEnd = this.#within((head - kind) / 4, end);
    const start = this.#at;
    if (kind === 3) throw damagedValue(start, 'a name of unassigned form');
    if (kind === 0 && nameEnd > start && nameEnd - start <= NAME_BYTES_MAX) {
      this.#at = nameEnd;
      return this.#names.read(bytes, start, nameEnd);
    }
    return this.#text(bytes, kind, nameEnd);
  }
}

function readUtf16(bytes: Uint8Array, start: number, end: number): string {
  if ((end - start) % 2 !== 0) throw damagedValue(start, 'half a character');
  const units = new Uint16Array((end - start) / 2);
  for (let i = 0; i < units.length; i++) units[i] = bytes[start + 2 * i]! | (bytes[start + 2 * i + 1]! << 8);
  let text = '';
  for (let i = 0; i < units.length; i += 4096) text += String.fromCharCode.apply(null, units.subarray(i, i + 4096) as unknown as number[]);
  return text;
}
