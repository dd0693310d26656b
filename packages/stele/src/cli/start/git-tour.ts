/**
 * What one would want to see of an imported history: totals, directories, a file now and then, who changed it, what changed between two
 * days, and the commands that show more.
 *
 * Everything is read from the database; nothing is remembered from the import. Cost: one row a commit, and the difference of two views.
 */

import { formatPath } from '../../model/path/text.ts';
import type { Database, Path, Segment, Value } from '../../model/types.ts';
import type { CommitInfo } from '../import/commits.ts';
import { counted, minute, type Page } from './page.ts';

const DIRECTORIES_MAX = 12;
/** How often a directory that holds most of the files is opened. */
const EXPANDED_MAX = 3;
const VERSIONS_MAX = 8;
const DIFFERENCES_MAX = 8;
/** Of one path; more are not counted. */
const HISTORY_MAX = 1000;
const QUOTED_LINES = 6;
/** Files whose history is looked at for one that changed often. */
const CANDIDATES_MAX = 60;

/** `directory`: as it is written behind `--db`. */
export function showGitTour(db: Database, page: Page, directory: string): void {
  const commits = db.scan<CommitInfo>({ prefix: 'commits' }).toArray();
  const last = commits.at(-1);
  if (last === undefined) {
    page.line('The history is empty.');
    return;
  }
  showTotals(
    db,
    page,
    commits.map(({ value }) => value),
  );
  const chosen = oftenChanged(db);
  const then = chosen === undefined ? undefined : db.history(chosen, { limit: HISTORY_MAX }).toArray();
  const earlier = then?.[Math.floor(then.length / 2)];
  const file = chosen === undefined ? undefined : formatPath(chosen);
  if (chosen !== undefined && earlier !== undefined) {
    const date = infoAt(db, earlier.version)?.date ?? earlier.time;
    showFile(db, page, chosen, date);
    showHistory(db, page, chosen);
  }
  const middle = commits[Math.floor((commits.length - 1) / 2)]!.value;
  if (commits.length > 1) showDifference(db, page, middle);
  page.heading('Go on');
  const at = `asserted:${middle.date.toISOString().slice(0, 19)}`;
  const commands = [
    `tree files --depth 1`,
    ...(file === undefined ? [] : [`get ${quoted(file)}`, `as-of ${at} get ${quoted(file)}`, `history ${quoted(file)}`]),
    `diff ${at} now --prefix files`,
    'shell',
  ];
  for (const command of commands) page.line(`  npx stele --db ${directory} ${command}`);
}

function showTotals(db: Database, page: Page, commits: readonly CommitInfo[]): void {
  const authors = new Map<string, number>();
  let oldest = commits[0]!.date;
  let newest = oldest;
  for (const { author, date } of commits) {
    authors.set(author, (authors.get(author) ?? 0) + 1);
    if (date < oldest) oldest = date;
    if (date > newest) newest = date;
  }
  page.heading(`${counted(commits.length, 'commit')} by ${counted(authors.size, 'author')}, ${minute(oldest)} to ${minute(newest)} UTC`);
  const busiest = [...authors].sort((a, b) => b[1] - a[1]).slice(0, 5);
  page.line(
    `  ${busiest.map(([author, count]) => `${author} ${count.toLocaleString('en-US')}`).join(', ')}${authors.size > 5 ? ', …' : ''}`,
  );
  page.heading(`${counted(db.count('files'), 'file')} now`);
  const { directories, alone } = directoriesOf(db);
  const rows = directories
    .slice(0, DIRECTORIES_MAX)
    .map(({ path, count }) => [`${formatPath(path.slice(1))}/`, count.toLocaleString('en-US')]);
  const others = directories.slice(DIRECTORIES_MAX).reduce((sum, { count }) => sum + count, 0);
  if (others > 0) rows.push([`(${directories.length - DIRECTORIES_MAX} more directories)`, others.toLocaleString('en-US')]);
  if (alone > 0) rows.push(['(files beside them)', alone.toLocaleString('en-US')]);
  page.table(
    [
      { name: 'directory', paint: 'path', gives: true },
      { name: 'files', paint: 'number', isRight: true },
    ],
    rows,
  );
}

/** Directories with how many files they hold, most first; one that holds more than half is told by what is in it. */
function directoriesOf(db: Database): { directories: { path: Segment[]; count: number }[]; alone: number } {
  const total = db.count('files');
  const below = (path: Segment[]): { path: Segment[]; count: number }[] =>
    db
      .children(path)
      .toArray()
      .map((name) => ({ path: [...path, name], count: db.count([...path, name]) }))
      .filter((one) => one.count > 1 || !db.has(one.path));
  let directories = below(['files']);
  for (let depth = 0; depth < EXPANDED_MAX; depth++) {
    const large = directories.find(({ count }) => 2 * count > total);
    const inside = large === undefined ? [] : below(large.path);
    if (large === undefined || inside.length < 2) break;
    directories = [...directories.filter((one) => one !== large), ...inside];
  }
  directories.sort((a, b) => b.count - a.count);
  return { directories, alone: total - directories.reduce((sum, { count }) => sum + count, 0) };
}

