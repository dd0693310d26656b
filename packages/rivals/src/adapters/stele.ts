/**
 * Stele as its users have it: `open(directory)`, paths as text, values as text.
 *
 * The path is the rival's key as it stands, `users/000123456/name`: three segments of 20 characters together. Single writes use the
 * blocking form, many in flight the promises. Bytes come out of `readValue`, the surface's way to the stored bytes of a text.
 */

import { attach, type Database, open, type Reading, type SharedHandle } from 'stele';
import { fileBytes, writtenBytes } from '../directory.ts';
import { engineOptions, type OurRival, type OurView, settingsOf } from '../ours.ts';
import type { ReadingRival, RivalOptions } from '../rival.ts';

export interface SteleRival extends OurRival {
  readonly database: Database;
}

/** Characters of a path as its text. */
function pathCharacters(path: readonly unknown[]): number {
  let characters = path.length - 1;
  for (let i = 0; i < path.length; i++) characters += (path[i] as string).length;
  return characters;
}

function viewOf(reading: Reading<string>, close: () => void): OurView {
  return {
    get: (key) => reading.get(key),
    count: () => reading.scan({ values: false }).toArray().length,
    scanValues: () => {
      let characters = 0;
      reading.scan().each(({ value }) => {
        characters += value.length;
      });
      return characters;
    },
    close,
  };
}

export async function openStele(options: RivalOptions): Promise<SteleRival> {
  const database = await open(options.directory, engineOptions(options));
  const db = database.subtree<string>([]);
  return {
    name: 'stele',
    settings: settingsOf(options),
    database,
    share: () => database.share(),
    get: (key) => db.get(key),
    getBytes: (key) => db.readValue(key),
    getMany: (keys) => db.getMany(keys),
    has: (key) => db.has(key),
    put: (key, value) => void db.putSync(key, value),
    putTogether: (key, value) => db.put(key, value),
    remove: (key) => void db.deleteSync(key),
    batch: (keys, values) => {
      db.batchSync(keys.map((path, i) => ({ type: 'put' as const, path, value: values[i]! })));
      return undefined;
    },
    scan: () => {
      let characters = 0;
      for (const { path, value } of db.scan()) characters += pathCharacters(path) + value.length;
      return characters;
    },
    scanBatch: () => {
      let characters = 0;
      db.scan().each(({ path, value }) => {
        characters += pathCharacters(path) + value.length;
      });
      return characters;
    },
    range: (start, limit) => {
      let characters = 0;
      db.scan({ start, limit }).each(({ path, value }) => {
        characters += pathCharacters(path) + value.length;
      });
      return characters;
    },
    snapshot: () => {
      const view = db.snapshot();
      return { get: (key) => view.get(key), close: () => view.close() };
    },
    count: () => db.count('users'),
    compact: () => database.compact(),
    dataBytes: () => fileBytes(options.directory, /^pages\.db$/),
    logBytes: () => writtenBytes(options.directory, /^log-.*\.seg$/),
    version: () => database.version,
    now: () => viewOf(db, () => undefined),
    asOf: (version) => {
      const view = db.asOf(version);
      return viewOf(view, () => view.close());
    },
    hasFirst: () => db.first('users') !== undefined,
    removeAll: () => db.deleteTree('users'),
    sync: () => database.sync(),
    flush: () => database.flush(),
    backup: (directory) => database.backup(directory),
    replayed: () => Number(database.stats()['work']?.['replayed']),
    bareGets: (keys) => {
      // A small whole number takes no memory of its own: what is left is the call's.
      for (let i = 0; i < keys.length; i++) database.putSync(keys[i]!, 1);
      return (i) => void database.get(keys[i % keys.length]!);
    },
    barePuts: (keys, value) => (i) => void db.putSync(keys[i % keys.length]!, value),
    settle: async () => {
      await database.sync();
      await database.flush();
    },
    close: () => database.close(),
  };
}

/** The reader of a thread: the memory and the files of the owner, whose database stays open beside it. */
export function attachStele(shared: unknown): ReadingRival {
  const db = attach(shared as SharedHandle);
  return { get: (key) => db.get<string>(key), close: async () => db.close() };
}
