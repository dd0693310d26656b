/**
 * Reading: `get`, `children`, `tree`, `scan`, `count`. All of them also of the past, with `as-of`.
 *
 * Exit code 1 where there is nothing at the path that was asked for.
 */

import { formatPath, parsePath } from '../../model/path/text.ts';
import type { ScanOptions, Segment, Value } from '../../model/types.ts';
import { textOption, wholeNumber } from '../arguments.ts';
import type { Call, Options, View } from '../command.ts';
import { EXIT_NO, EXIT_OK, UsageError } from '../failure.ts';
import { note } from '../output.ts';
import { CHILDREN, ROWS, type ShownChild, SPOTS } from '../shapes.ts';
import { visible } from '../terminal.ts';
import { formatValue, toJson } from '../value-json.ts';

export async function get(call: Call): Promise<number> {
  const {
    arguments: [text],
    options,
    out,
    session,
  } = call;
  const path = parsePath(text!);
  const view = await session.view();
  if (options['entry'] === true) {
    const entry = view.entry(path);
    if (entry === undefined) return nothingAt(call, path);
    await out.rows([{ path, ...entry }], ROWS);
    return EXIT_OK;
  }
  const value = view.get(path);
  if (value === undefined) return nothingAt(call, path);
  if (options['raw'] === true) await rawly(value, (bytes) => out.bytes(bytes));
  else if (out.isTable) await out.line(visibleLines(formatValue(value, 2)));
  else await out.line(formatValue(value, out.mode === 'json' ? 2 : 0));
  return EXIT_OK;
}

export function nothingAt({ io, session }: Pick<Call, 'io' | 'session'>, path: readonly Segment[]): number {
  const where = path.length === 0 ? 'in the database' : `at ${formatPath(path)}`;
  note(io, `nothing ${where}${session.when === undefined ? '' : ' then'}`);
  return EXIT_NO;
}

/** Text and bytes as they are, without a line break behind them. */
async function rawly(value: Value, write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  if (value instanceof Uint8Array) await write(value);
  else if (typeof value === 'string') await write(new TextEncoder().encode(value));
  else throw new UsageError('--raw: the value is neither text nor bytes', 'without --raw it is printed as JSON');
}

function visibleLines(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

export async function children(call: Call): Promise<number> {
  const {
    arguments: [text = ''],
    options,
    out,
    session,
  } = call;
  const path = parsePath(text);
  const view = await session.view();
  const limit = wholeNumber(options, 'limit');
  const after = textOption(options, 'after');
  const given = {
    ...(limit === undefined ? {} : { limit }),
    ...(after === undefined ? {} : { after: oneSegment(after) }),
    ...(options['reverse'] === true ? { reverse: true } : {}),
  };
  const count = await out.rows(childrenOf(view, path, given), CHILDREN);
  return count > 0 ? EXIT_OK : nothingAt(call, path);
}

function oneSegment(text: string): Segment {
  const path = parsePath(text);
  if (path.length !== 1) throw new UsageError(`--after: found ${JSON.stringify(text)}, expected the name of one child`);
  return path[0]!;
}

export function* childrenOf(view: View, path: readonly Segment[], options: Parameters<View['children']>[1]): Generator<ShownChild> {
  for (const segment of view.children(path, options)) {
    const child = [...path, segment];
    const kind = view.kind(child);
    yield { path: child, kind, count: view.count(child), value: kind === 'tree' ? undefined : view.get(child) };
  }
}

export async function tree(call: Call): Promise<number> {
  const {
    arguments: [text = ''],
    options,
    out,
    session,
  } = call;
  const path = parsePath(text);
  const view = await session.view();
  const depth = wholeNumber(options, 'depth');
  const limit = wholeNumber(options, 'limit');
  if (path.length === 0 ? view.count() === 0 : view.kind(path) === 'none') return nothingAt(call, path);
  if (!out.isTable) {
    const value = view.getTree(path, { ...(depth === undefined ? {} : { depth }), ...(limit === undefined ? {} : { limit }) });
    await out.record(value === undefined ? null : toJson(value));
    return EXIT_OK;
  }
  const { drawTree } = await import('../draw-tree.ts');
  await drawTree(out, view, path, { depth: depth ?? Number.POSITIVE_INFINITY, limit: limit ?? Number.POSITIVE_INFINITY });
  return EXIT_OK;
}

export function boundsOf(prefix: string | undefined, options: Options): ScanOptions {
  const below = parsePath(prefix ?? '');
  const bound = (name: string): Record<string, Segment[]> => {
    const text = textOption(options, name);
    return text === undefined ? {} : { [name]: [...below, ...parsePath(text)] };
  };
  const limit = wholeNumber(options, 'limit');
  return {
    prefix: below,
    ...bound('start'),
    ...bound('end'),
    ...bound('after'),
    ...(limit === undefined ? {} : { limit }),
    ...(options['reverse'] === true ? { reverse: true } : {}),
  };
}

export async function scan(call: Call): Promise<number> {
  const {
    arguments: [prefix],
    options,
    out,
    session,
  } = call;
  const bounds = boundsOf(prefix, options);
  const view = await session.view();
  const count =
    options['keys'] === true ? await out.rows(view.scan({ ...bounds, values: false }), SPOTS) : await out.rows(view.scan(bounds), ROWS);
  return count > 0 ? EXIT_OK : nothingAt(call, bounds.prefix as Segment[]);
}

export async function count({ arguments: [prefix], options, out, session }: Call): Promise<number> {
  const { prefix: below, start, end } = boundsOf(prefix, options);
  const view = await session.view();
  const entries = view.count({ prefix: below!, ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) });
  await out.answer(out.paint(String(entries), 'number'), { path: formatPath(parsePath(prefix ?? '')), count: entries });
  return EXIT_OK;
}
