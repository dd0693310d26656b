/**
 * Exclusion without a kernel lock: a file that says who holds the directory, for Nodes without node:sqlite.
 *
 *   lock.pid              the writer: JSON { host, boot, namespace, pid, startTime, token }
 *   lock.reader-<token>   one for each reader: the same
 *   lock.sqlite-<w|r>-<token>   a holder of the kernel's lock (lock.ts), so that one without node:sqlite sees it
 *
 * Invariants
 * - A lock file appears complete or not at all: written under another name, then linked (link fails if the name exists).
 * - It is taken over only when its holder is provably gone: same host, and either another boot, or the same boot and
 *   pid namespace while no process of that pid and start time exists. Doubt means refused.
 * - Take-over happens only while holding a second exclusive name, made from the dead holder's token, and after reading
 *   the lock file again under it: of several who judge the same holder dead one wins, and nobody replaces the winner.
 * - A reader and a writer each put their own file in place first and look for the other's then, so of two that come at once
 *   at least one is refused (perhaps both). Files of the provably gone count as absent.
 * - If a process dies inside a take-over (microseconds), its second name stays: refused, saying which file to delete.
 *
 * Specification: spec/host.md, "Exclusion".
 */

import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, readdirSync, readFileSync, readlinkSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { SteleError } from '../../base/errors.ts';
import { locked } from '../failures.ts';
import type { ExclusionLock } from '../storage.ts';
import { codeOf, fromSystem } from './errors.ts';

const READER = 'lock.reader-';
const WRITING_ELSEWHERE = 'lock.sqlite-w-';
const READING_ELSEWHERE = 'lock.sqlite-r-';

/** Who holds a directory. Empty strings where the platform does not tell. */
interface Owner {
  readonly host: string;
  readonly boot: string;
  readonly namespace: string;
  readonly pid: number;
  readonly startTime: string;
  readonly token: string;
}

/** @throws {SteleError} `unavailable` LOCKED */
export function takePidLock(directory: string): ExclusionLock {
  const path = join(directory, 'lock.pid');
  const own = describeSelf();
  const draft = join(directory, `lock.draft-${own.token}`);
  try {
    writeFileSync(draft, JSON.stringify(own), { flag: 'wx', mode: 0o600 });
    if (!tryLink(draft, path)) takeOver(directory, path, draft);
  } catch (error) {
    throw error instanceof SteleError ? error : fromSystem('lock', directory, error);
  } finally {
    remove(draft);
  }
  try {
    refuseThose(directory, READER);
    refuseThose(directory, WRITING_ELSEWHERE);
    refuseThose(directory, READING_ELSEWHERE);
  } catch (error) {
    remove(path);
    throw error;
  }
  let isHeld = true;
  return {
    release() {
      if (isHeld && readOwner(path)?.token === own.token) remove(path);
      isHeld = false;
    },
  };
}

/** Together with other readers. @throws {SteleError} `unavailable` LOCKED while there is a writer */
export function takePidReaderLock(directory: string): ExclusionLock {
  const own = describeSelf();
  const path = join(directory, READER + own.token);
  const draft = join(directory, `lock.draft-${own.token}`);
  try {
    writeFileSync(draft, JSON.stringify(own), { flag: 'wx', mode: 0o600 });
    tryLink(draft, path);
    const writer = join(directory, 'lock.pid');
    const holder = readOwner(writer);
    if (holder === undefined ? existsSync(writer) : !isGone(holder)) {
      remove(path);
      throw holder === undefined ? locked(directory, `an unreadable ${writer}`) : refusal(directory, holder);
    }
    refuseThose(directory, WRITING_ELSEWHERE);
  } catch (error) {
    remove(path);
    throw error instanceof SteleError ? error : fromSystem('lock', directory, error);
  } finally {
    remove(draft);
  }
  return { release: () => remove(path) };
}

/**
 * For a holder of the kernel's lock: leaves a mark for those who cannot ask the kernel, then refuses if one of them was
 * here first. Marks of the kernel's own former holders are swept away by whoever holds it alone.
 *
 * @throws {SteleError} `unavailable` LOCKED
 */
