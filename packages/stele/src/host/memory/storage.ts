/**
 * Storage in memory: a database that lives as long as its storage object.
 *
 * The same rules as on disk (names, modes, lock, closed handles), and nothing from the platform.
 * Syncs return at once: there is no device below, so `kernel` and `device` level are the same here.
 * The storage keeps its files after `close()` of a handle, and after `close()` of itself it may be used again
 * by the next engine: closing only refuses handles that are still open.
 *
 * Specification: spec/host.md, "Memory host".
 */

import { invariant, SteleError } from '../../base/errors.ts';
import { closed, noPermission, notFound } from '../failures.ts';
import { Holders } from '../holders.ts';
import { checkFileName, isFileName } from '../names.ts';
import type { ExclusionLock, OpenFileOptions, Storage, StorageFile } from '../storage.ts';
import { Blocks } from './blocks.ts';

/** An empty storage in memory. */
export function memoryStorage(): MemoryStorage {
  return new MemoryStorage();
}

/** See {@link memoryStorage}. */
export class MemoryStorage implements Storage {
  readonly kind = 'memory';
  readonly syncStyle = 'barrier';
  readonly #files = new Map<string, Blocks>();
  readonly #open = new Set<MemoryFile>();
  readonly #holders = new Holders();

  list(): string[] {
    return [...this.#files.keys()].sort();
  }

  exists(name: string): boolean {
    return isFileName(name) && this.#files.has(name);
  }

  open(name: string, options: OpenFileOptions = {}): StorageFile {
    checkFileName(name);
    let blocks = this.#files.get(name);
    if (blocks === undefined) {
      if (options.create !== true) throw notFound(name);
      blocks = new Blocks(true);
      this.#files.set(name, blocks);
    }
    const file = new MemoryFile(name, blocks, options.readOnly === true, (done) => this.#open.delete(done));
    this.#open.add(file);
    return file;
  }

  remove(name: string): void {
    checkFileName(name);
    this.#files.delete(name);
  }

  syncDirectory(): void {}

  lock(options: { readonly shared?: boolean } = {}): ExclusionLock {
    return this.#holders.take('the memory storage', options.shared === true);
  }

  close(): void {
    for (const file of this.#open) file.close();
    this.#holders.clear();
  }
}

class MemoryFile implements StorageFile {
  readonly name: string;
  readonly #blocks: Blocks;
  readonly #readOnly: boolean;
  readonly #onClose: (file: MemoryFile) => void;
  #isClosed = false;

  constructor(name: string, blocks: Blocks, readOnly: boolean, onClose: (file: MemoryFile) => void) {
    this.name = name;
    this.#blocks = blocks;
    this.#readOnly = readOnly;
    this.#onClose = onClose;
  }

  read(target: Uint8Array, targetStart: number, length: number, position: number): number {
    this.#check(false, 'read');
    checkRange(target, targetStart, length, position);
    return this.#blocks.read(target, targetStart, length, position);
  }

  async readAsync(target: Uint8Array, targetStart: number, length: number, position: number): Promise<number> {
    return this.read(target, targetStart, length, position);
  }

  write(source: Uint8Array, sourceStart: number, length: number, position: number): number {
    this.#check(true, 'write');
    checkRange(source, sourceStart, length, position);
    this.#blocks.write(source, sourceStart, length, position);
    return length;
  }

  sync(): void {
    this.#check(false, 'sync');
  }

  async syncAsync(): Promise<void> {
    this.sync();
  }

  markUnsynced(): void {}

  size(): number {
    this.#check(false, 'size');
    return this.#blocks.size;
  }

  truncate(size: number): void {
    this.#check(true, 'truncate');
    checkSize(size);
    this.#blocks.truncate(size);
  }

  close(): void {
    this.#isClosed = true;
    this.#onClose(this);
  }

  #check(isChange: boolean, action: string): void {
    if (this.#isClosed) throw closed(this.name);
    if (isChange && this.#readOnly) throw noPermission(action, this.name);
  }
}

/**
 * A range outside its buffer, or a position that is no file position, is a bug of the caller.
 *
 * @throws {SteleError} `internal` INVARIANT
 */
export function checkRange(bytes: Uint8Array, start: number, length: number, position: number): void {
  if (start >= 0 && length >= 0 && start + length <= bytes.length && position >= 0 && Number.isSafeInteger(position + length)) return;
  throw new SteleError('internal', 'INVARIANT', `range ${start}+${length} of ${bytes.length} bytes at file position ${position}`);
}

/** @throws {SteleError} `internal` INVARIANT when `size` is no file size. */
export function checkSize(size: number): void {
  invariant(Number.isSafeInteger(size) && size >= 0, `file size ${size}`);
}
