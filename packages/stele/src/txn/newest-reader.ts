/**
 * Reading the newest state, and opening views of it and of the past.
 *
 * The newest state is read straight from the tree. Two things stand in the way of that: a large delete that is half applied
 * (readers stay at the commit before), and a failure (reads go on at the durable commit, spec/invariants.md rule 19, answered by a
 * core of their own).
 *
 * Specification: spec/transactions.md, "Views", "Views".
 */

import { SteleError } from '../base/errors.ts';
import { ENTRY_EXPIRES, ENTRY_LARGE, ENTRY_TOMBSTONE, flagsAt, valueBytesAt, valueStartAt } from '../tree/entry.ts';
import { ABSENT } from '../tree/results.ts';
import { changesAfter, recordOf } from './changes.ts';
import type { Core } from './core.ts';
import { nthLive } from './count.ts';
import { FallbackReader } from './fallback-reader.ts';
import { historyOf } from './history.ts';
import { checkKey, checkVersion } from './options.ts';
import { checkNth, checkRange, SightReader } from './reader.ts';
import { ScanIterator } from './scan-iterator.ts';
import type { Sight } from './scanner.ts';
import type { Change, CommitRecord, Decode, Entry, HistoryEntry, KeyRange, Make, ScanRange, View, ViewOptions, Walk } from './types.ts';
import { PinnedView } from './view.ts';

/** Entries that cannot be answered by their bytes alone. */
const SPECIAL = ENTRY_TOMBSTONE | ENTRY_EXPIRES | ENTRY_LARGE;
/** Stands for a value that must be read the slow way. */
const SLOW = Symbol('slow') as unknown;
const NO_LOCATIONS = new Float64Array(0);

export abstract class NewestReader extends SightReader {
  #fallback: FallbackReader | undefined;
  #locations = new Float64Array(256);

  get version(): number {
    return this.core.status === 'failed' ? this.core.durable : this.core.applied;
  }

  get visibleVersion(): number {
    return this.core.status === 'failed' ? this.core.durable : this.core.visible;
  }

  get durableVersion(): number {
    return this.core.durable;
  }

  protected override sight(): Sight {
    const { core } = this;
    core.assertReadable();
    return { commit: core.applied, timeMs: core.nowMs(), claim: undefined, skipExpired: false };
  }

  override get(key: Uint8Array): Uint8Array | undefined {
    checkKey(key);
    return this.read(key, key.length, this.core.copyOf);
  }

  override read<T>(key: Uint8Array, keyBytes: number, decode: Decode<T>): T | undefined {
    const { core } = this;
    if (!core.isPlain) return this.#readSlowly(key, keyBytes, decode);
    const { tree, pages } = core;
    let location = tree.find(key, keyBytes);
    while (location < ABSENT) {
      pages.load(tree.missed);
      location = tree.find(key, keyBytes);
    }
    if (location < 0) {
      if (!(key instanceof Uint8Array)) checkKey(key);
      return undefined;
    }
    if ((flagsAt(pages, location) & SPECIAL) !== 0) return super.read(key, keyBytes, decode);
    const start = valueStartAt(pages, location);
    return decode(pages.u8, start, start + valueBytesAt(pages, location));
  }

