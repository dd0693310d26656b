/**
 * Runs programs, and cuts a failing one down to the steps that matter.
 *
 * Cutting is delta debugging (Zeller and Hildebrandt 2002): leave out ever smaller stretches of steps as long as the program still differs in the
 * same question, then look inside the steps that hold lists. Every trial runs on a fresh machine.
 */

import type { Coverage } from './coverage.ts';
import { Divergence } from './divergence.ts';
import type { Program, Step } from './program.ts';
import { SurfaceRun, type Wrap } from './run.ts';

export interface Failure {
  /** Index of the step that differed; the number of steps when the final audit did. */
  readonly at: number;
  readonly divergence: Divergence;
}

export interface RunResult {
  readonly failure: Failure | undefined;
  readonly operations: number;
}

const asItIs: Wrap = (db) => db;

/** Runs the steps, then an audit, an opening again and an audit. */
export async function runProgram({ setup, steps }: Program, wrap: Wrap = asItIs, coverage?: Coverage): Promise<RunResult> {
  const run = new SurfaceRun(setup, wrap, coverage);
  let at = 0;
  try {
    await run.life.open(setup.historyMs ?? Infinity);
    for (const step of steps) {
      await run.step(step);
      at++;
    }
    await run.audit();
    await run.step({ step: 'reopen' });
    await run.audit();
    await run.life.close();
    return { failure: undefined, operations: run.operations };
  } catch (error) {
    await run.life.abandon();
    const divergence = error instanceof Divergence ? error : new Divergence('the run threw', 'no error', error, error);
    return { failure: { at, divergence }, operations: run.operations };
  }
}

/** The smallest program found that still fails, and how it does. */
export async function shrink(
  program: Program,
  budgetMs: number,
  wrap: Wrap = asItIs,
): Promise<{ program: Program; failure: Failure } | undefined> {
  const deadline = performance.now() + budgetMs;
  const first = (await runProgram(program, wrap)).failure;
  if (first === undefined) return undefined;
  let best = { program: { ...program, steps: program.steps.slice(0, first.at + 1) }, failure: first };
  const attempt = async (steps: readonly Step[]): Promise<boolean> => {
    const { failure } = await runProgram({ ...program, steps }, wrap);
    if (failure === undefined || question(failure) !== question(first)) return false;
    best = { program: { ...program, steps: steps.slice(0, failure.at + 1) }, failure };
    return true;
  };
  const isLate = (): boolean => performance.now() > deadline;
  for (let again = true; again && !isLate(); ) {
    again = false;
    for (let size = Math.ceil(best.program.steps.length / 2); size >= 1 && !isLate(); size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let from = best.program.steps.length - size; from > -size && !isLate(); from -= size) {
        const { steps } = best.program;
        if (await attempt([...steps.slice(0, Math.max(0, from)), ...steps.slice(from + size)])) again = true;
      }
    }
    for (let at = best.program.steps.length - 1; at >= 0 && !isLate(); at--)
      for (const simpler of simplerSteps(best.program.steps[at]!)) {
        if (at < best.program.steps.length && (await attempt(best.program.steps.with(at, simpler)))) {
          again = true;
          break;
        }
      }
  }
  return best;
}

/** What differed, without the numbers in it. */
function question({ divergence }: Failure): string {
  return divergence.what.replaceAll(/\d+/g, '').replaceAll(/"[^"]*"/g, '');
}

/** The same step with less in it. */
function* simplerSteps(step: Step): Generator<Step> {
  for (const name of ['during', 'writes', 'reads', 'rival'] as const) {
    const list = (step as unknown as Record<string, readonly unknown[] | undefined>)[name];
    for (let at = 0; at < (list?.length ?? 0); at++) yield { ...step, [name]: list!.toSpliced(at, 1) } as Step;
  }
  if (step.step === 'crash') for (const operation of [0, 1]) if (operation < step.operation) yield { ...step, operation };
  if ('write' in step && step.write.do === 'batch') {
    const { ops } = step.write;
    for (let at = 0; at < ops.length; at++) yield { ...step, write: { do: 'batch', ops: ops.toSpliced(at, 1) } };
  }
  for (const name of ['options', 'as', 'limit'] as const)
    if (name in step && step.step !== 'open') {
      const { [name]: _, ...rest } = step as Step & Record<string, unknown>;
      yield rest as Step;
    }
  if ('how' in step && step.how === 'async') yield { ...step, how: 'sync' } as Step;
  if (step.step === 'declare') {
    const { index, ...plain } = step.policy;
    if (index !== undefined) yield { ...step, policy: plain };
    for (const name of Object.keys(index ?? {})) {
      const { [name]: _, ...others } = index!;
      yield { ...step, policy: { ...step.policy, index: others } };
    }
    for (const name of ['ttl', 'history', 'durability'] as const) {
      const { [name]: given, ...rest } = step.policy;
      if (given !== undefined) yield { ...step, policy: rest };
    }
  }
}
