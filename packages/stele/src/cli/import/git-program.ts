/**
 * The `git` program, run on a checkout: short answers as text, long ones as streams.
 *
 * It is only ever asked to read: no command here writes to the repository, asks for a password, or fetches what a partial clone left out.
 * A program that is missing or that fails becomes one sentence that carries what git itself said.
 *
 * Invariants
 * - A running program is ended when its reader stops, for whatever reason.
 */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { SteleError } from '../../base/errors.ts';

/** Settings of the user that would change what is printed are overruled. */
const SETTINGS = [
  ...['log.showRoot=true', 'log.showSignature=false', 'log.diffMerges=first-parent', 'log.follow=false'],
  ...['core.quotePath=false', 'i18n.logOutputEncoding=UTF-8'],
].flatMap((setting) => ['-c', setting]);
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0', GIT_NO_LAZY_FETCH: '1', GIT_PAGER: 'cat' };
}

function argumentsOf(directory: string, args: readonly string[]): string[] {
  return ['-C', directory, ...SETTINGS, ...args];
}

/** What git answers, without the newline at its end. @throws {SteleError} `invalid` SOURCE_INVALID */
export function askGit(directory: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('git', argumentsOf(directory, args), { env: environment(), maxBuffer: ANSWER_BYTES_MAX }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout.replace(/\n$/, ''));
      else reject(failure(directory, args, error, stderr));
    });
  });
}

/** True when the command succeeds; false when it says no (exit code 1 or 128). */
export async function gitHolds(directory: string, args: readonly string[]): Promise<boolean> {
  try {
    await askGit(directory, args);
    return true;
  } catch (error) {
    if (error instanceof SteleError && typeof error.detail['exitCode'] === 'number') return false;
    throw error;
  }
}

export interface GitStream extends AsyncDisposable {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves when it ended well. @throws {SteleError} `invalid` SOURCE_INVALID */
  ended(): Promise<void>;
}

/** A long answer. Disposal ends the program if it still runs. */
export function streamGit(directory: string, args: readonly string[]): GitStream {
  const child: ChildProcess = spawn('git', argumentsOf(directory, args), { env: environment(), stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < 4096) said += text;
  });
  // Node reads away what nobody listens to when a program exits; a listener makes it wait for whoever reads later.
  child.stdout!.on('readable', () => {});
  child.stdin!.on('error', () => {}); // a program that died early is told by how it ended
  const closed = once(child, 'close').catch((error: unknown) => [error]);
  return {
    stdin: child.stdin!,
    stdout: child.stdout!,
    async ended() {
      const [outcome] = await closed;
      if (outcome === 0) return;
      throw failure(directory, args, outcome instanceof Error ? outcome : { code: outcome ?? 'killed' }, said);
    },
    async [Symbol.asyncDispose]() {
      child.stdout!.destroy();
      if (child.exitCode === null) child.kill();
      await closed;
    },
  };
}

function failure(directory: string, args: readonly string[], error: unknown, stderr: string): SteleError {
  const { code } = error as { code?: unknown };
  if (code === 'ENOENT')
    return new SteleError('invalid', 'SOURCE_INVALID', 'the program git is not on this machine', {
      detail: { program: 'git', directory },
      cause: error,
    });
  const said = stderr
    .trim()
    .replace(/^(?:fatal|error): /, '')
    .split('\n')[0];
  return new SteleError(
    'invalid',
    'SOURCE_INVALID',
    `git ${args[0]} in ${directory}: ${said === '' ? `ended with ${String(code)}` : said}`,
    {
      detail: { exitCode: code, directory },
      cause: error,
    },
  );
}
