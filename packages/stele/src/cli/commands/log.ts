/**
 * The log: `log show` what was committed, `log verify` its records, `log replay` it into a state and hold that against the tree.
 *
 * Replay is the proof that the log is the truth: it takes nothing but the records, one after the other, makes the entries from them in a
 * database of its own (in memory, or `--into` a directory), and compares with what the tree answers at that version.
 */

import { memoryStorage } from '../../host/memory/storage.ts';
import { formatPath, parsePath } from '../../model/path/text.ts';
import type { BatchOperation, Change, Database, Row, Segment, Snapshot } from '../../model/types.ts';
import { open } from '../../node/open.ts';
import { textOption, wholeNumber } from '../arguments.ts';
import type { Call } from '../command.ts';
import { commitsOf, oldestCommit } from '../commits.ts';
import { EXIT_CORRUPT, EXIT_NO, EXIT_OK, UsageError } from '../failure.ts';
import { Pipeline } from '../import/pipeline.ts';
import { note, type RowShape } from '../output.ts';
import { count, showProgress } from '../progress.ts';
import { refuseForeign } from '../session.ts';
import { changeRecord, OPERATIONS, operationsOf, preview, type ShownOperation, timeText } from '../shapes.ts';
import { formatValue } from '../value-json.ts';
import { DAMAGES } from './care.ts';

const ACTIONS = ['show', 'verify', 'replay'];
const TURN_COMMITS = 200;
const DIFFERENCES_MAX = 20;

export async function log(call: Call): Promise<number> {
  const [action = 'show', ...rest] = call.arguments;
  if (action === 'show' && rest.length <= 1) return show(call, rest[0]);
  if (!ACTIONS.includes(action))
    throw new UsageError(`log: found ${JSON.stringify(action)}, expected one of ${ACTIONS.join(', ')}`, 'stele log --help');
  if (rest.length > 0)
    throw new UsageError(`log ${action}: found ${JSON.stringify(rest.at(-1))}, expected nothing behind ${action}`, 'stele log --help');
  return action === 'verify' ? verifyLog(call) : replay(call);
}

const COMMITS: RowShape<Change> = {
  columns: [
    { name: 'version', paint: 'number', isRight: true },
    { name: 'time', paint: 'dim' },
    { name: 'actor', gives: true },
    { name: 'changes', isRight: true },
    { name: 'first', paint: 'path', gives: true },
    { name: 'reason', gives: true },
  ],
  cells: ({ version, time, actor, reason, ops }) => [
    String(version),
    timeText(time),
    actor ?? '',
    String(ops.length),
    ops[0] === undefined ? '(policies)' : formatPath(ops[0].path),
    reason ?? '',
  ],
  record: changeRecord,
};

async function show({ options, session, io, out }: Call, prefixText: string | undefined): Promise<number> {
  const database = await session.database();
  const prefix = parsePath(prefixText ?? '');
  const { from, to } = await stretchOf(options, database);
  const limit = wholeNumber(options, 'limit') ?? Number.POSITIVE_INFINITY;
  function* commits(): Generator<Change> {
    let left = limit;
    for (const change of commitsOf(database, from, to)) {
      const ops = prefix.length === 0 ? change.ops : change.ops.filter(({ path }) => isBelow(path, prefix));
      if (prefix.length > 0 && ops.length === 0) continue;
      if (left-- <= 0) return;
      yield { ...change, ops };
    }
  }
  if (options['ops'] === true && out.isTable) {
    function* operations(): Generator<ShownOperation> {
      for (const change of commits()) yield* operationsOf(change);
    }
    if ((await out.rows(operations(), OPERATIONS)) > 0) return EXIT_OK;
  } else if ((await out.rows(commits(), COMMITS)) > 0) return EXIT_OK;
  note(io, `no commit${prefix.length === 0 ? '' : ` touched ${formatPath(prefix)}`}`);
  return EXIT_NO;
}

export function isBelow(path: readonly Segment[], prefix: readonly Segment[]): boolean {
  if (path.length < prefix.length) return false;
  return formatPath(path.slice(0, prefix.length)) === formatPath(prefix);
}

async function stretchOf(options: Call['options'], database: Database): Promise<{ from: number; to: number }> {
  const from = wholeNumber(options, 'from', 1) ?? Math.max(1, oldestCommit(database));
  const to = wholeNumber(options, 'to') ?? database.version;
  if (to > database.version) throw new UsageError(`--to: found ${to}, expected a version up to ${database.version}, the newest`);
  return { from, to };
}

