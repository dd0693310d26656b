/**
 * classic-level 3: LevelDB, a log-structured merge tree.
 *
 * Settings, from its README
 * - `cacheSize` from `cacheBytes`; `writeBufferSize` 32 MiB ("larger values increase performance, especially during bulk loads").
 * - `compression` stays on: "leave this on unless you have good reason".
 * - immediate: `{ sync: true }` per write; async: the default, in the system's hands when the promise resolves.
 * - `getSync` for single reads (its fastest), `getMany` for many, `nextv` and `all` for scans.
 */

import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { fileBytes } from '../directory.ts';
import type { Rival, RivalOptions } from '../rival.ts';

export async function openLevel(options: RivalOptions): Promise<Rival> {
  const sync = options.durability === 'immediate';
  const directory = join(options.directory, 'level');
  const db = new ClassicLevel<string, string>(directory, {
    cacheSize: Math.max(8 << 20, options.cacheBytes),
    writeBufferSize: 32 << 20,
    multithreading: true,
  });
  await db.open();
  const bytes = { valueEncoding: 'view' as const };
  const sum = (entries: readonly (readonly [string, string])[]): number => {
    let characters = 0;
    for (const [key, value] of entries) characters += key.length + value.length;
    return characters;
  };
  const put = (key: string, value: string): Promise<void> => db.put(key, value, { sync });
  return {
    name: 'level',
    settings: `sync ${sync}, writeBufferSize 32 MiB, snappy`,
    get: (key) => db.getSync(key),
    getBytes: (key) => db.getSync<string, Uint8Array>(key, bytes),
    getMany: (keys) => db.getMany(keys as string[]),
    has: (key) => db.has(key),
    put,
    putTogether: put,
    remove: (key) => db.del(key, { sync }),
    batch: (keys, values) => {
      const chain = keys.map((key, i) => ({ type: 'put' as const, key, value: values[i]! }));
      return db.batch(chain, { sync });
    },
    scan: async () => {
      let characters = 0;
      for await (const [key, value] of db.iterator()) characters += key.length + value.length;
      return characters;
    },
    scanBatch: async () => {
      const iterator = db.iterator();
      let characters = 0;
      for (;;) {
        const entries = await iterator.nextv(1000);
        if (entries.length === 0) break;
        characters += sum(entries);
      }
      await iterator.close();
      return characters;
    },
    range: async (start, limit) => sum(await db.iterator({ gte: start, limit }).all()),
    snapshot: () => {
      const snapshot = db.snapshot();
      return { get: (key) => db.getSync(key, { snapshot }), close: () => void snapshot.close() };
    },
    count: async () => {
      let count = 0;
      const iterator = db.keys();
      for (;;) {
        const keys = await iterator.nextv(1000);
        if (keys.length === 0) break;
        count += keys.length;
      }
      await iterator.close();
      return count;
    },
    compact: () => db.compactRange('', '\x7f'),
    dataBytes: () => fileBytes(directory, /\.ldb$/),
    settle: () => undefined,
    close: () => db.close(),
  };
}
