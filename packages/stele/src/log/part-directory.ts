/**
 * PartDirectories: where the parts of a large commit lie, for random access.
 *
 * The commit index knows the first part only. The others are found by hopping from head to head, a few bytes read for
 * each part of about a megabyte, and the places of the last few such commits are kept. A hop trusts unverified heads; what is
 * read in the end is verified with its place and commit, so a wrong hop ends in RECORD_DAMAGED, never in a wrong value.
 *
 * Specification: spec/log-format.md, "Reading one operation".
 */

import { readU32 } from '../base/bytes.ts';
import { GROUP_BYTES } from './group-format.ts';
import { OK } from './outcome.ts';
import type { LogReader } from './reader.ts';
import {
  align8,
  FLAG_PAYLOAD,
  HEAD_BYTES,
  headCommit,
  headFlags,
  headKind,
  headLength,
  KIND_FINAL_PART,
  KIND_GROUP,
  KIND_PART,
} from './record-format.ts';
import type { Segment } from './segment.ts';
import { SEGMENT_HEADER_BYTES } from './segment-header.ts';
import type { SegmentStore } from './segment-store.ts';

/** Commits whose parts are remembered. */
const DIRECTORIES_MAX = 16;

export interface Part {
  readonly segment: Segment;
  readonly offset: number;
  readonly firstOrdinal: number;
  readonly firstCarried: number;
  readonly final: boolean;
}

export class PartDirectories {
  readonly #reader: LogReader;
  readonly #store: SegmentStore;
  readonly #byCommit = new Map<number, Part[]>();

  constructor(reader: LogReader, store: SegmentStore) {
    this.#reader = reader;
    this.#store = store;
  }

  /** The part that holds an ordinal (or carried index) of the commit whose first part is at the place. @throws `corrupt` RECORD_DAMAGED. */
  find(segment: Segment, offset: number, commit: number, ordinal: number, carried: boolean): Part {
    let parts = this.#byCommit.get(commit);
    if (parts?.[0]?.segment !== segment || parts[0].offset !== offset) {
      parts = this.#collect(segment, offset, commit);
      if (this.#byCommit.size >= DIRECTORIES_MAX) this.#byCommit.delete(this.#byCommit.keys().next().value!);
      this.#byCommit.set(commit, parts);
    }
    let low = 0;
    let high = parts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const part = parts[middle]!;
      if ((carried ? part.firstCarried : part.firstOrdinal) <= ordinal) low = middle;
      else high = middle - 1;
    }
    // Parts without entries of the wanted sort share their first index with the next one: the last of them holds it.
    return parts[low]!;
  }

  clear(): void {
    this.#byCommit.clear();
  }

  #collect(firstSegment: Segment, firstOffset: number, commit: number): Part[] {
    const reader = this.#reader;
    const parts: Part[] = [];
    let segment = firstSegment;
    let offset = firstOffset;
    for (;;) {
      const part = this.#readPart(segment, offset, commit);
      parts.push(part);
      if (part.final) return parts;
      const place = this.#behind(segment, offset, commit);
      const next = this.#atEnd(segment, place) ? this.#store.get(segment.number + 1) : segment;
      if (next === undefined) throw reader.damaged(segment, offset, commit, 'the next part is missing');
      offset = next === segment ? place : SEGMENT_HEADER_BYTES;
      segment = next;
      offset = this.#skipGroup(segment, offset, commit);
    }
  }

  /** Position of the next part: `offset`, or behind the group head that stands at the next multiple of 8. */
  #skipGroup(segment: Segment, offset: number, commit: number): number {
    const reader = this.#reader;
    if (this.#head(segment, offset)) {
      const kind = headKind(reader.bytes, reader.at);
      if ((kind === KIND_PART || kind === KIND_FINAL_PART) && headCommit(reader.bytes, reader.at) === commit) return offset;
    }
    const aligned = align8(offset);
    const isGroup =
      this.#head(segment, aligned) &&
      headKind(reader.bytes, reader.at) === KIND_GROUP &&
      headLength(reader.bytes, reader.at) === GROUP_BYTES;
    return isGroup ? aligned + GROUP_BYTES : offset;
  }

  #readPart(segment: Segment, offset: number, commit: number): Part {
    const reader = this.#reader;
    const kind = this.#head(segment, offset) ? headKind(reader.bytes, reader.at) : 0;
    if ((kind !== KIND_PART && kind !== KIND_FINAL_PART) || headCommit(reader.bytes, reader.at) !== commit)
      throw reader.damaged(segment, offset, commit, 'a part is missing');
    return {
      segment,
      offset,
      firstOrdinal: readU32(reader.bytes, reader.at + HEAD_BYTES),
      firstCarried: readU32(reader.bytes, reader.at + HEAD_BYTES + 4),
      final: kind === KIND_FINAL_PART,
    };
  }

  /** Position behind the record and its payload. */
  #behind(segment: Segment, offset: number, commit: number): number {
    const reader = this.#reader;
    this.#head(segment, offset);
    const end = offset + headLength(reader.bytes, reader.at);
    if ((headFlags(reader.bytes, reader.at) & FLAG_PAYLOAD) === 0) return end;
    if (end - 4 <= offset || reader.reachDirect(segment, end - 4, 4) !== OK) throw reader.damaged(segment, offset, commit, 'a part is cut');
    return end + readU32(reader.bytes, reader.at);
  }

  #atEnd(segment: Segment, offset: number): boolean {
    return segment !== this.#store.current && offset >= this.#store.get(segment.number + 1)!.header.previousEnd;
  }

  #head(segment: Segment, offset: number): boolean {
    return this.#reader.reachDirect(segment, offset, HEAD_BYTES + 8) === OK;
  }
}
