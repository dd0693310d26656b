/**
 * What a terminal shows: colours, widths, and nothing that the data could command it to do.
 *
 * Invariants
 * - Whatever comes from the data passes {@link visible}: control characters, the escape among them, become visible text.
 * - Colour only on a terminal, and not with NO_COLOR (https://no-color.org), TERM=dumb or --no-color.
 */

export type Paint = 'plain' | 'bold' | 'dim' | 'path' | 'number' | 'good' | 'bad' | 'warn';

const CODES: Readonly<Record<Paint, string>> = {
  plain: '',
  bold: '1',
  dim: '2',
  path: '36',
  number: '33',
  good: '32',
  bad: '31',
  warn: '35',
};

export type Painter = (text: string, paint: Paint) => string;

export function painter(isColoured: boolean): Painter {
  if (!isColoured) return (text) => text;
  return (text, paint) => (paint === 'plain' || text === '' ? text : `\x1b[${CODES[paint]}m${text}\x1b[0m`);
}

export function wantsColour(stream: { readonly isTTY?: boolean }, env: Readonly<Record<string, string | undefined>>): boolean {
  return stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}

const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]/g;

/** Control characters, and those that turn the direction of text, as `\n`, `\x1b`, `\u202e`. */
export function visible(text: string): string {
  return text.replace(CONTROLS, (character) => {
    if (character === '\n') return '\\n';
    if (character === '\t') return '\\t';
    if (character === '\r') return '\\r';
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });
}

/** Columns a character takes: 0 for what combines, 2 for what East Asian Width calls wide and for emoji. */
function columnsOf(code: number): number {
  if (code < 0x300) return 1;
  if ((code >= 0x300 && code <= 0x36f) || (code >= 0x200b && code <= 0x200d) || (code >= 0xfe00 && code <= 0xfe0f)) return 0;
  const isWide =
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf && code !== 0x303f) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd);
  return isWide ? 2 : 1;
}

export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += columnsOf(character.codePointAt(0)!);
  return width;
}

/** At most `width` columns; what was longer ends with `…`. */
export function fitted(text: string, width: number): string {
  if (text.length <= width && widthOf(text) <= width) return text;
  let taken = '';
  let left = width - 1;
  for (const character of text) {
    left -= columnsOf(character.codePointAt(0)!);
    if (left < 0) break;
    taken += character;
  }
  return width < 1 ? '' : `${taken}…`;
}

export function padded(text: string, width: number, isRight: boolean): string {
  const room = ' '.repeat(Math.max(0, width - widthOf(text)));
  return isRight ? room + text : text + room;
}
