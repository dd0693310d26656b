/**
 * One row on one engine: the database it starts from, the warm-up, the rounds, and the cleaning up.
 *
 * The loaded set is made once per engine and run, in seeded order, and closed. Rows that only read open it; rows that change it get
 * a copy. The map cannot be copied and is loaded each time.
 */

import { constants, cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { keyOf, shuffledIndexes, textOf } from './data.ts';
import type { Pace } from './measure.ts';
import { loadRival, type Rival, type RivalName, type RivalOptions } from './rival.ts';
import type { Bench, Round, RoundResult, Row, Settings } from './row.ts';

/** Every engine is left alone so long after its set was opened and read once, and never longer than a round. */
const QUIET_MS_MAX = 1000;

export interface SessionOptions {
  readonly row: Row;
  readonly engine: RivalName;
  readonly settings: Settings;
  /** The run's directory. */
  readonly root: string;
}

async function fill(rival: Rival, settings: Settings): Promise<void> {
  const order = shuffledIndexes(settings.keys, settings.seed);
  const size = rival.loadBatch ?? 1000;
  for (let at = 0; at < order.length; at += size) {
    const some = Array.from(order.subarray(at, at + size));
    const pending = rival.batch(
      some.map((index) => keyOf(2 * index)),
      some.map((index) => textOf(index)),
    );
    if (pending !== undefined) await pending;
  }
}

export const loadedDirectory = (root: string, engine: RivalName): string => join(root, 'loaded', engine);

/** Makes the loaded set of an engine unless it is there. */
export async function ensureLoaded(engine: RivalName, settings: Settings, root: string): Promise<void> {
  const directory = loadedDirectory(root, engine);
  if (engine === 'map' || existsSync(directory)) return;
  mkdirSync(directory, { recursive: true });
  const open = await loadRival(engine);
  const rival = await open({ directory, durability: 'async', cacheBytes: settings.cacheBytes });
  await fill(rival, settings);
  await rival.settle();
  await rival.close();
}

export class Session {
  readonly settingsText: string;
  readonly #round: Round;
  readonly #end: () => Promise<void>;
  #warmups: number;

  private constructor(settingsText: string, round: Round, warmups: number, end: () => Promise<void>) {
    this.settingsText = settingsText;
    this.#round = round;
    this.#warmups = warmups;
    this.#end = end;
  }

  static async begin({ row, engine, settings, root }: SessionOptions): Promise<Session> {
    const own = join(root, 'rows', row.name, engine);
    rmSync(own, { recursive: true, force: true });
    mkdirSync(own, { recursive: true });
    const isLoaded = row.data === 'loaded' && engine !== 'map';
    if (isLoaded) await ensureLoaded(engine, settings, root);
    if (isLoaded && row.changes) cpSync(loadedDirectory(root, engine), own, { recursive: true, mode: constants.COPYFILE_FICLONE });
    const directory = isLoaded && !row.changes ? loadedDirectory(root, engine) : own;

    const open = await loadRival(engine);
    const given: RivalOptions = { directory, durability: row.durability, cacheBytes: settings.cacheBytes, ...row.options?.(settings) };
    const others: Rival[] = [];
    let rival = await open(given);
    const bench: Bench = {
      engine,
      get rival() {
        return rival;
      },
      settings,
      directory,
      scratch: own,
      pace: (operations, chunk): Pace => {
        const bounded = Math.max(1, Math.min(operations, settings.keys));
        return { operations: bounded, chunk: Math.min(chunk, bounded), roundMs: settings.roundMs };
      },
      openAnother: async (name, options) => {
        const place = join(directory, name);
        mkdirSync(place, { recursive: true });
        const other = await open({ ...given, ...options, directory: place });
        others.push(other);
        return other;
      },
      reopen: async (options) => {
        rival = await open({ ...given, ...options });
        return rival;
      },
    };
    const end = async (): Promise<void> => {
      for (const other of others) await other.close();
      await rival.close();
      rmSync(own, { recursive: true, force: true });
    };
    try {
      if (row.data === 'loaded' && engine === 'map') await fill(rival, settings);
      // Reads once what a warm database has in memory; then the engine is left alone, so that what it does behind the scenes is done.
      if (row.data === 'loaded') {
        await rival.scanBatch();
        await sleep(Math.min(settings.roundMs, QUIET_MS_MAX));
      }
      return new Session(rival.settings, await row.prepare(bench), row.warmups ?? 1, end);
    } catch (error) {
      await end().catch(() => undefined);
      throw error;
    }
  }

  /** Warms up at the first call. */
  async round(round: number): Promise<RoundResult> {
    for (; this.#warmups > 0; this.#warmups--) await this.#round(-this.#warmups);
    return this.#round(round);
  }

  end(): Promise<void> {
    return this.#end();
  }
}
