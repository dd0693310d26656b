/**
 * `import`: a dump, JSON lines, a git checkout or a task history into the database. What each makes of its source is said in cli/import and
 * import-dump.ts; here the source is recognised, progress is shown and the tally is told.
 *
 * Ctrl-C ends it between two commits; what was made stays, and the same command goes on there.
 */

import { closeSync, createReadStream, openSync, readSync, statSync } from 'node:fs';
import { SteleError } from '../../base/errors.ts';
import { formatPath, parsePath } from '../../model/path/text.ts';
import type { Bucket, Database } from '../../model/types.ts';
import { textOption } from '../arguments.ts';
import type { Call } from '../command.ts';
import { EXIT_NO, EXIT_OK, UsageError } from '../failure.ts';
import { importDump } from '../import-dump.ts';
import { type Progress, showProgress } from '../progress.ts';

type Kind = 'dump' | 'jsonl' | 'git' | 'tasks';
const KINDS: readonly Kind[] = ['dump', 'jsonl', 'git', 'tasks'];

export async function importAny(call: Call): Promise<number> {
  const {
    arguments: [source = '-'],
    options,
    session,
    io,
  } = call;
  const kind = kindOf(source, textOption(options, 'as'));
  if (source === '-' && kind !== 'dump')
    throw new UsageError(`import: ${kind} is read from a file or a directory, not from the standard input`);
  if (source === '-' && io.stdin.isTTY === true)
    throw new UsageError('import: nothing is piped in, and no SOURCE is given', 'stele import --help');
  const database = await session.database();
  const prefix = textOption(options, 'prefix');
  const progress = showProgress({
    label: 'import',
    unit: kind === 'dump' ? 'entries' : kind === 'jsonl' ? 'lines' : 'commits',
    out: io.stderr,
  });
  try {
    if (kind === 'dump') {
      if (prefix !== undefined) throw new UsageError('import: a dump goes to the paths it names, expected no --prefix');
      return await fromDump(call, database, source, progress);
    }
    const into = prefix === undefined ? database : database.subtree(parsePath(prefix));
    return await fromHistory(call, kind, into, source, progress);
  } finally {
    progress.end();
  }
}

function kindOf(source: string, given: string | undefined): Kind {
  if (given !== undefined) {
    if (!KINDS.includes(given as Kind)) throw new UsageError(`--as: found ${JSON.stringify(given)}, expected one of ${KINDS.join(', ')}`);
    return given as Kind;
  }
  if (source === '-') return 'dump';
  if (statSync(source).isDirectory()) return 'git';
  const fd = openSync(source, 'r');
  try {
    const bytes = Buffer.alloc(64);
    const text = bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0)).toString('latin1');
    return text.startsWith('{"stele":"dump"') ? 'dump' : 'jsonl';
  } finally {
    closeSync(fd);
  }
}

async function fromDump({ io, out }: Call, database: Database, source: string, progress: Progress): Promise<number> {
  const chunks = source === '-' ? io.stdin : createReadStream(source, { highWaterMark: 256 * 1024 });
  const { entries, commits, policies, empty, digest, isSame, wasEmpty, expired, head, end } = await importDump(
    database,
    chunks,
    async (done, total) => {
      progress.at(done, total);
      await out.turn();
    },
  );
  progress.end();
  const same = isSame
    ? `the same as the dump: ${digest}`
    : expired > 0
      ? `${expired} entries have expired since the dump; here ${digest}`
      : `the database holds other entries as well: ${digest}`;
  const what = head.history ? `${commits} commits` : `${entries} entries`;
  const { isTable } = out;
  const { version } = database;
  const answer = { source: 'dump', ...(head.history ? { commits, empty } : { entries }), policies, version, digest, isSame };
  if (isTable) await out.line(`${what} imported, now version ${version}; ${same}`);
  else await out.record(answer);
  if (isSame || expired > 0 || !wasEmpty) return EXIT_OK;
  throw new SteleError(
    'invalid',
    'SOURCE_INVALID',
    `the dump was changed after it was made: it says ${end.digest}; its entries were imported and have ${digest}`,
  );
}

async function fromHistory(
  { options, io, out }: Call,
  kind: Exclude<Kind, 'dump'>,
  into: Bucket,
  source: string,
  progress: Progress,
): Promise<number> {
  const { signal } = io;
  const tell = async (words: string, record: object): Promise<number> => {
    progress.end();
    await out.answer(words, { source: kind, ...record, version: into.version });
    return EXIT_OK;
  };
  if (kind === 'git') {
    const { importGit } = await import('../import/git.ts');
    const ref = textOption(options, 'ref');
    const done = await importGit(into, source, {
      signal,
      progress: (at, total) => progress.at(at, total),
      ...(ref === undefined ? {} : { ref }),
    });
    if (done.commits === 0) return tell(`nothing new: commit ${done.tip.slice(0, 12)} is here already`, done);
    return tell(
      `${done.commits} commits of ${done.root} imported${done.before > 0 ? `, behind ${done.before} that were here` : ''}: ${done.puts} files put, ${done.deletes} deleted`,
      done,
    );
  }
  if (kind === 'tasks') {
    const { importTasks } = await import('../import/tasks.ts');
    const done = await importTasks(into, source, { signal, progress: (at, total) => progress.at(at, total) });
    return tell(
      `${done.commits} commits made of ${done.events} events of ${done.tasks} tasks${done.before > 0 ? `, behind ${done.before} that were here` : ''}`,
      done,
    );
  }
  const { importJsonLines } = await import('../import/json-lines.ts');
  const fields = {
    id: textOption(options, 'id'),
    time: textOption(options, 'time'),
    actor: textOption(options, 'actor'),
    reason: textOption(options, 'reason'),
  };
  const at = textOption(options, 'at');
  const done = await importJsonLines(into, source, {
    ...fields,
    ...(at === undefined ? {} : { at: parsePath(at) }),
    skipBad: options['skip-bad'] === true,
    signal,
    progress: (lines) => progress.at(lines),
  });
  const left = done.skipped > 0 ? `, ${done.skipped} left out that are no objects` : '';
  await tell(
    `${done.lines} ${done.lines === 1 ? 'line' : 'lines'} imported to ${formatPath(done.at)}${done.before > 0 ? `, behind ${done.before} that were here` : ''}${left}`,
    { ...done, at: formatPath(done.at) },
  );
  return done.lines + done.before > 0 ? EXIT_OK : EXIT_NO;
}
