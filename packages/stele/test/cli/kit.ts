/**
 * What the tests of the command share: running it in this process with streams of our own, as a process, and in a pseudo-terminal.
 *
 * In this process is fast and enough for what is answered; signals, locks and terminals need a process. The pseudo-terminal is a real one, made by
 * Python's pty module; where there is no python3 those tests are skipped, visibly.
 */

import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Io, Writable } from '../../src/cli/command.ts';
import { run } from '../../src/cli/run.ts';

export const PROGRAM: string = fileURLToPath(new URL('./stele.ts', import.meta.url));
const TERMINAL: string = fileURLToPath(new URL('./terminal.py', import.meta.url));

export interface Answer {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

export interface Surroundings {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** The window: the output is a terminal. */
  readonly columns?: number;
  readonly signal?: AbortSignal;
}

/** A directory that is gone when the test is over. */
export function scratch(t: Pick<TestContext, 'after'>): string {
  const directory = mkdtempSync(join(tmpdir(), 'stele-cli-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Runs the command in this process. */
export async function stele(words: readonly string[], { input = '', env = {}, columns, signal }: Surroundings = {}): Promise<Answer> {
  const stdout = collector(columns);
  const stderr = collector(undefined);
  const io: Io = {
    stdin: Readable.from([Buffer.from(input)]),
    stdout,
    stderr,
    env: { NO_COLOR: '1', ...env },
    signal: signal ?? new AbortController().signal,
  };
  const exitCode = await run(words, io);
  return { stdout: stdout.text(), stderr: stderr.text(), exitCode };
}

function collector(columns: number | undefined): Writable & { text(): string } {
  const chunks: Uint8Array[] = [];
  return {
    ...(columns === undefined ? {} : { isTTY: true, columns }),
    write(text, done) {
      chunks.push(Buffer.from(text as string));
      done?.();
      return true;
    },
    once: () => {},
    text: () => Buffer.concat(chunks).toString(),
  };
}

/** As {@link stele}, and it must go well. Gives the lines. */
export async function lines(words: readonly string[], surroundings?: Surroundings): Promise<string[]> {
  const { stdout, stderr, exitCode } = await stele(words, surroundings);
  assert.equal(exitCode, 0, `${words.join(' ')}: ${stderr}`);
  return stdout.split('\n').slice(0, -1);
}

/** Runs the command as a process. `limits` is put in front: `ulimit`, `unshare`. */
export function steleProcess(
  words: readonly string[],
  { cwd, env = {}, uid }: { cwd?: string; env?: Readonly<Record<string, string>>; uid?: number } = {},
): Promise<Answer> {
  return new Promise((resolve) => {
    const options = {
      encoding: 'utf8' as const,
      env: { ...process.env, NO_COLOR: '', ...env },
      ...(cwd === undefined ? {} : { cwd }),
      ...(uid === undefined ? {} : { uid, gid: uid }),
    };
    execFile(process.execPath, [PROGRAM, ...words], options, (error, stdout, stderr) => {
      const code = (error as { code?: unknown } | null)?.code;
      resolve({ stdout, stderr, exitCode: error === null ? 0 : typeof code === 'number' ? code : -1 });
    });
  });
}

/** One step of a session at a terminal: what must be seen first, then what is typed, or the signal that is sent. */
export interface Step {
  readonly see?: string;
  readonly type?: string;
  /** Changes the window. */
  readonly columns?: number;
}

export interface Transcript {
  /** Everything the terminal was sent, line ends as `\n`. */
  readonly text: string;
  readonly exitCode: number;
}

/** Why there are no terminals here, or false. */
export const noTerminal: string | false = findTerminal();

function findTerminal(): string | false {
  try {
    execFileSync('python3', ['-c', 'import pty, termios, fcntl']);
    return false;
  } catch {
    return 'there is no python3 with pty here';
  }
}

/** Runs the command in a pseudo-terminal and plays the steps. What is not seen in time fails the test with the transcript. */
export async function atTerminal(
  words: readonly string[],
  steps: readonly Step[],
  { cwd, columns = 80, env = {} }: { cwd: string; columns?: number; env?: Readonly<Record<string, string>> },
): Promise<Transcript> {
  const child = spawn('python3', [TERMINAL], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify({ argv: [process.execPath, PROGRAM, ...words], cwd, columns, env: { TERM: 'xterm', ...env }, steps }));
  let answer = '';
  for await (const chunk of child.stdout) answer += String(chunk);
  const { text, exit, missed } = JSON.parse(answer) as { text: string; exit: number; missed: string | null };
  const shown = text.replaceAll('\r\n', '\n');
  assert.equal(missed, null, `${words.join(' ')}: ${JSON.stringify(missed)} was not seen in\n${shown}`);
  return { text: shown, exitCode: exit };
}

/** Text without colours and cursor movements. */
export function plain(text: string): string {
  return text.replace(/\x1b\[[0-9;]*[A-Za-z]/g, '').replaceAll('\r', '');
}
