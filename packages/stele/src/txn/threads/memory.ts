/**
 * SharedMemory: the database's memory as a reading thread sees it.
 *
 * Invariants
 * - Nothing read here is believed before the word it stands under was found even, and the same again afterwards.
 * - The thread writes three things only: its slot, clock reference bytes, and the count of times given out.
 *
 * x86 keeps the order of the loads between two looks at a word. ARM does not: see docs/decisions/0013-reading-threads.md.
 */

import { SteleError } from '../../base/errors.ts';
import type { Host } from '../../host/host.ts';
import type { PageViews } from '../../tree/page.ts';
import * as C from './control.ts';
import type { SharedHandle } from './handle.ts';

/** Counters of one reader; tests look whether every path was reached. */
export interface ThreadCounters {
  /** Reads begun again because the owner changed a page meanwhile. */
  retries: number;
  /** Times the thread slept because retrying at once did not help. */
  waits: number;
  /** Pages read from the file because they were not in memory. */
  storedPages: number;
  /** Of these, pages that were another's by then. */
  storedPagesStale: number;
  /** Versions read from the log. */
  oldVersions: number;
  /** Large values read from pages or the log. */
  largeValues: number;
  /** Leaves copied. */
  leafCopies: number;
  /** Segments or index entries looked up anew. */
  refreshes: number;
  countsExact: number;
  countsByScan: number;
}

export function noCounts(): ThreadCounters {
  return {
    retries: 0,
    waits: 0,
    storedPages: 0,
    storedPagesStale: 0,
    oldVersions: 0,
    largeValues: 0,
    leafCopies: 0,
    refreshes: 0,
    countsExact: 0,
    countsByScan: 0,
  };
}

/** Sleeps of a millisecond until a cell is called stalled. */
const WAITS_MAX = 10_000;

export class SharedMemory implements PageViews {
  readonly pageBytes: number;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly control: Int32Array;
  readonly versions: Int32Array;
  readonly ref: Uint8Array;
  readonly frameOf: Int32Array;
  readonly placeLow: Uint32Array;
  readonly placeHigh: Uint16Array;
  readonly checksum: Uint32Array;
  readonly ring: Uint32Array;
  readonly counters: ThreadCounters = noCounts();
  readonly #host: Host;

  /** @throws {SteleError} `invalid` OPTION_INVALID when it is no handle of this version */
  constructor(handle: SharedHandle, host: Host) {
    if (handle?.kind !== 'stele shared' || handle.version !== 1)
      throw new SteleError('invalid', 'OPTION_INVALID', 'this is no shared handle of this version');
    this.#host = host;
    const { frames } = handle;
    this.pageBytes = handle.pageBytes;
    this.u8 = frames;
    this.u16 = new Uint16Array(frames.buffer, frames.byteOffset, frames.length / 2);
    this.u32 = new Uint32Array(frames.buffer, frames.byteOffset, frames.length / 4);
    this.control = handle.control;
    this.versions = handle.versions;
    this.ref = handle.ref;
    this.frameOf = handle.frameOf;
    this.placeLow = handle.placeLow;
    this.placeHigh = handle.placeHigh;
    this.checksum = handle.checksum;
    this.ring = handle.ring;
  }

  /** Newest commit a thread may see. Monotone. */
  visible(): number {
    return this.cell(C.VISIBLE);
  }

  /** Newest commit of which the tree may hold something. */
  begun(): number {
    return this.cell(C.BEGUN);
  }

  /**
   * A cell of the owner's. When the owner lost the processor in the middle of writing it, the thread sleeps until it goes on.
   *
   * @throws {SteleError} `unavailable` THREAD_STALLED after ten seconds; what assertOpen throws
   */
  cell(cell: number): number {
    const value = C.readCell(this.control, cell, -1);
    return value >= 0 ? value : this.#awaitCell(cell);
  }

  #awaitCell(cell: number): number {
    const { threads } = this.#host;
    for (let tries = 0; threads.wait !== undefined && tries < WAITS_MAX; tries++) {
      C.assertOpen(this.control);
      this.counters.waits++;
      const sequence = Atomics.load(this.control, cell);
      if ((sequence & 1) !== 0) threads.wait(this.control, cell, sequence, 1);
      const value = C.readCell(this.control, cell, -1);
      if (value >= 0) return value;
    }
    throw new SteleError('unavailable', 'THREAD_STALLED', 'the owner stopped while it published a number');
  }

  flushes(): number {
    return Atomics.load(this.control, C.FLUSHES);
  }
}
