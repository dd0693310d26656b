/**
 * CommitIndex: commit number → recorded time, asserted time, place in the log. Kept for ever, 24 bytes a commit.
 *
 * New entries are collected in memory and go to `commits.idx` in large pieces; before a meta names commit n the file is
 * written and synced through n. What the file holds behind a meta's commit means nothing: the replay appends it again.
 *
 * Invariants
 * - Commits are dense; recorded times and the running maximum of asserted time never decrease, so both can be searched.
 * - Memory: at most TAIL_ENTRIES_MAX entries; when they are full they are written early (unsynced).
 * - Finished blocks of the file may be read through page frames; then each reading method can give MISS.
 *
 * Specification: spec/log-format.md, "Commit index".
 */

import { invariant, SteleError } from '../base/errors.ts';
import { readFully, writeAll } from '../host/files.ts';
import type { Storage, StorageFile } from '../host/storage.ts';
import {
  checkFileHeader,
  decodeIndexEntry,
  encodeFileHeader,
  encodeIndexEntry,
  INDEX_ENTRY_BYTES,
  INDEX_FILE,
  INDEX_HEADER_BYTES,
  indexSeed,
} from './index-format.ts';
import { MISS, OK } from './outcome.ts';
import type { BlockFile, LogBlocks } from './types.ts';

const MAGIC = 'STELEIDX';
/** Entries held in memory: 768 KiB. */
const TAIL_ENTRIES_MAX = 32 * 1024;

export interface CommitIndexOptions {
  readonly storage: Storage;
  readonly databaseId: Uint8Array;
  readonly blocks?: LogBlocks | undefined;
  readonly readOnly?: boolean | undefined;
}

export class CommitIndex implements BlockFile {
  readonly name = INDEX_FILE;
  /** Newest commit known. */
  commits: number;
  /** Running maximum of asserted time at that commit; 0 = none. */
  assertedMax = 0;
  /** Recorded time of that commit; 0 = none. */
  lastTimeMs = 0;
  /** Set by positionOf. */
  segment = 0;
  offset = 0;
  missedFile: BlockFile | undefined;
  missedBlock = 0;
  readonly #file: StorageFile;
  readonly #blocks: LogBlocks | undefined;
  readonly #seed: number;
  readonly #readOnly: boolean;
  /** Entries #written + 1 … commits. */
  #tail = new Uint8Array(512 * INDEX_ENTRY_BYTES);
  #written: number;
  readonly #bytes = new Uint8Array(INDEX_ENTRY_BYTES);
  readonly #searching = { ms: -1, asserted: false, commits: 0, low: 0, high: 0 };
  readonly #entry = { timeMs: 0, assertedMax: 0, segment: 0, offset: 0 };

  private constructor(options: CommitIndexOptions, file: StorageFile, commits: number) {
    this.#file = file;
    this.#blocks = options.blocks;
    this.#seed = indexSeed(options.databaseId);
    this.#readOnly = options.readOnly === true;
    this.commits = commits;
    this.#written = commits;
  }

  /** An empty index in a directory without one; its name is durable after the caller's next `syncDirectory`. */
  static create(options: CommitIndexOptions): CommitIndex {
    const file = options.storage.open(INDEX_FILE, { create: true });
    file.truncate(0);
    writeAll(file, encodeFileHeader(MAGIC, options.databaseId), 0, INDEX_HEADER_BYTES, 0);
    return new CommitIndex(options, file, 0);
  }

