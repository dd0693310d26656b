/**
 * Deleting ranges of any size: one commit, logged as its effects in parts, applied in slices.
 *
 * Two walks over the live keys of the ranges, in key order: the first writes the parts, the second changes the tree. Between
 * two steps others get their turn. Readers stay at the commit before until the last effect is in, then *applied* moves once
 * (spec/invariants.md rule 11). Whoever wants to write first finishes the rest, blocking.
 *
 * Invariants
 * - Nothing is in the tree before the final part is in the log buffer; without it the parts mean nothing.
 * - Every superseded version is kept, whatever the rules say: a view may be opened while slices are applied. The sweep takes
 *   away what nobody can ask for.
 * - The second walk meets the keys of the first, in the same order: nobody writes in between.
 *
 * Memory: independent of the number of keys, but for versions that had to be carried.
 * Specification: spec/transactions.md, "Commits".
 */

import { compareBytes } from '../base/bytes.ts';
import { invariant, type SteleError } from '../base/errors.ts';
import type { Cursor } from '../tree/cursor.ts';
import { commitAt, ENTRY_EXPIRES, ENTRY_TOMBSTONE, expiresAt, flagsAt } from '../tree/entry.ts';
import type { Applier } from './applier.ts';
import type { Core } from './core.ts';
import { FOUND, MISS } from './core.ts';
import type { Encoder } from './encoder.ts';
import { KEY_BYTES_MAX } from './options.ts';
import type { Room } from './room.ts';
import { Superseded } from './superseded.ts';
import type { Commit, CommitOptions } from './types.ts';
import type { Applied } from './writer.ts';

/** Small parts: encoding one cannot be interrupted, and takes about half a millisecond. */
const PART_BYTES = 24 * 1024;
const SLICE_MS = 1;

export interface SlicedDeleteParts {
  readonly core: Core;
  readonly room: Room;
  readonly applier: Applier;
  readonly encoder: Encoder;
  /** In key order, without overlap. */
  readonly ranges: readonly { readonly start: Uint8Array; readonly end: Uint8Array }[];
  readonly timeMs: number;
  readonly options: CommitOptions | undefined;
  /** Called at the moment the commit is applied, or found to change nothing: its promise takes its place among the others. */
  readonly onApplied: (applied: Applied, resolve: (commit: Commit) => void, reject: (error: unknown) => void) => void;
}

export class SlicedDelete {
  readonly #p: SlicedDeleteParts;
  readonly #work: Generator<void, void>;
  readonly #old = new Superseded();
  /** One for all steps: making one costs more than moving it. Each step seeks anew, since the tree changes in between. */
  readonly #cursor: Cursor;
  readonly #key = new Uint8Array(KEY_BYTES_MAX);
  #keyBytes = 0;
  /** Index of the range the walk is in. */
  #range = 0;
  readonly #commit: number;
  /** Ordinal of an effect to index of the version it carried. */
  readonly #carried = new Map<number, number>();
  #count = 0;
  #checksum = 0;
  #error: unknown;
  readonly #promise: Promise<Commit>;
  #resolve!: (commit: Commit) => void;
  #reject!: (error: unknown) => void;
  #isDone = false;
  #isStepping = false;

  constructor(parts: SlicedDeleteParts) {
    this.#p = parts;
    this.#promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#commit = parts.core.applied + 1;
    this.#cursor = parts.core.tree.cursor();
    this.#cursor.setOptions({ skipDead: true });
    this.#work = this.#steps();
    parts.core.sliced = this;
    // What the parts refer to must be there until the tree refers to it.
    parts.core.segmentPins++;
  }

  /** Runs to the end, giving others a turn after each millisecond. Rejects with what refused it; then nothing was changed. */
  run(): Promise<Commit> {
    void this.#drive();
    return this.#promise;
  }

