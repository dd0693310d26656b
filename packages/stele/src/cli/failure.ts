/**
 * What went wrong, as one sentence and an exit code.
 *
 *   0 done · 1 no: nothing there, not the same, nothing deleted · 2 fix the request · 3 conflict, run it again · 4 not permitted
 *   5 not now: locked, no space, the system refused · 6 damaged: repair or restore · 7 a bug of ours · 130 interrupted, 143 terminated
 *
 * Specification: docs/cli.md, "Exit codes"; spec/errors.md.
 */

import { type ErrorKind, SteleError } from '../base/errors.ts';

export const EXIT_OK = 0;
export const EXIT_NO = 1;
export const EXIT_USAGE = 2;
export const EXIT_CORRUPT = 6;
export const EXIT_INTERNAL = 7;
export const EXIT_INTERRUPTED = 130;

const EXIT_OF_KIND: Readonly<Record<ErrorKind, number>> = {
  invalid: EXIT_USAGE,
  conflict: 3,
  denied: 4,
  unavailable: 5,
  closed: 5,
  corrupt: EXIT_CORRUPT,
  internal: EXIT_INTERNAL,
};

/** The request cannot be understood: exit code 2, with the way to help. */
export class UsageError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.name = 'UsageError';
    this.hint = hint;
  }
}

export interface Failure {
  readonly exitCode: number;
  /** One sentence, no line break, without a full stop. */
  readonly sentence: string;
  readonly hint: string | undefined;
  /** Only of bugs. */
  readonly stack: string | undefined;
}

/** What to do next, by code; what a kind says is in docs/cli.md. */
const HINTS: Readonly<Record<string, string>> = {
  LOCKED: 'one process writes, or many read: wait for it (--wait 10s), or end it',
  FORMAT_NEWER: 'use a newer stele',
  META_DAMAGED: 'stele verify says more; stele repair, or stele restore of a backup',
  LOG_DAMAGED: 'stele repair says what can be saved; stele restore brings a backup back',
  PAGE_CHECKSUM: 'stele verify lists all damage; stele repair rebuilds from the log',
  PAGE_INVALID: 'stele verify lists all damage; stele repair rebuilds from the log',
  SEGMENT_MISSING: 'stele repair --backup DIR takes it from a backup',
  REPAIR_UNFINISHED: 'stele repair',
  DISK_FULL: 'nothing was changed: make room and run it again',
  HISTORY_EXPIRED: 'stele stats says from which version on history is kept',
};

export function failureOf(error: unknown): Failure {
  if (error instanceof UsageError) return { exitCode: EXIT_USAGE, sentence: oneLine(error.message), hint: error.hint, stack: undefined };
  if (error instanceof SteleError) {
    const { kind, code, message } = error;
    const isBug = kind === 'internal';
    return {
      exitCode: EXIT_OF_KIND[kind],
      sentence: `${oneLine(message)} (${code})`,
      hint: isBug ? 'this is a bug of stele: please report it with what follows' : HINTS[code],
      stack: isBug ? error.stack : undefined,
    };
  }
  const system = systemFailure(error);
  if (system !== undefined) return system;
  return {
    exitCode: EXIT_INTERNAL,
    sentence: oneLine(error instanceof Error ? error.message : String(error)),
    hint: 'this is a bug of stele: please report it with what follows',
    stack: error instanceof Error ? error.stack : undefined,
  };
}

/** Of files the command itself opened: what is read, what is written to. */
function systemFailure(error: unknown): Failure | undefined {
  const { code, path, syscall } = error as { code?: unknown; path?: unknown; syscall?: unknown };
  if (typeof code !== 'string' || typeof syscall !== 'string') return undefined;
  const where = typeof path === 'string' ? path : 'the output';
  const known: Readonly<Record<string, readonly [number, string]>> = {
    ENOENT: [EXIT_USAGE, `${where} does not exist`],
    ENOTDIR: [EXIT_USAGE, `${where} is no directory`],
    EISDIR: [EXIT_USAGE, `${where} is a directory`],
    EEXIST: [EXIT_USAGE, `${where} exists already`],
    EACCES: [4, `${where} may not be accessed`],
    EPERM: [4, `${where} may not be accessed`],
    EROFS: [4, `${where} is on a read-only file system`],
    ENOSPC: [5, `no space left for ${where}`],
    EDQUOT: [5, `no space left for ${where}`],
  };
  const [exitCode, sentence] = known[code] ?? [5, `${where}: the system says ${code}`];
  return { exitCode, sentence, hint: undefined, stack: undefined };
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').trim();
}
