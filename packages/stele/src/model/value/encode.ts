/**
 * Values to bytes, into one buffer that grows and is used again.
 *
 * Invariants
 * - One encoding per value (objects: per order of members). What is refused throws `invalid` VALUE_INVALID and names the place.
 * - `bytes` and `length` hold the value until the next call of `encode`.
 * - Small scalars and short text allocate nothing.
 *
 * Limits: 64 MiB encoded, 200 levels of arrays and objects. A buffer larger than 1 MiB is let go at the next value.
 *
 * Specification: spec/values.md.
 */

import { utf8Bytes } from '../../base/utf8.ts';
import { writeVarint } from '../../base/varint.ts';
import type { Texts } from '../../host/host.ts';
import { encodeMagnitude } from './bigint.ts';
import { isBytes, isDate, isPlainArray, isPlainObject, nameOf } from './kinds.ts';
import {
  NESTING_MAX,
  refuseValue,
  TAG_ARRAY,
  TAG_ASCII,
  TAG_BIGINT,
  TAG_BIGINT_NEGATIVE,
  TAG_BYTES,
  TAG_DATE,
  TAG_DOUBLE,
  TAG_FALSE,
  TAG_NULL,
  TAG_OBJECT,
  TAG_SMALL,
  TAG_TRUE,
  TAG_UTF8,
  TAG_UTF16,
  TAG_WHOLE,
  TAG_WHOLE_NEGATIVE,
  VALUE_BYTES_MAX,
  WHOLE_END,
} from './layout.ts';
import type { Value } from './types.ts';

const START_BYTES = 4096;
/** A buffer larger than this is not kept for the next value. */
const KEPT_BYTES_MAX = 1024 * 1024;
/** Up to this many characters a loop beats the native call (30 ns). Below 32, so that 4 × length is one byte of a name. */
const LOOP_CHARACTERS_MAX = 24;
/** What any scalar without a length takes at most: tag, tag and eight bytes. */
const SCALAR_BYTES_MAX = 10;
/** Reservations are rounded up; what the value really takes is judged at the end. */
const BUFFER_BYTES_MAX = VALUE_BYTES_MAX + 64;

export class ValueEncoder {
  /** Holds the value in its first `length` bytes. */
  bytes: Uint8Array = new Uint8Array(START_BYTES);
  length = 0;

  readonly #texts: Texts;
  /** A double and its bytes, little-endian whatever the machine is. */
  readonly #double = new DataView(new ArrayBuffer(8));
  /** The arrays and objects around the current value, and the member of each that leads to it. */
  readonly #around: object[] = [];
  readonly #members: (string | number)[] = [];
  /** Counts the values, so that a getter that encodes another one in the middle is noticed. */
  #runs = 0;

  constructor(texts: Texts) {
    this.#texts = texts;
  }

