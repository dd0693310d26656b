/**
 * Version spines: how AS OF on a hot path stays logarithmic.
 *
 * Every superseded version is reachable through back addresses, one hop each. From depth 8 on, the entry in the tree
 * also keeps a *spine*: the addresses of its superseded versions as digits of a radix-32 number. Level 0 lists the
 * versions since the last multiple of 32, level 1 every 32nd version since the last multiple of 1,024, and so on.
 * When a list is full it moves into the log record of the version being written (its *version table*) and the list
 * starts again, so building it never reads the log and a jump crosses 32^k versions with one read.
 * (spec/invariants.md rule 8 proposed a skew-binary spine; docs/decisions/0010-radix-spine.md has the numbers.)
 *
 * Invariants
 * - Chain index: the base is 0, the current version is `index`. Level 0 holds every superseded version with an index in
 *   [index − index mod 32, index); level k ≥ 1 holds the multiples of 32^k, except 0, since the last multiple of 32^(k+1).
 * - A version whose index is a multiple of 32^(k+1) carries in its record the tables of levels 0..k, 32 elements each
 *   (31 where index 0 is left out).
 * - Inside a list commits ascend.
 *
 * Layout of a spine (tree entry) and of a table (log record) — one shape:
 *
 *   u8      kind: 1 = tables of this version, 2 = whole spine saved because it outgrew its limit
 *   varint  index of the version
 *   u8      level count n
 *   n times, highest level first:  u8 count · u16 bytes · elements
 *   element: varint commit (first of a list absolute, then difference) ·
 *            varint ordinal × 2 + carried · when carried: varint (address commit − commit)
 *
 * Limits: a spine is at most 1,024 bytes; one that would grow further is saved whole in the record being written and
 * starts again with that version as base.
 * Specification: spec/log-format.md, "Version tables".
 */

import { invariant, SteleError } from '../base/errors.ts';
import { readVarint, VARINT_BAD, varintBytes, writeVarint } from '../base/varint.ts';

export const SPINE_RADIX = 32;
/** Entries with fewer superseded versions are followed hop by hop. */
export const SPINE_FROM_DEPTH = 8;
export const SPINE_BYTES_MAX = 1024;

const KIND_TABLES = 1;
const KIND_SAVED = 2;
const LEVELS_MAX = 10;

/** One superseded version: its own commit, and where its bytes are. */
export interface VersionAddress {
  readonly commit: number;
  /** The commit in whose record it is stored: its own, or that of the record that carried it. */
  readonly addressCommit: number;
  readonly ordinal: number;
  readonly carried: boolean;
}

/** Lists by level, level 0 first; inside a list oldest first. */
export interface Spine {
  readonly saved: boolean;
  readonly index: number;
  readonly levels: readonly (readonly VersionAddress[])[];
}

export interface GrownSpine {
  /** For the tree entry. */
  readonly spine: Uint8Array;
  /** For the record being written, or undefined. */
  readonly table: Uint8Array | undefined;
}

/** The spine of a version that supersedes `old`; `previous` is the spine of `old`, undefined when it had none. `bytesMax`: room in the entry. */
export function growSpine(previous: Uint8Array | undefined, old: VersionAddress, bytesMax = SPINE_BYTES_MAX): GrownSpine {
  if (previous === undefined) return { spine: encodeSpine({ saved: false, index: 1, levels: [[old]] }), table: undefined };
  const spine = decodeSpine(previous, 0, previous.length);
  const oldIndex = spine.index;
  const index = oldIndex + 1;
  const levels = spine.levels.map((level) => [...level]);
  push(levels, 0, old);
  for (let level = 1, step = SPINE_RADIX; oldIndex > 0 && oldIndex % step === 0; level++, step *= SPINE_RADIX) push(levels, level, old);

  const full: VersionAddress[][] = [];
  for (let level = 0, step = SPINE_RADIX; index % step === 0; level++, step *= SPINE_RADIX) {
    full.push(levels[level] ?? []);
    levels[level] = [];
  }
  const grown = encodeSpine({ saved: false, index, levels });
  const table = full.length === 0 ? undefined : encodeSpine({ saved: false, index, levels: full });
  if (grown.length <= bytesMax) return { spine: grown, table };
  // The version being written becomes a base: index 0, nothing superseded since; its record keeps all that was known.
  const all = levels.map((level, at) => [...(full[at] ?? []), ...level]);
  return {
    spine: encodeSpine({ saved: false, index: 0, levels: [[]] }),
    table: encodeSpine({ saved: true, index, levels: all }),
  };
}