  #readSlowly<T>(key: Uint8Array, keyBytes: number, decode: Decode<T>): T | undefined {
    const { core } = this;
    core.assertReadable();
    return core.status === 'failed' ? this.#durableReader().read(key, keyBytes, decode) : super.read(key, keyBytes, decode);
  }

  override readMany<T>(keys: readonly Uint8Array[], decode: Decode<T>): (T | undefined)[] {
    const { core } = this;
    if (!core.isPlain) return core.status === 'failed' ? this.#durableReader().readMany(keys, decode) : super.readMany(keys, decode);
    const { tree, pages } = core;
    const values = new Array<T | undefined>(keys.length);
    // Taken away while in use: `decode` may call back.
    const locations = this.#locations.length < keys.length ? new Float64Array(keys.length * 2) : this.#locations;
    this.#locations = NO_LOCATIONS;
    const { counters } = pages.frames;
    for (let from = 0; from < keys.length; ) {
      const to = tree.findMany(keys, locations, from);
      const { modifications } = tree;
      const { evictions } = counters;
      let at = from;
      for (; at < to; at++) {
        const location = locations[at]!;
        if (location < 0) values[at] = undefined;
        else if ((flagsAt(pages, location) & SPECIAL) !== 0) values[at] = SLOW as T;
        else {
          const start = valueStartAt(pages, location);
          values[at] = decode(pages.u8, start, start + valueBytesAt(pages, location));
          if (modifications !== tree.modifications || evictions !== counters.evictions) {
            at++;
            break;
          }
        }
      }
      from = at;
      if (at === to && to < keys.length) pages.load(tree.missed);
    }
    this.#locations = locations;
    // Large and expiring ones may load pages: only after every location was used.
    for (let at = 0; at < keys.length; at++) if (values[at] === SLOW) values[at] = super.read(keys[at]!, keys[at]!.length, decode);
    return values;
  }

  override walk<T>(range: ScanRange, make: Make<T>): Walk<T> {
    checkRange(range);
    const view = this.viewOfNow();
    return new ScanIterator(
      this.#readable(),
      view,
      range,
      make,
      () => view.check(),
      () => view.close(),
    );
  }

  /** What the newest state is for this engine: after a failure, the durable one. */
  protected viewOfNow(): PinnedView {
    const { core } = this;
    core.assertReadable();
    if (core.status === 'failed') return this.#durableReader().view();
    return new PinnedView(core, core.applied, core.nowMs(), undefined, false);
  }

  override has(key: Uint8Array): boolean {
    return this.core.status === 'failed' ? this.#durableReader().has(key) : super.has(key);
  }

  override entry(key: Uint8Array): Entry | undefined {
    return this.core.status === 'failed' ? this.#durableReader().entry(key) : super.entry(key);
  }

  override count(range: Parameters<SightReader['count']>[0] = {}): number {
    return this.core.status === 'failed' ? this.#durableReader().count(range) : super.count(range);
  }

  /** Sees one view, whatever the visitor writes. */
  override forEach(...args: Parameters<SightReader['forEach']>): number {
    const view = this.viewOfNow();
    try {
      return view.forEach(...args);
    } finally {
      view.close();
    }
  }

  override getAsync(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.core.status === 'failed' ? this.#durableReader().getAsync(key) : super.getAsync(key);
  }

  /** All keys at one version: what is awaited in between must not tear the answer. */
  override async getManyAsync(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    const view = this.viewOfNow();
    try {
      return await view.getManyAsync(keys);
    } finally {
      view.close();
    }
  }

  /** The core that reads are answered from: after a failure, the durable one. */
  #readable(): Core {
    return this.core.status === 'failed' ? this.#durableReader().durable : this.core;
  }

  #durableReader(): FallbackReader {
    this.#fallback ??= new FallbackReader(this.core);
    return this.#fallback;
  }

  override nth(range: KeyRange, n: number): Entry | undefined {
    checkRange(range);
    checkNth(n);
    const view = this.viewOfNow();
    try {
      const key = this.core.status === 'failed' ? undefined : nthLive(this.core, view, range, n);
      return key === undefined ? view.nth(range, n) : view.entry(key);
    } finally {
      view.close();
    }
  }

  snapshot(): View {
    return this.viewOfNow();
  }

  asOf(version: number, options?: ViewOptions): View {
    checkVersion('version', version);
    return this.#viewAt(version, undefined, options);
  }

  asOfTime(timeMs: number, options?: ViewOptions): View {
    checkTime(timeMs);
    return this.#viewAt(this.#readable().commitAt(timeMs), timeMs, options);
  }

  asOfAsserted(timeMs: number, options?: ViewOptions): View {
    checkTime(timeMs);
    return this.#viewAt(this.#readable().commitAtAsserted(timeMs), undefined, options);
  }

  #viewAt(version: number, timeMs: number | undefined, options: ViewOptions | undefined): View {
    this.core.assertReadable();
    if (this.core.status === 'failed' && version > this.core.durable) throw this.core.group.failure!;
    const core = this.#readable();
    if (version > core.applied)
      throw new SteleError('invalid', 'VERSION_INVALID', `version ${version} does not exist yet, the newest is ${core.applied}`, {
        detail: { found: version, newest: core.applied },
      });
    const now = core.nowMs();
    if (timeMs !== undefined && timeMs > now)
      throw new SteleError('invalid', 'TIME_INVALID', `time ${timeMs} is in the future, now is ${now}`);
    const claim = core.retention.claim(core.applied);
    return new PinnedView(core, version, timeMs ?? core.timeOf(version), claim, options?.skipExpired === true);
  }

  history(key: Uint8Array, options: { limit?: number } = {}): IterableIterator<HistoryEntry> {
    checkKey(key);
    checkRange({ ...options });
    this.core.assertReadable();
    const core = this.#readable();
    const commit = this.version;
    const keptFrom = core.retention.keptFromOf(key, key.length, core.applied);
    return historyOf(core, key, { commit, timeMs: core.nowMs(), keptFrom }).take(options.limit ?? Number.POSITIVE_INFINITY);
  }

  changes(from: number, through?: number): IterableIterator<Change> {
    checkVersion('from', from);
    if (through !== undefined) checkVersion('through', through);
    this.core.assertReadable();
    return changesAfter(this.core, from, through);
  }

  timeOf(version: number): number {
    checkVersion('version', version);
    this.core.assertReadable();
    if (version > this.version)
      throw new SteleError('invalid', 'VERSION_INVALID', `version ${version} does not exist yet, the newest is ${this.version}`);
    return this.core.timeOf(version);
  }

  commitRecord(version: number): CommitRecord {
    checkVersion('version', version);
    const { core } = this;
    core.assertReadable();
    if (version === 0 || version > this.version)
      throw new SteleError('invalid', 'VERSION_INVALID', `version ${version} is not a commit, expected 1 to ${this.version}`, {
        detail: { found: version, newest: this.version },
      });
    if (core.status !== 'failed' && version > core.visible) core.group.writeNow();
    return recordOf(core, version);
  }

  protected closeFallback(): void {
    this.#fallback?.close();
  }
}

function checkTime(timeMs: number): void {
  if (!Number.isFinite(timeMs) || timeMs < 0)
    throw new SteleError('invalid', 'TIME_INVALID', `time is ${timeMs}, expected ms since the epoch`);
}
