/**
 * Bit rot: one bit flipped anywhere, and what the engine makes of it.
 *
 * For every flip one of three must happen: opening refuses with a typed, located `corrupt` error; or it opens and every read
 * gives the right answer or such an error, or `verify()` lists the damage; or nothing is different at all. Never another answer, never fewer
 * acknowledged commits without an error.
 *
 * One bound, for a database that was not closed: rot in the last group behind the last known durable position looks exactly like a
 * torn write. Its commits may vanish; everything before must be there. After a clean close nothing may.
 */

import assert from 'node:assert/strict';
import { SteleError } from '../../src/base/errors.ts';
import type { FaultyHost } from '../../src/host/faulty/host.ts';
import { SEGMENT_HEADER_BYTES } from '../../src/log/segment-header.ts';
import { openEngineSync } from '../../src/txn/engine.ts';
import type { Engine, HistoryEntry } from '../../src/txn/types.ts';
import { keyBytes } from '../reference/keys.ts';
import { compareState } from '../reference/recovery.ts';
import type { Reference } from '../reference/reference.ts';
import { Driver } from './driver.ts';
import { newMachine, optionsOf, type Setup } from './machine.ts';
import { Places } from './places.ts';

/** A database to rot. */
export interface Image {
  readonly setup: Setup;
  readonly machine: FaultyHost;
  readonly reference: Reference;
  /** Fewer commits than this may not be found without an error. */
  readonly atLeast: number;
  /** It has older segments; in them the headers are what matters. */
  readonly isLong: boolean;
}

/** Builds a small database with history in pages and log, and one large value. `isClean`: closed. `isLong`: of several segments. */
export async function buildImage(setup: Setup, commits: number, isClean: boolean, isLong = false): Promise<Image> {
  const machine = newMachine(setup);
  const driver = new Driver(setup, machine, new Places(), true);
  const put = (text: string, bytes: number, fill: number) => ({
    type: 'put' as const,
    key: keyBytes(`\x02${text}`),
    value: new Uint8Array(bytes).fill(fill),
  });
  await machine.drive(
    (async () => {
      for (let i = 0; i < commits; i++) {
        const batch = i % 4 === 0 ? [put(`a${i % 7}`, 90, i), put(`b${i % 5}`, 30, i), put(`c${i}`, 250, i)] : [put(`a${i % 7}`, 60, i)];
        driver.commitSync(i % 9 === 8 ? [{ type: 'delete', key: keyBytes(`\x02a${i % 7}`) }] : batch, { durability: 'immediate' });
        if (i === Math.floor(commits / 2)) driver.commitSync([put('big', 20_000, 5)], {});
        if (isLong && i % 5 === 0) driver.commitSync([put(`long${i % 3}`, 15_000, i), put(`l${i}`, 12_000, i)], {});
        if (i % 15 === 14) await driver.engine.flush();
        await driver.pause(1);
      }
    })(),
  );
  // Without a clean close each commit was a group of its own, so only the last group is not yet known to be durable.
  if (isClean) await machine.drive(driver.engine.close());
  const { version } = driver.journal.reference;
  return {
    setup,
    machine: machine.fork(),
    reference: driver.journal.at(driver.journal.mark()),
    atLeast: isClean ? version : version - 1,
    isLong,
  };
}

export type Verdict = 'refused' | 'reported' | 'harmless' | 'shorter';

/** Flips one bit and reads everything. @throws {AssertionError} when an answer is wrong or an error says too little */
export async function judgeFlip(image: Image, name: string, offset: number, bit: number): Promise<Verdict> {
  const machine = image.machine.fork();
  machine.storage.flipBit(name, offset, bit);
  return judgeRotten(image, machine, name);
}

/** Judges a machine whose files were meddled with. */
export async function judgeRotten(image: Image, machine: FaultyHost, name: string): Promise<Verdict> {
  let engine: Engine;
  try {
    engine = openEngineSync(optionsOf(image.setup, machine, true));
  } catch (error) {
    checkTold(error, name);
    return 'refused';
  }
  const { reference } = image;
  const { version } = engine;
  assert.ok(version >= image.atLeast, `${version} commits left without an error, ${image.atLeast} were promised`);
  assert.ok(version <= reference.version, `version ${version}, only ${reference.version} were written`);
  const complaints = readAll(reference, engine, name, image.setup.historyMs === Infinity);
  const report = await machine.drive(engine.verify());
  for (const damage of report.damages) assert.ok(Object.keys(damage.detail).length > 0, `damage without a place: ${damage.message}`);
  if (complaints > 0) assert.equal(report.ok, false, 'a read found damage that verify() does not list');
  if (complaints > 0 || !report.ok) return 'reported';
  return version < reference.version ? 'shorter' : 'harmless';
}

