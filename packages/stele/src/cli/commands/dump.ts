/**
 * `dump`: the database as JSON lines. See dump-format.ts for the lines, and import-dump.ts for the way back.
 *
 * What is dumped is one view: writing goes on beside it in nobody's way. A dump into a file appears under its name when it is whole.
 */

import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { formatPath, parsePath } from '../../model/path/text.ts';
import type { Database } from '../../model/types.ts';
import { textOption } from '../arguments.ts';
import type { Call } from '../command.ts';
import { commitsOf } from '../commits.ts';
import { Digest, DUMP_FORMAT, type DumpEnd, type DumpHead, declaredPolicies, digestOf, entryLines, policyLine } from '../dump-format.ts';
import { EXIT_OK, UsageError } from '../failure.ts';
import { showProgress } from '../progress.ts';
import { changeRecord, timeText } from '../shapes.ts';

const TURN_LINES = 500;
const FILE_BUFFER_CHARACTERS = 256 * 1024;

type WriteLine = (line: string) => Promise<void>;

export async function dump(call: Call): Promise<number> {
  const { options, out, session, io } = call;
  const prefix = textOption(options, 'prefix');
  const isWithHistory = options['history'] === true;
  const target = textOption(options, 'out');
  if (isWithHistory && prefix !== undefined)
    throw new UsageError('--history and --prefix given, expected one of them: history is of whole commits');
  if (isWithHistory && session.when !== undefined) throw new UsageError('--history is not asked of the past: it holds all of it');
  const database = await session.database();
  const view = await session.view();
  const head: DumpHead = {
    stele: 'dump',
    format: DUMP_FORMAT,
    version: view.version,
    time: timeText(new Date()),
    history: isWithHistory,
    total: isWithHistory ? view.version : view.count(parsePath(prefix ?? '')),
    ...(prefix === undefined ? {} : { prefix: formatPath(parsePath(prefix)) }),
  };
  const progress = showProgress({ label: 'dump', unit: isWithHistory ? 'commits' : 'entries', out: io.stderr });
  const turn = async (done: number, total: number): Promise<void> => {
    progress.at(done, total);
    await out.turn();
  };
  const work = async (write: WriteLine): Promise<DumpEnd> => {
    await write(JSON.stringify(head));
    const end = isWithHistory ? await dumpHistory(database, write, turn) : await dumpState(call, prefix ?? '', write, turn);
    await write(JSON.stringify(end));
    return end;
  };
  try {
    if (target === undefined) await work((line) => out.line(line));
    else {
      const end = await intoFile(target, work);
      progress.end();
      await out.answer(`${end.entries} entries of version ${head.version} in ${target}, ${end.digest}`, {
        file: target,
        version: head.version,
        ...end,
      });
    }
  } finally {
    progress.end();
  }
  return EXIT_OK;
}

type Turn = (done: number, total: number) => Promise<void>;

async function dumpState({ session }: Call, prefixText: string, write: WriteLine, turn: Turn): Promise<DumpEnd> {
  const database = await session.database();
  const view = await session.view();
  const prefix = parsePath(prefixText);
  const total = view.count(prefix);
  const digest = new Digest();
  // What is declared belongs to the whole of the newest state; a part of it, or the past, is entries only.
  if (prefix.length === 0 && (session.when === undefined || session.when === 'now'))
    for (const policy of declaredPolicies(database)) {
      const line = policyLine(policy);
      digest.add(line);
      await write(line);
    }
  for (const line of entryLines(view, prefix)) {
    digest.addEntry(line);
    await write(line);
    if (digest.entries % TURN_LINES === 0) await turn(digest.entries, total);
  }
  return { end: true, entries: digest.entries, digest: digest.end() };
}

async function dumpHistory(database: Database, write: WriteLine, turn: Turn): Promise<DumpEnd> {
  const through = database.version;
  for (const policy of declaredPolicies(database)) await write(policyLine(policy));
  let commits = 0;
  for (const change of commitsOf(database, 1, through)) {
    await write(JSON.stringify(changeRecord(change)));
    if (++commits % TURN_LINES === 0) await turn(change.version, through);
  }
  const { entries, digest } = await digestOf(database, () => turn(through, through));
  return { end: true, entries, digest, commits };
}

async function intoFile(target: string, work: (write: WriteLine) => Promise<DumpEnd>): Promise<DumpEnd> {
  const partial = `${target}.partial`;
  const fd = openSync(partial, 'w');
  let buffer = '';
  const flush = (): void => {
    const bytes = Buffer.from(buffer);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    buffer = '';
  };
  let isOpen = true;
  try {
    const end = await work(async (line) => {
      buffer += `${line}\n`;
      if (buffer.length >= FILE_BUFFER_CHARACTERS) flush();
    });
    flush();
    fsyncSync(fd);
    closeSync(fd);
    isOpen = false;
    renameSync(partial, target);
    return end;
  } catch (error) {
    if (isOpen) closeSync(fd);
    rmSync(partial, { force: true });
    // A failed write does not know the name of its file.
    throw (error as { syscall?: unknown }).syscall === undefined ? error : Object.assign(error as Error, { path: target });
  }
}
