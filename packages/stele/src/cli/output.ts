/**
 * What a command answers: tables for people, JSON for programs.
 *
 * On a terminal a table, elsewhere NDJSON: one object a line, the same from version to version of the tool. `--mode` says otherwise; `json` is
 * one document. Messages and progress go to the standard error stream, never here.
 *
 * Invariants
 * - Rows are written as they come; the memory is that of {@link SAMPLE_ROWS} rows, in mode json of one.
 * - Every few rows the program is given a turn, so that Ctrl-C is heard; then what was written stands, and no line is cut.
 */

import { SteleError } from '../base/errors.ts';
import type { Io, Writable } from './command.ts';
import { type Column, headLine, layoutOf, rowLines, SAMPLE_ROWS, type TableLayout, visibleCells } from './table.ts';
import { type Painter, painter, wantsColour } from './terminal.ts';

export type Mode = 'table' | 'json' | 'ndjson';
export const MODES: readonly Mode[] = ['table', 'json', 'ndjson'];

/** How rows of a kind are shown. */
export interface RowShape<T> {
  readonly columns: readonly Column[];
  cells(row: T): readonly string[];
  /** What `JSON.stringify` takes. */
  record(row: T): unknown;
}

/** Rows between two turns. */
const TURN_ROWS = 256;
const BUFFER_CHARACTERS = 64 * 1024;
const WINDOW_DEFAULT = 80;

export class Output {
  mode: Mode;
  readonly isTerminal: boolean;
  readonly isColoured: boolean;
  readonly paint: Painter;
  readonly #stream: Writable;
  readonly #signal: AbortSignal;
  #buffer = '';

  constructor({ stdout, env, signal }: Io, options: { readonly mode: Mode | undefined; readonly noColour: boolean }) {
    this.#stream = stdout;
    this.#signal = signal;
    this.isTerminal = stdout.isTTY === true;
    this.mode = options.mode ?? (this.isTerminal ? 'table' : 'ndjson');
    this.isColoured = !options.noColour && wantsColour(stdout, env);
    this.paint = painter(this.isColoured);
  }

  /** Columns of the window; without one nothing is cut. */
  get window(): number {
    if (!this.isTerminal) return Number.POSITIVE_INFINITY;
    const columns = this.#stream.columns ?? 0;
    return columns > 0 ? columns : WINDOW_DEFAULT;
  }

  get isTable(): boolean {
    return this.mode === 'table';
  }

  /** Lines for people, or the one object that says the same. */
  async answer(text: string | (() => string), record: unknown): Promise<void> {
    if (this.isTable) await this.line(typeof text === 'string' ? text : text());
    else await this.record(record);
  }

  /** One JSON object: a line, or in mode json a document. */
  async record(record: unknown): Promise<void> {
    await this.line(JSON.stringify(record, undefined, this.mode === 'json' ? 2 : undefined));
  }

  async line(text: string): Promise<void> {
    this.#buffer += `${text}\n`;
    if (this.#buffer.length >= BUFFER_CHARACTERS) await this.flush();
  }

  /** Bytes as they are. */
  async bytes(bytes: Uint8Array): Promise<void> {
    await this.flush();
    await this.#write(bytes);
  }

  /** Gives the number of rows. */
  async rows<T>(items: Iterable<T> | AsyncIterable<T>, shape: RowShape<T>): Promise<number> {
    let count = 0;
    const sample: string[][] = [];
    let layout: TableLayout | undefined;
    const begin = async (): Promise<TableLayout> => {
      const made = layoutOf(shape.columns, sample, this.window);
      const head = headLine(shape.columns, made, this.paint);
      if (head !== undefined) await this.line(head);
      for (const cells of sample) await this.line(rowLines(shape.columns, made, cells, this.paint));
      return made;
    };
    if (this.mode === 'json') this.#buffer += '[';
    for await (const item of items) {
      if (this.isTable) {
        const cells = visibleCells(shape.cells(item));
        if (layout !== undefined) await this.line(rowLines(shape.columns, layout, cells, this.paint));
        else if (sample.push(cells) === SAMPLE_ROWS) layout = await begin();
      } else if (this.mode === 'ndjson') await this.line(JSON.stringify(shape.record(item)));
      else await this.#element(count, shape.record(item));
      if (++count % TURN_ROWS === 0) await this.turn();
    }
    if (this.isTable && layout === undefined && count > 0) await begin();
    if (this.mode === 'json') await this.line(count === 0 ? ']' : '\n]');
    return count;
  }

  async #element(at: number, record: unknown): Promise<void> {
    const text = JSON.stringify(record, undefined, 2).replaceAll('\n', '\n  ');
    this.#buffer += `${at === 0 ? '' : ','}\n  ${text}`;
    if (this.#buffer.length >= BUFFER_CHARACTERS) await this.flush();
  }

  /** Lets signals in. @throws {SteleError} `closed` CANCELLED */
  async turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#signal.aborted) {
      await this.flush();
      throw new SteleError('closed', 'CANCELLED', 'interrupted', { cause: this.#signal.reason });
    }
  }

  async flush(): Promise<void> {
    if (this.#buffer === '') return;
    const text = this.#buffer;
    this.#buffer = '';
    await this.#write(text);
  }

  #write(what: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.write(what, (error) => (error == null ? resolve() : reject(error)));
    });
  }
}

/** A sentence beside the answer, for whoever looks. */
export function note({ stderr }: Pick<Io, 'stderr'>, text: string): void {
  stderr.write(`stele: ${text}\n`);
}
