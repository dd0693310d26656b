/**
 * Runs a program on a database beside the reference and stops at the first difference.
 *
 * The reference answers first, then the database is asked. The machine is simulated (host/faulty): its time is virtual, its randomness seeded, so a program does
 * the same each time. Before the clock steps back a snapshot is taken, so that the greatest time given out is the same on both sides.
 *
 * Specification: docs/api.md; spec/transactions.md; spec/policies.md.
 */

import type { FaultyHost } from '../../src/host/faulty/host.ts';
import type { AttachedDatabase, Bucket, Commit, Database, Reading } from '../../src/model/types.ts';
import { answer, type Read } from './answers.ts';
import { compareRead, compareSkipping, mayRefuse } from './ask.ts';
import { commitAs, commitOptions, type Resolved, resolve } from './calls.ts';
import type { Coverage } from './coverage.ts';
import { Divergence, expectOutcome, expectSame, type Found, foundLater, foundOf } from './divergence.ts';
import { Life } from './life.ts';
import { Past } from './past.ts';
import { segments } from './paths.ts';
import { declare, lookup, policyOf, rebuild } from './policies.ts';
import { type Asked, bulkRows, type Setup, type Step } from './program.ts';
import { type CommitAs, type Receipt, Reference } from './reference.ts';
import { expectedOf, type Outcome } from './refusal.ts';
import { Slots } from './slots.ts';
import { strongest, type Wrote, write } from './writes.ts';

/** Puts something between the program and the database: a bug, to see it found. */
export type Wrap = (db: Database) => Database;

export class SurfaceRun {
  readonly setup: Setup;
  readonly reference: Reference;
  readonly coverage: Coverage | undefined;
  readonly life: Life;
  readonly slots: Slots;
  readonly past: Past;
  /** Calls whose answers were compared. */
  operations = 0;

  constructor(setup: Setup, wrap: Wrap, coverage?: Coverage) {
    this.setup = setup;
    this.reference = new Reference(setup.historyMs ?? Infinity);
    this.coverage = coverage;
    this.life = new Life(this, wrap);
    this.slots = new Slots(this);
    this.past = new Past(this);
  }

  get db(): Database {
    return this.life.db;
  }

  get machine(): FaultyHost {
    return this.life.machine;
  }

  /** Hybrid time of the reference. */
  now(): number {
    return this.reference.now(this.machine.clock.nowMs());
  }

  reach(place: string): void {
    this.coverage?.reach(place);
  }

  readonly drive = <T>(work: Promise<T>): Promise<T> => this.machine.drive(work);

  at(place: string): Bucket {
    return place === '' ? this.db : this.db.subtree(place);
  }

  /** @throws {Divergence} */
  async step(step: Step): Promise<void> {
    this.coverage?.step(step.step);
    this.operations++;
    await this.#run(step);
    const { version, durableVersion } = this.db;
    expectSame('version', this.reference.version, version);
    if (durableVersion > version) throw new Divergence('applied ≥ durable', version, durableVersion);
    this.life.durable(durableVersion);
  }

