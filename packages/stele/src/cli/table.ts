/**
 * Tables in the width there is.
 *
 *   path        value                    version
 *   users/ada   {"name":"Ada","born":18…       3
 *
 * Columns are as wide as the first rows need. When they do not fit, the column that may give way is cut, to {@link GIVING_MIN} columns at least;
 * in a window too narrow even for that each row becomes a block of lines, `name  value`.
 *
 * Invariant: no line is longer than the window, whatever is in the cells.
 */

import { fitted, type Paint, type Painter, padded, visible, widthOf } from './terminal.ts';

export interface Column {
  readonly name: string;
  readonly paint?: Paint;
  readonly isRight?: true;
  /** Is cut when the window is narrow. */
  readonly gives?: true;
}

/** Rows that decide the widths. */
export const SAMPLE_ROWS = 200;
const GAP = 2;
const GIVING_MIN = 8;

export interface TableLayout {
  /** Undefined: rows become blocks. */
  readonly widths: readonly number[] | undefined;
  readonly window: number;
}

/** Widths for the columns, as the sample of rows needs them. Cells are visible text. */
export function layoutOf(columns: readonly Column[], sample: readonly (readonly string[])[], window: number): TableLayout {
  const widths = columns.map(({ name }, at) => sample.reduce((max, cells) => Math.max(max, widthOf(cells[at]!)), widthOf(name)));
  let over = widths.reduce((sum, width) => sum + width + GAP, -GAP) - window;
  // The widest of those that give way gives first.
  while (over > 0) {
    const giving = widths.reduce(
      (best, width, at) => (columns[at]!.gives && width > GIVING_MIN && width > (widths[best] ?? 0) ? at : best),
      -1,
    );
    if (giving < 0) return { widths: undefined, window };
    const others = widths.filter((_, at) => at !== giving && columns[at]!.gives).reduce((max, width) => Math.max(max, width), GIVING_MIN);
    const cut = Math.max(1, Math.min(over, widths[giving]! - Math.max(others, GIVING_MIN)));
    widths[giving]! -= cut;
    over -= cut;
  }
  return { widths, window };
}

export function headLine(columns: readonly Column[], { widths }: TableLayout, paint: Painter): string | undefined {
  if (widths === undefined) return undefined;
  return paint(
    lineOf(
      columns,
      widths,
      columns.map(({ name }) => name),
      (text) => text,
    ),
    'dim',
  );
}

/** One line, or a block of them. */
export function rowLines(columns: readonly Column[], { widths, window }: TableLayout, cells: readonly string[], paint: Painter): string {
  if (widths !== undefined) return lineOf(columns, widths, cells, (text, at) => paint(text, columns[at]!.paint ?? 'plain'));
  const nameWidth = columns.reduce((max, { name }) => Math.max(max, widthOf(name)), 0);
  const room = window - nameWidth - GAP;
  const lines = columns.map(({ name, paint: own = 'plain' }, at) => {
    if (room < GIVING_MIN) return paint(fitted(cells[at]!, window), own);
    return `${paint(padded(name, nameWidth, false), 'dim')}${' '.repeat(GAP)}${paint(fitted(cells[at]!, room), own)}`;
  });
  return `${lines.join('\n')}\n`;
}

function lineOf(
  columns: readonly Column[],
  widths: readonly number[],
  cells: readonly string[],
  painted: (text: string, at: number) => string,
): string {
  let line = '';
  for (let at = 0; at < columns.length; at++) {
    const isRight = columns[at]!.isRight === true;
    const text = fitted(cells[at]!, widths[at]!);
    const room = ' '.repeat(Math.max(0, widths[at]! - widthOf(text)));
    const isLast = at === columns.length - 1;
    line += isRight ? room + painted(text, at) : painted(text, at) + (isLast ? '' : room);
    if (!isLast) line += ' '.repeat(GAP);
  }
  return line.trimEnd();
}

/** Cells as they may be shown. */
export function visibleCells(cells: readonly string[]): string[] {
  return cells.map(visible);
}
