/**
 * SQLite as Node ships it, driven by prepared statements.
 *
 * Settings, from sqlite.org (wal.html, pragma.html#pragma_synchronous, withoutrowid.html)
 * - WAL. Keys are text in a `WITHOUT ROWID` table: one tree instead of two for small rows.
 * - immediate: `synchronous = FULL`, a sync of the WAL per commit. async: `synchronous = OFF`, no sync at all; a killed process loses
 *   nothing. Weaker than our async after a power cut; never slower.
 * - `cache_size` from `cacheBytes`, `mmap_size` large, as advised for read-heavy use.
 * - It has no asynchronous form. `putTogether` gathers the writes of an event turn into one transaction, as an application would.
 */

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileBytes } from '../directory.ts';
import type { Rival, RivalOptions } from '../rival.ts';

interface Waiting {
  readonly key: string;
  readonly value: string;
  readonly resolve: () => void;
}

export async function openSqlite(options: RivalOptions): Promise<Rival> {
  const file = join(options.directory, 'data.sqlite');
  const db = new DatabaseSync(file, { readOnly: options.readOnly === true });
  const synchronous = options.durability === 'immediate' ? 'FULL' : 'OFF';
  if (options.readOnly !== true) {
    db.exec('PRAGMA journal_mode = WAL');
    db.exec('CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID');
  }
  db.exec(`PRAGMA synchronous = ${synchronous}`);
  db.exec(`PRAGMA cache_size = -${Math.max(2000, Math.floor(options.cacheBytes / 1024))}`);
  db.exec('PRAGMA mmap_size = 2147483648');
  const value = options.bytesOut === true ? 'CAST(value AS BLOB) AS value' : 'value';
  const selectOne = db.prepare(`SELECT ${value} FROM entries WHERE key = ?`);
  const selectKey = db.prepare('SELECT 1 FROM entries WHERE key = ?');
  const selectAll = db.prepare('SELECT key, value FROM entries ORDER BY key');
  const selectRange = db.prepare('SELECT key, value FROM entries WHERE key >= ? ORDER BY key LIMIT ?');
  const selectMany = db.prepare(`SELECT key, value FROM entries WHERE key IN (${Array(100).fill('?').join()})`);
  const countAll = db.prepare('SELECT count(*) AS n FROM entries');
  const isWriter = options.readOnly !== true;
  const upsert = isWriter
    ? db.prepare('INSERT INTO entries VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value')
    : undefined;
  const removeOne = isWriter ? db.prepare('DELETE FROM entries WHERE key = ?') : undefined;
  const begin = db.prepare('BEGIN');
  const commit = db.prepare('COMMIT');

  const get = (key: string): string | undefined => selectOne.get(key)?.['value'] as string | undefined;
  const sum = (rows: Iterable<Record<string, unknown>>): number => {
    let characters = 0;
    for (const row of rows) characters += (row['key'] as string).length + (row['value'] as string).length;
    return characters;
  };
  let waiting: Waiting[] = [];
  const commitTurn = (): void => {
    const turn = waiting;
    waiting = [];
    begin.run();
    for (const write of turn) upsert!.run(write.key, write.value);
    commit.run();
    for (const write of turn) write.resolve();
  };

  return {
    name: 'sqlite',
    settings: `WAL, synchronous ${synchronous}, prepared statements, WITHOUT ROWID`,
    get,
    getBytes: (key) => selectOne.get(key)?.['value'] as Uint8Array | undefined,
    getMany: (keys) => {
      if (keys.length !== 100) return keys.map(get);
      const found = new Map<string, string>();
      for (const row of selectMany.all(...keys)) found.set(row['key'] as string, row['value'] as string);
      return keys.map((key) => found.get(key));
    },
    has: (key) => selectKey.get(key) !== undefined,
    put: (key, text) => void upsert!.run(key, text),
    putTogether: (key, text) =>
      new Promise<void>((resolve) => {
        if (waiting.length === 0) setImmediate(commitTurn);
        waiting.push({ key, value: text, resolve });
      }),
    remove: (key) => void removeOne!.run(key),
    batch: (keys, values) => {
      begin.run();
      for (let i = 0; i < keys.length; i++) upsert!.run(keys[i]!, values[i]!);
      commit.run();
      return undefined;
    },
    scan: () => sum(selectAll.iterate() as Iterable<Record<string, unknown>>),
    scanBatch: () => sum(selectAll.all()),
    range: (start, limit) => sum(selectRange.all(start, limit)),
    snapshot: () => {
      begin.run();
      selectKey.get(''); // a deferred transaction takes its snapshot with the first read
      return { get, close: () => void commit.run() };
    },
    count: () => countAll.get()!['n'] as number,
    compact: () => {
      db.exec('VACUUM');
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      return undefined;
    },
    dataBytes: () => fileBytes(options.directory, /\.sqlite$/),
    settle: () => void (isWriter && db.exec('PRAGMA wal_checkpoint(TRUNCATE)')),
    close: () => {
      if (db.isOpen) db.close();
      return undefined;
    },
  };
}
