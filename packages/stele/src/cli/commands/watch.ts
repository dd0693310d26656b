/**
 * `watch`: what is committed below a prefix, as it comes.
 *
 * One process writes or many read; so nobody can look into a database that a process holds open for writing. What can be watched is one that is
 * written by processes that come and go (`stele put`, a job, a script): the files are looked at, and when they changed and nobody holds them
 * the database is opened for reading, for a moment. While somebody holds it, this says so and waits; all of it comes when he lets go. Inside
 * one process `db.watch` and the shell's `.watch` tell each commit at once.
 *
 * Invariant: no commit is told twice or left out, whatever happened in between; retention that let commits go is HISTORY_EXPIRED.
 */

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SteleError } from '../../base/errors.ts';
import { parsePath } from '../../model/path/text.ts';
import type { Change } from '../../model/types.ts';
import { openSync } from '../../node/open.ts';
import { textOption, wholeNumber } from '../arguments.ts';
import type { Call } from '../command.ts';
import { commitsOf } from '../commits.ts';
import { EXIT_OK } from '../failure.ts';
import { directoryOf } from '../run.ts';
import { requireDatabase } from '../session.ts';
import { changeRecord, OPERATIONS, operationsOf } from '../shapes.ts';
import { visible as shown } from '../terminal.ts';
import { parseDuration } from '../when.ts';
import { isBelow } from './log.ts';

const EVERY_MS_DEFAULT = 200;
const CACHE_BYTES = 4 * 1024 * 1024;

export async function watch({ arguments: [prefixText = ''], options, io, out }: Call): Promise<number> {
  const directory = directoryOf(options, io);
  const prefix = parsePath(prefixText);
  const every = textOption(options, 'every');
  const everyMs = every === undefined ? EVERY_MS_DEFAULT : parseDuration('--every', every);
  const limit = wholeNumber(options, 'limit', 1) ?? Number.POSITIVE_INFINITY;
  requireDatabase(directory);
  let last = wholeNumber(options, 'from');
  let told = 0;
  let isFirst = true;
  let seen = '';
  let isHeld = false;
  for (;;) {
    const marks = marksOf(directory);
    const news = marks === seen && !isHeld ? [] : look(directory, last);
    if (news === undefined) {
      if (!isHeld) io.stderr.write('stele: another process holds the database: what it commits is told when it lets go\n');
      isHeld = true;
    } else {
      seen = marks;
      isHeld = false;
      if (!Array.isArray(news)) {
        if (isFirst && out.isTable) {
          await out.line(
            out.paint(
              `watching ${prefixText === '' ? 'everything' : prefixText} from version ${(last ?? news.version) + 1} on; Ctrl-C ends`,
              'dim',
            ),
          );
          await out.flush();
        }
        isFirst = false;
        last = news.version;
        for (const change of news.changes) {
          const ops = change.ops.filter(({ path }) => isBelow(path, prefix));
          if (ops.length === 0) continue;
          await tell(out, { ...change, ops });
          if (++told >= limit) return EXIT_OK;
        }
      }
    }
    await pause(everyMs, io.signal);
    await out.turn();
  }
}

async function tell(out: Call['out'], change: Change): Promise<void> {
  if (!out.isTable) await out.line(JSON.stringify(changeRecord(change)));
  else
    for (const one of operationsOf(change)) {
      const [version, time, actor, sign, path, value] = OPERATIONS.cells(one);
      const { paint } = out;
      await out.line(
        `${paint(version!, 'number')} ${paint(time!, 'dim')} ${paint(sign!, 'warn')} ${paint(shown(path!), 'path')} ${shown(value!)}${actor === '' ? '' : paint(` by ${shown(actor!)}`, 'dim')}`,
      );
    }
  await out.flush();
}

/** What changes when something is committed. */
function marksOf(directory: string): string {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.seg') || name === 'pages.db' || name === 'commits.idx')
    .sort()
    .map((name) => {
      const stat = statSync(join(directory, name), { throwIfNoEntry: false });
      return `${name} ${stat?.size} ${stat?.mtimeMs}`;
    })
    .join('\n');
}

/** The commits behind `last`, and the newest; undefined when somebody else holds the database. The first look only finds where to begin. */
function look(directory: string, last: number | undefined): { readonly version: number; readonly changes: Change[] } | undefined {
  let database: ReturnType<typeof openSync>;
  try {
    database = openSync(directory, { readOnly: true, cacheMemory: CACHE_BYTES });
  } catch (error) {
    if (error instanceof SteleError && error.code === 'LOCKED') return undefined;
    throw error;
  }
  try {
    const { version } = database;
    return { version, changes: last === undefined ? [] : [...commitsOf(database, last + 1, version)] };
  } finally {
    void database.close();
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
