/**
 * What `npm start` does: finds the source, opens the database, imports with progress, shows.
 *
 * Invariants: the database is closed on every way out; nothing is deleted that is no database; a request that cannot be met makes nothing.
 *
 * Specification: docs/import.md.
 */

import { existsSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { SteleError } from '../../base/errors.ts';
import { posixStorage } from '../../host/posix/storage.ts';
import type { Database } from '../../model/types.ts';
import { open } from '../../node/open.ts';
import { EXIT_INTERRUPTED, EXIT_OK, failureOf, UsageError } from '../failure.ts';
import { type CommitTally, importCommits, lastImported } from '../import/commits.ts';
import { findGit, importGit } from '../import/git.ts';
import { guessFields, importJsonLines } from '../import/json-lines.ts';
import { isTaskDirectory } from '../import/task-files.ts';
import { importTasks } from '../import/tasks.ts';
import { count, megabytes, type ProgressOutput, showProgress } from '../progress.ts';
import { quoted, showGitTour } from './git-tour.ts';
import { showLinesTour } from './lines-tour.ts';
import { counted, makePage, type Page } from './page.ts';
import { sampleCommits } from './sample.ts';
import { showTasksTour } from './tasks-tour.ts';

const USAGE = `npm start [-- [SOURCE] [--db DIR] [--fresh]]

  SOURCE      a git checkout (default: this repository), a directory with issues.jsonl and events.jsonl, or a file of JSON lines
  --db DIR    where the database goes (default: .stele-start, for another source .stele-start-NAME)
  --fresh     begin anew: the database is deleted first, when npm start made it
`;

/** A rate of fewer would be that of starting. */
const RATE_COMMITS_MIN = 100;

type Source = { readonly kind: 'git' | 'tasks' | 'lines'; readonly path: string } | { readonly kind: 'sample'; readonly why: string };

/** The surroundings; tests give their own. */
export interface StartIo {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: ProgressOutput;
  readonly stderr: ProgressOutput;
  readonly signal: AbortSignal;
}

/** Gives the exit code; a failure is one sentence on the error stream. */
export async function runStart(args: readonly string[], io: StartIo): Promise<number> {
  try {
    return await readAndShow(args, io);
  } catch (error) {
    const isMisuse = error instanceof TypeError && String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS');
    const { exitCode, sentence, hint, stack } = failureOf(isMisuse ? new UsageError(error.message, 'npm start -- --help') : error);
    io.stderr.write(
      [`npm start: ${sentence}`, ...(hint === undefined ? [] : [`  ${hint}`]), ...(stack === undefined ? [] : [stack]), ''].join('\n'),
    );
    return exitCode;
  }
}

async function readAndShow(args: readonly string[], { cwd, env, stdout, stderr, signal }: StartIo): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { db: { type: 'string' }, fresh: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) {
    stdout.write(USAGE);
    return EXIT_OK;
  }
  const page = makePage(stdout, env);
  if (positionals.length > 1) throw new UsageError(`found ${positionals.length} sources, expected one`, 'npm start -- --help');
  const from = env['INIT_CWD'] ?? cwd; // where npm was called, which then goes to the root of the package
  const source = await findSource(positionals[0] === undefined ? undefined : resolve(from, positionals[0]), cwd);
  const directory = values.db === undefined ? resolve(cwd, defaultName(source, positionals[0])) : resolve(from, values.db);
  if (values.fresh === true) removeDatabase(directory);
  const db = await open(directory, { durability: 'async' });
  try {
    await read(source, { db, page, shown: quoted(relative(cwd, directory) || '.'), stderr, signal });
    return EXIT_OK;
  } catch (error) {
    if (!(error instanceof SteleError && error.code === 'CANCELLED')) throw error;
    await db.sync();
    page.line(`Stopped: ${error.message}. Nothing is lost; the same command goes on there.`);
    return EXIT_INTERRUPTED;
  } finally {
    await db.close();
  }
}

/** @throws {UsageError} */
async function findSource(path: string | undefined, cwd: string): Promise<Source> {
  if (path !== undefined) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) throw new UsageError(`${path} does not exist`, 'npm start -- --help');
    if (stat.isFile())
      return /^(?:events|issues)\.jsonl$/.test(basename(path)) && isTaskDirectory(dirname(path))
        ? { kind: 'tasks', path: dirname(path) }
        : { kind: 'lines', path };
    if (isTaskDirectory(path)) return { kind: 'tasks', path };
  }
  const directory = path ?? cwd;
  try {
    const { root, isShallow } = await findGit(directory);
    if (isShallow) return { kind: 'sample', why: `${root} is a shallow clone: its history is cut (git fetch --unshallow gets the rest)` };
    // A copy without a history of its own may lie within another repository, which nobody asked for.
    if (path === undefined && realpathSync(root) !== realpathSync(directory))
      return { kind: 'sample', why: `${directory} has no git history of its own` };
    return { kind: 'git', path: root };
  } catch (error) {
    if (error instanceof SteleError && error.code === 'SOURCE_INVALID') return { kind: 'sample', why: error.message };
    throw error;
  }
}

