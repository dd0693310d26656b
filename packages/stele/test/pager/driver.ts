/**
 * Random programs on a page graph: changes, loads, evictions, flushes in slices, aborts, overflow runs, reopening; each step on the
 * pager and on the naive model. Everything follows from the seed.
 */

import assert from 'node:assert/strict';
import { Bitmap } from '../../src/pager/bitmap.ts';
import { readBlob } from '../../src/pager/blob.ts';
import type { FlushJob } from '../../src/pager/flush-job.ts';
import * as L from '../../src/pager/layout.ts';
import type { BlobRef, Meta } from '../../src/pager/meta.ts';
import type { OverflowRun } from '../../src/pager/overflow.ts';
import type { PageCache } from '../../src/pager/page-cache.ts';
import { NO_PAGE } from '../../src/pager/page-source.ts';
import type { SeededRandom } from '../model/random.ts';
import { Graph, type Node } from './graph.ts';

/** An overflow run and what it holds. */
export interface Large {
  readonly run: OverflowRun;
  readonly bytes: Uint8Array;
}

/** State at one freeze: what a meta must bring back. */
export interface Snapshot {
  readonly commit: number;
  readonly model: Node | undefined;
  readonly large: readonly Large[];
  readonly segmentTable: Uint8Array;
}

const FAN_OUT_MAX = 8;

export class Driver {
  readonly random: SeededRandom;
  graph: Graph;
  large: Large[];
  commit: number;
  job: FlushJob | undefined;
  frozen: Snapshot | undefined;
  /** By sequence of the meta. */
  readonly snapshots = new Map<number, Snapshot>();

  constructor(pages: PageCache, random: SeededRandom, from?: Snapshot) {
    this.random = random;
    this.graph = new Graph(pages);
    this.commit = from?.commit ?? 0;
    this.large = [...(from?.large ?? [])];
    const { rootPage, rootChecksum, height, sequence } = pages.file.meta;
    if (height > 0) this.graph.root = pages.adoptRoot(rootPage, rootChecksum, height - 1);
    if (from?.model !== undefined) this.graph.model = structuredCloneOf(from.model);
    this.snapshots.set(sequence, from ?? { commit: 0, model: undefined, large: [], segmentTable: new Uint8Array() });
  }

  get pages(): PageCache {
    return this.graph.pages;
  }

  /** One random change of the graph. */
  change(): void {
    this.commit++;
    if (!this.#reserve(12)) this.flushAll();
    assert.ok(this.#reserve(12), 'after a flush there is room');
    this.pages.reserveDisk(24);
    if (this.graph.model === undefined) {
      this.graph.build({ leaves: 1, valuesPerLeaf: 3, fanOut: 2, value: () => this.random.next() });
      return;
    }
    const lot = this.random.below(10);
    if (lot < 4) this.#changeLeaf();
    else if (lot < 7) this.#addLeaf();
    else if (lot < 9) this.#removeLeaf();
    else this.#moveChild();
  }

  /** The number of some page whose parent is in memory, or NO_PAGE. */
  someChild(): number {
    let lpn = this.graph.root;
    let node = this.graph.model;
    while (node !== undefined && 'children' in node && this.pages.frameOf[lpn]! >= 0) {
      const index = this.random.below(node.children.length);
      lpn = this.graph.children(lpn)[index]!;
      node = node.children[index];
    }
    return lpn;
  }

  changeLarge(commit = this.commit): void {
    if (this.large.length > 0 && this.random.below(2) === 0) {
      const [gone] = this.large.splice(this.random.below(this.large.length), 1);
      this.pages.freeOverflow(gone!.run.firstPage, gone!.run.pages);
      return;
    }
    const bytes = Uint8Array.from({ length: this.random.between(1, 30_000) }, () => this.random.next());
    this.pages.reserveDisk(this.pages.overflow.pagesFor(bytes.length));
    const writer = this.pages.overflow.begin(bytes.length, { commit, forFlush: false });
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + this.random.between(1, 9000));
      writer.write(bytes, at, end);
      at = end;
    }
    if (this.random.below(8) === 0) writer.abort();
    else this.large.push({ run: writer.end(), bytes });
  }

