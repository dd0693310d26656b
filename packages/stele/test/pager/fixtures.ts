/** Page files and caches for tests. */

import { pureHashing } from '../../src/host/pure-hashing.ts';
import type { Storage } from '../../src/host/storage.ts';
import { PageCache } from '../../src/pager/page-cache.ts';
import { PageFile } from '../../src/pager/page-file.ts';

export const hashing = pureHashing();
const databaseId = Uint8Array.from({ length: 16 }, (_, i) => i + 1);

/** A new pages.db. */
export function createFile(storage: Storage, pageBytes = 4096): PageFile {
  return PageFile.create({
    storage,
    hashing,
    pageBytes,
    databaseId,
    incarnation: databaseId,
    epoch: new Uint8Array(8),
    logSegment: 1,
    logOffset: 256,
    logChecksum: 0,
  });
}

/** The pages.db there is. */
export function openFile(storage: Storage, options: { readOnly?: boolean; useOlder?: boolean } = {}): PageFile {
  return PageFile.open({ storage, hashing, ...options });
}

/** A cache of so many frames. */
export function cacheOf(file: PageFile, frames: number): PageCache {
  return new PageCache(file, { cacheMemory: frames * file.pageBytes });
}
