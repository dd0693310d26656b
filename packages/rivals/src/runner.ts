/**
 * The run: rows one after another; in a row, each engine in a fresh process, the rounds of all interleaved.
 *
 * Only one child runs at a time: between its turns it is stopped (SIGSTOP), background threads and all, so that no engine's flush or
 * compaction costs another. The order of the engines rotates from round to round. An engine that fails leaves the row with its error
 * in the report; the others go on.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Answer, Order } from './child.ts';
import type { RivalName } from './rival.ts';
import type { RoundResult, Row, Settings } from './row.ts';
import { type Summary, summarize } from './summary.ts';

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const childModule = fileURLToPath(new URL(`./child.${extension}`, import.meta.url));

/** Windows knows no such signals: there the children only wait. */
const canStop = process.platform !== 'win32';

export interface EngineResult {
  readonly engine: RivalName;
  readonly settings: string;
  readonly summary: Summary | undefined;
  readonly error: string | undefined;
}

export interface RowResult {
  readonly row: Row;
  readonly engines: readonly EngineResult[];
}

export interface RunOptions {
  readonly rows: readonly Row[];
  readonly engines: readonly RivalName[];
  readonly settings: Settings;
  readonly root: string;
  readonly say: (line: string) => void;
}

class Child {
  readonly engine: RivalName;
  readonly results: RoundResult[] = [];
  settings = '';
  error: string | undefined;
  readonly #process: ChildProcess;

  constructor(engine: RivalName, nodeFlags: readonly string[]) {
    this.engine = engine;
    this.#process = fork(childModule, [], { execArgv: [...nodeFlags], serialization: 'advanced' });
  }

  /** The answer's value; after a failure nothing is asked any more. */
  ask(order: Order): Promise<unknown> {
    if (this.error !== undefined) return Promise.resolve(undefined);
    if (canStop) this.#process.kill('SIGCONT');
    return new Promise((resolve) => {
      const settle = (value: unknown, error?: string): void => {
        this.#process.off('message', onMessage);
        this.#process.off('exit', onExit);
        if (error !== undefined) this.error = error;
        if (canStop && order.what !== 'end' && error === undefined) this.#process.kill('SIGSTOP');
        resolve(value);
      };
      const onMessage = (answer: Answer): void => (answer.ok ? settle(answer.value) : settle(undefined, answer.error));
      const onExit = (code: number | null, signal: string | null): void => settle(undefined, `the process ended (${signal ?? code})`);
      this.#process.on('message', onMessage);
      this.#process.once('exit', onExit);
      this.#process.send(order);
    });
  }

  async end(): Promise<void> {
    await this.ask({ what: 'end' });
    if (canStop) this.#process.kill('SIGCONT');
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    if (this.#process.connected) this.#process.disconnect();
    const impatience = setTimeout(() => this.#process.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(impatience);
  }
}

async function load(engines: readonly RivalName[], options: RunOptions): Promise<Map<RivalName, string>> {
  const failed = new Map<RivalName, string>();
  for (const engine of engines) {
    const started = performance.now();
    const child = new Child(engine, []);
    await child.ask({ what: 'load', engine, settings: options.settings, root: options.root });
    await child.end();
    if (child.error !== undefined) failed.set(engine, child.error);
    options.say(`loaded ${engine}: ${child.error ?? `${((performance.now() - started) / 1000).toFixed(1)} s`}`);
  }
  return failed;
}

async function runRow(row: Row, failed: ReadonlyMap<RivalName, string>, options: RunOptions): Promise<RowResult> {
  const { settings, root } = options;
  const engines = options.engines.filter((engine) => row.engines.includes(engine));
  const children = engines.filter((engine) => !failed.has(engine)).map((engine) => new Child(engine, row.nodeFlags ?? []));
  for (const child of children) {
    const text = await child.ask({ what: 'begin', row: row.name, engine: child.engine, settings, root });
    child.settings = typeof text === 'string' ? text : '';
  }
  const rounds = Math.min(settings.rounds, row.roundsMax ?? settings.rounds);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < children.length; i++) {
      const child = children[(i + round) % children.length]!;
      const result = await child.ask({ what: 'round', round });
      if (result !== undefined) child.results.push(result as RoundResult);
    }
  }
  for (const child of children) await child.end();
  const results = engines.map((engine): EngineResult => {
    const child = children.find((child) => child.engine === engine);
    if (child === undefined) return { engine, settings: '', summary: undefined, error: failed.get(engine) };
    return {
      engine,
      settings: child.settings,
      summary: child.error === undefined ? summarize(child.results) : undefined,
      error: child.error,
    };
  });
  return { row, engines: results };
}

export async function run(options: RunOptions): Promise<RowResult[]> {
  const needed = options.engines.filter((engine) => options.rows.some((row) => row.data === 'loaded' && row.engines.includes(engine)));
  const failed = await load(needed, options);
  const results: RowResult[] = [];
  for (const row of options.rows) {
    const started = performance.now();
    const result = await runRow(row, failed, options);
    results.push(result);
    const figures = result.engines.map(({ engine, summary, error }) => `${engine} ${error ?? formatFigure(summary?.figures[row.figure])}`);
    options.say(`${row.name}: ${figures.join(' · ')}  [${row.unit}, ${((performance.now() - started) / 1000).toFixed(1)} s]`);
  }
  return results;
}

/** 1.39M, 829k, 12.5, 0.31 */
export function formatFigure(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '–';
  if (value >= 999_500) return `${(value / 1e6).toPrecision(3)}M`;
  if (value >= 9995) return `${Math.round(value / 1000)}k`;
  if (value >= 99.95) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}
