/**
 * The shell: statements line by line on one open database.
 *
 * On a terminal there are a prompt, a history of lines and completion; Ctrl-C ends a statement or throws the line away, Ctrl-D ends the shell.
 * In a pipe it reads statements and answers as the command line would; the first that fails ends it, with its exit code. In the end a tally goes
 * to the standard error stream.
 *
 * Invariant: the database is closed on every way out.
 *
 * Specification: docs/cli.md, "The shell".
 */

import { createInterface, type Interface } from 'node:readline';
import type { Call, Io } from '../command.ts';
import { EXIT_NO, EXIT_OK, failureOf } from '../failure.ts';
import { Output } from '../output.ts';
import { directoryOf, waitOf } from '../run.ts';
import { DirectorySession } from '../session.ts';
import { fitted, painter } from '../terminal.ts';
import { type Completion, commonBeginning, completePath } from './completion.ts';
import { DOTS, dotCommand } from './dots.ts';
import { explained } from './explain.ts';
import { openHistory } from './history-file.ts';
import { ShellSession, type ShellState } from './state.ts';
import { statementOf, verbs, wordsOf } from './statement.ts';

export async function shell({ options, io, out }: Call): Promise<number> {
  const session = new ShellSession(
    new DirectorySession({
      directory: directoryOf(options, io),
      access: options['read-only'] === true ? 'read' : options['create'] === true ? 'create' : 'write',
      when: undefined,
      waitMs: waitOf(options),
      signal: io.signal,
    }),
  );
  const state: ShellState = {
    session,
    mode: out.mode,
    hasTiming: false,
    hasExplain: false,
    asOf: undefined,
    watching: undefined,
    isOver: false,
    statements: 0,
    failures: 0,
    spentMs: 0,
  };
  const database = await session.database();
  const from = database.version;
  try {
    const isInteractive = io.stdin.isTTY === true && out.isTerminal;
    const exitCode = await new Shell(state, io, out, isInteractive).run();
    state.watching?.[Symbol.dispose]();
    io.stderr.write(`${tally(state, database.version - from)}\n`);
    return exitCode;
  } finally {
    await session.end();
  }
}

function tally({ statements, failures, spentMs }: ShellState, commits: number): string {
  const counted = (n: number, one: string): string => `${n} ${n === 1 ? one : `${one}s`}`;
  return `${counted(statements, 'statement')}, ${failures} failed, ${counted(commits, 'commit')}, ${(spentMs / 1000).toFixed(3)} s`;
}

class Shell {
  readonly #state: ShellState;
  readonly #io: Io;
  readonly #out: Output;
  readonly #isInteractive: boolean;
  readonly #lines: string[] = [];
  #wake: (() => void) | undefined;
  #isClosed = false;
  /** Of the statement that runs. */
  #running: AbortController | undefined;
  #unfinished = '';
  #readline: Interface | undefined;

  constructor(state: ShellState, io: Io, out: Output, isInteractive: boolean) {
    this.#state = state;
    this.#io = io;
    this.#out = out;
    this.#isInteractive = isInteractive;
  }

