/**
 * `stele get PATH` in a pipe, without loading the engine: for scripts that ask once and end.
 *
 * It answers only where the answer is plain: a database that was closed cleanly and has nothing in its log behind the newest meta page, and an
 * entry that does not expire and is no longer than a page. Anything else, any doubt and any failure is undefined: then the whole command runs, and says what there
 * is to say. The lock of a reader is held meanwhile, every page is verified as the engine does it.
 *
 * Invariant: what it prints is what `get` prints.
 *
 * Why it is worth a file of its own: docs/decisions/0020-quick-get.md. Specification: spec/file-format.md, "Tree nodes".
 */

import { closeSync, fstatSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { readU48 } from '../base/bytes.ts';
import { crc32 } from '../base/crc32.ts';
import type { Hashing } from '../host/host.ts';
import { takeLock } from '../host/posix/lock.ts';
import { nodeTexts } from '../host/posix/texts.ts';
import type { Storage, StorageFile } from '../host/storage.ts';
import { checkFileHeader, INDEX_FILE, INDEX_HEADER_BYTES } from '../log/index-format.ts';
import { decodeSegmentTable } from '../log/segment-table.ts';
import { encodePath } from '../model/path/encode.ts';
import { KEY_BYTES_MAX } from '../model/path/layout.ts';
import type { Value } from '../model/types.ts';
import { valueDecoder } from '../model/value/decode.ts';
import { readBlob } from '../pager/blob.ts';
import { INNER_CHILD, INNER_CHILD_CHECKSUM, LEAF_EXPIRES, LEAF_LARGE, LEAF_TOMBSTONE } from '../pager/layout.ts';
import { BLOB_SEGMENT_TABLE } from '../pager/meta.ts';
import { checkTreePage } from '../pager/page-check.ts';
import { PageFile } from '../pager/page-file.ts';
import { commitAt, flagsAt, valueBytesAt, valueStartAt } from '../tree/entry.ts';
import { type PageViews, recordAt, searchPage } from '../tree/page.ts';
import { formatValue } from './value-json.ts';

/** What is looked at behind the end of the log: as at opening. */
const QUIET_BYTES = 64 * 1024;

/** Prints and gives the exit code; undefined: run the whole command. */
export function quickGet(words: readonly string[], env: Readonly<Record<string, string | undefined>>): number | undefined {
  const answer = isPlainOutput() ? quickAnswer(words, env) : undefined;
  if (answer === undefined) return undefined;
  const line = Buffer.from(answer);
  for (let at = 0; at < line.length; ) {
    try {
      at += writeSync(1, line, at);
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code === 'EPIPE') return 0; // nobody reads: no failure
      if (code !== 'EAGAIN') throw error;
      if (at === 0) return undefined; // a pipe that does not block: the whole command waits for it
    }
  }
  return 0;
}

/** What is to be printed; undefined: run the whole command. */
export function quickAnswer(words: readonly string[], env: Readonly<Record<string, string | undefined>>): string | undefined {
  const asked = parse(words, env);
  if (asked === undefined) return undefined;
  try {
    const value = read(asked.directory, asked.path);
    return value === undefined ? undefined : `${formatValue(value)}\n`;
  } catch {
    return undefined; // the whole command meets it too, and says it
  }
}

/** `get PATH`, with `--db DIR` or `--db=DIR` anywhere. */
function parse(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): { readonly directory: string; readonly path: string } | undefined {
  let directory = env['STELE_DB'] ?? './data';
  const plain: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === '--db') directory = words[++at] ?? '';
    else if (word.startsWith('--db=')) directory = word.slice('--db='.length);
    else if (word.startsWith('-')) return undefined;
    else plain.push(word);
  }
  return plain.length === 2 && plain[0] === 'get' && directory !== '' ? { directory, path: plain[1]! } : undefined;
}

/** A file or a pipe; the pipes that Node makes are sockets. */
function isPlainOutput(): boolean {
  const stat = fstatSync(1);
  return stat.isFile() || stat.isFIFO() || stat.isSocket();
}

