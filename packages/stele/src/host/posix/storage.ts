/**
 * Storage on a directory of a real file system, by node:fs.
 *
 * Invariants
 * - A file of the engine is a file of the same name in the directory; everything else there (`lock.…`, dot files,
 *   directories, foreign names) is invisible.
 * - The sync style is found by a probe (or forced) and never "none".
 * - Nothing is created before it is needed: constructing a storage touches no disk.
 *
 * Specification: spec/host.md, "Posix host".
 */

import { constants, existsSync, openSync, readdirSync, statSync, unlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { notFound } from '../failures.ts';
import { checkFileName, isFileName } from '../names.ts';
import type { ExclusionLock, OpenFileOptions, Storage, StorageFile, SyncStyle } from '../storage.ts';
import { commitJournal, makeDirectory, syncNames } from './directory.ts';
import { codeOf, fromSystem } from './errors.ts';
import { PosixFile } from './file.ts';
import { type LockStyle, takeLock } from './lock.ts';
import { probeSyncStyle } from './sync-probe.ts';
import { SyncThread, type SyncThreadState } from './sync-thread.ts';

/** All have defaults that are right outside tests. */
export interface PosixStorageOptions {
  /** Default `auto`: the probe decides. */
  readonly syncStyle?: SyncStyle | 'auto';
  /** `main` never starts a thread: `syncAsync` then blocks. Default `worker`, where allowed. */
  readonly syncThread?: 'worker' | 'main';
  /** Default `auto`: node:sqlite where present. */
  readonly lock?: LockStyle | 'auto';
}

/** What crosses to a thread so that it can open the same directory. */
export interface PosixTransfer {
  readonly kind: 'posix';
  readonly directory: string;
  readonly syncStyle: SyncStyle;
}

/** Opens nothing yet; the directory is made when first written to. */
export function posixStorage(directory: string, options: PosixStorageOptions = {}): PosixStorage {
  return new PosixStorage(directory, options);
}

/** See {@link posixStorage}. */
export class PosixStorage implements Storage {
  readonly kind = 'posix';
  readonly directory: string;
  readonly #options: PosixStorageOptions;
  readonly #thread: SyncThread;
  #syncStyle: SyncStyle | undefined;
  readonly #locks = new Set<ExclusionLock>();

  constructor(directory: string, options: PosixStorageOptions) {
    this.directory = resolve(directory);
    this.#options = options;
    this.#thread = new SyncThread(options.syncThread !== 'main');
    if (options.syncStyle !== undefined && options.syncStyle !== 'auto') this.#syncStyle = options.syncStyle;
  }

  /** Found by a probe when first asked; makes the directory. */
  get syncStyle(): SyncStyle {
    if (this.#syncStyle === undefined) {
      makeDirectory(this.directory);
      this.#syncStyle = probeSyncStyle(this.directory);
    }
    return this.#syncStyle;
  }

  /** `syncAsync` runs off main only when `ready`; `lost` also means that no thread is allowed here. */
  get syncThread(): SyncThreadState {
    return this.#thread.state;
  }

  list(): string[] {
    try {
      const entries = readdirSync(this.directory, { withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile() && isFileName(entry.name))
        .map((entry) => entry.name)
        .sort();
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return [];
      throw fromSystem('list', this.directory, error);
    }
  }

  exists(name: string): boolean {
    if (!isFileName(name)) return false;
    try {
      return statSync(this.#path(name), { throwIfNoEntry: false })?.isFile() === true;
    } catch (error) {
      throw fromSystem('look up', name, error);
    }
  }

  open(name: string, options: OpenFileOptions = {}): StorageFile {
    checkFileName(name);
    const isReadOnly = options.readOnly === true;
    const mayCreate = options.create === true;
    if (mayCreate) makeDirectory(this.directory);
    else if (!this.exists(name)) throw notFound(name); // before the probe, which would make the directory
    const access = isReadOnly && !mayCreate ? constants.O_RDONLY : constants.O_RDWR;
    const path = this.#path(name);
    // Probed before the file is opened, so a refusal leaks no descriptor. Read-only handles never sync.
    const syncStyle = isReadOnly ? 'barrier' : this.syncStyle;
    try {
      const fd = openSync(path, access | (mayCreate ? constants.O_CREAT : 0), 0o600);
      return new PosixFile({
        name,
        path,
        fd,
        isReadOnly,
        syncStyle,
        thread: this.#thread,
        metadataBarrier: () => commitJournal(this.directory),
      });
    } catch (error) {
      throw fromSystem('open', name, error);
    }
  }

  remove(name: string): void {
    checkFileName(name);
    try {
      unlinkSync(this.#path(name));
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw fromSystem('remove', name, error);
    }
  }

  syncDirectory(): void {
    syncNames(this.directory);
  }

  lock(options: { readonly shared?: boolean } = {}): ExclusionLock {
    // A reader may have no right to write, and then the directory is there already.
    if (options.shared !== true || !existsSync(this.directory)) makeDirectory(this.directory);
    const taken = takeLock(this.directory, this.#options.lock ?? 'auto', options.shared === true);
    const lock: ExclusionLock = {
      release: () => {
        taken.release();
        this.#locks.delete(lock);
      },
    };
    // Kept here: a lock whose object is collected would be freed by the collector.
    this.#locks.add(lock);
    return lock;
  }

  transfer(): PosixTransfer {
    return { kind: 'posix', directory: this.directory, syncStyle: this.syncStyle };
  }

  close(): void {
    this.#thread.close();
    for (const lock of this.#locks) lock.release();
  }

  #path(name: string): string {
    return join(this.directory, name);
  }
}
