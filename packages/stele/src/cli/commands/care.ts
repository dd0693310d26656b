/**
 * Care: `compact`, `verify`, `repair`, `stats`. What they did is said in words on a terminal, and as one object in a pipe.
 */

import { SteleError } from '../../base/errors.ts';
import { posixHost } from '../../host/posix/host.ts';
import { posixStorage } from '../../host/posix/storage.ts';
import { decodePath } from '../../model/path/decode.ts';
import { formatPath } from '../../model/path/text.ts';
import type { Database, Work } from '../../model/types.ts';
import { openEngineSync } from '../../txn/engine.ts';
import { type RepairReport, repairDatabase } from '../../txn/repair.ts';
import type { Damage, VerifyReport } from '../../txn/types.ts';
import { textOption } from '../arguments.ts';
import type { Call, Session } from '../command.ts';
import { oldestCommit } from '../commits.ts';
import { declaredPolicies, digestOf } from '../dump-format.ts';
import { EXIT_CORRUPT, EXIT_OK } from '../failure.ts';
import type { Output, RowShape } from '../output.ts';
import { count, showProgress } from '../progress.ts';
import { directoryOf, waitOf } from '../run.ts';
import { patiently, requireDatabase } from '../session.ts';
import { sizeOf } from './copy.ts';

export const DAMAGES: RowShape<Damage> = {
  columns: [
    { name: 'where', paint: 'bad' },
    { name: 'what', gives: true },
  ],
  cells: ({ where, message }) => [where, message],
  record: ({ where, message, detail }) => ({ where, message, detail }),
};

export async function compact({ session, io, out }: Call): Promise<number> {
  const database = await session.database();
  const before = sizeOf(session.directory);
  const progress = showProgress({ label: 'compact', unit: 'steps', out: io.stderr });
  try {
    await database.compact({ signal: io.signal, progress: (done, total) => progress.at(done, total) });
  } finally {
    progress.end();
  }
  await session.close(); // what is given back is given back at the latest now
  const after = sizeOf(session.directory);
  await out.answer(`${count(before)} bytes before, ${count(after)} now`, { bytesBefore: before, bytes: after });
  return EXIT_OK;
}

export async function verify({ session, io, out }: Call): Promise<number> {
  const progress = showProgress({ label: 'verify', unit: 'parts', out: io.stderr });
  const work = { signal: io.signal, progress: (done: number, total: number) => progress.at(done, total) };
  let found: Verified;
  try {
    found = await verified(session, work, () => out.turn());
  } finally {
    progress.end();
  }
  const { report, version, content } = found;
  if (out.isTable) await tellVerified(out, found);
  else {
    const { pages, commits, logBytes, damages, ok } = report;
    await out.record({ ok, version, ...content, pages, commits, logBytes, damages });
  }
  return report.ok ? EXIT_OK : EXIT_CORRUPT;
}

interface Verified {
  readonly report: VerifyReport;
  readonly version: number;
  /** Without damage only: a damaged tree cannot be read to its end. */
  readonly content: { readonly entries: number; readonly digest: string } | undefined;
  /** The policies could be read. */
  readonly isOpened: boolean;
}

async function verified(session: Session, work: Work, turn: () => Promise<void>): Promise<Verified> {
  let database: Database;
  try {
    database = await session.database();
  } catch (error) {
    if (!(error instanceof SteleError) || error.kind !== 'corrupt') throw error;
    return verifiedBelow(session.directory, work, error);
  }
  const report = await database.verify(work);
  const content = report.ok ? await digestOf(database, turn) : undefined;
  return { report, version: database.version, content, isOpened: true };
}

/** What cannot be opened because its policies cannot be read is verified as pages and records. @throws the first failure when even that cannot be */
async function verifiedBelow(directory: string, work: Work, failure: SteleError): Promise<Verified> {
  const host = posixHost(directory);
  try {
    const engine = openEngineSync({ host, readOnly: true });
    try {
      const report = await engine.verify(work);
      return { report, version: engine.version, content: undefined, isOpened: false };
    } finally {
      await engine.close();
    }
  } catch (error) {
    throw error instanceof SteleError && error.kind === 'closed' ? error : failure;
  } finally {
    await host.threads.close();
    host.storage.close();
  }
}

