/** Backups: what a copy holds, what it leaves out, and what an interrupted one is. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { steleError } from '../../test/host/contract.ts';
import { faultyHost } from '../host/faulty/host.ts';
import { faultyStorage } from '../host/faulty/storage.ts';
import type { Host } from '../host/host.ts';
import { memoryHost } from '../host/memory/host.ts';
import { memoryStorage } from '../host/memory/storage.ts';
import { posixHost } from '../host/posix/host.ts';
import type { Storage } from '../host/storage.ts';
import { PageFile } from '../pager/page-file.ts';
import { openEngine } from './engine.ts';
import type { Engine, Reader } from './types.ts';

const text = (s: string): Uint8Array => new TextEncoder().encode(s);
const keyOf = (n: number): Uint8Array => text(`\u0002key/${String(n).padStart(6, '0')}`);
const fillOf = (n: number, bytes = 60): Uint8Array => new Uint8Array(bytes).fill(n);

function stateOf(reader: Reader): string[] {
  return [...reader.scan()].map(
    (entry) => `${Buffer.from(entry.key).toString('hex')} ${entry.version} ${entry.expiresAt} ${entry.value.length} ${entry.value[0]}`,
  );
}

const metaOf = (host: Host, storage = host.storage): PageFile['meta'] => {
  const file = PageFile.open({ storage, hashing: host.hashing, readOnly: true });
  file.close();
  return file.meta;
};

/** Versions 1 … n over few keys, some large, some deleted; returns the state at each version. */
async function write(engine: Engine, commits: number): Promise<string[][]> {
  const states = [stateOf(engine)];
  for (let n = 1; n <= commits; n++) {
    if (n % 7 === 0) await engine.delete(keyOf((n - 3) % 40));
    else await engine.put(keyOf(n % 40), fillOf(n, n % 11 === 0 ? 30_000 : 50), { durability: 'async' });
    states.push(stateOf(engine));
  }
  return states;
}

/** `host` is the target's own: its threads work on its storage. */
async function assertCopy(host: Host, states: readonly string[][], from: number): Promise<void> {
  const copy = await openEngine({ host });
  const newest = copy.version;
  assert.deepEqual(stateOf(copy), states[newest]);
  for (let version = from; version <= newest; version += 5) {
    using view = copy.asOf(version);
    assert.deepEqual(stateOf(view), states[version], `version ${version}`);
  }
  if (from > 0) assert.throws(() => [...copy.asOf(from - 1).scan()], steleError('invalid', 'HISTORY_EXPIRED'));
  assert.deepEqual((await copy.verify()).damages, []);
  // And it lives on.
  await copy.put(keyOf(3), fillOf(9));
  await copy.delete(keyOf(4));
  await copy.close();
  const again = await openEngine({ host });
  assert.equal(again.get(keyOf(3))?.[0], 9);
  assert.equal(again.has(keyOf(4)), false);
  assert.deepEqual((await again.verify()).damages, []);
  await again.close();
}

for (const kind of ['memory', 'posix'] as const) {
  test(`backup() gives exactly the state, every kept version, and a new incarnation: ${kind}`, async () => {
    const directory = kind === 'posix' ? mkdtempSync(join(tmpdir(), 'stele-backup-')) : '';
    const host = kind === 'posix' ? posixHost(join(directory, 'source')) : memoryHost();
    const copyHost = kind === 'posix' ? posixHost(join(directory, 'target')) : memoryHost();
    const target = copyHost.storage;
    const engine = await openEngine({ host, segmentBytes: 256 * 1024 });
    const states = await write(engine, 300);
    const seen: number[] = [];
    await engine.backup(target, { progress: (done, total) => seen.push(done / total) });
    assert.equal(seen.at(-1), 1);
    const before = metaOf(host);
    const copy = metaOf(host, target);
    assert.deepEqual(copy.databaseId, before.databaseId);
    assert.notDeepEqual(copy.incarnation, before.incarnation);
    assert.deepEqual(copy.parentId, before.incarnation);
    assert.equal(copy.parentCommit, 300);
    assert.ok(copy.parentChecksum !== 0);
    await engine.put(keyOf(1), fillOf(1));
    await assertCopy(copyHost, states, 0);
    await engine.close();
    await host.threads.close();
    await copyHost.threads.close();
    host.storage.close();
    target.close();
    if (directory !== '') rmSync(directory, { recursive: true });
  });
}

test('backup() without history holds the newest state, and asOf() before it is HISTORY_EXPIRED', async () => {
  const host = memoryHost();
  const target = memoryStorage();
  const engine = await openEngine({ host, segmentBytes: 256 * 1024 });
  const states = await write(engine, 300);
  await engine.backup(target, { history: false });
  assert.deepEqual(target.list().filter((name) => name.endsWith('.seg')).length, 1);
  const log = target.open(target.list().find((name) => name.endsWith('.seg'))!, { readOnly: true });
  assert.equal(log.size(), 256, 'no payload, not even in the segment being filled');
  log.close();
  await assertCopy(memoryHost({ storage: target }), states, 300);
  await engine.close();
});

