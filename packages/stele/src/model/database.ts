/**
 * Database: the root bucket, and the life of what is open.
 *
 * Specification: docs/api.md, "Life".
 */

import { SteleError } from '../base/errors.ts';
import { locked } from '../host/failures.ts';
import type { Host } from '../host/host.ts';
import type { Storage } from '../host/storage.ts';
import type { RepairReport } from '../txn/repair.ts';
import type { SharedHandle } from '../txn/threads/handle.ts';
import type { EngineStats, VerifyReport } from '../txn/types.ts';
import { PlacedBucket } from './bucket.ts';
import { repairDatabase } from './chores.ts';
import { demand, identified, type Who } from './identity.ts';
import { describe } from './path/layout.ts';
import type { Place } from './place.ts';
import { checkMembers, type Store } from './store.ts';
import type { Database, Identity, Work } from './types.ts';
import type { Value } from './value/types.ts';

/** How a target named by the caller becomes a storage, and a storage one file: the host's business. */
export interface Targets {
  storage(target: string | Storage): { readonly storage: Storage; close(): void };
  /** Copies everything in `from` into one file at `target`. */
  pack(from: Storage, target: string, work: Work): Promise<void>;
  /** A storage for passing things through, gone when it is closed. */
  scratch(near: string): { readonly storage: Storage; close(): void };
}

/** What a database needs to end and to begin again. */
export interface Life {
  readonly host: Host;
  readonly targets: Targets;
  /** Closed by the program, for good. */
  isEnded: boolean;
  /** While a repair is under way. */
  repairing?: Promise<unknown> | undefined;
  /** Opens the engine and the policies again, after a repair. */
  reopen(store: Store): Promise<void>;
  /** Gives back what opening took of the host. */
  release(): Promise<void>;
}

const WORK = ['signal', 'progress'];
export const WORK_OPTIONS: ReadonlySet<string> = new Set(WORK);
const BACKUP_OPTIONS: ReadonlySet<string> = new Set([...WORK, 'singleFile', 'history']);
const REPAIR_OPTIONS: ReadonlySet<string> = new Set(['backup', 'cutLogAt']);

export class StoredDatabase extends PlacedBucket<Value> implements Database {
  readonly #life: Life;

  constructor(store: Store, place: Place, who: Who, life: Life) {
    super(store, place, who);
    this.#life = life;
  }

  get readOnly(): boolean {
    return this.store.readOnly;
  }

  override as(identity: Identity): Database {
    return new StoredDatabase(this.store, this.place, identified(this.who, identity), this.#life);
  }

  sync(): Promise<{ durableVersion: number }> {
    return this.store.engine.sync();
  }

  flush(): Promise<void> {
    return this.store.engine.flush();
  }

  async compact(work: Work = {}): Promise<void> {
    demand(this.who, 'admin');
    checkMembers('options', work, WORK_OPTIONS);
    await this.store.engine.compact(work);
  }

  async backup(
    target: string | Storage,
    options: Work & { readonly singleFile?: boolean; readonly history?: boolean } = {},
  ): Promise<void> {
    demand(this.who, 'admin');
    checkMembers('options', options, BACKUP_OPTIONS);
    const { singleFile = false, ...rest } = options;
    const { targets } = this.#life;
    if (singleFile && typeof target !== 'string')
      throw new SteleError('invalid', 'OPTION_INVALID', 'backup to a single file: found a storage, expected the name of a file');
    const into = singleFile ? targets.scratch(target as string) : targets.storage(target);
    try {
      await this.store.engine.backup(into.storage, rest);
      if (singleFile) await targets.pack(into.storage, target as string, rest);
    } finally {
      into.close();
    }
  }

  async verify(work: Work = {}): Promise<VerifyReport> {
    checkMembers('options', work, WORK_OPTIONS);
    const report = await this.store.engine.verify(work);
    const { verifyDerived } = await import('./index/verify.ts');
    const damages = [...report.damages, ...(await verifyDerived(this.store, work))];
    return { ...report, ok: damages.length === 0, damages };
  }

  async repair(options: { readonly backup?: string | Storage; readonly cutLogAt?: 'damage' } = {}): Promise<RepairReport> {
    demand(this.who, 'admin');
    checkMembers('options', options, REPAIR_OPTIONS);
    if (options.cutLogAt !== undefined && options.cutLogAt !== 'damage')
      throw new SteleError('invalid', 'OPTION_INVALID', `cutLogAt is ${describe(options.cutLogAt)}, expected 'damage'`);
    if (this.#life.isEnded) throw new SteleError('closed', 'DATABASE_CLOSED', 'the database is closed');
    if (this.readOnly) throw new SteleError('denied', 'READ_ONLY', 'the database was opened read-only');
    const { host, targets } = this.#life;
    const life = this.#life;
    if (life.repairing !== undefined) throw locked('the database', 'a repair of this very handle');
    const backup = options.backup === undefined ? undefined : targets.storage(options.backup);
    const repairing = this.#repaired({
      host,
      ...(backup === undefined ? {} : { backup: backup.storage }),
      ...(options.cutLogAt === undefined ? {} : { cutLogAt: options.cutLogAt }),
    });
    life.repairing = repairing.catch(() => {});
    try {
      return await repairing;
    } finally {
      life.repairing = undefined;
      backup?.close();
    }
  }

  async #repaired(options: Parameters<typeof repairDatabase>[0]): Promise<RepairReport> {
    await this.store.engine.close();
    const report = await repairDatabase(options);
    if (this.#life.isEnded) return report; // closed meanwhile
    await this.#life.reopen(this.store);
    for (const listen of this.store.afterReopening) listen();
    return report;
  }

  stats(): EngineStats {
    return this.store.engine.stats();
  }

  share(): SharedHandle {
    demand(this.who, 'read');
    return this.store.engine.share();
  }

  async close(): Promise<void> {
    demand(this.who, 'admin');
    this.#life.isEnded = true;
    // Nothing in between otherwise: what comes after the call is refused.
    if (this.#life.repairing !== undefined) await this.#life.repairing;
    await this.store.engine.close();
    await this.#life.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
