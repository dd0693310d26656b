/** A few frames over log and index files, evicting the oldest: what the pager offers, in its simplest form. */

import { readFully } from '../../src/host/files.ts';
import type { BlockFile, LogBlocks } from '../../src/log/types.ts';

export class FewFrames implements LogBlocks {
  readonly blockBytes: number;
  readonly u8: Uint8Array;
  fills = 0;
  readonly #frames: { file: BlockFile | undefined; block: number }[];
  #hand = 0;

  constructor(frames: number, blockBytes: number) {
    this.blockBytes = blockBytes;
    this.u8 = new Uint8Array(frames * blockBytes);
    this.#frames = Array.from({ length: frames }, () => ({ file: undefined, block: 0 }));
  }

  get(file: BlockFile, block: number): number {
    const frame = this.#frames.findIndex((held) => held.file === file && held.block === block);
    return frame < 0 ? -1 : frame * this.blockBytes;
  }

  fill(file: BlockFile, block: number): number {
    const at = this.#hand * this.blockBytes;
    this.#frames[this.#hand] = { file, block };
    this.#hand = (this.#hand + 1) % this.#frames.length;
    this.u8.fill(0, at, at + this.blockBytes);
    readFully(file.file(), this.u8, at, this.blockBytes, block * this.blockBytes);
    this.fills++;
    return at;
  }

  async fillAsync(file: BlockFile, block: number): Promise<unknown> {
    return this.fill(file, block);
  }

  drop(file: BlockFile): void {
    for (const held of this.#frames) if (held.file === file) held.file = undefined;
  }
}
