/**
 * ThreadReader: a database read from another thread of the owner's process.
 *
 * Reads see the newest *visible* commit: everything handed to the kernel, fixed anew at each call. A single key is read without pinning
 * anything: if what the chosen commit needs is let go meanwhile, a newer one is visible and the read starts again with it.
 *
 * The hot path, a plain value written at or before that commit, reads shared memory in place, copies the value out and looks at the
 * page's word again before anybody sees it.
 *
 * Specification: spec/transactions.md, "Reading threads".
 */

import { SteleError } from '../../base/errors.ts';
import type { Host } from '../../host/host.ts';
import { commitAt, ENTRY_EXPIRES, ENTRY_LARGE, ENTRY_TOMBSTONE, valueBytesAt, valueStartAt } from '../../tree/entry.ts';
import { recordAt, searchPage } from '../../tree/page.ts';
import { FOUND, NONE } from '../core.ts';
import { checkKey } from '../options.ts';
import type { Reader, View } from '../types.ts';
import { assertOpen, OPEN, STATUS, TIME } from './control.ts';
import { AGAIN, AT_LEAF } from './descent.ts';
import type { SharedHandle } from './handle.ts';
import { ThreadLookup } from './lookup.ts';
import { SharedMemory, type ThreadCounters } from './memory.ts';
import { Registration } from './registration.ts';
import { type ThreadSight, ThreadSightReader } from './thread-sight.ts';
import { ThreadView, type ViewKeeper } from './thread-view.ts';

const SPECIAL = ENTRY_TOMBSTONE | ENTRY_EXPIRES | ENTRY_LARGE;
const COPY_BYTES_LOOP = 128;

/** The reading part of an engine, in another thread. Writes are refused: carrying them to the owner is a later step. */
export interface ThreadEngine extends Reader, Disposable {
  readonly databaseId: Uint8Array;
  /** Newest visible commit. */
  readonly version: number;
  /** Since it was attached. */
  readonly counters: Readonly<ThreadCounters>;
  /** The newest visible commit, pinned until closed: repeatable. */
  snapshot(): View;
  /** @throws {SteleError} `denied` READ_ONLY */
  put(): never;
  /** @throws {SteleError} `denied` READ_ONLY */
  delete(): never;
  /** @throws {SteleError} `denied` READ_ONLY */
  batch(): never;
  /** @throws {SteleError} `denied` READ_ONLY */
  transact(): never;
  /** Gives views, files and the registration back. Idempotent. */
  close(): void;
}

export class ThreadReader extends ThreadSightReader implements ThreadEngine, ViewKeeper {
  readonly registration: Registration;
  readonly #memory: SharedMemory;
  readonly #host: Host;
  readonly #viewIdleMs: number;
  readonly #views = new Set<ThreadView>();
  #scratch = new Uint8Array(1024);
  #timeMs = 0;
  #isClosed = false;

  /** @throws {SteleError} `invalid` OPTION_INVALID, NOT_FOUND; `corrupt` WRONG_DATABASE; `closed` DATABASE_CLOSED */
  constructor(handle: SharedHandle, host: Host) {
    const memory = new SharedMemory(handle, host);
    assertOpen(memory.control);
    super(new ThreadLookup(memory, host));
    this.#memory = memory;
    this.#host = host;
    this.#viewIdleMs = handle.viewIdleMs;
    this.registration = new Registration(memory);
    const found = this.lookup.databaseId;
    if (!found.every((byte, at) => byte === handle.databaseId[at])) {
      this.lookup.close();
      throw new SteleError('corrupt', 'WRONG_DATABASE', 'the host leads to another database than the shared memory');
    }
  }

  get databaseId(): Uint8Array {
    return this.lookup.databaseId.slice();
  }

  get version(): number {
    this.#check();
    return this.#memory.visible();
  }

  get counters(): Readonly<ThreadCounters> {
    return this.#memory.counters;
  }

