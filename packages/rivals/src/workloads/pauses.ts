/**
 * How long a caller waits while the engine works in the background.
 *
 * One call per turn of the event loop; a turn's time from its begin to the end of the call is what a request would feel, whether the
 * call itself or a slice of background work before it took the time. The same loop with nothing in the background, in the same
 * round, is taken off.
 */

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { drawKeys, textOf } from '../data.ts';
import { quantile } from '../measure.ts';
import { asOurs } from '../ours.ts';
import { atMost, type Bench, ownRow, type Round } from '../row.ts';
import { uniform } from './reads.ts';
import { putOneByOne } from './writes.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** p99.9 of turns in ms while `work` runs, at least `turns` of them when there is none. */
async function turnsP999(call: (i: number) => void, turns: number, work: Promise<unknown> | undefined, budgetMs: number): Promise<number> {
  let running = work !== undefined;
  let failure: unknown;
  work?.then(
    () => void (running = false),
    (error: unknown) => {
      running = false;
      failure = error;
    },
  );
  const times: number[] = [];
  const begin = performance.now();
  let started = begin;
  for (let i = 0; running || (work === undefined && i < turns); i++) {
    await turn();
    call(i);
    const ended = performance.now();
    times.push(ended - started);
    started = ended;
    if (work === undefined && ended - begin > budgetMs) break;
  }
  if (failure !== undefined) throw failure;
  return quantile(times, 0.999);
}

function pauses(callOf: (bench: Bench, keys: readonly string[], round: number) => (i: number) => void) {
  return async (bench: Bench): Promise<Round> => {
    const rival = asOurs(bench.rival);
    const draw = uniform(bench, 71);
    const turns = Math.min(20_000, bench.settings.keys);
    return async (round) => {
      const keys = drawKeys(10_000, draw);
      const call = callOf(bench, keys, round);
      const idle = await turnsP999(call, turns, undefined, bench.settings.roundMs);
      const dirty = (): Promise<void> => putOneByOne(rival, keys, 0, Math.min(keys.length, bench.settings.keys), round + 3);
      await dirty();
      const flush = await turnsP999(call, turns, rival.flush(), bench.settings.roundMs);
      await dirty();
      const compact = await turnsP999(call, turns, Promise.resolve(rival.compact()), bench.settings.roundMs);
      const copy = join(bench.directory, `backup-${round + 1}`);
      mkdirSync(copy, { recursive: true });
      const backup = await turnsP999(call, turns, rival.backup(copy), bench.settings.roundMs);
      rmSync(copy, { recursive: true, force: true });
      const worst = Math.max(flush, compact, backup) - idle;
      return { figures: { worstMs: Math.max(0, worst), idleMs: idle, flushMs: flush, compactMs: compact, backupMs: backup } };
    };
  };
}

const common = { figure: 'worstMs', unit: 'ms', better: 'less', changes: true, warmups: 0 } as const;

export const pauseRows = [
  ownRow({
    name: 'get-pauses',
    title: "get p99.9 during flush, compaction, backup, above an idle loop's",
    ...common,
    bar: atMost(5, '5 ms'),
    goal: atMost(1, '1 ms'),
    prepare: pauses((bench, keys) => (i) => void bench.rival.get(keys[i % keys.length]!)),
  }),
  ownRow({
    name: 'put-pauses',
    title: 'put p99.9 during the same, likewise',
    ...common,
    bar: atMost(5, '5 ms'),
    goal: atMost(2, '2 ms'),
    prepare: pauses((bench, keys, round) => (i) => void bench.rival.put(keys[i % keys.length]!, textOf(i, round + 4))),
  }),
];
