/**
 * Main's side of the sync thread: one worker per storage, started when first wanted.
 *
 * Invariants
 * - A request resolves only when the thread has answered it without failure. If the thread is lost, everything
 *   pending fails: its outcome is unknown, and asking the system again could get a false yes.
 * - While nothing is pending the process may exit; while something is, it may not.
 * - `isReady` is false until the thread said it is up; callers sync on main until then (starting takes 25–40 ms).
 *
 * Specification: spec/host.md, "Sync thread".
 */

import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { SystemFailure } from './errors.ts';
import { hasPermission, siblingModule } from './platform.ts';
import type { SyncReply, SyncRequest, SyncThreadStart } from './sync-protocol.ts';

/** Longest blocking wait for the thread to answer; a disk that hangs longer is reported as failed. */
const WAIT_MS_MAX = 10 * 60 * 1000;

/** `lost` covers: not allowed here, could not be started, ended. Then syncs run on main for good. */
export type SyncThreadState = 'idle' | 'starting' | 'ready' | 'lost' | 'closed';

/** Called once; with a failure unless the bytes are on the device. */
type Settle = (failure: SystemFailure | undefined) => void;

/** See the file comment. Owned and closed by the storage. */
export class SyncThread {
  #state: SyncThreadState;
  #worker: Worker | undefined;
  #port: MessagePort | undefined;
  readonly #progress = new Int32Array(new SharedArrayBuffer(4));
  readonly #pending = new Map<number, Settle>();
  #lastId = 0;

  /** With `isAllowed` false it never starts: its state is `lost`. */
  constructor(isAllowed: boolean) {
    this.#state = isAllowed && hasPermission('worker') ? 'idle' : 'lost';
  }

  get state(): SyncThreadState {
    return this.#state;
  }

  get isReady(): boolean {
    return this.#state === 'ready';
  }

  /** Starts the thread when it was not. Never throws: without a thread, main syncs. */
  start(): void {
    if (this.#state !== 'idle') return;
    this.#state = 'starting';
    const channel = new MessageChannel();
    const port = channel.port1;
    try {
      const start: SyncThreadStart = { port: channel.port2, progress: this.#progress };
      const worker = new Worker(siblingModule(import.meta.url, 'sync-worker'), {
        name: 'stele sync',
        workerData: start,
        transferList: [channel.port2],
      });
      worker.on('error', (error: Error) => this.#lose(error.message));
      worker.on('exit', () => this.#lose('the thread ended'));
      worker.unref();
      this.#worker = worker;
    } catch {
      port.close();
      this.#state = 'lost';
      return;
    }
    port.on('message', (reply: SyncReply) => this.#receive(reply));
    port.unref();
    this.#port = port;
  }

  /** Only when ready. Returns the number to `waitFor`; `settle` is called once, from the event loop or from `waitFor`. */
  request(what: Omit<SyncRequest, 'id'>, settle: Settle): number {
    // Wraps long before the Int32 does; 0 is kept for "I am up".
    this.#lastId = this.#lastId >= 0x3fffffff ? 1 : this.#lastId + 1;
    const id = this.#lastId;
    this.#pending.set(id, settle);
    if (this.#pending.size === 1) {
      this.#worker?.ref();
      this.#port?.ref();
    }
    this.#port?.postMessage({ id, ...what } satisfies SyncRequest);
    return id;
  }

  /** Blocks until request `id` has been answered and its `settle` called. */
  waitFor(id: number): void {
    const endMs = performance.now() + WAIT_MS_MAX;
    while (this.#pending.has(id)) {
      const seen = Atomics.load(this.#progress, 0);
      const received = this.#port && receiveMessageOnPort(this.#port);
      if (received !== undefined) this.#receive(received.message as SyncReply);
      else if (performance.now() > endMs) this.#lose('the thread did not answer');
      else Atomics.wait(this.#progress, 0, seen, 1000);
    }
  }

  /** Ends the thread after what is pending. Idempotent. */
  close(): void {
    if (this.#state === 'closed') return;
    if (this.#pending.size > 0) this.waitFor(this.#lastId);
    this.#state = 'closed';
    this.#port?.close();
    void this.#worker?.terminate();
    this.#worker = undefined;
    this.#port = undefined;
  }

  #receive(reply: SyncReply): void {
    if (reply.id === 0) {
      if (this.#state === 'starting') this.#state = 'ready';
      return;
    }
    const settle = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (this.#pending.size === 0) {
      this.#worker?.unref();
      this.#port?.unref();
    }
    settle?.(reply.failure);
  }

  #lose(why: string): void {
    if (this.#state === 'closed' || this.#state === 'lost') return;
    this.#state = 'lost';
    this.#port?.close();
    const lost = [...this.#pending.values()];
    this.#pending.clear();
    for (const settle of lost) settle({ code: 'SYNC_THREAD_LOST', message: `sync thread lost: ${why}` });
  }
}
