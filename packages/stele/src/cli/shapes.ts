/**
 * How the things of the database are shown: rows, children, versions, differences, changes. One place, so that `scan`, the shell and `watch`
 * say the same thing the same way.
 *
 * Records are the machine form and stable: names are not changed within a major version. Paths are text (spec/paths.md, "Text"), values as in
 * value-json.ts, times ISO 8601 in UTC.
 */

import { formatPath } from '../model/path/text.ts';
import type { Change, Difference, HistoryEntry, Segment, Value } from '../model/types.ts';
import type { RowShape } from './output.ts';
import { formatValue, toJson } from './value-json.ts';

/** Characters of a value that a table looks at: no window is wider. */
const PREVIEW_CHARACTERS = 400;

/** A value in a cell. */
export function preview(value: Value | undefined): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return JSON.stringify(value.length > PREVIEW_CHARACTERS ? value.slice(0, PREVIEW_CHARACTERS) : value);
  if (value instanceof Uint8Array && value.length > PREVIEW_CHARACTERS) return `{"$bytes": ${value.length} bytes}`;
  return formatValue(value);
}

export function timeText(time: Date): string {
  return time.toISOString();
}

export interface ShownRow {
  readonly path: readonly Segment[];
  readonly value: Value | undefined;
  readonly version: number;
  readonly expiresAt?: Date | undefined;
}

export const ROWS: RowShape<ShownRow> = {
  columns: [
    { name: 'path', paint: 'path', gives: true },
    { name: 'value', gives: true },
    { name: 'version', paint: 'dim', isRight: true },
  ],
  cells: ({ path, value, version }) => [formatPath(path), preview(value), String(version)],
  record: ({ path, value, version, expiresAt }) => ({
    path: formatPath(path),
    value: toJson(value!),
    version,
    ...(expiresAt === undefined ? {} : { expiresAt: timeText(expiresAt) }),
  }),
};

/** Rows whose values were not asked for. */
export const SPOTS: RowShape<{ readonly path: readonly Segment[]; readonly version: number }> = {
  columns: [
    { name: 'path', paint: 'path', gives: true },
    { name: 'version', paint: 'dim', isRight: true },
  ],
  cells: ({ path, version }) => [formatPath(path), String(version)],
  record: ({ path, version }) => ({ path: formatPath(path), version }),
};

export interface ShownChild {
  readonly path: readonly Segment[];
  readonly kind: string;
  readonly count: number;
  readonly value: Value | undefined;
}

export const CHILDREN: RowShape<ShownChild> = {
  columns: [
    { name: 'path', paint: 'path', gives: true },
    { name: 'entries', paint: 'number', isRight: true },
    { name: 'value', gives: true },
  ],
  cells: ({ path, count, value }) => [formatPath(path), String(count), preview(value)],
  record: ({ path, kind, count, value }) => ({
    path: formatPath(path),
    kind,
    count,
    ...(value === undefined ? {} : { value: toJson(value) }),
  }),
};

export const VERSIONS: RowShape<HistoryEntry> = {
  columns: [
    { name: 'version', paint: 'number', isRight: true },
    { name: 'time', paint: 'dim' },
    { name: 'actor', gives: true },
    { name: 'value', gives: true },
    { name: 'reason', paint: 'dim', gives: true },
  ],
  cells: ({ version, time, actor, value, reason, expired }) => [
    String(version),
    timeText(time),
    actor ?? '',
    value !== undefined ? preview(value) : expired ? 'expired' : 'deleted',
    reason ?? '',
  ],
  record: ({ version, time, actor, reason, value, expired }) => ({
    version,
    time: timeText(time),
    ...(value === undefined ? { [expired ? 'expired' : 'deleted']: true } : { value: toJson(value) }),
    ...(actor === undefined ? {} : { actor }),
    ...(reason === undefined ? {} : { reason }),
  }),
};

function changeKind({ before, after }: Difference): 'added' | 'deleted' | 'changed' {
  return before === undefined ? 'added' : after === undefined ? 'deleted' : 'changed';
}

const SIGNS = { added: '+', deleted: '-', changed: '~' } as const;

export const DIFFERENCES: RowShape<Difference> = {
  columns: [
    { name: '', paint: 'warn' },
    { name: 'path', paint: 'path', gives: true },
    { name: 'before', gives: true },
    { name: 'after', gives: true },
    { name: 'version', paint: 'dim', isRight: true },
  ],
  cells: (one) => [SIGNS[changeKind(one)], formatPath(one.path), preview(one.before), preview(one.after), String(one.version)],
  record: (one) => ({
    change: changeKind(one),
    path: formatPath(one.path),
    ...(one.before === undefined ? {} : { before: toJson(one.before) }),
    ...(one.after === undefined ? {} : { after: toJson(one.after) }),
    version: one.version,
  }),
};

/** One operation of a commit; a table has a line for each. */
export interface ShownOperation {
  readonly change: Change;
  readonly op: Change['ops'][number];
}

export function* operationsOf(change: Change): Generator<ShownOperation> {
  for (const op of change.ops) yield { change, op };
}

export const OPERATIONS: RowShape<ShownOperation> = {
  columns: [
    { name: 'version', paint: 'number', isRight: true },
    { name: 'time', paint: 'dim' },
    { name: 'actor', gives: true },
    { name: '', paint: 'warn' },
    { name: 'path', paint: 'path', gives: true },
    { name: 'value', gives: true },
  ],
  cells: ({ change: { version, time, actor }, op }) => [
    String(version),
    timeText(time),
    actor ?? '',
    op.type === 'put' ? (op.previousVersion === 0 ? '+' : '~') : '-',
    formatPath(op.path),
    preview(op.value),
  ],
  record: ({ change, op }) => changeRecord({ ...change, ops: [op] }),
};

/** A commit, or the part of one that is told at once. */
export function changeRecord({ version, time, assertedTime, actor, reason, ops, more }: Change): object {
  return {
    version,
    time: timeText(time),
    ...(assertedTime === undefined ? {} : { assertedTime: timeText(assertedTime) }),
    ...(actor === undefined ? {} : { actor }),
    ...(reason === undefined ? {} : { reason }),
    ops: ops.map(({ type, path, value, expiresAt, previousVersion }) => ({
      type,
      path: formatPath(path),
      ...(value === undefined ? {} : { value: toJson(value) }),
      ...(expiresAt === undefined ? {} : { expiresAt: timeText(expiresAt) }),
      previousVersion,
    })),
    ...(more === true ? { more } : {}),
  };
}
