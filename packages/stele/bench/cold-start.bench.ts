/**
 * Cold start of the command: `stele get`, the whole command, and `node -e 0`, in turns, so that a noisy machine is noisy for all.
 *
 *   npm run build && npm exec -- node packages/stele/bench/cold-start.bench.ts
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { open } from '../src/index.ts';

const ROUNDS = 31;
const program = fileURLToPath(new URL('../bin/stele.cjs', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'stele-cold-'));
const runs: readonly (readonly [string, readonly string[]])[] = [
  ['node -e 0', ['-e', '0']],
  ['stele get', [program, '--db', directory, 'get', 'users/#500']],
  ['stele count', [program, '--db', directory, 'count', 'users']],
];

const db = await open(directory);
for (let n = 0; n < 1000; n++) db.putSync(['users', n], { name: `user ${n}`, n }, { durability: 'async' });
await db.close();

const times = runs.map((): number[] => []);
for (let round = -2; round < ROUNDS; round++)
  for (const [at, [name, words]] of runs.entries()) {
    const begin = performance.now();
    const { status } = spawnSync(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    if (status !== 0) throw new Error(`${name} ended with ${status}`);
    if (round >= 0) times[at]!.push(performance.now() - begin);
  }
rmSync(directory, { recursive: true });

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
for (const [at, [name]] of runs.entries())
  console.log(`${name.padEnd(12)} ${median(times[at]!).toFixed(1)} ms, ${(median(times[at]!) / median(times[0]!)).toFixed(2)} times`);
