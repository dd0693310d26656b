/**
 * What a program holds open over its steps: views, transactions and iterators, each kind in numbered slots; and transactions that run again.
 */

import type { Commit, SnapshotSubtree, Transaction } from '../../src/model/types.ts';
import type { Read } from './answers.ts';
import { askDatabase, childrenOf, isAsync, judge, mayRefuse, without } from './ask.ts';
import { commitAs, commitOptions, resolve } from './calls.ts';
import { Divergence, expectOutcome, expectSame, type Found, foundLater, foundOf } from './divergence.ts';
import { segments } from './paths.ts';
import type { OptionTexts, Step, WriteText } from './program.ts';
import type { RefView } from './reference.ts';
import { expectedOf } from './refusal.ts';
import type { SurfaceRun } from './run.ts';
import type { Moment } from './sight.ts';
import { RefTransaction, type Verdict } from './transaction.ts';

interface OpenView {
  readonly view: SnapshotSubtree;
  readonly ref: RefView;
  readonly skips: boolean;
}

interface OpenTransaction {
  readonly tx: Transaction;
  readonly ref: RefTransaction;
  readonly options: OptionTexts | undefined;
}

interface Walk {
  readonly iterator: Iterator<unknown>;
  readonly expected: readonly unknown[];
  readonly mayRefuse: boolean;
  readonly view: number | undefined;
  at: number;
}

export class Slots {
  readonly views = new Map<number, OpenView>();
  readonly transactions = new Map<number, OpenTransaction>();
  readonly #walks = new Map<number, Walk>();
  readonly #run: SurfaceRun;

  constructor(run: SurfaceRun) {
    this.#run = run;
  }

  async step(step: Step): Promise<void> {
    switch (step.step) {
      case 'open':
        return this.#open(step);
      case 'close':
        return this.#close(step.slot);
      case 'begin':
        return this.#begin(step);
      case 'own': {
        const open = this.transactions.get(step.slot);
        if (open !== undefined) this.#own(open, step.at, step.write);
        return;
      }
      case 'commit':
        return this.#commit(step);
      case 'abort':
        this.transactions.get(step.slot)?.tx.abort();
        this.transactions.delete(step.slot);
        return;
      case 'transact':
        return this.#transact(step);
      case 'walk':
        return this.#walk(step);
      case 'stride':
        return this.#stride(step);
    }
  }

  /** Lets go of everything; nothing is compared. `isGone`: the process is. */
  clear(isGone = false): void {
    if (!isGone) {
      for (const { tx } of this.transactions.values()) tx.abort();
      for (const { view } of this.views.values()) view.close();
    }
    this.transactions.clear();
    this.views.clear();
    this.#walks.clear();
  }

  // ---- views

  async #open(step: Extract<Step, { step: 'open' }>): Promise<void> {
    this.#close(step.slot);
    const { reference, db } = this.#run;
    const now: Moment = { version: reference.version, timeMs: this.#run.now() };
    const at = (version: number): Moment => ({ version, timeMs: reference.timeOf(version) });
    const options = step.skipExpired === true ? { skipExpired: true } : undefined;
    let moment = now;
    let open = (): SnapshotSubtree => db.snapshot() as SnapshotSubtree;
    if (step.as === 'version') {
      moment = at(Math.max(0, now.version - Math.abs(step.back)));
      open = () => db.asOf(moment.version, options) as SnapshotSubtree;
    } else if (step.as === 'time') {
      const timeMs = now.timeMs - step.back;
      moment = { version: reference.versionAtTime(timeMs), timeMs };
      open = () => db.asOf(new Date(timeMs), options) as SnapshotSubtree;
    } else if (step.as === 'asserted') {
      const timeMs = Math.abs(step.back);
      moment = at(reference.versionAtAsserted(timeMs));
      open = () => db.asOf({ asserted: timeMs }, options) as SnapshotSubtree;
    }
    const found = foundOf(`open ${step.as}`, open);
    if (moment.timeMs > now.timeMs) {
      if (found.error?.code !== 'TIME_INVALID')
        throw new Divergence('open a time in the future', 'TIME_INVALID', found.error ?? found.value);
      return;
    }
    if (found.error !== undefined) throw new Divergence(`open ${step.as} at ${moment.version}`, 'a view', found.error);
    const { version, time } = found.value;
    expectSame(`open ${step.as}: [version, time]`, [moment.version, moment.timeMs], [version, time.getTime()]);
    this.#run.reach(`view ${step.as}`);
    this.views.set(step.slot, {
      view: found.value,
      ref: reference.view(moment),
      skips: step.skipExpired === true && step.as !== 'snapshot',
    });
  }