/** README first; else of the files at hand the one that changed most. */
function oftenChanged(db: Database): Segment[] | undefined {
  const versions = (path: Path): number => db.history(path, { limit: 100 }).toArray().length;
  const readme = db
    .children('files')
    .toArray()
    .find((name) => typeof name === 'string' && /^readme(?:\.|$)/i.test(name));
  if (readme !== undefined && db.has(['files', readme]) && versions(['files', readme]) > 1) return ['files', readme];
  let best: { path: Segment[]; count: number } | undefined;
  for (const { path } of db.scan({ prefix: 'files', values: false, limit: CANDIDATES_MAX })) {
    const count = versions(path);
    if (best === undefined || count > best.count) best = { path, count };
  }
  return best?.path;
}

/** Both from shortly before the first line that differs. */
function showFile(db: Database, page: Page, path: Segment[], date: Date): void {
  using then = db.asOf({ asserted: date });
  const now = db.get(path);
  const before = then.get(path);
  const from = firstDifference(now, before);
  const text = formatPath(path);
  page.heading(`${text} now${from > 1 ? `, from line ${from}` : ''}`);
  showContent(page, now, from);
  page.heading(`${text} AS OF ${minute(date)}: the same call, at version ${then.version} of ${db.version}`);
  showContent(page, before, from);
}

/** The line before the first that differs, from 1. */
function firstDifference(a: Value | undefined, b: Value | undefined): number {
  if (typeof a !== 'string' || typeof b !== 'string' || a === b) return 1;
  const others = b.split('\n');
  return Math.max(
    1,
    a.split('\n').findIndex((line, at) => line !== others[at]),
  );
}

function showContent(page: Page, value: Value | undefined, from: number): void {
  if (typeof value === 'string')
    page.quote(
      value
        .split('\n')
        .slice(from - 1)
        .join('\n'),
      QUOTED_LINES,
    );
  else page.line(`  ${describe(value)}`);
}

function describe(value: Value | undefined): string {
  if (value === undefined) return '(not there)';
  if (typeof value === 'string') return counted(value.split('\n').length - (value.endsWith('\n') ? 1 : 0), 'line');
  return value instanceof Uint8Array ? counted(value.length, 'byte') : JSON.stringify(value);
}

function showHistory(db: Database, page: Page, path: Segment[]): void {
  const entries = db.history(path, { limit: HISTORY_MAX }).toArray();
  page.heading(`Who changed ${formatPath(path)}: ${counted(entries.length, 'version')}${entries.length === HISTORY_MAX ? ' or more' : ''}`);
  const rows = entries.slice(0, VERSIONS_MAX).map(({ version, actor, reason, value }) => {
    const date = infoAt(db, version)?.date;
    return [date === undefined ? '' : minute(date), actor ?? '', describe(value), reason ?? ''];
  });
  page.table(
    [{ name: 'date' }, { name: 'author', paint: 'good', gives: true }, { name: 'holds', isRight: true }, { name: 'reason', gives: true }],
    rows,
  );
  if (entries.length > VERSIONS_MAX) page.line(`  … and ${counted(entries.length - VERSIONS_MAX, 'older version')}`);
}

/** What was imported with a commit: the newest of `commits` as it saw them. */
function infoAt(db: Database, version: number): CommitInfo | undefined {
  using then = db.asOf(version);
  return then.last<CommitInfo>('commits')?.value;
}

function showDifference(db: Database, page: Page, middle: CommitInfo): void {
  using then = db.asOf({ asserted: middle.date });
  using now = db.snapshot();
  const counts = { '+': 0, '-': 0, '~': 0 };
  const first: string[][] = [];
  for (const { path, before, after } of then.diff(now, { prefix: 'files' })) {
    const sign = before === undefined ? '+' : after === undefined ? '-' : '~';
    counts[sign]++;
    if (first.length < DIFFERENCES_MAX)
      first.push([sign, formatPath(path), before === undefined ? '' : describe(before), after === undefined ? '' : describe(after)]);
  }
  page.heading(`From ${minute(middle.date)} until now: ${counts['+']} files came, ${counts['~']} changed, ${counts['-']} went`);
  page.table(
    [{ name: '' }, { name: 'path', paint: 'path', gives: true }, { name: 'then', isRight: true }, { name: 'now', isRight: true }],
    first,
  );
  const all = counts['+'] + counts['-'] + counts['~'];
  if (all > first.length) page.line(`  … and ${counted(all - first.length, 'more', 'more')}`);
}

/** For a shell: as it is, or in single quotes. */
export function quoted(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
