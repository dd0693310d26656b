/**
 * Storage: one flat directory of files, and the lock that makes it ours.
 *
 * Names are flat: [a-z0-9.-], no separators; `lock.…` is the host's own (names.ts). No rename exists: no durable step needs one.
 * Reads and writes are synchronous (a page in the system's cache costs about a microsecond); syncs come in
 * both forms. "Kernel level" below means: survives the death of the process. "Device level": survives power loss.
 *
 * Failures: every call throws SteleError. DISK_FULL (`unavailable`), IO_ERROR (`unavailable`), NOT_FOUND (`invalid`),
 * PERMISSION (`denied`), LOCKED (`unavailable`), CLOSED (`closed`), FILE_NAME (`invalid`). A short write is NOT an error of `write`:
 * the count tells. `writeAll` in host/files.ts loops and turns a write of nothing into DISK_FULL.
 */

/** `barrier`: write, then sync. `writeThrough`: sync rewrites unsynced ranges through a descriptor that is synchronous by itself (O_DSYNC). */
export type SyncStyle = 'barrier' | 'writeThrough';

export interface StorageFile {
  readonly name: string;
  /** Bytes read, fewer than asked only at the end of the file. */
  read(target: Uint8Array, targetStart: number, length: number, position: number): number;
  /** As read, without blocking the thread. */
  readAsync(target: Uint8Array, targetStart: number, length: number, position: number): Promise<number>;
  /** Bytes written, at kernel level; may be fewer than asked (full disk): the caller decides. Grows the file, gaps read as zeros. */
  write(source: Uint8Array, sourceStart: number, length: number, position: number): number;
  /**
   * Everything written through this handle before the call, its length included, reaches the device level. Blocks.
   * What other handles wrote (an earlier process above all) is included under `barrier` only: see {@link markUnsynced}.
   * After a failure nothing may be believed durable and no later success of this file may be believed either.
   */
  sync(): void;
  /** The same, off the calling thread where the host can. Several calls in flight are allowed; they settle in order. */
  syncAsync(): Promise<void>;
  /**
   * The next sync includes `[position, position + length)` as if it had just been written through this handle. For what
   * recovery finds at kernel level and is about to build upon: the process that wrote it may have died before its sync.
   * Costs a rewrite of the range under `writeThrough`, nothing under `barrier`.
   */
  markUnsynced(position: number, length: number): void;
  size(): number;
  /** Shrinks or grows (with zeros, without reserving space). Durable only after sync. */
  truncate(size: number): void;
  /** Idempotent. Does not sync; syncs and reads in flight still settle. */
  close(): void;
}

export interface OpenFileOptions {
  /** Create when missing. The new name is durable only after `syncDirectory()`. Default false. */
  readonly create?: boolean;
  /** Default false. */
  readonly readOnly?: boolean;
}

export interface ExclusionLock {
  /** Idempotent. Frees the directory for others. */
  release(): void;
}

export interface Storage {
  readonly kind: 'posix' | 'memory' | 'faulty' | (string & {});
  readonly syncStyle: SyncStyle;
  /** Names of all files, sorted. Empty when the directory does not exist yet. */
  list(): string[];
  exists(name: string): boolean;
  /** @throws {SteleError} `invalid` NOT_FOUND when missing and not `create`. */
  open(name: string, options?: OpenFileOptions): StorageFile;
  /** Missing is not an error. Durable only after `syncDirectory()`. */
  remove(name: string): void;
  /** Makes created and removed names durable. */
  syncDirectory(): void;
  /**
   * Takes the directory exclusively; dies with its holder. Must be taken before anything is written.
   * `shared`: together with other shared holders, against an exclusive one.
   *
   * @throws {SteleError} `unavailable` LOCKED, saying who holds it where that is known.
   */
  lock(options?: { readonly shared?: boolean }): ExclusionLock;
  /** Structured-clone-able description from which a thread of this process can reopen this storage, or undefined (inline only). */
  transfer?(): unknown;
  /** Releases threads and descriptors the storage itself holds; files close on their own. Idempotent. */
  close(): void;
}
