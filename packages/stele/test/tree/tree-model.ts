/**
 * Drives a tree beside a naive model (a sorted array) with seeded random operations and compares everything.
 *
 * Failures name the seed. `runTreeModel` returns the tree's counters so that a test can demand that splits, merges,
 * prefix rebuilds and so on were really reached.
 */

import assert from 'node:assert/strict';
import { compareBytes } from '../../src/base/bytes.ts';
import { NO_PAGE } from '../../src/pager/page-source.ts';
import { Accelerator } from '../../src/tree/accelerator.ts';
import { draftOverheadBytes, EntryDraft, entryBytesMax, inlineValueBytesMax } from '../../src/tree/draft.ts';
import * as entry from '../../src/tree/entry.ts';
import { recordAt, slotCount } from '../../src/tree/page.ts';
import { ABSENT, END, FOUND, MISS, Tree } from '../../src/tree/tree.ts';
import { TreeVerifier } from '../../src/tree/verify.ts';
import { MemoryPages } from './memory-pages.ts';

export interface ModelOptions {
  readonly seed: number;
  readonly pageBytes: number;
  readonly keys: (random: Random) => Uint8Array;
  readonly operations: number;
  readonly frames?: number;
  readonly evict?: boolean;
  readonly accelerator?: boolean;
  readonly shared?: boolean;
  readonly valueBytesMax?: number;
  /** Share of inserts among writes, by phase; the phases take turns. */
  readonly phases?: readonly Phase[];
  readonly spines?: boolean;
}

export interface Phase {
  readonly put: number;
  readonly tombstone: number;
  readonly remove: number;
  readonly sweep: number;
}

export type Random = (below: number) => number;

interface ModelEntry {
  key: Uint8Array;
  tombstone: boolean;
  swept: boolean;
  commit: number;
  ordinal: number;
  expiresAt: number;
  backCommit: number;
  backOrdinal: number;
  backCarried: boolean;
  firstCommit: number;
  depth: number;
  spine: Uint8Array | null;
  value: Uint8Array;
  large: boolean;
  largeBytes: number;
}

/** A small seeded generator (mulberry32). */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const GROW: Phase = { put: 90, tombstone: 4, remove: 4, sweep: 2 };
const CHURN: Phase = { put: 50, tombstone: 20, remove: 20, sweep: 10 };
const SHRINK: Phase = { put: 8, tombstone: 10, remove: 80, sweep: 2 };
const PHASES: readonly Phase[] = [GROW, CHURN, SHRINK, GROW, CHURN, SHRINK];

export class TreeModel {
  readonly pages: MemoryPages;
  readonly tree: Tree;
  readonly accelerator: Accelerator | undefined;
  readonly entries: ModelEntry[] = [];
  readonly random: Random;
  readonly options: ModelOptions;
  readonly draft = new EntryDraft();
  commit = 2 ** 33;
  overwrites = 0;

  constructor(options: ModelOptions) {
    this.options = options;
    this.random = seeded(options.seed);
    this.pages = new MemoryPages(options.pageBytes, options.frames ?? 3000, { shared: options.shared ?? false });
    this.accelerator =
      options.accelerator === true ? new Accelerator(this.pages, { bytesMax: 1 << 22, seed: options.seed, searchesBefore: 2 }) : undefined;
    if (this.accelerator !== undefined) this.pages.onEvict = (frame) => this.accelerator!.onEvict(frame);
    this.tree = new Tree(this.pages, { rootLpn: NO_PAGE, height: 0, liveCount: 0, accelerator: this.accelerator });
  }

  run(): void {
    const phases = this.options.phases ?? PHASES;
    const each = Math.ceil(this.options.operations / phases.length);
    for (const phase of phases) {
      for (let i = 0; i < each; i++) {
        this.step(phase);
        if (this.options.evict === true && this.random(8) === 0) this.pressure();
        if (i % 500 === 499 && i + 1 < each) this.compare();
      }
      this.compare();
    }
  }

  /** Repeats a call while it misses, loading what is missing. */
  filled(call: () => number): number {
    for (let tries = 0; tries < 1000; tries++) {
      const result = call();
      if (result !== MISS) return result;
      this.pages.load(this.tree.missed);
    }
    throw new Error('misses without end');
  }

  pressure(): void {
    if (this.random(3) === 0) this.pages.clean();
    const times = 1 + this.random(6);
    for (let i = 0; i < times; i++) this.pages.evict(this.random(this.pages.ref.length));
  }

