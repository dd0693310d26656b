/**
 * The job thread: imports the module of each job it is sent and calls its `run`.
 *
 * One job at a time. The storage is opened again in this thread from its description; its syncs run here, blocking,
 * since this thread is not the one that must stay free.
 *
 * Specification: spec/host.md, "Threads".
 */

import { parentPort, workerData } from 'node:worker_threads';
import type { ThreadContext, ThreadJob } from '../host.ts';
import { nodeHashing } from './hashing.ts';
import { type PosixTransfer, posixStorage } from './storage.ts';
import { type JobReply, type JobRequest, type JobThreadStart, packError } from './thread-protocol.ts';

const transfer = (workerData as JobThreadStart).storage as PosixTransfer;
const storage = posixStorage(transfer.directory, { syncStyle: transfer.syncStyle, syncThread: 'main' });
const hashing = nodeHashing();

parentPort?.on('message', (request: JobRequest) => {
  void serve(request).then((reply) => parentPort?.postMessage(reply));
});

async function serve(request: JobRequest): Promise<JobReply> {
  const context: ThreadContext = {
    storage,
    hashing,
    cancelled: () => Atomics.load(request.flags, 0) !== 0,
    yield: () => Promise.resolve(),
  };
  try {
    const module = (await import(request.module)) as { run: ThreadJob<unknown, unknown>['run'] };
    return { ok: true, output: await module.run(request.input, context) };
  } catch (error) {
    return { ok: false, error: packError(error) };
  }
}
