/**
 * The judge: opens what a crash left, and says whether it is what was promised.
 *
 * A sentence is: exactly a prefix of the commits, holding every promised one; the state of the newest and of sampled kept
 * versions, histories included, as the reference says; `verify()` finds nothing; writing goes on; and what is then promised
 * survives the next crash.
 */

import assert from 'node:assert/strict';
import type { FaultyHost } from '../../src/host/faulty/host.ts';
import { readMetaSlots } from '../../src/pager/meta-slots.ts';
import { PAGES_FILE } from '../../src/pager/page-file.ts';
import { openEngineSync } from '../../src/txn/engine.ts';
import type { Engine, Operation, RetentionRules } from '../../src/txn/types.ts';
import { keyBytes } from '../reference/keys.ts';
import { checkRecovered, compareState } from '../reference/recovery.ts';
import type { Reference } from '../reference/reference.ts';
import type { Journal, Mark } from './journal.ts';
import { optionsOf, type Setup } from './machine.ts';
import type { Places } from './places.ts';

/** A machine after a crash, and what its database must hold. */
export interface Cut {
  readonly machine: FaultyHost;
  readonly mark: Mark;
  /** Which promise counts. */
  readonly kind: 'power' | 'kill';
  /** What was done to the log since the boot. */
  readonly seen?: { readonly logWrites: number };
}

export interface Court {
  readonly setup: Setup;
  readonly journal: Journal;
  readonly places: Places;
}

/** @throws {AssertionError} saying what is wrong. */
export async function judge(court: Court, cut: Cut): Promise<number> {
  const { setup, journal, places } = court;
  const { machine, mark } = cut;
  notePages(machine, places);
  const atLeast = cut.kind === 'power' ? mark.device : mark.kernel;
  const isNew = !machine.storage.exists(PAGES_FILE);
  const engine = openEngineSync(optionsOf(setup, machine, true));
  let agreed: RetentionRules | undefined;
  const reference = journal.at(mark, engine.version, (rules) => (agreed = rules));
  if (!isNew && (cut.seen?.logWrites ?? 0) > 0) places.reach('torn group');
  const version = checkRecovered(reference, engine, { atLeast, clockMs: machine.clock.nowMs(), pastViews: 4 });
  comparePast(reference, engine, version);
  if (version < mark.version) places.reach('commit lost legally');
  if (version > atLeast) places.reach('unpromised commit kept');
  await checkVerify(machine, engine);
  // Whichever rules came back, from here on both go by the same.
  if (agreed !== undefined) engine.setRetention(agreed);
  const next = writeMore(reference, machine, engine, version);
  await crashOrClose(machine, engine, version);
  const successor = version % 2 === 0 ? machine : machine.reboot({ seed: version + 1 });
  const again = openEngineSync(optionsOf(setup, successor, true));
  checkRecovered(reference, again, { atLeast: next, clockMs: successor.clock.nowMs(), pastViews: 1 });
  await checkVerify(successor, again);
  await successor.drive(again.close());
  return version;
}

/** The states just before the newest one, where retention still keeps them. */
function comparePast(reference: Reference, engine: Engine, version: number): void {
  for (const back of [1, 4, 12]) {
    const past = version - back;
    if (past < 0) return;
    using view = engine.asOf(past);
    compareState(reference.view({ version: past, timeMs: view.timeMs }), view, `the state at version ${past} of ${version}`);
  }
}

export async function checkVerify(machine: FaultyHost, engine: Engine): Promise<void> {
  const report = await machine.drive(engine.verify());
  // A torn meta page stays unusable until the next flush writes over it; verify() rightly names it.
  const damages = report.damages.filter(({ where }) => where !== 'meta');
  assert.deepEqual(damages, [], 'verify() of what was recovered');
}

/** One more commit of some effects, at the device. Returns its version. */
export function writeMore(reference: Reference, machine: FaultyHost, engine: Engine, salt: number): number {
  const key = (text: string): Uint8Array => keyBytes(`\x02${text}`);
  const operations: Operation[] = [
    { type: 'put', key: key('h0'), value: new Uint8Array(50).fill(salt) },
    { type: 'put', key: key('after'), value: new Uint8Array(200).fill(salt) },
    { type: 'delete', key: key('a1') },
  ];
  const expected = reference.commit(operations, reference.now(machine.clock.nowMs()));
  const receipt = engine.batchSync(operations, { durability: 'immediate' });
  assert.equal(receipt.version, expected.version, 'version of the first commit after recovery');
  return receipt.version;
}

/** Even: closed cleanly. Odd: left as it is. */
async function crashOrClose(machine: FaultyHost, engine: Engine, salt: number): Promise<void> {
  if (salt % 2 === 0) await machine.drive(engine.close());
}

/** Is one of the two meta pages unusable and the other one not? */
function notePages(machine: FaultyHost, places: Places): void {
  if (!machine.storage.exists(PAGES_FILE)) return;
  const file = machine.storage.open(PAGES_FILE, { readOnly: true });
  const states = readMetaSlots(file).map((slot) => slot.state);
  if (states.includes('damaged') && states.includes('meta')) places.reach('older meta fallback');
  file.close();
}
