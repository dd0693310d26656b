/**
 * The host seam: everything the engine may know of the world outside.
 *
 * Engine code never touches a clock, randomness, timers, files, threads, hashing primitives or
 * `process`: it receives a {@link Host}. The posix, the memory and the faulty host implement the same
 * interfaces and run the same contract suite (test/host/contract.ts), so the program that is tortured
 * is the program that ships.
 *
 * A file of interfaces only. Specification: spec/host.md.
 */

import type { Storage } from './storage.ts';

export type { ExclusionLock, Storage, StorageFile, SyncStyle } from './storage.ts';

export interface Host {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  readonly timers: Timers;
  readonly threads: Threads;
  readonly hashing: Hashing;
  readonly texts: Texts;
}

export interface Clock {
  /** Milliseconds since the Unix epoch, an integer. May repeat, and may step back: the engine guards itself. */
  nowMs(): number;
  /** Milliseconds with fraction since an arbitrary point; never goes backwards. Only for budgets and latency figures. */
  monotonicMs(): number;
}

export interface Random {
  /** Fills `target` with bytes fit for keys and salts (posix: the kernel's generator; faulty: from the seed). */
  fill(target: Uint8Array): void;
}

export interface Timer {
  /** Idempotent. */
  cancel(): void;
}

/** The three ways of running later. Exceptions thrown by `work` go to the host, not to the engine. */
export interface Timers {
  /** At the end of the current microtask turn. */
  microtask(work: () => void): void;
  /** After pending input and output had their turn (posix: setImmediate). Keeps the process alive. */
  immediate(work: () => void): void;
  /** After at least `delayMs`. Does not keep the process alive when `background` is true. */
  after(delayMs: number, background: boolean, work: () => void): Timer;
}

/** A function that can run on another thread: named by module so that a worker can import it. */
export interface ThreadJob<Input, Output> {
  /** Module that exports `run`, as `import.meta.url` of that module. */
  readonly module: string;
  /** The same `run`, for the inline implementation. */
  readonly run: (input: Input, context: ThreadContext) => Promise<Output>;
}

export interface ThreadContext {
  /** The database's storage, opened for reading and for the files the job owns. */
  readonly storage: Storage;
  readonly hashing: Hashing;
  /** Polled by long jobs between slices; true means: stop at the next safe point. */
  cancelled(): boolean;
  /** Inline jobs give the caller a turn; on a real thread it returns at once. Call it after about 1 ms of work. */
  yield(): Promise<void>;
}

export interface Threads {
  readonly kind: 'inline' | 'worker';
  /** Runs the job to its end. Rejects with the job's own error. Does not keep the process alive while `background`. */
  run<Input, Output>(
    job: ThreadJob<Input, Output>,
    input: Input,
    options?: { background?: boolean; signal?: { readonly aborted: boolean } },
  ): Promise<Output>;
  /**
   * Blocks the calling thread until `words[index]` (shared memory) is notified, or is not `value`, or `timeoutMs` (with fraction) is over.
   * Missing where blocking would stop the one who is waited for.
   */
  wait?(words: Int32Array, index: number, value: number, timeoutMs: number): void;
  /** Stops threads that are idle and refuses new jobs. */
  close(): Promise<void>;
}

export interface Hashing {
  /** SHA-256 of `bytes[start, end)`, 32 fresh bytes. */
  sha256(bytes: Uint8Array, start?: number, end?: number): Uint8Array;
  /** SHA-256 of `source[start, end)` written to `target[at, at + 32)`; allocates nothing the caller sees. */
  sha256Into(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void;
  /**
   * CRC-32 (IEEE 802.3, as zlib) of `bytes[start, end)`, continued from `seed` (0 to begin). Unsigned.
   * Meant for large input; short input is done in script, see base/crc32.ts.
   */
  crc32(bytes: Uint8Array, start: number, end: number, seed: number): number;
}

/** Strings from bytes in place and back. Bytes may lie in shared memory; what another thread changes meanwhile gives some string, never a crash. */
export interface Texts {
  /** One character for each byte of `bytes[start, end)`, U+0000 to U+00FF. */
  latin1(bytes: Uint8Array, start: number, end: number): string;
  /** The UTF-8 text of `bytes[start, end)`; ill-formed parts give U+FFFD (WHATWG Encoding, "replacement"). */
  utf8(bytes: Uint8Array, start: number, end: number): string;
  /** Writes `text` as UTF-8 at `at`, where there is room for it, and returns the bytes written. A lone surrogate is written as U+FFFD. */
  writeUtf8(text: string, target: Uint8Array, at: number): number;
}
