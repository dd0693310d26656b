/**
 * The control block: what the owner and the reading threads of a database tell each other, in one shared Int32Array.
 *
 *   word   0 status          1 root: lpn × 32 + height, −1 while the root goes       2 tree changes, odd while one runs
 *          3 flushes done    4 next registration id     5 times given out by threads      6 never changed, to wait on
 *          8 cell visible   12 cell begun   16 cell time   20 cell swept time   24 cell floor
 *         32 … slots of 16 words, one for each registered thread:
 *            0 registration id, 0 = free, negative = expired      1 uses      4 cell pin (commit + 1, 0 = none)      8 cell time
 *   cell, 4 words:  0 sequence, odd while it is written · 1 low 32 bits · 2 high bits · 3 unused
 *
 * Invariants
 * - Each cell has one writer: the owner, or the thread whose registration id stands in the slot.
 * - `visible`: the newest commit threads may see; everything through it is in the files. `begun`: the newest commit any effect of which
 *   may be in the tree. So the tree is the state of `visible` exactly while both are equal.
 * - `floor` is never less than a floor the owner has acted upon: a pin counts once it was written and `floor` was seen not above it.
 *
 * Specification: spec/transactions.md, "Reading threads".
 */

import { SteleError } from '../../base/errors.ts';

export const STATUS = 0;
export const ROOT = 1;
export const CHANGES = 2;
export const FLUSHES = 3;
export const NEXT_ID = 4;
export const TIMES_GIVEN = 5;
export const QUIET = 6;

export const VISIBLE = 8;
export const BEGUN = 12;
export const TIME = 16;
export const SWEPT = 20;
export const FLOOR = 24;

export const OPEN = 1;
export const FAILED = 2;
export const CLOSED = 3;

/** Threads that can be registered at once. Others read, but cannot open views. */
export const SLOTS = 64;
export const SLOT_WORDS = 16;
export const SLOT_ID = 0;
export const SLOT_USES = 1;
export const SLOT_PIN = 4;
export const SLOT_TIME = 8;
const FIRST_SLOT = 32;

export const CONTROL_WORDS = FIRST_SLOT + SLOTS * SLOT_WORDS;

export const ROOT_GOES = -1;
const HEIGHTS = 32;
const TWO_32 = 0x1_0000_0000;
/** A cell is written in nanoseconds; a reader that looks so often met a writer that lost the processor in between. */
const TRIES_MAX = 1000;

export function slotAt(slot: number): number {
  return FIRST_SLOT + slot * SLOT_WORDS;
}

export function rootWord(lpn: number, height: number): number {
  return height === 0 ? 0 : lpn * HEIGHTS + height;
}

export function rootLpnOf(word: number): number {
  return Math.floor((word >>> 0) / HEIGHTS);
}

export function heightOf(word: number): number {
  return word & (HEIGHTS - 1);
}

/** Only the cell's one writer may call this. */
export function writeCell(words: Int32Array, cell: number, value: number): void {
  const sequence = words[cell]!;
  Atomics.store(words, cell, sequence | 1 | 0);
  words[cell + 1] = (value % TWO_32) | 0;
  words[cell + 2] = Math.floor(value / TWO_32);
  Atomics.store(words, cell, ((sequence | 1) + 1) | 0);
}

/** The cell's value, or `torn` when its writer stopped in the middle. */
export function readCell(words: Int32Array, cell: number, torn: number): number {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const sequence = Atomics.load(words, cell);
    const value = words[cell + 2]! * TWO_32 + (words[cell + 1]! >>> 0);
    if ((sequence & 1) === 0 && Atomics.load(words, cell) === sequence) return value;
  }
  return torn;
}

/** @throws {SteleError} `closed` DATABASE_CLOSED; `unavailable` COMMIT_UNKNOWN after a failed write or sync of the owner */
export function assertOpen(words: Int32Array): void {
  const status = Atomics.load(words, STATUS);
  if (status === OPEN) return;
  if (status === FAILED)
    throw new SteleError('unavailable', 'COMMIT_UNKNOWN', 'the owner met a failed write or sync: threads read again after reopening');
  throw new SteleError('closed', 'DATABASE_CLOSED', 'the database is closed, or shared no more');
}
