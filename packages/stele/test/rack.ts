/**
 * The racks: long runs that are too slow for the gate. `npm run rack -- <name> [options]`.
 *
 * A rack is a folder here with a `rack.ts` that exports a `summary` and `rack(args)`; adding one needs no change to
 * this file. Exit code 0: what the rack shows holds. 1: it found something, and said how to see it again. 2: misuse.
 */

import { existsSync, readdirSync } from 'node:fs';

/** What `test/<name>/rack.ts` exports. */
export interface RackModule {
  /** One line: what is tortured. */
  readonly summary: string;
  /** Runs with the rest of the command line; true = it holds. */
  rack(args: string[]): Promise<boolean>;
}

const here = new URL('./', import.meta.url);
const names = readdirSync(here).filter((name) => existsSync(new URL(`${name}/rack.ts`, here)));

async function load(name: string): Promise<RackModule> {
  return (await import(new URL(`${name}/rack.ts`, here).href)) as RackModule;
}

const [name, ...args] = process.argv.slice(2);
if (name !== undefined && names.includes(name)) {
  const { rack } = await load(name);
  process.exitCode = (await rack(args)) ? 0 : 1;
} else {
  console.error('usage: npm run rack -- <name> [options]\n');
  for (const known of names) console.error(`  ${known.padEnd(14)}${(await load(known)).summary}`);
  process.exitCode = 2;
}
