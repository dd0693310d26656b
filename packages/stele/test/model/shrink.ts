/**
 * Runs programs, and cuts a failing one down to the steps that matter.
 *
 * Cutting is delta debugging (Zeller and Hildebrandt 2002): leave out ever smaller stretches of steps as long as the
 * program still diverges in the same question, then make single steps simpler. Every trial runs on a fresh target.
 */

import { Divergence } from './answer.ts';
import type { Coverage } from './coverage.ts';
import type { Program, Setup, Step, Write } from './program.ts';
import { ModelRun } from './run.ts';
import type { MakeTarget } from './target.ts';

export interface Failure {
  /** Index of the step that diverged; the number of steps when the final audit did. */
  readonly at: number;
  readonly divergence: Divergence;
  readonly operations: number;
}

export interface RunResult {
  readonly failure: Failure | undefined;
  readonly operations: number;
}

/** Runs the steps, then an audit, a reopening and an audit. */
export async function runProgram(
  make: MakeTarget,
  setup: Setup,
  steps: Iterable<Step>,
  values: Uint8Array,
  coverage?: Coverage,
): Promise<RunResult> {
  const run = new ModelRun(make(setup), setup, values, coverage);
  let at = 0;
  try {
    await run.open();
    for (const step of steps) {
      await run.step(step);
      at++;
    }
    for (const step of ending) await run.step(step);
    await run.close();
    return { failure: undefined, operations: run.operations };
  } catch (error) {
    await run.abandon();
    const divergence = error instanceof Divergence ? error : new Divergence('the run threw', 'no error', error, error);
    return { failure: { at, divergence, operations: run.operations }, operations: run.operations };
  }
}

const ending: readonly Step[] = [
  { step: 'read', of: 'engine', read: { ask: 'audit' } },
  { step: 'verify' },
  { step: 'reopen' },
  { step: 'read', of: 'engine', read: { ask: 'audit' } },
  { step: 'verify' },
];

/** The smallest program found that still fails, and how it does. */
export async function shrink(
  make: MakeTarget,
  program: Program,
  values: Uint8Array,
  budgetMs: number,
): Promise<{ program: Program; failure: Failure } | undefined> {
  const deadline = performance.now() + budgetMs;
  const first = (await runProgram(make, program.setup, program.steps, values)).failure;
  if (first === undefined) return undefined;
  let best = { program: { ...program, steps: program.steps.slice(0, first.at + 1) }, failure: first };

  const attempt = async (steps: readonly Step[], setup = best.program.setup): Promise<boolean> => {
    const { failure } = await runProgram(make, setup, steps, values);
    if (failure === undefined || question(failure) !== question(first)) return false;
    best = { program: { setup, steps: steps.slice(0, failure.at + 1) }, failure };
    return true;
  };
  const late = () => performance.now() > deadline;

  for (let again = true; again && !late(); ) {
    again = false;
    for (let size = Math.ceil(best.program.steps.length / 2); size >= 1 && !late(); size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let from = best.program.steps.length - size; from > -size && !late(); from -= size) {
        const { steps } = best.program;
        if (await attempt([...steps.slice(0, Math.max(0, from)), ...steps.slice(from + size)])) again = true;
      }
    }
    for (let at = best.program.steps.length - 2; at >= 0 && !late(); at--) {
      const [one, other] = best.program.steps.slice(at, at + 2);
      if (one?.step !== 'clock' || other?.step !== 'clock') continue;
      if (await attempt(best.program.steps.toSpliced(at, 2, { step: 'clock', ms: one.ms + other.ms }))) again = true;
    }
    for (let at = best.program.steps.length - 1; at >= 0 && !late(); at--) {
      for (const simpler of simplerSteps(best.program.steps[at] as Step)) {
        if (await attempt(best.program.steps.with(at, simpler))) {
          again = true;
          break;
        }
        if (at >= best.program.steps.length) break;
      }
    }
  }
  for (const key of longKeys(best.program.steps)) {
    if (late()) break;
    const short = `\x02${best.program.steps.length}${String.fromCharCode(97 + (key.length % 26))}`;
    const renamed = JSON.stringify(best.program.steps).replaceAll(JSON.stringify(key), JSON.stringify(short));
    await attempt(JSON.parse(renamed) as Step[]);
  }
  return best;
}

function longKeys(steps: readonly Step[]): Set<string> {
  const found = new Set<string>();
  JSON.stringify(steps, (_, value: unknown) => {
    if (typeof value === 'string' && value.startsWith('\x02') && value.length > 16) found.add(value);
    return value;
  });
  return found;
}

/** What diverged, without the numbers in it. */
function question(failure: Failure): string {
  return failure.divergence.what.replaceAll(/\d+/g, '').replaceAll(/"[^"]*"/g, '');
}

function* simplerSteps(step: Step): Generator<Step> {
  if (step.step === 'write') {
    for (const writes of simplerLists(step.writes, simplerWrites)) if (writes.length > 0) yield { ...step, writes };
    if (step.asserted !== undefined || step.durability !== undefined) yield { step: 'write', how: step.how, writes: step.writes };
    if (step.how !== 'putSync' && step.how !== 'batchSync') yield { ...step, how: step.how === 'put' ? 'putSync' : 'batchSync' };
  }
  if (step.step === 'together') {
    for (const batches of simplerLists(step.batches, (batch) => simplerLists(batch, simplerWrites)))
      if (batches.length > 0) yield { ...step, batches };
    if (step.reads !== undefined) yield { step: 'together', batches: step.batches };
    else for (const writes of step.batches) yield { step: 'write', how: 'batch', writes };
  }
  if (step.step === 'own') for (const write of simplerWrites(step.write)) yield { ...step, write };
  if (step.step === 'transact') {
    for (const reads of simplerLists(step.reads)) yield { ...step, reads };
    for (const writes of simplerLists(step.writes, simplerWrites)) yield { ...step, writes };
    for (const rival of simplerLists(step.rival, simplerWrites)) yield { ...step, rival };
    if (step.waitMs > 0) yield { ...step, waitMs: 0 };
    if (step.reads.length + step.writes.length + step.rival.length === 0) yield { step: 'clock', ms: step.waitMs };
  }
  if (step.step === 'retention') for (const rules of simplerLists(step.rules)) if (rules[0]?.prefix === '') yield { ...step, rules };
  if ('back' in step && step.back > 1) yield { ...step, back: step.back >>> 1 };
  if (step.step === 'compact') yield { step: 'flush' };
  if (step.step === 'stride' && step.entries > 1) yield { ...step, entries: 1 };
}

function* simplerLists<T>(list: readonly T[], simpler?: (element: T) => Iterable<T>): Generator<T[]> {
  if (list.length > 3) {
    yield list.slice(list.length >>> 1);
    yield list.slice(0, list.length >>> 1);
  }
  for (let i = 0; i < list.length; i++) yield list.toSpliced(i, 1);
  for (let i = 0; i < list.length; i++) for (const element of simpler?.(list[i] as T) ?? []) yield list.with(i, element);
}

function* simplerWrites(write: Write): Generator<Write> {
  if (write.do === 'deleteRange' || write.do === 'check') return;
  if (write.if !== undefined) {
    const { if: _, ...rest } = write;
    yield rest;
  }
  if (write.do !== 'put') return;
  if (write.ttlMs !== undefined || write.inMs !== undefined) yield { do: 'put', key: write.key, value: write.value };
  if (write.value.bytes > 1) yield { ...write, value: { at: 0, bytes: write.value.bytes > 100 ? write.value.bytes >>> 1 : 1 } };
}
