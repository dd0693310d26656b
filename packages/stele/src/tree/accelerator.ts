/** Signatures only for the moment; the code follows. */
export declare class Accelerator {
  /** `bytesMax`: memory it may grow to (reserved, committed on touch); `seed`: any u32 from the host's randomness. */
  constructor(frameCount: number, pageBytes: number, options: { bytesMax: number; seed: number });
  /** Entries held, bytes in use. */
  count: number;
  bytes(): number;
  /** To be called by the pager before a leaf's frame is given away. */
  onEvict(frame: number): void;
  /** Forgets everything; it fills again lazily unless disabled. */
  clear(): void;
}
