/**
 * Real threads for jobs: a few workers, started when wanted and kept for the next job.
 *
 * Invariants
 * - A worker serves one job at a time; more jobs than workers wait in order.
 * - A lost worker rejects its job with `unavailable` THREAD_LOST; it is never run twice.
 * - Idle workers and background jobs do not keep the process alive.
 * - After `close()` new jobs are refused and running ones see `cancelled()`; it resolves when they have ended.
 *
 * Specification: spec/host.md, "Threads".
 */

import { Worker } from 'node:worker_threads';
import { SteleError } from '../../base/errors.ts';
import { closed } from '../failures.ts';
import type { ThreadJob, Threads } from '../host.ts';
import { siblingModule } from './platform.ts';
import { type JobReply, type JobRequest, unpackError } from './thread-protocol.ts';

/** How often a signal that cannot be listened to is looked at. */
const SIGNAL_POLL_MS = 10;
/** Young generation of a job thread: without a limit it grows to 48 MB under a job that makes short-lived objects. */
const YOUNG_MB_MAX = 4;

export interface WorkerThreadsOptions {
  /** Describes the storage to the threads: `storage.transfer()`, asked when the first thread starts. */
  readonly transfer: () => unknown;
  /** Default 2. */
  readonly threadsMax?: number;
}

interface RunOptions {
  background?: boolean;
  signal?: { readonly aborted: boolean };
}

interface Job {
  readonly request: JobRequest;
  readonly options: RunOptions;
  settle(reply: JobReply): void;
}

/** {@link Threads} of kind `worker`. */
export function workerThreads(options: WorkerThreadsOptions): Threads {
  return new WorkerThreads(options);
}

class WorkerThreads implements Threads {
  readonly kind = 'worker';
  readonly #options: WorkerThreadsOptions;
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Job>();
  readonly #waiting: Job[] = [];
  readonly #running = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(options: WorkerThreadsOptions) {
    this.#options = options;
  }

  async run<Input, Output>(job: ThreadJob<Input, Output>, input: Input, options: RunOptions = {}): Promise<Output> {
    if (this.#isClosed) throw closed('threads');
    const flags = new Int32Array(new SharedArrayBuffer(4));
    const unwatch = watch(options.signal, flags);
    const reply = new Promise<JobReply>((settle) => {
      this.#waiting.push({ request: { module: job.module, input, flags }, options, settle });
      this.#dispatch();
    });
    this.#running.add(reply);
    try {
      const answer = await reply;
      if (!answer.ok) throw unpackError(answer.error);
      return answer.output as Output;
    } finally {
      this.#running.delete(reply);
      unwatch();
    }
  }

  wait(words: Int32Array, index: number, value: number, timeoutMs: number): void {
    Atomics.wait(words, index, value, timeoutMs);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const job of [...this.#busy.values(), ...this.#waiting]) Atomics.store(job.request.flags, 0, 1);
    await Promise.all(this.#running);
    await Promise.all(this.#idle.splice(0).map((worker) => worker.terminate()));
  }

  #dispatch(): void {
    while (this.#waiting.length > 0 && (this.#idle.length > 0 || this.#busy.size < (this.#options.threadsMax ?? 2))) {
      const job = this.#waiting.shift()!;
      try {
        const worker = this.#idle.pop() ?? this.#start();
        this.#busy.set(worker, job);
        if (job.options.background === true) worker.unref();
        else worker.ref();
        worker.postMessage(job.request);
      } catch (error) {
        for (const [worker, taken] of this.#busy) if (taken === job) this.#free(worker);
        job.settle({ ok: false, error: { plain: error } });
      }
    }
  }

  #start(): Worker {
    const worker = new Worker(siblingModule(import.meta.url, 'thread-worker'), {
      name: 'stele job',
      workerData: { storage: this.#options.transfer() },
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB_MAX },
    });
    worker.on('message', (reply: JobReply) => {
      const job = this.#busy.get(worker);
      this.#free(worker);
      job?.settle(reply);
      this.#dispatch();
    });
    worker.on('error', (error: Error) => this.#lose(worker, error.message));
    worker.on('exit', () => this.#lose(worker, 'it ended'));
    return worker;
  }

  #free(worker: Worker): void {
    this.#busy.delete(worker);
    worker.unref();
    this.#idle.push(worker);
  }

  #lose(worker: Worker, why: string): void {
    const at = this.#idle.indexOf(worker);
    if (at >= 0) this.#idle.splice(at, 1);
    const job = this.#busy.get(worker);
    if (job === undefined) return;
    this.#busy.delete(worker);
    job.settle({ ok: false, error: { plain: new SteleError('unavailable', 'THREAD_LOST', `job thread lost: ${why}`) } });
    this.#dispatch();
  }
}

/** Carries a signal over to the shared flag; returns how to stop watching. */
function watch(signal: RunOptions['signal'], flags: Int32Array): () => void {
  if (signal === undefined) return () => {};
  const raise = (): void => void Atomics.store(flags, 0, 1);
  if (signal.aborted) raise();
  if (signal instanceof AbortSignal) {
    signal.addEventListener('abort', raise);
    return () => signal.removeEventListener('abort', raise);
  }
  const poll = setInterval(() => signal.aborted && raise(), SIGNAL_POLL_MS);
  poll.unref();
  return () => clearInterval(poll);
}