  #close(slot: number): void {
    const open = this.views.get(slot);
    if (open === undefined) return;
    for (const [number, walk] of this.#walks) if (walk.view === slot) this.#walks.delete(number);
    open.view.close();
    this.views.delete(slot);
    const found = foundOf('read of a closed view', () => open.view.get('x'));
    if (found.error?.kind !== 'closed')
      throw new Divergence('read of a closed view', 'an error of kind closed', found.error ?? found.value);
  }

  // ---- transactions

  #begin({ slot, options }: Extract<Step, { step: 'begin' }>): void {
    this.transactions.get(slot)?.tx.abort();
    this.transactions.delete(slot);
    const { reference, db } = this.#run;
    const found = foundOf('begin', () => db.beginSync(commitOptions(options)));
    if (reference.first(options?.once) !== undefined) {
      if (found.error?.code !== 'ONCE_REPEATED') throw new Divergence('begin', 'ONCE_REPEATED', found.error ?? 'a transaction');
      return;
    }
    if (found.error !== undefined) throw new Divergence('begin', 'a transaction', found.error);
    this.transactions.set(slot, { tx: found.value, ref: this.#refTransaction(found.value, options), options });
  }

  #refTransaction(tx: Transaction, options: OptionTexts | undefined): RefTransaction {
    const { reference } = this.#run;
    const moment: Moment = { version: reference.version, timeMs: this.#run.now() };
    expectSame('begin: [version, time]', [moment.version, moment.timeMs], [tx.version, tx.time.getTime()]);
    return new RefTransaction(reference, moment, commitAs(options));
  }

  #own({ tx, ref }: Pick<OpenTransaction, 'tx' | 'ref'>, at: string, write: WriteText): void {
    if (write.do === 'batch' || write.do === 'check') return;
    this.#run.operations++;
    const resolved = resolve(write, segments(at), ref.at.timeMs, (path) => ref.sight.leaf(path)?.version ?? 0);
    const what = `own ${write.do}`;
    const expected = expectedOf(() => ref.write(resolved.ref[0]!));
    const found = foundOf(what, () => resolved.own(at === '' ? tx : tx.subtree(at)));
    const both = expectOutcome(what, expected, found);
    if (both !== undefined) expectSame(`${what}: the sum`, both.expected, both.found);
    this.#run.reach(`own ${write.do}`);
  }

  async #commit({ slot, how }: Extract<Step, { step: 'commit' }>): Promise<void> {
    const open = this.transactions.get(slot);
    if (open === undefined) return;
    this.transactions.delete(slot);
    const { tx, ref, options } = open;
    const verdict = ref.verdict(this.#run.now());
    const found =
      how === 'sync' ? foundOf('commit', () => tx.commitSync()) : await foundLater('commit', () => this.#run.drive(tx.commit()));
    this.#judge('commit', verdict, found);
    if (found.error !== undefined) return;
    this.#run.compareReceipt('commit', ref.commit(this.#run.now()), found.value, options?.durability);
    const committed = await foundLater('committed', () => this.#run.drive(tx.committed));
    expectSame('committed', found.value.version, 'value' in committed ? committed.value.version : committed.error);
  }

  #judge(what: string, { codes, maySucceed }: Verdict, found: Found<unknown>): void {
    const isExpected = found.error === undefined ? maySucceed : codes.includes(found.error.code);
    if (!isExpected) throw new Divergence(what, [...(maySucceed ? ['success'] : []), ...codes], found.error ?? found.value);
    if (found.error !== undefined) this.#run.reach(`commit refused ${found.error.code}`);
    else if (codes.length > 0) this.#run.reach('a commit that might have conflicted');
  }

  /** The work runs inside the database's own loop; a rival commits in the middle of the first run. */
  async #transact(step: Extract<Step, { step: 'transact' }>): Promise<void> {
    const { db, reference } = this.#run;
    const before = reference.first(step.options?.once);
    let runs = 0;
    let ref: RefTransaction | undefined;
    let verdict: Verdict | undefined;
    const begin = (tx: Transaction): RefTransaction => {
      if (before !== undefined) throw new Divergence('transact repeated', 'no run', 'a run');
      if (verdict !== undefined)
        this.#judge('transact ran again', verdict, { error: Object.assign(new Error(), { code: 'CONFLICT' }) as never });
      runs++;
      ref = this.#refTransaction(tx, step.options);
      for (const read of step.reads) this.#ownRead(tx, ref, read);
      if (runs === 1) for (const write of step.rival) this.#rival(write);
      return ref;
    };
    const end = (tx: Transaction, own: RefTransaction): number => {
      for (const write of step.writes) this.#own({ tx, ref: own }, '', write);
      verdict = own.verdict(this.#run.now());
      return runs;
    };
    const options = commitOptions(step.options);
    const found =
      step.how === 'sync'
        ? foundOf('transact', () => db.transactSync((tx) => end(tx, begin(tx)), options))
        : await foundLater('transact', () =>
            this.#run.drive(
              db.transact(async (tx) => {
                const own = begin(tx);
                await Promise.resolve();
                return end(tx, own);
              }, options),
            ),
          );
    if (before !== undefined) {
      this.#run.reach('transact repeated');
      if (found.error !== undefined) throw new Divergence('transact repeated', before.commit.result, found.error);
      return expectSame('transact repeated', before.commit.result, found.value);
    }
    if (verdict === undefined || ref === undefined) throw new Divergence('transact', 'a run', found.error ?? found.value);
    this.#judge('transact', verdict as Verdict, found);
    if (found.error !== undefined) return;
    expectSame('transact: what the work returned', runs, found.value);
    if (runs > 1) this.#run.reach('transact ran again');
    const receipt = (ref as RefTransaction).commit(this.#run.now(), runs);
    if (receipt.changed > 0) this.#run.life.acknowledged(receipt.version, 'kernel');
  }

  #ownRead(tx: Transaction, ref: RefTransaction, read: Read): void {
    if (isAsync(read)) return;
    this.#run.operations++;
    const expected = expectedOf(() => ref.read([], read));
    judge(
      `${read.ask} in transact`,
      expected,
      foundOf(read.ask, () => askDatabase(tx, read)),
      () => false,
    );
  }

