/**
 * What only the public surface has: policies, secondary indexes, one level of the tree, handles below a prefix.
 *
 * Each row compares two of our own ways in the same round, chunk by chunk in turns, so that a slow minute hits both.
 */

import type { SteleRival } from '../adapters/stele.ts';
import { seededRandom, shuffledIndexes, textOf } from '../data.ts';
import { median, timeMs } from '../measure.ts';
import { asOurs } from '../ours.ts';
import { atLeast, atMost, type Bench, ownRow, type Round, surfaceOnly } from '../row.ts';
import { uniform } from './reads.ts';

type Subtree = ReturnType<SteleRival['database']['subtree']>;

const steleOf = (bench: Bench): SteleRival => asOurs(bench.rival) as SteleRival;
const another = async (bench: Bench, name: string): Promise<SteleRival> => asOurs(await bench.openAnother(name)) as SteleRival;

/** Median µs per call of each way, chunks in turns. */
async function inTurns(bench: Bench, ways: readonly ((i: number) => unknown)[], perChunk: number): Promise<number[]> {
  const times = ways.map((): number[] => []);
  const chunk = Math.min(perChunk, bench.settings.keys);
  const begin = performance.now();
  for (let at = 0; at < 100 * chunk && (at === 0 || performance.now() - begin < bench.settings.roundMs); at += chunk) {
    for (let turn = 0; turn < ways.length; turn++) {
      const which = (turn + at / chunk) % ways.length;
      const started = performance.now();
      for (let i = at; i < at + chunk; i++) ways[which]!(i);
      times[which]!.push(((performance.now() - started) * 1000) / chunk);
    }
  }
  return times.map(median);
}

const TEAMS_MAX = 1000;
const pad = (value: number, digits: number): string => String(value).padStart(digits, '0');
/** A place at depth 4; paths below it have 20 characters. */
const teamOf = (root: string, team: number): string => `${root}/${pad(Math.floor(team / 100), 2)}/t/${pad(team % 100, 2)}`;

/**
 * Overwrites of paths below 1,000 places that each have a policy: of those that say how long history is kept and how durable commits are,
 * of those that say how long values live, and of paths beside them. The same paths without any policy are the measure.
 */
async function policies(bench: Bench): Promise<Round> {
  const plain = await another(bench, 'plain');
  const declared = await another(bench, 'declared');
  // A declaration waits for the device: a small run makes few.
  const teams = Math.min(TEAMS_MAX, 2 * Math.ceil(bench.settings.keys / 100));
  const random = seededRandom(bench.settings.seed + 101);
  const count = Math.min(50_000, bench.settings.keys);
  const pathsBelow = (root: string, from: number): string[] =>
    Array.from({ length: count }, () => {
      const team = from + Math.floor((random() * teams) / 2);
      return `${teamOf(root, team)}/${pad(Math.floor(random() * 100), 9)}`;
    });
  const kept = pathsBelow('o', 0);
  const expiring = pathsBelow('o', teams / 2);
  const beside = pathsBelow('p', 0);
  for (let team = 0; team < teams / 2; team++) {
    declared.database.subtree(teamOf('o', team), { history: 30 * 86_400_000, durability: 'async' });
    declared.database.subtree(teamOf('o', team + teams / 2), { ttl: 30 * 86_400_000 });
  }
  for (const one of [plain, declared])
    for (const paths of [kept, expiring, beside])
      for (let i = 0; i < count; i += 1000) {
        const some = paths.slice(i, i + 1000);
        one.batch(
          some,
          some.map((_path, j) => textOf(j)),
        );
      }
  return async (round) => {
    const ratioOf = async (paths: readonly string[]): Promise<number> => {
      const way = (one: SteleRival) => (i: number) => one.put(paths[i % count]!, textOf(i, round + 2));
      const [without, withPolicies] = (await inTurns(bench, [way(plain), way(declared)], 500)) as [number, number];
      return withPolicies / without;
    };
    const ofKept = await ratioOf(kept);
    const ofBeside = await ratioOf(beside);
    return { figures: { ratio: Math.max(ofKept, ofBeside), ofKept, ofBeside, ofExpiring: await ratioOf(expiring) } };
  };
}

/** Records whose indexed field changes, and the same puts where nothing is declared. */
async function oneIndex(bench: Bench): Promise<Round> {
  const plain = await another(bench, 'plain');
  const indexed = await another(bench, 'indexed');
  indexed.database.subtree('users', { index: { byMail: ['mail'] } });
  const count = Math.min(100_000, bench.settings.keys);
  const order = shuffledIndexes(count, bench.settings.seed + 102);
  const path = (i: number, leaf: string): string => `users/${pad(order[i % count]!, 9)}/${leaf}`;
  /** In another order than the records, and never twice. */
  const mail = (i: number, tag: string): string => `${pad((i * 7919) % 1_000_003, 7)}.${tag}@mail.test`;
  for (let i = 0; i < count; i++)
    for (const one of [plain, indexed]) {
      one.put(path(i, 'mail'), mail(i % count, 'first'));
      one.put(path(i, 'name'), textOf(i));
    }
  let fresh = 0;
  return async (round) => {
    const change = (one: SteleRival) => (i: number) => one.put(path(i, 'mail'), mail(i % count, `${i < count ? 'a' : 'b'}${round}`));
    const insert = (one: SteleRival, from: number) => (i: number) =>
      one.put(`users/${pad(1_000_000 + from + i, 9)}/mail`, mail(i, `n${round}`));
    const aside = (one: SteleRival) => (i: number) => one.put(path(i, 'name'), textOf(i, round + 2));
    const ratioOf = async (way: (one: SteleRival) => (i: number) => unknown): Promise<number> => {
      const [without, withIndex] = (await inTurns(bench, [way(plain), way(indexed)], 500)) as [number, number];
      return withIndex / without;
    };
    const ofChange = await ratioOf(change);
    const from = fresh;
    fresh += 1_000_000;
    const ofInsert = await ratioOf((one) => insert(one, from));
    const ofAside = await ratioOf(aside);
    const now = indexed.get(path(1, 'mail'))!;
    const found = indexed.database.subtree('users').lookup('byMail', now).toArray().length;
    if (found !== 1) throw new Error(`the index finds ${found} records`);
    return { figures: { ratio: Math.max(ofChange, ofInsert), ofChange, ofInsert, ofAside } };
  };
}

