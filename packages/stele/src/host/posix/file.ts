/**
 * A file of the posix host: positioned reads and writes on one descriptor, and its two ways to sync.
 *
 * Invariants
 * - The descriptor is closed only when no read or sync is in flight on it: a reused number would let a sync of
 *   another file answer for this one.
 * - After a failed sync every later sync of this handle fails with the same error: the kernel reports a failure
 *   once and then calls the pages clean, so a second try could lie.
 * - A blocking sync first waits for those in flight, or it could take their error away from them.
 * - `writeThrough`: what was written since the last sync is remembered as ranges; a write into a range that the sync
 *   thread is just rewriting waits for it, or the thread could put old bytes back.
 *
 * Specification: spec/host.md, "Sync styles".
 */

import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  read as readPooled,
  readSync,
  writeSync,
} from 'node:fs';
import { SteleError } from '../../base/errors.ts';
import { closed, noPermission } from '../failures.ts';
import type { StorageFile, SyncStyle } from '../storage.ts';
import { fromSystem, type SystemFailure, syncFailure } from './errors.ts';
import { Ranges } from './ranges.ts';
import { rewriteRanges } from './rewrite.ts';
import type { SyncThread } from './sync-thread.ts';

/** What the storage gives each of its files. */
export interface FileSetting {
  readonly name: string;
  readonly path: string;
  readonly fd: number;
  readonly isReadOnly: boolean;
  readonly syncStyle: SyncStyle;
  readonly thread: SyncThread;
  /** Makes a changed length durable where no fsync is allowed. */
  readonly metadataBarrier: () => void;
}

interface SyncInFlight {
  readonly id: number;
  /** Ranges being rewritten: start, end, … */
  readonly ranges: Ranges;
}

/** See the file comment. */
export class PosixFile implements StorageFile {
  readonly name: string;
  readonly #setting: FileSetting;
  readonly #fd: number;
  readonly #isWriteThrough: boolean;
  #syncFd = -1;
  #unsynced = new Ranges();
  #isLengthChanged = false;
  readonly #syncs: SyncInFlight[] = [];
  #readsInFlight = 0;
  #failure: SteleError | undefined;
  #isClosed = false;

  constructor(setting: FileSetting) {
    this.name = setting.name;
    this.#setting = setting;
    this.#fd = setting.fd;
    this.#isWriteThrough = setting.syncStyle === 'writeThrough';
  }

