/**
 * What policies and one index cost a put: processor time, each row beside a plain put in the same turns.
 *
 *   node --single-threaded packages/stele/bench/policies.bench.ts [rounds, default 6]
 *
 * Median of pieces of 200 puts, in memory, `async`. Records are objects of about 130 bytes; the index is over one of their members.
 */

import { NOBODY } from '../src/model/identity.ts';
import { declare } from '../src/model/policy/declare.ts';
import { writeDirect } from '../src/model/policy/direct-writes.ts';
import { EffectiveTrie } from '../src/model/policy/effective.ts';
import { WriteSession } from '../src/model/session.ts';
import type { Store } from '../src/model/store.ts';
import type { Segment, Value } from '../src/model/types.ts';
import { keyOf, openParts, testWorld } from '../test/policies/kit.ts';

const ROUNDS = Number(process.argv[2] ?? 6);
const PUTS = 20_000;
const PIECE = 200;

interface Way {
  readonly name: string;
  readonly store: Store;
  readonly put: (store: Store, key: Uint8Array, value: Uint8Array) => Promise<unknown>;
}

function newStore(isIndexed: boolean): Store {
  const store = openParts(testWorld(), { cacheMemory: 256 << 20 });
  if (isIndexed) declare(store, keyOf('users'), { index: { byEmail: ['email'] } }, NOBODY);
  return store;
}

const ways: readonly Way[] = [
  { name: 'plain put', store: newStore(false), put: ({ engine }, key, value) => engine.put(key, value) },
  { name: '(batch of this put)', store: newStore(false), put: ({ engine }, key, value) => engine.batch([{ type: 'put', key, value }]) },
  { name: 'indexed, direct', store: newStore(true), put: direct },
  { name: '(indexed, transaction)', store: newStore(true), put: inTransaction },
];

function direct({ engine, book }: Store, key: Uint8Array, value: Uint8Array): Promise<unknown> {
  return writeDirect(engine, book.find(key, key.length)!, { key, value, expiresAt: undefined });
}

function inTransaction(store: Store, key: Uint8Array, value: Uint8Array): Promise<unknown> {
  const txn = store.engine.begin();
  const session = new WriteSession(store, txn);
  session.putLeaf(key, value, { ttlMs: undefined, expiresAt: undefined });
  session.finish();
  return txn.commit();
}

const record = (n: number): Value => ({ email: `u${n}@example.org`, name: `Name ${n}`, age: n % 90, bio: 'x'.repeat(60) });
const id = (n: number): string => String((n * 7919) % PUTS).padStart(6, '0');

interface Load {
  readonly name: string;
  readonly path: (round: number, n: number) => Segment[];
  readonly value: (round: number, n: number) => Value;
}

const loads: readonly Load[] = [
  { name: 'new record', path: (round, n) => ['users', `${round}-${id(n)}`], value: (round, n) => record(round * PUTS + n) },
  { name: 'overwritten, field as it was', path: (_, n) => ['users', `0-${id(n)}`], value: (_, n) => record(n) },
  { name: 'overwritten, field changes', path: (_, n) => ['users', `0-${id(n)}`], value: (round, n) => record(round * 1_000_000 + n) },
  {
    name: 'field as a leaf of its own',
    path: (round, n) => ['users', `l${round}-${id(n)}`, 'email'],
    value: (_, n) => `u${n}@example.org`,
  },
  { name: 'leaf of no index', path: (round, n) => ['users', `l${round}-${id(n)}`, 'bio'], value: () => 'x'.repeat(60) },
];

const median = (times: number[]): number => times.sort((a, b) => a - b)[times.length >> 1]!;

async function measure({ path, value }: Load): Promise<number[]> {
  const times: number[][] = ways.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    const { codec } = ways[0]!.store;
    const puts = Array.from({ length: PUTS }, (_, n) => ({ key: keyOf(path(round, n)), value: codec.encode(value(round, n)) }));
    for (let from = 0; from < PUTS; from += PIECE) {
      for (let turn = 0; turn < ways.length; turn++) {
        const at = (turn + from / PIECE) % ways.length;
        const { store, put } = ways[at]!;
        const before = process.cpuUsage();
        for (let n = from; n < from + PIECE; n++) {
          const { key, value: bytes } = puts[n]!;
          const done = put(store, key, bytes);
          if (n % 100 === 99) await done;
        }
        const { user, system } = process.cpuUsage(before);
        if (round > 0) times[at]!.push((user + system) / PIECE);
      }
    }
  }
  return times.map(median);
}

for (const load of loads) {
  const times = await measure(load);
  const cells = ways.map(({ name }, at) => `${name} ${times[at]!.toFixed(2)} µs (${(times[at]! / times[0]!).toFixed(2)})`);
  console.log(`${load.name.padEnd(30)}${cells.join('   ')}`);
}

const subtrees = Array.from({ length: 1000 }, (_, n) => ({
  prefix: keyOf([`tenant${n % 10}`, `area${Math.floor(n / 10) % 10}`, `kind${Math.floor(n / 100)}`, `leaf${n}`]),
  declared: { ttl: 1000 },
  maintainers: [],
  opened: [],
}));
const keys = Array.from({ length: 100_000 }, (_, n) => {
  const { prefix } = subtrees[(n * 7919) % 1000]!;
  return Uint8Array.from([...prefix, ...keyOf([n, 'name']).subarray(1)]);
});
const finds: number[] = [];
const compilations: number[] = [];
for (let round = 0; round < 20; round++) {
  const start = process.cpuUsage();
  const trie = new EffectiveTrie(subtrees);
  const compiled = process.cpuUsage(start);
  const before = process.cpuUsage();
  let found = 0;
  for (const key of keys) if (trie.find(key, key.length) !== undefined) found++;
  const { user, system } = process.cpuUsage(before);
  if (found !== keys.length) throw new Error('a key was not found');
  finds.push((user + system) / 100);
  compilations.push((compiled.user + compiled.system) / 1000);
}
console.log(
  `find among 1,000 policies four segments deep: ${median(finds).toFixed(0)} ns; compiling them ${median(compilations).toFixed(1)} ms`,
);
for (const { store } of ways) await store.engine.close();
