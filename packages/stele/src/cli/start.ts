/**
 * `npm start`: a real history into a database, and a look at it.
 *
 *   npm start                      the git history of this repository, into ./.stele-start
 *   npm start -- DIR               of any checkout
 *   npm start -- TEAM              tasks and events of a team: a directory with issues.jsonl and events.jsonl
 *   npm start -- FILE.jsonl        any history in JSON lines
 *
 * Run again it goes on where it stopped, also when it was killed. Where there is no whole history (no git, no repository, a shallow clone)
 * it says so and takes a small sample of our own making.
 *
 * Specification: docs/import.md.
 */

import { runStart } from './start/run.ts';

const ending = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (ending.signal.aborted) process.exit(130); // asked twice: what was committed stands
    ending.abort();
  });
// Whoever reads the first lines only (`| head`) is served: the rest goes nowhere, and the import ends well.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
const { stdout, stderr, env } = process;
process.exitCode = await runStart(process.argv.slice(2), { cwd: process.cwd(), env, stdout, stderr, signal: ending.signal });
