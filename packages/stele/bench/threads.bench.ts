/**
 * Gets from reading threads: one, two, and while the owner inserts. Uniform keys, 100-byte values, string out.
 *
 *   node bench/threads.bench.ts [keys] [seconds]
 *
 * Threads see pages, not the owner's accelerator, so the figure beside is the owner's own get without it.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { posixHost } from '../src/host/posix/host.ts';
import { openEngineSync } from '../src/txn/engine.ts';

interface Figures {
  readonly rate: number;
  readonly median: number;
  readonly hits: number;
  readonly counters: Readonly<Record<string, number>>;
}

const keys = Number(process.argv[2] ?? 1_000_000);
const seconds = Number(process.argv[3] ?? 2);
const directory = mkdtempSync(join(tmpdir(), 'stele-bench-threads-'));
const host = posixHost(directory);
const engine = openEngineSync({ host, cacheMemory: 1024 * 1024 * 1024, durability: 'async', accelerator: false });
const value = Buffer.alloc(100, 'stele ');
const keyOf = (n: number): Uint8Array => Buffer.from(`\x02users/${String(n).padStart(9, '0')}/name`, 'latin1');
const order = Int32Array.from({ length: keys }, (_, n) => n);
let state = 12345;
const random = (end: number): number => {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % end;
};
for (let n = keys - 1; n > 0; n--) {
  const other = random(n + 1);
  [order[n], order[other]] = [order[other]!, order[n]!];
}
for (const n of order) engine.putSync(keyOf(n), value);
await engine.flush();

// A Uint8Array is no Buffer, but the same memory.
const latin1Slice = Buffer.prototype.latin1Slice;
const decode = (bytes: Uint8Array, start: number, end: number): string => latin1Slice.call(bytes as Buffer, start, end);
function ownRate(): number {
  const key = keyOf(0);
  const end = performance.now() + seconds * 1000;
  let gets = 0;
  const start = performance.now();
  while (performance.now() < end) {
    for (let i = 0; i < 10_000; i++) {
      let n = random(keys);
      for (let at = 15; at > 6; at--) {
        key[at] = 48 + (n % 10);
        n = Math.floor(n / 10);
      }
      engine.read(key, key.length, decode);
    }
    gets += 10_000;
  }
  return (gets * 1000) / (performance.now() - start);
}

const show = (rate: number): string => `${(rate / 1e6).toFixed(2)} M/s`;
ownRate();
console.log(`owner, tree alone, nothing shared: ${show(ownRate())}`);
const handle = engine.share();
console.log(`owner, tree alone, shared: ${show(ownRate())}`);

async function threads(count: number, beside: () => Promise<number>): Promise<void> {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const workers = Array.from({ length: count }, (_, seed) => {
    const workerData = { handle, directory, keys, words, seed: 7919 * (seed + 1) };
    return new Worker(new URL(import.meta.url.endsWith('.ts') ? './threads-worker.ts' : './threads-worker.js', import.meta.url), {
      workerData,
    });
  });
  const next = (worker: Worker): Promise<Figures> => new Promise((resolve) => worker.once('message', resolve));
  await Promise.all(workers.map(next));
  for (let round = 0; round < 3; round++) {
    const answers = workers.map(next);
    Atomics.store(words, 0, 1);
    Atomics.notify(words, 0);
    const writes = await beside();
    Atomics.store(words, 0, 0);
    const figures = await Promise.all(answers);
    const sum = figures.reduce((total, { rate }) => total + rate, 0);
    const sumMedian = figures.reduce((total, { median }) => total + median, 0);
    const retries = figures.map(({ counters }) => counters['retries']).join(' + ');
    console.log(
      `${count} thread(s)${writes > 0 ? `, owner puts ${show(writes)}` : ''}: ${show(sum)} (median chunk ${show(sumMedian)}), retries ${retries}, hits ${figures[0]!.hits}`,
    );
  }
  const ended = workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
  Atomics.store(words, 0, 2);
  Atomics.notify(words, 0);
  await Promise.all(ended);
}

const idle = async (): Promise<number> => {
  await sleep(seconds * 1000);
  return 0;
};
const inserting = async (): Promise<number> => {
  const end = performance.now() + seconds * 1000;
  const start = performance.now();
  let puts = 0;
  while (performance.now() < end) {
    for (let i = 0; i < 500; i++) engine.putSync(keyOf(keys + random(100_000_000)), value);
    puts += 500;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return (puts * 1000) / (performance.now() - start);
};
await threads(1, idle);
await threads(2, idle);
await threads(1, inserting);
await threads(2, inserting);

await engine.close();
await host.threads.close();
host.storage.close();
rmSync(directory, { recursive: true, force: true });
