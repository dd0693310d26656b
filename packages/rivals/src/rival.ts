/**
 * What a benchmark asks of an engine.
 *
 * Every engine is driven by the form its documentation recommends for the job, not by a common denominator: the adapter
 * chooses. Keys and string values are ASCII. A call that may be synchronous or not returns a promise only when it must,
 * so that the loop awaits only what is awaitable.
 *
 * Rules for adapters
 * - `put` and `remove`: one write after another. When the call returned (or its promise resolved) the write has the level
 *   of `durability`: immediate = on the device; async = a killed process does not lose it.
 * - `putTogether`: one of many writes in flight; grouped as the engine's documentation groups them.
 * - `getMany`, `scan`, `range`: keys and values as the engine hands them out fastest; the sum of their lengths is returned,
 *   which proves that all were touched and that every engine saw the same.
 */

export type Level = 'immediate' | 'async';

export interface RivalOptions {
  readonly directory: string;
  readonly durability: Level;
  /** Memory the engine may use for its own cache. Engines that lean on the system's page cache ignore it and say so. */
  readonly cacheBytes: number;
  readonly readOnly?: boolean;
  /** Values come out as bytes in `getBytes`; some engines are faster when told at open. */
  readonly bytesOut?: boolean;
  /** Ours only: ms of history kept; rivals have none. */
  readonly historyMs?: number;
}

export interface SnapshotHandle {
  get(key: string): string | undefined;
  close(): void;
}

export interface Rival {
  readonly name: string;
  /** What the adapter was told, for the report. */
  readonly settings: string;

  get(key: string): string | undefined;
  getBytes(key: string): Uint8Array | undefined;
  getMany(keys: readonly string[]): readonly (string | undefined)[] | Promise<readonly (string | undefined)[]>;
  has(key: string): boolean | Promise<boolean>;

  put(key: string, value: string): undefined | Promise<unknown>;
  putTogether(key: string, value: string): undefined | Promise<unknown>;
  remove(key: string): undefined | Promise<unknown>;
  /** All or nothing. */
  batch(keys: readonly string[], values: readonly string[]): undefined | Promise<unknown>;

  /** Full scan, for-of or the engine's nearest. Returns the characters of all keys and values. */
  scan(): number | Promise<number>;
  /** Full scan by the engine's fastest form. */
  scanBatch(): number | Promise<number>;
  /** At most `limit` entries from `start` on; characters of keys and values. */
  range(start: string, limit: number): number | Promise<number>;
  /** undefined: the engine has no snapshots. */
  readonly snapshot?: () => SnapshotHandle;
  count(): number | Promise<number>;

  /** Gives back what it can of its space. */
  compact(): undefined | Promise<unknown>;
  /** Bytes on disk that hold the newest state. */
  dataBytes(): number;
  /** The engine's own way to let other threads read what this one holds open: the message for {@link attachRival}. Else they open it. */
  readonly share?: () => unknown;
  /** Everything is at device level and background work is done as far as the engine tells. */
  settle(): undefined | Promise<unknown>;
  /** Entries per batch when the loaded set is made; default 1,000. */
  readonly loadBatch?: number;
  close(): undefined | Promise<unknown>;
}

export type OpenRival = (options: RivalOptions) => Promise<Rival>;

export const rivalNames = ['stele', 'kernel', 'lmdb', 'sqlite', 'level', 'map'] as const;
export type RivalName = (typeof rivalNames)[number];

/** What a reading thread needs. */
export type ReadingRival = Pick<Rival, 'get' | 'close'>;

/** In another thread: the reader of what an owner shares. */
export async function attachRival(name: RivalName, directory: string, shared: unknown): Promise<ReadingRival> {
  if (name === 'stele') return (await import('./adapters/stele.ts')).attachStele(shared);
  if (name === 'kernel') return (await import('./adapters/kernel.ts')).attachKernel(directory, shared);
  throw new Error(`${name} shares nothing`);
}

/** Loads only the adapter that is asked for: each engine lives in a process of its own. */
export async function loadRival(name: RivalName): Promise<OpenRival> {
  switch (name) {
    case 'stele':
      return (await import('./adapters/stele.ts')).openStele;
    case 'kernel':
      return (await import('./adapters/kernel.ts')).openKernel;
    case 'lmdb':
      return (await import('./adapters/lmdb.ts')).openLmdb;
    case 'sqlite':
      return (await import('./adapters/sqlite.ts')).openSqlite;
    case 'level':
      return (await import('./adapters/level.ts')).openLevel;
    case 'map':
      return (await import('./adapters/map.ts')).openMap;
  }
}