  async run(): Promise<number> {
    const { stdin, stdout, env, signal } = this.#io;
    const history = this.#isInteractive ? openHistory(env, (text) => this.#say(`stele: ${text}`)) : undefined;
    const readline = createInterface({
      input: stdin,
      ...(this.#isInteractive ? { output: stdout as unknown as NodeJS.WritableStream } : {}),
      terminal: this.#isInteractive,
      ...(history === undefined ? {} : { history: history.lines, historySize: 1000, removeHistoryDuplicates: true }),
      completer: (line: string, done: (error: null, found: [string[], string]) => void) => void this.#complete(line, done),
    });
    this.#readline = readline;
    readline.on('line', (line) => {
      this.#lines.push(line);
      this.#wake?.();
    });
    readline.on('close', () => {
      this.#isClosed = true;
      this.#wake?.();
    });
    readline.on('SIGINT', () => this.#interrupt());
    const end = (): void => {
      this.#running?.abort(signal.reason);
      readline.close();
    };
    signal.addEventListener('abort', end);
    if (this.#isInteractive)
      this.#say(
        `${this.#state.session.directory}, version ${(await this.#state.session.database()).version}; .help says what there is, Ctrl-D ends`,
      );
    try {
      this.#prompt();
      for (let line = await this.#next(); line !== undefined; line = await this.#next()) {
        const exitCode = await this.#take(line, (whole) => history?.add(whole));
        if (this.#state.isOver) return EXIT_OK;
        if (exitCode > EXIT_NO && !this.#isInteractive) return exitCode;
        this.#prompt();
      }
      if (this.#unfinished !== '' && !this.#isInteractive) {
        this.#say('stele: the last statement is not finished: a quote or a bracket is open');
        return 2;
      }
      if (this.#isInteractive) this.#io.stdout.write('\n');
      signal.throwIfAborted();
      return EXIT_OK;
    } finally {
      signal.removeEventListener('abort', end);
      readline.close();
    }
  }

  async #next(): Promise<string | undefined> {
    while (this.#lines.length === 0 && !this.#isClosed)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return this.#lines.shift();
  }

  #prompt(): void {
    if (!this.#isInteractive || this.#readline === undefined || this.#isClosed) return;
    const { asOf } = this.#state;
    const paint = painter(this.#out.isColoured);
    this.#readline.setPrompt(
      this.#unfinished !== ''
        ? '   ...> '
        : asOf === undefined
          ? `${paint('stele', 'bold')}> `
          : `${paint('stele', 'bold')}${paint(`@${asOf}`, 'warn')}> `,
    );
    this.#readline.prompt();
  }

  /** Ctrl-C: the statement that runs, else the line. */
  #interrupt(): void {
    if (this.#running !== undefined) {
      this.#running.abort(new Error('interrupted'));
      return;
    }
    const hadText = this.#unfinished !== '' || (this.#readline?.line ?? '') !== '';
    this.#unfinished = '';
    this.#io.stdout.write(hadText ? '^C\n' : '^C (Ctrl-D or .exit ends)\n');
    const readline = this.#readline as unknown as { line: string; cursor: number };
    readline.line = '';
    readline.cursor = 0;
    this.#prompt();
  }

  /** One line more. Gives the exit code of the statement, when there was one. */
  async #take(line: string, remember: (whole: string) => void): Promise<number> {
    if (this.#unfinished === '' && line.trim() === '') return EXIT_OK;
    const text = this.#unfinished === '' ? line : `${this.#unfinished}\n${line}`;
    this.#unfinished = '';
    const isDot = text.trimStart().startsWith('.');
    try {
      const words = isDot ? [] : wordsOf(text);
      if (words === 'open') {
        this.#unfinished = text;
        return EXIT_OK;
      }
      remember(text.replaceAll('\n', ' '));
      if (words.length === 0 && !isDot) return EXIT_OK;
      if (!isDot) return await this.#execute(words);
      const said = await dotCommand(text, this.#state, (told) => this.#sayAbove(told));
      if (said !== undefined) this.#say(said);
      return EXIT_OK;
    } catch (error) {
      this.#state.failures++;
      return this.#fail(error);
    }
  }

  #fail(error: unknown): number {
    const { exitCode, sentence, hint, stack } = failureOf(error);
    this.#say(`stele: ${sentence}${hint === undefined ? '' : `\n       ${hint}`}${stack === undefined ? '' : `\n${stack}`}`);
    return exitCode;
  }

  async #execute(words: Exclude<ReturnType<typeof wordsOf>, 'open'>): Promise<number> {
    const { session, mode, hasTiming, hasExplain } = this.#state;
    this.#state.statements++;
    const { command, arguments: given, options } = statementOf(words);
    const running = new AbortController();
    this.#running = running;
    const io: Io = { ...this.#io, stdin: this.#io.stdin, signal: running.signal };
    const out = new Output(io, { mode, noColour: !this.#out.isColoured });
    const begin = performance.now();
    const before = hasExplain ? (await session.database()).stats() : undefined;
    try {
      const handler = await command.load();
      const exitCode = await handler({ command, arguments: given, options, io, out, session });
      await out.flush();
      return exitCode;
    } catch (error) {
      await out.flush();
      throw error;
    } finally {
      this.#running = undefined;
      const ms = performance.now() - begin;
      this.#state.spentMs += ms;
      if (before !== undefined) this.#say(`explain: ${explained(before, (await session.database()).stats())}`);
      if (hasTiming) this.#say(`${ms.toFixed(1)} ms`);
    }
  }

  #say(text: string): void {
    this.#io.stderr.write(`${text}\n`);
  }

  /** Something that came while a line is typed. */
  #sayAbove(text: string): void {
    if (!this.#isInteractive) {
      this.#io.stdout.write(`${text}\n`);
      return;
    }
    this.#io.stdout.write(`\r\x1b[K${fitted(text, this.#out.window)}\n`);
    if (this.#running === undefined) this.#readline?.prompt(true);
  }

  async #complete(line: string, done: (error: null, found: [string[], string]) => void): Promise<void> {
    const [begin, word] = splitLast(line);
    if (begin.trim() === '' && this.#unfinished === '') {
      const upper = word === word.toUpperCase();
      const names = word.startsWith('.') ? Object.keys(DOTS) : verbs().map((verb) => (upper ? verb.toUpperCase() : verb));
      const hits = names.filter((name) => name.startsWith(word)).map((name) => `${name} `);
      done(null, [hits, word]);
      return;
    }
    let found: Completion;
    try {
      found = completePath(await this.#state.session.view(), word);
    } catch {
      done(null, [[], word]); // what cannot be read is told when the statement runs
      return;
    }
    const { candidates } = found;
    if (candidates.length === 0) {
      done(null, [[], word]);
      return;
    }
    const [only] = candidates;
    const common = commonBeginning(candidates.map(({ text }) => text));
    if (candidates.length === 1 && common === only!.text) {
      this.#list(found);
      done(null, [[`${only!.text}${only!.isTree ? '/' : ' '}`], word]);
    } else if (common.length > word.length) done(null, [[common], word]);
    else {
      this.#list(found);
      done(null, [[], word]);
    }
  }

  /** The candidates above the prompt, with how many entries are at and below each. */
  #list({ candidates, isMore }: Completion): void {
    const { paint, window } = this.#out;
    const width = candidates.reduce((max, { text }) => Math.max(max, text.length), 0);
    const lines = candidates.map(({ text, count, isTree }) => {
      const counted = `${count} ${count === 1 ? 'entry' : 'entries'}`;
      const name = fitted(`${text}${isTree ? '/' : ''}`, window - 4);
      const room = window - 4 - Math.max(width + 1, name.length);
      return `  ${paint(name, 'path')}${room > counted.length ? `${' '.repeat(Math.max(1, width + 3 - name.length))}${paint(counted, 'dim')}` : ''}`;
    });
    if (isMore) lines.push(paint('  … more', 'dim'));
    this.#io.stdout.write(`\n${lines.join('\n')}\n`);
    this.#readline?.prompt(true);
  }
}

/** The last word of a line, and what is before it. A space behind a `\` belongs to the word. */
function splitLast(line: string): [string, string] {
  let start = 0;
  for (let at = 0; at < line.length; at++) {
    if (line[at] === '\\') at++;
    else if (/\s/.test(line[at]!)) start = at + 1;
  }
  return [line.slice(0, start), line.slice(start)];
}
