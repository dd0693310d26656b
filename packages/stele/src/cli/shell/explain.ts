/**
 * What a statement did underneath: the engine's own counters before and behind it.
 */

import type { Database } from '../../model/types.ts';

type Figures = ReturnType<Database['stats']>;

/** Section, figure, and what it says. */
const TOLD: readonly (readonly [string, string, string])[] = [
  ['pages', 'treeMisses', 'tree pages read from the file'],
  ['pages', 'blockMisses', 'blocks of log and index read from files'],
  ['pages', 'blockHits', 'blocks of log and index found in memory'],
  ['pages', 'evictions', 'frames taken from what they held'],
  ['commits', 'commits', 'commits made'],
  ['commits', 'puts', 'entries put'],
  ['commits', 'deletes', 'entries deleted'],
  ['log', 'groups', 'writes of the log'],
  ['log', 'syncs', 'syncs of the log'],
  ['tree', 'leafSplits', 'leaves split'],
  ['commits', 'conflicts', 'conflicts'],
];

/** One line: only what changed. */
export function explained(before: Figures, after: Figures): string {
  const told = TOLD.flatMap(([section, name, words]) => {
    const from = before[section]?.[name];
    const to = after[section]?.[name];
    return typeof from === 'number' && typeof to === 'number' && to > from ? [`${to - from} ${words}`] : [];
  });
  const height = after['tree']?.['height'];
  const where = `tree of ${String(height)} ${height === 1 ? 'level' : 'levels'}`;
  return `${where}; ${told.length === 0 ? 'everything was in memory, nothing was written' : told.join(', ')}`;
}
