/**
 * Changes bytes in real files and makes every checksum right again, as a newer program would have written them: what an
 * old reader then refuses, it refuses because of its meaning and not as damage.
 */

import { readU32, writeU32 } from '../../src/base/bytes.ts';
import { crc32 } from '../../src/base/crc32.ts';
import { nodeHashing } from '../../src/host/posix/hashing.ts';
import { GROUP_BYTES } from '../../src/log/group-format.ts';
import { align8, headFlags, headKind, headLength, KIND_GROUP, recordSeed } from '../../src/log/record-format.ts';
import { segmentSeed } from '../../src/log/segment-header.ts';
import { encodeBlob, readBlob } from '../../src/pager/blob.ts';
import { decodeMeta, encodeMeta, META_BYTES, type Meta } from '../../src/pager/meta.ts';
import { PageFile } from '../../src/pager/page-file.ts';
import { type Files, storageOf } from './kit.ts';

/** Changes bytes in place. */
export type Change = (bytes: Uint8Array) => void;

/** A change of one byte. */
export const set =
  (at: number, value: number): Change =>
  (bytes) =>
    void (bytes[at] = value);

function copied(files: Files, name: string): { files: Files; bytes: Uint8Array } {
  const bytes = files.get(name)!.slice();
  return { files: new Map(files).set(name, bytes), bytes };
}

/** The header of a segment, the commit index or the headers: 252 bytes and their CRC. */
export function changeHeader(files: Files, name: string, change: Change): Files {
  const it = copied(files, name);
  change(it.bytes.subarray(0, 256));
  writeU32(it.bytes, 252, crc32(it.bytes, 0, 252, 0));
  return it.files;
}

/** Where records stand in a segment file, groups included, as offsets. */
export function recordsOf(bytes: Uint8Array): number[] {
  const found: number[] = [];
  const seed = segmentSeed(bytes.subarray(32, 48), readU32(bytes, 24), readU32(bytes, 28));
  const isRecord = (at: number): boolean => {
    const length = at + 26 <= bytes.length ? headLength(bytes, at) : 0;
    return length >= 26 && at + length <= bytes.length && readU32(bytes, at) === crc32(bytes, at + 4, at + length, recordSeed(seed, at));
  };
  for (let at = 256; ; ) {
    if (!isRecord(at)) at = align8(at);
    if (!isRecord(at)) return found;
    found.push(at);
    const end = at + headLength(bytes, at);
    const hasPayload = headKind(bytes, at) !== KIND_GROUP && (headFlags(bytes, at) & 8) !== 0;
    at = end + (hasPayload ? readU32(bytes, end - 4) : 0);
  }
}

/** The first record of segment 1 that `pick` takes; its bytes from the head on. Later records chain to what it becomes. */
export function changeRecord(files: Files, pick: (kind: number, at: number) => boolean, change: Change): Files {
  const it = copied(files, 'log-000001.seg');
  const { bytes } = it;
  const places = recordsOf(bytes);
  const place = places.find((at) => pick(headKind(bytes, at), at));
  if (place === undefined) throw new Error('no such record');
  const seed = segmentSeed(bytes.subarray(32, 48), readU32(bytes, 24), readU32(bytes, 28));
  change(bytes.subarray(place, place + headLength(bytes, place)));
  let chain = readU32(bytes, 84);
  for (const at of places) {
    // A change may have hit the length: it is sealed as far as there is anything.
    const length = headKind(bytes, at) === KIND_GROUP ? GROUP_BYTES : Math.min(headLength(bytes, at), bytes.length - at);
    writeU32(bytes, at + 4, chain);
    writeU32(bytes, at, crc32(bytes, at + 4, at + length, recordSeed(seed, at)));
    if (headKind(bytes, at) !== KIND_GROUP) chain = readU32(bytes, at);
  }
  return it.files;
}

/** The newest meta of `files`. */
export function metaOf(files: Files): Meta {
  return openPages(files).meta;
}

function openPages(files: Files): PageFile {
  return PageFile.open({ storage: storageOf(files), hashing: nodeHashing(), readOnly: true });
}

/** The newest meta page. */
export function changeMeta(files: Files, change: Change): Files {
  const { sequence, pageBytes } = metaOf(files);
  const it = copied(files, 'pages.db');
  const at = (sequence % 2) * pageBytes;
  const slot = it.bytes.subarray(at, at + META_BYTES);
  change(slot);
  writeU32(slot, META_BYTES - 4, crc32(slot, 0, META_BYTES - 4, 0));
  return it.files;
}

/** A page; when it is the root, the meta names it as it is now. */
export function changePage(files: Files, page: number, change: Change): Files {
  const meta = metaOf(files);
  const it = copied(files, 'pages.db');
  const bytes = it.bytes.subarray(page * meta.pageBytes, (page + 1) * meta.pageBytes);
  change(bytes);
  const id = new Uint8Array(22);
  id.set(meta.databaseId);
  new DataView(id.buffer).setUint32(16, page, true);
  const checksum = crc32(bytes, 4, bytes.length, crc32(id, 0, 22, 0));
  writeU32(bytes, 0, checksum);
  return page === meta.rootPage ? rewriteMeta(it.files, { ...meta, rootChecksum: checksum }) : it.files;
}

/** The contents of a blob of the newest meta, of the same length as before. */
export function changeBlob(files: Files, index: number, change: Change): Files {
  const file = openPages(files);
  const { meta } = file;
  const blob = meta.blobs[index]!;
  const contents = readBlob(file, blob);
  change(contents);
  const { buffer, blob: written } = encodeBlob(file, contents, { firstPage: blob.firstPage, commit: meta.commit });
  const it = copied(files, 'pages.db');
  it.bytes.set(buffer, blob.firstPage * meta.pageBytes);
  return rewriteMeta(it.files, { ...meta, blobs: meta.blobs.map((each, i) => (i === index ? written : each)) });
}

function rewriteMeta(files: Files, meta: Meta): Files {
  files.get('pages.db')!.set(encodeMeta(meta), (meta.sequence % 2) * meta.pageBytes);
  const again = decodeMeta(encodeMeta(meta), meta.sequence % 2);
  if (again.state !== 'meta') throw new Error('the changed meta does not decode');
  return files;
}
