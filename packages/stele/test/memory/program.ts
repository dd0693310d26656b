/**
 * What the memory rack runs in a child process: the engine at work over a database several times its cache, or a Node
 * that has loaded the same modules, started the same threads and does nothing.
 *
 * Three children make a measurement: `idle`; `fill`, which loads an empty directory in random order; `work`, which reads, writes,
 * scans and looks back over what `fill` left. The program reuses its own buffers, so that what is measured is the engine's.
 *
 * The child prints one line of JSON. Peak memory is the system's own count of the process (maxRSS), so everything is in it:
 * frames, log buffers, index, images of a flush, what the collector has not taken yet, and the threads.
 */

import { type PosixHost, posixHost } from '../../src/host/posix/host.ts';
import { headerJob } from '../../src/log/header-job.ts';
import { openEngine } from '../../src/txn/engine.ts';
import type { Engine } from '../../src/txn/types.ts';
import { SeededRandom } from '../model/random.ts';

/** One child's orders, as JSON on its command line. */
export interface MemoryOrder {
  readonly mode: 'fill' | 'work' | 'idle';
  readonly directory: string;
  readonly cacheBytes: number;
  /** Logical bytes loaded; the page file becomes a little larger. */
  readonly dataBytes: number;
  readonly seed: number;
  /** Operations of the mixed part, about. */
  readonly operations: number;
}

export interface MemoryReport {
  /** Peak resident bytes after each phase, in order; the last one is the child's. */
  readonly peaks: Readonly<Record<string, number>>;
  readonly pageFileBytes: number;
  readonly entries: number;
  /** Of the engine at the end. */
  readonly stats: Readonly<Record<string, Readonly<Record<string, number | string | boolean>>>>;
}

const KEY_TEXT = 'users/000000000/name';
/** Where the digits of a key begin, behind the keyspace and `users/`. */
const FIRST_DIGIT = 7;
const VALUE_BYTES = 100;
const ENTRY_BYTES = 1 + KEY_TEXT.length + VALUE_BYTES;

/** Writes the n-th key into `key`; the program makes as little garbage of its own as it can. */
function keyInto(key: Uint8Array, n: number): Uint8Array {
  for (let at = FIRST_DIGIT + 8; at >= FIRST_DIGIT; at--) {
    key[at] = 48 + (n % 10);
    n = Math.floor(n / 10);
  }
  return key;
}

function newKey(): Uint8Array {
  return new TextEncoder().encode(`\x02${KEY_TEXT}`);
}

function valueInto(value: Uint8Array, n: number, stamp: number): Uint8Array {
  for (let at = 0; at < VALUE_BYTES; at++) value[at] = 97 + ((n * 31 + stamp * 7 + at) % 26);
  return value;
}

/** Buffers that are written anew for every call: the engine copies what it is given before the call returns. */
const one = { key: newKey(), value: new Uint8Array(VALUE_BYTES), many: Array.from({ length: 20 }, newKey) };
const keyOf = (n: number): Uint8Array => keyInto(one.key, n);
const valueAt = (n: number, stamp: number): Uint8Array => valueInto(one.value, n, stamp);

/** maxRSS is given in KiB. */
const peakBytes = (): number => process.resourceUsage().maxRSS * 1024;

/** Runs the order in this process. */
export async function runOrder(order: MemoryOrder): Promise<MemoryReport> {
  const host = posixHost(order.directory);
  try {
    if (order.mode === 'idle') return await idle(host);
    return order.mode === 'fill' ? await fill(host, order) : await work(host, order);
  } finally {
    await host.threads.close();
    host.storage.close();
  }
}

