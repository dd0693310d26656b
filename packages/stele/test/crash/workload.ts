/**
 * Workloads: some three hundred operations of every kind, from a seed.
 *
 * A step is a call or a few. Keys come in families: `a` a few dozen that are overwritten, `h` three that get deep chains, `t` with
 * an end, `n` many that fill pages, `z` under a rule of their own, `big` with values beyond 16 KiB.
 */

import type { CommitOptions, Durability, Operation } from '../../src/txn/types.ts';
import { SeededRandom } from '../model/random.ts';
import { keyBytes } from '../reference/keys.ts';
import type { Driver } from './driver.ts';
import { mixSeed } from './machine.ts';

type Kind =
  | 'put'
  | 'putSync'
  | 'delete'
  | 'batch'
  | 'bulk'
  | 'parts'
  | 'large'
  | 'ttl'
  | 'deleteRange'
  | 'transaction'
  | 'conflict'
  | 'pause'
  | 'flush'
  | 'flushBeside'
  | 'compact'
  | 'sync'
  | 'reopen'
  | 'view'
  | 'readView'
  | 'rules'
  | 'churn';

const WEIGHTS: Readonly<Record<Kind, number>> = {
  put: 40,
  putSync: 16,
  delete: 14,
  batch: 16,
  bulk: 5,
  parts: 1,
  large: 6,
  ttl: 10,
  deleteRange: 2,
  transaction: 10,
  conflict: 2,
  pause: 22,
  flush: 3,
  flushBeside: 4,
  compact: 2,
  sync: 3,
  reopen: 2,
  view: 6,
  readView: 6,
  rules: 2,
  churn: 6,
};

const userKey = (text: string): Uint8Array => keyBytes(`\x02${text}`);

/** Runs `steps` steps of the seed's workload. Stops early, without a word, when `goesOn` says so. */
export async function runWorkload(driver: Driver, steps: number, goesOn: () => boolean = () => true): Promise<void> {
  const random = new SeededRandom(mixSeed(driver.setup.seed, 77));
  for (let step = 0; step < steps && goesOn(); step++) await runStep(driver, random, random.weighted(WEIGHTS));
  await driver.settle();
}

async function runStep(driver: Driver, random: SeededRandom, kind: Kind): Promise<void> {
  switch (kind) {
    case 'put':
      return driver.commit([put(random, anyKey(random), random.below(400))], options(random), random.oneIn(3));
    case 'putSync':
      return driver.commitSync([put(random, anyKey(random), random.below(1500))], options(random));
    case 'delete':
      return driver.commit([{ type: 'delete', key: anyKey(random) }], options(random), random.oneIn(4));
    case 'batch': {
      const operations: Operation[] = [];
      for (let i = random.between(2, 12); i > 0; i--)
        operations.push(random.oneIn(4) ? { type: 'delete', key: anyKey(random) } : put(random, anyKey(random), random.below(300)));
      return driver.commit(operations, options(random), random.oneIn(2));
    }
    case 'bulk': {
      const first = random.below(400);
      const operations = Array.from({ length: 60 }, (_, i) => put(random, userKey(`n${String(first + i).padStart(4, '0')}`), 700));
      return driver.commit(operations, options(random), random.oneIn(2));
    }
    case 'parts': {
      driver.places.reach('several parts');
      const operations = Array.from({ length: 40 }, (_, i) => put(random, userKey(`p${i}`), 30_000));
      return driver.commit(operations, options(random), random.oneIn(2));
    }
    case 'large':
      driver.places.reach('large value');
      return driver.commit(
        [put(random, userKey(`big${random.below(3)}`), random.between(17_000, 90_000))],
        options(random),
        random.oneIn(2),
      );
    case 'ttl': {
      const ttlMs = random.pick([1, 50, 400, 3000]);
      return driver.commit(
        [{ ...put(random, userKey(`t${random.below(12)}`), random.below(200)), ttlMs }],
        options(random),
        random.oneIn(3),
      );
    }
    case 'deleteRange': {
      const first = random.below(400);
      const bound = (n: number) => userKey(`n${String(n).padStart(4, '0')}`);
      return driver.commit([{ type: 'deleteRange', start: bound(first), end: bound(first + 30) }], options(random), random.oneIn(2));
    }
    case 'transaction': {
      const key = anyKey(random);
      const writes = [put(random, anyKey(random), 100), { type: 'delete' as const, key: anyKey(random) }];
      return driver.transact((txn) => void [txn.get(key), txn.count({ start: userKey('a'), end: userKey('b') })], writes);
    }
    case 'conflict': {
      const key = userKey('a1');
      const look = put(random, userKey('a2'), 10);
      const disturbing = put(random, key, 20);
      return driver.transact(
        (txn) => void txn.get(key),
        [look],
        () => driver.commitSync([disturbing], {}),
      );
    }
    case 'churn': {
      const waits: Promise<void>[] = [];
      for (let i = random.between(3, 10); i > 0; i--)
        waits.push(driver.commit([put(random, userKey(`h${random.below(3)}`), 80)], {}, true));
      return void (await Promise.all(waits));
    }
    default:
      return runCare(driver, random, kind);
  }
}

