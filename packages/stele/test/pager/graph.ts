/**
 * A page graph: the plainest tree that can live on a PageSource, with a naive model beside it.
 *
 * A leaf holds some records, each with four bytes of value; an inner page holds children. Keys are the slots' numbers, for the pages to be
 * in order: nobody searches by them, pages are reached by the path of child indexes. Every write rebuilds the page from an array, so what is tested is the pager alone.
 */

import assert from 'node:assert/strict';
import type { FlushedTree } from '../../src/pager/flush-job.ts';
import * as L from '../../src/pager/layout.ts';
import type { PageCache } from '../../src/pager/page-cache.ts';
import { NO_PAGE } from '../../src/pager/page-source.ts';

/** The model: a leaf is its values, an inner node its children. */
export type Node = { readonly level: 0; values: number[] } | { readonly level: number; children: Node[] };

/** Longest lists that fit the smallest page. */
export const VALUES_MAX = 120;
export const CHILDREN_MAX = 90;

/** Where a leaf record holds its value. */
export const VALUE_AT = L.LEAF_FIXED_BYTES + 4;

/** One graph in one cache. `root` and `model` change together. */
export class Graph {
  readonly pages: PageCache;
  root = NO_PAGE;
  model: Node | undefined;

  constructor(pages: PageCache) {
    this.pages = pages;
  }

  get height(): number {
    return this.model === undefined ? 0 : this.model.level + 1;
  }

  /** What a flush of the graph as it stands says. */
  frozen(commit: number): FlushedTree {
    return {
      rootLpn: this.root,
      height: this.height,
      liveCount: commit,
      leafCount: commit,
      commit,
      timeMs: 1000 + commit,
      assertedTimeMs: 0,
      logSegment: 1,
      logOffset: 256 + commit,
      logChecksum: commit,
    };
  }

  /** A copy of the model as it stands. */
  snapshot(): Node | undefined {
    return this.model === undefined ? undefined : copy(this.model);
  }

  /** Brings the path's pages into memory, all at once, and returns their numbers, root first. */
  descend(path: readonly number[]): number[] {
    for (;;) {
      const lpns = [this.root];
      let missed = this.pages.frameOf[this.root]! < 0 ? this.root : NO_PAGE;
      for (let depth = 0; depth < path.length && missed === NO_PAGE; depth++) {
        const child = this.children(lpns[depth]!)[path[depth]!]!;
        lpns.push(child);
        if (this.pages.frameOf[child]! < 0) missed = child;
      }
      if (missed === NO_PAGE) return lpns;
      this.pages.load(missed);
    }
  }

  children(lpn: number): number[] {
    const { u16, u32, start } = this.#page(lpn);
    const count = u16[(start + L.PAGE_SLOT_COUNT) / 2]!;
    return Array.from(
      { length: count },
      (_, slot) => u32[(start + u16[(start + L.PAGE_PREFIX + slot * L.SLOT_BYTES + L.SLOT_RECORD) / 2]!) / 4]!,
    );
  }

  values(lpn: number): number[] {
    const { u16, u32, start } = this.#page(lpn);
    const count = u16[(start + L.PAGE_SLOT_COUNT) / 2]!;
    return Array.from(
      { length: count },
      (_, slot) => u32[(start + u16[(start + L.PAGE_PREFIX + slot * L.SLOT_BYTES + L.SLOT_RECORD) / 2]! + VALUE_AT) / 4]!,
    );
  }

  writeChildren(lpn: number, lpns: readonly number[]): void {
    this.pages.touch(lpn);
    const { u8, u16, u32, start } = this.#page(lpn);
    const frame = this.pages.frameOf[lpn]!;
    if (this.pages.shared) this.pages.beginChange(frame);
    let heap = this.pages.pageBytes;
    lpns.forEach((child, slot) => {
      const keyBytes = slot === 0 ? 0 : 4;
      heap -= L.INNER_SUFFIX + keyBytes;
      u8.fill(0, start + heap, start + heap + L.INNER_SUFFIX + keyBytes);
      u32[(start + heap) / 4] = child;
      if (slot > 0) u8[start + heap + L.INNER_SUFFIX + 3] = slot;
      this.#slot(start, slot, heap, keyBytes);
    });
    u16[(start + L.PAGE_SLOT_COUNT) / 2] = lpns.length;
    u16[(start + L.PAGE_HEAP_START) / 2] = heap;
    if (this.pages.shared) this.pages.endChange(frame);
  }

