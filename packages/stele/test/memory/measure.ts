/**
 * Runs the children of a memory measurement and holds them against the promise:
 *
 *   a database at least four times its cache stays within cache + 64 MiB above an idle Node with the same threads
 *
 * Two things of Node's own are no part of the promise and are made visible instead. The young generation of V8 grows with
 * what the application throws away, to 64 MiB and more by default; `youngMb` gives every child the same limit for it. And
 * dead array buffers are collected late: values an application lets go may stay for 64 MiB.
 */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MemoryOrder, MemoryReport } from './program.ts';

/** What an engine may take beside its cache. */
export const SLACK_BYTES: number = 64 * 1024 * 1024;

export interface MemoryScale {
  readonly cacheBytes: number;
  readonly dataBytes: number;
  readonly operations: number;
  readonly seed: number;
  /** MiB of one semi-space of V8's young generation; undefined = Node's default. */
  readonly youngMb?: number | undefined;
}

export interface Measurement {
  readonly idleBytes: number;
  readonly boundBytes: number;
  readonly fill: MemoryReport;
  readonly work: MemoryReport;
  /** Peaks of the children. */
  readonly fillBytes: number;
  readonly workBytes: number;
}

const program = fileURLToPath(new URL('./program.ts', import.meta.url));

/** Idle, fill, work, one after another, in a directory that is gone afterwards. */
export async function measure(scale: MemoryScale): Promise<Measurement> {
  const directory = mkdtempSync(join(tmpdir(), 'stele-memory-'));
  const { youngMb, ...rest } = scale;
  const run = (mode: MemoryOrder['mode']): Promise<MemoryReport> =>
    runChild({ ...rest, mode, directory: join(directory, mode === 'idle' ? 'idle' : 'data') }, youngMb);
  try {
    const idleBytes = peakOf(await run('idle'));
    const fill = await run('fill');
    const work = await run('work');
    return {
      idleBytes,
      boundBytes: idleBytes + scale.cacheBytes + SLACK_BYTES,
      fill,
      work,
      fillBytes: peakOf(fill),
      workBytes: peakOf(work),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function peakOf(report: MemoryReport): number {
  return Math.max(...Object.values(report.peaks));
}

function runChild(order: MemoryOrder, youngMb: number | undefined): Promise<MemoryReport> {
  const flags = youngMb === undefined ? [] : [`--max-semi-space-size=${youngMb}`];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [...flags, program, JSON.stringify(order)], { maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      if (error === null) resolve(JSON.parse(stdout) as MemoryReport);
      else reject(new Error(`${order.mode} child: ${stderr}`, { cause: error }));
    });
  });
}
