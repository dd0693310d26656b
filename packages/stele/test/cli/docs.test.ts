/**
 * docs/cli.md runs: every line that begins with `$` in its console blocks, one after the other in one directory, and prints what stands below it.
 *
 * `STELE_UPDATE_DOCS=1` writes what it prints into the page. Times are held as `<time>`; in blocks behind `<!-- figures vary -->` every number is.
 * Lines are a small part of what a POSIX shell takes: words, quotes, `|`, `>`, `echo`, `cat`, `head`, `mkdir`, `ls`; the commands run in this
 * process, the last one of a line at a terminal of 100 columns.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { COMMANDS } from '../../src/cli/commands.ts';
import { scratch, stele } from './kit.ts';

const PAGE = fileURLToPath(new URL('../../../../docs/cli.md', import.meta.url));
const COLUMNS = 100;

interface Token {
  readonly text: string;
  readonly isOperator: boolean;
}

function tokensOf(line: string): Token[] {
  const tokens: Token[] = [];
  for (const match of line.matchAll(/(?<operator>[|>])|(?<word>(?:'[^']*'|"[^"]*"|[^\s'"|>])+)/g)) {
    const { operator, word } = match.groups!;
    tokens.push(
      operator !== undefined
        ? { text: operator, isOperator: true }
        : { text: word!.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'), isOperator: false },
    );
  }
  return tokens;
}

/** What is printed, errors among it, and `[n]` for an exit code that is not 0. */
async function runLine(line: string): Promise<string> {
  const tokens = tokensOf(line);
  const redirect = tokens.findIndex(({ text, isOperator }) => isOperator && text === '>');
  const file = redirect < 0 ? undefined : tokens[redirect + 1]!.text;
  const commands: string[][] = [[]];
  for (const { text, isOperator } of redirect < 0 ? tokens : tokens.slice(0, redirect)) {
    if (isOperator) commands.push([]);
    else commands.at(-1)!.push(text);
  }
  let input = '';
  let said = '';
  let code = 0;
  for (const [at, words] of commands.entries()) {
    const isLast = at === commands.length - 1;
    const answer = await runWords(words, input, isLast && file === undefined);
    input = answer.stdout;
    said += answer.stderr;
    code = answer.exitCode;
  }
  if (file !== undefined) {
    writeFileSync(file, input);
    input = '';
  }
  return `${input}${said}${code === 0 ? '' : `[${code}]\n`}`;
}

async function runWords(
  [name, ...words]: readonly string[],
  input: string,
  isTerminal: boolean,
): Promise<{ stdout: string; stderr: string; exitCode: number }> {
  const quietly = (stdout: string) => ({ stdout, stderr: '', exitCode: 0 });
  switch (name) {
    case 'stele':
      return stele(words, { input, ...(isTerminal ? { columns: COLUMNS } : {}) });
    case 'echo':
      return quietly(`${words.join(' ')}\n`);
    case 'cat':
      return quietly(words.length === 0 ? input : words.map((file) => readFileSync(file, 'utf8')).join(''));
    case 'head':
      return quietly(
        input
          .split('\n')
          .slice(0, Number(words[0]!.slice(1)))
          .map((line) => `${line}\n`)
          .join(''),
      );
    case 'ls':
      return quietly(`${readdirSync('.').sort().join('  ')}\n`);
    case 'mkdir':
      mkdirSync(words[0]!);
      return quietly('');
    case 'git':
      execFileSync('git', [...words], { stdio: 'ignore' });
      return quietly('');
  }
  throw new Error(`docs/cli.md uses ${name}`);
}

function held(text: string, isVarying: boolean): string {
  const times = text
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '<time>')
    .replace(/process \d+/g, 'process <number>')
    .replace(/\d+\.\d{3} s$/gm, '<time> s');
  // Columns are as wide as the numbers in them.
  return isVarying ? times.replace(/ *\d[\d,.]*/g, ' <number>') : times;
}

test('docs/cli.md runs and prints what it says', { timeout: 60_000 }, async (t) => {
  const before = process.cwd();
  process.chdir(scratch(t));
  t.after(() => process.chdir(before));
  const isUpdating = process.env['STELE_UPDATE_DOCS'] === '1';
  const page = readFileSync(PAGE, 'utf8');
  let updated = '';
  let at = 0;
  let count = 0;
  for (const match of page.matchAll(/(?<varies><!-- figures vary -->\n)?```console\n(?<body>[\s\S]*?)```\n/g)) {
    updated += page.slice(at, match.index);
    at = match.index + match[0].length;
    const isVarying = match.groups!['varies'] !== undefined;
    let body = '';
    for (const step of match.groups!['body']!.split(/^(?=\$ )/m)) {
      const [line, ...expected] = step.split('\n');
      const printed = (await runLine(line!.slice(2))).replace(/[ \t]+$/gm, '');
      count++;
      const isSame = held(printed, isVarying) === held(expected.join('\n'), isVarying);
      if (!isUpdating) assert.equal(held(printed, isVarying), held(expected.join('\n'), isVarying), line);
      body += isSame ? step : `${line}\n${printed}`;
    }
    updated += `${match.groups!['varies'] ?? ''}\`\`\`console\n${body}\`\`\`\n`;
  }
  updated += page.slice(at);
  assert.ok(count > 40, `${count} lines`);
  if (isUpdating && updated !== page) writeFileSync(PAGE, updated);
});

test('docs/cli.md has a section with an example for every command, and names every option', () => {
  const page = readFileSync(PAGE, 'utf8');
  for (const { name, options } of COMMANDS) {
    const section = new RegExp(`^### ${name}\n([\\s\\S]*?)(?=^##)`, 'm').exec(`${page}\n## end`)?.[1];
    assert.ok(section !== undefined, `no section ${name}`);
    assert.match(section, /^\$ .*stele /m, `${name}: no example`);
    for (const option of Object.keys(options)) assert.ok(section.includes(`--${option}`), `${name}: --${option} is missing`);
  }
});
