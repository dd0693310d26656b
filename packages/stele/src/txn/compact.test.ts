/** Compaction through the engine: what it gives back, what it leaves alone, and that it can end anywhere. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { steleError } from '../../test/host/contract.ts';
import { seeded } from '../../test/tree/tree-model.ts';
import { faultyHost } from '../host/faulty/host.ts';
import type { Host } from '../host/host.ts';
import { memoryHost } from '../host/memory/host.ts';
import { posixHost } from '../host/posix/host.ts';
import { openEngine } from './engine.ts';
import type { Engine, EngineOptions, Operation } from './types.ts';

const PAGE = 8192;

function keyOf(n: number): Uint8Array {
  const key = new Uint8Array(20);
  key[0] = 2;
  new DataView(key.buffer).setUint32(1, Math.imul(n, 2654435761) >>> 0);
  new DataView(key.buffer).setUint32(16, n);
  return key;
}

const bytesOf = (n: number, length: number): Uint8Array => new Uint8Array(length).fill(n);

function sizeOf(host: Host, name = 'pages.db'): number {
  const file = host.storage.open(name, { readOnly: true });
  try {
    return file.size();
  } finally {
    file.close();
  }
}

function contentsOf(host: Host, name: string): Buffer {
  const file = host.storage.open(name, { readOnly: true });
  const bytes = Buffer.alloc(file.size());
  file.read(bytes, 0, bytes.length, 0);
  file.close();
  return bytes;
}

async function fill(engine: Engine, keys: number, valueBytes: number, batch = 1000): Promise<void> {
  for (let from = 0; from < keys; from += batch) {
    const operations: Operation[] = [];
    for (let n = from; n < Math.min(keys, from + batch); n++)
      operations.push({ type: 'put', key: keyOf(n), value: bytesOf(n, valueBytes) });
    await engine.batch(operations, { durability: 'async' });
  }
}

/** Everything a reader sees: keys, versions and values in one digest-like string. */
function stateOf(engine: Engine): string[] {
  return [...engine.scan()].map(
    (entry) => `${Buffer.from(entry.key).toString('hex')} ${entry.version} ${entry.expiresAt} ${entry.value.length} ${entry.value[0]}`,
  );
}

async function assertWhole(engine: Engine): Promise<void> {
  const report = await engine.verify();
  assert.deepEqual(report.damages, []);
}

async function withHosts(run: (host: Host) => Promise<void>): Promise<void> {
  await run(memoryHost());
  const directory = mkdtempSync(join(tmpdir(), 'stele-compact-'));
  const host = posixHost(directory);
  try {
    await run(host);
  } finally {
    await host.threads.close();
    host.storage.close();
    rmSync(directory, { recursive: true });
  }
}

test('compact() fills the leaves, cuts the file, keeps every entry, and a second one changes nothing', async () => {
  await withHosts(async (host) => {
    const options: EngineOptions = { host, historyRetention: 0, pageSize: PAGE, cacheMemory: 16 * 1024 * 1024 };
    const engine = await openEngine(options);
    await fill(engine, 10_000, 100);
    const random = seeded(3);
    for (let i = 0; i < 40; i++) {
      const operations: Operation[] = [];
      for (let k = 0; k < 50; k++) operations.push({ type: 'delete', key: keyOf(i * 100 + random(100)) });
      await engine.batch(operations, { durability: 'async' });
    }
    await engine.flush();
    const before = stateOf(engine);
    const seen: number[] = [];
    await engine.compact({ progress: (done, total) => seen.push(done / total) });
    assert.deepEqual(stateOf(engine), before);
    assert.equal(engine.count(), before.length);
    assert.equal(seen.at(-1), 1);
    assert.ok(seen.every((share, i) => share <= 1 && (i === 0 || share >= 0)));
    await assertWhole(engine);
    const ratio = sizeOf(host) / (before.length * 120);
    assert.ok(ratio < 1.5, `${ratio} bytes of pages per byte`);
    const pages = contentsOf(host, 'pages.db');
    await engine.compact();
    assert.ok(contentsOf(host, 'pages.db').equals(pages), 'the second compaction wrote nothing');
    await engine.close();
    const again = await openEngine({ host });
    assert.deepEqual(stateOf(again), before);
    await assertWhole(again);
    await again.close();
  });
});

test('compact() moves large values from the end of the file to the front', async () => {
  const host = memoryHost();
  const engine = await openEngine({ host, historyRetention: 0, pageSize: PAGE });
  for (let n = 0; n < 60; n++) await engine.put(keyOf(n), bytesOf(n, 40_000 + n * 1000), { durability: 'async' });
  await engine.flush();
  for (let n = 0; n < 60; n++) if (n % 3 !== 2) await engine.delete(keyOf(n), { durability: 'async' });
  await engine.flush();
  await engine.flush();
  const before = stateOf(engine);
  const wide = sizeOf(host);
  await engine.compact();
  assert.deepEqual(stateOf(engine), before);
  await assertWhole(engine);
  let bytes = 0;
  for (const entry of engine.scan()) bytes += Math.ceil(entry.value.length / (PAGE - 80)) * PAGE;
  assert.ok(sizeOf(host) < wide / 2, `${sizeOf(host)} of ${wide}`);
  assert.ok(sizeOf(host) <= bytes + 24 * PAGE, `${sizeOf(host)} for ${bytes} of large values`);
  await engine.close();
  const again = await openEngine({ host });
  assert.deepEqual(stateOf(again), before);
  for (const entry of again.scan()) assert.ok(entry.value.every((byte) => byte === entry.value[0]));
  await assertWhole(again);
  await again.close();
});

