/**
 * Power cuts and kills at every storage operation of one run.
 *
 * The run happens once. Before each operation the machine is copied; the copies are judged afterwards, each as a machine
 * whose power went, and every third also as one whose process was killed.
 */

import type { FaultyHost, FaultyHostOptions } from '../../src/host/faulty/host.ts';
import { Driver } from './driver.ts';
import type { Journal, Mark } from './journal.ts';
import { type Court, type Cut, judge } from './judge.ts';
import { mixSeed, newMachine, type Setup } from './machine.ts';
import type { Place, Places } from './places.ts';
import { runWorkload } from './workload.ts';

export interface CutRun {
  readonly setup: Setup;
  readonly steps: number;
  /** Judge every n-th operation; 1 = all. */
  readonly every: number;
  /** Instead of the seed's workload. */
  readonly work?: (driver: Driver) => Promise<void>;
}

/** A machine copied before operation `operation`. */
export interface Snapshot {
  readonly machine: FaultyHost;
  readonly mark: Mark;
  readonly operation: number;
  /** What was under way. */
  readonly inside: readonly Place[];
}

export interface Recorded {
  readonly journal: Journal;
  readonly snapshots: readonly Snapshot[];
  readonly operations: number;
  readonly commits: number;
}

/** Runs the workload and copies the machine before every n-th storage operation. */
export async function record(run: CutRun, places: Places): Promise<Recorded> {
  const snapshots: Snapshot[] = [];
  let journal: Journal | undefined;
  let doing: ReadonlySet<Place> = new Set();
  const empty: Mark = { events: 0, version: 0, device: 0, kernel: 0 };
  const machine: FaultyHost = newMachine(run.setup, {
    onOperation: ({ number }) => {
      if ((number + run.setup.seed) % run.every !== 0) return;
      if (journal !== undefined) journal.acknowledged(driver.engine.durableVersion, 'device');
      snapshots.push({ machine: machine.fork(), mark: journal?.mark() ?? empty, operation: number, inside: [...doing] });
    },
  });
  const driver = new Driver(run.setup, machine, places, true);
  ({ journal, doing } = driver);
  await machine.drive(run.work === undefined ? runWorkload(driver, run.steps) : run.work(driver));
  const reached = driver.journal.reference.version;
  places.addStats(driver.engine.stats());
  driver.closeViews();
  await machine.drive(driver.engine.close());
  return { journal, snapshots, operations: machine.storage.operations, commits: reached };
}

/** Where a cut run went wrong: enough to do it again. */
export class CutFailure extends Error {
  constructor(run: CutRun, what: string, cause: unknown) {
    const { seed, durability, syncStyle } = run.setup;
    super(`seed ${seed} ${durability} ${syncStyle} steps ${run.steps}: ${what}`, { cause });
  }
}

/** The cuts that follow from one snapshot. */
export function cutsOf(setup: Setup, snapshot: Snapshot): Cut[] {
  const { machine, mark, operation } = snapshot;
  const power = watched(mark, 'power', (hook) => machine.fork().reboot({ seed: mixSeed(setup.seed, operation), ...hook }));
  if (operation % 3 !== 0) return [power];
  return [power, watched(mark, 'kill', (hook) => machine.fork().killProcess({ seed: mixSeed(setup.seed, operation, 1), ...hook }))];
}

/** A cut that tells what is done to the log while it is opened. */
function watched(mark: Mark, kind: Cut['kind'], boot: (hook: Pick<FaultyHostOptions, 'onOperation'>) => FaultyHost): Cut {
  const seen = { logWrites: 0 };
  const machine = boot({
    onOperation: (operation) => {
      if (operation.kind === 'write' && operation.name.startsWith('log-')) seen.logWrites++;
    },
  });
  return { machine, mark, kind, seen };
}

/** Records and judges. Returns the number of cuts. @throws {CutFailure} */
export async function runCuts(run: CutRun, places: Places): Promise<{ cuts: number; operations: number; commits: number }> {
  let recorded: Recorded;
  try {
    recorded = await record(run, places);
  } catch (error) {
    throw new CutFailure(run, 'the run itself failed', error);
  }
  const court: Court = { setup: run.setup, journal: recorded.journal, places };
  let cuts = 0;
  for (const snapshot of recorded.snapshots) {
    for (const place of snapshot.inside) places.reach(place);
    for (const cut of cutsOf(run.setup, snapshot)) {
      cuts++;
      try {
        await judge(court, cut);
      } catch (error) {
        throw new CutFailure(run, `${cut.kind} cut at operation ${snapshot.operation}, ${JSON.stringify(cut.mark)}`, error);
      }
    }
  }
  return { cuts, operations: recorded.operations, commits: recorded.commits };
}
