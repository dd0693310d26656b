/**
 * What the tests of the surface share: databases in memory whose clock the test moves, every kind of handle over the same data, and a
 * refusal checked for kind, code, words and that nothing was written.
 */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { inspect } from 'node:util';
import { SteleError } from '../../src/base/errors.ts';
import { seededRandom } from '../../src/host/faulty/prng.ts';
import type { Host } from '../../src/host/host.ts';
import { memoryHost } from '../../src/host/memory/host.ts';
import { memoryStorage } from '../../src/host/memory/storage.ts';
import { nodeHashing } from '../../src/host/posix/hashing.ts';
import { nodeTexts } from '../../src/host/posix/texts.ts';
import type { Storage } from '../../src/host/storage.ts';
import { attachDatabase } from '../../src/model/attached.ts';
import type { Database, OpenOptions, Path, Reading, Value } from '../../src/model/types.ts';
import { openSync } from '../../src/node/open.ts';

export const START_MS = 1_700_000_000_000;

export interface World {
  readonly host: Host;
  /** Both clocks of the host; the test moves them. */
  readonly clock: { ms: number };
}

export function makeWorld(storage: Storage = memoryStorage(), seed = 1): World {
  const clock = { ms: START_MS };
  const host = memoryHost({
    storage,
    clock: { nowMs: () => clock.ms, monotonicMs: () => clock.ms },
    random: seededRandom(seed),
    hashing: nodeHashing(),
    texts: nodeTexts(),
  });
  return { host, clock };
}

export interface Opened extends World {
  readonly db: Database;
}

/** A database in memory, closed when the test ends. */
export function opened(t: TestContext | undefined, options: OpenOptions = {}, world: World = makeWorld()): Opened {
  const db = openSync({ host: world.host, cacheMemory: 4 << 20, ...options });
  t?.after(() => db.close());
  return { ...world, db };
}

/** A directory of its own, gone when the test ends. */
export function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'stele-surface-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export type Rows = readonly (readonly [path: Path, value: Value])[];

/** The same data seen through each kind of handle; `close` ends them all. */
export interface Handles {
  readonly all: readonly (readonly [name: string, handle: Reading])[];
  close(): Promise<void>;
}

/** Every handle that reads, each over `rows` at its own root, in databases that hold other things as well. */
export function readersOf(rows: Rows): Handles {
  const plain = opened(undefined);
  const nested = opened(undefined);
  const empty = opened(undefined);
  const place: Path = ['far', 7, 'below'];
  const before: (readonly [Path, Value])[] = [
    [['far', 7, 'belo'], 'beside'],
    [['far', 7, 'below\0'], 'beside'],
    [['far', 7n, 'belowed'], 'beside'],
    [['far', 8], 'beside'],
    ['far', 'above'],
  ];
  for (const [path, value] of rows) plain.db.putSync(path, value);
  nested.db.batchSync(before.map(([path, value]) => ({ type: 'put', path, value })));
  for (const [path, value] of rows) nested.db.subtree(place).putSync(path, value);
  const now = plain.db.snapshot();
  const nestedNow = nested.db.snapshot();
  const then = plain.db.asOf(plain.db.version);
  // What came after is not seen by views.
  const later = opened(undefined);
  for (const [path, value] of rows) later.db.putSync(path, value);
  const view = later.db.snapshot();
  later.db.deleteTreeSync();
  later.db.putSync(['an', 'other'], 1);
  const transaction = plain.db.beginSync();
  const nestedTransaction = nested.db.beginSync();
  const own = empty.db.beginSync();
  for (const [path, value] of rows) own.put(path, value);
  const ownBelow = nested.db.beginSync();
  ownBelow.deleteTree(place);
  for (const [path, value] of rows) ownBelow.subtree(place).put(path, value);
  const attached = attachDatabase(plain.db.share(), plain.host, () => {});
  const attachedView = attached.snapshot();
  const all: (readonly [string, Reading])[] = [
    ['database', plain.db],
    ['identity', plain.db.as({ actor: 'ada', capabilities: ['read'] })],
    ['subtree', nested.db.subtree(place)],
    ['subtree of a subtree', nested.db.subtree(['far']).subtree([7, 'below'])],
    ['snapshot', now],
    ['snapshot of a subtree', nested.db.subtree(place).snapshot()],
    ['subtree of a snapshot', nestedNow.subtree(place)],
    ['asOf', then],
    ['snapshot of the past', view],
    ['transaction', transaction],
    ['subtree of a transaction', nestedTransaction.subtree(place)],
    ['transaction of a subtree', nested.db.subtree(place).beginSync()],
    ['own writes', own],
    ['own writes below a place', ownBelow.subtree(place)],
    ['attached', attached],
    ['attached snapshot', attachedView],
  ];
  return {
    all,
    async close() {
      attachedView.close();
      attached.close();
      for (const { db } of [plain, nested, empty, later]) await db.close();
    },
  };
}

export interface Refusal {
  readonly kind: SteleError['kind'];
  readonly code: string;
  /** What was found and what was expected. */
  readonly says?: RegExp;
}

/** The refusal of a call, thrown or rejected. */
export async function refusalOf(work: () => unknown): Promise<SteleError> {
  let result: unknown;
  try {
    result = await work();
  } catch (error) {
    assert.ok(error instanceof SteleError, `no typed error: ${error instanceof Error ? error.stack : String(error)}`);
    return error;
  }
  return assert.fail(`not refused, gave ${inspect(result)}: ${work}`);
}

export async function refused(work: () => unknown, { kind, code, says = /./ }: Refusal, about = ''): Promise<void> {
  const error = await refusalOf(work);
  assert.equal(`${error.kind} ${error.code}`, `${kind} ${code}`, `${error.message} <- ${about} ${work}`);
  assert.match(error.message, says, `${about} ${work}`);
}

/** As `refused`, and the database is as it was. */
export async function refusedUnwritten(db: Database, work: () => unknown, refusal: Refusal): Promise<void> {
  const { version } = db;
  const before = db.scan().toArray();
  await refused(work, refusal);
  assert.equal(db.version, version, `a commit was made: ${work}`);
  assert.deepEqual(db.scan().toArray(), before, `something was written: ${work}`);
}

/** Lets everything that is due now run: promises, and what waits behind them. */
export async function settled(turns = 5): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
