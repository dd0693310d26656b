/**
 * Runs a program on an engine beside the reference and stops at the first difference.
 *
 * The reference answers first, then the engine is asked. Time stands still unless a step moves the clock. Before
 * the clock steps back both sides take a snapshot, so that the greatest time given out is the same on both: an engine
 * may read the clock only when an answer depends on it (spec/transactions.md, "Time").
 */

import { SteleError } from '../../src/base/errors.ts';
import type { Commit, Engine, Operation } from '../../src/txn/types.ts';
import { keyBytes } from '../reference/keys.ts';
import { type Moment, type Receipt, Reference } from '../reference/reference.ts';
import { Divergence, expectSame, type Outcome, outcomeOf, same } from './answer.ts';
import { compareRead, compareSkipping } from './ask.ts';
import type { Coverage } from './coverage.ts';
import { compareChanges, compareHistory } from './past.ts';
import { historyMsOf, operationOf, rulesOf, type Setup, type Step, spanOf, type Write } from './program.ts';
import { readerOf, Slots } from './slots.ts';
import type { AttachedReader, Target } from './target.ts';
import { runTransact } from './transact.ts';

export class ModelRun {
  readonly target: Target;
  readonly reference: Reference;
  readonly values: Uint8Array;
  readonly slots: Slots;
  readonly #setup: Setup;
  readonly #coverage: Coverage | undefined;
  #engine: Engine | undefined;
  thread: AttachedReader | undefined;
  #reported = 0;
  #openedAt = 0;
  #durable = 0;
  /** Writes and reads put to both sides. */
  operations = 0;

  constructor(target: Target, setup: Setup, values: Uint8Array, coverage?: Coverage) {
    this.target = target;
    this.#setup = setup;
    this.reference = new Reference(historyMsOf(setup.historyMs));
    this.values = values;
    this.slots = new Slots(this);
    this.#coverage = coverage;
  }

