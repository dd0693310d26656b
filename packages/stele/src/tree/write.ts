/**
 * Writing one entry: insert, replace in place, replace by a larger record.
 *
 * Order of an operation: count the entry in on the path, change the leaf, split where needed (which recomputes what it
 * rebuilds from the records, so the counts above stay right), and, when the earliest expiry went away, tighten the
 * bounds. Nothing here can miss: seek brought the path into memory.
 *
 * Specification: spec/file-format.md, "Tree nodes".
 */

import { LEAF_EXPIRES, LEAF_SUFFIX_BYTES, PAGE_GARBAGE, pad4 } from '../pager/layout.ts';
import type { EntryDraft } from './draft.ts';
import { checkDraft, draftFirstCommit, draftOverheadBytes, draftValueBytes, writeDraft } from './draft.ts';
import { expiresAt, firstCommitAt, LEAF_DEAD } from './entry.ts';
import {
  closeSlot,
  contiguousBytes,
  freeRecord,
  headOf,
  leafRecordBytes,
  moveRecord,
  openSlot,
  prefixBytesOf,
  recordAt,
  slotCount,
} from './page.ts';
import { lengthenPrefix, makeRoom, SLACK_SHARE } from './room.ts';
import { growFirstLeaf, linkRight, noteInsert, type SplitPlace, splitLeaf } from './split.ts';
import type { TreeState } from './state.ts';
import { change, tightenPath, widenPath } from './state.ts';

/** Writes the draft at the sought key and returns the record's location. */
export function writeEntry(tree: TreeState, draft: EntryDraft, place: SplitPlace): number {
  const { pages } = tree;
  checkDraft(draft, pages.pageBytes, tree.soughtKeyBytes);
  const isLive = !draft.tombstone && !draft.swept;
  const expiry = isLive ? draft.expiresAt : 0;
  let live = isLive ? 1 : 0;
  let lostExpiry = 0;
  if (tree.height === 0) growFirstLeaf(tree);
  const isReplacing = tree.soughtIndex >= 0;
  if (isReplacing) {
    const old = recordAt(pages, tree.pathFrame[0]! * pages.pageBytes, tree.soughtIndex);
    if ((pages.u16[old / 2]! & LEAF_DEAD) === 0) {
      live--;
      lostExpiry = expiresAt(pages, old);
    }
  }
  const splitsBefore = tree.counters.leafSplits;
  change(tree, tree.pathFrame[0]!);
  widenPath(tree, live, expiry, draftFirstCommit(draft));
  tree.liveCount += live;
  tree.modifications++;
  const location = isReplacing ? replaceEntry(tree, draft, place) : insertEntry(tree, ~tree.soughtIndex, draft, place);
  if (lostExpiry !== 0 && lostExpiry !== expiry && tree.counters.leafSplits === splitsBefore) tightenPath(tree);
  return location;
}

/**
 * Overwrites the entry at a location without a path, where that concerns nothing but the record: it stays live, neither
 * has an expiry, firstCommit does not fall, and the new record fits in the old one's place. False = nothing was done.
 */
export function overwriteInPlace(tree: TreeState, location: number, draft: EntryDraft, key: Uint8Array, keyBytes: number): boolean {
  const { pages } = tree;
  const flags = pages.u16[location / 2]!;
  if ((flags & (LEAF_DEAD | LEAF_EXPIRES)) !== 0 || draft.tombstone || draft.swept || draft.expiresAt !== 0) return false;
  if (draftFirstCommit(draft) < firstCommitAt(pages, location)) return false;
  const oldBytes = leafRecordBytes(pages.u16, location / 2);
  const suffixBytes = pages.u16[(location + LEAF_SUFFIX_BYTES) / 2]!;
  const bytes = pad4(draftOverheadBytes(draft) + suffixBytes + draftValueBytes(draft));
  if (bytes > oldBytes) return false;
  const frame = Math.floor(location / pages.pageBytes);
  change(tree, frame);
  tree.modifications++;
  writeDraft(pages, location, draft, key, keyBytes - suffixBytes, keyBytes);
  if (bytes < oldBytes) {
    const half = (frame * pages.pageBytes + PAGE_GARBAGE) / 2;
    pages.u16[half] = pages.u16[half]! + oldBytes - bytes;
  }
  return true;
}

function replaceEntry(tree: TreeState, draft: EntryDraft, place: SplitPlace): number {
  const { pages, soughtKey: key, soughtKeyBytes: keyBytes, accelerator } = tree;
  const frame = tree.pathFrame[0]!;
  const base = frame * pages.pageBytes;
  const index = tree.soughtIndex;
  const old = recordAt(pages, base, index);
  const oldBytes = leafRecordBytes(pages.u16, old / 2);
  const suffixBytes = pages.u16[(old + LEAF_SUFFIX_BYTES) / 2]!;
  const bytes = pad4(draftOverheadBytes(draft) + suffixBytes + draftValueBytes(draft));
  if (bytes <= oldBytes) {
    writeDraft(pages, old, draft, key, keyBytes - suffixBytes, keyBytes);
    if (bytes < oldBytes) {
      const half = (base + PAGE_GARBAGE) / 2;
      pages.u16[half] = pages.u16[half]! + oldBytes - bytes;
    }
    return old;
  }
  const isIndexed = accelerator !== undefined && accelerator.isIndexed(frame);
  if (contiguousBytes(pages, base) >= bytes) {
    freeRecord(pages, base, old - base, oldBytes);
    const location = moveRecord(pages, base, index, bytes);
    writeDraft(pages, location, draft, key, keyBytes - suffixBytes, keyBytes);
    if (isIndexed) accelerator.move(key, keyBytes, old, location);
    return location;
  }
  closeSlot(pages, base, index, true);
  if (isIndexed) accelerator.remove(key, keyBytes, old);
  return insertEntry(tree, index, draft, place);
}

function insertEntry(tree: TreeState, index: number, draft: EntryDraft, place: SplitPlace): number {
  const { pages, soughtKey: key, soughtKeyBytes: keyBytes, accelerator } = tree;
  const fixed = draftOverheadBytes(draft);
  const valueBytes = draftValueBytes(draft);
  place.frame = tree.pathFrame[0]!;
  place.index = index;
  let rightLpn = -1;
  if (!makeRoom(tree, place.frame, true, key, keyBytes, fixed, valueBytes, pages.pageBytes * SLACK_SHARE))
    rightLpn = splitLeaf(tree, index, fixed, valueBytes, place);

  const frame = place.frame;
  const base = frame * pages.pageBytes;
  const prefixBytes = prefixBytesOf(pages, base);
  const bytes = pad4(fixed + keyBytes - prefixBytes + valueBytes);
  let location = openSlot(pages, base, place.index, bytes, headOf(key, prefixBytes, keyBytes), keyBytes - prefixBytes);
  writeDraft(pages, location, draft, key, prefixBytes, keyBytes);
  noteInsert(tree, frame, place.index);
  if (accelerator !== undefined && accelerator.isIndexed(frame)) accelerator.insert(key, keyBytes, location);
  if (rightLpn >= 0) linkRight(tree, rightLpn);
  else if (tree.height === 1) {
    const count = slotCount(pages, base);
    if (count === 8 || count === 32) {
      lengthenPrefix(tree, frame, true);
      location = recordAt(pages, base, place.index);
    }
  }
  return location;
}
