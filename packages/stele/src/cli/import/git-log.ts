/**
 * The history of a checkout as a stream: its main line, oldest commit first, each with what it changed.
 *
 * The main line is the first parents from the tip. A merge is one commit whose changes are those against its first parent, so that what
 * the files are after commit n is exactly the tree git has there; the commits it brought in are named with it (`merged`).
 *
 * Two programs run side by side: one gives the main line with its changes, the other all commits without. The second is read as far as
 * the first has come; a commit of a side line waits until the merge that brings it in.
 *
 *   change = `:` mode before, mode after, hash before, hash after, status  NUL  path  NUL
 *   commit = 0x1e, fields each ended by NUL, then its changes
 *
 * Renames are a deletion and an addition. Specification: git-log(1), git-diff-tree(1), "Raw output format", `-z`.
 */

import type { Readable } from 'node:stream';
import { SteleError } from '../../base/errors.ts';
import { type GitStream, streamGit } from './git-program.ts';

export interface GitChange {
  readonly status: 'A' | 'M' | 'D' | 'T';
  /** Bytes: git does not say which encoding a name has. */
  readonly path: Uint8Array;
  /** Octal, as git writes it; 000000 for none. */
  readonly modeBefore: string;
  readonly mode: string;
  readonly hashBefore: string;
  readonly hash: string;
}

export interface GitHeader {
  readonly hash: string;
  readonly parents: readonly string[];
  readonly author: string;
  readonly email: string;
  /** Author date, milliseconds since the epoch. */
  readonly dateMs: number;
  readonly subject: string;
}

export interface GitCommit extends GitHeader {
  readonly changes: readonly GitChange[];
  /** Commits of side lines that this merge brought in, oldest first. */
  readonly merged: readonly GitHeader[];
}

const MARK = 0x1e;
const FIELDS = 6;
const FORMAT = `--format=${['%x1e%H', '%P', '%an', '%ae', '%at', '%s'].map((field) => `${field}%x00`).join('')}`;

/** Commits behind `after` (from the beginning without) up to `tip`. */
export async function* gitLog(directory: string, tip: string, after: string | undefined): AsyncGenerator<GitCommit, void> {
  const range = after === undefined ? [tip] : [tip, `^${after}`];
  await using line = streamGit(directory, [
    'log',
    '--first-parent',
    '--topo-order',
    '--reverse',
    '-m',
    '--raw',
    '-z',
    '--no-abbrev',
    '--no-renames',
    '--ignore-submodules=none',
    '--no-color',
    '--no-mailmap',
    FORMAT,
    ...range,
    '--',
  ]);
  await using all = streamGit(directory, ['log', '--topo-order', '--reverse', '-z', '--no-color', '--no-mailmap', FORMAT, ...range, '--']);
  const headers = commitsOf(all);
  /** Commits of side lines that no merge has brought in yet. */
  const waiting = new Map<string, GitHeader>();
  for await (const { header, changes } of commitsOf(line)) {
    for (;;) {
      const step = await headers.next();
      if (step.done === true) throw new SteleError('invalid', 'SOURCE_INVALID', `git log left out commit ${header.hash}`);
      if (step.value.header.hash === header.hash) break;
      waiting.set(step.value.header.hash, step.value.header);
    }
    yield { ...header, changes, merged: broughtIn(header, waiting) };
  }
}

/** Takes what is reachable from the further parents out of `waiting`, in the order git gave it. */
function broughtIn({ parents }: GitHeader, waiting: Map<string, GitHeader>): GitHeader[] {
  if (parents.length < 2) return [];
  const found = new Set<string>();
  const open = parents.slice(1);
  for (let hash = open.pop(); hash !== undefined; hash = open.pop()) {
    const header = waiting.get(hash);
    if (header === undefined || found.has(hash)) continue;
    found.add(hash);
    open.push(...header.parents);
  }
  const merged = [...waiting.values()].filter(({ hash }) => found.has(hash));
  for (const hash of found) waiting.delete(hash);
  return merged;
}

async function* commitsOf(stream: GitStream): AsyncGenerator<{ header: GitHeader; changes: GitChange[] }, void> {
  const decoder = new TextDecoder();
  let header: GitHeader | undefined;
  let fields: string[] = [];
  let changes: GitChange[] = [];
  let raw: string[] | undefined;
  let isInHeader = false;
  for await (const whole of tokensOf(stream.stdout)) {
    if (raw !== undefined) {
      const [modeBefore, mode, hashBefore, hash, status] = raw as [string, string, string, string, GitChange['status']];
      changes.push({ modeBefore, mode, hashBefore, hash, status, path: whole });
      raw = undefined;
      continue;
    }
    // Between the header and the first change, and between commits, git puts newlines or an empty token.
    let start = 0;
    while (!isInHeader && (whole[start] === 0x0a || whole[start] === 0x0d)) start++;
    const token = whole.subarray(start);
    if (isInHeader) {
      fields.push(decoder.decode(token));
      if (fields.length < FIELDS) continue;
      header = headerOf(fields);
      isInHeader = false;
    } else if (token[0] === MARK) {
      if (header !== undefined) yield { header, changes };
      header = undefined;
      changes = [];
      fields = [decoder.decode(token.subarray(1))];
      isInHeader = true;
    } else if (token[0] === 0x3a) {
      raw = decoder.decode(token.subarray(1)).split(' ');
      if (raw.length !== 5)
        throw new SteleError('invalid', 'SOURCE_INVALID', `git log gave a change that is not understood: ${raw.join(' ')}`);
    } else if (token.length > 0) {
      throw new SteleError('invalid', 'SOURCE_INVALID', `git log gave what is not understood: ${decoder.decode(token).slice(0, 80)}`);
    }
  }
  await stream.ended();
  if (header !== undefined) yield { header, changes };
}

function headerOf([hash, parents, author, email, seconds, subject]: readonly string[]): GitHeader {
  return {
    hash: hash!,
    parents: parents === '' ? [] : parents!.split(' '),
    author: author!,
    email: email!,
    dateMs: Number(seconds) * 1000,
    subject: subject!,
  };
}

/** Pieces ended by NUL; views of what was read, which nothing writes over. */
async function* tokensOf(stream: Readable): AsyncGenerator<Uint8Array, void> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    let start = 0;
    for (let end = chunk.indexOf(0); end >= 0; end = chunk.indexOf(0, start)) {
      const piece = chunk.subarray(start, end);
      yield rest.length === 0 ? piece : joined(rest, piece);
      rest = new Uint8Array(0);
      start = end + 1;
    }
    if (start < chunk.length) rest = joined(rest, chunk.subarray(start));
  }
  if (rest.length > 0) yield rest;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const whole = new Uint8Array(a.length + b.length);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}
