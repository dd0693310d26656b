/**
 * Upkeep under cuts: compaction, and backup at its source and at its target.
 *
 * Compaction and the source of a backup are cut as any workload is (cuts.ts). Each copy is also cut at every operation of its
 * own machine. What such a cut leaves is refused as unfinished, is an empty directory, or is a database with everything that was
 * there when the backup was asked for.
 */

import assert from 'node:assert/strict';
import type { FaultyHost } from '../../src/host/faulty/host.ts';
import { type FaultyStorage, faultyStorage } from '../../src/host/faulty/storage.ts';
import { openEngineSync } from '../../src/txn/engine.ts';
import type { Engine, Operation } from '../../src/txn/types.ts';
import { keyBytes } from '../reference/keys.ts';
import { compareState } from '../reference/recovery.ts';
import { CutFailure, type CutRun, runCuts } from './cuts.ts';
import { codeOf, type Driver } from './driver.ts';
import type { Journal, Mark } from './journal.ts';
import { checkVerify, judge, writeMore } from './judge.ts';
import { mixSeed, newMachine, optionsOf, type Setup } from './machine.ts';
import type { Places } from './places.ts';

type Upkeep = Omit<CutRun, 'steps' | 'work'>;

export function put(text: string, bytes: number, fill: number): Operation {
  return { type: 'put', key: keyBytes(`\x02${text}`), value: new Uint8Array(bytes).fill(fill) };
}

const numbered = (n: number): string => `n${String(n).padStart(4, '0')}`;

/** Pages half empty, and large values behind gaps: so a compaction has to pack, to move and to cut. */
export function fragment(driver: Driver, entries: number): void {
  const batch = (operations: readonly Operation[]): void => driver.commitSync(operations, { durability: 'async' });
  for (let first = 0; first < entries; first += 50) batch(Array.from({ length: 50 }, (_, i) => put(numbered(first + i), 600, first + i)));
  for (let i = 0; i < 4; i++) batch([put(`big${i}`, 70_000, i)]);
  for (let first = 0; first < entries; first += 50)
    batch(
      Array.from({ length: 50 }, (_, i) => first + i)
        .filter((n) => n % 8 !== 0)
        .map((n) => ({ type: 'delete', key: keyBytes(`\x02${numbered(n)}`) })),
    );
  batch([
    { type: 'delete', key: keyBytes('\x02big0') },
    { type: 'delete', key: keyBytes('\x02big1') },
  ]);
}

/** Cuts inside a compaction that others write beside, and inside a quiet one. @throws {CutFailure} */
export function runCompactionCuts(run: Upkeep, places: Places): Promise<{ cuts: number }> {
  const work = async (driver: Driver): Promise<void> => {
    fragment(driver, 300);
    await driver.background(driver.engine.flush(), true);
    const before = pagesOf(driver);
    await driver.background(driver.engine.compact(), false, 'cut inside compaction');
    for (let i = 0; i < 6; i++) {
      driver.commitSync([put(numbered(i * 40), 300, i), put('h0', 50, i)], {});
      await driver.pause(1);
    }
    await driver.settle();
    await driver.background(driver.engine.compact(), true, 'cut inside compaction');
    const after = pagesOf(driver);
    assert.ok(after < before, `the page file has ${after} bytes after the compaction, ${before} before`);
  };
  return runCuts({ ...run, steps: 0, work }, places);
}

function pagesOf(driver: Driver): number {
  return driver.machine.storage.peek('pages.db').length;
}

/** What a backup wrote, before one of its operations. */
interface Copy {
  readonly storage: FaultyStorage;
  readonly operation: number;
  /** Commits at least in it. */
  readonly atLeast: number;
  readonly hasHistory: boolean;
}

