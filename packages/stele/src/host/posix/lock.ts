/**
 * One holder per directory: an exclusive transaction on the empty `lock.db` through node:sqlite.
 *
 * SQLite takes a real POSIX lock on the file, so it dies with its holder, also by kill -9, and a stopped holder keeps it.
 * `lock.owner` beside it names the holder, for the refusal's message only; nothing is decided by it.
 *
 * Invariants
 * - Nobody else in this process opens `lock.db`: closing any descriptor of a file drops all POSIX locks the process
 *   has on it. Hence the name is reserved (names.ts); SQLite itself knows about its own connections, so a second
 *   `lock()` in this process is refused like one from outside.
 * - The file stays empty and no journal file appears (journal_mode=MEMORY).
 *
 * Where node:sqlite is missing, pid-lock.ts takes over.
 *
 * Specification: spec/host.md, "Exclusion".
 */

import { readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SteleError } from '../../base/errors.ts';
import { ioError, locked, noPermission } from '../failures.ts';
import type { ExclusionLock } from '../storage.ts';
import { takePidLock } from './pid-lock.ts';

export type LockStyle = 'sqlite' | 'file';

const OWNER = 'lock.owner';
/** SQLite result codes, without their extended part. */
const BUSY = 5;
const REFUSED = new Set([3 /* PERM */, 8 /* READONLY */, 14 /* CANTOPEN */, 23 /* AUTH */]);

interface Sqlite {
  readonly DatabaseSync: new (path: string) => { exec(sql: string): void; close(): void };
}

/**
 * Takes the directory, which exists.
 *
 * @throws {SteleError} `unavailable` LOCKED, `denied` PERMISSION, `unavailable` IO_ERROR
 */
export function takeLock(directory: string, style: LockStyle | 'auto'): ExclusionLock {
  const sqlite = style === 'file' ? undefined : loadSqlite();
  if (sqlite !== undefined) return takeSqliteLock(directory, sqlite);
  if (style === 'sqlite') throw ioError('lock', directory, { cause: new Error('node:sqlite is missing') });
  return takePidLock(directory);
}

function takeSqliteLock(directory: string, sqlite: Sqlite): ExclusionLock {
  let database: InstanceType<Sqlite['DatabaseSync']> | undefined;
  try {
    database = new sqlite.DatabaseSync(join(directory, 'lock.db'));
    database.exec('PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE');
  } catch (cause) {
    database?.close();
    throw refusal(directory, cause);
  }
  const ownerPath = join(directory, OWNER);
  try {
    writeFileSync(ownerPath, `process ${process.pid}, since ${new Date().toISOString()}\n`, { mode: 0o600 });
  } catch {
    // Only an explanation for others; the lock holds without it.
  }
  let held: typeof database | undefined = database;
  return {
    release() {
      if (held === undefined) return;
      const closing = held;
      held = undefined;
      try {
        unlinkSync(ownerPath);
      } catch {
        // As above.
      }
      closing.close();
    },
  };
}

function refusal(directory: string, cause: unknown): SteleError {
  const code = ((cause as { errcode?: number }).errcode ?? 0) & 0xff;
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
