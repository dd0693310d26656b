/**
 * What a command is, and what its handler is given.
 *
 * A file of interfaces only. The table is commands.ts; help.ts, arguments.ts and docs/cli.md are made from it or held against it.
 */

import type { Database } from '../model/types.ts';
import type { Output } from './output.ts';
import type { Session, View } from './session.ts';

/** The streams and the surroundings; tests give their own. */
export interface Io {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C, a termination, or a reader that went away. */
  readonly signal: AbortSignal;
}

export interface Writable {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string | Uint8Array, done?: (error?: Error | null) => void): boolean;
  once(event: 'drain', listener: () => void): unknown;
}

export interface OptionSpec {
  /** What the value is called in the help, in capitals there; missing: a switch. */
  readonly value?: string;
  readonly short?: string;
  readonly text: string;
}

export interface ArgumentSpec {
  /** In capitals in the help. */
  readonly name: string;
  readonly text: string;
  readonly isOptional?: boolean;
  /** Takes all that are left. */
  readonly isRest?: boolean;
}

export interface Example {
  readonly line: string;
  readonly text: string;
}

/** What a command does to the database: it decides how it is opened. */
export type Access =
  /** Reads; a database must be there. Others may read at the same time. */
  | 'read'
  /** Writes; a database must be there. */
  | 'write'
  /** Writes; makes the database when there is none. */
  | 'create'
  /** Opens what it needs itself. */
  | 'own';

export interface Command {
  readonly name: string;
  readonly group: string;
  readonly summary: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly details?: string;
  readonly examples: readonly Example[];
  readonly access: Access;
  /** May be asked of the past with `as-of`. */
  readonly isOfView?: true;
  /** The rest of the line is a command of its own. */
  readonly isPrefix?: true;
  load(): Promise<Handler>;
}

export type Options = Readonly<Record<string, string | true | undefined>>;

export interface Call {
  readonly command: Command;
  readonly arguments: readonly string[];
  readonly options: Options;
  readonly io: Io;
  readonly out: Output;
  readonly session: Session;
}

/** Gives the exit code. */
export type Handler = (call: Call) => Promise<number>;

export type { Database, Session, View };