  position(key: Uint8Array): number {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.entries[middle]!.key;
      if (compareBytes(other, 0, other.length, key, 0, key.length) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  at(position: number, key: Uint8Array): ModelEntry | undefined {
    const found = this.entries[position];
    return found !== undefined && compareBytes(found.key, 0, found.key.length, key, 0, key.length) === 0 ? found : undefined;
  }

  step(phase: Phase): void {
    const { random } = this;
    const pick = random(100);
    let key = this.options.keys(random);
    const needsEntry = pick >= phase.put;
    if (needsEntry && this.entries.length > 0 && random(10) > 0) key = this.entries[random(this.entries.length)]!.key;
    const position = this.position(key);
    const old = this.at(position, key);
    this.pages.reserve(this.tree.framesPerWrite());
    const location = this.filled(() => {
      this.pages.reserve(this.tree.framesPerWrite());
      return this.tree.seek(key, key.length);
    });
    assert.equal(location >= 0, old !== undefined, `seed ${this.options.seed}: presence`);
    assert.ok(this.tree.isSoughtHeld());
    if (pick < phase.put) this.put(key, position, old, false);
    else if (pick < phase.put + phase.tombstone) this.put(key, position, old, true);
    else if (pick < phase.put + phase.tombstone + phase.remove) {
      if (old === undefined) return;
      this.tree.remove();
      this.entries.splice(position, 1);
    } else if (old !== undefined && !old.tombstone) {
      this.tree.setSwept();
      old.swept = true;
    }
  }

  put(key: Uint8Array, position: number, old: ModelEntry | undefined, tombstone: boolean): void {
    const { random, draft } = this;
    this.commit += 1 + random(3);
    const hasBack = old !== undefined && random(3) > 0;
    const spine = this.options.spines === true && hasBack && random(2) === 0 ? randomBytes(random, random(200)) : null;
    const made: ModelEntry = {
      key,
      tombstone,
      swept: false,
      commit: this.commit,
      ordinal: random(2) * random(5000),
      expiresAt: tombstone || random(3) > 0 ? 0 : 1_700_000_000_000 + random(1000),
      backCommit: hasBack ? old.commit : 0,
      backOrdinal: hasBack ? old.ordinal : 0,
      backCarried: hasBack && random(2) === 0,
      firstCommit: hasBack ? old.firstCommit : this.commit,
      depth: hasBack ? Math.min(old.depth + 1, 7) : 0,
      spine,
      value: new Uint8Array(0),
      large: false,
      largeBytes: 0,
    };
    draft.clear();
    draft.tombstone = tombstone;
    draft.commit = made.commit;
    draft.ordinal = made.ordinal;
    draft.expiresAt = made.expiresAt;
    draft.backCommit = made.backCommit;
    draft.backOrdinal = made.backOrdinal;
    draft.backCarried = made.backCarried;
    draft.firstCommit = made.firstCommit;
    draft.depth = made.depth;
    if (spine !== null) {
      const padded = new Uint8Array(spine.length + 6);
      padded.set(spine, 3);
      draft.spine = padded;
      draft.spineStart = 3;
      draft.spineBytes = spine.length;
    }
    if (!tombstone) {
      const most =
        random(20) === 0
          ? entryBytesMax(this.options.pageBytes) - draftOverheadBytes(draft) - key.length - 3
          : inlineValueBytesMax(this.options.pageBytes, key.length, draft);
      const bytes = random(Math.min(most, this.options.valueBytesMax ?? most) + 1);
      if (random(15) === 0) {
        made.large = true;
        made.largeBytes = 5000 + random(100000);
        draft.large = true;
        draft.largeBytes = made.largeBytes;
        draft.largeKind = 1;
      } else {
        made.value = randomBytes(random, bytes);
        const start = random(2) * 5;
        draft.value = new Uint8Array(bytes + start * 2);
        draft.value.set(made.value, start);
        draft.valueStart = start;
        draft.valueEnd = start + bytes;
      }
    }
    let location = this.filled(() => this.tree.find(key, key.length));
    if (location === ABSENT || random(2) === 0 || !this.tree.overwrite(location, draft, key, key.length)) {
      if (!this.tree.isSoughtHeld()) this.filled(() => this.tree.seek(key, key.length));
      this.pages.reserve(this.tree.framesPerWrite());
      if (!this.tree.isSoughtHeld()) this.filled(() => this.tree.seek(key, key.length));
      location = this.tree.write(draft);
    } else this.overwrites++;
    if (old === undefined) this.entries.splice(position, 0, made);
    else this.entries[position] = made;
    this.compareEntry(location, made);
  }

  compareEntry(location: number, expected: ModelEntry): void {
    const { pages } = this;
    const key = new Uint8Array(1104);
    assert.deepEqual(key.subarray(0, entry.keyInto(pages, location, key)), expected.key);
    const found = {
      tombstone: (entry.flagsAt(pages, location) & 1) !== 0,
      live: entry.isLiveAt(pages, location),
      commit: entry.commitAt(pages, location),
      ordinal: entry.ordinalAt(pages, location),
      expiresAt: entry.expiresAt(pages, location),
      backCommit: entry.backCommitAt(pages, location),
      backOrdinal: entry.backOrdinalAt(pages, location),
      backCarried: entry.isBackCarriedAt(pages, location),
      firstCommit: entry.firstCommitAt(pages, location),
      depth: entry.depthAt(pages, location),
      large: entry.isLargeAt(pages, location),
    };
    assert.deepEqual(found, {
      tombstone: expected.tombstone,
      live: isLive(expected),
      commit: expected.commit,
      ordinal: expected.ordinal,
      expiresAt: expected.expiresAt,
      backCommit: expected.backCommit,
      backOrdinal: expected.backOrdinal,
      backCarried: expected.backCarried,
      firstCommit: expected.firstCommit,
      depth: expected.depth,
      large: expected.large,
    });
    const spineBytes = entry.spineBytesAt(pages, location);
    assert.equal(spineBytes, expected.spine?.length ?? 0);
    if (spineBytes > 0)
      assert.deepEqual(
        pages.u8.slice(entry.spineStartAt(pages, location), entry.spineStartAt(pages, location) + spineBytes),
        expected.spine,
      );
    if (expected.large) {
      assert.equal(entry.largeBytesAt(pages, location), expected.largeBytes);
      assert.equal(entry.largeKindAt(pages, location), 1);
    } else {
      const start = entry.valueStartAt(pages, location);
      assert.deepEqual(pages.u8.slice(start, start + entry.valueBytesAt(pages, location)), expected.value);
    }
  }

  compare(): void {
    const { tree, random, entries } = this;
    const seed = `seed ${this.options.seed}`;
    this.verify();
    assert.equal(tree.liveCount, entries.filter(isLive).length, `${seed}: live count`);
    for (let i = 0; i < 60; i++) {
      const key = i % 3 === 0 || entries.length === 0 ? this.options.keys(random) : entries[random(entries.length)]!.key;
      const position = this.position(key);
      const expected = this.at(position, key);
      const location = this.filled(() => tree.find(key, key.length));
      if (expected === undefined) assert.equal(location, ABSENT, seed);
      else this.compareEntry(location, expected);
      assert.equal(
        this.filled(() => tree.rank(key, key.length)),
        entries.slice(0, position).filter(isLive).length,
        `${seed}: rank`,
      );
    }
    this.compareAccelerator();
    this.compareMany();
    this.compareScans();
    this.compareFilters();
  }

  verify(): void {
    const verifier = new TreeVerifier(this.tree, (fault) =>
      assert.fail(`seed ${this.options.seed}: page ${fault.lpn} level ${fault.level}: ${fault.message}`),
    );
    for (;;) {
      const result = this.filled(() => verifier.step(3));
      if (result === END) break;
      if (this.options.evict === true && this.random(4) === 0) this.pressure();
    }
    assert.equal(verifier.entries, this.entries.length, `seed ${this.options.seed}: entries`);
  }

  /** The accelerator holds the records of the indexed leaves and nothing else. */
  compareAccelerator(): void {
    const { accelerator, pages, tree } = this;
    if (accelerator === undefined) return;
    let records = 0;
    let leaves = 0;
    const key = new Uint8Array(1104);
    for (let frame = 0; frame < pages.ref.length; frame++) {
      if (!accelerator.isIndexed(frame)) continue;
      assert.ok(pages.lpnOf[frame]! >= 0, 'an indexed frame holds a page');
      leaves++;
      for (let i = 0; i < slotCount(pages, frame * pages.pageBytes); i++) {
        records++;
        const location = recordAt(pages, frame * pages.pageBytes, i);
        assert.equal(accelerator.find(key, entry.keyInto(pages, location, key), tree.leafCount), location);
      }
    }
    assert.equal(accelerator.count, records, `seed ${this.options.seed}: records in the accelerator`);
    assert.equal(accelerator.indexedLeaves, leaves);
  }

  compareMany(): void {
    const { random, entries, tree } = this;
    const keys = Array.from({ length: 300 }, () =>
      random(2) === 0 || entries.length === 0 ? this.options.keys(random) : entries[random(entries.length)]!.key,
    );
    const out = new Float64Array(keys.length);
    let from = 0;
    while (from < keys.length) {
      const to = tree.findMany(keys, out, from);
      for (; from < to; from++) {
        const expected = this.at(this.position(keys[from]!), keys[from]!);
        if (expected === undefined) assert.equal(out[from], ABSENT);
        else this.compareEntry(out[from]!, expected);
      }
      if (to < keys.length) this.pages.load(tree.missed);
    }
  }

  compareScans(): void {
    const { random, entries, tree } = this;
    const cursor = tree.cursor();
    for (let round = 0; round < 6; round++) {
      const lower = round < 2 ? undefined : this.options.keys(random);
      const upper = round < 2 ? undefined : this.options.keys(random);
      cursor.setRange(lower, upper);
      const from = lower === undefined ? 0 : this.position(lower);
      const to = upper === undefined ? entries.length : Math.max(from, this.position(upper));
      const steps = round < 2 ? entries.length + 1 : 40;
      const isForward = round % 2 === 0;
      let expected = isForward ? from : to - 1;
      let result = this.filled(() => (isForward ? cursor.seekFirst() : cursor.seekLast()));
      for (let i = 0; i < steps; i++) {
        if (expected < from || expected >= to) {
          assert.equal(result, END, `seed ${this.options.seed}: scan end`);
          break;
        }
        assert.equal(result, FOUND, `seed ${this.options.seed}: scan at ${expected} of ${entries.length}`);
        this.compareKey(cursor, expected);
        if (this.options.evict === true && random(10) === 0) {
          cursor.save();
          this.pressure();
          if (random(2) === 0) {
            assert.equal(
              this.filled(() => cursor.restore()),
              FOUND,
            );
            this.compareKey(cursor, expected);
          }
        }
        expected += isForward ? 1 : -1;
        result = this.filled(() => (isForward ? cursor.next() : cursor.previous()));
      }
    }
    cursor.setRange(undefined, undefined);
    for (let i = 0; i < 20; i++) {
      const key = this.options.keys(random);
      const position = this.position(key);
      assert.equal(
        this.filled(() => cursor.seek(key, key.length)),
        position < entries.length ? FOUND : END,
      );
      if (position < entries.length) this.compareKey(cursor, position);
      assert.equal(
        this.filled(() => cursor.seekBefore(key, key.length)),
        position > 0 ? FOUND : END,
      );
      if (position > 0) this.compareKey(cursor, position - 1);
    }
    const live = entries.filter(isLive);
    for (let i = 0; i < 20; i++) {
      const n = random(live.length + 2);
      const result = this.filled(() => cursor.seekLive(n));
      assert.equal(result, n < live.length ? FOUND : END);
      if (n < live.length) this.compareKey(cursor, this.position(live[n]!.key));
    }
  }

  compareFilters(): void {
    const { random, entries, tree } = this;
    const cursor = tree.cursor();
    const created = entries.length === 0 ? 0 : entries[random(entries.length)]!.firstCommit;
    const expiring = 1_700_000_000_000 + random(1000);
    const filters: [object, (e: ModelEntry) => boolean][] = [
      [{ skipDead: true }, isLive],
      [{ createdAfter: created }, (e) => e.firstCommit <= created],
      [{ expiringBefore: expiring }, (e) => isLive(e) && e.expiresAt !== 0 && e.expiresAt <= expiring],
    ];
    for (const [options, wanted] of filters) {
      cursor.setOptions(options);
      const seen = new Set<number>();
      let result = this.filled(() => cursor.seekFirst());
      while (result === FOUND) {
        const key = new Uint8Array(1104);
        const keyBytes = cursor.keyInto(key);
        seen.add(this.position(key.subarray(0, keyBytes)));
        result = this.filled(() => cursor.next());
      }
      entries.forEach((e, i) => {
        if (wanted(e) && !seen.has(i)) assert.fail(`seed ${this.options.seed}: ${JSON.stringify(options)} left out entry ${i}`);
      });
    }
  }

  compareKey(cursor: { keyInto(target: Uint8Array): number; location: number }, position: number): void {
    const key = new Uint8Array(1104);
    const keyBytes = cursor.keyInto(key);
    const found = key.subarray(0, keyBytes);
    const expected = this.entries[position]!.key;
    // Described only when they differ: this is asked hundreds of thousands of times.
    if (Buffer.compare(found, expected) !== 0) assert.deepEqual(found, expected, `seed ${this.options.seed}: key ${position}`);
    assert.equal(entry.commitAt(this.pages, cursor.location), this.entries[position]!.commit);
  }
}

function isLive(e: ModelEntry): boolean {
  return !e.tombstone && !e.swept;
}

export function randomBytes(random: Random, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = random(256);
  return bytes;
}
