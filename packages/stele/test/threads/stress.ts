/**
 * Real threads read while the owner does everything it can do to pages and files.
 *
 * The cache is small against the data, so pages come and go; segments are small, so they are dropped where nothing is kept; deletes of
 * whole ranges make pages merge, large values move from the log to overflow pages.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { posixHost } from '../../src/host/posix/host.ts';
import { openEngineSync } from '../../src/txn/engine.ts';
import type { Engine, Operation } from '../../src/txn/types.ts';
import { SeededRandom } from '../model/random.ts';
import { ABSENT, OUTSTANDING, STOP, type StressMessage, type StressStart } from './protocol.ts';
import { Truth } from './truth.ts';
import { keyOf, valueFor } from './values.ts';

export interface StressOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly threads: number;
  readonly historyRetention: number;
  readonly keys?: number;
}

export interface StressResult {
  readonly reads: number;
  readonly checked: number;
  readonly commits: number;
  /** Sums over the threads. */
  readonly counters: Readonly<Record<string, number>>;
  readonly stats: ReturnType<Engine['stats']>;
}

/** Throws at the first thing that was never so. */
export async function stress(options: StressOptions): Promise<StressResult> {
  const directory = mkdtempSync(join(tmpdir(), 'stele-threads-'));
  const host = posixHost(directory);
  const engine = openEngineSync({
    host,
    cacheMemory: 1024 * 1024,
    segmentBytes: 256 * 1024,
    durability: 'async',
    historyRetention: options.historyRetention,
  });
  const run = new Run(engine, options, directory);
  // Header jobs run in the background and keep nobody alive, not even those who wait for them.
  const alive = setInterval(() => {}, 1000);
  try {
    return await run.toEnd();
  } finally {
    await run.stop();
    await engine.close();
    clearInterval(alive);
    await host.threads.close();
    host.storage.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

class Run {
  readonly #engine: Engine;
  readonly #options: StressOptions;
  readonly #directory: string;
  readonly #random: SeededRandom;
  readonly #truth: Truth;
  readonly #words = new Int32Array(new SharedArrayBuffer(8));
  readonly #workers: { worker: Worker; done: Promise<void> }[] = [];
  readonly #counters: Record<string, number> = {};
  #failure: Error | undefined;
  #reads = 0;
  #stamp = 0;

  constructor(engine: Engine, options: StressOptions, directory: string) {
    this.#engine = engine;
    this.#options = options;
    this.#directory = directory;
    this.#random = new SeededRandom(options.seed);
    this.#truth = new Truth(options.keys ?? 12_000);
  }

  async toEnd(): Promise<StressResult> {
    const { seconds, threads } = this.#options;
    for (let n = 0; n < this.#truth.keys; n += 2) this.#put(n);
    for (let thread = 0; thread < threads; thread++) this.#start(thread);
    const end = performance.now() + seconds * 1000;
    for (let turn = 0; performance.now() < end && this.#failure === undefined; turn++) {
      await this.#turn(turn);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    Atomics.store(this.#words, STOP, 1);
    await Promise.all(this.#workers.map(({ done }) => done));
    if (this.#failure !== undefined) throw this.#failure;
    const { version } = this.#engine;
    return { reads: this.#reads, checked: this.#truth.checked, commits: version, counters: this.#counters, stats: this.#engine.stats() };
  }

  async stop(): Promise<void> {
    Atomics.store(this.#words, STOP, 1);
    await Promise.all(this.#workers.map(({ worker }) => worker.terminate()));
  }

  #start(thread: number): void {
    const start: StressStart = {
      handle: this.#engine.share(),
      directory: this.#directory,
      words: this.#words,
      keys: this.#truth.keys,
      seed: this.#options.seed * 1000 + thread,
    };
    const worker = new Worker(new URL('./reader-worker.ts', import.meta.url), { workerData: start });
    worker.on('message', (message: StressMessage) => this.#hear(message));
    worker.on('error', (error) => this.#fail(error as Error));
    this.#workers.push({ worker, done: new Promise((resolve) => worker.on('exit', () => resolve())) });
  }

  #hear(message: StressMessage): void {
    if (message.kind === 'failed') this.#fail(new Error(message.message));
    else if (message.kind === 'done') {
      this.#reads += message.reads;
      for (const [name, count] of Object.entries(message.counters)) this.#counters[name] = (this.#counters[name] ?? 0) + count;
    } else {
      Atomics.sub(this.#words, OUTSTANDING, 1);
      if (this.#held === undefined) this.#check(message.numbers);
      else this.#held.push(message.numbers);
    }
  }

  #held: Int32Array[] | undefined;

  #check(numbers: Int32Array): void {
    try {
      this.#truth.check(numbers);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    Atomics.store(this.#words, STOP, 1);
  }

  /** One turn of the owner's loop: a burst of writes of one kind. */
  async #turn(turn: number): Promise<void> {
    const random = this.#random;
    const { keys } = this.#truth;
    switch (random.below(8)) {
      case 0:
        for (let i = 0; i < 100; i++) this.#put(random.below(keys));
        break;
      case 1: {
        // The same few keys again and again within a turn.
        const hot = random.below(keys - 3);
        for (let i = 0; i < 60; i++) this.#later(hot + random.below(3));
        break;
      }
      case 2:
        for (let i = 0; i < 200; i++) this.#later(random.below(keys));
        break;
      case 3:
        for (let i = 0; i < 60; i++) this.#delete(random.below(keys));
        break;
      case 4:
        this.#batch();
        break;
      case 5: {
        const from = random.below(keys);
        for (let n = from; n < Math.min(keys, from + 300); n++) this.#later(n);
        break;
      }
      case 6:
        if (random.oneIn(4)) await this.#deleteRange();
        break;
      default:
        this.#put(random.below(keys), 20_000 + random.below(30_000));
    }
    if (turn % 40 === 39) await this.#engine.flush();
    if (turn % 150 === 149) await this.#compact();
  }

  /** Packs the tree in slices, so threads read in between. */
  async #compact(): Promise<void> {
    await this.#engine.compact();
    this.#counters['compactions'] = (this.#counters['compactions'] ?? 0) + 1;
  }

  #next(): number {
    return ++this.#stamp;
  }

  #put(n: number, bytes = 40 + this.#random.below(160)): void {
    const stamp = this.#next();
    const kind = this.#random.below(30);
    const expiresAt = kind === 0 ? 1 : kind === 1 ? Date.now() + 1e9 : 0;
    this.#engine.putSync(keyOf(n), valueFor(n, stamp, bytes), expiresAt === 0 ? undefined : { expiresAt });
    this.#truth.note(n, this.#engine.version, expiresAt === 1 ? ABSENT : stamp);
  }

  /** Not written before the turn ends. */
  #later(n: number): void {
    const stamp = this.#next();
    void this.#engine.put(keyOf(n), valueFor(n, stamp, 40 + this.#random.below(160))).catch((error: Error) => this.#fail(error));
    this.#truth.note(n, this.#engine.version, stamp);
  }

  #delete(n: number): void {
    if (this.#truth.newest(n) === ABSENT) return;
    this.#engine.deleteSync(keyOf(n));
    this.#truth.note(n, this.#engine.version, ABSENT);
  }

  #batch(): void {
    const effects = new Map<number, number>();
    for (let i = 0; i < 150; i++) effects.set(this.#random.below(this.#truth.keys), this.#random.oneIn(5) ? ABSENT : this.#next());
    const operations: Operation[] = [];
    for (const [n, stamp] of effects) {
      if (stamp === ABSENT) operations.push({ type: 'delete', key: keyOf(n) });
      else operations.push({ type: 'put', key: keyOf(n), value: valueFor(n, stamp, 60) });
    }
    this.#engine.batchSync(operations);
    for (const [n, stamp] of effects) if (stamp !== this.#truth.newest(n)) this.#truth.note(n, this.#engine.version, stamp);
  }

  /** Applied in slices: what threads say meanwhile is checked when its version is known. */
  async #deleteRange(): Promise<void> {
    const from = this.#random.below(this.#truth.keys);
    const to = Math.min(this.#truth.keys, from + this.#random.below(2500));
    this.#held = [];
    const { version, changed } = await this.#engine.deleteRange(keyOf(from), keyOf(to));
    let deleted = 0;
    for (let n = from; n < to; n++) {
      if (this.#truth.newest(n) === ABSENT) continue;
      this.#truth.note(n, version, ABSENT);
      deleted++;
    }
    if (deleted !== changed) this.#fail(new Error(`deleteRange changed ${changed} keys, ${deleted} were there`));
    const held = this.#held;
    this.#held = undefined;
    for (const numbers of held) this.#check(numbers);
  }
}
