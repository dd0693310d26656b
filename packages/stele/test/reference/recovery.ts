/**
 * Is what came back after a crash exactly a prefix of what was committed?
 *
 * For the crash rack. Feed the reference every commit at the moment it is issued, resolved or not; after the power
 * cut or the kill open the engine again and ask {@link checkRecovered}. It finds the prefix by the engine's version and
 * compares everything that can be asked: the newest state, counts, the state at kept versions, histories, changes,
 * times. Then it cuts the reference back to that prefix, so that the program can go on.
 *
 * Specification: spec/transactions.md, "What survives".
 */

import assert from 'node:assert/strict';
import { SteleError } from '../../src/base/errors.ts';
import type { Engine, Entry, Reader } from '../../src/txn/types.ts';
import { keyBytes, keyText, onlyKey } from './keys.ts';
import type { Reference, ReferenceReader } from './reference.ts';

export interface RecoveryBounds {
  /** The greatest version that was promised at the level that survives: lost when the engine has less. */
  readonly atLeast: number;
  /** Clock of the host now. */
  readonly clockMs: number;
  /** How many versions of the past to compare in full, spread evenly; default 8. */
  readonly pastViews?: number;
}

/**
 * The version recovered. The reference is cut back to it.
 *
 * @throws {AssertionError} saying what differs
 */
export function checkRecovered(reference: Reference, engine: Engine, bounds: RecoveryBounds): number {
  const { version } = engine;
  assert.ok(version >= bounds.atLeast, `version ${version} recovered, but ${bounds.atLeast} was promised`);
  assert.ok(version <= reference.version, `version ${version} recovered, but only ${reference.version} were ever written`);
  reference.cutBack(version);

  // The snapshot's time is the engine's own: at least the clock and the newest commit's time.
  using now = engine.snapshot();
  const floorMs = Math.max(bounds.clockMs, reference.timeOf(version));
  assert.ok(now.timeMs >= floorMs, `hybrid time ${now.timeMs} after recovery, at least ${floorMs} expected`);
  reference.now(now.timeMs);
  compareState(reference.view({ version, timeMs: now.timeMs }), now, `the newest state, version ${version}`);

  const views = Math.min(bounds.pastViews ?? 8, version);
  for (let i = 0; i < views; i++) {
    const past = Math.floor((version * i) / views);
    using view = engine.asOf(past);
    assert.equal(view.timeMs, reference.timeOf(past), `time of version ${past}`);
    compareState(reference.view({ version: past, timeMs: view.timeMs }), view, `the state at version ${past}`);
  }
  compareHistories(reference, engine, now.timeMs);
  return version;
}

/** Everything a reader shows, against the reference; a refusal is fine where it is allowed. */
export function compareState(expected: ReferenceReader, found: Reader, what: string): void {
  const entries = expected.scan();
  try {
    const scanned = [...found.scan()];
    // Described only when they differ: with racks of a hundred thousand cuts the describing was two thirds of their time.
    if (scanned.length !== entries.length || !scanned.every((entry, i) => isSameEntry(entry, entries[i] as Entry)))
      assert.deepEqual(scanned.map(describe), entries.map(describe), what);
    assert.equal(found.count(), entries.length, `${what}: count`);
    for (let i = 0; i < entries.length; i += 1 + Math.floor(entries.length / 64)) {
      const entry = entries[i] as Entry;
      const value = found.get(entry.key);
      if (value === undefined || Buffer.compare(value, entry.value) !== 0)
        assert.equal(describeValue(value), describeValue(entry.value), `${what}: get ${keyText(entry.key)}`);
    }
  } catch (error) {
    if (error instanceof SteleError && error.code === 'HISTORY_EXPIRED' && expected.mayBeExpired({})) return;
    throw error;
  }
}

function isSameEntry(left: Entry, right: Entry): boolean {
  if (left.version !== right.version || left.expiresAt !== right.expiresAt) return false;
  return Buffer.compare(left.key, right.key) === 0 && Buffer.compare(left.value, right.value) === 0;
}

function compareHistories(reference: Reference, engine: Engine, nowMs: number): void {
  const keys = reference.keysIn({ start: '', end: undefined });
  for (let i = 0; i < keys.length; i += 1 + Math.floor(keys.length / 32)) {
    const key = keys[i] as string;
    const truth = reference.history(key, nowMs);
    const told = [...engine.history(keyBytes(key))];
    const { start } = onlyKey(key);
    assert.ok(told.length >= reference.historyPromised(key, truth), `history of ${start} is too short`);
    assert.deepEqual(
      told.map((line) => ({ ...line, value: line.value?.slice() })),
      truth.slice(0, told.length).map((line) => ({ ...line, value: line.value?.slice() })),
      `history of ${start}`,
    );
  }
}

/** An entry as one comparable line; values by length, ends and a sum, so that a difference prints readably. */
export function describe(entry: { key: Uint8Array; value: Uint8Array; version: number; expiresAt: number | undefined }): string {
  return `${JSON.stringify(keyText(entry.key))} = ${describeValue(entry.value)} @${entry.version}${entry.expiresAt === undefined ? '' : ` until ${entry.expiresAt}`}`;
}

export function describeValue(value: Uint8Array | undefined): string {
  if (value === undefined) return 'nothing';
  let sum = 0;
  for (const byte of value) sum = (Math.imul(sum, 31) + byte) >>> 0;
  return `${value.length} bytes #${sum.toString(16)}`;
}
