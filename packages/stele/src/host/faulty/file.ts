/**
 * A handle of one process on a file of the simulated disk.
 *
 * All effects and all faults are in `Process` (storage.ts) and `Disk`; this is the seam's shape around them.
 */

import { closed, noPermission } from '../failures.ts';
import { checkRange, checkSize } from '../memory/storage.ts';
import type { StorageFile } from '../storage.ts';
import type { Inode } from './inode.ts';

/** What a handle asks of the process it belongs to. */
export interface FileOwner {
  read(handle: FaultyFile, target: Uint8Array, start: number, length: number, position: number): number;
  write(handle: FaultyFile, source: Uint8Array, start: number, length: number, position: number): number;
  truncate(handle: FaultyFile, size: number): void;
  sync(handle: FaultyFile, through: number): void;
  /** Newest change there is. */
  readonly lastSequence: number;
  /** Traces the call of an asynchronous sync. */
  noteSyncCall(handle: FaultyFile): void;
  /** Throws PowerCut when the process is no more. */
  checkAlive(): void;
  /** Runs `work` later, syncs in order; rejects with PowerCut when the process ends before. */
  later<T>(kind: 'sync' | 'read', work: () => T): Promise<T>;
}

/** See the file comment. */
export class FaultyFile implements StorageFile {
  readonly name: string;
  readonly inode: Inode;
  /** Number of this handle, unique on the disk. */
  readonly writer: number;
  readonly #owner: FileOwner;
  readonly #isReadOnly: boolean;
  #isClosed = false;

  constructor(owner: FileOwner, name: string, inode: Inode, writer: number, isReadOnly: boolean) {
    this.#owner = owner;
    this.name = name;
    this.inode = inode;
    this.writer = writer;
    this.#isReadOnly = isReadOnly;
  }

  read(target: Uint8Array, targetStart: number, length: number, position: number): number {
    this.#check('');
    checkRange(target, targetStart, length, position);
    return this.#owner.read(this, target, targetStart, length, position);
  }

  async readAsync(target: Uint8Array, targetStart: number, length: number, position: number): Promise<number> {
    this.#check('');
    checkRange(target, targetStart, length, position);
    return this.#owner.later('read', () => this.#owner.read(this, target, targetStart, length, position));
  }

  write(source: Uint8Array, sourceStart: number, length: number, position: number): number {
    this.#check('write');
    checkRange(source, sourceStart, length, position);
    return this.#owner.write(this, source, sourceStart, length, position);
  }

  sync(): void {
    this.#check('');
    this.#owner.sync(this, this.#owner.lastSequence);
  }

  async syncAsync(): Promise<void> {
    this.#check('');
    this.#owner.noteSyncCall(this);
    const through = this.#owner.lastSequence;
    return this.#owner.later('sync', () => this.#owner.sync(this, through));
  }

  markUnsynced(position: number, length: number): void {
    this.#check('');
    this.inode.claim(this.writer, position, position + length);
  }

  size(): number {
    this.#check('');
    return this.inode.cache.size;
  }

  truncate(size: number): void {
    this.#check('truncate');
    checkSize(size);
    this.#owner.truncate(this, size);
  }

  close(): void {
    this.#isClosed = true;
  }

  #check(change: string): void {
    this.#owner.checkAlive();
    if (this.#isClosed) throw closed(this.name);
    if (change !== '' && this.#isReadOnly) throw noPermission(change, this.name);
  }
}
