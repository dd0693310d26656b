/**
 * What a shell remembers between two lines, and the database it has open.
 */

import type { Database, Session, View } from '../command.ts';
import type { Mode } from '../output.ts';
import type { DirectorySession } from '../session.ts';
import type { When } from '../when.ts';

/** A session that stays open when a statement closes it. */
export class ShellSession implements Session {
  readonly #session: DirectorySession;

  constructor(session: DirectorySession) {
    this.#session = session;
  }

  get directory(): string {
    return this.#session.directory;
  }

  get when(): When | undefined {
    return this.#session.when;
  }

  set when(when: When | undefined) {
    this.#session.when = when;
  }

  database(): Promise<Database> {
    return this.#session.database();
  }

  view(): Promise<View> {
    return this.#session.view();
  }

  /** The statement is over; the shell goes on. */
  async close(): Promise<void> {}

  end(): Promise<void> {
    return this.#session.close();
  }
}

export interface ShellState {
  readonly session: ShellSession;
  mode: Mode;
  hasTiming: boolean;
  hasExplain: boolean;
  /** As `.asof` was given; undefined: now. */
  asOf: string | undefined;
  watching: Disposable | undefined;
  isOver: boolean;
  statements: number;
  failures: number;
  spentMs: number;
}