async function verifyLog({ session, io, out }: Call): Promise<number> {
  const database = await session.database();
  const progress = showProgress({ label: 'log verify', unit: 'parts', out: io.stderr });
  try {
    const report = await database.verify({ signal: io.signal, progress: (done, total) => progress.at(done, total) });
    progress.end();
    const damages = report.damages.filter(({ where }) => where !== 'page' && where !== 'meta');
    const ok = damages.length === 0;
    const { version } = database;
    if (!out.isTable) await out.record({ ok, version, commits: report.commits, logBytes: report.logBytes, damages });
    else {
      await out.line(
        `checked   ${count(report.commits)} commits up to ${version}, ${count(report.logBytes)} bytes: checksum and chain of each record, its place in the index, headers`,
      );
      await out.line(`found     ${ok ? out.paint('no damage', 'good') : out.paint(`${damages.length} damages`, 'bad')}`);
      if (!ok) await out.rows(damages, DAMAGES);
    }
    return ok ? EXIT_OK : EXIT_CORRUPT;
  } finally {
    progress.end();
  }
}

async function replay({ options, session, io, out }: Call): Promise<number> {
  const database = await session.database();
  const { to } = await stretchOf(options, database);
  const directory = textOption(options, 'into');
  if (directory !== undefined) refuseForeign(directory);
  const target = await open({ storage: directory ?? memoryStorage(), durability: 'async' });
  const progress = showProgress({ label: 'replay', unit: 'commits', total: to, out: io.stderr });
  try {
    if (target.version > 0) throw new UsageError(`--into: ${directory} holds a database already, expected a new directory`);
    const pipeline = new Pipeline();
    for (const change of commitsOf(database, 1, to)) {
      await pipeline.push(apply(target, change), change.ops.length * 128);
      if (change.version % TURN_COMMITS === 0) {
        progress.at(change.version, to);
        await out.turn();
      }
    }
    await pipeline.drain();
    await target.sync();
    progress.end();
    using now = target.snapshot();
    using then = to === database.version ? database.snapshot() : database.asOf(to);
    const { entries, different } = await compare(then, now, () => out.turn());
    const record = {
      version: to,
      commits: to,
      entries,
      same: different.length === 0,
      different,
      ...(directory === undefined ? {} : { directory }),
    };
    if (!out.isTable) await out.record(record);
    else {
      await out.line(`replayed  ${count(to)} commits from the log${directory === undefined ? ', in memory' : ` into ${directory}`}`);
      await out.line(`made      ${count(entries)} entries`);
      await out.line(
        different.length === 0
          ? `found     ${out.paint(`the same as the tree at version ${to}`, 'good')}`
          : `found     ${out.paint('another state than the tree', 'bad')}`,
      );
      for (const one of different) await out.line(`          ${one}`);
    }
    return different.length === 0 ? EXIT_OK : EXIT_CORRUPT;
  } finally {
    progress.end();
    await target.close();
  }
}

async function apply(target: Database, { ops, time, assertedTime, actor, reason }: Change): ReturnType<Database['batch']> {
  const operations = ops.map(
    ({ type, path, value, expiresAt }): BatchOperation =>
      type === 'delete' ? { type, path } : { type, path, value: value!, ...(expiresAt === undefined ? {} : { expiresAt }) },
  );
  return target.batch(operations, {
    assertedTime: assertedTime ?? time,
    ...(actor === undefined ? {} : { actor }),
    ...(reason === undefined ? {} : { reason }),
  });
}

/** Both are walked side by side. What expired between their times is no difference. */
async function compare(then: Snapshot, now: Snapshot, turn: () => Promise<void>): Promise<{ entries: number; different: string[] }> {
  const different: string[] = [];
  const made = now.scan()[Symbol.iterator]();
  const kept = then.scan()[Symbol.iterator]();
  let entries = 0;
  let is = made.next();
  let was = kept.next();
  while ((is.done !== true || was.done !== true) && different.length < DIFFERENCES_MAX) {
    const order = is.done === true ? 1 : was.done === true ? -1 : orderOf(is.value, was.value, then, now);
    if (order > 0 && !hasExpired(then, now, was.value!))
      different.push(`${formatPath(was.value!.path)} is in the tree, and not in what the log gives`);
    if (order < 0) different.push(`${formatPath(is.value!.path)} is in what the log gives, and not in the tree`);
    if (order === 0 && formatValue(is.value!.value) !== formatValue(was.value!.value))
      different.push(
        `${formatPath(is.value!.path)} is ${preview(was.value!.value)} in the tree, ${preview(is.value!.value)} in what the log gives`,
      );
    if (order <= 0) {
      is = made.next();
      if (++entries % 1000 === 0) await turn();
    }
    if (order >= 0) was = kept.next();
  }
  return { entries, different };
}

/** Both walks are in the same order: the path that the other one has not got comes first. */
function orderOf(is: Row, was: Row, then: Snapshot, now: Snapshot): number {
  if (formatPath(is.path) === formatPath(was.path)) return 0;
  if (!now.has(was.path)) return 1;
  return then.has(is.path) ? 0 : -1;
}

function hasExpired(then: Snapshot, now: Snapshot, { path }: Row): boolean {
  const expiresAt = then.entry(path)?.expiresAt;
  return expiresAt !== undefined && expiresAt.getTime() <= now.time.getTime();
}