  async #drive(): Promise<void> {
    const { clock, timers } = this.#p.core.host;
    while (!this.#isDone) {
      const start = clock.monotonicMs();
      do this.#step();
      while (!this.#isDone && clock.monotonicMs() - start < SLICE_MS);
      if (!this.#isDone) await new Promise<void>((resolve) => timers.immediate(resolve));
    }
  }

  /** Does the rest at once. Errors go to the promise of {@link run}. */
  finish(): void {
    while (!this.#isDone) this.#step();
  }

  #step(): void {
    // A logger told of a full disk in the middle of a step may want to write: that is its error, not the delete's.
    invariant(!this.#isStepping, 'nothing can be written from within a write');
    this.#isStepping = true;
    try {
      if (this.#work.next().done !== true) return;
    } catch (error) {
      this.#error = error;
    } finally {
      this.#isStepping = false;
    }
    this.#isDone = true;
    const { core } = this.#p;
    core.sliced = undefined;
    core.segmentPins--;
    core.isApplying = false;
    core.isPlain = core.status === 'open';
    if (this.#error === undefined) this.#p.onApplied(this.#applied(), this.#resolve, this.#reject);
    else this.#reject(this.#error);
  }

  #applied(): Applied {
    return { version: this.#count === 0 ? 0 : this.#commit, timeMs: this.#p.timeMs, checksum: this.#checksum, changed: this.#count };
  }

  *#steps(): Generator<void, void> {
    const { core, timeMs, options } = this.#p;
    const { log } = core;
    yield* this.#encode();
    if (this.#count === 0) return;
    this.#checksum = log.lastChecksum;
    core.logged(this.#commit, timeMs, options?.assertedTimeMs ?? 0);
    const endSegment = log.headSegment;
    const endOffset = log.headOffset;
    core.isPlain = false;
    core.isApplying = true;
    try {
      yield* this.#apply();
    } catch (error) {
      throw core.group.fail(error);
    }
    core.appliedThrough(this.#commit, timeMs, endSegment, endOffset, this.#checksum);
    core.counters.deletes += this.#count;
  }

  *#encode(): Generator<void, void> {
    const { core, encoder, options, timeMs } = this.#p;
    const { log } = core;
    const old = this.#old;
    let isBegun = false;
    let isOpen = false;
    try {
      for (let has = this.#walk(undefined); has; has = this.#walk(this.#key)) {
        const keyBytes = this.#keyBytes;
        const carried = encoder.carriedOf(old, true, this.#key, keyBytes);
        const bytes = encoder.bytesBound(keyBytes, 0, old, carried);
        if (isOpen && log.recordBytes + bytes > PART_BYTES) {
          log.endPart(false);
          isOpen = false;
          yield;
          this.#checkStillOpen();
        }
        if (!isOpen) {
          log.reserve(encoder.recordBytesBound(options) + Math.max(PART_BYTES, bytes));
          log.beginPart(this.#commit, timeMs);
          if (!isBegun) encoder.setMeta(options);
          isBegun = true;
          isOpen = true;
        }
        encoder.effect(this.#key, keyBytes, undefined, 0, 0, old, true, carried, this.#commit);
        if (carried !== undefined) this.#carried.set(this.#count, old.addressOrdinal);
        this.#count++;
      }
      if (isOpen) log.endPart(true);
    } catch (error) {
      if (isBegun && !log.failed) log.abortCommit();
      this.#count = 0;
      throw error;
    }
  }

  *#apply(): Generator<void, void> {
    const { core, room, applier } = this.#p;
    const old = this.#old;
    let ordinal = 0;
    for (let has = this.#walk(undefined); has; has = this.#walk(this.#key)) {
      const keyBytes = this.#keyBytes;
      room.whileApplying();
      applier.seek(this.#key, keyBytes);
      const carried = this.#carried.get(ordinal);
      old.keep(core, keyBytes, carried === undefined ? old.commit : this.#commit, carried ?? old.ordinal, carried !== undefined);
      applier.write(-1, this.#key, keyBytes, undefined, 0, 0, 0, this.#commit, ordinal++, old);
      if (ordinal % 16 === 0) {
        yield;
        this.#checkStillOpen();
      }
    }
  }

  #checkStillOpen(): void {
    const failure: SteleError | undefined = this.#p.core.group.failure;
    if (failure !== undefined) throw failure;
  }

  /** To the first live key of the ranges behind `after` (undefined: from the start), with its entry inspected; false at the end. */
  #walk(after: Uint8Array | undefined): boolean {
    const { ranges } = this.#p;
    if (after === undefined) this.#range = 0;
    // The least key behind a key is the key and a zero byte.
    let from = after === undefined ? ranges[0]!.start : new Uint8Array(this.#keyBytes + 1);
    if (after !== undefined) from.set(after.subarray(0, this.#keyBytes));
    while (!this.#walkWithin(from, ranges[this.#range]!.end)) {
      if (++this.#range === ranges.length) return false;
      from = ranges[this.#range]!.start;
    }
    return true;
  }

  #walkWithin(from: Uint8Array, end: Uint8Array): boolean {
    const { core, timeMs } = this.#p;
    const cursor = this.#cursor;
    for (let moved = cursor.seek(from, from.length); ; moved = cursor.next()) {
      while (moved === MISS) {
        core.missTree();
        core.fill();
        moved = cursor.seek(from, from.length);
      }
      if (moved !== FOUND) return false;
      this.#keyBytes = cursor.keyInto(this.#key);
      if (compareBytes(this.#key, 0, this.#keyBytes, end, 0, end.length) >= 0) return false;
      if (!isLive(core, cursor.location, timeMs, this.#commit)) continue;
      this.#old.inspect(core, cursor.location, timeMs);
      return true;
    }
  }
}

function isLive(core: Core, location: number, timeMs: number, commit: number): boolean {
  const flags = flagsAt(core.pages, location);
  if ((flags & ENTRY_TOMBSTONE) !== 0 || commitAt(core.pages, location) >= commit) return false;
  return (flags & ENTRY_EXPIRES) === 0 || expiresAt(core.pages, location) > timeMs;
}
