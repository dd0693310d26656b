/** What the figures were measured on. */

import { execFileSync } from 'node:child_process';
import { statfsSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import type { Settings } from './row.ts';

export interface Circumstances {
  readonly when: string;
  readonly machine: string;
  readonly system: string;
  readonly runtime: string;
  readonly commit: string;
  readonly load: string;
  readonly freeDiskBytes: number;
  readonly settings: Settings;
}

function commit(): string {
  const git = (...words: string[]): string => execFileSync('git', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ' with changes';
    return git('rev-parse', '--short=12', 'HEAD') + changed;
  } catch {
    return 'unknown';
  }
}

export function circumstances(settings: Settings, root: string): Circumstances {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const disk = statfsSync(root);
  return {
    when: new Date().toISOString().slice(0, 16).replace('T', ' '),
    machine: `${availableParallelism()} cores of ${model}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${process.platform} ${release()} ${process.arch}`,
    runtime: `Node ${process.versions.node}, V8 ${process.versions.v8}`,
    commit: commit(),
    load: loadavg()
      .map((value) => value.toFixed(2))
      .join(' '),
    freeDiskBytes: disk.bavail * disk.bsize,
    settings,
  };
}