  get engine(): Engine {
    if (this.#engine === undefined) throw new Error('not open');
    return this.#engine;
  }

  /** Hybrid time of the reference. */
  now(): number {
    return this.reference.now(this.target.clock.ms);
  }

  moment(): Moment {
    return { version: this.reference.version, timeMs: this.now() };
  }

  /** The first opening. */
  async open(): Promise<void> {
    await this.#open(historyMsOf(this.#setup.historyMs));
  }

  async #open(historyMs: number | undefined): Promise<void> {
    const outcome = await outcomeOf('open', () => this.target.open(historyMs));
    if (outcome.error !== undefined) throw new Divergence('open', 'an engine', outcome.error);
    this.#engine = outcome.value;
    expectSame('version after opening', this.reference.version, this.engine.version);
    this.#reported = this.engine.version;
    this.#openedAt = this.engine.version;
    if (this.#setup.thread) this.thread = this.target.attach(this.engine);
    this.engine.onCommitted((first, last) => {
      if (first !== this.#reported + 1 || last < first)
        this.#late = new Divergence('onCommitted', `from ${this.#reported + 1}`, `${first} to ${last}`);
      this.#reported = last;
    });
  }

  #late: Divergence | undefined;

  async close(): Promise<void> {
    this.slots.clear();
    const engine = this.engine;
    this.now();
    this.thread?.close();
    this.#coverage?.add(engine.stats());
    await outcomeOf('close', () => engine.close());
    this.#engine = undefined;
    const outcome = await outcomeOf('read after close', () => engine.get(Uint8Array.of(2, 1)));
    if (outcome.error?.kind !== 'closed')
      throw new Divergence('read after close', 'an error of kind closed', outcome.error ?? outcome.value);
  }

  /** Gives back what an ended run holds, also after a failure. Never throws. */
  async abandon(): Promise<void> {
    this.slots.clear();
    await this.#engine?.close().catch(() => {});
    this.#engine = undefined;
  }

  /** @throws {Divergence} */
  async step(step: Step): Promise<void> {
    this.#coverage?.step(step);
    await this.#run(step);
    const { version, visibleVersion, durableVersion } = this.engine;
    expectSame('version', this.reference.version, version);
    if (visibleVersion > version || durableVersion > visibleVersion)
      throw new Divergence('applied ≥ visible ≥ durable', version, [visibleVersion, durableVersion]);
    if (durableVersion < this.#durable) throw new Divergence('durableVersion falls', this.#durable, durableVersion);
    this.#durable = durableVersion;
    if (this.#late !== undefined) throw this.#late;
  }

  async #run(step: Step): Promise<void> {
    switch (step.step) {
      case 'write':
        return this.#write(step);
      case 'together':
        return this.#together(step);
      case 'clock':
        return this.#moveClock(step.ms);
      case 'read': {
        this.operations++;
        const asked = readerOf(this, step.of);
        const what = `${step.read.ask} of ${JSON.stringify(step.of)}`;
        if (asked === undefined) return;
        if (!asked.skips) return compareRead(what, step.read, asked.reader, asked.reference);
        return compareSkipping(what, 'span' in step.read ? spanOf(step.read.span) : {}, asked.reader, asked.reference);
      }
      case 'history':
        this.operations++;
        return compareHistory(this, step.key, step.limit);
      case 'changes':
        this.operations++;
        return compareChanges(this, step.back);
      case 'transact':
        return runTransact(this, step);
      case 'retention': {
        const rules = rulesOf(step).map((rule) => ({ prefix: keyBytes(rule.prefix), historyMs: rule.historyMs }));
        this.reference.setRetention({ rules }, this.now());
        return this.engine.setRetention({ rules });
      }
      case 'flush':
      case 'compact':
      case 'sync':
        this.now();
        return this.#care(step.step);
      case 'verify': {
        const report = await this.engine.verify();
        if (!report.ok) throw new Divergence('verify', 'no damage', report.damages);
        return;
      }
      case 'reopen':
        return this.#reopen(step.historyMs);
      default:
        return this.slots.step(step);
    }
  }

  /** What was committed stays; of hybrid time at least that of the newest commit, and all of it when there was something to write. */
  async #reopen(given: number | null | undefined): Promise<void> {
    const wrote = this.reference.version > this.#openedAt;
    const before = this.now();
    const [, ...others] = this.reference.rules;
    const own = given === undefined ? this.reference.rules[0] : { prefix: '', historyMs: historyMsOf(given) };
    const rules = [...(own === undefined ? [] : [own]), ...others];
    await this.close();
    this.reference.setRetention({ rules: rules.map(({ prefix, historyMs }) => ({ prefix: keyBytes(prefix), historyMs })) }, before);
    await this.#open(given === undefined ? undefined : historyMsOf(given));
    this.reference.cutBack(this.reference.version);
    using view = this.engine.snapshot();
    const least = wrote ? before : this.now();
    if (view.timeMs < least || view.timeMs > before)
      throw new Divergence('hybrid time after reopening', `${least} to ${before}`, view.timeMs);
    this.reference.now(view.timeMs);
  }

  async #care(what: 'flush' | 'compact' | 'sync'): Promise<void> {
    const outcome = await outcomeOf<unknown>(what, () => this.engine[what]());
    if (outcome.error !== undefined) throw new Divergence(what, 'no error', outcome.error);
    if (what === 'sync') expectSame('durableVersion after sync', this.reference.version, this.engine.durableVersion);
  }

  #moveClock(ms: number): void {
    if (ms < 0) {
      using view = this.engine.snapshot();
      expectSame('time of a snapshot', this.now(), view.timeMs);
    }
    this.target.clock.ms += ms;
  }

  // ---- writing

  operationsOf(writes: readonly Write[]): Operation[] {
    const moment = this.moment();
    return writes.map((write) => {
      this.operations++;
      return operationOf(write, this.values, moment.timeMs, (key) => this.reference.entryAt(key, moment)?.version ?? 0);
    });
  }

  /** What the reference says to a commit, as an outcome. */
  expected(work: () => Receipt): Outcome<Receipt> {
    try {
      return { value: work() };
    } catch (error) {
      if (error instanceof SteleError) return { error };
      throw error;
    }
  }

  /** @throws {Divergence} */
  compareReceipt(what: string, expected: Outcome<Receipt>, found: Outcome<Commit>, asked?: string): void {
    if (expected.error !== undefined || found.error !== undefined) {
      if (expected.error?.code === found.error?.code) return;
      throw new Divergence(what, expected.error ?? expected.value, found.error ?? found.value);
    }
    const { version, timeMs, changed, checksum, durability } = found.value;
    expectSame(
      `${what}: [version, time, changed]`,
      [expected.value.version, expected.value.timeMs, expected.value.changed],
      [version, timeMs, changed],
    );
    if (changed === 0 && checksum !== 0) throw new Divergence(`${what}: checksum`, 0, checksum);
    const needsDevice = asked === 'immediate' || this.#setup.durability === 'immediate';
    if (needsDevice && changed > 0 && durability !== 'device') throw new Divergence(`${what}: durability`, 'device', durability);
  }

