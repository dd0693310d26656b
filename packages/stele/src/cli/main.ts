/**
 * The process of the `stele` command: its streams, its signals, its exit code.
 *
 * Ctrl-C once ends the command where nothing is left half done, twice ends the process at once; either way what was committed stands, and
 * a commit that was not acknowledged is whole or not there at all. A reader that went away (`stele scan | head`) is no failure.
 */

import type { Io } from './command.ts';
import { EXIT_INTERRUPTED, EXIT_OK } from './failure.ts';
import { Interruption, run } from './run.ts';

const EXIT_TERMINATED = 143;

export async function main(words: readonly string[]): Promise<void> {
  const ending = new AbortController();
  const end = (name: string, exitCode: number): void => {
    if (ending.signal.aborted) process.exit(exitCode);
    ending.abort(new Interruption(name, exitCode));
  };
  process.on('SIGINT', () => end('interrupted', EXIT_INTERRUPTED));
  process.on('SIGTERM', () => end('terminated', EXIT_TERMINATED));
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') ending.abort(new Interruption('nobody reads', EXIT_OK));
  });
  process.stderr.on('error', () => {});
  const io: Io = { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, env: process.env, signal: ending.signal };
  process.exitCode = await run(words, io);
}
