/**
 * One file for many: a POSIX tar archive (ustar) of the files of a storage, readable with `tar -xf`.
 *
 *   each file = header block (512 bytes), content, zeros to the next multiple of 512; then two blocks of zeros
 *
 * Invariants
 * - The archive appears under its name only when it is whole and on the device.
 * - What is unpacked is checked against the header's checksum and its size; every file is synced, and is there once. Without pages it is
 *   no backup.
 *
 * Limits: names of at most 100 bytes, files below 8 GiB in octal, larger ones in the base-256 form of GNU tar.
 * Specification: POSIX.1-2017, pax, "ustar Interchange Format"; spec/file-format.md, "Single-file backups".
 */

import { closeSync, existsSync, fsyncSync, linkSync, openSync, readSync, rmSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { SteleError } from '../base/errors.ts';
import { diskFull, ioError } from '../host/failures.ts';
import { isFileName } from '../host/names.ts';
import type { Storage } from '../host/storage.ts';
import type { Work } from '../model/types.ts';

/** What no database is without: spec/file-format.md, "Files". */
const PAGES_FILE = 'pages.db';
const BLOCK = 512;
const CHUNK = 1024 * 1024;
/** Archives of this process. */
let packed = 0;
const OCTAL_SIZE_MAX = 0o77777777777;
const text = new TextEncoder();

export async function packTar(from: Storage, target: string, work: Work, turn: () => Promise<void>): Promise<void> {
  if (existsSync(target)) throw taken(target);
  // Of its own: two backups to one name never write into each other; the first that is whole has the name.
  const partial = `${target}.${process.pid}-${++packed}.partial`;
  const fd = openFile(partial, 'w');
  let isClosed = false;
  try {
    let at = 0;
    const names = from.list();
    const sizes = names.map((name) => withFile(from, name, (file) => file.size()));
    const total = sizes.reduce((sum, size) => sum + size, 0);
    let done = 0;
    const chunk = new Uint8Array(CHUNK);
    for (let index = 0; index < names.length; index++) {
      const name = names[index]!;
      const size = sizes[index]!;
      at += writeSync(fd, header(name, size), 0, BLOCK, at);
      const file = from.open(name, { readOnly: true });
      try {
        for (let position = 0; position < size; ) {
          if (work.signal?.aborted === true)
            throw new SteleError('closed', 'CANCELLED', 'the backup was cancelled', { cause: work.signal.reason });
          const bytes = file.read(chunk, 0, Math.min(CHUNK, size - position), position);
          if (bytes === 0) throw new SteleError('corrupt', 'BACKUP_DAMAGED', `${name} ended at byte ${position}, expected ${size}`);
          for (let written = 0; written < bytes; ) written += writeSync(fd, chunk, written, bytes - written, at + written);
          at += bytes;
          position += bytes;
          done += bytes;
          work.progress?.(done, total);
          await turn();
        }
      } finally {
        file.close();
      }
      at += writeSync(fd, new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK), 0, (BLOCK - (size % BLOCK)) % BLOCK, at);
    }
    writeSync(fd, new Uint8Array(2 * BLOCK), 0, 2 * BLOCK, at);
    fsyncSync(fd);
    closeSync(fd);
    isClosed = true;
    linkSync(partial, target); // unlike a rename it never replaces
    unlinkSync(partial);
    syncDirectoryOf(target);
  } catch (error) {
    if (!isClosed) closeSync(fd);
    rmSync(partial, { force: true });
    throw failureOf(error, target);
  }
}

/** A backup never overwrites. */
function taken(target: string): SteleError {
  return new SteleError('invalid', 'TARGET_NOT_EMPTY', `the target of a backup, ${target}, exists already, expected a new name`);
}

/** The name survives a power cut too, where directories may be synced. */
function syncDirectoryOf(target: string): void {
  try {
    const fd = openSync(dirname(target), 'r');
    fsyncSync(fd);
    closeSync(fd);
  } catch {
    // The permission model lets no directory be synced; the archive itself is on the device.
  }
}

/** What the system says, as an error of the database; what is one, or was thrown by `progress`, as it is. */
function failureOf(error: unknown, target: string): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EEXIST') return taken(target);
  return code === 'ENOSPC' || code === 'EDQUOT' ? diskFull(target, { cause: error }) : ioError('backup', target, { cause: error });
}

