/**
 * The sync thread: does nothing but sync the descriptors it is told to, in order.
 *
 * Runs as a worker; descriptors belong to the process, so it syncs the very descriptor main writes through.
 * Not libuv's pool: an application's hashing or compression there would stop commits (3–13 ms a sync measured).
 *
 * Specification: spec/host.md, "Sync thread".
 */

import { fdatasyncSync, fsyncSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { codeOf } from './errors.ts';
import { rewriteRanges } from './rewrite.ts';
import type { SyncReply, SyncRequest, SyncThreadStart } from './sync-protocol.ts';

const { port, progress } = workerData as SyncThreadStart;

port.on('message', (request: SyncRequest) => {
  let failure: SyncReply['failure'];
  try {
    if (request.bounds !== undefined) rewriteRanges(request.fd, request.syncFd, request.bounds);
    else if (request.isFull) fsyncSync(request.fd);
    else fdatasyncSync(request.fd);
  } catch (error) {
    failure = { code: codeOf(error), message: error instanceof Error ? error.message : String(error) };
  }
  // The reply leaves before the number moves: who sees the number finds the reply in the port.
  port.postMessage({ id: request.id, failure } satisfies SyncReply);
  Atomics.store(progress, 0, request.id);
  Atomics.notify(progress, 0);
});

port.postMessage({ id: 0, failure: undefined } satisfies SyncReply);
