/**
 * Adding to a stored number.
 *
 * Whole numbers add exactly, those beyond the safe range too: there the sum is a bigint, and a bigint sum that is safe again is a number.
 * Fractions add as doubles do.
 *
 * Specification: docs/api.md, "increment".
 */

import { SteleError } from '../base/errors.ts';
import { describe } from './path/layout.ts';
import { formatPath, parsePath } from './path/text.ts';
import type { Path } from './path/types.ts';
import type { Value } from './value/types.ts';

/** @throws {SteleError} `invalid` INCREMENT_TYPE naming what was found where */
export function added(before: Value | undefined, delta: number | bigint, path: Path): number | bigint {
  if (typeof delta !== 'bigint' && !(typeof delta === 'number' && Number.isFinite(delta)))
    throw new SteleError('invalid', 'INCREMENT_TYPE', `delta is ${describe(delta)}, expected a finite number or a bigint`);
  if (before === undefined) return canonical(delta);
  if (typeof before !== 'number' && typeof before !== 'bigint') {
    const where = formatPath(typeof path === 'string' ? parsePath(path) : path);
    throw new SteleError('invalid', 'INCREMENT_TYPE', `${where} holds ${describe(before)}, expected a number`, { detail: { path: where } });
  }
  if (isWhole(before) && isWhole(delta)) return canonical(BigInt(before) + BigInt(delta));
  if (typeof before === 'bigint' || typeof delta === 'bigint')
    throw new SteleError(
      'invalid',
      'INCREMENT_TYPE',
      `a bigint and the fraction ${String(typeof before === 'bigint' ? delta : before)} have no exact sum`,
    );
  return before + delta;
}

function isWhole(value: number | bigint): boolean {
  return typeof value === 'bigint' || Number.isInteger(value);
}

function canonical(value: number | bigint): number | bigint {
  return typeof value === 'bigint' && value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : value;
}
