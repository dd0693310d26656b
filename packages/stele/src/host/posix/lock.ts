/**
 * One writer or many readers per directory: a transaction on the empty `lock.db` through node:sqlite.
 *
 * SQLite takes a real POSIX lock on the file, so it dies with its holder, also by kill -9, and a stopped holder keeps it:
 * the writer an exclusive transaction, a reader a deferred one that has read (SQLite's SHARED lock lasts to its end).
 * `lock.owner` beside it names the holder, for the refusal's message only; nothing is decided by it.
 *
 * Invariants
 * - Nobody else in this process opens `lock.db`: closing any descriptor of a file drops all POSIX locks the process
 *   has on it. Hence the name is reserved (names.ts); SQLite itself knows about its own connections, so a second
 *   `lock()` in this process is refused like one from outside.
 * - The file stays empty and no journal file appears (journal_mode=MEMORY).
 *
 * Where node:sqlite is missing, pid-lock.ts takes over; each style looks for holders of the other.
 *
 * Specification: spec/host.md, "Exclusion".
 */

import { readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SteleError } from '../../base/errors.ts';
import { ioError, locked, noPermission } from '../failures.ts';
import type { ExclusionLock } from '../storage.ts';
import { markKernelLock, takePidLock, takePidReaderLock } from './pid-lock.ts';

export type LockStyle = 'sqlite' | 'file';

const OWNER = 'lock.owner';
/** SQLite result codes, without their extended part. */
const BUSY = 5;
const REFUSED = new Set([3 /* PERM */, 8 /* READONLY */, 14 /* CANTOPEN */, 23 /* AUTH */]);

/**
 * Connections that hold a lock. Module state, against our custom: a connection nobody refers to is collected and closed, and
 * with it goes the lock of a holder who only dropped the handle.
 */
const HELD = new Set<object>();

interface Sqlite {
  readonly DatabaseSync: new (path: string, options?: { readOnly?: boolean }) => { exec(sql: string): void; close(): void };
}

/**
 * Takes the directory, which exists.
 *
 * @throws {SteleError} `unavailable` LOCKED, `denied` PERMISSION, `unavailable` IO_ERROR
 */
export function takeLock(directory: string, style: LockStyle | 'auto', isShared: boolean): ExclusionLock {
  const sqlite = style === 'file' ? undefined : loadSqlite();
  if (sqlite !== undefined) return takeSqliteLock(directory, sqlite, isShared);
  if (style === 'sqlite') throw ioError('lock', directory, { cause: new Error('node:sqlite is missing') });
  return isShared ? takePidReaderLock(directory) : takePidLock(directory);
}

function takeSqliteLock(directory: string, sqlite: Sqlite, isShared: boolean): ExclusionLock {
  const database = begin(directory, sqlite, isShared);
  let mark: { remove(): void };
  try {
    mark = markKernelLock(directory, isShared);
  } catch (error) {
    database.close();
    throw error;
  }
  const ownerPath = join(directory, OWNER);
  const words = `process ${process.pid}${isShared ? ', reading' : ''}, since ${new Date().toISOString()}\n`;
  try {
    writeFileSync(ownerPath, words, { mode: 0o600 });
  } catch {
    // Only an explanation for others; the lock holds without it.
  }
  let held: typeof database | undefined = database;
  HELD.add(database);
  return {
    release() {
      if (held === undefined) return;
      const closing = held;
      held = undefined;
      HELD.delete(closing);
      try {
        if (!isShared || readFileSync(ownerPath, 'utf8') === words) unlinkSync(ownerPath);
      } catch {
        // As above.
      }
      mark.remove();
      closing.close();
    },
  };
}

/** Opens `lock.db` and takes the kernel's lock on it. */
function begin(directory: string, sqlite: Sqlite, isShared: boolean): InstanceType<Sqlite['DatabaseSync']> {
  const path = join(directory, 'lock.db');
  const attempt = (readOnly: boolean): InstanceType<Sqlite['DatabaseSync']> => {
    let database: InstanceType<Sqlite['DatabaseSync']> | undefined;
    try {
      database = new sqlite.DatabaseSync(path, { readOnly });
      database.exec(`PRAGMA journal_mode=MEMORY; ${isShared ? 'BEGIN; SELECT count(*) FROM sqlite_master' : 'BEGIN EXCLUSIVE'}`);
      return database;
    } catch (cause) {
      database?.close();
      throw cause;
    }
  };
  try {
    return attempt(false);
  } catch (cause) {
    // A reader may be allowed to read only; the lock file is there if there ever was a writer.
    if (isShared && REFUSED.has(codeOfSqlite(cause))) {
      try {
        return attempt(true);
      } catch {
        // The first refusal says more.
      }
    }
    throw refusal(directory, cause);
  }
}

function codeOfSqlite(cause: unknown): number {
  return ((cause as { errcode?: number }).errcode ?? 0) & 0xff;
}

function refusal(directory: string, cause: unknown): SteleError {
  const code = codeOfSqlite(cause);
  if (code === BUSY) {
    const holder = readOwner(directory);
    return locked(directory, holder, { cause, detail: { pid: Number(holder?.match(/\d+/)?.[0]) || undefined } });
  }
  if (REFUSED.has(code)) return noPermission('lock', directory, { cause });
  return ioError('lock', directory, { cause });
}

function readOwner(directory: string): string | undefined {
  try {
    return readFileSync(join(directory, OWNER), 'utf8').trim().slice(0, 200);
  } catch {
    return undefined;
  }
}

/** Loads node:sqlite without the warning some versions print about it; undefined where there is none. */
function loadSqlite(): Sqlite | undefined {
  const emitWarning = process.emitWarning;
  try {
    process.emitWarning = () => {};
    return process.getBuiltinModule?.('node:sqlite') as Sqlite | undefined;
  } catch {
    return undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}
