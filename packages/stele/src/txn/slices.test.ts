/**
 * Slices by the count: background work on a machine whose every operation has a price, and whose clock is the sum.
 *
 * Real time on a shared machine proves nothing. Here looking at the clock, moving bytes and checking them cost fixed amounts, near
 * those of a small real machine; nothing else does. So the same run always gives the same figures, and a piece of work that cannot
 * be interrupted shows, however fast the machine is (spec/invariants.md rule 20).
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FaultyHost, faultyHost } from '../host/faulty/host.ts';
import type { Host } from '../host/host.ts';
import { memoryStorage } from '../host/memory/storage.ts';
import type { StorageFile } from '../host/storage.ts';
import { openEngineSync } from './engine.ts';
import type { Engine } from './types.ts';

/** Prices in ms. */
const CALL_MS = 0.01;
const KIB_MOVED_MS = 0.001;
const KIB_CHECKED_MS = 0.0005;
/** What no turn may pass. A slice ends with the piece of work in which its 1 ms ends, so a piece has the rest of that at most. */
const BAR_MS = 5;
const PIECE_MS = 2;

/** A machine with prices. A *turn* is what happens between two callbacks of its timers. */
class Priced {
  readonly machine: FaultyHost = faultyHost({ seed: 1 });
  readonly host: Host;
  /** Looks not counted. */
  spentMs = 0;
  checkedBytesMax = 0;
  #looks = 0;
  #turnFrom = 0;
  #turns: number[] = [];

  constructor(lookMs: number) {
    const { machine } = this;
    const { clock, timers, hashing, storage } = machine;
    const begin = (work: () => void) => (): void => {
      this.#endTurn();
      work();
    };
    const price = (file: StorageFile): StorageFile => ({
      name: file.name,
      read: (...given) => this.#moved(file.read(...given)),
      readAsync: (...given) => file.readAsync(...given),
      write: (...given) => this.#moved(file.write(...given)),
      sync: () => file.sync(),
      syncAsync: () => file.syncAsync(),
      markUnsynced: (...given) => file.markUnsynced(...given),
      truncate: (size) => file.truncate(size),
      size: () => file.size(),
      close: () => file.close(),
    });
    this.host = {
      ...machine,
      clock: {
        nowMs: () => clock.nowMs(),
        monotonicMs: () => {
          this.#looks++;
          return clock.monotonicMs() + this.spentMs + this.#looks * lookMs;
        },
      },
      timers: {
        microtask: (work) => timers.microtask(work),
        immediate: (work) => timers.immediate(begin(work)),
        after: (ms, background, work) => timers.after(ms, background, begin(work)),
      },
      hashing: {
        ...hashing,
        crc32: (bytes, start, end, seed) => {
          this.spentMs += ((end - start) / 1024) * KIB_CHECKED_MS;
          this.checkedBytesMax = Math.max(this.checkedBytesMax, end - start);
          return hashing.crc32(bytes, start, end, seed);
        },
      },
      storage: {
        kind: storage.kind,
        syncStyle: storage.syncStyle,
        list: () => storage.list(),
        exists: (name) => storage.exists(name),
        open: (name, options) => price(storage.open(name, options)),
        remove: (name) => storage.remove(name),
        syncDirectory: () => storage.syncDirectory(),
        lock: (options) => storage.lock(options),
        close: () => storage.close(),
      },
    };
  }

  #moved(bytes: number): number {
    this.spentMs += CALL_MS + (bytes / 1024) * KIB_MOVED_MS;
    return bytes;
  }

  #endTurn(): void {
    this.#turns.push(this.spentMs - this.#turnFrom);
    this.#turnFrom = this.spentMs;
  }

  /** What each turn of a piece of work cost; nothing else runs beside it. */
  async watch(work: () => Promise<unknown>): Promise<number[]> {
    this.#endTurn();
    this.#turns = [];
    await this.machine.drive(work());
    this.#endTurn();
    return this.#turns;
  }
}

