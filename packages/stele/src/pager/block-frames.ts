/**
 * BlockFrames: finished blocks of log and index files in the page frames, under the same clock.
 *
 * Block b of a file is its bytes [b · blockBytes, (b + 1) · blockBytes); blockBytes = pageBytes; past the end of the file: zeros.
 *
 * Invariants
 * - Blocks are never dirty. The caller asks only for blocks that will not change any more, and drops a file whose bytes get another meaning.
 * - A byte offset is good until the next `fill`, `load` or `allocate`; after `fillAsync` the block may already be gone again: ask `get`.
 * - Nothing is verified here: the log and the index check their own records.
 */

import { readFully } from '../host/files.ts';
import type { StorageFile } from '../host/storage.ts';
import type { Frames } from './frames.ts';
import { OWNER_BLOCK } from './frames.ts';

/** A file whose finished blocks may be kept. The object is the identity. */
export interface BlockFile {
  readonly name: string;
  file(): StorageFile;
}

interface Resident {
  readonly file: BlockFile;
  /** Frame by block + 1; 0 = not resident. */
  frames: Int32Array;
  /** Fills under way. */
  readonly filling: Map<number, Promise<void>>;
  isDropped: boolean;
}

/** See the head of the file. */
export class BlockFrames {
  readonly blockBytes: number;
  readonly u8: Uint8Array;
  readonly counters = { hits: 0, misses: 0 };
  readonly #frames: Frames;
  readonly #files = new Map<BlockFile, Resident>();
  #last: Resident | undefined;
  /** By frame. */
  readonly #residentOf: (Resident | undefined)[] = [];
  readonly #blockOf: Float64Array;

  constructor(frames: Frames) {
    this.#frames = frames;
    this.blockBytes = frames.pageBytes;
    this.u8 = frames.u8;
    this.#blockOf = new Float64Array(frames.frameCount);
    frames.setOwner(OWNER_BLOCK, { mayEvict: () => true, evicted: (frame) => this.#forget(frame) });
  }

  /** Byte offset of the block in `u8`, or −1 when it is not here. */
  get(file: BlockFile, block: number): number {
    const resident = this.#last !== undefined && this.#last.file === file ? this.#last : this.#files.get(file);
    if (resident === undefined || block >= resident.frames.length) return -1;
    const frame = resident.frames[block]! - 1;
    if (frame < 0) return -1;
    this.#last = resident;
    this.#frames.ref[frame] = 1;
    this.counters.hits++;
    return frame * this.blockBytes;
  }

  /**
   * Reads the block in, blocking. Returns its byte offset in `u8`.
   *
   * @throws {SteleError} `unavailable` CACHE_FULL, IO_ERROR.
   */
  fill(file: BlockFile, block: number): number {
    const here = this.get(file, block);
    if (here >= 0) return here;
    const resident = this.#residentFor(file);
    const frame = this.#frames.take();
    try {
      const read = readFully(file.file(), this.u8, frame * this.blockBytes, this.blockBytes, block * this.blockBytes);
      this.#settle(resident, block, frame, read);
    } catch (error) {
      this.#frames.giveBack(frame);
      throw error;
    }
    return frame * this.blockBytes;
  }

  /** The same off the thread. */
  fillAsync(file: BlockFile, block: number): Promise<void> {
    if (this.get(file, block) >= 0) return Promise.resolve();
    const resident = this.#residentFor(file);
    let filling = resident.filling.get(block);
    if (filling === undefined) {
      filling = this.#fillAsync(resident, block);
      resident.filling.set(block, filling);
    }
    return filling;
  }

  /** Forgets all blocks of the file. Fills under way end without effect. */
  drop(file: BlockFile): void {
    const resident = this.#files.get(file);
    if (resident === undefined) return;
    resident.isDropped = true;
    for (const frame of resident.frames) {
      if (frame === 0) continue;
      this.#residentOf[frame - 1] = undefined;
      this.#frames.giveBack(frame - 1);
    }
    this.#files.delete(file);
    if (this.#last === resident) this.#last = undefined;
  }

  async #fillAsync(resident: Resident, block: number): Promise<void> {
    let frame = -1;
    try {
      frame = this.#frames.take();
      const read = await resident.file.file().readAsync(this.u8, frame * this.blockBytes, this.blockBytes, block * this.blockBytes);
      if (resident.isDropped || this.get(resident.file, block) >= 0) this.#frames.giveBack(frame);
      else this.#settle(resident, block, frame, read);
    } catch (error) {
      if (frame >= 0) this.#frames.giveBack(frame);
      throw error;
    } finally {
      resident.filling.delete(block);
    }
  }

  #settle(resident: Resident, block: number, frame: number, read: number): void {
    const start = frame * this.blockBytes;
    if (read < this.blockBytes) this.u8.fill(0, start + read, start + this.blockBytes);
    if (block >= resident.frames.length) {
      const grown = new Int32Array(Math.max(64, block + 1, resident.frames.length * 2));
      grown.set(resident.frames);
      resident.frames = grown;
    }
    resident.frames[block] = frame + 1;
    this.#residentOf[frame] = resident;
    this.#blockOf[frame] = block;
    this.counters.misses++;
    this.#frames.publish(frame, OWNER_BLOCK);
  }

  #residentFor(file: BlockFile): Resident {
    let resident = this.#files.get(file);
    if (resident === undefined) {
      resident = { file, frames: new Int32Array(64), filling: new Map(), isDropped: false };
      this.#files.set(file, resident);
    }
    return resident;
  }

  #forget(frame: number): void {
    const resident = this.#residentOf[frame]!;
    resident.frames[this.#blockOf[frame]!] = 0;
    this.#residentOf[frame] = undefined;
  }
}