  read(target: Uint8Array, targetStart: number, length: number, position: number): number {
    if (this.#isClosed) throw closed(this.name);
    try {
      let done = readSync(this.#fd, target, targetStart, length, position);
      while (done < length) {
        const count = readSync(this.#fd, target, targetStart + done, length - done, position + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    } catch (error) {
      throw fromSystem('read', this.name, error);
    }
  }

  async readAsync(target: Uint8Array, targetStart: number, length: number, position: number): Promise<number> {
    if (this.#isClosed) throw closed(this.name);
    this.#readsInFlight++;
    try {
      let done = 0;
      while (done < length) {
        const count = await this.#readOnce(target, targetStart + done, length - done, position + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    } catch (error) {
      throw fromSystem('read', this.name, error);
    } finally {
      this.#readsInFlight--;
      this.#closeWhenIdle();
    }
  }

  write(source: Uint8Array, sourceStart: number, length: number, position: number): number {
    this.#checkWritable('write');
    if (this.#isWriteThrough) this.#waitForRewriteOf(position, position + length);
    try {
      const count = writeSync(this.#fd, source, sourceStart, length, position);
      if (this.#isWriteThrough) this.#unsynced.add(position, position + count);
      return count;
    } catch (error) {
      throw fromSystem('write', this.name, error);
    }
  }

  sync(): void {
    if (this.#isClosed) throw closed(this.name);
    const last = this.#syncs.at(-1);
    if (last !== undefined) this.#setting.thread.waitFor(last.id);
    if (this.#failure !== undefined) throw this.#failure;
    try {
      this.#syncHere();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Not an async function: one more microtask on one of its paths would let a later sync settle before an earlier one. */
  syncAsync(): Promise<void> {
    try {
      return this.#beginSync();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  markUnsynced(position: number, length: number): void {
    if (this.#isWriteThrough) this.#unsynced.add(position, position + length);
  }

  size(): number {
    if (this.#isClosed) throw closed(this.name);
    try {
      return fstatSync(this.#fd).size;
    } catch (error) {
      throw fromSystem('size', this.name, error);
    }
  }

  truncate(size: number): void {
    this.#checkWritable('truncate');
    if (this.#isWriteThrough) this.#waitForRewriteOf(0, Number.POSITIVE_INFINITY);
    try {
      ftruncateSync(this.#fd, size);
      this.#isLengthChanged = true;
      if (size > 0) this.markUnsynced(size - 1, 1);
    } catch (error) {
      throw fromSystem('truncate', this.name, error);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closeWhenIdle();
  }

  #beginSync(): Promise<void> {
    if (this.#isClosed) throw closed(this.name);
    if (this.#failure !== undefined) throw this.#failure;
    const { thread } = this.#setting;
    thread.start();
    // A changed length is rare and needs more than one call in writeThrough: main does it, in order.
    if (!thread.isReady || (this.#isWriteThrough && this.#isLengthChanged)) {
      this.sync();
      return Promise.resolve();
    }
    const isFull = this.#isLengthChanged;
    this.#isLengthChanged = false;
    const bounds = this.#isWriteThrough ? this.#takeUnsynced() : undefined;
    const ranges = new Ranges();
    for (let i = 0; bounds !== undefined && i < bounds.length; i += 2) ranges.add(bounds[i]!, bounds[i + 1]!);
    return new Promise<void>((resolve, reject) => {
      const settle = (failure: SystemFailure | undefined): void => {
        const error = failure === undefined ? this.#failure : this.#fail(failure);
        if (error === undefined) resolve();
        else reject(error);
        this.#syncs.shift();
        this.#closeWhenIdle();
      };
      const id = thread.request({ fd: this.#fd, isFull, syncFd: this.#syncFd, bounds }, settle);
      this.#syncs.push({ id, ranges });
    });
  }

  #takeUnsynced(): number[] {
    try {
      this.#openSyncFd();
      return this.#unsynced.take();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #syncHere(): void {
    if (!this.#isWriteThrough) {
      if (this.#isLengthChanged) fsyncSync(this.#fd);
      else fdatasyncSync(this.#fd);
      this.#isLengthChanged = false;
      return;
    }
    if (!this.#unsynced.isEmpty) {
      this.#openSyncFd();
      rewriteRanges(this.#fd, this.#syncFd, this.#unsynced.take());
    }
    if (this.#isLengthChanged) this.#setting.metadataBarrier();
    this.#isLengthChanged = false;
  }

  #openSyncFd(): void {
    if (this.#syncFd < 0) this.#syncFd = openSync(this.#setting.path, constants.O_WRONLY | synchronousFlag());
  }

  #waitForRewriteOf(start: number, end: number): void {
    for (let i = this.#syncs.length - 1; i >= 0; i--) {
      if (this.#syncs[i]!.ranges.overlaps(start, end)) return this.#setting.thread.waitFor(this.#syncs[i]!.id);
    }
  }

  #readOnce(target: Uint8Array, start: number, length: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      readPooled(this.#fd, target, start, length, position, (error, count) => (error === null ? resolve(count) : reject(error)));
    });
  }

  #checkWritable(action: string): void {
    if (this.#isClosed) throw closed(this.name);
    if (this.#setting.isReadOnly) throw noPermission(action, this.name);
  }

  #fail(failure: unknown): SteleError {
    this.#failure ??= failure instanceof SteleError ? failure : syncFailure(this.name, failure);
    return this.#failure;
  }

  #closeWhenIdle(): void {
    if (!this.#isClosed || this.#syncs.length > 0 || this.#readsInFlight > 0) return;
    closeSync(this.#fd);
    if (this.#syncFd >= 0) closeSync(this.#syncFd);
    this.#syncFd = -1;
  }
}

/** O_DSYNC, or the stronger O_SYNC where the platform lacks it; 0 would sync nothing and is refused by the probe. */
export function synchronousFlag(): number {
  const flags = constants as { O_DSYNC?: number; O_SYNC?: number };
  return flags.O_DSYNC ?? flags.O_SYNC ?? 0;
}