  beginFlush(): void {
    const segmentTable = Uint8Array.from({ length: this.random.below(9000) }, () => this.random.next());
    this.frozen = { commit: this.commit, model: this.graph.snapshot(), large: [...this.large], segmentTable };
    this.job = this.pages.beginFlush(this.graph.frozen(this.commit));
  }

  get end(): { durableSegment: number; durableOffset: number; segmentTable: Uint8Array } {
    return { durableSegment: 1, durableOffset: 1, segmentTable: this.frozen!.segmentTable };
  }

  finished(meta: Meta): void {
    assert.equal(meta.commit, this.frozen!.commit);
    this.snapshots.set(meta.sequence, this.frozen!);
    this.job = undefined;
  }

  /** Brings the flush under way to its end, then a whole one. */
  flushAll(): void {
    if (this.job === undefined) this.beginFlush();
    while (!this.job!.step(this.random.between(1, 40)));
    this.snapshots.set(this.pages.file.meta.sequence + 1, this.frozen!);
    this.finished(this.job!.finishNow(this.end));
  }

  /** The whole state is what the model says. */
  check(): void {
    this.graph.check();
    for (const { run, bytes } of this.large) checkLarge(this.pages, run, bytes, this.random);
  }

  #reserve(frames: number): boolean {
    return this.pages.reserve(frames);
  }

  #changeLeaf(): void {
    const { path, node } = this.#randomLeaf();
    const lpn = this.graph.descend(path).at(-1)!;
    const values = (node as { values: number[] }).values;
    if (values.length < 100 && this.random.below(2) === 0) values.splice(this.random.below(values.length + 1), 0, this.random.next());
    else values[this.random.below(values.length)] = this.random.next();
    this.graph.writeValues(lpn, values);
  }

  #addLeaf(): void {
    const { path } = this.#randomLeaf();
    const lpns = this.graph.descend(path);
    for (const lpn of lpns) this.pages.touch(lpn);
    const values = Array.from({ length: this.random.between(1, 20) }, () => this.random.next());
    const leaf = this.pages.allocate(L.TYPE_LEAF, 0);
    this.graph.writeValues(leaf, values);
    this.#insert(path, lpns, path.length, { lpn: leaf, node: { level: 0, values } });
  }

  /** Puts `added` right of the node at `path[0, depth)`, splitting upwards. */
  #insert(path: readonly number[], lpns: readonly number[], depth: number, added: { lpn: number; node: Node }): void {
    const { graph, pages } = this;
    if (depth === 0) {
      const level = graph.model!.level + 1;
      const root = pages.allocate(L.TYPE_INNER, level);
      graph.writeChildren(root, [graph.root, added.lpn]);
      graph.model = { level, children: [graph.model!, added.node] };
      graph.root = root;
      return;
    }
    const parent = this.#nodeAt(path.slice(0, depth - 1)) as { level: number; children: Node[] };
    const parentLpn = lpns[depth - 1]!;
    const children = graph.children(parentLpn);
    children.splice(path[depth - 1]! + 1, 0, added.lpn);
    parent.children.splice(path[depth - 1]! + 1, 0, added.node);
    if (children.length <= FAN_OUT_MAX) {
      graph.writeChildren(parentLpn, children);
      return;
    }
    const half = this.random.between(1, children.length - 1);
    const right = pages.allocate(L.TYPE_INNER, parent.level);
    graph.writeChildren(right, children.splice(half));
    graph.writeChildren(parentLpn, children);
    const rightNode: Node = { level: parent.level, children: parent.children.splice(half) };
    this.#insert(path, lpns, depth - 1, { lpn: right, node: rightNode });
  }

  #removeLeaf(): void {
    const { path } = this.#randomLeaf();
    const { graph, pages } = this;
    const lpns = graph.descend(path);
    for (let depth = path.length; ; depth--) {
      pages.release(lpns[depth]!);
      if (depth === 0) {
        graph.root = NO_PAGE;
        graph.model = undefined;
        return;
      }
      const parent = this.#nodeAt(path.slice(0, depth - 1)) as { children: Node[] };
      const children = graph.children(lpns[depth - 1]!);
      children.splice(path[depth - 1]!, 1);
      parent.children.splice(path[depth - 1]!, 1);
      if (children.length === 0) continue;
      graph.writeChildren(lpns[depth - 1]!, children);
      break;
    }
    while (graph.model !== undefined && 'children' in graph.model && graph.model.children.length === 1) {
      graph.descend([]);
      const [child] = graph.children(graph.root);
      pages.release(graph.root);
      graph.root = child!;
      graph.model = graph.model.children[0]!;
    }
  }

  /** Moves the last child of an inner page to its right neighbour. */
  #moveChild(): void {
    const { graph } = this;
    const { path } = this.#randomLeaf();
    if (path.length < 2) return;
    const at = path.slice(0, this.random.between(1, path.length - 1));
    const parent = this.#nodeAt(at.slice(0, -1)) as { children: Node[] };
    const index = at.at(-1)!;
    const left = parent.children[index] as { children: Node[] };
    const right = parent.children[index + 1] as { children: Node[] } | undefined;
    if (right === undefined || left.children.length < 2 || right.children.length >= FAN_OUT_MAX) return;
    const leftLpn = graph.descend(at).at(-1)!;
    this.pages.touch(leftLpn);
    const rightLpn = graph.descend([...at.slice(0, -1), index + 1]).at(-1)!;
    const children = graph.children(leftLpn);
    graph.writeChildren(rightLpn, [children.at(-1)!, ...graph.children(rightLpn)]);
    graph.writeChildren(leftLpn, children.slice(0, -1));
    right.children.unshift(left.children.pop()!);
  }

  #randomLeaf(): { path: number[]; node: Node } {
    const path: number[] = [];
    let node = this.graph.model!;
    while ('children' in node) {
      const index = this.random.below(node.children.length);
      path.push(index);
      node = node.children[index]!;
    }
    return { path, node };
  }

  #nodeAt(path: readonly number[]): Node {
    let node = this.graph.model!;
    for (const index of path) node = (node as { children: Node[] }).children[index]!;
    return node;
  }
}

