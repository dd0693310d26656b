/**
 * Proof that a run went where it claims: every kind of step, every call, every special situation, and what the engine says of itself.
 *
 * A run that asks for all places fails when one of them was never reached.
 */

import type { EngineStats } from '../../src/model/types.ts';

/** Place → section and field of `stats()`; docs/stats.md says what each counts. */
const FIGURES: Readonly<Record<string, readonly [section: string, field: string]>> = {
  'a page was split': ['tree', 'leafSplits'],
  'a page was evicted': ['pages', 'evictions'],
  'a page was flushed': ['pages', 'pagesWritten'],
  'a large value moved to overflow pages': ['commits', 'overflowRuns'],
  'a commit had several parts': ['commits', 'multiPart'],
  'a value was carried': ['commits', 'carried'],
  'a horizon moved': ['commits', 'horizonMoves'],
  'a tombstone was swept': ['commits', 'tombstonesSwept'],
  'an expired entry was removed': ['commits', 'expiredRemoved'],
  'a segment was dropped': ['commits', 'segmentsDropped'],
};

const STEPS: readonly string[] = [
  'read',
  'write',
  'together',
  'transact',
  'begin',
  'own',
  'commit',
  'abort',
  'declare',
  'rebuild',
  'policy',
  'lookup',
  'time',
  'open',
  'close',
  'history',
  'diff',
  'changes',
  'watch',
  'unwatch',
  'walk',
  'stride',
  'audit',
  'care',
  'reopen',
  'crash',
  'backup',
  'bulk',
];

const SITUATIONS: readonly string[] = [
  ...[
    'get',
    'getAsync',
    'has',
    'entry',
    'peek',
    'kind',
    'first',
    'last',
    'prefetch',
    'getMany',
    'getManyAsync',
    'prefetchMany',
    'readValue',
    'getTree',
    'children',
    'scan',
    'count',
    'nth',
  ].map((ask) => `ask ${ask}`),
  ...['put', 'delete', 'deleteTree', 'putTree', 'increment', 'batch'].map((what) => `write ${what}`),
  ...['put', 'delete', 'deleteTree', 'putTree', 'increment'].map((what) => `own ${what}`),
  ...['snapshot', 'version', 'time', 'asserted'].map((as) => `view ${as}`),
  ...['VERSION_MISMATCH', 'INCREMENT_TYPE', 'INDEX_UNIQUE', 'INDEX_KEY_TOO_LONG'].map((code) => `refused ${code}`),
  ...['CONFLICT', 'INDEX_UNIQUE', 'INDEX_KEY_TOO_LONG'].map((code) => `commit refused ${code}`),
  ...['INDEX_UNIQUE', 'INDEX_KEY_TOO_LONG'].map((code) => `declaration refused ${code}`),
  ...['INDEX_MISSING', 'INDEX_NOT_READY', 'INDEX_KEY_INVALID'].map((code) => `lookup refused ${code}`),
  'HISTORY_EXPIRED given',
  'the past answered beyond what is promised',
  'skipExpired',
  'a key repeated',
  'transact repeated',
  'transact ran again',
  'a commit that might have conflicted',
  'a read in a transaction',
  'a lookup in a transaction',
  'a walk over other steps',
  'a walk to its end',
  'a declaration that holds already',
  'an index built or dropped over data',
  'an index rebuilt',
  'an index built in several steps',
  'a large tree deleted',
  'a commit told in parts',
  'a policy as it was',
  'a lookup with rows',
  'a lookup by the declarations of then',
  'a lookup of what is not kept',
  'a history that ends where it is not kept',
  'an end by expiry in a history',
  'a diff with rows',
  'a diff of what is not kept',
  'changes from a version',
  'changes gone on with',
  'changes not kept',
  'a watcher was told by call',
  'a watcher was told by stream',
  'opened with another history',
  'a crash inside a storage operation',
  'a crash inside declare',
  'a crash inside write',
  'a crash inside together',
  'a crash inside care',
  'commits lost by a kill',
  'commits lost by a power',
  'a building gone on with',
  'a building refused after a crash',
  'a copy',
  'a copy without history',
];

export class Coverage {
  readonly #figures = new Map<string, number>();
  readonly #steps = new Map<string, number>();
  readonly #situations = new Map<string, number>();

  /** Adds the figures of one opening. */
  add(stats: EngineStats): void {
    for (const [place, [section, field]] of Object.entries(FIGURES)) bump(this.#figures, place, Number(stats[section]?.[field] ?? 0));
  }

  step(name: string): void {
    bump(this.#steps, name, 1);
  }

  reach(place: string): void {
    bump(this.#situations, place, 1);
  }

  /** What was never reached. */
  missing(): string[] {
    return [
      ...Object.keys(FIGURES).filter((place) => (this.#figures.get(place) ?? 0) === 0),
      ...STEPS.filter((name) => !this.#steps.has(name)).map((name) => `the step ${name}`),
      ...SITUATIONS.filter((place) => !this.#situations.has(place)),
    ];
  }

  report(): string {
    const lines = (from: ReadonlyMap<string, number>): string[] =>
      [...from].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `  ${String(count).padStart(10)}  ${name}`);
    const steps = [...this.#steps].sort().map(([name, count]) => `${name} ${count}`);
    return [...lines(this.#figures), ...lines(this.#situations), `  steps: ${steps.join(', ')}`].join('\n');
  }
}

function bump(map: Map<string, number>, name: string, by: number): void {
  map.set(name, (map.get(name) ?? 0) + by);
}
