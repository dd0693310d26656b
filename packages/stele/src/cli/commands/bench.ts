/**
 * `bench`: a small measurement of this machine, in a directory of its own that is gone afterwards.
 *
 * Every row runs for about `--seconds`, on values of 100 bytes. Median and 99th percentile beside the rate: a mean hides the syncs. What other
 * engines do beside it is measured elsewhere (docs/benchmarks.md).
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BatchOperation, Commit, Database, Snapshot } from '../../model/types.ts';
import { open } from '../../node/open.ts';
import { textOption } from '../arguments.ts';
import type { Call } from '../command.ts';
import { EXIT_OK } from '../failure.ts';
import type { RowShape } from '../output.ts';
import { count, showProgress } from '../progress.ts';
import { parseDuration } from '../when.ts';

interface Measured {
  readonly name: string;
  /** Of operations. */
  readonly perSecond: number;
  readonly operations: number;
  readonly medianUs: number;
  readonly p99Us: number;
}

const FIGURES: RowShape<Measured> = {
  columns: [
    { name: 'what', paint: 'path', gives: true },
    { name: 'per second', paint: 'number', isRight: true },
    { name: 'median µs', isRight: true },
    { name: 'p99 µs', isRight: true },
  ],
  cells: ({ name, perSecond, medianUs, p99Us }) => [name, count(Math.round(perSecond)), micros(medianUs), micros(p99Us)],
  record: (row) => row,
};

const VALUE = 'x'.repeat(100);
const IN_FLIGHT = 64;
const BATCH = 1000;
const MS_DEFAULT = 1000;

export async function bench({ options, io, out }: Call): Promise<number> {
  const seconds = textOption(options, 'seconds');
  const ms = seconds === undefined ? MS_DEFAULT : parseDuration('--seconds', seconds);
  const directory = mkdtempSync(join(textOption(options, 'dir') ?? tmpdir(), 'stele-bench-'));
  const progress = showProgress({ label: 'bench', unit: 'measurements', out: io.stderr });
  const measured: Measured[] = [];
  try {
    await using database = await open(join(directory, 'data'));
    const steps = stepsOn(database);
    for (const [name, operations, step] of steps) {
      progress.at(measured.length, steps.length);
      measured.push(await measure(name, operations, ms, step, () => out.turn()));
    }
  } finally {
    progress.end();
    rmSync(directory, { recursive: true, force: true });
  }
  await out.rows(measured, FIGURES);
  return EXIT_OK;
}

type Step = () => unknown;

/** Name, operations a step, and the step; in the order in which they fill the database. */
function stepsOn(database: Database): (readonly [string, number, Step])[] {
  let written = 0;
  const key = (n: number): readonly (string | number)[] => ['bench', n];
  const anyOf = (count: number): number => Math.floor(Math.random() * count);
  const put = (): Promise<Commit> => database.put(key(written++), VALUE);
  const operation = (): BatchOperation => ({ type: 'put', path: key(written++), value: VALUE });
  return [
    ['put, on the device, one by one', 1, put],
    [`put, on the device, ${IN_FLIGHT} at once`, IN_FLIGHT, () => Promise.all(Array.from({ length: IN_FLIGHT }, put))],
    [`put, in batches of ${count(BATCH)}`, BATCH, () => database.batch(Array.from({ length: BATCH }, operation))],
    ['get, at random', 1, () => database.get(key(anyOf(written)))],
    ['get, of the past', 1, () => pastOf(database).get(key(anyOf(written)))],
    [
      `scan, ${count(BATCH)} rows`,
      BATCH,
      () => database.scan({ prefix: 'bench', start: key(anyOf(written - BATCH)), limit: BATCH }).toArray(),
    ],
    ['count of half', 1, () => database.count({ prefix: 'bench', start: key(Math.floor(written / 2)) })],
  ];
}

function pastOf(database: Database): Snapshot {
  const view = database.asOf(Math.max(1, Math.floor(database.version / 2)));
  queueMicrotask(() => view.close());
  return view;
}

async function measure(name: string, operations: number, ms: number, step: Step, turn: () => Promise<void>): Promise<Measured> {
  const times: number[] = [];
  let spent = 0;
  while (spent < ms) {
    const begin = performance.now();
    const pending = step();
    if (pending instanceof Promise) await pending;
    const took = performance.now() - begin;
    times.push(took);
    spent += took;
    if (times.length % BATCH === 0) await turn();
  }
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))]! * 1000;
  return {
    name,
    operations: times.length * operations,
    perSecond: (times.length * operations * 1000) / spent,
    medianUs: at(0.5),
    p99Us: at(0.99),
  };
}

function micros(us: number): string {
  return us < 100 ? us.toFixed(1) : count(Math.round(us));
}
