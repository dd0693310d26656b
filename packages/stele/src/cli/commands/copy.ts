/**
 * Copies: `backup` of a database that others may be using, `restore` into an empty directory.
 *
 * Either both are whole or nothing is there: a cut or cancelled backup is refused by every later opening (BACKUP_UNFINISHED), a cut restore
 * is emptied.
 */

import { existsSync, readdirSync, statSync } from 'node:fs';
import { open } from '../../node/open.ts';
import { restore as unpack } from '../../node/targets.ts';
import type { Call } from '../command.ts';
import { EXIT_OK, UsageError } from '../failure.ts';
import { type Progress, showProgress } from '../progress.ts';
import { directoryOf } from '../run.ts';
import { requireDatabase } from '../session.ts';

export async function backup({ arguments: [target], options, session, io, out }: Call): Promise<number> {
  const singleFile = options['single-file'] === true || target!.endsWith('.tar');
  if (singleFile ? existsSync(target!) : isFilled(target!))
    throw new UsageError(`${target} ${singleFile ? 'exists already' : 'is not empty'}: a backup never overwrites`, 'give a new name');
  const database = await session.database();
  const progress = showProgress({ label: 'backup', unit: 'bytes', out: io.stderr });
  try {
    await database.backup(target!, {
      singleFile,
      history: options['no-history'] !== true,
      signal: io.signal,
      progress: (done, total) => progress.at(done, total),
    });
  } finally {
    progress.end();
  }
  const bytes = sizeOf(target!);
  const record = { target, singleFile, version: database.version, bytes };
  await out.answer(`version ${database.version} in ${target}, ${bytes} bytes; stele restore brings it back`, record);
  return EXIT_OK;
}

function isFilled(directory: string): boolean {
  const stat = statSync(directory, { throwIfNoEntry: false });
  if (stat !== undefined && !stat.isDirectory())
    throw new UsageError(`${directory} is a file, expected an empty directory, or a name that ends with .tar`);
  return stat !== undefined && readdirSync(directory).length > 0;
}

/** Bytes of a file, or of the files in a directory. */
export function sizeOf(path: string): number {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(path, { withFileTypes: true }).reduce(
    (sum, entry) => sum + (entry.isFile() ? statSync(`${path}/${entry.name}`).size : 0),
    0,
  );
}

export async function restore({ arguments: [source], options, io, out }: Call): Promise<number> {
  const target = directoryOf(options, io);
  if (isFilled(target))
    throw new UsageError(`${target} is not empty: a restore never overwrites`, 'give a new or an empty directory with --db DIR');
  const stat = statSync(source!);
  const progress = showProgress({ label: 'restore', unit: 'bytes', out: io.stderr });
  try {
    if (stat.isDirectory()) await copy(source!, target, io.signal, progress);
    else await unpack(source!, target, { signal: io.signal, progress: (done, total) => progress.at(done, total) });
  } finally {
    progress.end();
  }
  const database = await open(target, { readOnly: true });
  const { version } = database;
  const entries = database.count();
  await database.close();
  await out.answer(`version ${version} with ${entries} entries is back in ${target}`, { directory: target, version, entries });
  return EXIT_OK;
}

/** A backup that is a directory is a database like any other. */
async function copy(source: string, target: string, signal: AbortSignal, progress: Progress): Promise<void> {
  requireDatabase(source);
  const database = await open(source, { readOnly: true });
  try {
    await database.backup(target, { signal, progress: (done, total) => progress.at(done, total) });
  } finally {
    await database.close();
  }
}
