/** An engine inside a worker thread: the child of worker.test.ts. */

import { parentPort, workerData } from 'node:worker_threads';
import { posixHost } from '../../src/host/posix/host.ts';
import { openEngine } from '../../src/txn/engine.ts';
import { live } from './life.ts';

const host = posixHost(workerData as string);
const seen = await live((options) => openEngine({ host, ...options }));
await host.threads.close();
host.storage.close();
parentPort?.postMessage(seen);
