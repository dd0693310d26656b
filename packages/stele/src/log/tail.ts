/**
 * Tail: memory copies of the end of the log, and the place where records are built.
 *
 * A chunk mirrors one stretch of one segment: byte i of it is byte `base + i` of the file. Records are encoded where they
 * will be written from, so nothing is copied, and stay readable after the write: what is not durable yet must be readable
 * even if its sync fails (the kernel may drop the pages), and the newest versions are the ones most often asked for.
 *
 * Invariants
 * - A record with its payload lies in one chunk.
 * - Chunks are in order of position, without overlap. Only the last one grows.
 * - Chunks that hold unwritten bytes stay. Written ones go, oldest first, when the sum passes `bytesMax`; once durable, when it
 *   passes `bytesIdle`.
 *
 * Specification: none; the bytes are those of spec/log-format.md.
 */

/** Size of an ordinary chunk. */
export const CHUNK_BYTES = 1024 * 1024;

export interface TailChunk {
  readonly segment: number;
  /** File position of byte 0. */
  readonly base: number;
  readonly bytes: Uint8Array;
  /** End of what is encoded. */
  used: number;
  /** End of what is handed to the kernel. */
  written: number;
}

export class Tail {
  readonly #bytesMax: number;
  readonly #bytesIdle: number;
  #chunks: TailChunk[] = [];
  #bytes = 0;
  #idle: Uint8Array[] = [];
  /** Let go, but perhaps still looked at by a view of the running operation: idle one chunk later. */
  #resting: Uint8Array[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#bytesIdle = Math.min(bytesMax, 4 * CHUNK_BYTES);
  }

  /** The chunk records are built in, or undefined. */
  get current(): TailChunk | undefined {
    return this.#chunks[this.#chunks.length - 1];
  }

  /** Begins a chunk at a place in the log with at least `bytes` of room. */
  begin(segment: number, base: number, bytes: number): TailChunk {
    const memory = bytes <= CHUNK_BYTES ? (this.#idle.pop() ?? new Uint8Array(CHUNK_BYTES)) : new Uint8Array(bytes);
    this.#idle = this.#resting;
    this.#resting = [];
    this.#trim(0, 0, this.#bytesMax - memory.length);
    const chunk: TailChunk = { segment, base, bytes: memory, used: 0, written: 0 };
    this.#chunks.push(chunk);
    this.#bytes += memory.length;
    return chunk;
  }

  /** The chunk that holds `offset`, or undefined. */
  find(segment: number, offset: number): TailChunk | undefined {
    for (let i = this.#chunks.length - 1; i >= 0; i--) {
      const chunk = this.#chunks[i]!;
      if (chunk.segment === segment && offset >= chunk.base) return offset < chunk.base + chunk.used ? chunk : undefined;
      if (chunk.segment < segment) return undefined;
    }
    return undefined;
  }

  /** Everything before the position is durable: its chunks may go. */
  release(segment: number, offset: number): void {
    this.#trim(segment, offset, this.#bytesIdle);
  }

  /** Lets all memory go. */
  clear(): void {
    this.#chunks = [];
    this.#idle = [];
    this.#resting = [];
    this.#bytes = 0;
  }

  /** Lets old chunks go while the sum is above `bytes`; with segment 0 any written one, else only those wholly before the position. */
  #trim(segment: number, offset: number, bytes: number): void {
    let gone = 0;
    while (this.#bytes > bytes && gone < this.#chunks.length - 1) {
      const chunk = this.#chunks[gone]!;
      if (chunk.written < chunk.used) break;
      if (segment !== 0 && (chunk.segment > segment || (chunk.segment === segment && chunk.base + chunk.used > offset))) break;
      this.#bytes -= chunk.bytes.length;
      if (chunk.bytes.length === CHUNK_BYTES && this.#resting.length < 2) this.#resting.push(chunk.bytes);
      gone++;
    }
    if (gone > 0) this.#chunks.splice(0, gone);
  }
}