test('backup() goes on while others write, and is the state of one commit', async () => {
  const host = memoryHost();
  const engine = await openEngine({ host, segmentBytes: 256 * 1024, cacheMemory: 4 * 1024 * 1024 });
  const states = await write(engine, 200);
  for (const history of [true, false]) {
    const target = memoryStorage();
    let isDone = false;
    const copying = engine.backup(target, { history }).finally(() => {
      isDone = true;
    });
    while (!isDone) {
      const n = states.length;
      engine.putSync(keyOf(n % 40), fillOf(n, n % 5 === 0 ? 40_000 : 50), { durability: 'async' });
      states.push(stateOf(engine));
      if (n % 10 === 0) void engine.flush();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await copying;
    const at = metaOf(host, target).parentCommit;
    assert.ok(at >= 200 && at <= engine.version);
    await assertCopy(memoryHost({ storage: target }), states, history ? 0 : at);
  }
  await engine.close();
});

test('backup() of a database that forgets keeps what it keeps and claims no more', async () => {
  const host = memoryHost();
  const engine = await openEngine({ host, segmentBytes: 64 * 1024, historyRetention: 0 });
  const states = await write(engine, 300);
  await engine.compact();
  const target = memoryStorage();
  await engine.backup(target);
  await assertCopy(memoryHost({ storage: target }), states, 300);
  await engine.close();
});

test('backup() of a read-only engine holds what was replayed', async () => {
  const host = faultyHost({ seed: 1 });
  const engine = await host.drive(openEngine({ host }));
  for (let n = 0; n < 50; n++) await host.drive(engine.put(keyOf(n), fillOf(n)));
  const dead = host.killProcess();
  const target = memoryStorage();
  const reader = await dead.drive(openEngine({ host: dead, readOnly: true }));
  const state = stateOf(reader);
  assert.equal(state.length, 50);
  await dead.drive(reader.backup(target));
  await dead.drive(reader.close());
  const copy = await openEngine({ host: memoryHost({ storage: target }) });
  assert.deepEqual(stateOf(copy), state);
  assert.deepEqual((await copy.verify()).damages, []);
  await copy.close();
});

test('backup() refuses a target that is not empty and leaves it as it is', async () => {
  const host = memoryHost();
  const engine = await openEngine({ host });
  const target = memoryStorage();
  target.open('notes.txt', { create: true }).close();
  await assert.rejects(engine.backup(target), steleError('invalid', 'TARGET_NOT_EMPTY'));
  await assert.rejects(engine.backup(host.storage), steleError('invalid', 'TARGET_NOT_EMPTY'));
  assert.deepEqual(target.list(), ['notes.txt']);
  await engine.close();
});

test('a cancelled backup, and one that meets a full disk, leaves the target empty', async () => {
  const host = memoryHost();
  const engine = await openEngine({ host });
  await write(engine, 100);
  const target = memoryStorage();
  await assert.rejects(engine.backup(target, { signal: { aborted: true } }), steleError('closed', 'CANCELLED'));
  assert.deepEqual(target.list(), []);
  const small = faultyStorage({ capacityBytes: 64 * 1024 });
  await assert.rejects(engine.backup(small), steleError('unavailable', 'DISK_FULL'));
  assert.deepEqual(small.list(), []);
  await engine.backup(target);
  await engine.close();
});

test('a backup of a damaged page is refused, not copied', async () => {
  const host = faultyHost({ seed: 1 });
  const engine = await host.drive(openEngine({ host }));
  await host.drive(engine.put(keyOf(1), fillOf(1)));
  await host.drive(engine.flush());
  host.storage.flipBit('pages.db', metaOf(host).rootPage * metaOf(host).pageBytes + 4000, 1);
  const target = memoryStorage();
  await assert.rejects(host.drive(engine.backup(target)), steleError('corrupt', 'PAGE_CHECKSUM'));
  assert.deepEqual(target.list(), []);
  await host.drive(engine.close());
});

// Each third of the source here; the crash rack cuts at every one.
test('the power may go at every operation of a backup, at its source and at its target', async () => {
  const sources: ReturnType<typeof host.fork>[] = [];
  const targets: Storage[] = [];
  let isWatching = false;
  const host = faultyHost({
    seed: 2,
    onOperation: () => {
      if (isWatching) sources.push(host.fork());
    },
  });
  const engine = await host.drive(openEngine({ host, segmentBytes: 128 * 1024 }));
  const states = await host.drive(write(engine, 60));
  await host.drive(engine.sync());
  const target = faultyStorage({ seed: 3, onOperation: ({ number }) => targets.push(target.fork().reboot({ seed: number })) });
  isWatching = true;
  await host.drive(engine.backup(target));
  isWatching = false;
  targets.push(target.fork().reboot({ seed: 1 }));
  await host.drive(engine.close());
  for (const [i, cut] of sources.entries()) {
    if (i % 3 !== 0) continue;
    const after = cut.reboot({ seed: i });
    const back = await after.drive(openEngine({ host: after }));
    assert.deepEqual(stateOf(back), states[60], `source, cut ${i}`);
    await after.drive(back.close());
  }
  let whole = 0;
  for (const [i, storage] of targets.entries()) {
    const reboot = memoryHost({ storage });
    if (storage.list().length === 0) continue;
    const back = await openEngine({ host: reboot }).catch((error: unknown) => {
      assert.ok(steleError('corrupt', 'BACKUP_UNFINISHED')(error), `target, cut ${i}: ${String(error)}`);
      return undefined;
    });
    if (back === undefined) continue;
    whole++;
    assert.deepEqual(stateOf(back), states[60], `target, cut ${i}`);
    assert.deepEqual((await back.verify()).damages, []);
    await back.close();
  }
  assert.ok(whole >= 1 && whole <= 4, `${whole} of ${targets.length} cuts left a whole copy`);
});