function push(levels: VersionAddress[][], level: number, address: VersionAddress): void {
  const list = levels[level];
  if (list === undefined) levels[level] = [address];
  else list.push(address);
}

/**
 * Fast path of {@link growSpine}: appends to level 0 without building lists, writing into `target`.
 * Returns the new length, or 0 when a list fills up or a holder is superseded and the general form must be taken.
 */
export function appendToSpine(source: Uint8Array, start: number, bytes: number, old: VersionAddress, target: Uint8Array): number {
  const end = start + bytes;
  const index = readVarint(source, start + 1, end);
  if (index === VARINT_BAD || index % SPINE_RADIX === 0 || (index + 1) % SPINE_RADIX === 0) return 0;
  if (varintBytes(index + 1) !== varintBytes(index)) return 0;
  let at = start + 1 + varintBytes(index);
  const levelCount = source[at++]!;
  for (let level = levelCount - 1; level > 0; level--) at += 3 + source[at + 1]! + 256 * source[at + 2]!;
  const count = source[at]!;
  if (count >= SPINE_RADIX) return 0;
  const listBytes = source[at + 1]! + 256 * source[at + 2]!;
  let last = 0;
  for (let k = 0, p = at + 3; k < count && p < end; k++) {
    const difference = readVarint(source, p, end);
    p += varintBytes(difference);
    const place = readVarint(source, p, end);
    p += varintBytes(place);
    if (place % 2 === 1) p += varintBytes(readVarint(source, p, end));
    last += difference;
  }
  const added = elementBytes(old, last);
  if (bytes + added > SPINE_BYTES_MAX || bytes + added > target.length) return 0;
  for (let k = 0; k < bytes; k++) target[k] = source[start + k]!;
  writeVarint(target, 1, index + 1);
  const listAt = at - start;
  target[listAt] = count + 1;
  target[listAt + 1] = (listBytes + added) & 0xff;
  target[listAt + 2] = (listBytes + added) >> 8;
  writeElement(target, bytes, old, last);
  return bytes + added;
}

function elementBytes(address: VersionAddress, previous: number): number {
  const carried = address.carried ? varintBytes(address.addressCommit - address.commit) : 0;
  return varintBytes(address.commit - previous) + varintBytes(address.ordinal * 2 + (address.carried ? 1 : 0)) + carried;
}

function writeElement(target: Uint8Array, at: number, address: VersionAddress, previous: number): number {
  let end = writeVarint(target, at, address.commit - previous);
  end = writeVarint(target, end, address.ordinal * 2 + (address.carried ? 1 : 0));
  return address.carried ? writeVarint(target, end, address.addressCommit - address.commit) : end;
}

export function encodeSpine(spine: Spine): Uint8Array {
  let bytes = 2 + varintBytes(spine.index);
  for (const level of spine.levels) {
    bytes += 3;
    let previous = 0;
    for (const address of level) {
      bytes += elementBytes(address, previous);
      previous = address.commit;
    }
  }
  const target = new Uint8Array(bytes);
  target[0] = spine.saved ? KIND_SAVED : KIND_TABLES;
  let at = writeVarint(target, 1, spine.index);
  target[at++] = spine.levels.length;
  for (let level = spine.levels.length - 1; level >= 0; level--) {
    const list = spine.levels[level]!;
    invariant(list.length < 256, `spine level ${level} holds ${list.length} versions, expected at most 255`);
    const head = at;
    at += 3;
    let previous = 0;
    for (const address of list) {
      at = writeElement(target, at, address, previous);
      previous = address.commit;
    }
    target[head] = list.length;
    target[head + 1] = (at - head - 3) & 0xff;
    target[head + 2] = (at - head - 3) >> 8;
  }
  return target;
}

