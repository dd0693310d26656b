/**
 * Driver: a workload on an engine, with a journal kept beside it.
 *
 * The steps follow from the seed alone. Some calls are awaited and some are not, so that groups of several commits are
 * written, flushes run beside writes, and a cut finds promises in every state.
 *
 * Invariants
 * - `strict`: nothing may fail. A commit is journalled before it is asked for, its receipt is compared with the reference's.
 * - else (full disks, failing syncs): a commit is journalled when the engine took it; refusals are counted; after the first
 *   COMMIT_UNKNOWN the driver says `failed` and goes on asking, since every further write must be refused.
 */

import assert from 'node:assert/strict';
import { SteleError } from '../../src/base/errors.ts';
import type { FaultyHost } from '../../src/host/faulty/host.ts';
import { openEngineSync } from '../../src/txn/engine.ts';
import type { Commit, CommitOptions, Durability, Engine, Operation, RetentionRules, Transaction, View } from '../../src/txn/types.ts';
import { compareState } from '../reference/recovery.ts';
import { Journal } from './journal.ts';
import { optionsOf, pause, type Setup, withTicks } from './machine.ts';
import type { Place, Places } from './places.ts';

const STRENGTH: Readonly<Record<Durability, number>> = { async: 0, debounced: 1, immediate: 2 };

/** What the driver was refused. */
export interface Refusals {
  full: number;
  unknown: number;
}

export class Driver {
  readonly setup: Setup;
  readonly machine: FaultyHost;
  readonly journal: Journal;
  readonly places: Places;
  readonly isStrict: boolean;
  readonly refusals: Refusals = { full: 0, unknown: 0 };
  engine: Engine;
  /** A write or sync failed: nothing may be written any more. */
  failed = false;
  /** What is under way: a cut now is one inside it. */
  readonly doing = new Set<Place>();
  #pending: Promise<unknown>[] = [];
  #views: View[] = [];

  constructor(setup: Setup, machine: FaultyHost, places: Places, isStrict: boolean) {
    this.setup = setup;
    this.machine = machine;
    this.places = places;
    this.isStrict = isStrict;
    this.journal = new Journal(setup.historyMs);
    this.engine = this.#open(false);
  }