const key = (at: number): Uint8Array => new TextEncoder().encode(`\u0002k${String(at).padStart(6, '0')}`);
const ENTRIES = 8000;

interface Job {
  readonly name: string;
  readonly work: () => Promise<unknown>;
  /** The call itself does work of the caller's, before anything is background. */
  readonly begins?: boolean;
  /** In so many pieces at least, when each is a turn. */
  readonly turnsMin: number;
}

/** A database, and all that is done to one in the background. */
async function workOf(priced: Priced): Promise<{ engine: Engine; jobs: readonly Job[] }> {
  const options = { cacheMemory: 32 << 20, segmentBytes: 256 * 1024, historyRetention: 0, durability: 'async' as const };
  const engine = openEngineSync({ host: priced.host, ...options });
  for (let at = 0; at < ENTRIES; at += 500)
    engine.batchSync(
      Array.from({ length: 500 }, (_, k) => ({
        type: 'put' as const,
        key: key(at + k),
        value: new Uint8Array(200),
        ...((at + k) % 4 === 0 ? { ttlMs: 1000 } : {}),
      })),
    );
  const jobs: Job[] = [
    { name: 'a flush', work: () => engine.flush(), turnsMin: 4 },
    { name: 'a verification', work: () => engine.verify(), turnsMin: 100 },
    { name: 'housekeeping, expired entries above all', work: () => priced.machine.advance(5000), turnsMin: 1000 },
    { name: 'a large delete', work: () => engine.deleteRange(key(500), key(6000)), begins: true, turnsMin: 100 },
    { name: 'tombstones and segments going, and a compaction', work: () => engine.compact(), turnsMin: 100 },
    { name: 'a backup', work: () => engine.backup(memoryStorage()), turnsMin: 2 },
  ];
  return { engine, jobs };
}

test('no background work holds its thread for longer than 5 ms of its own time', async () => {
  const priced = new Priced(0.002);
  const { engine, jobs } = await workOf(priced);
  for (const { name, work, begins } of jobs) {
    const turns = await priced.watch(work);
    if (begins === true) turns.shift();
    assert.ok(Math.max(...turns) <= BAR_MS, `${name}: a turn of ${Math.max(...turns)} ms`);
  }
  const { flushSliceMsMax, housekeepingSliceMsMax } = engine.stats()['work']!;
  assert.ok(Number(flushSliceMsMax) > 0 && Number(flushSliceMsMax) <= BAR_MS, `flush, by its own count: ${flushSliceMsMax} ms`);
  assert.ok(Number(housekeepingSliceMsMax) > 0 && Number(housekeepingSliceMsMax) <= BAR_MS, `housekeeping: ${housekeepingSliceMsMax} ms`);
  const { tombstonesSwept, expiredRemoved, segmentsDropped } = engine.stats()['commits']!;
  for (const done of [tombstonesSwept, expiredRemoved, segmentsDropped]) assert.ok(Number(done) > 0, 'all of it was done');
  await priced.machine.drive(engine.close());
});

test('what cannot be interrupted in background work is short', async () => {
  // Each look at the clock finds a slice over, so that each turn is one indivisible piece.
  const priced = new Priced(1.1);
  const { engine, jobs } = await workOf(priced);
  for (const { name, work, begins, turnsMin } of jobs) {
    priced.checkedBytesMax = 0;
    const turns = await priced.watch(work);
    if (begins === true) turns.shift();
    assert.ok(Math.max(...turns) <= PIECE_MS, `${name}: a piece of ${Math.max(...turns)} ms`);
    assert.ok(turns.length >= turnsMin, `${name}: ${turns.length} turns`);
    // Encoding is no work of the disk; its pieces are counted by what is logged in one.
    if (begins === true) assert.ok(priced.checkedBytesMax <= 32 * 1024, `${name}: ${priced.checkedBytesMax} bytes logged in one piece`);
  }
  await priced.machine.drive(engine.close());
});
