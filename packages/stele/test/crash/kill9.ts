/**
 * kill -9 of a child under load on real files.
 *
 * Each round starts the child on the directory the last one left, kills it without warning after a random while, opens what is
 * there, and compares: every acknowledged commit is there at every durability level, the state is exactly that after so many
 * commits, past versions too. Every second round the parent only reads, so that the child itself recovers.
 */

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { posixHost } from '../../src/host/posix/host.ts';
import { openEngineSync } from '../../src/txn/engine.ts';
import type { Durability, Reader } from '../../src/txn/types.ts';
import { SeededRandom } from '../model/random.ts';
import { keyText } from '../reference/keys.ts';
import { describeValue } from '../reference/recovery.ts';
import { operationsOf, SIZES } from './kill9-child.ts';
import { mixSeed } from './machine.ts';

export interface KillRun {
  readonly seed: number;
  readonly durability: Durability;
  readonly rounds: number;
  /** ms, or Infinity. */
  readonly historyMs: number;
}

/** @throws {AssertionError} when something acknowledged is gone or wrong. */
export async function runKills(run: KillRun): Promise<{ rounds: number; commits: number; acknowledged: number }> {
  const directory = mkdtempSync(join(tmpdir(), 'stele-kill9-'));
  const random = new SeededRandom(mixSeed(run.seed, 9));
  const state = new Walker(run.seed);
  let heard = 0;
  for (let round = 0; round < run.rounds; round++) {
    const acknowledged = await oneLife(directory, run, 20 + random.below(round % 5 === 0 ? 400 : 120));
    heard = Math.max(heard, acknowledged);
    try {
      await check(directory, run, round, heard, state);
    } catch (error) {
      throw new Error(`kill9 seed ${run.seed} ${run.durability} round ${round}, files kept in ${directory}`, { cause: error });
    }
  }
  rmSync(directory, { recursive: true, force: true });
  return { rounds: run.rounds, commits: state.version, acknowledged: heard };
}

/** One child from start to kill. Returns the newest acknowledged commit. */
function oneLife(directory: string, run: KillRun, lifeMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = fork(new URL('./kill9-child.ts', import.meta.url), [directory, run.durability, String(run.seed), String(run.historyMs)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let acknowledged = 0;
    let wasReady = false;
    let complaints = '';
    child.stderr?.on('data', (text: Buffer) => (complaints += text.toString()));
    child.on('message', (message: { ready?: number; acknowledged?: number }) => {
      if (message.ready !== undefined) {
        wasReady = true;
        setTimeout(() => child.kill('SIGKILL'), lifeMs);
      } else acknowledged = Math.max(acknowledged, message.acknowledged ?? 0);
    });
    child.on('close', (_code, signal) => {
      if (signal === 'SIGKILL' && wasReady) resolve(acknowledged);
      else reject(new Error(`the child ended by itself: ${complaints}`));
    });
  });
}

async function check(directory: string, run: KillRun, round: number, heard: number, state: Walker): Promise<void> {
  const readOnly = round % 2 === 0;
  const host = posixHost(directory, { threads: 'inline' });
  const engine = openEngineSync({ host, readOnly, ...SIZES, cacheMemory: 16 * 1024 * 1024 });
  const { version } = engine;
  assert.ok(version >= heard, `version ${version} after the kill, ${heard} was acknowledged`);
  const past = Math.max(state.version, version - 40);
  if (run.historyMs === Number.POSITIVE_INFINITY && past < version && past > 0) {
    state.goTo(past);
    using view = engine.asOf(past);
    compare(state, view, `version ${past} of ${version}`);
  }
  state.goTo(version);
  compare(state, engine, `version ${version}`);
  if (round % 10 === 9) {
    const report = await engine.verify();
    assert.deepEqual(report.damages, []);
  }
  await engine.close();
  await host.threads.close();
  host.storage.close();
}

function compare(state: Walker, reader: Reader, what: string): void {
  const found = [...reader.scan()].map((entry) => `${keyText(entry.key)} ${describeValue(entry.value)} @${entry.version}`);
  assert.deepEqual(found, state.lines(), what);
}

/** The state after so many commits, step by step. */
class Walker {
  version = 0;
  readonly #seed: number;
  readonly #values = new Map<string, string>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  goTo(version: number): void {
    assert.ok(version >= this.version, `version ${version} after a kill, ${this.version} before`);
    for (; this.version < version; this.version++) {
      for (const operation of operationsOf(this.#seed, this.version + 1)) {
        if (operation.type === 'put')
          this.#values.set(keyText(operation.key), `${keyText(operation.key)} ${describeValue(operation.value)} @${this.version + 1}`);
        else if (operation.type === 'delete') this.#values.delete(keyText(operation.key));
      }
    }
  }

  lines(): string[] {
    return [...this.#values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line);
  }
}
