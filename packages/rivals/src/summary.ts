/**
 * From rounds to figures, and from figures to a verdict.
 *
 * - Chunk rates are pooled over the rounds: `rate` is their median, `rateP99` the rate that 99 % of chunks reach; the same as time
 *   per operation: `chunkUs`, `chunkUsP99`.
 * - Latencies are pooled: p50Ms, p99Ms, p999Ms. Named figures: the median over the rounds.
 */

import { median, quantile } from './measure.ts';
import { isOurs } from './ours.ts';
import type { RivalName } from './rival.ts';
import type { Check, RoundResult, Row } from './row.ts';

export interface Summary {
  readonly figures: Readonly<Record<string, number>>;
  readonly rounds: number;
  readonly chunks: number;
}

export function summarize(results: readonly RoundResult[]): Summary {
  const figures: Record<string, number> = {};
  const names = new Set(results.flatMap((result) => Object.keys(result.figures ?? {})));
  for (const name of names) figures[name] = median(results.map((result) => result.figures?.[name] ?? Number.NaN));
  const chunks = results.flatMap((result) => result.chunks ?? []);
  if (chunks.length > 0) {
    figures['rate'] = median(chunks);
    figures['rateP99'] = quantile(chunks, 0.01);
    figures['chunkUs'] = 1e6 / figures['rate'];
    figures['chunkUsP99'] = 1e6 / figures['rateP99'];
  }
  const latencies = results.flatMap((result) => result.latenciesMs ?? []);
  if (latencies.length > 0) {
    figures['p50Ms'] = median(latencies);
    figures['p99Ms'] = quantile(latencies, 0.99);
    figures['p999Ms'] = quantile(latencies, 0.999);
  }
  return { figures, rounds: results.length, chunks: chunks.length };
}

/** goal, bar or below; `open` when a figure that decides is missing. */
export type Verdict = 'goal' | 'bar' | 'below' | 'open';

type Figures = ReadonlyMap<RivalName, Readonly<Record<string, number>>>;

/** The best figure of the rivals: all engines but ours (both columns) and the map. */
export function bestRival(row: Row, figures: Figures, figure = row.figure): { engine: RivalName; value: number } | undefined {
  let found: { engine: RivalName; value: number } | undefined;
  for (const [engine, values] of figures) {
    const value = values[figure];
    if (isOurs(engine) || engine === 'map' || value === undefined || Number.isNaN(value)) continue;
    if (found === undefined || (row.better === 'more' ? value > found.value : value < found.value)) found = { engine, value };
  }
  return found;
}

function holds(row: Row, figures: Figures, check: Check): boolean | undefined {
  const figure = check.figure ?? row.figure;
  const ours = figures.get('stele')?.[figure];
  if (ours === undefined || Number.isNaN(ours)) return undefined;
  if ('atLeast' in check) return ours >= check.atLeast;
  if ('atMost' in check) return ours <= check.atMost;
  const other = 'timesBest' in check ? bestRival(row, figures, figure)?.value : figures.get(check.rival)?.[figure];
  if (other === undefined || Number.isNaN(other)) return undefined;
  return ours >= other * ('timesBest' in check ? check.timesBest : check.timesRival);
}

export function judge(row: Row, figures: Figures): Verdict {
  const reached = (checks: readonly Check[]): boolean | undefined => {
    const answers = checks.map((check) => holds(row, figures, check));
    if (answers.includes(false)) return false;
    return answers.includes(undefined) ? undefined : true;
  };
  const bar = reached(row.bar.checks);
  if (bar === undefined) return 'open';
  if (!bar) return 'below';
  return reached(row.goal.checks) === true ? 'goal' : 'bar';
}
