/**
 * What `npm start` prints: headings, lines and tables, in the width and with the colours of the stream.
 *
 * Invariants: no text of the data reaches the terminal but through `visible`; tables and quotes do not wrap, what is to be copied is whole.
 */

import { type Column, headLine, layoutOf, rowLines, visibleCells } from '../table.ts';
import { fitted, type Painter, painter, visible, wantsColour } from '../terminal.ts';

export interface PageOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface Page {
  /** An empty line and what comes. */
  heading(text: string): void;
  line(text: string): void;
  /** Lines as they are in the data, each set off by two spaces. */
  quote(text: string, lines: number): void;
  table(columns: readonly Column[], rows: readonly (readonly string[])[]): void;
}

const WIDTH_PIPE = 110;
/** Of a terminal that does not say, or says 0. */
const WIDTH_TERMINAL = 80;
const WIDTH_MIN = 20;
const INDENT = '  ';

export function makePage(out: PageOutput, env: Readonly<Record<string, string | undefined>>): Page {
  const paint: Painter = painter(wantsColour(out, env));
  const width = (): number => Math.max(WIDTH_MIN, out.isTTY === true ? out.columns || WIDTH_TERMINAL : WIDTH_PIPE);
  const write = (text: string): void => void out.write(`${text}\n`);
  return {
    heading: (text) => write(`\n${paint(visible(text), 'bold')}`),
    line: (text) => write(visible(text)),
    quote(text, lines) {
      const all = text.replace(/\n$/, '').split('\n');
      for (const line of all.slice(0, lines)) write(paint(`${INDENT}│ ${fitted(visible(line), width() - 4)}`, 'dim'));
      if (all.length > lines) write(paint(`${INDENT}│ … ${all.length - lines} more lines`, 'dim'));
    },
    table(columns, rows) {
      const cells = rows.map(visibleCells);
      const layout = layoutOf(columns, cells, width() - INDENT.length);
      const head = headLine(columns, layout, paint);
      const indented = (text: string): string => text.replace(/^(?=.)/gm, INDENT);
      if (head !== undefined && columns.some(({ name }) => name !== '')) write(indented(head));
      for (const row of cells) write(indented(rowLines(columns, layout, row, paint)));
    },
  };
}

/** `2026-11-20 21:52`, UTC. */
export function minute(date: Date): string {
  return date.toISOString().slice(0, 16).replace('T', ' ');
}

export function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}

/** `1 file`, `2,000 files`. */
export function counted(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`;
}
