/**
 * Makes a whole page file consistent again after any of its tree pages were changed: children first, each parent names
 * the checksum its child has now. Bounded whatever the pages say: no page is visited twice.
 */

import { readU16, readU48, writeU32 } from '../../src/base/bytes.ts';
import { crc32 } from '../../src/base/crc32.ts';
import { nodeHashing } from '../../src/host/posix/hashing.ts';
import { encodeMeta, type Meta } from '../../src/pager/meta.ts';

/** Seals the pages below the root of `meta` in place and writes a meta that names them. */
export function resealTree(pages: Uint8Array, meta: Meta): void {
  if (meta.height === 0) return;
  const rootChecksum = sealBelow(pages, meta, meta.rootPage, new Set());
  pages.set(encodeMeta({ ...meta, rootChecksum }), (meta.sequence % 2) * meta.pageBytes);
}

function sealBelow(pages: Uint8Array, meta: Meta, page: number, visited: Set<number>): number {
  const { pageBytes } = meta;
  const bytes = pages.subarray(page * pageBytes, (page + 1) * pageBytes);
  visited.add(page);
  if (bytes[6] === 2) {
    const slotsStart = 80 + ((readU16(bytes, 18) + 3) & ~3);
    for (let slot = 0; slot < readU16(bytes, 12); slot++) {
      const at = slotsStart + 8 * slot;
      if (at + 8 > pageBytes) break;
      const record = readU16(bytes, at + 4);
      if (record + 12 > pageBytes) continue;
      const child = readU48(bytes, record);
      if (child < 2 || (child + 1) * pageBytes > pages.length || visited.has(child)) continue;
      writeU32(bytes, record + 8, sealBelow(pages, meta, child, visited));
    }
  }
  return sealPage(bytes, meta, page);
}

/** Gives the page its checksum, and returns it. */
export function sealPage(bytes: Uint8Array, meta: Meta, page: number): number {
  const seed = new Uint8Array(22);
  seed.set(meta.databaseId);
  writeU32(seed, 16, page);
  const checksum = nodeHashing().crc32(bytes, 4, bytes.length, crc32(seed, 0, 22, 0));
  writeU32(bytes, 0, checksum);
  return checksum;
}

/** The pages of the tree below `meta`, root first. */
export function treePages(pages: Uint8Array, meta: Meta): number[] {
  const found: number[] = [];
  const visit = (page: number): void => {
    found.push(page);
    const bytes = pages.subarray(page * meta.pageBytes, (page + 1) * meta.pageBytes);
    if (bytes[6] !== 2) return;
    const slotsStart = 80 + ((readU16(bytes, 18) + 3) & ~3);
    for (let slot = 0; slot < readU16(bytes, 12); slot++) visit(readU48(bytes, readU16(bytes, slotsStart + 8 * slot + 4)));
  };
  if (meta.height > 0) visit(meta.rootPage);
  return found;
}
