/**
 * Proof that a run went where it claims: counters the engine keeps about itself, summed over every opening.
 *
 * A model test that never split a page proves nothing about splitting. Each *place* names the figure of
 * `stats()` that shows it was reached; a run that asks for all places fails when one figure stayed at zero.
 */

import type { EngineStats } from '../../src/txn/types.ts';
import type { Step } from './program.ts';

/** Place → section and field of `stats()`; docs/stats.md says what each counts. */
export const places: Readonly<Record<string, readonly [section: string, field: string]>> = {
  'a page was split': ['tree', 'leafSplits'],
  'pages were merged': ['tree', 'merges'],
  'a page was evicted': ['pages', 'evictions'],
  'a page was read back': ['pages', 'treeMisses'],
  'a page was flushed': ['pages', 'pagesWritten'],
  'a log block was read back': ['pages', 'blockMisses'],
  'a large value was written': ['commits', 'largeValues'],
  'a large value moved to overflow pages': ['commits', 'overflowRuns'],
  'a commit had several parts': ['commits', 'multiPart'],
  'a chain got a spine': ['commits', 'spines'],
  'a value was carried': ['commits', 'carried'],
  'a horizon moved': ['commits', 'horizonMoves'],
  'a tombstone was swept': ['commits', 'tombstonesSwept'],
  'an expired entry was marked': ['commits', 'swept'],
  'an expired entry was removed': ['commits', 'expiredRemoved'],
  'a segment was dropped': ['commits', 'segmentsDropped'],
  'a transaction conflicted': ['commits', 'conflicts'],
};

export class Coverage {
  readonly #figures = new Map<string, number>();
  readonly #steps = new Map<string, number>();

  /** Adds the figures of one opening; call before close. */
  add(stats: EngineStats): void {
    for (const [section, fields] of Object.entries(stats)) {
      for (const [field, value] of Object.entries(fields)) {
        if (typeof value === 'number') bump(this.#figures, `${section}.${field}`, value);
      }
    }
  }

  step(step: Step): void {
    bump(this.#steps, step.step, 1);
  }

  figure(place: string): number {
    const [section, field] = places[place] ?? ['', ''];
    return this.#figures.get(`${section}.${field}`) ?? 0;
  }

  /** Places no figure shows as reached. */
  missing(): string[] {
    return Object.keys(places).filter((place) => this.figure(place) === 0);
  }

  report(): string {
    const lines = Object.keys(places).map((place) => `  ${String(this.figure(place)).padStart(12)}  ${place}`);
    const steps = [...this.#steps].sort().map(([name, count]) => `${name} ${count}`);
    return `${lines.join('\n')}\n  steps: ${steps.join(', ')}`;
  }
}

function bump(map: Map<string, number>, name: string, by: number): void {
  map.set(name, (map.get(name) ?? 0) + by);
}
