/**
 * Views and transactions of the fake engine: the reference's own, with the bugs that belong to them.
 */

import { SteleError } from '../../src/base/errors.ts';
import type { Commit, CommitOptions, KeyRange, ScanRange, Transaction, View, ViewOptions } from '../../src/txn/types.ts';
import type { FakeEngine } from './fake-engine.ts';
import { FakeReader, rangeOf } from './fake-reader.ts';
import { keyText, onlyKey } from './keys.ts';
import type { Moment, ReferenceReader } from './reference.ts';
import { ReferenceTransaction } from './transaction.ts';

export class FakeView extends FakeReader implements View {
  readonly version: number;
  readonly timeMs: number;
  readonly skipped: readonly Uint8Array[] = [];
  readonly #engine: FakeEngine;
  readonly #forgot: (range: KeyRange) => boolean;
  readonly #skips: boolean;
  #closed = false;

  constructor(engine: FakeEngine, at: Moment, options: ViewOptions = {}) {
    super();
    this.#engine = engine;
    this.version = at.version;
    this.timeMs = at.timeMs;
    this.#skips = options.skipExpired === true;
    const { dropped } = engine.store;
    this.#forgot = dropped === undefined ? () => false : (range) => engine.forgot(range, at, dropped);
  }

  protected override source(range: KeyRange): ReferenceReader {
    if (this.#closed) throw new SteleError('closed', 'VIEW_CLOSED', 'the view is closed');
    const { reference, bug } = this.#engine;
    const version = bug === 'view follows the newest version' ? reference.version : this.version;
    const view = reference.view({ version, timeMs: this.timeMs });
    if (!this.#forgot(range)) {
      if (bug !== 'reverse scan skips one') return view;
      const scan = (asked?: ScanRange) => view.scan(asked).slice(asked?.reverse === true ? 1 : 0);
      return { ...view, scan, look: scan };
    }
    if (this.#skips) return { ...view, ...this.#left(view) };
    if (bug === 'answers wrongly where it forgot') return reference.view({ version: 0, timeMs: 0 });
    throw new SteleError('invalid', 'HISTORY_EXPIRED', `version ${this.version} is not kept there`);
  }

  /** The view without what is forgotten. */
  #left(view: ReferenceReader): Pick<ReferenceReader, 'scan' | 'look' | 'count' | 'nth'> {
    const scan = (range: ScanRange = {}) => view.scan(range).filter((entry) => !this.#forgot(rangeOf(entry.key)));
    return { scan, look: scan, count: (range) => scan(range).length, nth: (range, n) => scan(range)[n] };
  }

  close(): void {
    this.#closed = true;
  }
  [Symbol.dispose](): void {
    this.close();
  }
}

export class FakeTransaction extends FakeReader implements Transaction {
  conflict: SteleError | undefined;

  readonly version: number;
  readonly timeMs: number;
  readonly #engine: FakeEngine;
  readonly #inner: ReferenceTransaction;
  #ended = false;

  constructor(engine: FakeEngine) {
    super();
    const at = engine.moment();
    this.version = at.version;
    this.timeMs = at.timeMs;
    this.#engine = engine;
    this.#inner = new ReferenceTransaction(engine.reference, at);
  }

  protected override source(): ReferenceTransaction {
    if (this.#ended) throw new SteleError('closed', 'TXN_CLOSED', 'the transaction has ended');
    return this.#inner;
  }

  put(key: Uint8Array, value: Uint8Array, options: { expiresAt?: number; ttlMs?: number } = {}): void {
    this.source().write({ ...options, type: 'put', key, value });
  }
  delete(key: Uint8Array): void {
    this.source().write({ type: 'delete', key });
  }
  deleteRange(start: Uint8Array, end: Uint8Array): void {
    this.source().write({ type: 'deleteRange', start, end });
  }
  peek(key: Uint8Array): Uint8Array | undefined {
    return this.source().peek(keyText(key))?.value.slice();
  }

  commitSync(options?: CommitOptions): Commit {
    const inner = this.source();
    this.#ended = true;
    this.#forgetReads(inner);
    const nowMs = this.#engine.now();
    if (this.#engine.bug === 'expiry is not validated') inner.earliestExpiry = Infinity;
    return this.#engine.wrote(inner.commit(nowMs, options?.assertedTimeMs), options);
  }
  async commit(options?: CommitOptions): Promise<Commit> {
    return this.commitSync(options);
  }
  abort(): void {
    this.#ended = true;
  }

  #forgetReads(inner: ReferenceTransaction): void {
    const isPoint = (start: string, end: string | undefined) => end === onlyKey(start).end;
    const kept = inner.reads.filter(({ start, end }, index) => {
      switch (this.#engine.bug) {
        case 'point reads are not validated':
          return !isPoint(start, end);
        case 'ranges are not validated':
          return isPoint(start, end);
        case 'reads are validated against the first key only':
          return index === 0;
        case 'rival is overwritten':
          return false;
        default:
          return true;
      }
    });
    inner.reads.splice(0, inner.reads.length, ...kept);
  }
}
