/**
 * What the racks of this folder share: their options, the combinations they run through, and how they complain.
 */

import { parseArgs } from 'node:util';
import type { SyncStyle } from '../../src/host/storage.ts';
import type { Durability } from '../../src/txn/types.ts';

const LEVELS: readonly Durability[] = ['immediate', 'debounced', 'async'];
const STYLES: readonly SyncStyle[] = ['barrier', 'writeThrough'];

export interface RackOptions {
  /** The first seed, and how many. */
  readonly seed: number;
  readonly seeds: number;
  readonly steps: number;
  readonly every: number;
  readonly rounds: number;
  readonly levels: readonly Durability[];
  readonly styles: readonly SyncStyle[];
}

/** Reads the command line over the rack's own defaults. */
export function rackOptions(args: string[], defaults: { seeds?: number; steps?: number; every?: number; rounds?: number }): RackOptions {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args,
    options: { seed: text, seeds: text, steps: text, every: text, rounds: text, level: text, style: text },
  });
  const number = (given: string | undefined, otherwise: number): number => {
    const value = given === undefined ? otherwise : Number(given);
    if (!Number.isInteger(value) || value < 1) throw new Error(`expected a whole number from 1, found ${given}`);
    return value;
  };
  return {
    seed: number(values.seed, 1),
    seeds: number(values.seeds, defaults.seeds ?? 1),
    steps: number(values.steps, defaults.steps ?? 300),
    every: number(values.every, defaults.every ?? 1),
    rounds: number(values.rounds, defaults.rounds ?? 200),
    levels: LEVELS.filter((level) => values.level === undefined || values.level === level),
    styles: STYLES.filter((style) => values.style === undefined || values.style === style),
  };
}

/** Seed × level × style. */
export function* combinations(options: RackOptions): Generator<[number, Durability, SyncStyle]> {
  for (let seed = options.seed; seed < options.seed + options.seeds; seed++)
    for (const level of options.levels) for (const style of options.styles) yield [seed, level, style];
}

/** One level and one style a seed, taken in turn. */
export function* turns(options: RackOptions): Generator<[number, Durability, SyncStyle]> {
  for (let seed = options.seed; seed < options.seed + options.seeds; seed++)
    yield [seed, options.levels[seed % options.levels.length]!, options.styles[Math.floor(seed / 3) % options.styles.length]!];
}

/** Prints what was found, with its causes, and how to see it again. Always false. */
export function complain(error: unknown, again: string): false {
  console.log(`FOUND, again with: ${again}`);
  for (let each: unknown = error; each !== undefined; each = each instanceof Error ? each.cause : undefined)
    console.log(each instanceof Error ? each.stack : each);
  return false;
}