/** Walks the lists of a spine or table, highest level first; every length is checked against `end`. */
class ListReader {
  readonly saved: boolean;
  readonly index: number;
  readonly levelCount: number;
  readonly #source: Uint8Array;
  readonly #end: number;
  #at: number;
  #left = 0;
  #listEnd = 0;
  commit = 0;
  addressCommit = 0;
  ordinal = 0;
  carried = false;

  constructor(source: Uint8Array, start: number, end: number) {
    const kind = start < end ? source[start] : undefined;
    if (kind !== KIND_TABLES && kind !== KIND_SAVED) throw damaged(`kind ${kind}, expected ${KIND_TABLES} or ${KIND_SAVED}`);
    this.saved = kind === KIND_SAVED;
    this.#source = source;
    this.#end = end;
    this.#at = start + 1;
    this.index = this.#varint(end);
    this.levelCount = this.#at < end ? source[this.#at++]! : 0;
    if (this.levelCount > LEVELS_MAX) throw damaged(`${this.levelCount} levels, expected at most ${LEVELS_MAX}`);
  }

  beginList(): void {
    if (this.#at + 3 > this.#end) throw damaged('list head beyond the end');
    this.#left = this.#source[this.#at]!;
    if (this.#left > SPINE_RADIX) throw damaged(`a list of ${this.#left} versions, expected at most ${SPINE_RADIX}`);
    this.#listEnd = this.#at + 3 + this.#source[this.#at + 1]! + 256 * this.#source[this.#at + 2]!;
    if (this.#listEnd > this.#end) throw damaged('list beyond the end');
    this.#at += 3;
    this.commit = 0;
  }

  /** Steps to the next element of the list; false at its end. */
  next(): boolean {
    if (this.#left === 0) {
      if (this.#at !== this.#listEnd) throw damaged('list length and content differ');
      return false;
    }
    this.#left--;
    this.commit += this.#varint(this.#listEnd);
    const place = this.#varint(this.#listEnd);
    this.carried = place % 2 === 1;
    this.ordinal = Math.floor(place / 2);
    this.addressCommit = this.carried ? this.commit + this.#varint(this.#listEnd) : this.commit;
    return true;
  }

  /** Behind the last list. */
  end(): void {
    if (this.#at !== this.#end) throw damaged('bytes behind the lists');
  }

  get address(): VersionAddress {
    return { commit: this.commit, addressCommit: this.addressCommit, ordinal: this.ordinal, carried: this.carried };
  }

  #varint(end: number): number {
    const value = readVarint(this.#source, this.#at, end);
    if (value === VARINT_BAD) throw damaged('number cut or not canonical');
    this.#at += varintBytes(value);
    return value;
  }
}

/** @throws {SteleError} `corrupt` SPINE_DAMAGED when the bytes are not a spine */
export function decodeSpine(source: Uint8Array, start: number, end: number): Spine {
  const reader = new ListReader(source, start, end);
  const levels: VersionAddress[][] = [];
  for (let level = reader.levelCount - 1; level >= 0; level--) {
    const list: VersionAddress[] = [];
    reader.beginList();
    while (reader.next()) list.push(reader.address);
    levels[level] = list;
  }
  reader.end();
  return { saved: reader.saved, index: reader.index, levels };
}

function damaged(message: string): SteleError {
  return new SteleError('corrupt', 'SPINE_DAMAGED', `version spine: ${message}`);
}

/** What {@link nearest} finds: `at`, the newest level-0 version ≤ commit; `after`, the oldest version > commit of any level. */
class Nearest {
  hasAt = false;
  atAddress = 0;
  atOrdinal = 0;
  atCarried = false;
  hasAfter = false;
  afterCommit = 0;
  afterAddress = 0;
  afterOrdinal = 0;
  afterCarried = false;
}

/** Result of a search; one object, filled again and again. `isExact`: the address is the newest version at or before the commit; otherwise follow back addresses from there. */
export class SpineAnswer {
  isExact = false;
  addressCommit = 0;
  ordinal = 0;
  carried = false;
  /** Scratch of the search. */
  readonly step = new Nearest();
}

/** Where a version table lies: bytes[start, end), empty when the record carries none. */
export interface TablePlace {
  readonly bytes: Uint8Array;
  readonly tableStart: number;
  readonly tableEnd: number;
}

/**
 * Finds the newest superseded version with commit ≤ `commit`, below the version at (`currentCommit`, `currentOrdinal`) whose
 * spine is given. `readTable` reads the record at an address, undefined when its block is not in memory: then the answer is
 * undefined too, and the caller starts again once it is.
 *
 * Cost: one record read per level, at most log32 of the depth, and none for the versions since the last multiple of 32.
 */
export function searchSpine(
  spine: Uint8Array,
  start: number,
  end: number,
  currentCommit: number,
  currentOrdinal: number,
  commit: number,
  readTable: (addressCommit: number, ordinal: number, carried: boolean) => TablePlace | undefined,
  answer: SpineAnswer,
): SpineAnswer | undefined {
  let boundCommit = currentCommit;
  answer.isExact = false;
  answer.addressCommit = currentCommit;
  answer.ordinal = currentOrdinal;
  answer.carried = false;
  const step = answer.step;
  nearest(spine, start, end, commit, step);
  for (;;) {
    if (step.hasAt) {
      answer.isExact = true;
      answer.addressCommit = step.atAddress;
      answer.ordinal = step.atOrdinal;
      answer.carried = step.atCarried;
      return answer;
    }
    if (step.hasAfter && step.afterCommit < boundCommit) {
      boundCommit = step.afterCommit;
      answer.addressCommit = step.afterAddress;
      answer.ordinal = step.afterOrdinal;
      answer.carried = step.afterCarried;
    } else if (boundCommit !== currentCommit) {
      return answer;
    }
    // The bound is newer than `commit`, and everything between is below it: its record's tables go on from there.
    const table = readTable(answer.addressCommit, answer.ordinal, answer.carried);
    if (table === undefined) return undefined;
    if (table.tableEnd === table.tableStart) return answer;
    nearest(table.bytes, table.tableStart, table.tableEnd, commit, step);
    if (!step.hasAt && !step.hasAfter) return answer;
    if (!step.hasAt && step.afterCommit >= boundCommit) return answer;
  }
}

function nearest(source: Uint8Array, start: number, end: number, commit: number, into: Nearest): void {
  into.hasAt = false;
  into.hasAfter = false;
  const kind = start < end ? source[start]! : 0;
  if (kind !== KIND_TABLES && kind !== KIND_SAVED) throw damaged(`kind ${kind}, expected ${KIND_TABLES} or ${KIND_SAVED}`);
  const index = varintAt(source, start + 1, end);
  let at = start + 1 + varintBytes(index);
  const levels = at < end ? source[at++]! : 0;
  if (levels > LEVELS_MAX) throw damaged(`${levels} levels, expected at most ${LEVELS_MAX}`);
  for (let level = levels - 1; level >= 0; level--) {
    if (at + 3 > end) throw damaged('list head beyond the end');
    const count = source[at]!;
    const listEnd = at + 3 + source[at + 1]! + 256 * source[at + 2]!;
    if (listEnd > end) throw damaged('list beyond the end');
    at += 3;
    let version = 0;
    for (let k = 0; k < count; k++) {
      const difference = varintAt(source, at, listEnd);
      at += varintBytes(difference);
      version += difference;
      const place = varintAt(source, at, listEnd);
      at += varintBytes(place);
      const isCarried = place % 2 === 1;
      let address = version;
      if (isCarried) {
        const later = varintAt(source, at, listEnd);
        at += varintBytes(later);
        address += later;
      }
      if (version > commit) {
        if (!into.hasAfter || version < into.afterCommit) {
          into.hasAfter = true;
          into.afterCommit = version;
          into.afterAddress = address;
          into.afterOrdinal = Math.floor(place / 2);
          into.afterCarried = isCarried;
        }
        break; // commits ascend
      }
      if (level === 0) {
        into.hasAt = true;
        into.atAddress = address;
        into.atOrdinal = Math.floor(place / 2);
        into.atCarried = isCarried;
      }
    }
    at = listEnd;
  }
}

function varintAt(source: Uint8Array, at: number, end: number): number {
  const value = readVarint(source, at, end);
  if (value === VARINT_BAD) throw damaged('number cut or not canonical');
  return value;
}
