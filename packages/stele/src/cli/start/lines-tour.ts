/** What one would want to see of any history in JSON lines: totals, a record's life with its actors, and the records AS OF the middle. */

import { formatPath } from '../../model/path/text.ts';
import type { Database, Segment } from '../../model/types.ts';
import type { Fields, JsonLinesImport } from '../import/json-lines.ts';
import { quoted } from './git-tour.ts';
import { counted, minute, type Page } from './page.ts';

const VERSIONS_MAX = 10;
const CANDIDATES_MAX = 200;

/** `directory`: as it is written behind `--db`. */
export async function showLinesTour(db: Database, page: Page, directory: string, done: JsonLinesImport, fields: Fields): Promise<void> {
  const { at } = done;
  const said = Object.entries(fields).map(([kind, field]) => `${kind} ${field === undefined ? '(none found)' : `"${field}"`}`);
  page.heading(`${counted(done.before + done.lines, 'line')}, ${counted(db.count(at), 'record')}`);
  page.line(`  read as: ${said.join(', ')}`);
  const gaps: readonly (readonly [number, string])[] = [
    [done.withoutId, 'have no id and are named by their line'],
    [fields.time === undefined ? 0 : done.withoutTime, 'have no time'],
    [fields.actor === undefined ? 0 : done.withoutActor, 'have no actor'],
    [done.backwards, 'are older than a line before them: AS OF, they count from that one on'],
  ];
  for (const [count, what] of gaps) if (count > 0) page.line(`  ${counted(count, 'line')} ${what}`);
  if (done.isUnfinished) page.line('  The last line is not whole yet: it comes in next time.');
  let best: { path: Segment[]; count: number } | undefined;
  for (const { path } of db.scan({ prefix: at, values: false, limit: CANDIDATES_MAX })) {
    const count = db.history(path, { limit: 1000 }).toArray().length;
    if (best === undefined || count > best.count) best = { path, count };
  }
  if (best === undefined) return;
  const text = formatPath(best.path);
  page.heading(`The life of ${text}: ${counted(best.count, 'version')}`);
  const rows: string[][] = [];
  for (const { version, actor, reason, value } of db.history(best.path, { limit: VERSIONS_MAX }))
    rows.push([await dateOf(db, version), actor ?? '', reason ?? '', JSON.stringify(value) ?? 'gone']);
  page.table(
    [{ name: 'time' }, { name: 'who', paint: 'good', gives: true }, { name: 'why', gives: true }, { name: 'value', gives: true }],
    rows,
  );
  const middle = Math.ceil(db.version / 2);
  using then = db.asOf(middle);
  page.heading(
    `AS OF version ${middle} of ${db.version}${fields.time === undefined ? '' : `, ${await dateOf(db, middle)}`}: ${counted(then.count(at), 'record')}`,
  );
  page.heading('Go on');
  const place = quoted(formatPath(at));
  for (const command of [`scan ${place} --limit 20`, `history ${quoted(text)}`, `as-of ${middle} scan ${place} --limit 20`, 'shell'])
    page.line(`  npx stele --db ${directory} ${command}`);
}

/** The time a commit asserts, or nothing. */
async function dateOf(db: Database, version: number): Promise<string> {
  for await (const { assertedTime } of db.changes({ from: version - 1 })) return assertedTime === undefined ? '' : minute(assertedTime);
  return '';
}