export async function unpackTar(source: string, into: Storage, work: Work, turn: () => Promise<void>): Promise<void> {
  const fd = openFile(source, 'r');
  try {
    const total = statSync(source).size;
    const block = new Uint8Array(BLOCK);
    const chunk = new Uint8Array(CHUNK);
    const met = new Set<string>();
    for (let at = 0; ; ) {
      if (readSync(fd, block, 0, BLOCK, at) < BLOCK) throw damaged(source, at, 'the archive ends before its end mark');
      if (block.every((byte) => byte === 0)) break;
      const { name, size } = parseHeader(block, source, at);
      if (met.has(name)) throw damaged(source, at, `${name} is there twice`);
      met.add(name);
      at += BLOCK;
      const file = into.open(name, { create: true });
      try {
        for (let position = 0; position < size; ) {
          if (work.signal?.aborted === true)
            throw new SteleError('closed', 'CANCELLED', 'the restore was cancelled', { cause: work.signal.reason });
          const bytes = readSync(fd, chunk, 0, Math.min(CHUNK, size - position), at + position);
          if (bytes === 0) throw damaged(source, at + position, `${name} is cut`);
          for (let written = 0; written < bytes; ) {
            const step = file.write(chunk, written, bytes - written, position + written);
            if (step === 0) throw new SteleError('unavailable', 'DISK_FULL', `no space left while ${name} was restored`);
            written += step;
          }
          position += bytes;
          work.progress?.(at + position, total);
          await turn();
        }
        file.sync();
      } finally {
        file.close();
      }
      at += Math.ceil(size / BLOCK) * BLOCK;
    }
    if (!met.has(PAGES_FILE)) throw damaged(source, 0, `the archive is no backup: it holds no ${PAGES_FILE}`);
    into.syncDirectory();
  } finally {
    closeSync(fd);
  }
}

function header(name: string, size: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (at: number, value: string): void => block.set(text.encode(value), at);
  put(0, name);
  put(100, '0000644\0');
  put(108, '0000000\0');
  put(116, '0000000\0');
  if (size <= OCTAL_SIZE_MAX) put(124, `${size.toString(8).padStart(11, '0')}\0`);
  else {
    new DataView(block.buffer).setBigUint64(128, BigInt(size));
    block[124] = 0x80;
  }
  put(136, '00000000000\0'); // no time: the same database gives the same archive
  put(156, '0');
  put(257, 'ustar\u000000');
  put(148, `${checksum(block).toString(8).padStart(6, '0')}\0 `);
  return block;
}

/** Sum of the bytes, the checksum field taken as spaces. */
function checksum(block: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < BLOCK; at++) sum += at >= 148 && at < 156 ? 0x20 : block[at]!;
  return sum;
}

function parseHeader(block: Uint8Array, source: string, at: number): { name: string; size: number } {
  const field = (start: number, length: number): string => {
    const bytes = block.subarray(start, start + length);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  };
  if (Number.parseInt(field(148, 8), 8) !== checksum(block)) throw damaged(source, at, 'the checksum of a header is wrong');
  const size = block[124] === 0x80 ? Number(new DataView(block.buffer, block.byteOffset).getBigUint64(128)) : octal(field(124, 12));
  const name = field(0, 100);
  const isFile = block[156] === 0x30 || block[156] === 0;
  if (!isFile || !Number.isSafeInteger(size) || !isFileName(name)) throw damaged(source, at, 'a header that no backup has');
  return { name, size };
}

/** NaN for what is none: a size below 0 would lead backwards for ever. */
function octal(text: string): number {
  return /^ *[0-7]+ *$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
}

function openFile(name: string, flags: 'r' | 'w'): number {
  try {
    return openSync(name, flags);
  } catch (error) {
    throw new SteleError('unavailable', 'IO_ERROR', `${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function withFile<T>(storage: Storage, name: string, use: (file: { size(): number }) => T): T {
  const file = storage.open(name, { readOnly: true });
  try {
    return use(file);
  } finally {
    file.close();
  }
}

function damaged(source: string, at: number, what: string): SteleError {
  return new SteleError('corrupt', 'BACKUP_DAMAGED', `${source}, byte ${at}: ${what}`, { detail: { byte: at } });
}