  /**
   * Encodes the value into `bytes` and returns its length.
   *
   * @throws {SteleError} `invalid` VALUE_INVALID
   */
  encode(value: Value): number {
    const run = ++this.#runs;
    this.length = 0;
    if (this.bytes.length > KEPT_BYTES_MAX) this.bytes = new Uint8Array(START_BYTES);
    this.#around.length = 0;
    if (typeof value === 'string') this.#outerText(value);
    else this.#write(value, true);
    if (run !== this.#runs) throw refuseValue('', 'an object that writes other values while it is read', 'plain data');
    if (this.length > VALUE_BYTES_MAX) throw this.#tooLarge(this.length);
    return this.length;
  }

  #write(value: unknown, isOutermost: boolean): void {
    switch (typeof value) {
      case 'string':
        this.#innerText(value);
        return;
      case 'number':
        this.#reserve(SCALAR_BYTES_MAX);
        this.#number(value);
        return;
      case 'boolean':
        this.#reserve(1);
        this.bytes[this.length++] = value ? TAG_TRUE : TAG_FALSE;
        return;
      case 'bigint':
        this.#bigint(value, isOutermost);
        return;
      case 'object':
        if (value === null) {
          this.#reserve(1);
          this.bytes[this.length++] = TAG_NULL;
        } else this.#object(value, isOutermost);
        return;
      default:
        throw refuseValue(this.#where(), nameOf(value), 'a value (null in place of undefined, or no such member)');
    }
  }

  #object(value: object, isOutermost: boolean): void {
    if (isPlainObject(value)) this.#memberwise(value as Readonly<Record<string, unknown>>);
    else if (isPlainArray(value)) this.#elements(value);
    else if (isBytes(value)) {
      const { length } = value;
      this.#head(TAG_BYTES, length, isOutermost);
      this.bytes.set(value, this.length);
      this.length += length;
    } else if (isDate(value)) {
      const ms = Date.prototype.getTime.call(value);
      if (Number.isNaN(ms)) throw refuseValue(this.#where(), 'an invalid Date', 'a valid one, or null');
      this.#reserve(SCALAR_BYTES_MAX);
      this.bytes[this.length++] = TAG_DATE;
      this.#number(ms);
    } else
      throw refuseValue(this.#where(), nameOf(value), 'text, number, bigint, boolean, null, Uint8Array, Date, a plain object or an array');
  }

  #memberwise(value: Readonly<Record<string, unknown>>): void {
    const names = Object.keys(value);
    if (Object.getOwnPropertySymbols(value).length > 0)
      throw refuseValue(this.#where(), 'an object with a symbol for a key', 'text for every key');
    const depth = this.#enter(value);
    this.#count(TAG_OBJECT, names.length);
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!;
      this.#members[depth] = name;
      this.#name(name);
      this.#write(value[name], false);
    }
    this.#around.length = depth;
  }

  #elements(value: readonly unknown[]): void {
    const depth = this.#enter(value);
    const { length } = value;
    this.#count(TAG_ARRAY, length);
    for (let i = 0; i < length; i++) {
      this.#members[depth] = i;
      const element = value[i];
      if (element === undefined && !Object.hasOwn(value, i)) throw refuseValue(this.#where(), 'a hole of a sparse array', 'a value');
      this.#write(element, false);
    }
    this.#around.length = depth;
  }

  /** Steps into an array or object; returns how many are around it. */
  #enter(value: object): number {
    const around = this.#around;
    const depth = around.length;
    for (let i = 0; i < depth; i++)
      if (around[i] === value) throw refuseValue(this.#where(), 'the same object as one around it', 'an object without cycles');
    if (depth === NESTING_MAX) throw refuseValue(this.#where(), `nested ${depth + 1} levels deep`, `at most ${NESTING_MAX}`);
    around.push(value);
    return depth;
  }

  #count(tag: number, count: number): void {
    this.#reserve(SCALAR_BYTES_MAX);
    this.bytes[this.length] = tag;
    this.length = writeVarint(this.bytes, this.length + 1, count);
  }

  /** Room for tag, length and content; writes the first two. */
  #head(tag: number, length: number, isOutermost: boolean): void {
    this.#reserve(SCALAR_BYTES_MAX + length);
    this.bytes[this.length++] = tag;
    if (!isOutermost) this.length = writeVarint(this.bytes, this.length, length);
  }

