/**
 * Lines typed before: `$STELE_HISTORY`, else `.stele_history` in the home directory. For the owner's eyes only (mode 0600).
 *
 * A file that cannot be read or written is no reason not to work: it is told once, and the shell goes on without.
 */

import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const LINES_MAX = 1000;

export interface HistoryFile {
  /** Newest first, as readline wants them. */
  readonly lines: string[];
  add(line: string): void;
}

export function openHistory(env: Readonly<Record<string, string | undefined>>, tell: (text: string) => void): HistoryFile {
  const file = env['STELE_HISTORY'] ?? join(homedir(), '.stele_history');
  let isUsable = file !== '';
  const failed = (error: unknown): void => {
    isUsable = false;
    tell(`lines are not remembered: ${error instanceof Error ? error.message : String(error)}`);
  };
  let lines: string[] = [];
  if (isUsable)
    try {
      lines = readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '');
      if (lines.length > 2 * LINES_MAX) {
        lines = lines.slice(-LINES_MAX);
        writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
      }
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ENOENT') failed(error);
    }
  return {
    lines: lines.slice(-LINES_MAX).reverse(),
    add(line) {
      if (!isUsable) return;
      try {
        appendFileSync(file, `${line}\n`, { mode: 0o600 });
      } catch (error) {
        failed(error);
      }
    },
  };
}
