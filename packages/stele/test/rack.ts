/**
 * The racks: long runs that are too slow for the gate. `npm run rack -- <name> [options]`.
 *
 * A rack is a folder here with a `rack.ts` that exports a `summary` and `rack(args)`, or a `<name>.rack.ts` in such a folder;
 * adding one needs no change to this file. Exit code 0: what the rack shows holds. 1: it found something, and said how to see it again. 2: misuse.
 */

import { readdirSync } from 'node:fs';

/** What `test/<name>/rack.ts` exports. */
export interface RackModule {
  /** One line: what is tortured. */
  readonly summary: string;
  /** Runs with the rest of the command line; true = it holds. */
  rack(args: string[]): Promise<boolean>;
}

const here = new URL('./', import.meta.url);
const RACK_FILE = /^(?:(?<name>[a-z0-9-]+)\.)?rack\.ts$/;

/** Name → module. */
function findRacks(): Map<string, URL> {
  const racks = new Map<string, URL>();
  for (const folder of readdirSync(here, { withFileTypes: true })) {
    if (!folder.isDirectory()) continue;
    const inside = new URL(`${folder.name}/`, here);
    for (const file of readdirSync(inside)) {
      const match = RACK_FILE.exec(file);
      if (match !== null) racks.set(match.groups?.['name'] ?? folder.name, new URL(file, inside));
    }
  }
  return racks;
}

const racks = findRacks();

async function load(module: URL): Promise<RackModule> {
  return (await import(module.href)) as RackModule;
}

const [name, ...args] = process.argv.slice(2);
const chosen = name === undefined ? undefined : racks.get(name);
if (chosen !== undefined) {
  const { rack } = await load(chosen);
  process.exitCode = (await rack(args)) ? 0 : 1;
} else {
  console.error('usage: npm run rack -- <name> [options]\n');
  for (const [known, module] of [...racks].sort()) console.error(`  ${known.padEnd(14)}${(await load(module)).summary}`);
  process.exitCode = 2;
}