  async #run(step: Step): Promise<void> {
    switch (step.step) {
      case 'read':
        return this.#read(step.of, step.at, step.read);
      case 'write':
        return this.#write(step);
      case 'together':
        return this.#together(step);
      case 'bulk':
        return this.#bulk(step);
      case 'audit':
        return this.#audit(step.of);
      case 'declare':
        return declare(this, step);
      case 'rebuild':
        return rebuild(this, step);
      case 'policy':
        return policyOf(this, step);
      case 'lookup':
        return lookup(this, step);
      case 'time':
        return this.#time(step);
      case 'history':
      case 'diff':
      case 'changes':
      case 'watch':
      case 'unwatch':
        return this.past.step(step);
      case 'care':
      case 'reopen':
      case 'crash':
      case 'backup':
        return this.life.step(step);
      default:
        return this.slots.step(step);
    }
  }

  async #time({ how, ms }: Extract<Step, { step: 'time' }>): Promise<void> {
    if (how === 'pass') return this.machine.advance(ms);
    if (ms < 0) {
      using view = this.db.snapshot();
      expectSame('time of a snapshot', this.now(), view.time.getTime());
    }
    this.machine.time.step(ms);
  }

  // ---- reading

  /** The reader that is asked, at the place; the database when the slot is empty. */
  asked(of: Asked, at: string): { handle: Reading; ask: (read: Read) => unknown; view: Parameters<typeof compareRead>[5] } {
    const { reference, slots } = this;
    const path = segments(at);
    const moment = { version: reference.version, timeMs: this.now() };
    const now = reference.view(moment);
    const from = (handle: Reading & { subtree?(path: string): Reading }): Reading => (at === '' ? handle : handle.subtree!(at));
    if (typeof of === 'object' && 'view' in of) {
      const open = slots.views.get(of.view);
      if (open !== undefined && !open.skips)
        return { handle: from(open.view), ask: (read) => answer(open.ref, path, read), view: { kept: reference.kept, of: open.ref } };
    }
    if (typeof of === 'object' && 'txn' in of) {
      const open = slots.transactions.get(of.txn);
      if (open !== undefined)
        return { handle: from(open.tx as unknown as Reading), ask: (read) => open.ref.read(path, read), view: undefined };
    }
    const handle: Reading =
      of === 'thread' && at === '' && this.life.thread !== undefined ? (this.life.thread as AttachedDatabase) : this.at(at);
    return { handle, ask: (read) => answer(now, path, read), view: undefined };
  }

  async #read(of: Asked, at: string, read: Read): Promise<void> {
    const { handle, ask, view } = this.asked(of, at);
    const what = `${read.ask} of ${JSON.stringify(of)} at ${JSON.stringify(at)}`;
    this.coverage?.reach(`ask ${read.ask}`);
    const how = await compareRead(what, handle, segments(at), read, ask, view, this.drive);
    if (typeof of === 'object' && 'txn' in of && this.slots.transactions.has(of.txn)) this.reach('a read in a transaction');
    if (how === 'refused') this.reach('HISTORY_EXPIRED given');
    else if (view !== undefined && mayRefuse(view, segments(at), read)) this.reach('the past answered beyond what is promised');
  }

  async #audit(of: Asked): Promise<void> {
    if (typeof of === 'object' && 'view' in of && this.slots.views.get(of.view)?.skips === true) {
      const { view, ref } = this.slots.views.get(of.view)!;
      this.reach('skipExpired');
      return compareSkipping('audit of a view that skips', view, [], ref, (path) => ref.mayRefuse([{ path }]));
    }
    const reads: Read[] = [
      { ask: 'scan' },
      { ask: 'count' },
      { ask: 'scan', reverse: true, values: false },
      { ask: 'getTree', path: '' },
      { ask: 'children', path: '' },
      { ask: 'count', prefix: 'users' },
      { ask: 'scan', prefix: 'cache' },
      { ask: 'kind', path: 'deep/a' },
    ];
    for (const read of reads) {
      this.operations++;
      await this.#read(of, '', read);
    }
  }

  // ---- writing

  /** The version of a live leaf now. */
  readonly versionOf = (path: Parameters<Reference['effectAt']>[0]): number => {
    const view = this.reference.view({ version: this.reference.version, timeMs: this.now() });
    return view.leaf(path)?.version ?? 0;
  };

  /** The reference writes. */
  expectedWrite(resolved: Resolved, as: CommitAs): Outcome<Wrote> {
    return expectedOf(() => write(this.reference, resolved.ref, as, this.now(), resolved.isIncrement));
  }

  async #write(step: Extract<Step, { step: 'write' }>): Promise<void> {
    const { how, at, options, as } = step;
    const resolved = resolve(step.write, segments(at), this.now(), this.versionOf);
    const isRepeat = options?.once !== undefined && this.reference.first(options.once) !== undefined;
    if (isRepeat) this.reach('a key repeated');
    const expected = this.expectedWrite(resolved, commitAs(options, as));
    if (expected.code !== undefined) this.reach(`refused ${expected.code}`);
    const handle = as === undefined ? this.at(at) : this.at(at).as({ actor: as });
    const what = `${how} ${step.write.do}${isRepeat ? ' repeated' : ''}`;
    this.coverage?.reach(`write ${step.write.do}`);
    const call = () => resolved.call(handle, how, commitOptions(options));
    const found = how === 'sync' ? foundOf(what, call) : await foundLater(what, () => this.drive(call() as Promise<Commit>));
    this.compareWrote(what, expected, found as Found<Commit | number | bigint>, options?.durability);
  }

  /** @throws {Divergence} */
  compareWrote(what: string, expected: Outcome<Wrote>, found: Found<Commit | number | bigint | undefined>, asked?: Receipt['level']): void {
    const both = expectOutcome(what, expected, found);
    if (both === undefined) return;
    if (typeof both.found !== 'object') return expectSame(`${what}: the sum`, both.expected.sum, both.found);
    this.compareReceipt(what, both.expected.receipt, both.found, asked);
  }

  /** @throws {Divergence} */
  compareReceipt(what: string, expected: Receipt, found: Commit, asked?: Receipt['level']): void {
    const { version, time, changed, checksum, durability } = found;
    const told = expected.isExact ? [version, time.getTime(), changed] : [version, time.getTime()];
    expectSame(
      `${what}: [version, time, changed]`,
      expected.isExact ? [expected.version, expected.timeMs, expected.changed] : [expected.version, expected.timeMs],
      told,
    );
    if (expected.changed === 0) return;
    if (what.endsWith('deleteTree') && changed > 512) this.reach('a large tree deleted');
    if (changed < expected.changed) throw new Divergence(`${what}: changed`, `at least ${expected.changed}`, changed);
    if (checksum === 0) throw new Divergence(`${what}: checksum`, 'one', checksum);
    const isDeviceAsked = strongest(this.life.durability, asked, expected.level) === 'immediate';
    if (isDeviceAsked && durability !== 'device') throw new Divergence(`${what}: durability`, 'device', durability);
    this.life.acknowledged(version, durability);
  }

  async #together(step: Extract<Step, { step: 'together' }>): Promise<void> {
    const issued: Promise<() => void>[] = [];
    for (const [index, one] of step.writes.entries()) {
      this.operations++;
      const resolved = resolve(one, segments(step.at), this.now(), this.versionOf);
      const expected = this.expectedWrite(resolved, commitAs(step.options));
      const what = `together, ${one.do} ${index}`;
      const call = async () => resolved.call(this.at(step.at), 'async', commitOptions(step.options)) as Promise<Commit>;
      const found = foundLater(what, call);
      issued.push(found.then((outcome) => () => this.compareWrote(what, expected, outcome, step.options?.durability)));
    }
    for (const compare of await this.drive(Promise.all(issued))) compare();
  }

  async #bulk(step: Extract<Step, { step: 'bulk' }>): Promise<void> {
    const rows = bulkRows(step);
    const put = rows.map(([number, value]) => ({ type: 'put', path: [...segments('n'), number], value, life: {} }) as const);
    const expected = expectedOf(() => write(this.reference, put, {}, this.now()));
    const operations = rows.map(([number, value]) => ({ type: 'put', path: ['n', number], value: value as object }) as const);
    const found =
      step.how === 'sync'
        ? foundOf('bulk', () => this.db.batchSync(operations))
        : await foundLater('bulk', () => this.drive(this.db.batch(operations)));
    this.compareWrote('bulk', expected, found);
  }

  /** Everything that can be asked of the newest state. */
  async audit(): Promise<void> {
    await this.#audit('now');
    await this.past.checkWatchers();
    const report = await this.drive(this.db.verify());
    if (!report.ok) throw new Divergence('verify', 'no damage', report.damages);
  }
}
