/** Opening reads what it needs, whatever the size of the database. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Host } from '../../src/host/host.ts';
import { memoryHost } from '../../src/host/memory/host.ts';
import type { Storage, StorageFile } from '../../src/host/storage.ts';
import { openEngine } from '../../src/txn/engine.ts';
import { keyOf, valueFor } from '../threads/values.ts';

/** The same storage, counting what is read. */
function counting(storage: Storage): { storage: Storage; read: { bytes: number; calls: number } } {
  const read = { bytes: 0, calls: 0 };
  const counted = (file: StorageFile): StorageFile =>
    new Proxy(file, {
      get(target, name) {
        const member = Reflect.get(target, name, target) as unknown;
        if (typeof member !== 'function') return member;
        if (name !== 'read' && name !== 'readAsync') return member.bind(target);
        return (bytes: Uint8Array, start: number, length: number, position: number) => {
          read.calls++;
          read.bytes += length;
          return (member as StorageFile['read']).call(target, bytes, start, length, position);
        };
      },
    });
  return {
    read,
    storage: {
      kind: storage.kind,
      syncStyle: storage.syncStyle,
      list: () => storage.list(),
      exists: (name) => storage.exists(name),
      open: (name, options) => counted(storage.open(name, options)),
      remove: (name) => storage.remove(name),
      syncDirectory: () => storage.syncDirectory(),
      lock: (options) => storage.lock(options),
      close: () => storage.close(),
    },
  };
}

/** Bytes that opening asks for, with so many entries stored and so many commits behind the last flush. */
async function bytesReadAtOpen(entries: number, behind: number, segmentBytes = 1024 * 1024): Promise<number> {
  const first: Host = memoryHost();
  const options = { durability: 'async' as const, cacheMemory: 4 * 1024 * 1024, segmentBytes };
  const engine = await openEngine({ host: first, ...options });
  for (let n = 0; n < entries; ) {
    const batch = [];
    for (; batch.length < 1000 && n < entries; n++) batch.push({ type: 'put' as const, key: keyOf(n), value: valueFor(n, 0, 100) });
    await engine.batch(batch);
  }
  await engine.close();
  const { storage, read } = counting(first.storage);
  const host = memoryHost({ storage });
  if (behind > 0) {
    // What a killed process leaves: a log that goes on behind the meta.
    const killed = await openEngine({ host, ...options });
    for (let n = 0; n < behind; n++) await killed.put(keyOf(n), valueFor(n, 1, 100), { durability: 'immediate' });
    storage.close();
  }
  read.bytes = 0;
  const again = await openEngine({ host: memoryHost({ storage }), ...options });
  const { bytes } = read;
  assert.equal(again.count(), entries);
  await again.close();
  return bytes;
}

/**
 * What an opening may read, whatever the size: metas, root, tables, and looks at the log in pieces of at most 1 MiB (the end is read
 * once forward and once for groups behind it). The one thing that grows is a header of 256 bytes per segment of the log.
 */
const READ_BYTES_MAX = 3 * 1024 * 1024 + 256 * 1024;

test('what opening reads does not grow with the database', async () => {
  const sizes = [1000, 20_000, 100_000];
  const read: number[] = [];
  for (const entries of sizes) read.push(await bytesReadAtOpen(entries, 0));
  // 100,000 entries are 13 MB of pages and as much log.
  for (const bytes of read) assert.ok(bytes < READ_BYTES_MAX / 2, `${sizes} entries: ${read} bytes`);
});

test('what opening reads after a kill is the log behind the last flush and the pages it touches', async () => {
  const small = await bytesReadAtOpen(1000, 50);
  const large = await bytesReadAtOpen(100_000, 50);
  for (const bytes of [small, large]) assert.ok(bytes < READ_BYTES_MAX, `${large} bytes after 100,000 entries, ${small} after 1,000`);
});
