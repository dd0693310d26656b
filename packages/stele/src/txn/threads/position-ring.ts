/**
 * The position ring: where the records of the newest commits begin, for threads.
 *
 * The owner keeps the newest entries of the commit index in memory, at most 32 Ki of them; older ones are in `commits.idx`. The ring
 * has room for at least twice as many, so every visible commit is in the one or the other (docs/decisions, "Reading threads").
 *
 *   entry, 16 bytes, at commit mod entries:   0 low 32 bits of the commit · 4 segment · 8 offset · 12 check of the three
 *
 * Invariants
 * - One writer, the owner, before the commit becomes visible. A reader that meets an entry being written sees a wrong check, or an
 *   older commit's entry, and looks elsewhere.
 */

export const RING_ENTRIES_MIN = 64 * 1024;
const ENTRY_WORDS = 4;

export function ringWords(entries: number): number {
  return entries * ENTRY_WORDS;
}

export function writePosition(ring: Uint32Array, commit: number, segment: number, offset: number): void {
  const at = (commit % (ring.length / ENTRY_WORDS)) * ENTRY_WORDS;
  ring[at + 3] = 0;
  ring[at] = commit >>> 0;
  ring[at + 1] = segment;
  ring[at + 2] = offset;
  ring[at + 3] = check(commit >>> 0, segment, offset);
}

export interface LogPlace {
  segment: number;
  offset: number;
}

/** Fills `into`; false when the ring does not hold the commit (any more). */
export function readPosition(ring: Uint32Array, commit: number, into: LogPlace): boolean {
  const at = (commit % (ring.length / ENTRY_WORDS)) * ENTRY_WORDS;
  const low = ring[at]!;
  const segment = ring[at + 1]!;
  const offset = ring[at + 2]!;
  if (low !== commit >>> 0 || segment === 0 || ring[at + 3] !== check(low, segment, offset)) return false;
  into.segment = segment;
  into.offset = offset;
  return true;
}

function check(low: number, segment: number, offset: number): number {
  let hash = Math.imul(low ^ 0x9e3779b1, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15) ^ segment, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 13) ^ offset, 0x27d4eb2f);
  return (hash ^ (hash >>> 16)) >>> 0;
}