  /**
   * The index with entries 1 … `commits`, as a meta names them.
   *
   * @throws {SteleError} `corrupt` INDEX_DAMAGED, WRONG_DATABASE; `invalid` NOT_FOUND, FORMAT_NEWER.
   */
  static open(options: CommitIndexOptions, commits: number): CommitIndex {
    const file = options.storage.open(INDEX_FILE, { readOnly: options.readOnly === true });
    try {
      const header = new Uint8Array(INDEX_HEADER_BYTES);
      const held = readFully(file, header, 0, header.length, 0);
      checkFileHeader(INDEX_FILE, MAGIC, options.databaseId, header.subarray(0, held));
      const index = new CommitIndex(options, file, commits);
      if (commits > 0) {
        index.#loadDirect(commits);
        index.assertedMax = index.#entry.assertedMax;
        index.lastTimeMs = index.#entry.timeMs;
      }
      return index;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  file(): StorageFile {
    return this.#file;
  }

  /** Adds the next commit. `assertedTimeMs` 0 = none. May write old entries to the file. @throws DISK_FULL, IO_ERROR (the entry is added nevertheless). */
  append(commit: number, timeMs: number, assertedTimeMs: number, segment: number, offset: number): void {
    invariant(commit === this.commits + 1, 'commits are dense');
    const at = (this.commits - this.#written) * INDEX_ENTRY_BYTES;
    if (at === this.#tail.length) {
      const grown = new Uint8Array(2 * this.#tail.length);
      grown.set(this.#tail);
      this.#tail = grown;
    }
    if (assertedTimeMs > this.assertedMax) this.assertedMax = assertedTimeMs;
    this.lastTimeMs = timeMs;
    encodeIndexEntry(this.#tail, at, this.#seed, commit, timeMs, this.assertedMax, segment, offset);
    this.commits = commit;
    if (commit - this.#written >= TAIL_ENTRIES_MAX && !this.#readOnly) this.write(commit - TAIL_ENTRIES_MAX / 2);
  }

  /** Recorded time of `commit`, or MISS. @throws {SteleError} `corrupt` INDEX_DAMAGED {commit}. */
  timeOf(commit: number): number {
    return this.#load(commit) === MISS ? MISS : this.#entry.timeMs;
  }

  /** Running maximum of asserted time at `commit`, or MISS. */
  assertedOf(commit: number): number {
    return this.#load(commit) === MISS ? MISS : this.#entry.assertedMax;
  }

  /** Sets `segment` and `offset` to the place of the commit's first record. OK or MISS. */
  positionOf(commit: number): number {
    if (this.#load(commit) === MISS) return MISS;
    this.segment = this.#entry.segment;
    this.offset = this.#entry.offset;
    return OK;
  }

  /** Newest commit recorded at or before `ms`; 0 = none; or MISS. Cost: O(log n) entries. */
  atTime(ms: number): number {
    return this.#search(ms, false);
  }

  /** Newest commit whose running maximum of asserted time is at most `ms`; 0 = none; or MISS. */
  atAsserted(ms: number): number {
    return this.#search(ms, true);
  }

  /** Hands entries through `commit` to the kernel. @throws {SteleError} `unavailable` DISK_FULL, IO_ERROR; memory keeps them. */
  write(commit: number): void {
    const count = Math.min(commit, this.commits) - this.#written;
    if (count <= 0 || this.#readOnly) return;
    const bytes = count * INDEX_ENTRY_BYTES;
    writeAll(this.#file, this.#tail, 0, bytes, entryAt(this.#written + 1));
    this.#tail.copyWithin(0, bytes, (this.commits - this.#written) * INDEX_ENTRY_BYTES);
    this.#written += count;
  }

  /** A sync failed. What was written since the last one may be in the kernel only, called clean: no later sync may be believed. */
  failure: unknown;

  /** Everything written is on the device when it resolves. @throws what failed once, for ever */
  async sync(): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    try {
      await this.#file.syncAsync();
    } catch (error) {
      this.failure ??= error;
      throw error;
    }
  }

  syncNow(): void {
    if (this.failure !== undefined) throw this.failure;
    try {
      this.#file.sync();
    } catch (error) {
      this.failure ??= error;
      throw error;
    }
  }

  fillMissed(): void {
    if (this.missedFile !== undefined) this.#blocks?.fill(this.missedFile, this.missedBlock);
  }

  async fillMissedAsync(): Promise<void> {
    if (this.missedFile !== undefined) await this.#blocks?.fillAsync(this.missedFile, this.missedBlock);
  }

  /** Idempotent. Writes nothing. */
  close(): void {
    this.#blocks?.drop(this);
    this.#file.close();
  }

  #search(ms: number, asserted: boolean): number {
    const state = this.#searching;
    // After a MISS the search goes on where it was: its blocks need not all fit the frames at once.
    const goesOn = state.ms === ms && state.asserted === asserted && state.commits === this.commits;
    let low = goesOn ? state.low : 0;
    let high = goesOn ? state.high : this.commits;
    state.ms = -1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#load(middle) === MISS) {
        Object.assign(state, { ms, asserted, commits: this.commits, low, high });
        return MISS;
      }
      if ((asserted ? this.#entry.assertedMax : this.#entry.timeMs) <= ms) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Fills #entry: from the tail, from a finished block, or from the file. */
  #load(commit: number): number {
    invariant(commit >= 1 && commit <= this.commits, 'no such commit');
    if (commit > this.#written) {
      decodeIndexEntry(this.#tail, (commit - this.#written - 1) * INDEX_ENTRY_BYTES, this.#seed, commit, this.#entry);
      return OK;
    }
    const blocks = this.#blocks;
    const at = entryAt(commit);
    if (blocks !== undefined) {
      const { blockBytes } = blocks;
      const block = Math.floor(at / blockBytes);
      // An entry that crosses blocks, or lies in a block still to be filled up, is read from the file.
      const whole = at + INDEX_ENTRY_BYTES <= (block + 1) * blockBytes && (block + 1) * blockBytes <= entryAt(this.#written + 1);
      if (whole) {
        const frame = blocks.get(this, block);
        if (frame < 0) {
          this.missedFile = this;
          this.missedBlock = block;
          return MISS;
        }
        if (!decodeIndexEntry(blocks.u8, frame + at - block * blockBytes, this.#seed, commit, this.#entry)) throw this.#damaged(commit);
        return OK;
      }
    }
    this.#loadDirect(commit);
    return OK;
  }

  #loadDirect(commit: number): void {
    const held = readFully(this.#file, this.#bytes, 0, INDEX_ENTRY_BYTES, entryAt(commit));
    if (held < INDEX_ENTRY_BYTES || !decodeIndexEntry(this.#bytes, 0, this.#seed, commit, this.#entry)) throw this.#damaged(commit);
  }

  #damaged(commit: number): SteleError {
    return new SteleError('corrupt', 'INDEX_DAMAGED', `the commit index is damaged at commit ${commit}`, {
      detail: { commit, offset: entryAt(commit) },
    });
  }
}

function entryAt(commit: number): number {
  return INDEX_HEADER_BYTES + INDEX_ENTRY_BYTES * (commit - 1);
}
