/**
 * Timing in chunks. A chunk is a number of calls between two readings of the clock; a round is many chunks and ends early when its
 * time is up, so that a slow engine costs no more time than a fast one.
 */

/** Operations per second, one figure per chunk. */
export type Chunks = number[];

export interface Pace {
  /** Operations of a round, at most. */
  readonly operations: number;
  readonly chunk: number;
  /** No chunk starts after so many ms. */
  readonly roundMs: number;
}

/** Runs `body(from, to)` over 0 … operations − 1 in chunks. Awaits only when there is something to await. */
export async function inChunks(pace: Pace, body: (from: number, to: number) => undefined | void | Promise<unknown>): Promise<Chunks> {
  const rates: Chunks = [];
  const begin = performance.now();
  for (let from = 0; from < pace.operations; from += pace.chunk) {
    const to = Math.min(from + pace.chunk, pace.operations);
    const started = performance.now();
    const pending = body(from, to);
    if (pending !== undefined) await pending;
    const ended = performance.now();
    if (to - from === pace.chunk || rates.length === 0) rates.push(((to - from) * 1000) / Math.max(ended - started, 0.0005));
    if (ended - begin > pace.roundMs) break;
  }
  return rates;
}

/** Ms a call takes. */
export async function timeMs(work: () => unknown): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** The value below which `fraction` of the (unsorted) values lie. */
export function quantile(values: readonly number[], fraction: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))]!;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);
