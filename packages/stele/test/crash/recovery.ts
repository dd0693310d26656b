/**
 * Cuts inside recovery: the power goes while a database that lost its power is being opened.
 *
 * Each snapshot of a run is rebooted, opened, and copied before every storage operation of that opening; the copies are
 * rebooted again and judged by the same mark: what was promised before the first cut must still be there.
 */

import type { FaultyHost } from '../../src/host/faulty/host.ts';
import { openEngineSync } from '../../src/txn/engine.ts';
import { CutFailure, type CutRun, record, type Snapshot } from './cuts.ts';
import { type Court, judge } from './judge.ts';
import { mixSeed, optionsOf } from './machine.ts';
import type { Places } from './places.ts';

export interface RecoveryRun extends CutRun {
  /** Judge every n-th operation of an opening; 1 = all. */
  readonly everyInside: number;
}

/** @throws {CutFailure} */
export async function runRecoveryCuts(run: RecoveryRun, places: Places): Promise<{ openings: number; cuts: number }> {
  const recorded = await record(run, places);
  const court: Court = { setup: run.setup, journal: recorded.journal, places };
  let cuts = 0;
  for (const snapshot of recorded.snapshots) {
    for (const { machine, operation } of openingsOf(run, snapshot)) {
      if (operation % run.everyInside !== 0) continue;
      cuts++;
      try {
        const seed = mixSeed(run.setup.seed, snapshot.operation, operation);
        await judge(court, { machine: machine.reboot({ seed }), mark: snapshot.mark, kind: 'power' });
      } catch (error) {
        throw new CutFailure(run, `cut at operation ${snapshot.operation}, again at ${operation} of the opening`, error);
      }
    }
  }
  return { openings: recorded.snapshots.length, cuts };
}

/** Opens what the snapshot leaves, and copies the machine before each operation of that. */
function openingsOf(run: RecoveryRun, snapshot: Snapshot): { machine: FaultyHost; operation: number }[] {
  const inside: { machine: FaultyHost; operation: number }[] = [];
  const machine: FaultyHost = snapshot.machine.fork().reboot({
    seed: mixSeed(run.setup.seed, snapshot.operation),
    onOperation: ({ number }) => inside.push({ machine: machine.fork(), operation: number }),
  });
  openEngineSync(optionsOf(run.setup, machine, true));
  return inside;
}
