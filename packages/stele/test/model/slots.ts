/**
 * What a program holds open over its steps: views, transactions and iterators, each kind in four numbered slots.
 */

import type { Entry, Reader, Transaction, View } from '../../src/txn/types.ts';
import type { Moment, ReferenceReader } from '../reference/reference.ts';
import { ReferenceTransaction } from '../reference/transaction.ts';
import { Divergence, expectSame, outcomeOf, refused } from './answer.ts';
import { type Asked, type Span, type Step, spanOf } from './program.ts';
import type { ModelRun } from './run.ts';
import { writeTo } from './transact.ts';

interface OpenView {
  readonly reader: View;
  readonly reference: ReferenceReader;
  readonly skips: boolean;
}

interface OpenTransaction {
  readonly reader: Transaction;
  readonly reference: ReferenceTransaction;
}

interface Walk {
  readonly iterator: IterableIterator<Entry>;
  readonly expected: Entry[];
  readonly view: number | undefined;
  readonly mayRefuse: boolean;
  at: number;
}

export class Slots {
  readonly views = new Map<number, OpenView>();
  readonly transactions = new Map<number, OpenTransaction>();
  readonly #walks = new Map<number, Walk>();
  readonly #run: ModelRun;

  constructor(run: ModelRun) {
    this.#run = run;
  }

  async step(step: Step): Promise<void> {
    switch (step.step) {
      case 'open':
        return this.#open(step);
      case 'close':
        return this.#close(step.slot);
      case 'walk':
        return this.#walk(step.slot, step.of, step.span, step.reverse);
      case 'stride':
        return this.#stride(step.slot, step.entries);
      case 'begin':
        return this.#begin(step.slot);
      case 'own': {
        const open = this.transactions.get(step.slot);
        if (open !== undefined) writeTo(open.reader, open.reference, this.#run.operationsOf([step.write]));
        return;
      }
      case 'commit':
        return this.#commit(step.slot, step.sync);
      case 'abort':
        this.transactions.get(step.slot)?.reader.abort();
        this.transactions.delete(step.slot);
    }
  }

  /** Lets go of everything. Nothing is compared. */
  clear(): void {
    for (const { reader } of this.transactions.values()) reader.abort();
    for (const { reader } of this.views.values()) reader.close();
    this.transactions.clear();
    this.views.clear();
    this.#walks.clear();
  }

  async #open(step: Extract<Step, { step: 'open' }>): Promise<void> {
    await this.#close(step.slot);
    const { reference } = this.#run;
    const options = step.skipExpired === true ? { skipExpired: true } : {};
    const now = this.#run.moment();
    const { moment, open } = this.#past(step, now, options);
    const outcome = await outcomeOf(`open ${step.as}`, () => open());
    if (moment.timeMs > now.timeMs) {
      if (outcome.error?.code !== 'TIME_INVALID')
        throw new Divergence('open a time in the future', 'TIME_INVALID', outcome.error ?? outcome.value.timeMs);
      return;
    }
    if (outcome.error !== undefined) throw new Divergence(`open ${step.as} at ${moment.version}`, 'a view', outcome.error);
    const view = outcome.value;
    expectSame(`open ${step.as}: [version, time]`, [moment.version, moment.timeMs], [view.version, view.timeMs]);
    this.views.set(step.slot, {
      reader: view,
      reference: reference.view(moment),
      skips: step.skipExpired === true && step.as !== 'snapshot',
    });
  }