/** Cuts inside backups, with history and without, while others write. @throws {CutFailure} */
export async function runBackupCuts(run: Upkeep, places: Places): Promise<{ cuts: number }> {
  const copies: Copy[] = [];
  let told: { journal: Journal; mark: Mark } | undefined;
  const work = async (driver: Driver): Promise<void> => {
    fragment(driver, 100);
    for (const hasHistory of [true, false]) {
      const atLeast = driver.journal.reference.version;
      const watch = ({ number }: { number: number }): void => {
        if ((number + run.setup.seed) % run.every === 0)
          copies.push({ storage: target.fork({ onOperation: () => {} }), operation: number, atLeast, hasHistory });
      };
      const { timers } = driver.machine;
      const { seed, syncStyle, sectorBytes } = run.setup;
      const target = faultyStorage({ seed, syncStyle, sectorBytes, onOperation: watch, later: (task) => timers.immediate(task) });
      await driver.background(driver.engine.backup(target, { history: hasHistory }), false, 'cut inside backup');
      for (let i = 0; i < 4; i++) {
        driver.commitSync([put(numbered(i * 8), 300, i), put('h0', 50, i)], {});
        await driver.pause(1);
      }
      await driver.settle();
      copies.push({ storage: target.fork({ onOperation: () => {} }), operation: target.operations + 1, atLeast, hasHistory });
    }
    told = { journal: driver.journal, mark: driver.journal.mark() };
  };
  const { cuts } = await runCuts({ ...run, steps: 0, work }, places);
  assert.ok(told !== undefined);
  let whole = 0;
  for (const copy of copies) {
    try {
      if (await judgeCopy(run.setup, told.journal, told.mark, copy, places)) whole++;
    } catch (error) {
      const what = `the target of a backup ${copy.hasHistory ? 'with' : 'without'} history, cut at its operation ${copy.operation}`;
      throw new CutFailure({ ...run, steps: 0 }, what, error);
    }
  }
  assert.ok(whole >= 2, 'both backups were whole in the end');
  return { cuts: cuts + copies.length };
}

/** True: it was whole. */
async function judgeCopy(setup: Setup, journal: Journal, mark: Mark, copy: Copy, places: Places): Promise<boolean> {
  const machine = machineHolding(setup, copy.storage.reboot({ seed: mixSeed(setup.seed, copy.operation, 3) }));
  if (machine.storage.list().length === 0) return false;
  let engine: Engine;
  try {
    engine = openEngineSync(optionsOf(setup, machine.fork(), true));
  } catch (error) {
    if (codeOf(error) !== 'BACKUP_UNFINISHED') throw error;
    places.reach('cut inside a copy');
    return false;
  }
  places.reach('whole copy');
  const { version } = engine;
  assert.ok(version >= copy.atLeast, `the copy has ${version} commits, ${copy.atLeast} were there when it was asked for`);
  if (copy.hasHistory)
    await judge({ setup, journal, places }, { machine, mark: { ...mark, device: version, kernel: version }, kind: 'power' });
  else await judgeBare(setup, journal, mark, machine);
  return true;
}

/** A copy without history: the newest state, and what follows it. */
async function judgeBare(setup: Setup, journal: Journal, mark: Mark, machine: FaultyHost): Promise<void> {
  const engine = openEngineSync(optionsOf(setup, machine, true));
  const { version } = engine;
  const reference = journal.at(mark, version);
  reference.cutBack(version);
  const timeMs = reference.now(engine.snapshot().timeMs);
  compareState(reference.view({ version, timeMs }), engine, 'the newest state of a copy without history');
  assert.throws(() => engine.asOf(version - 1).count(), { code: 'HISTORY_EXPIRED' });
  await checkVerify(machine, engine);
  const next = writeMore(reference, machine, engine, version);
  await machine.drive(engine.close());
  const again = openEngineSync(optionsOf(setup, machine, true));
  assert.equal(again.version, next);
  await checkVerify(machine, again);
  await machine.drive(again.close());
}

/** A machine with the files of a storage, all of them on its device. */
export function machineHolding(setup: Setup, storage: FaultyStorage): FaultyHost {
  const machine = newMachine(setup);
  for (const name of storage.list()) {
    const bytes = storage.peek(name);
    const file = machine.storage.open(name, { create: true });
    file.truncate(bytes.length);
    file.write(bytes, 0, bytes.length, 0);
    file.sync();
    file.close();
  }
  machine.storage.syncDirectory();
  return machine;
}
