/**
 * A point in time, as it is written on a command line.
 *
 *   42                       version 42                       now                  the newest version
 *   2026-11-20               its first moment, UTC            15m, 2h, 3d, 1w      that long ago
 *   2026-11-20T10:00[:30]    UTC, unless it ends with an offset such as +02:00
 *   asserted:<a time>        by asserted time: what imported history says, not when it was recorded
 *
 * Specification: docs/cli.md, "Points in time".
 */

import { UsageError } from './failure.ts';

export type When = number | Date | { readonly asserted: Date } | 'now';

const AGO = /^(?<amount>\d+(?:\.\d+)?)(?<unit>ms|s|m|h|d|w)$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const MOMENT = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?<zone>Z|[+-]\d{2}:\d{2})?$/;

/** @throws {UsageError} */
export function parseWhen(text: string, nowMs: number): When {
  if (text === 'now') return 'now';
  if (/^\d+$/.test(text)) {
    const version = Number(text);
    if (Number.isSafeInteger(version)) return version;
  }
  if (text.startsWith('asserted:')) return { asserted: parseMoment(text.slice('asserted:'.length), nowMs, text) };
  return parseMoment(text, nowMs, text);
}

function parseMoment(text: string, nowMs: number, whole: string): Date {
  const ago = AGO.exec(text);
  if (ago !== null) return new Date(nowMs - Number(ago.groups!['amount']) * UNIT_MS[ago.groups!['unit']!]!);
  const moment = MOMENT.exec(text);
  const iso = DAY.test(text)
    ? `${text}T00:00Z`
    : moment === null
      ? undefined
      : `${text.replace(' ', 'T')}${moment.groups!['zone'] === undefined ? 'Z' : ''}`;
  const ms = iso === undefined ? Number.NaN : Date.parse(iso);
  if (Number.isNaN(ms))
    throw new UsageError(
      `found ${JSON.stringify(whole)}, expected a point in time: a version (42), a day or time in UTC (2026-11-20, 2026-11-20T10:00), or how long ago (2h)`,
    );
  return new Date(ms);
}

/** `500ms`, `10s`, `2h`; a bare number is seconds. @throws {UsageError} */
export function parseDuration(name: string, text: string): number {
  const given = AGO.exec(/^\d+(?:\.\d+)?$/.test(text) ? `${text}s` : text);
  if (given === null)
    throw new UsageError(`${name}: found ${JSON.stringify(text)}, expected a length of time such as 500ms, 10s, 5m, 2h, 3d or 1w`);
  return Number(given.groups!['amount']) * UNIT_MS[given.groups!['unit']!]!;
}
