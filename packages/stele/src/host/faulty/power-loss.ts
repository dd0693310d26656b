/**
 * What a power cut leaves on the device, by seed.
 *
 * Synced changes stay. Of the others anything may be there: nothing, all, a prefix with a torn end, any subset in any
 * order, any subset of the sectors of each, and any length the file had in between. Names not synced: of the
 * creations and removals of one name a prefix has happened, independently of other names and of contents.
 *
 * Invariants
 * - A sector is old or new, never a mixture (`sectorBytes`, default 512).
 * - Of two changes of one sector the earlier never beats the later once both are kept.
 *
 * Specification: spec/host.md, "Power cuts".
 */

import type { Blocks } from '../memory/blocks.ts';
import { applyChange, type Change, type Inode } from './inode.ts';
import type { Prng } from './prng.ts';

/** The bytes of a file after the cut; a fork of the device, the inode itself stays. */
export function contentsAfterCut(inode: Inode, prng: Prng, sectorBytes: number): Blocks {
  const left = inode.device.fork();
  const { pending } = inode;
  if (pending.length === 0) return left;
  const lengths = lengthsBetween(inode);
  const way = prng.below(8);
  if (way === 0) return left;
  if (way === 1) {
    for (const change of pending) applyChange(left, change);
    return left;
  }
  if (way <= 3) {
    const kept = prng.below(pending.length);
    for (let i = 0; i < kept; i++) applyChange(left, pending[i]!);
    applyTorn(left, pending[kept]!, prng, sectorBytes, 0.5);
  } else if (way <= 5) {
    for (const change of pending) {
      const lot = prng.below(4);
      if (lot === 0) applyTorn(left, change, prng, sectorBytes, 0.5);
      else if (lot === 1) applyChange(left, change);
    }
  } else {
    const probability = [0.05, 0.5, 0.95][prng.below(3)]!;
    for (const change of pending) applyTorn(left, change, prng, sectorBytes, probability);
  }
  if (prng.below(3) === 0) {
    const length = lengths[prng.below(lengths.length)]!;
    if (length < left.size) left.truncate(length);
  }
  return left;
}

/** Of the changes to names in order, those that happened. `undefined` means removed. */
export function namesAfterCut(
  deviceNames: ReadonlyMap<string, Inode>,
  changes: readonly { readonly name: string; readonly inode: Inode | undefined }[],
  prng: Prng,
): Map<string, Inode> {
  const left = new Map(deviceNames);
  const byName = Map.groupBy(changes, (change) => change.name);
  for (const [name, history] of byName) {
    const happened = prng.below(history.length + 1);
    if (happened === 0) continue;
    const { inode } = history[happened - 1]!;
    if (inode === undefined) left.delete(name);
    else left.set(name, inode);
  }
  return left;
}

/** Applies each sector of a change, or a change of length, with `probability`. */
function applyTorn(target: Blocks, change: Change, prng: Prng, sectorBytes: number, probability: number): void {
  const { bytes, position } = change;
  if (bytes === undefined) {
    if (prng.chance(probability)) target.truncate(position);
    return;
  }
  for (let done = 0; done < bytes.length; ) {
    const step = Math.min(sectorBytes - ((position + done) % sectorBytes), bytes.length - done);
    if (prng.chance(probability)) target.write(bytes, done, step, position + done);
    done += step;
  }
}

/** The lengths the file had on its way from the device's state to the newest. */
function lengthsBetween(inode: Inode): number[] {
  const lengths = [inode.device.size];
  for (const { position, bytes } of inode.pending) {
    lengths.push(bytes === undefined ? position : Math.max(lengths.at(-1)!, position + bytes.length));
  }
  return lengths;
}