function defaultName(source: Source, given: string | undefined): string {
  if (source.kind === 'sample') return '.stele-start-sample';
  if (given === undefined) return '.stele-start';
  return `.stele-start-${
    basename(source.path)
      .replace(/\.jsonl$/, '')
      .replace(/[^\w.-]+/g, '-') || 'source'
  }`;
}

/** Only what is a database is deleted. */
function removeDatabase(directory: string): void {
  if (!existsSync(directory)) return;
  if (!existsSync(join(directory, 'pages.db'))) throw new UsageError(`${directory} holds no database, so --fresh does not delete it`);
  // Only what it made itself, by its name; and only files of a database, whatever else lies there.
  if (!basename(directory).startsWith('.stele-start'))
    throw new UsageError(
      `${directory} was not named by npm start, so --fresh does not delete it: remove it yourself, or give another --db`,
    );
  const storage = posixStorage(directory);
  const lock = storage.lock();
  for (const name of storage.list()) storage.remove(name);
  lock.release();
  storage.close();
}

interface Run {
  readonly db: Database;
  readonly page: Page;
  /** The directory as it is written on a command line. */
  readonly shown: string;
  readonly stderr: ProgressOutput;
  readonly signal: AbortSignal;
}

async function read(source: Source, run: Run): Promise<void> {
  const { db, page, shown, signal } = run;
  switch (source.kind) {
    case 'git': {
      page.line(`Reading the git history of ${source.path} into ${shown}`);
      const { isBehind, before, ...tally } = await timed(
        run,
        'commits',
        (progress) => importGit(db, source.path, { signal, progress }),
        (done) => done.commits,
      );
      showTally(page, tally, before);
      if (isBehind) page.line('  The checkout stands on an earlier commit; the database has more.');
      showGitTour(db, page, shown);
      return;
    }
    case 'sample': {
      page.line(`No history to read: ${source.why}.`);
      page.line(`A small sample of our own making is used instead, in ${shown}: a recipe book kept by three people.`);
      const before = lastImported(db)?.n ?? 0;
      const done = await timed(
        run,
        'commits',
        (progress) => importCommits(sampleCommits(before), { into: db, from: before, signal, progress }),
        (tally) => tally.commits,
      );
      showTally(page, done, before);
      showGitTour(db, page, shown);
      return;
    }
    case 'tasks': {
      page.line(`Reading the task history in ${source.path} into ${shown}`);
      const done = await timed(
        run,
        'events',
        (progress) => importTasks(db, source.path, { signal, progress }),
        (found) => found.commits,
      );
      if (done.before > 0) page.line(`  ${counted(done.before, 'commit was', 'commits were')} here already`);
      showTasksTour(db, page, shown, done);
      return;
    }
    case 'lines': {
      page.line(`Reading the lines of ${source.path} into ${shown}`);
      const fields = await guessFields(source.path);
      const progress = (report: (done: number, total: number) => void) => (_lines: number, bytes: number, total: number) =>
        report(bytes, total);
      const done = await timed(
        run,
        'bytes',
        (report) => importJsonLines(db, source.path, { ...fields, signal, progress: progress(report) }),
        (found) => found.lines,
      );
      if (done.before > 0) page.line(`  ${counted(done.before, 'line was', 'lines were')} here already`);
      await showLinesTour(db, page, shown, done, fields);
    }
  }
}

/** Imports with progress shown, makes it durable, and says how fast it was. */
async function timed<T>(
  { db, page, stderr }: Run,
  unit: string,
  work: (progress: (done: number, total?: number) => void) => Promise<T>,
  commitsOf: (done: T) => number,
): Promise<T> {
  const begin = performance.now();
  let shown: ReturnType<typeof showProgress> | undefined;
  try {
    const done = await work((at, total) => {
      // The first report says where an earlier run had stopped.
      shown ??= showProgress({ label: 'import', unit, total, from: at, out: stderr });
      shown.at(at, total);
    });
    await db.sync();
    const seconds = (performance.now() - begin) / 1000;
    const commits = commitsOf(done);
    shown?.end();
    if (commits === 0) page.line('  nothing new');
    else {
      const rate = commits < RATE_COMMITS_MIN ? '' : `, ${count(Math.round(commits / seconds))} a second`;
      page.line(`  ${counted(commits, 'commit')} in ${seconds.toFixed(1)} s, on the device${rate}`);
    }
    return done;
  } finally {
    shown?.end();
  }
}

function showTally(page: Page, { puts, deletes, bytes, leftOut }: CommitTally, before: number): void {
  if (before > 0) page.line(`  ${counted(before, 'commit was', 'commits were')} here already`);
  if (puts + deletes > 0) page.line(`  ${counted(puts, 'file version')}, ${counted(deletes, 'deletion')}, ${megabytes(bytes)}`);
  if (leftOut > 0) page.line(`  ${counted(leftOut, 'file was', 'files were')} left out: \`commits\` says which and why`);
}
