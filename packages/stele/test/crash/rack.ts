/**
 * `npm run rack -- crash`: power cuts and kills at every storage operation of mixed workloads, of compaction, backup and repair.
 *
 *   npm run rack -- crash --seeds 10             seeds 1 to 10, all durability levels, both sync styles, every operation
 *   npm run rack -- crash --seed 7 --seeds 1 --level async --style barrier      one of them again
 *   npm run rack -- crash --every 20             each 20th operation only
 *
 * The racks beside it: recovery, flips, full, sync, kill9, mutants.
 */

import type { SyncStyle } from '../../src/host/storage.ts';
import type { Durability } from '../../src/txn/types.ts';
import { runCuts } from './cuts.ts';
import { setupOf } from './machine.ts';
import { type Place, Places } from './places.ts';
import { combinations, complain, rackOptions } from './rack-kit.ts';
import { runReaderRetry } from './reader-retry.ts';
import { runRepairCuts } from './repair-cuts.ts';
import { runTooOld } from './too-old.ts';
import { runBackupCuts, runCompactionCuts } from './upkeep.ts';

export const summary = 'power cuts and kills at every storage operation of mixed workloads and of upkeep';

const WANTED: readonly Place[] = [
  'torn group',
  'older meta fallback',
  'carried value',
  'TXN_TOO_OLD',
  'segment dropped',
  'view read',
  'forced flush',
  'reader retry',
  'cut inside compaction',
  'cut inside backup',
  'cut inside a copy',
  'whole copy',
  'cut inside repair',
  'cut inside undoing',
];

export async function rack(args: string[]): Promise<boolean> {
  const options = rackOptions(args, { seeds: 4, steps: 300, every: 1 });
  const places = new Places();
  await runTooOld(places);
  await runReaderRetry(setupOf(options.seed, 'async', 'barrier'), places);
  let cuts = 0;
  let holds = true;
  const run = async (seed: number, durability: Durability, syncStyle: SyncStyle): Promise<void> => {
    const started = performance.now();
    const setup = setupOf(seed, durability, syncStyle);
    const { every } = options;
    const result = await runCuts({ setup, steps: options.steps, every }, places);
    const compaction = await runCompactionCuts({ setup, every }, places);
    const backup = await runBackupCuts({ setup, every }, places);
    // A repair works on closed files: how they were written matters little.
    const repair = durability === options.levels[0] ? await runRepairCuts({ setup, every }, places) : { cuts: 0 };
    cuts += result.cuts + compaction.cuts + backup.cuts + repair.cuts;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(
      `seed ${seed} ${durability} ${syncStyle}: ${result.commits} commits, ${result.operations} storage operations, ${result.cuts} cuts; ` +
        `compaction ${compaction.cuts}, backup ${backup.cuts}, repair ${repair.cuts}; ${seconds} s`,
    );
  };
  for (const [seed, durability, syncStyle] of combinations(options)) {
    try {
      await run(seed, durability, syncStyle);
    } catch (error) {
      holds = complain(
        error,
        `npm run rack -- crash --seed ${seed} --seeds 1 --level ${durability} --style ${syncStyle} --every ${options.every}`,
      );
    }
  }
  console.log(`${cuts} cuts judged\n${places.report()}`);
  const missing = options.seeds > 1 && options.every === 1 ? places.missing(WANTED) : [];
  if (missing.length > 0) console.log(`never reached: ${missing.join('; ')}`);
  return holds && missing.length === 0;
}
