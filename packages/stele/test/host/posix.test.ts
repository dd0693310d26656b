import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SteleError } from '../../src/base/errors.ts';
import { posixHost } from '../../src/host/posix/host.ts';
import { type PosixStorageOptions, posixStorage } from '../../src/host/posix/storage.ts';
import {
  clockContract,
  hashingContract,
  randomContract,
  steleError,
  storageContract,
  textsContract,
  threadsContract,
  timersContract,
} from './contract.ts';

const fresh = (): string => mkdtempSync(join(tmpdir(), 'stele-host-'));

function posixContract(name: string, options: PosixStorageOptions): void {
  storageContract(name, () => {
    const parent = fresh();
    const directory = join(parent, 'made', 'when-missing');
    const storage = posixStorage(directory, options);
    return { storage, reopen: () => posixStorage(directory, options), dispose: () => rmSync(parent, { recursive: true }) };
  });
}

posixContract('posix, barrier', { syncStyle: 'barrier' });
posixContract('posix, writeThrough', { syncStyle: 'writeThrough' });
posixContract('posix, barrier, syncs on main, lock by file', { syncStyle: 'barrier', syncThread: 'main', lock: 'file' });
posixContract('posix, writeThrough, syncs on main', { syncStyle: 'writeThrough', syncThread: 'main' });

clockContract('posix', () => posixHost('unused').clock);
randomContract('posix', () => posixHost('unused').random);
timersContract('posix', () => posixHost('unused'));
hashingContract('node', () => posixHost('unused').hashing);
textsContract('node', () => posixHost('unused').texts);

for (const threads of ['worker', 'inline'] as const) {
  threadsContract(`posix, ${threads}`, () => {
    const directory = fresh();
    const host = posixHost(directory, { threads });
    assert.equal(host.threads.kind, threads);
    return { ...host, dispose: () => rmSync(directory, { recursive: true }) };
  });
}

/** Waits until the sync thread is up, so that the next syncAsync goes through it. */
async function warmUp(storage: ReturnType<typeof posixStorage>): Promise<void> {
  const file = storage.open('warm', { create: true });
  await file.syncAsync();
  while (storage.syncThread === 'starting') await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(storage.syncThread, 'ready');
  file.close();
}

for (const syncStyle of ['barrier', 'writeThrough'] as const) {
  storageContract(`posix, ${syncStyle}, sync thread already up`, async () => {
    const directory = fresh();
    const storage = posixStorage(directory, { syncStyle });
    await warmUp(storage);
    storage.remove('warm');
    return { storage, reopen: () => posixStorage(directory, { syncStyle }), dispose: () => rmSync(directory, { recursive: true }) };
  });

  test(`${syncStyle}: a failing sync is carried back from the thread and stays with the handle`, async () => {
    const directory = fresh();
    const storage = posixStorage(directory, { syncStyle });
    await warmUp(storage);
    const file = storage.open('f', { create: true });
    file.write(new Uint8Array(10), 0, 10, 0);
    // The descriptor is closed behind the host's back: the sync meets EBADF, in the thread.
    const { closeSync, readdirSync, readlinkSync } = await import('node:fs');
    const fd = readdirSync('/proc/self/fd').find((each) => {
      try {
        return readlinkSync(`/proc/self/fd/${each}`) === join(directory, 'f');
      } catch {
        return false;
      }
    });
    const pending = file.syncAsync();
    closeSync(Number(fd));
    const outcome = await pending.then(() => 'synced in time').catch(() => 'failed');
    if (outcome === 'synced in time') file.markUnsynced(0, 10);
    await assert.rejects(file.syncAsync(), steleError('unavailable', 'IO_ERROR'));
    assert.throws(() => file.sync(), steleError('unavailable', 'IO_ERROR'));
    await assert.rejects(file.syncAsync(), steleError('unavailable', 'IO_ERROR'));
    storage.close();
    rmSync(directory, { recursive: true });
  });

  test(`${syncStyle}: writes into a range being synced by the thread are never undone`, async () => {
    const directory = fresh();
    const storage = posixStorage(directory, { syncStyle });
    await warmUp(storage);
    const file = storage.open('f', { create: true });
    const bytes = new Uint8Array(300_000);
    for (let turn = 1; turn <= 60; turn++) {
      file.write(bytes.fill(turn), 0, bytes.length, 0);
      const pending = file.syncAsync();
      file.write(bytes.fill(100 + turn), 0, 1000, 150_000);
      await pending;
      const back = new Uint8Array(1000);
      file.read(back, 0, 1000, 150_000);
      assert.ok(
        back.every((byte) => byte === 100 + turn),
        `turn ${turn}`,
      );
    }
    file.close();
    storage.close();
    rmSync(directory, { recursive: true });
  });
}

test('the probe chooses barrier on an ordinary directory, and constructing a storage creates nothing', () => {
  const parent = fresh();
  const storage = posixStorage(join(parent, 'db'));
  assert.deepEqual(storage.list(), []);
  assert.throws(() => storage.open('f'), steleError('invalid', 'NOT_FOUND'));
  assert.throws(() => readFileSync(join(parent, 'db')), { code: 'ENOENT' });
  assert.equal(storage.syncStyle, 'barrier');
  assert.deepEqual(storage.list(), []);
  storage.close();
  rmSync(parent, { recursive: true });
});

test('foreign files in the directory are invisible', () => {
  const directory = fresh();
  writeFileSync(join(directory, 'README.md'), 'hello');
  writeFileSync(join(directory, '.hidden'), 'hello');
  assert.deepEqual(posixStorage(directory).list(), []);
  rmSync(directory, { recursive: true });
});

test('a place that cannot be a directory is an error of the seam', () => {
  const parent = fresh();
  writeFileSync(join(parent, 'file'), '');
  const storage = posixStorage(join(parent, 'file', 'db'));
  assert.throws(() => storage.open('f', { create: true }), steleError('invalid', 'OPTION_INVALID'));
  rmSync(parent, { recursive: true });
});

test('a directory that cannot be made below its parent is refused, not tried for ever', { skip: !existsSync('/proc/self') }, () => {
  const storage = posixStorage('/proc/stele-nowhere/data');
  assert.throws(
    () => storage.lock(),
    (error: unknown) => error instanceof SteleError && ['denied', 'unavailable', 'invalid'].includes(error.kind),
  );
  storage.close();
});

test('missing parents are made, and what is there stays', () => {
  const base = mkdtempSync(join(tmpdir(), 'stele-parents-'));
  try {
    const storage = posixStorage(join(base, 'a', 'b', 'c'));
    storage.lock().release();
    storage.close();
    assert.ok(existsSync(join(base, 'a', 'b', 'c')));
    writeFileSync(join(base, 'file'), '');
    assert.throws(() => posixStorage(join(base, 'file', 'x')).lock(), SteleError);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
});
