/**
 * Idempotency keys: a commit remembers the key it was asked under, and a repeat finds the first commit.
 *
 *   key   = keyspace 1, 'once', the idempotency key          both as text segments
 *   value = what the transaction returned, as a value; empty when it returned nothing
 *
 * Invariant: the entry is part of the commit it stands for, so both are there or none. Entries stay as long as the database: delete is not
 * offered, since a key that is forgotten makes its commit happen twice.
 *
 * Specification: spec/model.md, "Idempotency keys".
 */

import { SteleError } from '../base/errors.ts';
import { Receipt } from '../txn/receipt.ts';
import type { Commit, Engine, Reader } from '../txn/types.ts';
import { describe } from './path/layout.ts';
import { encodeSystemKey } from './system.ts';

export const ONCE_BYTES_MAX = 200;
const encoder = new TextEncoder();

/** @throws {SteleError} `invalid` OPTION_INVALID */
export function onceKey(once: string): Uint8Array {
  if (typeof once !== 'string' || once === '' || !once.isWellFormed() || encoder.encode(once).length > ONCE_BYTES_MAX)
    throw new SteleError('invalid', 'OPTION_INVALID', `once: found ${describe(once)}, expected text of 1 to ${ONCE_BYTES_MAX} bytes`);
  return encodeSystemKey(['once', once]);
}

/** The version that a key stands for, and what was returned; undefined when it is new. */
export function repeated(reader: Reader, key: Uint8Array): { version: number; result: Uint8Array } | undefined {
  const entry = reader.entry(key);
  return entry === undefined ? undefined : { version: entry.version, result: entry.value };
}

/** The receipt of an earlier commit. Checksum and count come from its record and are 0 when the log has let it go. */
export function receiptOf(engine: Engine, version: number): Commit {
  const durability = engine.durableVersion >= version ? 'device' : 'kernel';
  try {
    const record = engine.commitRecord(version);
    return new Receipt(version, record.timeMs, durability, record.checksum, record.changed);
  } catch (error) {
    if (!(error instanceof SteleError && error.code === 'HISTORY_EXPIRED')) throw error;
    return new Receipt(version, engine.timeOf(version), durability, 0, 0);
  }
}