/** The sync thread and one job thread, as the engine starts them, and the same modules loaded. */
async function idle(host: PosixHost): Promise<MemoryReport> {
  const file = host.storage.open('idle.bin', { create: true });
  for (let turn = 0; turn < 20; turn++) {
    file.write(new Uint8Array(16), 0, 16, 0);
    await file.syncAsync();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  file.close();
  // A job that cannot succeed: the thread starts, loads the module, and refuses.
  const nowhere = {
    databaseId: new Uint8Array(16),
    fromCommit: 1,
    from: { segment: 1, offset: 256 },
    throughCommit: 1,
    through: { segment: 1, offset: 256 },
  };
  await host.threads.run(headerJob, nowhere).catch(() => {});
  host.storage.remove('idle.bin');
  return { peaks: { idle: peakBytes() }, pageFileBytes: 0, entries: 0, stats: {} };
}

/** Fills an empty directory; in random order, so that every page is changed again and again. */
async function fill(host: PosixHost, order: MemoryOrder): Promise<MemoryReport> {
  const peaks: Record<string, number> = { begin: peakBytes() };
  const engine = await openEngine({ host, cacheMemory: order.cacheBytes, durability: 'async' });
  await load(engine, countOf(order), new SeededRandom(order.seed));
  peaks['load'] = peakBytes();
  return await end(engine, peaks);
}

/** Everything else, over what another child has filled. */
async function work(host: PosixHost, order: MemoryOrder): Promise<MemoryReport> {
  const peaks: Record<string, number> = { begin: peakBytes() };
  const random = new SeededRandom(order.seed);
  const count = countOf(order);
  const engine = await openEngine({ host, cacheMemory: order.cacheBytes, durability: 'async' });
  peaks['open'] = peakBytes();
  await mixed(engine, count, order.operations, random);
  peaks['mixed'] = peakBytes();
  scanAll(engine, count);
  peaks['scan'] = peakBytes();
  await past(engine, count, order.operations / 8, random);
  peaks['past'] = peakBytes();
  await sizes(engine, count, order.operations / 8, random);
  peaks['sizes'] = peakBytes();
  return await end(engine, peaks);
}

async function end(engine: Engine, peaks: Record<string, number>): Promise<MemoryReport> {
  await engine.flush();
  peaks['flush'] = peakBytes();
  const stats = engine.stats();
  const { pageBytes, filePages } = stats['pages'] as { pageBytes: number; filePages: number };
  const entries = engine.count();
  await engine.close();
  peaks['close'] = peakBytes();
  return { peaks, pageFileBytes: pageBytes * filePages, entries, stats };
}

function countOf(order: MemoryOrder): number {
  return Math.ceil(order.dataBytes / ENTRY_BYTES / 1000) * 1000;
}

/** Keys in an order that is not theirs: n ↦ n · step mod count with a step prime to it. */
async function load(engine: Engine, count: number, random: SeededRandom): Promise<void> {
  const step = strideOf(count);
  const batch = Array.from({ length: 1000 }, () => ({ type: 'put' as const, key: newKey(), value: new Uint8Array(VALUE_BYTES) }));
  let n = random.below(count);
  for (let done = 0; done < count; done += batch.length) {
    for (const { key, value } of batch) {
      keyInto(key, n);
      valueInto(value, n, 0);
      n = (n + step) % count;
    }
    await engine.batch(batch);
  }
}

function strideOf(count: number): number {
  for (let step = Math.floor(count * 0.618); ; step++) if (greatestCommonDivisor(step, count) === 1) return step;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Gets, overwrites, deletes, short scans, all over the keys. */
async function mixed(engine: Engine, count: number, operations: number, random: SeededRandom): Promise<void> {
  let waited: Promise<unknown>[] = [];
  for (let turn = 0; turn < operations; turn++) {
    const n = random.below(count);
    const lot = random.below(100);
    if (lot < 50) engine.get(keyOf(n));
    else if (lot < 80) waited.push(engine.put(keyOf(n), valueAt(n, turn)));
    else if (lot < 85) waited.push(engine.delete(keyOf(n)));
    else if (lot < 95) for (const { value } of engine.scan({ start: keyOf(n), limit: 50 })) value.length;
    else engine.getMany(one.many.map((key, at) => keyInto(key, (n + at * 7919) % count)));
    if (waited.length >= 100) {
      await Promise.all(waited);
      waited = [];
    }
  }
  await Promise.all(waited);
}

function scanAll(engine: Engine, count: number): void {
  const seen = engine.forEach({}, () => true);
  if (seen < count * 0.5) throw new Error(`${seen} entries seen of about ${count}`);
}

/** Reads of the past: gets and short scans at an early version, and histories. */
async function past(engine: Engine, count: number, operations: number, random: SeededRandom): Promise<void> {
  const view = engine.asOf(Math.max(1, Math.floor(engine.version / 2)));
  for (let turn = 0; turn < operations; turn++) {
    const n = random.below(count);
    const lot = random.below(10);
    if (lot < 6) view.get(keyOf(n));
    else if (lot < 8) for (const { value } of view.scan({ start: keyOf(n), limit: 50 })) value.length;
    else for (const { version } of engine.history(keyOf(n), { limit: 5 })) if (version < 0) throw new Error('negative');
    if (turn % 200 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  view.forEach({ limit: count }, () => true);
  view.close();
}

/** Values from nothing to 64 KiB, written and read in place. */
async function sizes(engine: Engine, count: number, operations: number, random: SeededRandom): Promise<void> {
  const bytes = new Uint8Array(64 * 1024);
  for (let turn = 0; turn < operations / 40; turn++) {
    await engine.put(keyOf(count + (turn % 50)), bytes.fill(turn).subarray(0, random.below(64 * 2 ** random.below(11))));
    engine.read(keyOf(count + random.below(50)), one.key.length, (_, start, end) => end - start);
  }
}

if (process.argv[1]?.endsWith('program.ts') === true && process.argv[2] !== undefined)
  console.log(JSON.stringify(await runOrder(JSON.parse(process.argv[2]) as MemoryOrder)));
