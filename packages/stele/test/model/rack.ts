/**
 * The model rack: program after program until so many operations were compared.
 *
 *   npm run rack -- model --seed 1 --operations 1000000     programs of seeds 1, 2, 3, …
 *   npm run rack -- model --seed 17 --steps 8000            with --operations 0: exactly this program
 *   npm run rack -- model --trace found.json                a program that was printed before
 *   npm run rack -- model --bug "first effect counts"       the fake engine with a bug, to see the rack fail
 *
 * On a difference the program is cut down, printed as JSON, and written to `--out` when given. Without a difference
 * every place of coverage.ts must have been reached.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Bug, bugNames } from '../reference/fake-engine.ts';
import { Coverage } from './coverage.ts';
import { generateProgram } from './generate.ts';
import { type Program, printable, stone } from './program.ts';
import { runProgram, shrink } from './shrink.ts';
import { fakeTarget, type MakeTarget, realTarget } from './target.ts';

export const summary = 'random programs on the engine beside the executable reference';

export async function rack(args: string[]): Promise<boolean> {
  const { values: options } = parseArgs({
    args,
    options: {
      seed: { type: 'string', default: '1' },
      operations: { type: 'string', default: '1000000' },
      steps: { type: 'string', default: '6000' },
      trace: { type: 'string' },
      bug: { type: 'string' },
      fake: { type: 'boolean', default: false },
      out: { type: 'string' },
      budget: { type: 'string', default: '120000' },
      'any-places': { type: 'boolean', default: false },
    },
  });
  const bug = bugNames.find((known): known is Bug => known === options.bug);
  if (options.bug !== undefined && bug === undefined) throw new Error(`no such bug; known: ${bugNames.join('; ')}`);
  const make = options.fake || bug !== undefined ? fakeTarget(bug) : await realTarget();
  const values = stone();
  const report = (program: Program) => reportFailure(make, program, values, Number(options.budget), options.out);

  if (options.trace !== undefined) {
    const program = JSON.parse(readFileSync(options.trace, 'utf8')) as Program;
    const { failure } = await runProgram(make, program.setup, program.steps, values);
    console.log(failure === undefined ? 'no difference' : `step ${failure.at}: ${failure.divergence.stack}`);
    return failure === undefined;
  }

  const coverage = new Coverage();
  const wanted = Number(options.operations);
  const started = performance.now();
  let operations = 0;
  for (let seed = Number(options.seed); ; seed++) {
    const program = generateProgram({ seed, steps: Number(options.steps) });
    const result = await runProgram(make, program.setup, program.steps, values, coverage);
    operations += result.operations;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    if (result.failure !== undefined) {
      console.log(
        `seed ${seed} differs at step ${result.failure.at} (--seed ${seed} --steps ${options.steps} --operations 0)\n${result.failure.divergence.stack}`,
      );
      await report(program);
      return false;
    }
    console.log(`seed ${seed}: ${operations} operations, ${seconds} s`);
    if (operations >= wanted) break;
  }
  console.log(`${operations} operations, no difference\n${coverage.report()}`);
  const missing = options['any-places'] || options.fake || wanted === 0 ? [] : coverage.missing();
  if (missing.length > 0) console.log(`never reached: ${missing.join('; ')}`);
  return missing.length === 0;
}

async function reportFailure(
  make: MakeTarget,
  program: Program,
  values: Uint8Array,
  budgetMs: number,
  out: string | undefined,
): Promise<void> {
  const small = await shrink(make, program, values, budgetMs);
  if (small === undefined) return void console.log('a second run of the same program does not differ: something depends on real time');
  console.log(`cut down to ${small.program.steps.length} steps:\n${JSON.stringify(small.program.setup)}`);
  for (const step of small.program.steps) console.log(`  ${printable(step)}`);
  console.log(small.failure.divergence.stack);
  if (out !== undefined) writeFileSync(out, printable(small.program));
}