  #open(again: boolean): Engine {
    const engine = openEngineSync({ ...optionsOf(this.setup, this.machine, again), host: withTicks(this.machine) });
    engine.onCommitted((_first, last) => this.journal.reported(last));
    return engine;
  }

  get timeMs(): number {
    return this.journal.reference.now(this.machine.clock.nowMs());
  }

  // ---- writing

  /** One commit through a promise. `wait`: hear of it before going on. */
  async commit(operations: readonly Operation[], options: CommitOptions, wait: boolean): Promise<void> {
    const promise = this.#issue(operations, options, () => this.engine.batch(operations, options));
    if (promise === undefined) return;
    if (wait) await promise;
    else this.#pending.push(promise);
  }

  /** The same, blocking. */
  commitSync(operations: readonly Operation[], options: CommitOptions): void {
    this.#issue(operations, options, () => this.engine.batchSync(operations, options));
  }

  /** A transaction that reads what `look` reads and writes `operations`. `disturb` makes it conflict. */
  async transact(look: (txn: Transaction) => void, operations: readonly Operation[], disturb?: () => void): Promise<void> {
    if (this.failed) return;
    const txn = this.engine.begin();
    look(txn);
    for (const operation of operations) {
      if (operation.type === 'put') txn.put(operation.key, operation.value);
      else if (operation.type === 'delete') txn.delete(operation.key);
    }
    if (disturb !== undefined) {
      disturb();
      if (!this.failed && this.engine.version > txn.version)
        await assert.rejects(txn.commit(), (error) => error instanceof SteleError && error.kind !== 'corrupt');
      else txn.abort();
      return;
    }
    await this.#issue(operations, {}, () => txn.commit());
  }

  #issue(operations: readonly Operation[], options: CommitOptions, call: () => Promise<Commit> | Commit): Promise<void> | undefined {
    const { journal, setup } = this;
    const level =
      options.durability !== undefined && STRENGTH[options.durability] > STRENGTH[setup.durability] ? options.durability : setup.durability;
    const record = () => journal.commit(operations, this.timeMs, level, options.assertedTimeMs);
    const expected = this.isStrict ? record() : undefined;
    const before = this.engine.version;
    let result: Promise<Commit> | Commit;
    try {
      result = call();
    } catch (error) {
      if (expected === undefined && !this.failed && codeOf(error) === 'COMMIT_UNKNOWN') record();
      this.#refused(error);
      return undefined;
    }
    if (expected === undefined && !this.failed && (this.engine.version > before || this.#hasFailed())) record();
    const heard = (receipt: Commit): void => {
      if (expected !== undefined)
        assert.deepEqual([receipt.version, receipt.timeMs, receipt.changed], [expected.version, expected.timeMs, expected.changed]);
      if (receipt.changed > 0) journal.acknowledged(receipt.version, receipt.durability);
      else journal.reported(receipt.version);
      journal.acknowledged(this.engine.durableVersion, 'device');
    };
    if (!(result instanceof Promise)) {
      heard(result);
      return undefined;
    }
    return result.then(heard, (error: unknown) => this.#refused(error));
  }

  #hasFailed(): boolean {
    return this.engine.stats()['state']?.['status'] === 'failed';
  }

  #refused(error: unknown): void {
    const code = codeOf(error);
    if (this.isStrict || !['DISK_FULL', 'IO_ERROR', 'COMMIT_UNKNOWN'].includes(code)) throw error;
    if (code !== 'COMMIT_UNKNOWN') this.refusals.full++;
    else {
      this.refusals.unknown++;
      this.failed = true;
    }
  }

  /** New retention rules. */
  setRules(rules: RetentionRules): void {
    if (this.failed) return;
    try {
      this.engine.setRetention(rules);
      this.journal.rules(rules, this.timeMs);
    } catch (error) {
      this.#refused(error);
    }
  }

  // ---- everything else

  /** What may fail on a bad disk, waited for or not. `place`: what a cut meanwhile is inside of. */
  async background(work: Promise<unknown>, wait: boolean, place?: Place): Promise<void> {
    if (place !== undefined) {
      this.doing.add(place);
      const ended = (): void => void this.doing.delete(place);
      work.then(ended, ended);
    }
    const told = work.catch((error: unknown) => {
      const code = codeOf(error);
      if (this.isStrict || !['DISK_FULL', 'COMMIT_UNKNOWN', 'IO_ERROR', 'PAGES_FAILED', 'LOG_FAILED'].includes(code)) throw error;
      if (this.#hasFailed()) this.failed = true;
    });
    if (wait) await told;
    else this.#pending.push(told);
  }

  async reopen(): Promise<void> {
    await this.settle();
    this.closeViews();
    this.places.addStats(this.engine.stats());
    await this.engine.close();
    this.journal.acknowledged(this.journal.reference.version, 'device');
    this.engine = this.#open(true);
    assert.equal(this.engine.version, this.journal.reference.version, 'version after close and reopen');
  }

  openView(): void {
    if (!this.failed && this.#views.length < 4) this.#views.push(this.engine.snapshot());
  }

  /** Reads the oldest view whole, compares it with the reference, and closes it. */
  readView(): void {
    const view = this.#views.shift();
    if (view === undefined) return;
    if (!this.failed) {
      compareState(this.journal.reference.view(view), view, `view of version ${view.version}`);
      if (view.version < this.journal.reference.version) this.places.reach('view read');
    }
    view.close();
  }

  closeViews(): void {
    for (const view of this.#views) view.close();
    this.#views = [];
  }

  pause(ms: number): Promise<void> {
    return pause(this.machine, ms);
  }

  /** Waits for everything that was not waited for. */
  async settle(): Promise<void> {
    while (this.#pending.length > 0) await this.#pending.shift();
  }
}

export function codeOf(error: unknown): string {
  return error instanceof SteleError ? error.code : '';
}
