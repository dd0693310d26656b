/**
 * Headless files: segment files whose header is gone, asked whether they hold the continuation of the log.
 *
 * A header is on the device before the first group of its segment, and a sector is old or new; so no crash leaves groups behind a header
 * that cannot be read: it rotted, or its block was lost. Taking the file for unused would cut durable commits off without a word. What its groups
 * are sealed with is number and generation, and both can be guessed: the number is the next one, the generation is near the greatest
 * that other headers show.
 *
 * Limits: the first MiB of each file; a few numbers and generations. What is not found here is treated as unused, as before.
 *
 * Specification: spec/log-format.md, "Recovery", step 2.
 */

import { readFully } from '../host/files.ts';
import type { Storage } from '../host/storage.ts';
import { GROUP_BYTES, isGroupAt } from './group-format.ts';
import { segmentName } from './segment.ts';
import { segmentSeed } from './segment-header.ts';

const LOOKED_AT_BYTES = 1024 * 1024;
const NUMBERS = 4;
const GENERATIONS_AROUND = 32;

export interface HeadlessSearch {
  readonly storage: Storage;
  readonly databaseId: Uint8Array;
  /** Slots of files without a readable header. */
  readonly slots: readonly number[];
  /** Number of the segment in which the log ends so far. */
  readonly lastSegment: number;
  /** Greatest generation of any header. */
  readonly generationMax: number;
}

/** Calls `visit` with the bytes and place of each group found that belongs behind the end. */
export function findHeadlessGroups(search: HeadlessSearch, visit: (bytes: Uint8Array, at: number) => void): void {
  const seeds: number[] = [];
  for (let number = search.lastSegment + 1; number <= search.lastSegment + NUMBERS; number++) {
    const first = Math.max(1, search.generationMax - GENERATIONS_AROUND);
    for (let generation = first; generation <= search.generationMax + GENERATIONS_AROUND; generation++)
      seeds.push(segmentSeed(search.databaseId, number, generation));
  }
  for (const slot of search.slots) findIn(search.storage, slot, seeds, visit);
}

function findIn(storage: Storage, slot: number, seeds: readonly number[], visit: (bytes: Uint8Array, at: number) => void): void {
  const file = storage.open(segmentName(slot), { readOnly: true });
  const bytes = new Uint8Array(Math.min(file.size(), LOOKED_AT_BYTES));
  const held = readFully(file, bytes, 0, bytes.length, 0);
  file.close();
  let known: number | undefined;
  for (let at = 256; at + GROUP_BYTES <= held; at += 8) {
    if (bytes[at + 12] !== 1 || bytes[at + 8] !== GROUP_BYTES) continue;
    known ??= seeds.find((seed) => isGroupAt(bytes, at, seed, at));
    if (known !== undefined && isGroupAt(bytes, at, known, at)) visit(bytes, at);
  }
}
