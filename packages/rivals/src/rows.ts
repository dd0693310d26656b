/** Every row, in the order of the report, and those that wait for something that is not there yet. */

import type { Row } from './row.ts';
import { durableRows, ownDurableRows } from './workloads/durable.ts';
import { historyRows } from './workloads/history.ts';
import { pauseRows } from './workloads/pauses.ts';
import { hotRows, readRows } from './workloads/reads.ts';
import { recoveryRows } from './workloads/recovery.ts';
import { ownScanRows, scanRows } from './workloads/scans.ts';
import { ownSpaceRows, spaceRows } from './workloads/space.ts';
import { surfaceRows } from './workloads/surface.ts';
import { threadRows } from './workloads/threads.ts';
import { writeRows } from './workloads/writes.ts';
import { ycsbRows } from './workloads/ycsb.ts';

export const rows: readonly Row[] = [
  ...readRows,
  ...scanRows,
  ...writeRows,
  ...durableRows,
  ...threadRows,
  ...ycsbRows,
  ...spaceRows,
  ...hotRows,
  ...pauseRows,
  ...ownDurableRows,
  ...ownScanRows,
  ...surfaceRows,
  ...historyRows,
  ...recoveryRows,
  ...ownSpaceRows,
];

export const waitingRows: readonly { readonly title: string; readonly waitsFor: string }[] = [
  { title: 'two reader threads while the owner inserts', waitsFor: 'shared pages between threads' },
  { title: 'puts carried from 2 threads', waitsFor: 'shared pages between threads' },
];

/** Rows whose name contains one of the words; all without words. */
export function rowsMatching(words: readonly string[]): readonly Row[] {
  return words.length === 0 ? rows : rows.filter((row) => words.some((word) => row.name.includes(word)));
}