  #number(value: number): void {
    const { bytes } = this;
    if (Number.isInteger(value) && value < WHOLE_END && value >= -WHOLE_END && !Object.is(value, -0)) {
      if (value >= 0 && value < 128) bytes[this.length++] = TAG_SMALL + value;
      else {
        bytes[this.length] = value < 0 ? TAG_WHOLE_NEGATIVE : TAG_WHOLE;
        this.length = writeVarint(bytes, this.length + 1, value < 0 ? -1 - value : value);
      }
      return;
    }
    bytes[this.length++] = TAG_DOUBLE;
    const double = this.#double;
    double.setFloat64(0, value, true);
    // The language lets NaN have any bits; here it has these.
    if (Number.isNaN(value)) double.setBigUint64(0, 0x7ff8_0000_0000_0000n, true);
    for (let i = 0; i < 8; i++) bytes[this.length++] = double.getUint8(i);
  }

  #bigint(value: bigint, isOutermost: boolean): void {
    const magnitude = encodeMagnitude(value < 0n ? -1n - value : value, VALUE_BYTES_MAX);
    if (magnitude === undefined) throw this.#tooLarge(VALUE_BYTES_MAX + 1);
    this.#head(value < 0n ? TAG_BIGINT_NEGATIVE : TAG_BIGINT, magnitude.length, isOutermost);
    this.bytes.set(magnitude, this.length);
    this.length += magnitude.length;
  }

  #outerText(text: string): void {
    const { length } = text;
    if (length <= LOOP_CHARACTERS_MAX) {
      if (this.#ascii(text, 1)) {
        this.bytes[0] = TAG_ASCII;
        this.length = 1 + length;
        return;
      }
    } else if (length <= KEPT_BYTES_MAX / 4) {
      this.#reserve(1 + 3 * length);
      const written = this.#texts.writeUtf8(text, this.bytes, 1);
      // As many bytes as characters: all ASCII. A lone surrogate would have been replaced.
      if (written === length || text.isWellFormed()) {
        this.bytes[0] = written === length ? TAG_ASCII : TAG_UTF8;
        this.length = 1 + written;
        return;
      }
    }
    this.#anyText(text, true);
  }

  #innerText(text: string): void {
    const { length } = text;
    if (length <= LOOP_CHARACTERS_MAX) {
      this.#reserve(2 + LOOP_CHARACTERS_MAX);
      if (this.#ascii(text, this.length + 2)) {
        this.bytes[this.length] = TAG_ASCII;
        this.bytes[this.length + 1] = length;
        this.length += 2 + length;
        return;
      }
    }
    this.#anyText(text, false);
  }

  /** Tag, length where it is needed, and the text in its shortest form. */
  #anyText(text: string, isOutermost: boolean): void {
    if (text.isWellFormed()) {
      const length = this.#measure(text);
      this.#head(length === text.length ? TAG_ASCII : TAG_UTF8, length, isOutermost);
      this.#texts.writeUtf8(text, this.bytes, this.length);
      this.length += length;
    } else {
      this.#head(TAG_UTF16, 2 * text.length, isOutermost);
      this.#utf16(text);
    }
  }

  #name(name: string): void {
    const { length } = name;
    if (length <= LOOP_CHARACTERS_MAX) {
      this.#reserve(1 + LOOP_CHARACTERS_MAX);
      if (this.#ascii(name, this.length + 1)) {
        this.bytes[this.length] = 4 * length;
        this.length += 1 + length;
        return;
      }
    }
    const isWellFormed = name.isWellFormed();
    const bytes = isWellFormed ? this.#measure(name) : 2 * length;
    this.#reserve(SCALAR_BYTES_MAX + bytes);
    this.length = writeVarint(this.bytes, this.length, 4 * bytes + (isWellFormed ? (bytes === length ? 0 : 1) : 2));
    if (isWellFormed) this.length += this.#texts.writeUtf8(name, this.bytes, this.length);
    else this.#utf16(name);
  }

  /** Writes the characters at `at` as long as they are ASCII; true when all are. There is room. */
  #ascii(text: string, at: number): boolean {
    const { bytes } = this;
    const { length } = text;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) return false;
      bytes[at + i] = unit;
    }
    return true;
  }

  #utf16(text: string): void {
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      this.bytes[this.length++] = unit & 0xff;
      this.bytes[this.length++] = unit >> 8;
    }
  }

  /** Bytes of well-formed text as UTF-8; what is too large is not walked through. */
  #measure(text: string): number {
    if (text.length > VALUE_BYTES_MAX) throw this.#tooLarge(text.length);
    return utf8Bytes(text);
  }

  #reserve(more: number): void {
    const needed = this.length + more;
    if (needed > this.bytes.length) this.#grow(needed);
  }

  #grow(needed: number): void {
    if (needed > BUFFER_BYTES_MAX) throw this.#tooLarge(needed);
    const larger = new Uint8Array(Math.min(Math.max(needed, 2 * this.bytes.length), BUFFER_BYTES_MAX));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }

  #tooLarge(bytes: number): Error {
    return refuseValue(this.#where(), `at least ${bytes} bytes encoded`, `at most ${VALUE_BYTES_MAX}`);
  }

  /** The place of the current value, as `.name[3]`. */
  #where(): string {
    let where = '';
    for (let i = 0; i < this.#around.length; i++) {
      const member = this.#members[i]!;
      where +=
        typeof member === 'number' ? `[${member}]` : /^[\w$]+$/.test(member) ? `.${member}` : `[${JSON.stringify(member.slice(0, 40))}]`;
    }
    return where;
  }
}
