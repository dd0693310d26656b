/**
 * Recovery: a writer in a process of its own is killed with commits behind it that no flush has seen; then the database is opened.
 *
 * The replay rate is commits by the time of opening. Ours says how many commits it replayed; of the others all that were written are
 * taken, which is an upper bound when the engine flushed meanwhile.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { timeMs } from '../measure.ts';
import { asOurs, isOurs } from '../ours.ts';
import { type Bench, onDisk, oursOnly, type Round, row } from '../row.ts';

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const writer = fileURLToPath(new URL(`../killed-writer.${extension}`, import.meta.url));

/** Starts the writer, waits until it wrote `commits`, and kills it. */
function writeAndKill(bench: Bench, directory: string, commits: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = fork(writer, [bench.engine, directory, String(commits), String(bench.settings.cacheBytes)], {
      execArgv: [],
    });
    let written = false;
    child.once('message', () => {
      written = true;
      child.kill('SIGKILL');
    });
    child.once('error', reject);
    child.once('exit', (code) => (written ? resolve() : reject(new Error(`the writer ended early with ${code}`))));
  });
}

async function recovery(bench: Bench): Promise<Round> {
  const commits = Math.min(500_000, Math.floor(bench.settings.keys / 2));
  return async (round) => {
    const name = `killed-${round}`;
    const directory = join(bench.directory, name);
    await writeAndKill(bench, directory, commits);
    if (!existsSync(directory)) throw new Error('the writer left no directory');
    let count = 0;
    let replayed = 0;
    const openMs = await timeMs(async () => {
      const rival = await bench.openAnother(name);
      count = await rival.count();
      replayed = isOurs(bench.engine) ? asOurs(rival).replayed() : commits;
    });
    if (count !== commits) throw new Error(`${bench.engine}: lost ${commits - count} of ${commits} resolved commits`);
    return { figures: { openMs, replayRate: (replayed * 1000) / openMs, replayed } };
  };
}

const common = { kind: 'ours', engines: onDisk, data: 'empty', changes: true, warmups: 0, roundsMax: 2, prepare: recovery } as const;

export const recoveryRows = [
  row({
    ...common,
    name: 'recovery',
    title: 'recovery after a kill, 500 k commits since the last flush',
    figure: 'openMs',
    unit: 'ms',
    better: 'less',
    bar: { text: '≤ 2 s', checks: [{ atMost: 2000 }] },
    goal: { text: '≤ 0.5 s', checks: [{ atMost: 500 }] },
  }),
  row({
    ...common,
    name: 'replay',
    engines: oursOnly,
    title: 'replay of the log',
    figure: 'replayRate',
    unit: 'commits/s',
    bar: { text: '300 k commits/s', checks: [{ atLeast: 300_000 }] },
    goal: { text: '800 k', checks: [{ atLeast: 800_000 }] },
  }),
];
