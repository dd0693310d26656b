/** The report: one table of the rows that compare, one of our own, the settings of each engine, and what is not measured yet. */

import type { Circumstances } from './machine.ts';
import { isOurs } from './ours.ts';
import type { RivalName } from './rival.ts';
import { waitingRows } from './rows.ts';
import { formatFigure, type RowResult } from './runner.ts';
import { bestRival, judge, type Verdict } from './summary.ts';

export interface Report {
  readonly command: string;
  readonly circumstances: Circumstances;
  readonly results: readonly RowResult[];
}

const verdicts: Readonly<Record<Verdict, string>> = { goal: '**goal**', bar: 'bar', below: 'below', open: '–' };

function figuresOf(result: RowResult): Map<RivalName, Readonly<Record<string, number>>> {
  return new Map(result.engines.flatMap(({ engine, summary }) => (summary === undefined ? [] : [[engine, summary.figures] as const])));
}

export function verdictOf(result: RowResult): Verdict {
  return judge(result.row, figuresOf(result));
}

function ratioToBest(result: RowResult): string {
  const figures = figuresOf(result);
  const ours = figures.get('stele')?.[result.row.figure];
  const best = bestRival(result.row, figures);
  if (ours === undefined || best === undefined) return '–';
  const ratio = result.row.better === 'more' ? ours / best.value : best.value / ours;
  return `${ratio.toPrecision(3)}x ${best.engine}`;
}

/** Median, and in brackets what 99 of 100 chunks reach. */
function cell(result: RowResult, engine: RivalName): string {
  const found = result.engines.find((one) => one.engine === engine);
  if (found === undefined) return '';
  if (found.summary === undefined) return 'failed';
  const { figures, chunks } = found.summary;
  const { figure } = result.row;
  const tail = figure === 'rate' && chunks > 20 ? figures['rateP99'] : figure === 'chunkUs' ? figures['chunkUsP99'] : figures['p99Ms'];
  const showsTail = tail !== undefined && (figure === 'rate' || figure === 'chunkUs' || figure === 'p50Ms');
  return formatFigure(figures[figure]) + (showsTail ? ` (${formatFigure(tail)})` : '');
}

function table(results: readonly RowResult[], engines: readonly RivalName[]): string[] {
  const head = ['workload', 'unit', ...engines, 'ours to the best rival', 'bar', 'goal', 'verdict'];
  const lines = [`| ${head.join(' | ')} |`, `| --- | --- | ${engines.map(() => '--:').join(' | ')} | --- | --- | --- | --- |`];
  for (const result of results) {
    const { row } = result;
    const cells = engines.map((engine) => cell(result, engine));
    lines.push(
      `| ${[row.title, row.unit, ...cells, ratioToBest(result), row.bar.text, row.goal.text, verdicts[verdictOf(result)]].join(' | ')} |`,
    );
  }
  return lines;
}

function further(results: readonly RowResult[]): string[] {
  const lines: string[] = [];
  for (const { row, engines } of results) {
    for (const { engine, summary, error } of engines) {
      if (error !== undefined) lines.push(`- \`${row.name}\`, ${engine}: ${error}`);
      const names = Object.keys(summary?.figures ?? {}).filter(
        (name) => !['rate', 'rateP99', 'chunkUs', 'chunkUsP99', row.figure].includes(name),
      );
      if (!isOurs(engine) || summary === undefined || names.length === 0) continue;
      lines.push(`- \`${row.name}\`, ${engine}: ${names.map((name) => `${name} ${formatFigure(summary.figures[name])}`).join(', ')}`);
    }
  }
  return lines;
}

/** The text of docs/benchmarks.md. */
export function writeMarkdown(report: Report): string {
  const { circumstances: at, results } = report;
  const used = [...new Set(results.flatMap((result) => result.engines.map((one) => one.engine)))];
  const settings = new Map(results.flatMap((result) => result.engines.map((one) => [`${one.engine}: ${one.settings}`, one] as const)));
  const counts = new Map<Verdict, number>();
  for (const result of results) counts.set(verdictOf(result), (counts.get(verdictOf(result)) ?? 0) + 1);
  return [
    '# Benchmarks',
    '',
    'Written by the benchmark itself; do not edit. How it measures and why: [decision 0004](decisions/0004-benchmarks-beside-rivals.md).',
    '',
    `    ${report.command}`,
    '',
    `${at.when} UTC · ${at.machine} · ${at.system} · ${at.runtime} · commit ${at.commit} · load before: ${at.load}`,
    '',
    `${at.settings.keys.toLocaleString('en')} keys of 20 bytes, values of 100 bytes, ${at.settings.rounds} rounds, at most ${at.settings.roundMs} ms each, ` +
      `cache ${at.settings.cacheBytes >> 20} MiB, seed ${at.settings.seed}.`,
    '',
    'A figure is the median chunk; in brackets what 99 of 100 chunks reach. Absolute figures belong to this machine: the ratio counts.',
    '`stele` is the public surface with paths as text, and what the verdicts judge; `kernel` is the byte interface below it, beside it to show what the surface costs.',
    `The map is a yardstick, not a rival. Verdicts: ${(['goal', 'bar', 'below', 'open'] as const).map((verdict) => `${verdict} ${counts.get(verdict) ?? 0}`).join(', ')}.`,
    '',
    '## Beside others',
    '',
    ...table(
      results.filter((result) => result.row.kind === 'rivals'),
      used,
    ),
    '',
    '## Our own',
    '',
    ...table(
      results.filter((result) => result.row.kind === 'ours'),
      used,
    ),
    '',
    '## Further figures and failures',
    '',
    ...further(results),
    '',
    '## Settings',
    '',
    ...[...settings.keys()]
      .filter((line) => !line.endsWith(': '))
      .sort()
      .map((line) => `- ${line}`),
    '',
    '## Not measured yet',
    '',
    ...waitingRows.map(({ title, waitsFor }) => `- ${title}: waits for ${waitsFor}`),
    '',
  ].join('\n');
}

/** The same as data: names instead of functions. */
export function writeJson(report: Report): string {
  const results = report.results.map((result) => ({
    name: result.row.name,
    kind: result.row.kind,
    title: result.row.title,
    figure: result.row.figure,
    unit: result.row.unit,
    better: result.row.better,
    durability: result.row.durability,
    bar: result.row.bar.text,
    goal: result.row.goal.text,
    verdict: verdictOf(result),
    toBest: ratioToBest(result),
    engines: result.engines,
  }));
  return `${JSON.stringify({ command: report.command, circumstances: report.circumstances, results }, undefined, 2)}\n`;
}
