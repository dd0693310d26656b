/**
 * The surface rack: program after program on the public calls, until so many were compared.
 *
 *   npm run rack -- surface --seed 1 --operations 500000    programs of seeds 1, 2, 3, …
 *   npm run rack -- surface --seed 17 --operations 0        exactly this program
 *   npm run rack -- surface --trace found.json              a program that was printed before
 *   npm run rack -- surface --bug "count is one too many"   a database with a bug, to see the rack fail
 *
 * On a difference the program is cut down, printed as JSON, and written to `--out` when given. Without a difference every place of coverage.ts must
 * have been reached.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Bug, bugNames, withBug } from './bugs.ts';
import { Coverage } from './coverage.ts';
import { generateProgram } from './generate.ts';
import { type Program, printable } from './program.ts';
import { runProgram, shrink } from './shrink.ts';

export const summary = 'random programs on the public surface, policies and expiry included, beside an executable reference';

export async function rack(args: string[]): Promise<boolean> {
  const { values: options } = parseArgs({
    args,
    options: {
      seed: { type: 'string', default: '1' },
      operations: { type: 'string', default: '500000' },
      steps: { type: 'string', default: '300' },
      trace: { type: 'string' },
      bug: { type: 'string' },
      out: { type: 'string' },
      budget: { type: 'string', default: '60000' },
      'any-places': { type: 'boolean', default: false },
    },
  });
  const bug = bugNames.find((known): known is Bug => known === options.bug);
  if (options.bug !== undefined && bug === undefined) throw new Error(`no such bug; known: ${bugNames.join('; ')}`);
  const wrap = withBug(bug);
  if (options.trace !== undefined) {
    const { failure } = await runProgram(JSON.parse(readFileSync(options.trace, 'utf8')) as Program, wrap);
    console.log(failure === undefined ? 'no difference' : `step ${failure.at}: ${failure.divergence.stack}`);
    return failure === undefined;
  }
  const coverage = new Coverage();
  const wanted = Number(options.operations);
  const started = performance.now();
  let operations = 0;
  for (let seed = Number(options.seed); ; seed++) {
    const program = generateProgram({ seed, steps: Number(options.steps) });
    const result = await runProgram(program, wrap, coverage);
    operations += result.operations;
    if (result.failure !== undefined) {
      const { at, divergence } = result.failure;
      console.log(`seed ${seed} differs at step ${at} (--seed ${seed} --steps ${options.steps} --operations 0)\n${divergence.stack}`);
      await report(program, wrap, Number(options.budget), options.out);
      return false;
    }
    if (seed % 50 === 0) console.log(`seed ${seed}: ${operations} operations, ${((performance.now() - started) / 1000).toFixed(0)} s`);
    if (operations >= wanted) break;
  }
  console.log(`${operations} operations, no difference, ${((performance.now() - started) / 1000).toFixed(0)} s\n${coverage.report()}`);
  const missing = options['any-places'] || bug !== undefined || wanted === 0 ? [] : coverage.missing();
  if (missing.length > 0) console.log(`never reached: ${missing.join('; ')}`);
  return missing.length === 0;
}

async function report(program: Program, wrap: Parameters<typeof runProgram>[1], budgetMs: number, out: string | undefined): Promise<void> {
  const small = await shrink(program, budgetMs, wrap);
  if (small === undefined) return void console.log('a second run of the same program does not differ: something depends on real time');
  console.log(`cut down to ${small.program.steps.length} steps:\n${JSON.stringify(small.program.setup)}`);
  for (const step of small.program.steps) console.log(`  ${printable(step)}`);
  console.log(small.failure.divergence.stack);
  if (out !== undefined) writeFileSync(out, printable(small.program));
}