test('compact() can be cancelled after any turn and leaves everything right', async () => {
  const host = memoryHost();
  const engine = await openEngine({ host, historyRetention: 0, pageSize: PAGE, cacheMemory: 4 * 1024 * 1024 });
  await fill(engine, 3000, 100, 300);
  await engine.put(keyOf(7001), bytesOf(7, 100_000));
  const before = stateOf(engine);
  for (let turns = 1; ; turns += 1 + Math.floor(turns / 4)) {
    let left = turns;
    const signal = {
      get aborted() {
        return left-- <= 0;
      },
    };
    const cancelled = await engine.compact({ signal }).then(
      () => false,
      (error: unknown) => steleError('closed', 'CANCELLED')(error),
    );
    assert.deepEqual(stateOf(engine), before);
    await assertWhole(engine);
    if (!cancelled) break;
  }
  await engine.close();
});

test('writers and readers go on during compact()', async () => {
  const host = memoryHost();
  const engine = await openEngine({ host, historyRetention: 0, pageSize: PAGE, cacheMemory: 8 * 1024 * 1024 });
  await fill(engine, 15_000, 100);
  const expected = new Map<string, number>();
  for (let n = 0; n < 15_000; n++) expected.set(Buffer.from(keyOf(n)).toString('hex'), n & 255);
  using view = engine.snapshot();
  const frozen = view.count();
  let isDone = false;
  const compacting = engine.compact().finally(() => {
    isDone = true;
  });
  const random = seeded(11);
  let writes = 0;
  while (!isDone) {
    const n = random(20_000);
    const key = keyOf(n);
    if (random(3) === 0) {
      await engine.delete(key, { durability: 'async' });
      expected.delete(Buffer.from(key).toString('hex'));
    } else {
      await engine.put(key, bytesOf(writes, 1 + random(200)), { durability: 'async' });
      expected.set(Buffer.from(key).toString('hex'), writes & 255);
    }
    writes++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  await compacting;
  assert.ok(writes > 10, `${writes} writes during the compaction`);
  assert.equal(view.count(), frozen);
  assert.equal(engine.count(), expected.size);
  for (const entry of engine.scan()) assert.equal(entry.value[0], expected.get(Buffer.from(entry.key).toString('hex')));
  await assertWhole(engine);
  await engine.close();
});

// Each third here; the crash rack cuts at every one.
test('the power may go at every operation of a compaction', async () => {
  const cuts: ReturnType<typeof host.fork>[] = [];
  let isWatching = false;
  const host = faultyHost({
    seed: 4,
    onOperation: () => {
      if (isWatching) cuts.push(host.fork());
    },
  });
  const engine = await host.drive(
    openEngine({ host, historyRetention: 0, pageSize: PAGE, segmentBytes: 1024 * 1024, cacheMemory: 2 * 1024 * 1024 }),
  );
  await host.drive(fill(engine, 2500, 100, 125));
  for (let n = 5000; n < 5006; n++) await host.drive(engine.put(keyOf(n), bytesOf(n, 30_000)));
  for (let n = 5000; n < 5005; n++) await host.drive(engine.delete(keyOf(n)));
  for (let n = 0; n < 2500; n += 3) await host.drive(engine.delete(keyOf(n), { durability: 'async' }));
  await host.drive(engine.flush());
  await host.drive(engine.sync());
  const before = stateOf(engine);
  isWatching = true;
  await host.drive(engine.compact());
  isWatching = false;
  assert.ok(cuts.length > 30, `${cuts.length} operations`);
  let number = 0;
  for (const cut of cuts) {
    number++;
    if (number > 6 && number % 3 !== 0) continue;
    const after = cut.reboot({ seed: number });
    const back = await after.drive(openEngine({ host: after, pageSize: PAGE, cacheMemory: 2 ** 21 }));
    assert.deepEqual(stateOf(back), before, `cut ${number}`);
    if (number % 9 === 0) await after.drive(assertWhole(back));
  }
  await host.drive(engine.close());
});

test('a compaction that meets a full disk says so, and the database goes on', async () => {
  const host = faultyHost({ seed: 6 });
  const engine = await host.drive(
    openEngine({ host, historyRetention: 0, pageSize: PAGE, segmentBytes: 256 * 1024, cacheMemory: 2 * 1024 * 1024 }),
  );
  await host.drive(fill(engine, 4000, 100, 200));
  await host.drive(engine.flush());
  const before = stateOf(engine);
  for (const after of [0, 3, 9]) {
    host.storage.fail('write', { after, times: 1, file: 'pages.db', error: 'DISK_FULL' });
    await assert.rejects(host.drive(engine.compact()), steleError('unavailable', 'DISK_FULL'));
    host.storage.clearFaults();
    assert.deepEqual(stateOf(engine), before);
  }
  await host.drive(engine.put(keyOf(9999), bytesOf(1, 10)));
  await host.drive(engine.compact());
  assert.equal(engine.count(), before.length + 1);
  await host.drive(assertWhole(engine));
  await host.drive(engine.close());
});

test('close() ends a compaction, a backup and a verification under way', async () => {
  for (const long of [
    (engine: Engine) => engine.compact(),
    (engine: Engine) => engine.verify(),
    (engine: Engine) => engine.backup(memoryHost().storage),
  ]) {
    const host = memoryHost();
    const engine = await openEngine({ host, historyRetention: 0, pageSize: PAGE });
    await fill(engine, 6000, 100, 300);
    const before = stateOf(engine);
    const ended = long(engine).then(
      () => 'done',
      (error: unknown) => (error as { kind: string }).kind,
    );
    await new Promise((resolve) => setTimeout(resolve, 15));
    await engine.close();
    assert.match(await ended, /done|closed/);
    const again = await openEngine({ host });
    assert.deepEqual(stateOf(again), before);
    await assertWhole(again);
    await again.close();
  }
});
