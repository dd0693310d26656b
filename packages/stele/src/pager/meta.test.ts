import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFile, hashing, openFile } from '../../test/pager/fixtures.ts';
import { writeU16, writeU32, writeU48 } from '../base/bytes.ts';
import { crc32 } from '../base/crc32.ts';
import { memoryStorage } from '../host/memory/storage.ts';
import type { Meta } from './meta.ts';
import { decodeMeta, encodeMeta, META_BYTES, NO_BLOB } from './meta.ts';
import { PageFile } from './page-file.ts';

const id = (from: number) => Uint8Array.from({ length: 16 }, (_, i) => from + i);

const meta: Meta = {
  pageBytes: 8192,
  compatibleFeatures: 0x8000_0001,
  readOnlyCompatibleFeatures: 2,
  incompatibleFeatures: 0,
  databaseId: id(1),
  incarnation: id(20),
  parentId: id(40),
  parentCommit: 2 ** 48 - 1,
  parentChecksum: 0xdead_beef,
  epoch: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
  sequence: 2 ** 40 + 1,
  commit: 2 ** 41,
  timeMs: 1_800_000_000_000,
  assertedTimeMs: 7,
  logSegment: 3,
  logOffset: 0xffff_fff0,
  logChecksum: 9,
  durableSegment: 4,
  durableOffset: 11,
  rootPage: 2 ** 33,
  rootChecksum: 0xffff_ffff,
  height: 4,
  liveCount: 2 ** 47,
  leafCount: 12345,
  pageCount: 2 ** 34,
  blobs: [{ firstPage: 2 ** 32 + 5, pages: 6, bytes: 7, crc: 8 }, NO_BLOB, { firstPage: 2, pages: 1, bytes: 3, crc: 4 }, NO_BLOB, NO_BLOB],
  isCleanClose: true,
};

/** The bytes with another checksum, right for them. */
function resealed(change: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = encodeMeta(meta);
  change(bytes);
  writeU32(bytes, META_BYTES - 4, crc32(bytes, 0, META_BYTES - 4, 0));
  return bytes;
}

test('a meta page survives encoding', () => {
  assert.deepEqual(decodeMeta(encodeMeta(meta), 1), { state: 'meta', meta });
});

test('every flipped bit of a meta page is found', () => {
  for (let bit = 0; bit < META_BYTES * 8; bit++) {
    const bytes = encodeMeta(meta);
    bytes[bit >>> 3] = bytes[bit >>> 3]! ^ (1 << (bit & 7));
    assert.equal(decodeMeta(bytes, 1).state, 'damaged', `bit ${bit}`);
  }
});

test('a meta page is believed only in its own slot, and only when it does not contradict itself', () => {
  assert.equal(decodeMeta(encodeMeta(meta), 0).state, 'damaged');
  const wrongs: [string, (bytes: Uint8Array) => void][] = [
    ['page size', (b) => writeU32(b, 12, 12345)],
    ['root past the end', (b) => writeU48(b, 180, 2 ** 35)],
    ['root is a meta page', (b) => writeU48(b, 180, 1)],
    ['height without root', (b) => writeU48(b, 180, 0)],
    ['height', (b) => void (b[186] = 200)],
    ['blob past the end', (b) => writeU48(b, 208, 2 ** 35)],
    ['blob without pages', (b) => writeU32(b, 216, 0)],
    ['version 0', (b) => writeU16(b, 8, 0)],
    ['page count', (b) => writeU48(b, 200, 1)],
  ];
  for (const [what, change] of wrongs) assert.equal(decodeMeta(resealed(change), 1).state, 'damaged', what);
});

test('what this version does not know is refused, not taken for damage', () => {
  // Passing over such a slot would open the database by the other one, which is older.
  const unknown: [string, (bytes: Uint8Array) => void][] = [
    ['version', (b) => writeU16(b, 8, 2)],
    ['incompatible feature', (b) => writeU32(b, 24, 1)],
    ...[10, 82, 88, 119, 134, 142, 150, 158, 187, 198, 206, 309, 316, 507].map((at): [string, (bytes: Uint8Array) => void] => [
      `reserved byte ${at}`,
      (b) => void (b[at] = 1),
    ]),
    ['reserved bytes of a blob', (b) => void (b[214] = 1)],
    ['clean-close mark', (b) => void (b[308] = 2)],
  ];
  for (const [what, change] of unknown)
    assert.throws(() => decodeMeta(resealed(change), 1), { kind: 'invalid', code: 'FORMAT_NEWER' }, what);
});

