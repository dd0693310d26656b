/** A reading thread of life.test.ts: attaches, tells what it reads, and again whenever it is asked. */

import { parentPort, workerData } from 'node:worker_threads';
import type { Reading } from '../../src/model/types.ts';
import { attach } from '../../src/node/open.ts';
import type { SharedHandle } from '../../src/txn/threads/handle.ts';

function answers(handle: Reading): unknown {
  return {
    get: handle.get('users/ada'),
    many: handle.getMany(['users/ada', 'none']),
    entry: handle.entry('users/ada')?.version,
    kind: handle.kind('users'),
    tree: handle.getTree(),
    children: handle.children('users', { reverse: true }).toArray(),
    scan: handle.scan({ prefix: 'users', limit: 2 }).toArray(),
    count: [handle.count(), handle.count('users')],
    ends: [handle.first('users')?.path, handle.last()?.path, handle.nth('users', 1)?.path],
    piece: handle.readValue('text', { offset: 1, length: 3 }),
  };
}

const db = attach(workerData as SharedHandle);
const before = db.snapshot();
parentPort!.on('message', (message: string) => {
  if (message === 'end') {
    before.close();
    db.close();
    parentPort!.close();
  } else {
    try {
      parentPort!.postMessage({ version: db.version, now: answers(db), before: answers(before) });
    } catch (error) {
      parentPort!.postMessage({ code: (error as { code?: string }).code });
    }
  }
});
parentPort!.postMessage('ready');
