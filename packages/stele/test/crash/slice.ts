/**
 * The fast slice: a little of every rack, in seconds. The gate runs it, and every mutant is run against it.
 */

import assert from 'node:assert/strict';
import { runCuts } from './cuts.ts';
import { runFailure, runFull, runHang } from './failures.ts';
import { buildImage, runFlips, runStaleRecord } from './flips.ts';
import { setupOf } from './machine.ts';
import { type Place, Places } from './places.ts';
import { runReaderRetry } from './reader-retry.ts';
import { runRecoveryCuts } from './recovery.ts';
import { runRepairCuts } from './repair-cuts.ts';
import { carryAndReplay, headersBeforePayload, writeBesideFlushes } from './scenes.ts';
import { runTooOld } from './too-old.ts';
import { runBackupCuts, runCompactionCuts } from './upkeep.ts';

export interface Slice {
  readonly name: string;
  run(places: Places): Promise<void>;
}

/** The sometimes-assertions of the gate. */
export const WANTED: readonly Place[] = [
  'torn group',
  'older meta fallback',
  'carried value',
  'TXN_TOO_OLD',
  'space refusal',
  'view read',
  'reader retry',
  'cut inside compaction',
  'cut inside backup',
  'cut inside a copy',
  'whole copy',
  'cut inside repair',
  'cut inside undoing',
];

export const slices: readonly Slice[] = [
  {
    name: 'a power cut or a kill at any storage operation leaves a prefix with everything that was promised',
    async run(places) {
      for (const [seed, durability, syncStyle, steps, every] of [
        [2, 'immediate', 'barrier', 90, 5],
        [3, 'debounced', 'writeThrough', 80, 11],
        [4, 'async', 'barrier', 80, 13],
        [5, 'immediate', 'writeThrough', 300, 131],
      ] as const)
        await runCuts({ setup: setupOf(seed, durability, syncStyle), steps, every }, places);
    },
  },
  {
    name: 'a flush beside writes names its start, and carried values are found after a replay',
    async run(places) {
      const beside = { ...setupOf(3, 'async', 'barrier'), cacheMemory: 2 ** 22 };
      await runCuts({ setup: beside, steps: 0, every: 31, work: writeBesideFlushes }, places);
      const carried = { ...setupOf(5, 'async', 'writeThrough'), historyMs: 1500 };
      await runCuts({ setup: carried, steps: 0, every: 17, work: carryAndReplay }, places);
    },
  },
  {
    name: 'a power cut inside a compaction, a backup or a repair loses nothing that was promised',
    async run(places) {
      await runCompactionCuts({ setup: setupOf(2, 'async', 'barrier'), every: 11 }, places);
      await runBackupCuts({ setup: setupOf(2, 'debounced', 'writeThrough'), every: 9 }, places);
      await runRepairCuts({ setup: setupOf(1, 'immediate', 'barrier'), every: 17 }, places);
    },
  },
  {
    name: 'a power cut inside recovery changes nothing that was promised',
    async run(places) {
      await runRecoveryCuts({ setup: setupOf(4, 'debounced', 'writeThrough'), steps: 60, every: 14, everyInside: 2 }, places);
    },
  },
  {
    name: 'a flipped bit is detected, located or harmless',
    async run() {
      const setup = setupOf(3, 'immediate', 'barrier');
      const clean = await runFlips(await buildImage(setup, 36, true), 499);
      assert.ok(clean.refused > 0 && clean.reported > 0 && clean.harmless > 0 && clean.shorter === 0, JSON.stringify(clean));
      await runFlips(await buildImage(setup, 36, false), 499);
      const long = await runFlips(await buildImage(setup, 36, true, true), 179);
      assert.ok(long.reported > 8, JSON.stringify(long));
    },
  },
  {
    name: 'a record of another history at the right place is not accepted',
    run: () => runStaleRecord(setupOf(3, 'immediate', 'barrier')),
  },
  {
    name: 'a full disk refuses before any effect, and all goes on when there is room',
    async run(places) {
      let refused = 0;
      for (const capacity of [420_000, 700_000, 1_500_000])
        refused += (await runFull(setupOf(4, 'async', 'barrier'), 80, capacity, places)).refused;
      assert.ok(refused > 0);
    },
  },
  {
    name: 'after a failed sync or write nothing more is written, and reopening finds everything acknowledged',
    async run(places) {
      let hits = 0;
      for (const [after, failedSync] of [
        [3, 'lost'],
        [14, 'seeded'],
        [25, 'lost'],
        [40, 'kept'],
      ] as const) {
        for (const kind of ['sync', 'write'] as const)
          hits += (await runFailure(setupOf(3, 'immediate', 'barrier'), 60, { kind, after, failedSync }, places)).hit ? 1 : 0;
      }
      assert.ok(hits > 3, `${hits} failures hit`);
    },
  },
  {
    name: 'nothing is acknowledged at the device while syncs hang',
    run: (places) => runHang(setupOf(4, 'debounced', 'barrier'), 5, 30, places),
  },
  {
    name: 'payload stays until its headers are on the device',
    run: () => headersBeforePayload(setupOf(4, 'async', 'barrier')),
  },
  {
    name: 'a reading thread that meets a foreign record looks it up anew before it says corrupt',
    run: (places) => runReaderRetry(setupOf(2, 'async', 'barrier'), places),
  },
  { name: 'a transaction beyond the validation window is told so', run: (places) => runTooOld(places) },
];

/** Runs all of them. @throws what the first failing one throws */
export async function runSlices(places: Places): Promise<void> {
  for (const slice of slices) await slice.run(places);
  assert.deepEqual(places.missing(WANTED), [], 'places never reached');
}

if (process.argv[1]?.endsWith('slice.ts') === true) await runSlices(new Places());
