/**
 * Dot commands: what is said to the shell and not to the database.
 */

import { formatPath, parsePath } from '../../model/path/text.ts';
import { nearest } from '../arguments.ts';
import { UsageError } from '../failure.ts';
import { MODES, type Mode } from '../output.ts';
import { changeRecord, preview } from '../shapes.ts';
import { visible } from '../terminal.ts';
import { parseWhen } from '../when.ts';
import type { ShellState } from './state.ts';
import { verbs } from './statement.ts';

export const DOTS: Readonly<Record<string, string>> = {
  '.asof': '.asof WHEN     answer as of then; .asof now ends it',
  '.exit': '.exit          end; Ctrl-D does too',
  '.explain': '.explain on    tell what each statement read and wrote; off ends it',
  '.help': '.help          this',
  '.mode': '.mode MODE     table, json or ndjson',
  '.timing': '.timing on     tell how long each statement took; off ends it',
  '.watch': '.watch PREFIX  tell commits below PREFIX as this shell makes them; .watch off ends it',
};

const HELP = `statements     GET path · SET path value · DEL path… · LS [path] · TREE [path] · SCAN [prefix] · COUNT [prefix]
               HISTORY path · DIFF from [to] · INCR path [by] · LOG · DUMP · BACKUP target · COMPACT · VERIFY · STATS
values         JSON: 42, "text", {"a":1}; 'text' as it stands; an open quote or bracket goes on in the next line
options        in capitals behind them: LIMIT 5, REVERSE, TTL 2h, IF-VERSION 0, PREFIX users`;

/** Gives what is to be said. @throws {UsageError} */
export async function dotCommand(line: string, state: ShellState, say: (text: string) => void): Promise<string | undefined> {
  const [name = '', ...rest] = line.trim().split(/\s+/);
  const given = rest.join(' ');
  switch (name) {
    case '.help':
      return `${HELP}\n${Object.values(DOTS).join('\n')}\n(verbs: ${verbs().join(' ')})`;
    case '.exit':
    case '.quit':
      state.isOver = true;
      return undefined;
    case '.mode':
      if (!MODES.includes(given as Mode)) throw new UsageError(`.mode: found ${JSON.stringify(given)}, expected ${MODES.join(', ')}`);
      state.mode = given as Mode;
      return undefined;
    case '.timing':
      state.hasTiming = isOn(name, given);
      return undefined;
    case '.explain':
      state.hasExplain = isOn(name, given);
      return undefined;
    case '.asof':
      return asOf(given, state);
    case '.watch':
      return watch(given, state, say);
  }
  const near = nearest(name, Object.keys(DOTS));
  throw new UsageError(`unknown ${name}${near === undefined ? '' : `, did you mean ${near}?`}`, '.help lists them');
}

function isOn(name: string, given: string): boolean {
  if (given === 'on' || given === 'off') return given === 'on';
  throw new UsageError(`${name}: found ${JSON.stringify(given)}, expected on or off`);
}

async function asOf(given: string, state: ShellState): Promise<string> {
  const { session } = state;
  const before = { when: session.when, asOf: state.asOf };
  const when = parseWhen(given, Date.now());
  session.when = when === 'now' ? undefined : when;
  state.asOf = when === 'now' ? undefined : given;
  try {
    const { version } = await session.view();
    return when === 'now' ? `now: version ${version}` : `as of version ${version}; writing goes to now`;
  } catch (error) {
    session.when = before.when;
    state.asOf = before.asOf;
    throw error;
  }
}

async function watch(given: string, state: ShellState, say: (text: string) => void): Promise<string> {
  state.watching?.[Symbol.dispose]();
  state.watching = undefined;
  if (given === 'off') return 'not watching';
  const prefix = parsePath(given);
  const database = await state.session.database();
  state.watching = database.watch(prefix, (change) => {
    if (state.mode !== 'table') say(JSON.stringify(changeRecord(change)));
    else
      for (const { type, path, value } of change.ops)
        say(visible(`version ${change.version}  ${type === 'put' ? '+' : '-'} ${formatPath(path)}  ${preview(value)}`));
  });
  return `watching ${given === '' ? 'everything' : formatPath(prefix)}`;
}
