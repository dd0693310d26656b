/**
 * What the tests of the git importer share: real repositories in temporary directories, and all that a database holds as plain data.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Change, Database } from '../../src/model/types.ts';

export const hasGit: boolean = spawnSync('git', ['--version']).status === 0;

export function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'stele-import-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface Repository {
  readonly directory: string;
  git(...args: string[]): string;
  /** Writes files (null: away) and commits them; returns the hash. */
  commit(files: Readonly<Record<string, string | Uint8Array | null>>, said?: Said): string;
}

export interface Said {
  readonly subject?: string;
  readonly author?: string;
  /** Seconds since the epoch. */
  readonly at?: number;
}

export const START_SECONDS = 1_700_000_000;

export function makeRepository(directory: string): Repository {
  mkdirSync(directory, { recursive: true });
  let made = 0;
  const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}): string =>
    execFileSync(
      'git',
      ['-C', directory, '-c', 'protocol.file.allow=always', '-c', 'user.name=Tester', '-c', 'user.email=t@example.org', ...args],
      {
        encoding: 'utf8',
        env: { ...process.env, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    ).trim();
  run(['init', '-q', '-b', 'main']);
  return {
    directory,
    git: (...args) => run(args),
    commit(files, { subject = `commit ${made + 1}`, author = 'Ada Lovelace', at = START_SECONDS + 3600 * made } = {}) {
      made++;
      // First what goes: a file may make room for a directory of its name, and the other way round.
      for (const [path, content] of Object.entries(files)) if (content === null) rmSync(join(directory, path), { recursive: true });
      for (const [path, content] of Object.entries(files)) {
        if (content === null) continue;
        rmSync(join(directory, path), { recursive: true, force: true });
        mkdirSync(dirname(join(directory, path)), { recursive: true });
        writeFileSync(join(directory, path), content);
      }
      run(['add', '-A']);
      run([
        'commit',
        '-q',
        '--allow-empty',
        '--allow-empty-message',
        '--author',
        `${author} <${author.split(' ')[0]!.toLowerCase()}@example.org>`,
        '--date',
        `${at} +0000`,
        '-m',
        subject,
      ]);
      return run(['rev-parse', 'HEAD']);
    },
  };
}

/** A repository of many small commits, made in one go: commit k writes `files/<k mod 50>.txt` and a line of `log.txt`. */
export function makeLongRepository(directory: string, commits: number): void {
  mkdirSync(directory, { recursive: true });
  const script: string[] = [];
  const data = (text: string): string => `data ${Buffer.byteLength(text)}\n${text}\n`;
  for (let k = 1; k <= commits; k++) {
    const author = ['Ada Lovelace', 'Bob Bell', 'Eve Adams'][k % 3]!;
    const at = START_SECONDS + 600 * k;
    script.push(
      `commit refs/heads/main\nmark :${k}\nauthor ${author} <x@example.org> ${at} +0000\ncommitter ${author} <x@example.org> ${at} +0000\n`,
    );
    script.push(data(`Change number ${k}`), k > 1 ? `from :${k - 1}\n` : '');
    script.push(`M 100644 inline src/part-${k % 10}/file-${k % 50}.txt\n`, data(`${'text of one file, '.repeat(100)}${k}`));
    script.push('M 100644 inline log.txt\n', data(`last change: ${k}`));
    if (k % 7 === 0) script.push(`M 100644 inline new/${k}.bin\n`, data(`\0${k}`));
    if (k % 14 === 0) script.push(`D new/${k - 7}.bin\n`);
  }
  execFileSync('git', ['init', '-q', '-b', 'main', directory]);
  execFileSync('git', ['-C', directory, 'fast-import', '--quiet'], { input: script.join('') });
  execFileSync('git', ['-C', directory, 'reset', '-q', '--hard', 'main']);
}

/** Every commit as plain data, without the times of this machine. */
export async function everything(db: Database): Promise<readonly Omit<Change, 'time'>[]> {
  const found: Omit<Change, 'time'>[] = [];
  if (db.version === 0) return found;
  await db.sync();
  for await (const { time: _time, ...change } of db.changes({ from: 0 })) {
    found.push(change);
    if (change.version === db.version && change.more !== true) break;
  }
  return found;
}
