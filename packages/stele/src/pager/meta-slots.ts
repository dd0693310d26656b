/**
 * The two meta slots of a file, and which of them counts.
 *
 * Specification: spec/file-format.md, "Meta pages".
 */

import { isZero } from '../base/bytes.ts';
import { SteleError } from '../base/errors.ts';
import { readFully } from '../host/files.ts';
import type { StorageFile } from '../host/storage.ts';
import { PAGE_SIZES } from './layout.ts';
import type { Meta, MetaSlot } from './meta.ts';
import { decodeMeta, META_BYTES } from './meta.ts';

const PAGE_SIZE_MAX = 32768;

/**
 * True when the file was never completely created: no usable meta, and nothing but zeros behind the place of the first one. Creation writes
 * two pages, zero but for meta 0; the first flush puts its meta behind that. Such a tree never held anything.
 */
export function isUnfinishedCreation(file: StorageFile): boolean {
  if (readMetaSlots(file).some((slot) => slot.state === 'meta')) return false;
  const size = file.size();
  if (size > 2 * PAGE_SIZE_MAX) return false;
  const bytes = new Uint8Array(size);
  return isZero(bytes, Math.min(META_BYTES, size), readFully(file, bytes, 0, size, 0));
}

/** Both slots. The place of slot 1 depends on the page size, which slot 0 says unless it is unusable: then each size is tried. */
export function readMetaSlots(file: StorageFile): [MetaSlot, MetaSlot] {
  const first = decodeMeta(readSlot(file, 0), 0);
  if (first.state === 'meta') {
    const second = decodeMeta(readSlot(file, first.meta.pageBytes), 1);
    if (second.state === 'meta' && second.meta.pageBytes !== first.meta.pageBytes)
      return [first, { state: 'damaged', reason: 'another page size' }];
    return [first, second];
  }
  for (const pageBytes of PAGE_SIZES) {
    const second = decodeMeta(readSlot(file, pageBytes), 1);
    if (second.state === 'meta' && second.meta.pageBytes === pageBytes) return [first, second];
  }
  return [first, { state: 'damaged', reason: 'not found at any page size' }];
}

function readSlot(file: StorageFile, position: number): Uint8Array {
  const bytes = new Uint8Array(META_BYTES);
  return bytes.subarray(0, readFully(file, bytes, 0, META_BYTES, position));
}

/**
 * The meta to open by, and the older fallback when there is one.
 *
 * @throws {SteleError} `corrupt` META_DAMAGED when none can be used, or the two are of different databases.
 */
export function chooseMeta(slots: readonly MetaSlot[], useOlder: boolean): { meta: Meta; olderMeta: Meta | undefined } {
  const metas = slots.flatMap((slot) => (slot.state === 'meta' ? [slot.meta] : [])).sort((a, b) => b.sequence - a.sequence);
  if (useOlder) metas.shift();
  const [meta, olderMeta] = metas;
  if (meta === undefined) {
    const reasons = slots.map((slot, i) => `slot ${i}: ${slot.state === 'damaged' ? slot.reason : slot.state}`).join('; ');
    throw new SteleError('corrupt', 'META_DAMAGED', `pages.db has no usable ${useOlder ? 'older ' : ''}meta page: ${reasons}`, {
      detail: { reasons },
    });
  }
  if (olderMeta !== undefined && olderMeta.databaseId.some((byte, i) => byte !== meta.databaseId[i])) {
    throw new SteleError('corrupt', 'META_DAMAGED', 'pages.db: the meta pages name different databases');
  }
  return { meta, olderMeta };
}
