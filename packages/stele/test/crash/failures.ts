/**
 * Disks that fail without losing power: full ones, failing and hanging syncs, failing writes.
 *
 * Promises: a refusal comes before any effect and goes away with its cause; after a failed write or sync every waiting
 * commit is rejected as unknown, every further write is refused, reads go on at the durable state, and reopening decides:
 * acknowledged commits are there, a rejected one is absent or was reported unknown.
 */

import assert from 'node:assert/strict';
import { SteleError } from '../../src/base/errors.ts';
import type { FaultyHostOptions } from '../../src/host/faulty/host.ts';
import { openEngineSync } from '../../src/txn/engine.ts';
import { checkRecovered, compareState } from '../reference/recovery.ts';
import { Driver } from './driver.ts';
import { type Court, checkVerify, judge } from './judge.ts';
import { mixSeed, newMachine, optionsOf, type Setup } from './machine.ts';
import type { Places } from './places.ts';
import { runWorkload } from './workload.ts';

/** A run on a disk of `capacityBytes`, then on one with room again. */
export async function runFull(setup: Setup, steps: number, capacityBytes: number, places: Places): Promise<{ refused: number }> {
  const machine = newMachine(setup, {});
  const driver = new Driver(setup, machine, places, false);
  machine.storage.setCapacity(capacityBytes);
  await machine.drive(runWorkload(driver, steps));
  assert.equal(driver.failed, false, 'a full disk refuses before effects, so no commit is ever unknown');
  compareNow(driver, 'on the full disk');
  machine.storage.setCapacity(Number.POSITIVE_INFINITY);
  const refused = driver.refusals.full;
  await machine.drive(runWorkload(driver, Math.ceil(steps / 4)));
  assert.equal(driver.refusals.full, refused, 'nothing is refused once there is room');
  compareNow(driver, 'after room was made');
  places.addStats(driver.engine.stats());
  await checkVerify(machine, driver.engine);
  driver.closeViews();
  await machine.drive(driver.engine.close());
  const again = openEngineSync(optionsOf(setup, machine, true));
  const { version } = driver.journal.reference;
  checkRecovered(driver.journal.at(driver.journal.mark()), again, { atLeast: version, clockMs: machine.clock.nowMs(), pastViews: 4 });
  await checkVerify(machine, again);
  await machine.drive(again.close());
  return { refused };
}

/** Which call fails. */
export interface Failure {
  readonly kind: 'sync' | 'write';
  /** Calls of the kind that still succeed. */
  readonly after: number;
  readonly failedSync: NonNullable<FaultyHostOptions['failedSync']>;
  /** Only calls on this file. */
  readonly file?: string;
}

/** A run in which one sync or write fails. `hit`: it came to that. */
export async function runFailure(
  setup: Setup,
  steps: number,
  failure: Failure,
  places: Places,
): Promise<{ hit: boolean; unknown: number }> {
  const machine = newMachine(setup, { failedSync: failure.failedSync });
  const driver = new Driver(setup, machine, places, false);
  const { kind, after, file } = failure;
  machine.storage.fail(kind, { after, times: 1, ...(file === undefined ? {} : { file }) });
  await machine.drive(runWorkload(driver, steps));
  const { failed } = driver;
  if (failed) {
    const { durableVersion } = driver.engine;
    driver.journal.acknowledged(durableVersion, 'device');
    assert.equal(driver.engine.version, durableVersion, 'reads go on at durable');
    compareNow(driver, 'after the failure');
    assert.throws(() => driver.engine.putSync(new Uint8Array([2, 1]), new Uint8Array(1)), { code: 'COMMIT_UNKNOWN' });
    await assert.rejects(driver.engine.flush(), { code: 'COMMIT_UNKNOWN' });
  }
  driver.closeViews();
  // The order may still stand, and meet the sync of the closing itself: then that says so.
  await machine.drive(driver.engine.close()).catch((error: unknown) => {
    if (!failed && !(error instanceof SteleError && error.kind === 'unavailable')) throw error;
  });
  const mark = driver.journal.mark();
  const court: Court = { setup, journal: driver.journal, places };
  const copy = machine.fork();
  await judge(court, { machine: copy.reboot({ seed: mixSeed(setup.seed, after, 1) }), mark, kind: 'power' });
  await judge(court, { machine: machine.killProcess({ seed: mixSeed(setup.seed, after, 2) }), mark, kind: 'power' });
  return { hit: failed, unknown: driver.refusals.unknown };
}

/** Syncs hang from the n-th step on; then power goes, or they are released. */
export async function runHang(setup: Setup, steps: number, at: number, places: Places): Promise<void> {
  const machine = newMachine(setup, {});
  const driver = new Driver(setup, machine, places, true);
  await machine.drive(runWorkload(driver, at));
  machine.storage.hangSyncs();
  const put = { type: 'put' as const, key: new Uint8Array([2, 7]), value: new Uint8Array([7]) };
  let heard = 0;
  const promises = Array.from({ length: steps }, () => driver.commit([put], { durability: 'immediate' }, true).then(() => heard++));
  const kernel = driver.commit([put], {}, true);
  await machine.advance(2000);
  assert.equal(heard, 0, 'nothing is acknowledged at the device while syncs hang');
  assert.equal(driver.engine.count() > 0, true, 'reads go on');
  const court: Court = { setup, journal: driver.journal, places };
  await judge(court, { machine: machine.fork().reboot({ seed: mixSeed(setup.seed, at) }), mark: driver.journal.mark(), kind: 'power' });
  machine.storage.releaseSyncs();
  await machine.drive(Promise.all([...promises, kernel]));
  assert.equal(heard, steps);
  driver.closeViews();
  await machine.drive(driver.engine.close());
}

/** What the engine shows is the reference's newest state, or after a failure that of the durable version. */
function compareNow(driver: Driver, what: string): void {
  using view = driver.engine.snapshot();
  compareState(driver.journal.reference.view({ version: view.version, timeMs: view.timeMs }), view, what);
  compareState(driver.journal.reference.view({ version: driver.engine.version, timeMs: driver.timeMs }), driver.engine, what);
}