  #rival(one: WriteText): void {
    const { reference, db } = this.#run;
    this.#run.operations++;
    const resolved = resolve(one, [], this.#run.now(), this.#run.versionOf);
    const expected = this.#run.expectedWrite(resolved, {});
    const found = foundOf('rival', () => resolved.call(db, 'sync', {}) as Commit | number | bigint);
    this.#run.compareWrote('rival', expected, found);
    expectSame('version behind a rival', reference.version, db.version);
  }

  // ---- walks

  #walk(step: Extract<Step, { step: 'walk' }>): void {
    // What a transaction's walk joins depends on how far it goes: test/model holds the kernel to that.
    const of = typeof step.of === 'object' && 'txn' in step.of ? 'now' : step.of;
    const { handle, ask, view } = this.#run.asked(of, step.at);
    this.#walks.delete(step.slot);
    const expected = expectedOf(() => ask(step.read) as unknown[]);
    const { read } = step;
    const found = foundOf('walk', (): Iterator<unknown> => {
      const rows = read.ask === 'scan' ? handle.scan(without(read, 'ask') as object) : childrenOf(handle, read);
      return rows[Symbol.iterator]();
    });
    const mayBeRefused = view !== undefined && mayRefuse(view, segments(step.at), read);
    if (found.error?.code === 'HISTORY_EXPIRED' && mayBeRefused) return;
    const both = expectOutcome('walk', expected, found);
    if (both === undefined) return;
    const slot = typeof of === 'object' && 'view' in of ? of.view : undefined;
    this.#walks.set(step.slot, { iterator: both.found, expected: both.expected, mayRefuse: mayBeRefused, view: slot, at: 0 });
  }

  #stride({ slot, rows }: Extract<Step, { step: 'stride' }>): void {
    const walk = this.#walks.get(slot);
    if (walk === undefined) return;
    for (let left = rows; left > 0; left--) {
      this.#run.operations++;
      const what = `stride, row ${walk.at} of ${walk.expected.length}`;
      const found = foundOf(what, () => walk.iterator.next());
      if (found.error !== undefined) {
        // Only before the first row, and only where it is allowed.
        if (found.error.code !== 'HISTORY_EXPIRED' || !walk.mayRefuse || walk.at > 0)
          throw new Divergence(what, walk.expected[walk.at], found.error);
        return void this.#walks.delete(slot);
      }
      const isEnd = walk.at === walk.expected.length;
      expectSame(what, isEnd ? 'the end' : walk.expected[walk.at], found.value.done === true ? 'the end' : found.value.value);
      if (isEnd) {
        this.#run.reach('a walk to its end');
        return void this.#walks.delete(slot);
      }
      walk.at++;
    }
    if (walk.at > 0) this.#run.reach('a walk over other steps');
  }
}
