/**
 * Opening what a level stands on: a database of its own, or a place in one that is open already.
 *
 * Specification: docs/abstract-level.md, "Opening".
 */

import type { AbstractDatabaseOptions } from 'abstract-level';
import { SteleError } from '../base/errors.ts';
import { posixStorage } from '../host/posix/storage.ts';
import { pureHashing } from '../host/pure-hashing.ts';
import type { Storage } from '../host/storage.ts';
import { PlacedBucket } from '../model/bucket.ts';
import { OPEN_OPTIONS } from '../model/open.ts';
import { describe } from '../model/path/layout.ts';
import { LATER } from '../model/store.ts';
import type { Database, OpenOptions } from '../model/types.ts';
import { openSync } from '../node/open.ts';
import { PageFile } from '../pager/page-file.ts';
import type { AnyBucket, SteleLevelOptions } from './types.ts';

/** Where the data of a level is. */
export type Target =
  | { readonly kind: 'own'; readonly storage: Storage | string; readonly options: OpenOptions }
  | { readonly kind: 'shared'; readonly bucket: PlacedBucket<unknown> };

/** The target with the options of `open`, and those that are left for abstract-level. @throws {SteleError} `invalid` OPTION_INVALID */
export function targetOf<K, V>(
  given: string | SteleLevelOptions<K, V>,
  more: SteleLevelOptions<K, V> | undefined,
): { readonly target: Target; readonly rest: AbstractDatabaseOptions<K, V> } {
  if (given === null || (typeof given !== 'string' && typeof given !== 'object')) throw refused(describe(given), 'a directory or options');
  if (typeof given !== 'string' && more !== undefined) throw refused('two objects of options', 'a directory and options, or options');
  const { subtree, ...all }: SteleLevelOptions<K, V> = typeof given === 'string' ? { ...more } : given;
  const { open, rest } = parted(all);
  const places = [typeof given === 'string' ? given : undefined, open.storage, open.host?.storage, subtree].filter(
    (place) => place !== undefined,
  );
  if (places.length !== 1) throw refused(`${places.length} places for the data`, 'a directory or one of storage, host and subtree');
  if (subtree !== undefined) {
    checkShared(open);
    return { target: { kind: 'shared', bucket: placed(subtree) }, rest };
  }
  const options = typeof given === 'string' ? { ...open, storage: given } : open;
  return { target: { kind: 'own', storage: places[0] as string | Storage, options }, rest };
}

/** Options that `open` knows, and others: those belong to abstract-level and to whoever hooks into the opening. */
function parted<O extends OpenOptions>(options: O): { readonly open: OpenOptions; readonly rest: Omit<O, keyof OpenOptions> } {
  const isOfOpen = ([name]: [string, unknown]): boolean => OPEN_OPTIONS.has(name) || LATER.has(name);
  const entries = Object.entries(options);
  return {
    open: Object.fromEntries(entries.filter(isOfOpen)),
    rest: Object.fromEntries(entries.filter((entry) => !isOfOpen(entry))) as Omit<O, keyof OpenOptions>,
  };
}

function placed(subtree: AnyBucket): PlacedBucket<unknown> {
  if (subtree instanceof PlacedBucket) return subtree;
  throw refused(`subtree is ${describe(subtree)}`, 'a subtree of an open database, or a database');
}

/** What abstract-level says at opening, and options of `open`. */
export interface LevelOpenOptions extends OpenOptions {
  readonly createIfMissing?: boolean;
  readonly errorIfExists?: boolean;
}

/**
 * A database of the level's own. Whether it exists is looked up before it is locked.
 *
 * @throws {SteleError} `invalid` NOT_FOUND without `createIfMissing`; TARGET_NOT_EMPTY with `errorIfExists`; and those of `open`
 */
export function openOwn(target: Target & { kind: 'own' }, options: LevelOpenOptions): Database {
  const { createIfMissing = true, errorIfExists = false } = options;
  if (!createIfMissing && !exists(target.storage)) throw new SteleError('invalid', 'NOT_FOUND', 'the database does not exist');
  if (errorIfExists && exists(target.storage)) throw new SteleError('invalid', 'TARGET_NOT_EMPTY', 'the database exists already');
  return openSync({ ...target.options, ...parted(options).open });
}

function exists(given: Storage | string): boolean {
  if (typeof given !== 'string') return PageFile.look({ storage: given, hashing: pureHashing() }) === 'present';
  const storage = posixStorage(given);
  try {
    return PageFile.look({ storage, hashing: pureHashing() }) === 'present';
  } finally {
    storage.close();
  }
}

/** @throws {SteleError} `invalid` OPTION_INVALID for options that belong to opening a database */
export function checkShared(options: LevelOpenOptions): void {
  for (const name of Object.keys(parted(options).open)) throw refused(`option ${name} beside subtree`, 'it where the database is opened');
}

function refused(found: string, expected: string): SteleError {
  return new SteleError('invalid', 'OPTION_INVALID', `SteleLevel: found ${found}, expected ${expected}`);
}