function read(directory: string, path: string): Value | undefined {
  const key = new Uint8Array(KEY_BYTES_MAX);
  const keyBytes = encodePath(path, key, 0);
  if (statSync(join(directory, 'unfinished.mark'), { throwIfNoEntry: false }) !== undefined) return undefined;
  if (statSync(join(directory, 'pages.db'), { throwIfNoEntry: false }) === undefined) return undefined;
  const lock = takeLock(directory, 'auto', true);
  try {
    const storage = readingStorage(directory);
    const file = PageFile.open({ storage, hashing, readOnly: true });
    try {
      return isQuiet(storage, file) ? find(file, key, keyBytes) : undefined;
    } finally {
      file.close();
    }
  } finally {
    lock.release();
  }
}

/** Nothing was committed behind the newest meta page: as at opening (txn/open.ts). */
function isQuiet(storage: Pick<Storage, 'open'>, file: PageFile): boolean {
  const { meta, olderMeta, databaseId } = file;
  const blob = meta.blobs[BLOB_SEGMENT_TABLE]!;
  if (!meta.isCleanClose || olderMeta?.sequence !== meta.sequence - 1 || blob.pages === 0) return false;
  const segment = decodeSegmentTable(readBlob(file, blob)).find(({ number }) => number === meta.logSegment);
  if (segment === undefined) return false;
  const header = readFrom(storage, INDEX_FILE, INDEX_HEADER_BYTES, 0);
  checkFileHeader(INDEX_FILE, 'STELEIDX', databaseId, header);
  const behind = readFrom(storage, `log-${String(segment.slot).padStart(6, '0')}.seg`, QUIET_BYTES, meta.logOffset);
  // Each byte is the one before it, and the first is 0: in native code, since this program is never warm.
  return behind.length === 0 || (behind[0] === 0 && Buffer.compare(behind.subarray(1), behind.subarray(0, -1)) === 0);
}

function readFrom(storage: Pick<Storage, 'open'>, name: string, length: number, position: number): Uint8Array {
  const file = storage.open(name);
  try {
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, file.read(bytes, 0, length, position));
  } finally {
    file.close();
  }
}

/** Undefined: not there, or not to be decided here. */
function find(file: PageFile, key: Uint8Array, keyBytes: number): Value | undefined {
  const { meta, pageBytes } = file;
  if (meta.height === 0) return undefined;
  const u8 = new Uint8Array(pageBytes);
  const page: PageViews = { pageBytes, u8, u16: new Uint16Array(u8.buffer), u32: new Uint32Array(u8.buffer) };
  let place = meta.rootPage;
  let checksum = meta.rootChecksum;
  for (let level = meta.height - 1; level > 0; level--) {
    readPage(file, page, place, checksum, level);
    let index = searchPage(page, 0, key, keyBytes, 1, 0);
    if (index < 0) index = ~index - 1;
    const record = recordAt(page, 0, index);
    place = readU48(u8, record + INNER_CHILD);
    checksum = page.u32[(record + INNER_CHILD_CHECKSUM) / 4]!;
  }
  readPage(file, page, place, checksum, 0);
  const index = searchPage(page, 0, key, keyBytes, 0, 0);
  if (index < 0) return undefined;
  const location = recordAt(page, 0, index);
  const flags = flagsAt(page, location);
  if ((flags & (LEAF_TOMBSTONE | LEAF_EXPIRES | LEAF_LARGE)) !== 0 || commitAt(page, location) > meta.commit) return undefined;
  const start = valueStartAt(page, location);
  return valueDecoder(nodeTexts())(u8, start, start + valueBytesAt(page, location));
}

function readPage(file: PageFile, page: PageViews, place: number, checksum: number, level: number): void {
  file.readTreePage(page.u8, 0, place, checksum);
  const wrong = checkTreePage(page, 0, page.pageBytes, level, file.pageLimit);
  if (wrong !== undefined) throw file.pageDamaged('PAGE_INVALID', place, wrong);
}

/** Checksums are all that reading a page takes. In script: node:zlib brings streams with it and takes longer to load than a few pages to sum. */
const hashing = { crc32 } as Hashing;

/** Files that can be read, and nothing else. */
function readingStorage(directory: string): Storage {
  return {
    open(name: string): StorageFile {
      const fd = openSync(join(directory, name), 'r');
      let isOpen = true;
      return {
        read: (target: Uint8Array, offset: number, length: number, position: number) => readSync(fd, target, offset, length, position),
        size: () => fstatSync(fd).size,
        close() {
          if (isOpen) closeSync(fd);
          isOpen = false;
        },
      } as unknown as StorageFile;
    },
  } as unknown as Storage;
}
