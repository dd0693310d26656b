/**
 * ThreadVersions: superseded versions and large values, read from the log files and overflow pages by a thread.
 *
 * A version's address is logical. Its place comes from the position ring (newest commits) or from `commits.idx`; the segment file is
 * found by the headers in the directory. A segment may be dropped and its file given to another while we look: then a record fails its
 * checksum, and everything known of the files is looked up anew once before anybody calls it damage (spec/invariants.md rule 16).
 *
 * Implements the part of the core that lookup.ts reads versions through; nothing here gives MISS, for there are no frames to fill.
 */

import { makeCrc32 } from '../../base/crc32.ts';
import { SteleError } from '../../base/errors.ts';
import { readFully } from '../../host/files.ts';
import type { Host } from '../../host/host.ts';
import type { StorageFile } from '../../host/storage.ts';
import { decodeIndexEntry, INDEX_ENTRY_BYTES, INDEX_FILE, INDEX_HEADER_BYTES, indexSeed } from '../../log/index-format.ts';
import { OperationView } from '../../log/operation-view.ts';
import { LogReader } from '../../log/reader.ts';
import { readSegmentHeader, Segment, segmentName, slotOfName } from '../../log/segment.ts';
import { SegmentStore } from '../../log/segment-store.ts';
import { Tail } from '../../log/tail.ts';
import type { PageViews } from '../../tree/page.ts';
import { FOUND, MISS } from '../core.ts';
import type { Found, VersionSource } from '../lookup.ts';
import type { SharedMemory } from './memory.ts';
import { readPosition } from './position-ring.ts';

/** Thrown for a record that is not in the files yet: wait for the owner and read again. */
export const NOT_WRITTEN = new Error('not written yet');

export class ThreadVersions implements VersionSource {
  /** The views that locations given to lookup.ts mean. */
  pages: PageViews;
  readonly operation = new OperationView();
  /** Where the commit located last begins. */
  readonly index = { segment: 0, offset: 0 };
  readonly log: VersionSource['log'];
  readonly #memory: SharedMemory;
  readonly #host: Host;
  readonly #databaseId: Uint8Array;
  readonly #seed: number;
  readonly #entry = { timeMs: 0, assertedMax: 0, segment: 0, offset: 0 };
  readonly #bytes = new Uint8Array(INDEX_ENTRY_BYTES);
  #indexFile: StorageFile | undefined;
  #store: SegmentStore;
  #reader: LogReader;
  /** Slots whose header is known. */
  readonly #slots = new Set<number>();

  constructor(memory: SharedMemory, host: Host, databaseId: Uint8Array) {
    this.#memory = memory;
    this.#host = host;
    this.#databaseId = databaseId;
    this.#seed = indexSeed(databaseId);
    this.pages = memory;
    this.#store = this.#newStore();
    this.#reader = this.#newReader();
    this.log = {
      readOperation: (segment, offset, commit, ordinal, carried, into) => {
        // Carried by a commit whose write is under way.
        if (commit > memory.visible()) throw NOT_WRITTEN;
        memory.counters.oldVersions++;
        if (this.#store.get(segment) === undefined) this.#learn(segment);
        return this.#reader.readOperation(segment, offset, commit, ordinal, carried, into);
      },
    };
  }

  missLog(): number {
    return MISS;
  }

  /** @throws {SteleError} `corrupt` INDEX_DAMAGED */
  locate(commit: number): number {
    if (readPosition(this.#memory.ring, commit, this.index)) return FOUND;
    this.#indexFile ??= this.#host.storage.open(INDEX_FILE, { readOnly: true });
    const at = INDEX_HEADER_BYTES + INDEX_ENTRY_BYTES * (commit - 1);
    const read = readFully(this.#indexFile, this.#bytes, 0, INDEX_ENTRY_BYTES, at);
    if (read < INDEX_ENTRY_BYTES || !decodeIndexEntry(this.#bytes, 0, this.#seed, commit, this.#entry)) {
      throw new SteleError('corrupt', 'INDEX_DAMAGED', `the commit index is damaged at commit ${commit}`, {
        detail: { commit, offset: at },
      });
    }
    this.index.segment = this.#entry.segment;
    this.index.offset = this.#entry.offset;
    return FOUND;
  }

  /** Copies a large value in the log. @throws {SteleError} `corrupt` RECORD_DAMAGED, SEGMENT_MISSING */
  readLarge(found: Found, target: Uint8Array): void {
    this.#memory.counters.largeValues++;
    this.#reader.readLarge(found.operation!, 0, found.valueBytes, target, 0);
  }

  /** Forgets what is known of the files: a record was not what its address says. */
  refresh(): void {
    this.#memory.counters.refreshes++;
    this.#store.close();
    this.#slots.clear();
    this.#store = this.#newStore();
    this.#reader = this.#newReader();
  }

  close(): void {
    this.#store.close();
    this.#indexFile?.close();
    this.#indexFile = undefined;
  }

  /** Looks for the file of a segment, first among those never seen. */
  #learn(segment: number): void {
    for (const name of this.#host.storage.list()) {
      const slot = slotOfName(name);
      if (slot > 0 && !this.#slots.has(slot)) this.#adopt(slot);
    }
    if (this.#store.get(segment) !== undefined) return;
    this.refresh();
    for (const name of this.#host.storage.list()) {
      const slot = slotOfName(name);
      if (slot > 0) this.#adopt(slot);
    }
  }

  #adopt(slot: number): void {
    let file: StorageFile | undefined;
    try {
      file = this.#host.storage.open(segmentName(slot), { readOnly: true });
      const header = readSegmentHeader(file);
      // A spare without a header yet is looked at again.
      if (header === undefined) return;
      this.#slots.add(slot);
      const state = { end: header.fileBytes, lastCommit: 0, sealed: false, prepared: 0, readOnly: true };
      this.#store.adopt(new Segment(this.#host.storage, slot, header, state));
    } catch (error) {
      if (!(error instanceof SteleError) || error.code !== 'NOT_FOUND') throw error;
    } finally {
      file?.close();
    }
  }

  #newStore(): SegmentStore {
    const { storage, hashing, random, clock } = this.#host;
    const databaseId = this.#databaseId;
    return new SegmentStore({ storage, hashing, random, clock, databaseId, incarnation: NOTHING, epoch: NOTHING, segmentBytes: 0 });
  }

  #newReader(): LogReader {
    return new LogReader(this.#store, new Tail(0), undefined, makeCrc32(this.#host.hashing.crc32));
  }
}

const NOTHING = new Uint8Array(0);
