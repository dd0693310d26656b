/**
 * Repair under cuts: the power goes at every operation of a repair, and again at one of the repair that follows.
 *
 * A closed database with everything kept rots in one of four ways, each of which a repair heals wholly. What a cut leaves is
 * refused, or opens; repaired once more it must hold everything that was acknowledged, and verify.
 */

import assert from 'node:assert/strict';
import { SteleError } from '../../src/base/errors.ts';
import type { FaultyHost } from '../../src/host/faulty/host.ts';
import { memoryStorage } from '../../src/host/memory/storage.ts';
import type { Storage } from '../../src/host/storage.ts';
import { INDEX_ENTRY_BYTES, INDEX_FILE, INDEX_HEADER_BYTES } from '../../src/log/index-format.ts';
import { segmentName } from '../../src/log/segment.ts';
import { SEGMENT_HEADER_BYTES } from '../../src/log/segment-header.ts';
import { readMetaSlots } from '../../src/pager/meta-slots.ts';
import { PAGES_FILE } from '../../src/pager/page-file.ts';
import { openEngineSync } from '../../src/txn/engine.ts';
import { type RepairReport, repairDatabase } from '../../src/txn/repair.ts';
import { compareState } from '../reference/recovery.ts';
import { CutFailure, type CutRun } from './cuts.ts';
import { Driver } from './driver.ts';
import type { Journal } from './journal.ts';
import { judge } from './judge.ts';
import { mixSeed, newMachine, optionsOf, type Setup } from './machine.ts';
import type { Places } from './places.ts';
import { fragment } from './upkeep.ts';

/** What rots. The log itself is healed from a backup. */
const ROTS = ['root page', 'both metas', 'index', 'log'] as const;
type Rot = (typeof ROTS)[number];

/** A rotten database, and what it must be again. */
interface Patient {
  readonly setup: Setup;
  readonly machine: FaultyHost;
  readonly backup: Storage | undefined;
}

/** @throws {CutFailure} */
export async function runRepairCuts(run: Omit<CutRun, 'steps' | 'work'>, places: Places): Promise<{ cuts: number }> {
  const setup = { ...run.setup, historyMs: Infinity };
  const machine = newMachine(setup);
  const driver = new Driver(setup, machine, places, true);
  fragment(driver, 100);
  await machine.drive(driver.reopen());
  const copy = memoryStorage();
  await machine.drive(driver.engine.backup(copy));
  await machine.drive(driver.engine.close());
  const mark = driver.journal.mark();
  let cuts = 0;
  for (const rot of ROTS) {
    const patient: Patient = { setup, machine: machine.fork(), backup: rot === 'log' ? copy : undefined };
    spoil(patient.machine, rot);
    const stages: { machine: FaultyHost; operation: number }[] = [];
    const whole = watched(patient.machine, (stage) => stages.push(stage));
    assert.deepEqual((await repair(patient, whole)).remaining, [], `repair of ${rot}`);
    for (const stage of stages) {
      if ((stage.operation + setup.seed) % run.every !== 0) continue;
      cuts++;
      try {
        places.reach('cut inside repair');
        const after = stage.machine.reboot({ seed: mixSeed(setup.seed, stage.operation, 5) });
        checkLeft(patient, after.fork(), driver.journal);
        const healed = await repairAgain(patient, after, stages.length, stage.operation, places);
        await judge({ setup, journal: driver.journal, places }, { machine: healed, mark, kind: 'power' });
      } catch (error) {
        throw new CutFailure({ ...run, steps: 0 }, `repair of ${rot}, cut at its operation ${stage.operation}`, error);
      }
    }
  }
  return { cuts };
}

/** Repairs, with the power going at one operation of it, and repairs then. */
async function repairAgain(patient: Patient, machine: FaultyHost, about: number, salt: number, places: Places): Promise<FaultyHost> {
  const at = 1 + (mixSeed(patient.setup.seed, salt, 7) % about);
  let stopped: FaultyHost | undefined;
  const second = watched(machine, (stage) => {
    if (stage.operation === at) stopped = stage.machine;
  });
  let report = await repair(patient, second);
  let healed = second;
  if (stopped !== undefined) {
    places.reach('cut inside undoing');
    healed = stopped.reboot({ seed: mixSeed(patient.setup.seed, salt, 9) });
    report = await repair(patient, healed);
  }
  assert.deepEqual(report.remaining, []);
  assert.equal(report.lostCommits, undefined);
  return healed;
}

function repair({ setup, backup }: Patient, machine: FaultyHost): Promise<RepairReport> {
  const { cacheMemory, segmentBytes } = setup;
  return machine.drive(repairDatabase({ host: machine, cacheMemory, segmentBytes, ...(backup === undefined ? {} : { backup }) }));
}

/** A copy of the machine that is copied again before each operation on it. */
function watched(machine: FaultyHost, see: (stage: { machine: FaultyHost; operation: number }) => void): FaultyHost {
  const copy: FaultyHost = machine.fork({
    onOperation: ({ number }) => see({ machine: copy.fork({ onOperation: () => {} }), operation: number }),
  });
  return copy;
}

/**
 * It opens, and each read of the newest state is right or tells of damage; or it does not, since the repair is unfinished, or since
 * nothing was touched yet and the damage stands in the way.
 */
function checkLeft(patient: Patient, machine: FaultyHost, journal: Journal): void {
  try {
    const engine = openEngineSync(optionsOf(patient.setup, machine, true));
    const { version } = journal.reference;
    assert.equal(engine.version, version, 'commits that are there without an error');
    compareState(journal.reference.view({ version, timeMs: machine.clock.nowMs() }), engine, 'the newest state');
  } catch (error) {
    if (!(error instanceof SteleError && error.kind === 'corrupt')) throw error;
    if (error.code === 'REPAIR_UNFINISHED') return;
    for (const name of patient.machine.storage.list())
      assert.ok(
        machine.storage.exists(name) && Buffer.compare(machine.storage.peek(name), patient.machine.storage.peek(name)) === 0,
        `${name} was changed, and opening says ${error.code} and nothing of a repair`,
      );
  }
}

function spoil(machine: FaultyHost, rot: Rot): void {
  const { storage } = machine;
  if (rot === 'index') storage.flipBit(INDEX_FILE, INDEX_HEADER_BYTES + 3 * INDEX_ENTRY_BYTES + 2, 3);
  if (rot === 'log') storage.flipBit(segmentName(1), SEGMENT_HEADER_BYTES + 2000, 3);
  if (rot !== 'root page' && rot !== 'both metas') return;
  const file = storage.open(PAGES_FILE, { readOnly: true });
  const metas = readMetaSlots(file).flatMap((slot) => (slot.state === 'meta' ? [slot.meta] : []));
  file.close();
  const { pageBytes } = metas[0]!;
  if (rot === 'both metas') for (const slot of [0, 1]) storage.flipBit(PAGES_FILE, slot * pageBytes + 40, 3);
  else for (const { rootPage } of metas) storage.flipBit(PAGES_FILE, rootPage * pageBytes + 3000, 3);
}