  override read<T>(key: Uint8Array, keyBytes: number, decode: (bytes: Uint8Array, start: number, end: number) => T): T | undefined {
    if (this.#isClosed || Atomics.load(this.#memory.control, STATUS) !== OPEN) this.#check();
    const memory = this.#memory;
    const { lookup } = this;
    const { descent } = lookup;
    lookup.begin();
    for (;;) {
      const commit = memory.visible();
      const leaf = descent.toLeaf(key, keyBytes);
      if (leaf === AGAIN) {
        lookup.patience.again();
        continue;
      }
      if (leaf !== AT_LEAF) return this.#absent(key);
      const { pages, base } = descent;
      const slot = searchPage(pages, base, key, keyBytes, 0, 0);
      if (slot < 0) {
        if (descent.isUnchanged()) return this.#absent(key);
        lookup.patience.again();
        continue;
      }
      const location = recordAt(pages, base, slot);
      if ((pages.u16[location / 2]! & SPECIAL) !== 0 || !(commitAt(pages, location) <= commit)) {
        const state = lookup.inLeaf(key, keyBytes, commit, this.#now());
        if (state === AGAIN) {
          lookup.patience.again();
          continue;
        }
        if (state === NONE) return undefined;
        return decode(lookup.found.bytes, lookup.found.start, lookup.found.end);
      }
      const start = valueStartAt(pages, location);
      const bytes = valueBytesAt(pages, location);
      const scratch = bytes <= this.#scratch.length ? this.#scratch : this.#grow(bytes);
      if (bytes <= COPY_BYTES_LOOP) for (let at = 0; at < bytes; at++) scratch[at] = pages.u8[start + at]!;
      else scratch.set(pages.u8.subarray(start, start + bytes));
      if (descent.isUnchanged()) return decode(scratch, 0, bytes);
      lookup.patience.again();
    }
  }

  /** At most 64 KiB: a torn length is two bytes. */
  #grow(bytes: number): Uint8Array {
    this.#scratch = new Uint8Array(Math.max(bytes, 2 * this.#scratch.length));
    return this.#scratch;
  }

  #absent(key: Uint8Array): undefined {
    if (!(key instanceof Uint8Array) || key.length === 0) checkKey(key);
    return undefined;
  }

  protected override find(key: Uint8Array, keyBytes: number): number {
    this.#check();
    const { lookup } = this;
    lookup.begin();
    for (;;) {
      const state = lookup.at(key, keyBytes, this.#memory.visible(), this.#now());
      if (state !== AGAIN) return state === FOUND ? FOUND : NONE;
      lookup.patience.again();
    }
  }

  protected override hold(): ThreadSight {
    return this.#view(true);
  }

  snapshot(): View {
    return this.#view(false);
  }

  #view(forOneCall: boolean): ThreadView {
    this.#check();
    this.#endIdle();
    const commit = this.registration.pinNewest();
    const view = forOneCall
      ? new BorrowedView(this.lookup, this, commit, this.#now())
      : new ThreadView(this.lookup, this, commit, this.#now());
    this.#views.add(view);
    return view;
  }

  /** Views nobody reads any more must not hold history. */
  #endIdle(): void {
    if (this.#views.size === 0) return;
    const limit = this.monotonicMs() - this.#viewIdleMs;
    for (const view of this.#views) if (view.lastUsedMs < limit) view.expire();
  }

  monotonicMs(): number {
    return this.#host.clock.monotonicMs();
  }

  closed(view: ThreadView): void {
    this.#views.delete(view);
  }

  /** Hybrid time, one with the owner's. */
  #now(): number {
    const now = Math.max(this.#host.clock.nowMs(), this.#timeMs, this.#memory.cell(TIME));
    this.#timeMs = now;
    this.registration.giveTime(now);
    return now;
  }

  #check(): void {
    if (this.#isClosed) throw new SteleError('closed', 'DATABASE_CLOSED', 'the reader is closed');
    assertOpen(this.#memory.control);
  }

  put(): never {
    throw this.#refusal();
  }

  delete(): never {
    throw this.#refusal();
  }

  batch(): never {
    throw this.#refusal();
  }

  transact(): never {
    throw this.#refusal();
  }

  #refusal(): SteleError {
    return new SteleError('denied', 'READ_ONLY', 'threads read; writes are made by the thread that opened the database');
  }

  close(): void {
    if (this.#isClosed) return;
    for (const view of [...this.#views]) view.close();
    this.#isClosed = true;
    this.registration.close();
    this.lookup.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The view of one call of the reader: its end closes it. */
class BorrowedView extends ThreadView {
  override release(): void {
    this.close();
  }
}