  writeValues(lpn: number, values: readonly number[]): void {
    this.pages.touch(lpn);
    const { u8, u16, u32, start } = this.#page(lpn);
    const frame = this.pages.frameOf[lpn]!;
    if (this.pages.shared) this.pages.beginChange(frame);
    let heap = this.pages.pageBytes;
    values.forEach((value, slot) => {
      heap -= VALUE_AT + 4;
      u8.fill(0, start + heap, start + heap + VALUE_AT);
      u16[(start + heap + L.LEAF_SUFFIX_BYTES) / 2] = 4;
      u16[(start + heap + L.LEAF_VALUE_BYTES) / 2] = 4;
      u8[start + heap + VALUE_AT - 1] = slot;
      u32[(start + heap + VALUE_AT) / 4] = value;
      this.#slot(start, slot, heap, 4);
    });
    u16[(start + L.PAGE_SLOT_COUNT) / 2] = values.length;
    u16[(start + L.PAGE_HEAP_START) / 2] = heap;
    if (this.pages.shared) this.pages.endChange(frame);
  }

  /** Builds a whole graph of a shape: so many leaves of so many values, so many children per inner page. */
  build(options: { leaves: number; valuesPerLeaf: number; fanOut: number; value: (leaf: number, slot: number) => number }): void {
    let nodes: { lpn: number; node: Node }[] = [];
    for (let leaf = 0; leaf < options.leaves; leaf++) {
      const values = Array.from({ length: options.valuesPerLeaf }, (_, slot) => options.value(leaf, slot) >>> 0);
      const lpn = this.pages.allocate(L.TYPE_LEAF, 0);
      this.writeValues(lpn, values);
      nodes.push({ lpn, node: { level: 0, values } });
    }
    for (let level = 1; nodes.length > 1; level++) {
      const parents: typeof nodes = [];
      for (let at = 0; at < nodes.length; at += options.fanOut) {
        const group = nodes.slice(at, at + options.fanOut);
        const lpn = this.pages.allocate(L.TYPE_INNER, level);
        this.writeChildren(
          lpn,
          group.map((child) => child.lpn),
        );
        parents.push({ lpn, node: { level, children: group.map((child) => child.node) } });
      }
      nodes = parents;
    }
    this.root = nodes[0]!.lpn;
    this.model = nodes[0]!.node;
  }

  /** Reads everything and compares it with `expected` (default: the model). */
  check(expected: Node | undefined = this.model): void {
    if (expected === undefined) assert.equal(this.root, NO_PAGE);
    else this.#check(expected, []);
  }

  #check(expected: Node, path: number[]): void {
    const lpn = this.descend(path).at(-1)!;
    if (!('children' in expected)) {
      assert.deepEqual(this.values(lpn), expected.values, `leaf at ${path.join('.')}`);
      return;
    }
    assert.equal(this.children(lpn).length, expected.children.length, `children at ${path.join('.')}`);
    for (const [i, child] of expected.children.entries()) this.#check(child, [...path, i]);
  }

  #slot(start: number, slot: number, record: number, keyBytes: number): void {
    const at = start + L.PAGE_PREFIX + slot * L.SLOT_BYTES;
    const { u16, u32 } = this.pages;
    u32[at / 4] = slot;
    u16[(at + L.SLOT_RECORD) / 2] = record;
    u16[(at + L.SLOT_SUFFIX_BYTES) / 2] = keyBytes;
  }

  #page(lpn: number): { u8: Uint8Array; u16: Uint16Array; u32: Uint32Array; start: number } {
    const frame = this.pages.frameOf[lpn]!;
    assert.ok(frame >= 0, `page ${lpn} is not in memory`);
    this.pages.ref[frame] = 1;
    return { u8: this.pages.u8, u16: this.pages.u16, u32: this.pages.u32, start: frame * this.pages.pageBytes };
  }
}

/** A deep copy. */
export function copy(node: Node): Node {
  return 'children' in node ? { level: node.level, children: node.children.map(copy) } : { level: 0, values: node.values.slice() };
}

/** The graph a meta names, in a cache that holds nothing yet. */
export function openGraph(pages: PageCache): Graph {
  const graph = new Graph(pages);
  const { rootPage, rootChecksum, height } = pages.file.meta;
  if (height > 0) graph.root = pages.adoptRoot(rootPage, rootChecksum, height - 1);
  return graph;
}