  async #write(step: Extract<Step, { step: 'write' }>): Promise<void> {
    const operations = this.operationsOf(step.writes);
    const expected = this.expected(() => this.reference.commit(operations, this.now(), step.asserted));
    const options = {
      ...(step.durability === undefined ? {} : { durability: step.durability }),
      ...(step.asserted === undefined ? {} : { assertedTimeMs: step.asserted }),
    };
    const found = await outcomeOf(step.how, () => this.#issue(step.how, operations, options));
    this.compareReceipt(step.how, expected, found, step.durability);
  }

  #issue(
    how: string,
    operations: readonly Operation[],
    options: { durability?: 'immediate' | 'debounced' | 'async'; assertedTimeMs?: number },
  ): Commit | Promise<Commit> {
    const [first] = operations;
    const sync = how === 'putSync' || how === 'batchSync';
    if (how.startsWith('batch') || first === undefined || operations.length > 1 || first.type === 'check') {
      return sync ? this.engine.batchSync(operations, options) : this.engine.batch(operations, options);
    }
    if (first.type === 'deleteRange')
      return sync ? this.engine.batchSync(operations, options) : this.engine.deleteRange(first.start, first.end, options);
    const { type: _type, key, value: _value, ...rest } = { value: undefined, ...first };
    if (first.type === 'delete')
      return sync ? this.engine.deleteSync(key, { ...rest, ...options }) : this.engine.delete(key, { ...rest, ...options });
    const all = { ...rest, ...options };
    if (key.length % 2 === 0) return sync ? this.engine.putSync(key, first.value, all) : this.engine.put(key, first.value, all);
    // The same from the front of larger buffers, which are used for something else afterwards.
    const keys = Uint8Array.of(...key, 1, 2, 3);
    const values = new Uint8Array(first.value.length + 5).fill(7);
    values.set(first.value);
    const commit = sync
      ? this.engine.putFromSync(keys, key.length, values, first.value.length, all)
      : this.engine.putFrom(keys, key.length, values, first.value.length, all);
    keys.fill(9);
    values.fill(9);
    return commit;
  }

  async #together(step: Extract<Step, { step: 'together' }>): Promise<void> {
    const reading: Promise<void>[] = [];
    const issued = step.batches.map((writes, index) => {
      const keys = step.reads?.[index];
      if (keys !== undefined) reading.push(handled(this.#overlapping(keys)));
      const operations = this.operationsOf(writes);
      const expected = this.expected(() => this.reference.commit(operations, this.now()));
      const options = step.durability === undefined ? {} : { durability: step.durability };
      return { expected, found: handled(outcomeOf('together', () => this.engine.batch(operations, options))) };
    });
    let order = 0;
    for (const [index, { expected, found }] of issued.entries()) {
      const outcome = await found;
      this.compareReceipt(`together, batch ${index}`, expected, outcome, step.durability);
      if (outcome.error === undefined && outcome.value.changed > 0) {
        if (outcome.value.version <= order)
          throw new Divergence('together: versions in order of the calls', order + 1, outcome.value.version);
        order = outcome.value.version;
      }
    }
    await Promise.all(reading);
  }

  /** Reads in flight while others write: the answer is that of one moment between the call and the end. */
  async #overlapping(keys: readonly string[]): Promise<void> {
    this.operations++;
    const first = this.reference.version;
    const what = 'getManyAsync between writes';
    const outcome = await outcomeOf(what, () => this.engine.getManyAsync(keys.map(keyBytes)));
    if (outcome.error !== undefined) throw new Divergence(what, 'values', outcome.error);
    for (let version = first; version <= this.reference.version; version++) {
      const view = this.reference.view({ version, timeMs: this.now() });
      const values = keys.map((key) => view.entry(keyBytes(key))?.value);
      if (same(values, outcome.value)) return;
      if (version === this.reference.version) expectSame(`${what} (no version from ${first} on has these)`, values, outcome.value);
    }
  }
}

/** A promise that is awaited later, and may reject before that. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
