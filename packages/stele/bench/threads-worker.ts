/** A reading thread of threads.bench.ts: uniform gets, string out, until told to stop. */

import { parentPort, workerData } from 'node:worker_threads';
import { posixHost } from '../src/host/posix/host.ts';
import { attachEngine } from '../src/txn/threads/attach.ts';
import type { SharedHandle } from '../src/txn/threads/handle.ts';

const CHUNK = 10_000;

const { handle, directory, keys, words, seed } = workerData as {
  handle: SharedHandle;
  directory: string;
  keys: number;
  words: Int32Array;
  seed: number;
};
const reader = attachEngine(handle, { host: posixHost(directory) });
const key = Buffer.from('\x02users/000000000/name', 'latin1');
// A Uint8Array is no Buffer, but the same memory.
const latin1Slice = Buffer.prototype.latin1Slice;
const decode = (bytes: Uint8Array, start: number, end: number): string => latin1Slice.call(bytes as Buffer, start, end);
let state = seed >>> 0;
let found = 0;

function chunk(): void {
  for (let i = 0; i < CHUNK; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    let n = (state >>> 0) % keys;
    for (let at = 15; at > 6; at--) {
      key[at] = 48 + (n % 10);
      n = Math.floor(n / 10);
    }
    if (reader.read(key, key.length, decode) !== undefined) found++;
  }
}

// 0 wait · 1 measure · 2 stop
for (let i = 0; i < 30; i++) chunk();
parentPort!.postMessage('ready');
for (;;) {
  Atomics.wait(words, 0, 0);
  if (Atomics.load(words, 0) === 2) break;
  const chunks: number[] = [];
  const start = performance.now();
  found = 0;
  while (Atomics.load(words, 0) === 1) {
    const from = performance.now();
    chunk();
    chunks.push(performance.now() - from);
  }
  const elapsed = performance.now() - start;
  chunks.sort((a, b) => a - b);
  parentPort!.postMessage({
    rate: (chunks.length * CHUNK * 1000) / elapsed,
    median: (CHUNK * 1000) / chunks[chunks.length >> 1]!,
    hits: found / (chunks.length * CHUNK),
    counters: { ...reader.counters },
  });
}
reader.close();
parentPort!.close();
