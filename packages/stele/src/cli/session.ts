/**
 * The database a command works on: found, opened as the command needs it, closed.
 *
 * Invariants
 * - Nothing is made where somebody only wants to look; a directory that holds other files is never turned into a database.
 * - A command that was refused because another process holds the database tries again until `--wait` is over.
 * - Whatever was opened is closed on every way out.
 *
 * Specification: docs/cli.md, "Which database".
 */

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SteleError } from '../base/errors.ts';
import type { Database, OpenOptions, Reading, Snapshot } from '../model/types.ts';
import { openSync } from '../node/open.ts';
import { UsageError } from './failure.ts';
import type { When } from './when.ts';

/** The newest state, or a past one. */
export type View = Reading & Pick<Snapshot, 'version' | 'history'>;

export interface Session {
  readonly directory: string;
  /** Undefined: the newest state. */
  when: When | undefined;
  database(): Promise<Database>;
  view(): Promise<View>;
  close(): Promise<void>;
}

export interface SessionOptions {
  readonly directory: string;
  readonly access: 'read' | 'write' | 'create';
  readonly when: When | undefined;
  readonly waitMs: number;
  readonly signal: AbortSignal;
  readonly open?: OpenOptions;
}

const RETRY_MS = 25;
/** Files of a database, and of one whose making was interrupted. */
const OWN_FILE = /^(?:pages\.db|commits\.idx|headers\.dat|log-\d{6,}\.seg|lock\..+|unfinished.*|\..*)$/;

export class DirectorySession implements Session {
  readonly directory: string;
  readonly #options: SessionOptions;
  when: When | undefined;
  #database: Database | undefined;
  #past: { readonly when: When; readonly snapshot: Snapshot } | undefined;

  constructor(options: SessionOptions) {
    this.directory = options.directory;
    this.when = options.when;
    this.#options = options;
  }

  async database(): Promise<Database> {
    this.#database ??= await this.#open();
    return this.#database;
  }

  async view(): Promise<View> {
    const database = await this.database();
    if (this.when === undefined || this.when === 'now') return database;
    if (this.#past?.when !== this.when) {
      this.#past?.snapshot.close();
      this.#past = { when: this.when, snapshot: database.asOf(this.when) };
    }
    return this.#past.snapshot;
  }

  async close(): Promise<void> {
    this.#past?.snapshot.close();
    this.#past = undefined;
    const database = this.#database;
    this.#database = undefined;
    await database?.close();
  }

  async #open(): Promise<Database> {
    const { directory, access, waitMs, open } = this.#options;
    if (access === 'create') refuseForeign(directory);
    else requireDatabase(directory);
    const options = { ...open, ...(access === 'read' ? { readOnly: true } : {}) };
    return patiently(() => openSync(directory, options), waitMs, this.#options.signal);
  }
}

/** Runs `attempt` again while it is refused with LOCKED and there is time. */
export async function patiently<T>(attempt: () => T | Promise<T>, waitMs: number, signal: AbortSignal): Promise<T> {
  const end = performance.now() + waitMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof SteleError) || error.code !== 'LOCKED' || performance.now() >= end || signal.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** @throws {UsageError} when there is no database: nothing may be made by looking */
export function requireDatabase(directory: string): void {
  const stat = statSync(directory, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new UsageError(`there is no directory ${directory}`, 'give one with --db DIR, or make a database with stele put');
  if (!stat.isDirectory()) throw new UsageError(`${directory} is a file, expected the directory of a database`, backupHint(directory));
  if (existsSync(join(directory, 'pages.db'))) return;
  const names = readdirSync(directory);
  if (names.some((name) => name.endsWith('.seg') || name.startsWith('unfinished'))) return; // the engine says what is missing
  throw new UsageError(`${directory} holds no database`, 'give one with --db DIR, or make a database with stele put');
}

function backupHint(file: string): string | undefined {
  return file.endsWith('.tar') ? `if it is a backup: stele restore ${file} --db DIR` : undefined;
}

/** @throws {UsageError} when the directory is somebody else's */
export function refuseForeign(directory: string): void {
  const stat = statSync(directory, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isDirectory()) throw new UsageError(`${directory} is a file, expected a directory`);
  const foreign = readdirSync(directory).find((name) => !OWN_FILE.test(name));
  if (foreign !== undefined && !existsSync(join(directory, 'pages.db')))
    throw new UsageError(`${directory} holds other files (${foreign}) and no database`, 'give a new or an empty directory with --db DIR');
}
