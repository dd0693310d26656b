/**
 * Databases for format tests: real files, written by the engine, with something of everything that a format has a place for.
 *
 * `sample` writes one of several kinds and closes it; its files can be taken out, changed and opened again.
 */

import type { Host } from '../../src/host/host.ts';
import { memoryHost } from '../../src/host/memory/host.ts';
import { type MemoryStorage, memoryStorage } from '../../src/host/memory/storage.ts';
import { nodeHashing } from '../../src/host/posix/hashing.ts';
import { openEngine } from '../../src/txn/engine.ts';
import type { Engine, Operation } from '../../src/txn/types.ts';
import { SeededRandom } from '../model/random.ts';

/** Contents by name. */
export type Files = Map<string, Uint8Array>;

export type SampleKind = 'history' | 'newest only' | 'an hour of history' | 'two keys';

export const sampleKinds: readonly SampleKind[] = ['history', 'newest only', 'an hour of history', 'two keys'];

/** Where the clock of a sample starts. */
const START_MS = 1_600_000_000_000;
const HOUR_MS = 3_600_000;

export interface Machine {
  readonly host: Host;
  readonly clock: { ms: number };
}

/** A host with a clock that the test moves, on `storage` or an empty memory. */
export function machine(storage: Host['storage'] = memoryStorage(), ms = START_MS): Machine {
  const clock = { ms };
  const random = new SeededRandom(7);
  const host = memoryHost({
    storage,
    hashing: nodeHashing(),
    clock: { nowMs: () => clock.ms, monotonicMs: () => performance.now() },
    random: { fill: (target) => random.fill(target) },
  });
  return { host, clock };
}

export const text = (s: string): Uint8Array => new TextEncoder().encode(s);
/** A key of the user's keyspace. */
export const keyOf = (name: string): Uint8Array => text(`\u0002${name}`);
const filled = (bytes: number, seed: number): Uint8Array => Uint8Array.from({ length: bytes }, (_, i) => (i * 7 + seed) % 251);

const historyOf: Readonly<Record<SampleKind, number>> = {
  history: Number.POSITIVE_INFINITY,
  'newest only': 0,
  'an hour of history': HOUR_MS,
  'two keys': Number.POSITIVE_INFINITY,
};

/** Writes a database of the kind on the machine and closes it. */
export async function sample(kind: SampleKind, { host, clock }: Machine): Promise<void> {
  const engine = await openEngine({
    host,
    pageSize: 8192,
    cacheMemory: 2 ** 21,
    segmentBytes: 64 * 1024,
    historyRetention: historyOf[kind],
  });
  if (kind === 'two keys') {
    await engine.put(keyOf('a'), text('one'), { expiresAt: clock.ms + HOUR_MS });
    await engine.put(keyOf('b'), filled(20_000, 3));
    await engine.put(keyOf('a'), text('two'), { expiresAt: clock.ms + HOUR_MS });
  } else {
    await grow(engine, clock, historyOf[kind]);
    if (kind === 'an hour of history') await letGoAndCarry(engine, clock);
  }
  await engine.close();
}

async function grow(engine: Engine, clock: Machine['clock'], historyMs: number): Promise<void> {
  // Many keys with some past, a few of them in a keyspace of their own.
  for (let n = 0; n < 60; n++) {
    clock.ms += 10;
    const operations: Operation[] = Array.from({ length: 40 }, (_, k) => ({
      type: 'put' as const,
      key: keyOf(`key/${String((n * 40 + k * 17) % 900).padStart(4, '0')}`),
      value: filled(20 + ((n * k) % 300), n),
      ...(k % 9 === 0 ? { expiresAt: clock.ms + (k % 2 === 0 ? 50 : HOUR_MS * 24) } : {}),
    }));
    await engine.batch(operations, { durability: 'async', meta: [text('who'), text(`round ${n}`)], ...asserted(n, clock.ms) });
  }
  engine.setRetention({
    rules: [
      { prefix: new Uint8Array(0), historyMs },
      { prefix: keyOf('short/'), historyMs: 0 },
    ],
  });
  // A hot key: spine, full lists, tables in records.
  for (let n = 0; n < 120; n++) {
    clock.ms += 1;
    await engine.put(keyOf('hot'), filled(10 + n, n), { durability: 'async' });
    if (n % 10 === 0) await engine.put(keyOf('short/x'), filled(40, n), { durability: 'async' });
  }
  await engine.flush();
  // Large values: in the log, in overflow pages; overwritten and deleted ones too.
  for (const [at, bytes] of [3000, 16_384, 16_385, 50_000, 200_000].entries())
    await engine.put(keyOf(`large/${at}`), filled(bytes, at), { durability: 'async' });
  await engine.batch([
    { type: 'put', key: keyOf('large/2'), value: filled(70_000, 9) },
    { type: 'put', key: keyOf('large/9'), value: filled(40_000, 4) },
    { type: 'put', key: keyOf('small'), value: text('beside them') },
  ]);
  await engine.flush();
  await engine.delete(keyOf('large/1'));
  // A commit in parts, larger than any segment.
  await engine.batch(
    Array.from({ length: 4000 }, (_, k) => ({
      type: 'put' as const,
      key: keyOf(`part/${String(k).padStart(5, '0')}`),
      value: filled(400, k),
    })),
  );
  clock.ms += 1000;
  await engine.deleteRange(keyOf('part/00100'), keyOf('part/03900'));
  await engine.put(Uint8Array.of(1), new Uint8Array(0));
  await engine.put(Uint8Array.of(3, 0xff), new Uint8Array(1));
  await engine.put(longKey, text('longest'));
  await engine.compact();
}

const longKey = new Uint8Array(1100).fill(2);

/** What was written is older than what is kept; overwriting it carries it, since a view still reads it. */
async function letGoAndCarry(engine: Engine, clock: Machine['clock']): Promise<void> {
  clock.ms += 3 * HOUR_MS;
  await engine.put(keyOf('later'), text('x'));
  await engine.compact();
  for (let n = 0; n < 30; n++) {
    clock.ms += 1000;
    await engine.put(keyOf(`key/${String(n * 17).padStart(4, '0')}`), filled(30, n), { durability: 'async' });
    await engine.put(keyOf('large/3'), filled(20_000 + n, n), { durability: 'async' });
    if (n % 7 === 0) await engine.delete(keyOf(`part/000${10 + n}`), { durability: 'async' });
  }
  await engine.compact();
}

const asserted = (n: number, ms: number): { assertedTimeMs?: number } =>
  n % 3 === 0 ? { assertedTimeMs: ms - 5000 + (n % 2) * 9000 } : {};

/** Copies of all files. */
export function filesOf(storage: Host['storage']): Files {
  const files: Files = new Map();
  for (const name of storage.list()) {
    const file = storage.open(name, { readOnly: true });
    const bytes = new Uint8Array(file.size());
    file.read(bytes, 0, bytes.length, 0);
    file.close();
    files.set(name, bytes);
  }
  return files;
}

/** A memory with these files. */
export function storageOf(files: Files): MemoryStorage {
  const storage = memoryStorage();
  for (const [name, bytes] of files) {
    const file = storage.open(name, { create: true });
    file.write(bytes, 0, bytes.length, 0);
    file.close();
  }
  return storage;
}
