/**
 * Batches: from a list of operations to a sorted set of effects.
 *
 * Conditions are judged against the state before the batch, all of them before any effect; the last effect per key counts.
 *
 * Specification: spec/transactions.md, "Commits".
 */

import { SteleError } from '../base/errors.ts';
import type { Applier } from './applier.ts';
import type { Core } from './core.ts';
import { FOUND, MISS } from './core.ts';
import { EffectList } from './effect-list.ts';
import { Found, lookup } from './lookup.ts';
import { BATCH_BYTES_MAX, BATCH_OPERATIONS_MAX, BATCH_RANGES_MAX, checkKey, checkValue, expiryOf } from './options.ts';
import type { Operation } from './types.ts';
import type { WriteEffect } from './write-set.ts';
import type { Writer } from './writer.ts';

/** The effects of `operations` at `timeMs`. @throws {SteleError} `invalid` BATCH_INVALID, BATCH_TOO_LARGE and those of keys and values; `conflict` VERSION_MISMATCH */
export function collectBatch(
  core: Core,
  applier: Applier,
  writer: Writer,
  operations: readonly Operation[],
  timeMs: number,
  unbounded: boolean,
): WriteEffect[] {
  if (!Array.isArray(operations)) throw new SteleError('invalid', 'BATCH_INVALID', `batch is ${typeof operations}, expected an array`);
  if (!unbounded && operations.length > BATCH_OPERATIONS_MAX)
    throw new SteleError('invalid', 'BATCH_TOO_LARGE', `${operations.length} operations, at most ${BATCH_OPERATIONS_MAX}`);
  const set = new EffectList();
  const found = new Found();
  let ranges = 0;
  for (const operation of operations) {
    if (operation?.type === 'deleteRange' && ++ranges > BATCH_RANGES_MAX)
      throw new SteleError('invalid', 'BATCH_TOO_LARGE', `more than ${BATCH_RANGES_MAX} deleteRange operations`);
    if (operation?.type === 'deleteRange') deleteRange(applier, set, operation.start, operation.end, timeMs);
    else single(core, writer, set, found, operation, timeMs);
    if (!unbounded && set.bytes > BATCH_BYTES_MAX) throw new SteleError('invalid', 'BATCH_TOO_LARGE', `more than ${BATCH_BYTES_MAX} bytes`);
  }
  return set.sorted();
}

function single(
  core: Core,
  writer: Writer,
  set: EffectList,
  found: Found,
  operation: Exclude<Operation, { type: 'deleteRange' }>,
  timeMs: number,
): void {
  const type = operation?.type;
  if (type !== 'put' && type !== 'delete' && type !== 'check') {
    throw new SteleError('invalid', 'BATCH_INVALID', `operation type ${String(type)}, expected put, delete, check or deleteRange`);
  }
  const { key, ifVersion } = operation;
  checkKey(key);
  if (type === 'check' && ifVersion === undefined) throw new SteleError('invalid', 'BATCH_INVALID', 'check without ifVersion');
  if (ifVersion !== undefined) writer.checkVersion(key, ifVersion, liveVersion(core, key, timeMs, found));
  if (type === 'check') return;
  if (type === 'delete') {
    set.add({ key, value: undefined, expiresAt: 0, ttlMs: undefined });
    return;
  }
  checkValue(operation.value);
  set.add({ key, value: operation.value, expiresAt: expiryOf(operation, timeMs), ttlMs: undefined });
}

function deleteRange(applier: Applier, set: EffectList, start: Uint8Array, end: Uint8Array, timeMs: number): void {
  checkBounds(start, end);
  const before = set.liveWithin(start, end);
  for (const key of applier.liveKeys(start, end, timeMs)) set.add({ key, value: undefined, expiresAt: 0, ttlMs: undefined });
  // What the batch itself wrote there before goes too.
  for (const effect of before) set.add({ key: effect.key, value: undefined, expiresAt: 0, ttlMs: undefined });
}

/** Version of the live entry, 0 when there is none at `timeMs`. */
function liveVersion(core: Core, key: Uint8Array, timeMs: number, found: Found): number {
  for (;;) {
    const state = lookup(core, key, key.length, core.applied, timeMs, undefined, found);
    if (state !== MISS) return state === FOUND ? found.commit : 0;
    core.fill();
  }
}

/** @throws {SteleError} `invalid` RANGE_INVALID */
export function checkBounds(start: Uint8Array, end: Uint8Array): void {
  if (!(start instanceof Uint8Array) || !(end instanceof Uint8Array))
    throw new SteleError('invalid', 'RANGE_INVALID', 'deleteRange needs start and end as bytes');
  if (start.length === 0 || end.length === 0)
    throw new SteleError('invalid', 'RANGE_INVALID', 'deleteRange needs non-empty bounds: the first byte names the keyspace');
}
