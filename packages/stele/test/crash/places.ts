/**
 * Sometimes-assertions: places a torture run must have reached, or it proved less than it says.
 *
 * Figures come from the judge (what recovery had to do), from the steps, and from `stats()` of the engines that ran.
 */

import type { EngineStats } from '../../src/txn/types.ts';

/** Place → what it means. */
export const PLACES = {
  'torn group': 'recovery cut a torn tail of the log',
  'older meta fallback': 'one meta page was torn or damaged, the other one opened the database',
  'carried value': 'a superseded value whose log bytes were gone was carried along',
  TXN_TOO_OLD: 'a transaction outlived the validation window',
  'space refusal': 'a commit was refused for want of space',
  'segment dropped': 'retention let a segment go',
  'large value': 'a value beyond 16 KiB was written',
  'several parts': 'a commit was logged in parts',
  'view read': 'a view was read after later commits',
  'forced flush': 'a write had to wait for a flush',
  'background flush': 'a flush ran beside writes',
  conflict: 'a transaction conflicted',
  'expired entry removed': 'a sweep removed an expired entry',
  'tombstone removed': 'a sweep removed a tombstone',
  'commit lost legally': 'a cut took a commit nobody was promised',
  'unpromised commit kept': 'a cut left a commit nobody was promised yet',
  'reader retry': 'a reading thread met a record of another place and looked everything up anew',
  'cut inside compaction': 'the machine stopped while compact() was under way',
  'cut inside backup': 'the machine stopped while it was backed up',
  'cut inside a copy': 'the machine a backup was written to stopped before the backup was whole',
  'whole copy': 'the same, after it was whole',
  'cut inside repair': 'the machine stopped during a repair',
  'cut inside undoing': 'and again during the repair after it',
} as const;

export type Place = keyof typeof PLACES;

export class Places {
  readonly #counts = new Map<Place, number>();

  reach(place: Place, times = 1): void {
    this.#counts.set(place, (this.#counts.get(place) ?? 0) + times);
  }

  /** Adds what an engine counted; call before it closes. */
  addStats(stats: EngineStats): void {
    const { commits } = stats;
    const figures: [Place, string][] = [
      ['carried value', 'carried'],
      ['segment dropped', 'segmentsDropped'],
      ['space refusal', 'spaceRefused'],
      ['forced flush', 'flushesForced'],
      ['background flush', 'flushes'],
      ['conflict', 'conflicts'],
      ['expired entry removed', 'expiredRemoved'],
      ['tombstone removed', 'tombstonesSwept'],
      ['TXN_TOO_OLD', 'tooOld'],
    ];
    for (const [place, field] of figures) {
      const value = commits?.[field];
      if (typeof value === 'number' && value > 0) this.reach(place, value);
    }
  }

  count(place: Place): number {
    return this.#counts.get(place) ?? 0;
  }

  /** Of `wanted`, those never reached. */
  missing(wanted: readonly Place[]): Place[] {
    return wanted.filter((place) => this.count(place) === 0);
  }

  report(): string {
    return (Object.keys(PLACES) as Place[]).map((place) => `  ${String(this.count(place)).padStart(9)}  ${place}`).join('\n');
  }
}