  #past(step: Extract<Step, { step: 'open' }>, now: Moment, options: { skipExpired?: boolean }): { moment: Moment; open: () => View } {
    const { engine, reference } = this.#run;
    const at = (version: number): Moment => ({ version, timeMs: reference.timeOf(version) });
    switch (step.as) {
      case 'snapshot':
        return { moment: now, open: () => engine.snapshot() };
      case 'thread':
        return { moment: now, open: () => (this.#run.thread ?? engine).snapshot() };
      case 'version': {
        const version = Math.max(0, now.version - Math.abs(step.back));
        return { moment: at(version), open: () => engine.asOf(version, options) };
      }
      case 'time': {
        const timeMs = Math.max(0, now.timeMs - step.back);
        return { moment: { version: reference.versionAtTime(timeMs), timeMs }, open: () => engine.asOfTime(timeMs, options) };
      }
      case 'asserted': {
        const timeMs = Math.abs(step.back);
        return { moment: at(reference.versionAtAsserted(timeMs)), open: () => engine.asOfAsserted(timeMs, options) };
      }
    }
  }

  async #close(slot: number): Promise<void> {
    const view = this.views.get(slot);
    if (view === undefined) return;
    for (const [number, walk] of this.#walks) if (walk.view === slot) this.#walks.delete(number);
    this.views.delete(slot);
    view.reader.close();
    view.reader.close();
    const outcome = await outcomeOf('read of a closed view', () => view.reader.get(Uint8Array.of(2, 1)));
    if (outcome.error?.kind !== 'closed')
      throw new Divergence('read of a closed view', 'an error of kind closed', outcome.error ?? outcome.value);
  }

  #begin(slot: number): void {
    this.transactions.get(slot)?.reader.abort();
    const moment = this.#run.moment();
    const reader = this.#run.engine.begin();
    expectSame('begin: [version, time]', [moment.version, moment.timeMs], [reader.version, reader.timeMs]);
    this.transactions.set(slot, { reader, reference: new ReferenceTransaction(this.#run.reference, moment) });
  }

  async #commit(slot: number, sync: boolean): Promise<void> {
    const open = this.transactions.get(slot);
    if (open === undefined) return;
    this.transactions.delete(slot);
    const expected = this.#run.expected(() => open.reference.commit(this.#run.now()));
    const found = await outcomeOf('commit', () => (sync ? open.reader.commitSync() : open.reader.commit()));
    this.#run.compareReceipt('commit', expected, found);
  }

  async #walk(slot: number, of: Asked, span: Span, reverse: boolean): Promise<void> {
    const asked = readerOf(this.#run, of);
    this.#walks.get(slot)?.iterator.return?.();
    this.#walks.delete(slot);
    if (asked === undefined || asked.skips) return;
    const range = { ...spanOf(span), reverse };
    const mayRefuse = asked.reference.mayBeExpired(range);
    const outcome = await outcomeOf('walk', () => asked.reader.scan(range));
    if (outcome.error !== undefined) {
      if (outcome.error.code !== refused || !mayRefuse) throw new Divergence('walk', 'an iterator', outcome.error);
      return;
    }
    this.#walks.set(slot, {
      iterator: outcome.value,
      expected: asked.reference.scan(range),
      view: typeof of === 'object' && 'view' in of ? of.view : undefined,
      mayRefuse,
      at: 0,
    });
  }

  async #stride(slot: number, entries: number): Promise<void> {
    const walk = this.#walks.get(slot);
    if (walk === undefined) return;
    this.#run.operations++;
    for (let i = 0; i < entries; i++) {
      const outcome = await outcomeOf('stride', () => walk.iterator.next());
      if (outcome.error !== undefined) {
        // Only before the first row, and only where it is allowed.
        if (outcome.error.code !== refused || !walk.mayRefuse || walk.at > 0)
          throw new Divergence(`stride, row ${walk.at}`, walk.expected[walk.at], outcome.error);
        this.#walks.delete(slot);
        return;
      }
      const expected = walk.expected[walk.at];
      expectSame(
        `stride, row ${walk.at} of ${walk.expected.length}`,
        expected ?? 'the end',
        outcome.value.done === true ? 'the end' : outcome.value.value,
      );
      if (outcome.value.done === true) return;
      walk.at++;
    }
  }
}

export interface AskedReader {
  readonly reader: Reader;
  readonly reference: ReferenceReader;
  readonly skips: boolean;
}

/** The two readers a step asks; undefined when the slot is empty. */
export function readerOf(run: ModelRun, of: Asked): AskedReader | undefined {
  if (of === 'engine') return { reader: run.engine, reference: run.reference.view(run.moment()), skips: false };
  if (of === 'thread') return run.thread && { reader: run.thread, reference: run.reference.view(run.moment()), skips: false };
  if ('view' in of) return run.slots.views.get(of.view);
  const open = run.slots.transactions.get(of.txn);
  return open === undefined ? undefined : { ...open, skips: false };
}