const CHILDREN = 1000;

/** As many entries as the loaded set has, below 1,000 children. */
async function children(bench: Bench): Promise<Round> {
  const { database } = await another(bench, 'children');
  const { keys } = bench.settings;
  const parents = Math.min(CHILDREN, keys);
  for (let at = 0; at < keys; at += 1000) {
    const operations = Array.from({ length: Math.min(1000, keys - at) }, (_, i) => ({
      type: 'put' as const,
      path: `tree/${pad((at + i) % parents, 6)}/${pad(at + i, 8)}`,
      value: textOf(at + i),
    }));
    database.batchSync(operations);
  }
  return async () => {
    const childrenMs: number[] = [];
    for (let i = 0; i < 20; i++) {
      let count = 0;
      childrenMs.push(
        await timeMs(() => {
          for (const _child of database.children('tree')) count++;
        }),
      );
      if (count !== parents) throw new Error(`children() gave ${count} of ${parents}`);
    }
    let rows = 0;
    const scanMs = await timeMs(() => {
      for (const _row of database.scan({ prefix: 'tree', values: false })) rows++;
    });
    if (rows !== keys) throw new Error(`the scan gave ${rows} of ${keys}`);
    const ms = median(childrenMs);
    return { figures: { ratio: scanMs / ms, childrenMs: ms, scanMs } };
  };
}

/** The same gets through a handle of a subtree, with what is left of the path. */
async function subtreeGet(bench: Bench): Promise<Round> {
  const { database } = steleOf(bench);
  const draw = uniform(bench, 104);
  const users: Subtree = database.subtree('users');
  return async () => {
    const ids = Array.from({ length: Math.min(100_000, bench.settings.keys) }, () => `${pad(2 * draw(), 9)}/name`);
    const whole = ids.map((id) => Buffer.from(`users/${id}`, 'latin1').toString('latin1'));
    const flat = ids.map((id) => Buffer.from(id, 'latin1').toString('latin1'));
    const expect = (value: unknown): void => {
      if (value === undefined) throw new Error('a key is missing');
    };
    const ways = [
      (i: number): void => expect(database.get(whole[i % whole.length]!)),
      (i: number): void => expect(users.get(flat[i % flat.length]!)),
    ];
    const [root, below] = (await inTurns(bench, ways, 1000)) as [number, number];
    return { figures: { ratio: below / root, rootUs: root, subtreeUs: below } };
  };
}

/** A get and a put of the same path in a transaction, against the get and the put alone. */
async function transaction(bench: Bench): Promise<Round> {
  const { database } = steleOf(bench);
  const draw = uniform(bench, 105);
  return async (round) => {
    const paths = Array.from({ length: Math.min(50_000, bench.settings.keys) }, () => `users/${pad(2 * draw(), 9)}/name`);
    const ways = [
      (i: number): unknown => {
        const path = paths[i % paths.length]!;
        return database.get(path) === undefined ? undefined : database.putSync(path, textOf(i, round + 2));
      },
      (i: number): unknown =>
        database.transactSync((tx) => {
          const path = paths[i % paths.length]!;
          if (tx.get(path) !== undefined) tx.put(path, textOf(i, round + 2));
        }),
    ];
    const [alone, inside] = (await inTurns(bench, ways, 500)) as [number, number];
    return { figures: { ratio: inside / alone, aloneUs: alone, transactionUs: inside } };
  };
}

const ratioRow = { engines: surfaceOnly, figure: 'ratio', unit: 'x', better: 'less' } as const;

export const surfaceRows = [
  ownRow({
    name: 'policies-1000',
    title: 'put below one of 1,000 policies at depth 4, against none (time)',
    ...ratioRow,
    data: 'empty',
    changes: true,
    bar: atMost(1.1, '1.10x'),
    goal: atMost(1.03, '1.03x'),
    prepare: policies,
  }),
  ownRow({
    name: 'one-index',
    title: 'put with one secondary index, changed or new, against a plain put (time)',
    ...ratioRow,
    data: 'empty',
    changes: true,
    bar: atMost(2.2, '2.2x'),
    goal: atMost(2.2, '2.2x'),
    prepare: oneIndex,
  }),
  ownRow({
    name: 'children',
    title: '`children()` over 1,000 children with the loaded number of keys below, against a prefix scan without values',
    ...ratioRow,
    better: 'more',
    data: 'empty',
    changes: true,
    bar: atLeast(100, '100x'),
    goal: atLeast(500, '500x'),
    prepare: children,
  }),
  ownRow({
    name: 'subtree-get',
    title: 'get through a subtree handle, against the root handle (time)',
    ...ratioRow,
    bar: atMost(1.1, '1.1x'),
    goal: atMost(1, '1x'),
    prepare: subtreeGet,
  }),
  ownRow({
    name: 'transaction',
    title: 'get and put in a transaction, against the two alone (time)',
    ...ratioRow,
    changes: true,
    bar: atMost(3, '3x'),
    goal: atMost(2, '2x'),
    prepare: transaction,
  }),
];
