/** In a worker thread, with threads of its own, while the main thread stays free. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { EXPECTED, type Life } from './life.ts';

test('a database lives in a worker thread, and the worker ends when it is closed', { timeout: 60_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'stele-envelope-'));
  try {
    const seen = await new Promise<Life>((resolve, reject) => {
      const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: directory });
      let life: Life | undefined;
      worker.on('message', (message: Life) => {
        life = message;
      });
      worker.on('error', reject);
      worker.on('exit', (code) => (life === undefined ? reject(new Error(`the worker ended with ${code}`)) : resolve(life)));
    });
    assert.deepEqual(seen, EXPECTED);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