test('a spare blob is passed over only when a feature keeps writers away', () => {
  const spare = (features: number): Uint8Array =>
    encodeMeta({ ...meta, readOnlyCompatibleFeatures: features, blobs: [NO_BLOB, NO_BLOB, NO_BLOB, NO_BLOB, meta.blobs[0]!] });
  assert.throws(() => decodeMeta(spare(0), 1), { kind: 'invalid', code: 'FORMAT_NEWER' });
  assert.equal(decodeMeta(spare(4), 1).state, 'meta');
});

test('unknown compatible features are ignored, read-only compatible ones allow reading', () => {
  const storage = memoryStorage();
  createFile(storage, 8192).close();
  const file = storage.open('pages.db');
  const bytes = encodeMeta({ ...meta, rootPage: 0, height: 0, blobs: [], sequence: 1 });
  file.write(bytes, 0, bytes.length, 8192);
  assert.throws(() => openFile(storage), { kind: 'invalid', code: 'FORMAT_NEWER' });
  const readOnly = openFile(storage, { readOnly: true });
  assert.equal(readOnly.meta.compatibleFeatures, 0x8000_0001);
  assert.throws(() => readOnly.writePages(bytes, 0, 2, 0), { kind: 'denied', code: 'READ_ONLY' });
});

test('the newer of two usable metas counts, the older one is the fallback, whichever is damaged', () => {
  for (const pageBytes of [4096, 8192, 16384, 32768]) {
    const storage = memoryStorage();
    createFile(storage, pageBytes).close();
    const file = storage.open('pages.db');
    const { databaseId } = openFile(storage);
    const bytes = encodeMeta({
      ...meta,
      databaseId,
      pageBytes,
      readOnlyCompatibleFeatures: 0,
      rootPage: 0,
      height: 0,
      blobs: [],
      sequence: 1,
    });
    file.write(bytes, 0, bytes.length, pageBytes);
    assert.deepEqual([openFile(storage).meta.sequence, openFile(storage).olderMeta?.sequence], [1, 0]);
    assert.equal(openFile(storage, { useOlder: true }).meta.sequence, 0);
    file.write(Uint8Array.of(0xff), 0, 1, 100);
    assert.deepEqual(
      [openFile(storage).meta.sequence, openFile(storage).olderMeta],
      [1, undefined],
      `slot 1 is found with pages of ${pageBytes}`,
    );
    file.write(Uint8Array.of(0xff), 0, 1, pageBytes + 100);
    assert.throws(() => openFile(storage), { kind: 'corrupt', code: 'META_DAMAGED' });
    assert.equal(PageFile.look({ storage, hashing }), 'present');
  }
});

test('metas of two databases in one file are refused', () => {
  const storage = memoryStorage();
  createFile(storage).close();
  const bytes = encodeMeta({
    ...meta,
    pageBytes: 4096,
    rootPage: 0,
    height: 0,
    blobs: [],
    sequence: 1,
    readOnlyCompatibleFeatures: 0,
    databaseId: id(99),
  });
  storage.open('pages.db').write(bytes, 0, bytes.length, 4096);
  assert.throws(() => openFile(storage), { kind: 'corrupt', code: 'META_DAMAGED' });
});

test('look() tells a file never finished from a damaged one', () => {
  const storage = memoryStorage();
  assert.equal(PageFile.look({ storage, hashing }), 'missing');
  const file = storage.open('pages.db', { create: true });
  assert.equal(PageFile.look({ storage, hashing }), 'unfinished');
  file.write(Uint8Array.of(1, 2, 3), 0, 3, 0);
  assert.equal(PageFile.look({ storage, hashing }), 'unfinished');
  file.truncate(65536);
  assert.equal(PageFile.look({ storage, hashing }), 'unfinished');
  file.write(Uint8Array.of(1), 0, 1, 40_000);
  assert.equal(PageFile.look({ storage, hashing }), 'present');
});
