/**
 * What threads rely on: a version word is odd whenever what stands in the frame must not be believed.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Frames, OWNER_TREE } from '../../src/pager/frames.ts';
import { PAGE_TYPE, TYPE_INNER } from '../../src/pager/layout.ts';
import { NO_PAGE } from '../../src/pager/page-source.ts';
import { EntryDraft } from '../../src/tree/draft.ts';
import { recordAt, slotCount } from '../../src/tree/page.ts';
import { childLpnAt } from '../../src/tree/summary.ts';
import { Tree } from '../../src/tree/tree.ts';
import { readCell, writeCell } from '../../src/txn/threads/control.ts';
import { MemoryPages } from '../tree/memory-pages.ts';
import { keyOf } from './values.ts';

test('the word of a frame is odd from its eviction to its next page, and never the same for two contents', () => {
  const frames = new Frames({ pageBytes: 4096, frameCount: 4 });
  const isOdd = (frame: number): boolean => (frames.versions[frame]! & 1) === 1;
  let oddAtEviction = 0;
  frames.setOwner(OWNER_TREE, { mayEvict: () => true, evicted: (frame) => void (oddAtEviction += isOdd(frame) ? 1 : 0) });
  const seen = new Set<string>();
  for (let round = 0; round < 20; round++) {
    const frame = frames.take();
    assert.ok(isOdd(frame), 'while it is filled');
    frames.publish(frame, OWNER_TREE);
    assert.ok(!isOdd(frame));
    assert.ok(!seen.has(`${frame} ${frames.versions[frame]}`), 'a new content, a new word');
    seen.add(`${frame} ${frames.versions[frame]}`);
    if (round % 5 === 4) {
      frames.giveBack(frame);
      assert.ok(isOdd(frame), 'while it belongs to nobody');
    }
  }
  assert.ok(oddAtEviction > 0);
  assert.equal(oddAtEviction, frames.counters.evictions, 'odd before its owner forgets it');
});

test('a page leaves the tree only while its parent, or the root word, turns readers away', () => {
  const pages = new MemoryPages(4096, 4096, { shared: true });
  const tree = new Tree(pages, { rootLpn: NO_PAGE, height: 0, liveCount: 0 });
  let isRootGone = false;
  let changing = 0;
  tree.watcher = {
    changing: () => void changing++,
    rootGoes: () => void (isRootGone = true),
    moved: () => void (isRootGone = false),
    changed: () => void changing--,
  };
  let released = 0;
  const release = pages.release.bind(pages);
  pages.release = (lpn) => {
    released++;
    assert.equal(changing, 1);
    if (lpn === tree.rootLpn) assert.ok(isRootGone, 'the root word says so');
    else assert.ok(pages.versions[parentOf(pages, lpn)]! % 2 !== 0, 'the parent is open');
    release(lpn);
  };
  const draft = new EntryDraft();
  const write = (n: number, commit: number): void => {
    const key = keyOf(n);
    pages.reserve(tree.framesPerWrite());
    tree.seek(key, key.length);
    draft.clear();
    draft.commit = commit;
    // Removing a tombstone changes no count, so nothing but the removal opens the parent.
    draft.tombstone = n % 3 !== 0;
    if (!draft.tombstone) {
      draft.value = new Uint8Array(60);
      draft.valueEnd = 60;
    }
    tree.write(draft);
  };
  for (let n = 0; n < 9000; n++) write(n, n + 1);
  assert.ok(tree.height >= 3, `height ${tree.height}`);
  for (let n = 0; n < 9000; n++) {
    const key = keyOf((n * 1777) % 9000);
    tree.seek(key, key.length);
    tree.remove();
    assert.equal(openFrames(pages), 0, 'nothing stays open');
    assert.equal(changing, 0);
  }
  assert.ok(released > 50, `${released} pages were released`);
  assert.equal(tree.height, 0);
});

/** Frames of tree pages whose word is odd. */
function openFrames(pages: MemoryPages): number {
  let open = 0;
  for (let frame = 0; frame < pages.versions.length; frame++) {
    if (pages.lpnOf[frame]! >= 0 && pages.versions[frame]! % 2 !== 0) open++;
  }
  return open;
}

/** Frame of the page that names this one as its child. */
function parentOf(pages: MemoryPages, lpn: number): number {
  for (let frame = 0; frame < pages.versions.length; frame++) {
    const base = frame * pages.pageBytes;
    if (pages.lpnOf[frame]! < 0 || pages.u8[base + PAGE_TYPE] !== TYPE_INNER) continue;
    for (let slot = 0; slot < slotCount(pages, base); slot++) if (childLpnAt(pages, recordAt(pages, base, slot)) === lpn) return frame;
  }
  throw new Error(`page ${lpn} has no parent`);
}

test('a cell that is being written is never read half', () => {
  const words = new Int32Array(new SharedArrayBuffer(64));
  writeCell(words, 4, 2 ** 40 + 7);
  assert.equal(readCell(words, 4, -1), 2 ** 40 + 7);
  words[4] = words[4]! | 1;
  assert.equal(readCell(words, 4, -1), -1, 'torn');
  writeCell(words, 4, 5);
  assert.equal(readCell(words, 4, -1), 5, 'the next writer mends it');
});