export function markKernelLock(directory: string, isShared: boolean): { remove(): void } {
  const own = describeSelf();
  const path = join(directory, (isShared ? READING_ELSEWHERE : WRITING_ELSEWHERE) + own.token);
  try {
    if (!isShared) for (const name of readdirSync(directory)) if (name.startsWith('lock.sqlite-')) remove(join(directory, name));
    writeFileSync(path, JSON.stringify(own), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    // A reader without the right to write leaves no mark: whoever may write is told by the kernel's lock.
    if (!isShared) throw fromSystem('lock', directory, error);
  }
  try {
    const writer = join(directory, 'lock.pid');
    const holder = readOwner(writer);
    if (holder === undefined ? existsSync(writer) : !isGone(holder))
      throw holder === undefined ? locked(directory, `an unreadable ${writer}`) : refusal(directory, holder);
    if (!isShared) refuseThose(directory, READER);
  } catch (error) {
    remove(path);
    throw error;
  }
  return { remove: () => remove(path) };
}

/** Refuses while one of those whose files begin so is alive; takes away the files of the gone. */
function refuseThose(directory: string, lead: string): void {
  for (const name of readdirSync(directory)) {
    if (!name.startsWith(lead)) continue;
    const path = join(directory, name);
    const reader = readOwner(path);
    if (reader !== undefined && isGone(reader)) remove(path);
    else if (reader !== undefined) throw refusal(directory, reader);
    else if (existsSync(path)) throw locked(directory, `an unreadable ${path}`);
  }
}

/** Replaces a dead holder's file by `draft`, or refuses. */
function takeOver(directory: string, path: string, draft: string): void {
  const holder = readOwner(path);
  if (holder === undefined) throw locked(directory, `an unreadable ${path}`);
  if (!isGone(holder)) throw refusal(directory, holder);
  const second = join(directory, `lock.takeover-${holder.token}`);
  if (!tryLink(draft, second)) throw locked(directory, `a take-over in progress; if no process is at work, delete ${second}`);
  try {
    if (readOwner(path)?.token !== holder.token) throw refusal(directory, readOwner(path) ?? holder);
    renameSync(draft, path);
  } finally {
    remove(second);
  }
}

function isGone(holder: Owner): boolean {
  const self = describeSelf();
  if (holder.host !== self.host || self.host === '') return false;
  if (holder.boot !== self.boot) return holder.boot !== '' && self.boot !== '';
  if (process.platform === 'linux' && (holder.boot === '' || holder.namespace === '' || holder.namespace !== self.namespace)) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return true;
  }
  const startTime = startTimeOf(String(holder.pid));
  return holder.startTime !== '' && startTime !== '' && startTime !== holder.startTime;
}

function describeSelf(): Owner {
  return {
    host: hostname(),
    boot: attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    namespace: attempt(() => readlinkSync('/proc/self/ns/pid')),
    pid: process.pid,
    startTime: startTimeOf('self'),
    token: token(),
  };
}

/** 24 hexadecimal digits nobody else has. From the kernel where it gives them: node:crypto takes longer to load than a short program to run. */
function token(): string {
  const uuid = attempt(() => readFileSync('/proc/sys/kernel/random/uuid', 'utf8')).replaceAll(/[^0-9a-f]/g, '');
  return uuid.length === 32 ? uuid.slice(8) : randomBytes(12).toString('hex');
}

/** Field 22 of /proc/<pid>/stat: clock ticks from boot to the start of the process. */
function startTimeOf(pid: string): string {
  return attempt(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the command in parentheses and may hold anything, so count from its end.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  });
}

function readOwner(path: string): Owner | undefined {
  try {
    const owner = JSON.parse(readFileSync(path, 'utf8')) as Owner;
    return Number.isSafeInteger(owner.pid) && owner.pid > 0 && /^[0-9a-f]{24}$/.test(owner.token) ? owner : undefined;
  } catch {
    return undefined;
  }
}

function refusal(directory: string, holder: Owner): SteleError {
  return locked(directory, `process ${holder.pid} on ${holder.host}`, { detail: { pid: holder.pid } });
}

function tryLink(existing: string, path: string): boolean {
  try {
    linkSync(existing, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Gone already, or moved into place.
  }
}

function attempt(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
