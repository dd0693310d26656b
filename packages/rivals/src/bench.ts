/** The command: `npm run bench -- --filter get --keys 100000 --rounds 3 --json`. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { circumstances } from './machine.ts';
import { type Report, verdictOf, writeJson, writeMarkdown } from './report.ts';
import { type RivalName, rivalNames } from './rival.ts';
import type { Settings } from './row.ts';
import { rows, rowsMatching } from './rows.ts';
import { run } from './runner.ts';

const help = `npm run bench -- [options]

  --filter <words>     rows whose name contains one of the words (commas)
  --engines <names>    of ${rivalNames.join(', ')}; default all
  --keys <n>           entries of the loaded set, default 1000000
  --rounds <n>         default 5
  --round-ms <n>       a round starts no chunk after so many ms, default 2000
  --cache-mb <n>       cache of each engine, default 1024
  --seed <n>           default 1
  --directory <path>   where the databases go; default .bench in the repository
  --json               write .bench/latest.json, and one by time
  --markdown [--out <path>]   write the report, default docs/benchmarks.md
  --list               rows and their bars
`;

const repository = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../../..' : '../../../..', import.meta.url));

function readOptions(words: readonly string[]) {
  const { values } = parseArgs({
    args: [...words],
    options: {
      filter: { type: 'string', multiple: true, default: [] },
      engines: { type: 'string', default: rivalNames.join() },
      keys: { type: 'string', default: '1000000' },
      rounds: { type: 'string', default: '5' },
      'round-ms': { type: 'string', default: '2000' },
      'cache-mb': { type: 'string', default: '1024' },
      seed: { type: 'string', default: '1' },
      directory: { type: 'string', default: join(repository, '.bench') },
      out: { type: 'string', default: join(repository, 'docs', 'benchmarks.md') },
      json: { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const number = (name: 'keys' | 'rounds' | 'round-ms' | 'cache-mb' | 'seed', least: number): number => {
    const value = Number(values[name].replaceAll('_', ''));
    if (!Number.isSafeInteger(value) || value < least) throw new Error(`--${name} ${values[name]}: a whole number from ${least} on`);
    return value;
  };
  const settings: Settings = {
    keys: number('keys', 200),
    rounds: number('rounds', 1),
    roundMs: number('round-ms', 1),
    cacheBytes: number('cache-mb', 1) * 2 ** 20,
    seed: number('seed', 0),
  };
  const engines = values.engines.split(',').map((name): RivalName => {
    const found = rivalNames.find((known) => known === name);
    if (found === undefined) throw new Error(`--engines ${name}: one of ${rivalNames.join(', ')}`);
    return found;
  });
  return { ...values, settings, engines, words: values.filter.flatMap((word) => word.split(',')) };
}

async function main(): Promise<void> {
  const words = process.argv.slice(2);
  const options = readOptions(words);
  if (options.help) return void process.stdout.write(help);
  if (options.list) {
    for (const row of rows) process.stdout.write(`${row.name.padEnd(22)} ${row.title} — bar ${row.bar.text}, goal ${row.goal.text}\n`);
    return;
  }
  const chosen = rowsMatching(options.words);
  if (chosen.length === 0) throw new Error(`no row matches ${options.words.join(', ')}: see --list`);
  mkdirSync(options.directory, { recursive: true });
  const root = mkdtempSync(join(options.directory, 'run-'));
  try {
    const at = circumstances(options.settings, root);
    process.stdout.write(`${at.machine} · ${at.runtime} · commit ${at.commit} · load ${at.load}\n`);
    const results = await run({
      rows: chosen,
      engines: options.engines,
      settings: options.settings,
      root,
      say: (line) => void process.stdout.write(`${line}\n`),
    });
    const report: Report = { command: ['npm run bench --', ...words].join(' '), circumstances: at, results };
    for (const result of results)
      process.stdout.write(`${verdictOf(result).padEnd(6)} ${result.row.name}: bar ${result.row.bar.text}, goal ${result.row.goal.text}\n`);
    if (options.json) {
      for (const name of ['latest.json', `${at.when.replace(/[: ]/g, '-')}.json`])
        writeFileSync(join(options.directory, name), writeJson(report));
    }
    if (options.markdown) writeFileSync(options.out, writeMarkdown(report));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