async function runCare(driver: Driver, random: SeededRandom, kind: Kind): Promise<void> {
  const ms = random.pick([0, 1, 5, 30, 300, 1100]);
  switch (kind) {
    case 'pause':
      return driver.pause(ms);
    case 'flush':
    case 'flushBeside':
      return driver.failed ? undefined : driver.background(driver.engine.flush(), kind === 'flush');
    case 'compact':
      return driver.failed ? undefined : driver.background(driver.engine.compact(), random.oneIn(2), 'cut inside compaction');
    case 'sync':
      return driver.failed ? undefined : driver.background(driver.engine.sync(), random.oneIn(2));
    case 'reopen':
      return driver.isStrict ? driver.reopen() : undefined;
    case 'view':
      return driver.openView();
    case 'readView':
      return driver.readView();
    case 'rules': {
      const rules = {
        rules: [
          { prefix: new Uint8Array(0), historyMs: random.pick([Infinity, 0, 1500, driver.setup.historyMs]) },
          { prefix: userKey('z'), historyMs: random.pick([0, 500, Infinity]) },
        ],
      };
      return driver.setRules(rules);
    }
    default:
      throw new RangeError(kind);
  }
}

function anyKey(random: SeededRandom): Uint8Array {
  switch (random.below(6)) {
    case 0:
      return userKey(`h${random.below(3)}`);
    case 1:
      return userKey(`t${random.below(12)}`);
    case 2:
      return userKey(`z${random.below(8)}`);
    case 3:
      return userKey(`n${String(random.below(400)).padStart(4, '0')}`);
    default:
      return userKey(`a${random.below(40)}`);
  }
}

/** A value whose every byte depends on the draw, so that a mixed-up one shows. */
export function valueBytes(random: SeededRandom, bytes: number): Uint8Array {
  const value = new Uint8Array(bytes);
  let word = random.next();
  for (let at = 0; at < bytes; at++) {
    word = (Math.imul(word, 1664525) + 1013904223) >>> 0;
    value[at] = word >>> 24;
  }
  return value;
}

function put(random: SeededRandom, key: Uint8Array, bytes: number): { type: 'put'; key: Uint8Array; value: Uint8Array } {
  return { type: 'put', key, value: valueBytes(random, bytes) };
}

function options(random: SeededRandom): CommitOptions {
  const durability = random.pick<Durability | undefined>([undefined, undefined, undefined, 'immediate', 'debounced', 'async']);
  const asserted = random.oneIn(8)
    ? { assertedTimeMs: 1_000_000 + random.below(1_000_000), meta: [new Uint8Array([random.below(256)])] }
    : {};
  return { ...(durability === undefined ? {} : { durability }), ...asserted };
}
