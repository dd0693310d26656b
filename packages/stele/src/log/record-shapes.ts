/**
 * RecordShapes: where the operation tables of records lie, for the records of many operations that were read last.
 *
 * A single operation of such a record is found through the head at its beginning and the counts at its end, two places far apart. Their
 * result is kept here, by commit: reads of the past of data that was written in batches come back to the same commits.
 *
 * Invariants
 * - Finished records only, never those in the tail: what a record at a place of a segment says does not change. A recycled file is
 *   another segment.
 * - Heads and counts are believed no more than before: the operation read in the end is verified with its place, commit and index.
 *
 * Limits: 1,024 records, the newest per slot; about 40 KiB.
 */

import type { Segment } from './segment.ts';

const SLOTS = 1024;

export class RecordShapes {
  readonly length = new Uint32Array(SLOTS);
  /** Of the first table, from the record's beginning. */
  readonly tables = new Uint32Array(SLOTS);
  readonly operations = new Uint32Array(SLOTS);
  readonly carried = new Uint32Array(SLOTS);
  readonly #segments = new Array<Segment | undefined>(SLOTS).fill(undefined);
  readonly #offsets = new Uint32Array(SLOTS);
  readonly #commits = new Float64Array(SLOTS);

  /** The slot of the record, or −1 when it is not kept. */
  find(segment: Segment, offset: number, commit: number): number {
    const slot = commit % SLOTS;
    const isIt = this.#commits[slot] === commit && this.#offsets[slot] === offset && this.#segments[slot] === segment;
    return isIt ? slot : -1;
  }

  keep(segment: Segment, offset: number, commit: number, length: number, tables: number, operations: number, carried: number): void {
    const slot = commit % SLOTS;
    this.#segments[slot] = segment;
    this.#offsets[slot] = offset;
    this.#commits[slot] = commit;
    this.length[slot] = length;
    this.tables[slot] = tables;
    this.operations[slot] = operations;
    this.carried[slot] = carried;
  }

  /** Forgets everything, so that no dropped segment is held. */
  clear(): void {
    this.#segments.fill(undefined);
    this.#commits.fill(0);
  }
}