/** Everything that can be asked; returns how often damage was told. `keepsAll`: then nothing can have expired. */
function readAll(reference: Reference, engine: Engine, name: string, keepsAll: boolean): number {
  let complaints = 0;
  const attempt = (read: () => void): void => {
    try {
      read();
    } catch (error) {
      if (error instanceof SteleError && error.code === 'HISTORY_EXPIRED' && !keepsAll) return;
      checkTold(error, name);
      complaints++;
    }
  };
  const { version } = engine;
  attempt(() => {
    using now = engine.snapshot();
    reference.now(now.timeMs);
    compareState(reference.view({ version, timeMs: now.timeMs }), now, 'newest state');
  });
  for (const past of [Math.floor(version / 3), version - 2])
    attempt(() => {
      using view = engine.asOf(past);
      compareState(reference.view({ version: past, timeMs: reference.timeOf(past) }), view, `state at ${past}`);
    });
  for (const from of [0, Math.floor(version / 2)])
    attempt(() => {
      const told = [...engine.changes(from)].map((change) => [change.version, change.operations.length]);
      const truth = reference.commits.slice(from + 1, engine.durableVersion + 1).map(({ effects }, at) => [from + 1 + at, effects.length]);
      assert.deepEqual(told, truth, `changes after ${from}`);
    });
  const keys = reference.keysIn({ start: '', end: undefined });
  for (let i = 0; i < keys.length; i += 1 + Math.floor(keys.length / 12)) attempt(() => checkHistory(reference, engine, keys[i]!));
  return complaints;
}

function checkHistory(reference: Reference, engine: Engine, key: string): void {
  using now = engine.snapshot();
  const plain = (line: HistoryEntry) => [
    line.version,
    line.expired,
    line.value === undefined ? -1 : [...line.value.subarray(0, 40)].join(),
  ];
  const truth = reference.history(key, now.timeMs).filter((line) => line.version <= engine.version);
  const told = [...engine.history(keyBytes(key))];
  assert.deepEqual(told.map(plain), truth.slice(0, told.length).map(plain), `history of ${key}`);
  if (engine.version === reference.version)
    assert.ok(told.length >= reference.historyPromised(key, truth), `history of ${key} ends after ${told.length} lines`);
}

/** Damage must be typed, and must say where. */
function checkTold(error: unknown, name: string): void {
  if (!(error instanceof SteleError)) throw error;
  assert.equal(error.kind, 'corrupt', `${error.code}: ${error.message} (${name})`);
  assert.ok(Object.keys(error.detail).length > 0, `${error.code} does not say where: ${error.message}`);
}

/** The files and offsets of an image: everything within what is used, thinly what lies behind. */
export function* offsetsOf(image: Image, every: number): Generator<{ name: string; offset: number }> {
  const { storage } = image.machine;
  for (const name of storage.list()) {
    const bytes = storage.peek(name);
    let used = bytes.length;
    while (used > 0 && bytes[used - 1] === 0) used--;
    let step = name === 'pages.db' ? every * 16 : every;
    if (image.isLong) {
      // What is in a record and a page is the other images' affair.
      if (name.startsWith('log-')) for (let offset = 0; offset < SEGMENT_HEADER_BYTES; offset += every) yield { name, offset };
      step *= 97;
    }
    // Not in step with the layout, so that in time every field of a page is hit.
    for (let offset = name.length % step; offset < used; offset += step) yield { name, offset };
    for (let offset = used; offset < bytes.length; offset += 40 * step + 4097) yield { name, offset };
  }
}

/** Flips bits all over. */
export async function runFlips(image: Image, every: number): Promise<Record<Verdict, number>> {
  const counts: Record<Verdict, number> = { refused: 0, reported: 0, harmless: 0, shorter: 0 };
  for (const { name, offset } of offsetsOf(image, every)) {
    const bit = (offset * 5 + image.setup.seed) % 8;
    try {
      counts[await judgeFlip(image, name, offset, bit)]++;
    } catch (error) {
      throw new Error(`seed ${image.setup.seed} at least ${image.atLeast}: flip of ${name} byte ${offset} bit ${bit}`, { cause: error });
    }
  }
  return counts;
}

/**
 * A valid record of another life of the same database in front of which the wrong commit stands: the same segment, place and
 * generation, as when a disk loses the write that cut it off. Only the chain can tell.
 */
export async function runStaleRecord(setup: Setup): Promise<void> {
  const machine = newMachine(setup);
  const first = openEngineSync(optionsOf(setup, machine, false));
  const key = keyBytes('\x02k');
  first.putSync(key, new Uint8Array(100).fill(1), { durability: 'immediate' });
  const name = 'log-000001.seg';
  const continued = (fill: number, commits: number): FaultyHost => {
    const life = machine.fork().killProcess({ seed: fill });
    const engine = openEngineSync(optionsOf(setup, life, true));
    for (let i = 0; i < commits; i++) engine.putSync(key, new Uint8Array(100).fill(fill), { durability: 'immediate' });
    return life.killProcess();
  };
  const other = continued(7, 2);
  const one = continued(9, 1);
  const stale = other.storage.peek(name);
  const end = endOfContents(one.storage.peek(name));
  const file = one.storage.open(name);
  file.write(stale, end, stale.length - end, end);
  file.sync();
  const next = one.killProcess();
  const engine = openEngineSync(optionsOf(setup, next, true));
  assert.equal(engine.version, 2, 'a record that follows another history is not accepted');
  assert.deepEqual(engine.get(key), new Uint8Array(100).fill(9));
}

function endOfContents(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}
