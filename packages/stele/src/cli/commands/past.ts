/**
 * The past: `history` of a path, `diff` of two points in time. Reading then is `as-of` (run.ts).
 */

import { formatPath, parsePath } from '../../model/path/text.ts';
import type { Database, Snapshot } from '../../model/types.ts';
import { textOption, wholeNumber } from '../arguments.ts';
import type { Call } from '../command.ts';
import { EXIT_NO, EXIT_OK } from '../failure.ts';
import { note } from '../output.ts';
import { DIFFERENCES, VERSIONS } from '../shapes.ts';
import { parseWhen } from '../when.ts';

export async function history(call: Call): Promise<number> {
  const {
    arguments: [text],
    options,
    out,
    session,
  } = call;
  const path = parsePath(text!);
  const limit = wholeNumber(options, 'limit');
  const view = await session.view();
  const count = await out.rows(view.history(path, limit === undefined ? {} : { limit }), VERSIONS);
  if (count > 0) return EXIT_OK;
  note(call.io, `no version of ${formatPath(path)} is kept`);
  return EXIT_NO;
}

export async function diff({ arguments: [from, to = 'now'], options, out, session }: Call): Promise<number> {
  const prefix = parsePath(textOption(options, 'prefix') ?? '');
  const database = await session.database();
  using before = viewAt(database, from!);
  using after = viewAt(database, to);
  await out.rows(before.diff(after, { prefix }), DIFFERENCES);
  return EXIT_OK;
}

export function viewAt(database: Database, text: string): Snapshot {
  const when = parseWhen(text, Date.now());
  return when === 'now' ? database.snapshot() : database.asOf(when);
}
