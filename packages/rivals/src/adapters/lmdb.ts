/**
 * lmdb 3.5: a memory map; reads are function calls into it, asynchronous writes are batched by event turn on its own thread.
 *
 * Settings, from its README ("DB Options", "LMDB Flags", "Overlapping Sync Options")
 * - `encoding: 'string'` (or 'binary' for bytes): no serialisation beyond the text itself. `compression` off, `cache` off.
 * - `noMemInit`: its documented small gain for writes. `pageSize` default 4,096, advised for databases that fit in memory.
 * - immediate: `overlappingSync: false`, so that the commit itself syncs and the promise resolves on the device. `putSync` for
 *   one writer, promises for many.
 * - async: `noSync: true`: "does not explicitly flush data to disk at all". Weaker than our async after a power cut; never slower.
 * - `cacheBytes` is ignored: the system's page cache serves it.
 *
 * The loaded set is made in batches of 100. lmdb 3.5.6 aborts (`Assertion 'freelist_written_start >= mop_len'`) when a file that holds
 * free lists of 1,000 entries, as batches of 1,000 random puts leave them, is opened again and written to in small transactions; on a
 * compacting backup, which has no free list, promised puts end with a segmentation fault.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open } from 'lmdb';
import { fileBytes } from '../directory.ts';
import type { Rival, RivalOptions } from '../rival.ts';

export async function openLmdb(options: RivalOptions): Promise<Rival> {
  const immediate = options.durability === 'immediate';
  const settings = {
    path: join(options.directory, 'lmdb'),
    encoding: options.bytesOut === true ? ('binary' as const) : ('string' as const),
    compression: false,
    noMemInit: true,
    readOnly: options.readOnly === true,
    ...(immediate ? { overlappingSync: false } : { noSync: true }),
  };
  const db = open(settings) as unknown as Database<string, string>;
  let compacted = '';
  return {
    name: 'lmdb',
    settings: `encoding string, noMemInit, ${immediate ? 'overlappingSync off' : 'noSync'}`,
    loadBatch: 100,
    get: (key) => db.get(key),
    getBytes: (key) => db.getBinary(key),
    getMany: (keys) => {
      const found = new Array<string | undefined>(keys.length);
      for (let i = 0; i < keys.length; i++) found[i] = db.get(keys[i]!);
      return found;
    },
    has: (key) => db.doesExist(key),
    put: (key, value) => void db.putSync(key, value),
    putTogether: (key, value) => db.put(key, value),
    remove: (key) => void db.removeSync(key),
    batch: (keys, values) => {
      db.transactionSync(() => {
        for (let i = 0; i < keys.length; i++) db.putSync(keys[i]!, values[i]!);
      });
      return undefined;
    },
    scan: () => {
      let characters = 0;
      for (const { key, value } of db.getRange()) characters += key.length + value.length;
      return characters;
    },
    scanBatch: () => {
      let characters = 0;
      db.getRange().forEach(({ key, value }) => {
        characters += key.length + value.length;
      });
      return characters;
    },
    range: (start, limit) => {
      let characters = 0;
      for (const { key, value } of db.getRange({ start, limit })) characters += key.length + value.length;
      return characters;
    },
    snapshot: () => {
      const transaction = db.useReadTransaction();
      return { get: (key) => db.get(key, { transaction }), close: () => transaction.done() };
    },
    count: () => db.getCount(),
    compact: async () => {
      compacted = join(options.directory, 'compacted');
      mkdirSync(compacted, { recursive: true });
      await db.backup(compacted, true);
    },
    dataBytes: () => fileBytes(compacted === '' ? join(options.directory, 'lmdb') : compacted, /\.mdb$/),
    settle: () => db.flushed,
    close: () => db.close(),
  };
}
