/**
 * The simulated disk with the kernel above it: names, files, and what of both has reached the device.
 *
 * It outlives processes; a {@link FaultyStorage} is one process's way to it.
 *
 * Specification: spec/host.md, "Faulty host".
 */

import { Holders } from '../holders.ts';
import { BLOCK_BYTES, type Blocks } from '../memory/blocks.ts';
import { applyChange, type Change, Inode } from './inode.ts';
import { contentsAfterCut, namesAfterCut } from './power-loss.ts';
import type { Prng } from './prng.ts';

/** Something the device did wrong without saying so. */
export interface Misplacement {
  readonly name: string;
  readonly position: number;
  readonly length: number;
  /** `lost`: written nowhere. `elsewhere`: only at `toName`, `toPosition`. `twice`: also there. */
  readonly kind: 'lost' | 'elsewhere' | 'twice';
  readonly toName: string;
  readonly toPosition: number;
}

interface NameChange {
  readonly name: string;
  readonly inode: Inode | undefined;
}

/** See the file comment. */
export class Disk {
  names = new Map<string, Inode>();
  #deviceNames = new Map<string, Inode>();
  #nameChanges: NameChange[] = [];
  #lastSequence = 0;
  #lastWriter = 0;
  readonly holders = new Holders();
  /** Processes this disk has seen. */
  bootCount = 0;
  readonly misplaced: Misplacement[] = [];

  /** Bytes taken by named files, in whole blocks. */
  usedBytes(): number {
    let blocks = 0;
    for (const inode of this.names.values()) blocks += inode.cache.blockCount;
    return blocks * BLOCK_BYTES;
  }

  setName(name: string, inode: Inode | undefined): void {
    if (inode === undefined) this.names.delete(name);
    else this.names.set(name, inode);
    this.#nameChanges.push({ name, inode });
  }

  syncNames(): void {
    this.#deviceNames = new Map(this.names);
    this.#nameChanges = [];
  }

  write(inode: Inode, writer: number, source: Uint8Array, start: number, length: number, position: number): void {
    if (length === 0) return;
    inode.cache.write(source, start, length, position);
    inode.pending.push({ sequence: ++this.#lastSequence, writer, position, bytes: source.slice(start, start + length) });
  }

  truncate(inode: Inode, writer: number, size: number): void {
    inode.cache.truncate(size);
    inode.pending.push({ sequence: ++this.#lastSequence, writer, position: size, bytes: undefined });
  }

  /** A number for a new handle. */
  nextWriter(): number {
    return ++this.#lastWriter;
  }

  get lastSequence(): number {
    return this.#lastSequence;
  }

  /** Puts one pending change on the device, where it belongs or, with `probability`, not. */
  settle(name: string, inode: Inode, change: Change, prng: Prng, misplaceProbability: number): void {
    if (change.bytes === undefined || !prng.chance(misplaceProbability)) return applyChange(inode.device, change);
    const names = [...this.names.keys()].sort();
    const toName = names[prng.below(names.length)] ?? name;
    const other = (this.names.get(toName) ?? inode).device;
    const toPosition = prng.below(Math.floor(other.size / 512) + 1) * 512;
    const kind = (['lost', 'elsewhere', 'twice'] as const)[prng.below(3)]!;
    if (kind === 'twice') applyChange(inode.device, change);
    if (kind !== 'lost') writeInside(other, change.bytes, toPosition);
    this.misplaced.push({ name, position: change.position, length: change.bytes.length, kind, toName, toPosition });
  }

  /** An independent copy of everything; cost is one array of references a file. */
  fork(): Disk {
    const copy = new Disk();
    const copies = new Map<Inode, Inode>();
    const copyOf = (inode: Inode): Inode => {
      let twin = copies.get(inode);
      if (twin === undefined) copies.set(inode, (twin = inode.fork()));
      return twin;
    };
    for (const [name, inode] of this.names) copy.names.set(name, copyOf(inode));
    for (const [name, inode] of this.#deviceNames) copy.#deviceNames.set(name, copyOf(inode));
    copy.#nameChanges = this.#nameChanges.map(({ name, inode }) => ({ name, inode: inode && copyOf(inode) }));
    copy.#lastSequence = this.#lastSequence;
    copy.#lastWriter = this.#lastWriter;
    copy.bootCount = this.bootCount;
    copy.misplaced.push(...this.misplaced);
    return copy;
  }

  /** The disk as the next boot finds it. This one stays as it is. */
  afterPowerCut(prng: Prng, sectorBytes: number): Disk {
    const next = new Disk();
    next.bootCount = this.bootCount;
    // Sorted, so that the seed decides and not the order in which names were made.
    const left = [...namesAfterCut(this.#deviceNames, this.#nameChanges, prng)].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [name, inode] of left) {
      const survivor = new Inode();
      survivor.device = contentsAfterCut(inode, prng, sectorBytes);
      survivor.cache = survivor.device.fork();
      next.names.set(name, survivor);
    }
    next.#deviceNames = new Map(next.names);
    next.misplaced.push(...this.misplaced);
    return next;
  }
}

/** Longest prefix of a write that fits into `freeBytes` of new blocks. */
export function fittingBytes(blocks: Blocks, position: number, length: number, freeBytes: number): number {
  const free = Math.floor(freeBytes / BLOCK_BYTES);
  if (blocks.missingBlocks(position, length) <= free) return length;
  let fitting = 0;
  for (let taken = 0; fitting < length; ) {
    const step = Math.min(BLOCK_BYTES - ((position + fitting) % BLOCK_BYTES), length - fitting);
    taken += blocks.missingBlocks(position + fitting, step);
    if (taken > free) break;
    fitting += step;
  }
  return fitting;
}

/** A misdirected write stays inside the file it hits. */
function writeInside(target: Blocks, bytes: Uint8Array, position: number): void {
  const length = Math.max(0, Math.min(bytes.length, target.size - position));
  target.write(bytes, 0, length, position);
}
