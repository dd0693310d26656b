/**
 * Commits from the log as they were made, for the commands that look at history: all of a stretch, and then it ends.
 *
 * Beside `changes` of the surface: it ends at `through` although nothing comes, and it gives the commits that touched nothing of the
 * application's (declared policies) with no operations, so that numbers have no gaps.
 */

import { FIELD_ACTOR, FIELD_REASON, metaField } from '../model/identity.ts';
import { decodePath } from '../model/path/decode.ts';
import { KEYSPACE } from '../model/path/layout.ts';
import type { Store } from '../model/store.ts';
import type { Change, Database } from '../model/types.ts';

/** The commits `first` to `through`, in order. @throws {SteleError} `invalid` HISTORY_EXPIRED; `corrupt` RECORD_DAMAGED, SEGMENT_MISSING */
export function* commitsOf(database: Database, first: number, through: number): Generator<Change, undefined> {
  const { engine, codec } = (database as unknown as { readonly store: Store }).store;
  for (const { version, timeMs, assertedTimeMs, meta, operations } of engine.changes(first - 1, through)) {
    const ops = operations
      .filter(({ key }) => key[0] === KEYSPACE)
      .map(({ type, key, value, expiresAt, previousVersion }) => ({
        type,
        path: decodePath(key, 0, key.length),
        value: value === undefined ? undefined : codec.decode(value, 0, value.length),
        expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt),
        previousVersion,
      }));
    yield {
      version,
      time: new Date(timeMs),
      assertedTime: assertedTimeMs === undefined ? undefined : new Date(assertedTimeMs),
      actor: metaField(meta, FIELD_ACTOR),
      reason: metaField(meta, FIELD_REASON),
      ops,
    };
  }
  return undefined;
}

/** The oldest commit whose record is kept, 0 when there is none. Cost: a few records. */
export function oldestCommit(database: Database): number {
  const isKept = (version: number): boolean => {
    try {
      for (const _ of commitsOf(database, version, version)) return true;
      return false;
    } catch (error) {
      if ((error as { code?: unknown }).code === 'HISTORY_EXPIRED') return false;
      throw error;
    }
  };
  let low = 1;
  let high = database.version;
  if (high === 0 || !isKept(high)) return 0;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (isKept(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
