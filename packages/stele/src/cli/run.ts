/**
 * One command line from words to exit code. Everything ambient comes in as {@link Io}; the process itself is main.ts.
 *
 * Invariants
 * - A failure is one sentence on the standard error stream, and the exit code of its kind (failure.ts).
 * - The database is closed before the exit code is given, also when the command failed or was interrupted.
 */

import { SteleError } from '../base/errors.ts';
import { nearest, parseWords, takeWord, textOption } from './arguments.ts';
import type { Command, Io, Options, Session } from './command.ts';
import { COMMANDS } from './commands.ts';
import { EXIT_INTERRUPTED, EXIT_OK, failureOf, UsageError } from './failure.ts';
import { MODES, type Mode, Output } from './output.ts';
import { DirectorySession } from './session.ts';
import { parseDuration, parseWhen, type When } from './when.ts';

const WAIT_MS_DEFAULT = 1000;
export const DIRECTORY_DEFAULT = './data';

/** Who ended the command: the reason of the signal. */
export class Interruption extends Error {
  readonly exitCode: number;

  constructor(name: string, exitCode: number) {
    super(name);
    this.exitCode = exitCode;
  }
}

export async function run(words: readonly string[], io: Io): Promise<number> {
  try {
    return await runWords(words, io);
  } catch (error) {
    if (io.signal.aborted && isEnding(error)) {
      const reason: unknown = io.signal.reason;
      const exitCode = reason instanceof Interruption ? reason.exitCode : EXIT_INTERRUPTED;
      if (exitCode === EXIT_INTERRUPTED) await say(io, 'interrupted');
      return exitCode;
    }
    const { exitCode, sentence, hint, stack } = failureOf(error);
    await say(io, `stele: ${sentence}${hint === undefined ? '' : `\n       ${hint}`}${stack === undefined ? '' : `\n${stack}`}`);
    return exitCode;
  }
}

/** What a command ends with when it was told to end. */
function isEnding(error: unknown): boolean {
  return (
    (error instanceof SteleError && error.code === 'CANCELLED') ||
    (error as { name?: unknown }).name === 'AbortError' ||
    (error as { code?: unknown }).code === 'EPIPE'
  );
}

async function runWords(words: readonly string[], io: Io): Promise<number> {
  const { name, rest } = takeWord(words);
  if (name === undefined) return runBare(words, io);
  if (name === 'help') {
    const { name: about } = takeWord(rest);
    return about === undefined ? runBare(['--help'], io) : runWords([about, '--help'], io);
  }
  const command = findCommand(name);
  if (command.isPrefix === true && !rest.includes('--help') && !rest.includes('-h')) return runAsOf(command, rest, io);
  return runCommand(command, rest, io, undefined);
}

/** `as-of WHEN COMMAND …`: the words before COMMAND that are options belong to it. */
async function runAsOf(command: Command, words: readonly string[], io: Io): Promise<number> {
  const { name: whenText, rest } = takeWord(words);
  const hint = 'stele as-of --help';
  if (whenText === undefined) throw new UsageError('as-of: WHEN is missing: a version, a time, or how long ago', hint);
  const when = parseWhen(whenText, Date.now());
  const { name: next, rest: others } = takeWord(rest);
  if (next === undefined) throw new UsageError('as-of: COMMAND is missing: what to ask of then', hint);
  const asked = findCommand(next);
  if (asked.isOfView !== true) {
    const names = COMMANDS.filter(({ isOfView }) => isOfView === true).map(({ name }) => name);
    throw new UsageError(`${command.name}: ${next} is not asked of the past, expected one of ${names.join(', ')}`, hint);
  }
  return runCommand(asked, others, io, when);
}

async function runCommand(command: Command, words: readonly string[], io: Io, when: When | undefined): Promise<number> {
  const { arguments: given, options } = parseWords(command, words);
  const out = outputOf(options, io);
  if (options['help'] === true) {
    const { helpOf } = await import('./help.ts');
    await out.line(helpOf(command, { window: out.window, paint: out.paint }));
    await out.flush();
    return EXIT_OK;
  }
  const handler = await command.load();
  const session = sessionOf(command, options, io, when);
  try {
    const exitCode = await handler({ command, arguments: given, options, io, out, session });
    await out.flush();
    return exitCode;
  } finally {
    await session.close();
  }
}

export function outputOf(options: Options, io: Io): Output {
  const given = options['json'] === true ? 'json' : textOption(options, 'mode');
  if (given !== undefined && !MODES.includes(given as Mode))
    throw new UsageError(`--mode: found ${JSON.stringify(given)}, expected ${MODES.join(', ')}`);
  return new Output(io, { mode: given as Mode | undefined, noColour: options['no-color'] === true });
}

export function directoryOf(options: Options, { env }: Io): string {
  const given = textOption(options, 'db') ?? env['STELE_DB'];
  if (given === '') throw new UsageError('the name of the database is empty', 'give a directory with --db DIR or $STELE_DB');
  return given ?? DIRECTORY_DEFAULT;
}

export function waitOf(options: Options): number {
  const given = textOption(options, 'wait');
  return given === undefined ? WAIT_MS_DEFAULT : parseDuration('--wait', given);
}

function sessionOf(command: Command, options: Options, io: Io, when: When | undefined): Session {
  return new DirectorySession({
    directory: directoryOf(options, io),
    access: command.access === 'own' ? 'read' : command.access,
    when,
    waitMs: waitOf(options),
    signal: io.signal,
  });
}

/** @throws {UsageError} */
export function findCommand(name: string): Command {
  const command = COMMANDS.find((one) => one.name === name);
  if (command !== undefined) return command;
  const near = nearest(
    name,
    COMMANDS.map((one) => one.name),
  );
  throw new UsageError(
    `unknown command ${JSON.stringify(name)}${near === undefined ? '' : `, did you mean ${near}?`}`,
    'stele --help lists them',
  );
}

/** Without a command: help when it is asked for, otherwise a mistake. */
async function runBare(words: readonly string[], io: Io): Promise<number> {
  if (words.includes('--version')) {
    const { VERSION } = await import('./version.ts');
    io.stdout.write(`stele ${VERSION}, node ${process.versions.node}\n`);
    return EXIT_OK;
  }
  const bare = { name: '', arguments: [], options: {} };
  const { options } = parseWords(bare, words);
  const { overview } = await import('./help.ts');
  const isAsked = options['help'] === true;
  const stream = isAsked ? io.stdout : io.stderr;
  const out = new Output({ ...io, stdout: stream }, { mode: undefined, noColour: options['no-color'] === true });
  await out.line(overview(COMMANDS, { window: out.window, paint: out.paint }));
  await out.flush();
  return isAsked ? EXIT_OK : 2;
}

function say({ stderr }: Io, text: string): Promise<void> {
  return new Promise((resolve) => {
    stderr.write(`${text}\n`, () => resolve());
  });
}