/** Reads the state a fresh cache finds and compares it with the snapshot; then the bitmap with what was found. */
export function checkReopened(pages: PageCache, snapshot: Snapshot, random: SeededRandom): void {
  const { meta } = pages.file;
  assert.equal(meta.commit, snapshot.commit);
  const graph = new Graph(pages);
  const used = new Bitmap();
  used.setRun(0, 2);
  if (snapshot.model === undefined) assert.equal(meta.height, 0);
  else {
    graph.root = pages.adoptRoot(meta.rootPage, meta.rootChecksum, meta.height - 1);
    graph.check(snapshot.model);
    collectPlaces(graph, snapshot.model, [], used);
  }
  for (const { run, bytes } of snapshot.large) {
    checkLarge(pages, run, bytes, random);
    used.setRun(run.firstPage, run.pages);
  }
  assert.deepEqual(meta.sequence === 0 ? new Uint8Array() : readBlob(pages.file, meta.blobs[1]!), snapshot.segmentTable);
  for (const blob of meta.blobs) used.setRun(blob.firstPage, blob.pages);
  if (meta.sequence === 0) return;
  const stored = Bitmap.decode(readBlob(pages.file, meta.blobs[0] as BlobRef));
  assert.deepEqual(stored.encode(), used.encode(), 'the stored bitmap names exactly the pages in use');
}

function collectPlaces(graph: Graph, node: Node, path: number[], used: Bitmap): void {
  const lpn = graph.descend(path).at(-1)!;
  const place = graph.pages.physicalOf(lpn);
  assert.ok(!used.has(place), `page ${place} is used twice`);
  used.set(place);
  if ('children' in node) for (const [i, child] of node.children.entries()) collectPlaces(graph, child, [...path, i], used);
}

function checkLarge(pages: PageCache, run: OverflowRun, bytes: Uint8Array, random: SeededRandom): void {
  const offset = random.below(bytes.length);
  const length = random.between(0, bytes.length - offset);
  const target = new Uint8Array(length + 3);
  pages.readOverflow(run.firstPage, run.pages, offset, length, target, 3);
  assert.deepEqual(target.subarray(3), bytes.subarray(offset, offset + length));
}

function structuredCloneOf(node: Node): Node {
  return 'children' in node
    ? { level: node.level, children: node.children.map(structuredCloneOf) }
    : { level: 0, values: node.values.slice() };
}
