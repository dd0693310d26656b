/**
 * A database that was open twice lost acknowledged commits: one process had node:sqlite and took the kernel's lock, the
 * other had not and took the pid file, and neither looked at the other's. Now each does.
 */

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { posixStorage } from '../../src/host/posix/storage.ts';

const styles = ['sqlite', 'file'] as const;

function withDirectory(work: (directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), 'stele-styles-'));
  try {
    work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

for (const first of styles) {
  for (const second of styles) {
    test(`a writer holding by ${first} keeps out writers and readers by ${second}`, () => {
      withDirectory((directory) => {
        const held = posixStorage(directory, { lock: first }).lock();
        const other = posixStorage(directory, { lock: second });
        assert.throws(() => other.lock(), { code: 'LOCKED' });
        assert.throws(() => other.lock({ shared: true }), { code: 'LOCKED' });
        held.release();
        other.lock().release();
        assert.deepEqual(
          readdirSync(directory).filter((name) => name !== 'lock.db'),
          [],
        );
      });
    });

    test(`readers by ${first} and by ${second} share, and keep a writer out`, () => {
      withDirectory((directory) => {
        posixStorage(directory, { lock: first }).lock().release();
        const one = posixStorage(directory, { lock: first }).lock({ shared: true });
        const two = posixStorage(directory, { lock: second }).lock({ shared: true });
        for (const style of styles) assert.throws(() => posixStorage(directory, { lock: style }).lock(), { code: 'LOCKED' });
        one.release();
        assert.throws(() => posixStorage(directory, { lock: first }).lock(), { code: 'LOCKED' });
        two.release();
        posixStorage(directory, { lock: second }).lock().release();
      });
    });
  }
}
