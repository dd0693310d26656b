/**
 * Help, made from the table of commands.
 *
 * Lines are wrapped to the window, to 100 columns at most.
 */

import { COMMON_OPTIONS } from './arguments.ts';
import type { Command, OptionSpec } from './command.ts';
import { type Painter, widthOf } from './terminal.ts';

const WINDOW_MAX = 100;

export interface HelpStyle {
  readonly window: number;
  readonly paint: Painter;
}

export function overview(commands: readonly Command[], { window, paint }: HelpStyle): string {
  const lines = [
    'stele: a database in a directory that keeps the record. Every commit has a number; the past can be read.',
    '',
    `${paint('usage', 'bold')}   stele [--db DIR] COMMAND [arguments] [options]`,
    '',
  ];
  const nameWidth = commands.reduce((max, { name }) => Math.max(max, name.length), 0) + 2;
  for (const group of new Set(commands.map(({ group }) => group))) {
    lines.push(paint(group, 'bold'));
    for (const command of commands)
      if (command.group === group) lines.push(...entry(command.name, command.summary, nameWidth, { window, paint }));
    lines.push('');
  }
  lines.push(
    ...wrapped(
      'The database is --db DIR, else $STELE_DB, else ./data. Paths are text such as users/ada or orders/#42. On a terminal answers are tables, in a pipe one JSON object a line.',
      0,
      window,
    ),
    '',
    `${paint('first steps', 'bold')}`,
    `  stele put users/ada '{"name":"Ada"}'`,
    '  stele get users/ada',
    '  stele history users/ada',
    '',
    'stele COMMAND --help says more, with examples. All of it: docs/cli.md',
  );
  return lines.join('\n');
}

export function helpOf(command: Command, { window, paint }: HelpStyle): string {
  const usage = command.arguments
    .map(({ name, isOptional, isRest }) => `${isOptional ? '[' : ''}${name.toUpperCase()}${isRest ? '…' : ''}${isOptional ? ']' : ''}`)
    .join(' ');
  const lines = [
    ...wrapped(`${command.summary[0]!.toUpperCase()}${command.summary.slice(1)}.`, 0, window),
    '',
    `${paint('usage', 'bold')}   stele ${command.name}${usage === '' ? '' : ` ${usage}`}${Object.keys(command.options).length > 0 ? ' [options]' : ''}`,
  ];
  if (command.details !== undefined) for (const paragraph of command.details.split('\n')) lines.push('', ...wrapped(paragraph, 0, window));
  const style = { window, paint };
  if (command.arguments.length > 0) {
    lines.push('', paint('arguments', 'bold'));
    const width = command.arguments.reduce((max, { name }) => Math.max(max, name.length), 0) + 2;
    for (const { name, text } of command.arguments) lines.push(...entry(name.toUpperCase(), text, width, style));
  }
  lines.push(...optionLines('options', command.options, style));
  lines.push('', paint('examples', 'bold'));
  for (const { line, text } of command.examples) lines.push(`  ${line}`, ...wrapped(text, 6, window).map((wrap) => paint(wrap, 'dim')));
  lines.push(...optionLines('options of every command', COMMON_OPTIONS, style));
  return lines.join('\n');
}

function optionLines(title: string, options: Readonly<Record<string, OptionSpec>>, style: HelpStyle): string[] {
  const rows = Object.entries(options).map(([name, { value, short, text }]) => ({
    name: `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value.toUpperCase()}`}`,
    text,
  }));
  if (rows.length === 0) return [];
  const width = rows.reduce((max, { name }) => Math.max(max, name.length), 0) + 2;
  return ['', style.paint(title, 'bold'), ...rows.flatMap(({ name, text }) => entry(name, text, width, style))];
}

/** `  name   text`, the text wrapped behind the name; in a narrow window below it. */
function entry(name: string, text: string, nameWidth: number, { window, paint }: HelpStyle): string[] {
  const indent = nameWidth + 2;
  if (window - indent < 24) return [`  ${paint(name, 'path')}`, ...wrapped(text, 4, window)];
  const lines = wrapped(text, indent, window);
  return [`  ${paint(name, 'path')}${' '.repeat(nameWidth - name.length)}${lines[0]!.slice(indent)}`, ...lines.slice(1)];
}

export function wrapped(text: string, indent: number, window: number): string[] {
  const width = Math.max(20, Math.min(window, WINDOW_MAX) - indent);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.map((one) => `${' '.repeat(indent)}${one}`);
}