async function tellVerified(out: Output, { report, version, content, isOpened }: Verified): Promise<void> {
  const { pages, commits, logBytes, damages, ok } = report;
  const oldest = version - commits + 1;
  await out.line(`checked   both meta pages; ${count(pages)} pages by checksum, structure and order`);
  await out.line(
    commits === 0
      ? '          the log, which holds no commit'
      : `          the log: commits ${count(oldest)} to ${count(version)} record by record, ${count(logBytes)} bytes, each chained to the one before`,
  );
  await out.line(
    `          the commit index, a sample of the headers${isOpened ? ', policies and secondary indexes against the data' : ''}`,
  );
  if (!isOpened) await out.line('not       policies and secondary indexes: damage hides them');
  if (ok) await out.line(`found     ${out.paint('no damage', 'good')}`);
  else {
    await out.line(`found     ${out.paint(`${count(damages.length)} ${damages.length === 1 ? 'damage' : 'damages'}`, 'bad')}`);
    await out.rows(damages, DAMAGES);
    await out.line('stele repair says what can be saved, and saves it; --backup DIR lets it take what is missing from a backup');
  }
  if (content !== undefined) {
    await out.line(`content   version ${version}, ${count(content.entries)} entries`);
    await out.line(`          ${content.digest}`);
    await out.line('          another database with this digest holds the same entries and policies');
  }
}

export async function repair({ options, io, out }: Call): Promise<number> {
  const directory = directoryOf(options, io);
  requireDatabase(directory);
  const backupName = textOption(options, 'backup');
  if (backupName !== undefined) requireDatabase(backupName);
  const host = posixHost(directory);
  const backup = backupName === undefined ? undefined : posixStorage(backupName);
  try {
    const report = await patiently(
      () =>
        repairDatabase({
          host,
          signal: io.signal,
          ...(backup === undefined ? {} : { backup }),
          ...(options['cut-log'] === true ? { cutLogAt: 'damage' as const } : {}),
        }),
      waitOf(options),
      io.signal,
    );
    if (out.isTable) await tellRepaired(out, report);
    else await out.record({ ...report, lostKeys: report.lostKeys.map(pathOf) });
    return report.remaining.length === 0 ? EXIT_OK : EXIT_CORRUPT;
  } finally {
    backup?.close();
    await host.threads.close();
    host.storage.close();
  }
}

/** Keys of the system have no path. */
function pathOf(key: Uint8Array): string {
  try {
    return formatPath(decodePath(key, 0, key.length));
  } catch {
    return `0x${Buffer.from(key).toString('hex')}`;
  }
}

async function tellRepaired(out: Output, report: RepairReport): Promise<void> {
  const { isRepaired, base, version, damages, remaining, lostCommits, lostRanges, lostKeys, healedSegments, setAside } = report;
  if (!isRepaired) {
    await out.line(`${out.paint('nothing to repair', 'good')}: version ${version}`);
    return;
  }
  await out.line(`found     ${count(damages.length)} ${damages.length === 1 ? 'damage' : 'damages'}`);
  await out.rows(damages, DAMAGES);
  const bases: Readonly<Record<string, string>> = { kept: 'the tree stands', log: 'the tree was rebuilt from the log' };
  await out.line(
    `did       ${bases[base] ?? `the tree was rebuilt from ${base}`}${healedSegments.length === 0 ? '' : `; ${healedSegments.length} log segments came from the backup`}`,
  );
  await out.line(`now       version ${version}`);
  if (lostCommits !== undefined) await out.line(out.paint(`lost      commits ${lostCommits.first} to ${lostCommits.last}`, 'bad'));
  if (lostKeys.length > 0)
    await out.line(out.paint(`lost      ${lostKeys.length} values: ${lostKeys.slice(0, 10).map(pathOf).join(', ')}`, 'bad'));
  if (lostRanges.length > 0)
    await out.line(out.paint(`lost      perhaps entries in ${lostRanges.length} ranges that no log record covers`, 'bad'));
  if (remaining.length > 0) {
    await out.line(out.paint(`left      ${remaining.length} damages, of older versions above all`, 'warn'));
    await out.rows(remaining, DAMAGES);
  }
  if (setAside.length > 0) await out.line(`aside     ${setAside.join(', ')}: what was there before; delete it when it is not wanted`);
}

export async function stats({ session, out }: Call): Promise<number> {
  const database = await session.database();
  const figures = {
    database: {
      directory: session.directory,
      bytes: sizeOf(session.directory),
      version: database.version,
      entries: database.count(),
      policies: declaredPolicies(database).length,
      oldestCommit: oldestCommit(database),
    },
    ...database.stats(),
  };
  if (!out.isTable) {
    await out.record(figures);
    return EXIT_OK;
  }
  const rows = Object.entries(figures).flatMap(([section, fields]) =>
    Object.entries(fields).map(([name, value]) => ({ section, name, value })),
  );
  await out.rows(rows, {
    columns: [
      { name: 'section', paint: 'dim' },
      { name: 'figure', paint: 'path' },
      { name: 'value', gives: true },
    ],
    cells: ({ section, name, value }) => [section, name, typeof value === 'number' ? shortNumber(value) : String(value)],
    record: (row) => row,
  });
  return EXIT_OK;
}

function shortNumber(value: number): string {
  return Number.isInteger(value) ? count(value) : value.toFixed(2);
}
