/**
 * Explicit snapshots: a read view of the database under a handle of abstract-level.
 *
 * One view serves every level on the same database, whatever its subtree. It holds history until it is closed, or idle for longer than
 * `viewIdleMs`.
 *
 * Specification: docs/abstract-level.md, "Snapshots".
 */

import { AbstractSnapshot } from 'abstract-level';
import { SteleError } from '../base/errors.ts';
import { describe } from '../model/path/layout.ts';
import type { Store } from '../model/store.ts';
import type { View } from '../txn/types.ts';
import { LevelError } from './errors.ts';

/** Whose resource it is. */
interface Owned {
  readonly owner: object;
}

/** What views are taken of. */
interface Viewed {
  readonly store: Store;
  open(): View;
}

/** Its types leave the constructor out. */
const Base = AbstractSnapshot as unknown as new (options: Owned) => AbstractSnapshot;

export class LevelSnapshot extends Base {
  readonly #store: Store;
  readonly #view: View;

  constructor(base: Viewed, options: Owned) {
    const view = base.open();
    super(options);
    this.#store = base.store;
    this.#view = view;
  }

  /** @throws {LevelError} LEVEL_INVALID_REQUEST for what is no snapshot of that database */
  static viewOf(given: unknown, store: Store): View {
    if (given instanceof LevelSnapshot && given.#store === store) return given.#view;
    const found = given instanceof LevelSnapshot ? 'of another database' : describe(given);
    throw new LevelError(
      'LEVEL_INVALID_REQUEST',
      new SteleError('invalid', 'OPTION_INVALID', `option snapshot is ${found}, expected a snapshot of the same database`),
    );
  }

  async _close(): Promise<void> {
    this.#view.close();
  }
}
