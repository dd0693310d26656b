/**
 * What the log needs and what it tells: options, positions, facts about segments.
 *
 * A file of interfaces only. Specification: spec/log-format.md.
 */

import type { Clock, Hashing, Random } from '../host/host.ts';
import type { Storage, StorageFile } from '../host/storage.ts';
import type { CommitView } from './commit-view.ts';

/** A place in the log. Hot code passes the two numbers. */
export interface Position {
  /** Segment number, from 1. */
  readonly segment: number;
  /** Bytes from the beginning of the segment file. */
  readonly offset: number;
}

/** A file whose finished blocks may be kept in page frames. The object is the identity; `blockFile` opens lazily. */
export interface BlockFile {
  readonly name: string;
  /** The open file; opened when it was not. */
  file(): StorageFile;
}

/**
 * Frames for finished (never again changing) blocks of log and index files: the pager's, or none.
 *
 * Block b of a file is its bytes [b · blockBytes, (b + 1) · blockBytes); a block at the end of the file is filled up with zeros.
 * The log asks only for blocks that lie wholly below what it has written and will never rewrite.
 */
export interface LogBlocks {
  readonly blockBytes: number;
  /** The memory the frames lie in. */
  readonly u8: Uint8Array;
  /** Byte offset of the block in `u8`, or −1 when it is not resident. Marks it used. */
  get(file: BlockFile, block: number): number;
  /** Reads the block in, blocking; byte offset in `u8`. May evict others. */
  fill(file: BlockFile, block: number): number;
  /** The same off the thread; afterwards `get` may already miss again. */
  fillAsync(file: BlockFile, block: number): Promise<unknown>;
  /** Forgets all blocks of the file. */
  drop(file: BlockFile): void;
}

export type LogLogger = (event: {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}) => void;

export interface LogOptions {
  readonly storage: Storage;
  readonly hashing: Hashing;
  readonly random: Random;
  readonly clock: Clock;
  /** 16 bytes. */
  readonly databaseId: Uint8Array;
  /** 16 bytes. */
  readonly incarnation: Uint8Array;
  /** 8 random bytes of this holder of the directory. */
  readonly epoch: Uint8Array;
  /** Nominal size of a segment file, 64 KiB to 1 GiB. */
  readonly segmentBytes: number;
  /** Frames for finished blocks; without them reads go to the file. */
  readonly blocks?: LogBlocks | undefined;
  /** Memory for what is not durable yet and for recent records; default 16 MiB. See {@link Log.unsyncedBytes}. */
  readonly tailBytes?: number | undefined;
  readonly logger?: LogLogger | undefined;
}

export interface RecoverOptions extends LogOptions {
  /** Where replay begins: the log position of a meta page. */
  readonly from: Position;
  /** Newest commit before `from`; the first one visited is `fromCommit + 1`. */
  readonly fromCommit: number;
  /** Checksum of the last record before `from` (chain). */
  readonly fromChecksum: number;
  /** Greatest position known durable from outside the log (metas). */
  readonly knownDurable: Position;
  /** Sealed segments the meta's table names; files of others below `from` are spares. */
  readonly segments: readonly SegmentInfo[];
  /** Nothing is written, created or removed; the log can only be read. */
  readonly readOnly?: boolean | undefined;
  /**
   * The meta vouches that nothing was ever appended behind `from` (clean close, flag cleared on the device before the next append):
   * the search behind the end, tens of milliseconds for a large prepared segment, is skipped.
   */
  readonly endIsKnown?: boolean | undefined;
  /** Called for marks (clean close, kept ranges) met on the way, in order. `body` is a copy. */
  readonly visitMark?: ((kind: number, commit: number, timeMs: number, body: Uint8Array) => void) | undefined;
}

export interface SegmentInfo {
  readonly number: number;
  /** Digits of the file name. */
  readonly slot: number;
  readonly generation: number;
  /** First commit of which it may hold a record. */
  readonly firstCommit: number;
  /** Last commit of which it holds a record; firstCommit − 1 when none. */
  readonly lastCommit: number;
  /** End of the records, bytes. */
  readonly bytes: number;
  /** Size of the file, bytes. */
  readonly fileBytes: number;
  readonly sealed: boolean;
}

export type VisitCommit = (view: CommitView) => void;
