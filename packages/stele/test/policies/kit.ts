/** What the tests of policies and indexes share: a database in memory whose clock they move. */

import { seededRandom } from '../../src/host/faulty/prng.ts';
import type { Host } from '../../src/host/host.ts';
import { memoryHost } from '../../src/host/memory/host.ts';
import { memoryStorage } from '../../src/host/memory/storage.ts';
import { type IndexDifference, indexDifferences } from '../../src/model/index/verify.ts';
import type { MaintainerFactory } from '../../src/model/maintainer.ts';
import { openDatabase } from '../../src/model/open.ts';
import { encodePrefix } from '../../src/model/path/encode.ts';
import { PolicyBook } from '../../src/model/policy/book.ts';
import { WriteSession } from '../../src/model/session.ts';
import { Codec, Store } from '../../src/model/store.ts';
import type { Database, OpenOptions, Path, Value } from '../../src/model/types.ts';
import { openEngineSync } from '../../src/txn/engine.ts';
import type { EngineOptions } from '../../src/txn/types.ts';

export interface TestClock {
  ms: number;
}

export interface TestWorld {
  readonly clock: TestClock;
  readonly host: Host;
}

export function testWorld(seed = 1): TestWorld {
  const clock = { ms: 1_700_000_000_000 };
  const host = memoryHost({
    storage: memoryStorage(),
    clock: { nowMs: () => clock.ms, monotonicMs: () => clock.ms },
    random: seededRandom(seed),
  });
  return { clock, host };
}

/** Opens the world's database, again after a close. */
export function openTest({ host }: TestWorld, options: OpenOptions = {}, maintainers: readonly MaintainerFactory[] = []): Database {
  const targets = {
    storage: (): never => {
      throw new Error('no targets here');
    },
    pack: (): never => {
      throw new Error('no targets here');
    },
    scratch: (): never => {
      throw new Error('no targets here');
    },
  };
  return openDatabase({ host, targets, cacheMemory: 4 << 20, maintainers, release: async () => {} }, { durability: 'async', ...options });
}

/** The parts behind a database, for tests of the seams; nothing is resumed or built unless they do it. */
export function openParts({ host }: TestWorld, options: Partial<EngineOptions> = {}, factories: readonly MaintainerFactory[] = []): Store {
  const engine = openEngineSync({ host, cacheMemory: 4 << 20, durability: 'async', ...options });
  const codec = new Codec(host);
  const readOnly = options.readOnly === true;
  const book = PolicyBook.load(engine, { codec, retention: engine.retention, logRetentionMs: options.logRetention, factories, readOnly });
  return new Store({ engine, book, host, codec, readOnly, logger: () => {} });
}

/** The key of a path, keyspace byte first. */
export function keyOf(path: Path): Uint8Array {
  const scratch = new Uint8Array(8192);
  return scratch.slice(0, encodePrefix(path, scratch, 0));
}

/** Puts, or deletes for undefined, through the session, as a plain write below a maintainer does. */
export function writeLeaf(store: Store, path: Path, value: Value | undefined, expiresAt = 0): void {
  const txn = store.engine.begin();
  try {
    const session = new WriteSession(store, txn);
    if (value === undefined) session.deleteLeaf(keyOf(path));
    else session.putLeaf(keyOf(path), store.codec.encode(value), { ttlMs: undefined, expiresAt });
    session.finish();
    txn.commitSync();
  } finally {
    txn.abort();
  }
}

/** What differs between the indexes and the data. */
export function differencesOf(store: Store): readonly IndexDifference[] {
  const view = store.engine.snapshot();
  try {
    return [...indexDifferences(store, view)].filter((difference) => difference !== undefined);
  } finally {
    view.close();
  }
}
