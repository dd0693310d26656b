/**
 * What the rows of our own ask besides what every engine is asked: the past, the work behind the scenes, the log.
 *
 * Two adapters answer: `stele` through the public surface, which is what the verdicts judge, and `kernel` through the byte interface
 * below it, which shows what paths and values cost.
 */

import type { Rival, RivalOptions } from './rival.ts';

/** A state of the database, the newest or an older one. */
export interface OurView {
  get(key: string): string | undefined;
  /** All entries; the number of them. */
  count(): number;
  /** Characters of all values. */
  scanValues(): number;
  close(): void;
}

export interface OurRival extends Rival {
  /** The newest commit. */
  version(): number;
  /** The newest state, not fixed. */
  now(): OurView;
  asOf(version: number): OurView;
  /** False when there is no entry. */
  hasFirst(): boolean;
  /** Everything, in one commit. */
  removeAll(): Promise<unknown>;
  sync(): Promise<unknown>;
  flush(): Promise<void>;
  /** Into a directory that is there and empty. */
  backup(directory: string): Promise<void>;
  /** Commits replayed at the opening. */
  replayed(): number;
  /** Bytes of log records on disk; preallocated rest not counted. */
  logBytes(): number;
  /** A get whose result takes nothing of the heap: what it allocates is the engine's. `keys` are prepared before. */
  bareGets(keys: readonly string[]): (i: number) => void;
  barePuts(keys: readonly string[], value: string): (i: number) => void;
}

export const isOurs = (name: string): boolean => name === 'stele' || name === 'kernel';

/** @throws {Error} for an engine that is not ours: a row of our own was given to it */
export function asOurs(rival: Rival): OurRival {
  if (isOurs(rival.name)) return rival as OurRival;
  throw new Error(`${rival.name} is asked for what only Stele has`);
}

/** The engine's options of both adapters. */
export function engineOptions(options: RivalOptions): {
  durability: RivalOptions['durability'];
  cacheMemory: number;
  readOnly?: boolean;
  historyRetention?: number;
} {
  return {
    durability: options.durability,
    cacheMemory: options.cacheBytes,
    ...(options.readOnly === true ? { readOnly: true } : {}),
    ...(options.historyMs === undefined ? {} : { historyRetention: options.historyMs }),
  };
}

export const settingsOf = (options: RivalOptions): string =>
  `durability ${options.durability}, cacheMemory ${options.cacheBytes >> 20} MiB, history ${options.historyMs ?? 'for ever'}`;
